"""The spans of a trace as a tree, whatever was sent: lost parents, several roots, cycles, clocks that differ."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from clew.store.order_spans import SpanLine

NO_PARENT = -1


@dataclass(frozen=True, slots=True)
class ClockGap:
    """Spans of ``service`` begin up to ``most_ns`` before their parents in ``caller``, ``spans`` of them."""

    caller: str
    service: str
    spans: int
    most_ns: int


@dataclass(frozen=True, slots=True)
class TraceTree:
    """Spans in tree order: each before its children, siblings by start. All tuples run beside ``lines``.

    ``parents`` are places in ``lines``, `NO_PARENT` for the top; ``depths`` count from 0; ``sizes`` are how many spans
    a span's subtree has, with itself: it lies at ``lines[place : place + size]``. ``orphans`` are the places of spans
    whose parent isn't stored, ``looped`` of those whose parents lead back to themselves; both stand at the top.
    ``start_ns`` is when the first span began, ``end_ns`` when the last one ended (Unix ns); both 0 without any.
    """

    lines: tuple[SpanLine, ...]
    parents: tuple[int, ...]
    depths: tuple[int, ...]
    sizes: tuple[int, ...]
    orphans: frozenset[int]
    looped: frozenset[int]
    start_ns: int
    end_ns: int

    @property
    def roots(self) -> tuple[int, ...]:
        """The places of the spans at the top."""
        return tuple(place for place, parent in enumerate(self.parents) if parent == NO_PARENT)

    def children(self) -> list[list[int]]:
        """The places of the children of each span, by start."""
        found: list[list[int]] = [[] for _ in self.lines]
        for place, parent in enumerate(self.parents):
            if parent != NO_PARENT:
                found[parent].append(place)
        return found

    def failed(self) -> tuple[int, ...]:
        """Places of failed spans: first those below which nothing failed, for there an error began; each by start."""
        places = [place for place, line in enumerate(self.lines) if line.failed]
        within = [0] * len(self.lines)
        for place in places:
            above = self.parents[place]
            while above != NO_PARENT and not within[above]:
                within[above] = 1
                above = self.parents[above]
        return tuple(sorted(places, key=lambda place: (within[place], self.lines[place].start_ns, place)))

    def begins_error(self, place: int) -> bool:
        """Whether a span failed and none below it did."""
        inside = self.lines[place + 1 : place + self.sizes[place]]
        return self.lines[place].failed and not any(line.failed for line in inside)

    def clock_gaps(self) -> tuple[ClockGap, ...]:
        """Between which services children begin before their parents, the largest gap first."""
        gaps: dict[tuple[str, str], list[int]] = defaultdict(list)
        for line, parent in zip(self.lines, self.parents, strict=True):
            if parent != NO_PARENT and line.start_ns < self.lines[parent].start_ns:
                above = self.lines[parent]
                gaps[above.service, line.service].append(above.start_ns - line.start_ns)
        found = [ClockGap(caller, service, len(each), max(each)) for (caller, service), each in gaps.items()]
        return tuple(sorted(found, key=lambda gap: (-gap.most_ns, gap.caller, gap.service)))

    def services(self) -> tuple[tuple[str, int], ...]:
        """Services with how many spans they have, the most first."""
        counts = Counter(line.service for line in self.lines)
        return tuple(sorted(counts.items(), key=lambda each: (-each[1], each[0])))


def tree_of(lines: Iterable[SpanLine]) -> TraceTree:
    """The tree that parent ids make of spans in any order.

    A cycle of parents is opened at its earliest span. Takes no recursion: a chain of ten thousand spans is a tree, too.
    """
    spans = sorted({line.span_id: line for line in lines}.values(), key=_by_start)
    above, looped = _parents_of(spans)
    below: dict[str, list[SpanLine]] = defaultdict(list)
    for line in spans:
        below[above[line.span_id]].append(line)
    ordered: list[SpanLine] = []
    parents: list[int] = []
    depths: list[int] = []
    stack = [(line, NO_PARENT, 0) for line in reversed(below[""])]
    while stack:
        line, parent, depth = stack.pop()
        place = len(ordered)
        ordered.append(line)
        parents.append(parent)
        depths.append(depth)
        if children := below.get(line.span_id):
            stack += [(child, place, depth + 1) for child in reversed(children)]
    return TraceTree(
        lines=tuple(ordered),
        parents=tuple(parents),
        depths=tuple(depths),
        sizes=_sizes(parents),
        orphans=frozenset(
            place
            for place, line in enumerate(ordered)
            if parents[place] == NO_PARENT and line.parent_span_id and line.span_id not in looped
        ),
        looped=frozenset(place for place, line in enumerate(ordered) if line.span_id in looped),
        start_ns=spans[0].start_ns if spans else 0,
        end_ns=max((line.start_ns + line.duration_ns for line in spans), default=0),
    )


def _by_start(line: SpanLine) -> tuple[int, int, str]:
    return line.start_ns, -line.duration_ns, line.span_id


def _parents_of(spans: Sequence[SpanLine]) -> tuple[dict[str, str], set[str]]:
    """The parent of each span ('' at the top), and the spans at which a cycle was opened."""
    known = {line.span_id: line for line in spans}
    above = {line.span_id: line.parent_span_id if line.parent_span_id in known else "" for line in spans}
    looped: set[str] = set()
    settled: set[str] = {""}
    for line in spans:
        way: dict[str, None] = {}
        at = line.span_id
        while at not in settled and at not in way:
            way[at] = None
            at = above[at]
        if at in way:
            steps = list(way)
            cycle = steps[steps.index(at) :]
            first = min(cycle, key=lambda span_id: _by_start(known[span_id]))
            above[first] = ""
            looped.add(first)
        settled.update(way)
    return above, looped


def _sizes(parents: Sequence[int]) -> tuple[int, ...]:
    sizes = [1] * len(parents)
    for place in range(len(parents) - 1, -1, -1):
        if parents[place] != NO_PARENT:
            sizes[parents[place]] += sizes[place]
    return tuple(sizes)
