"""The spans of a trace as a tree, whatever was sent: lost parents, several roots, cycles, clocks that differ."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import add, neg

from clew.store.order_spans import SpanLine
from clew.store.trace_lines import Lines

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

    lines: Lines
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

    def children(self, place: int) -> Iterator[int]:
        """The places of the children of a span, by start."""
        child, end = place + 1, place + self.sizes[place]
        while child < end:
            yield child
            child += self.sizes[child]

    def failed(self) -> tuple[int, ...]:
        """Places of failed spans: first those below which nothing failed, for there an error began; each by start."""
        places = [place for place, failed in enumerate(self.lines.failed) if failed]
        within = [0] * len(self.lines)
        for place in places:
            above = self.parents[place]
            while above != NO_PARENT and not within[above]:
                within[above] = 1
                above = self.parents[above]
        return tuple(sorted(places, key=lambda place: (within[place], self.lines.starts[place], place)))

    def begins_error(self, place: int) -> bool:
        """Whether a span failed and none below it did."""
        failed = self.lines.failed
        return failed[place] and not any(failed[place + 1 : place + self.sizes[place]])

    def clock_gaps(self) -> tuple[ClockGap, ...]:
        """Between which services children begin before their parents, the largest gap first."""
        gaps: dict[tuple[str, str], list[int]] = defaultdict(list)
        starts, services = self.lines.starts, self.lines.services
        for place, parent in enumerate(self.parents):
            if parent != NO_PARENT and starts[place] < starts[parent]:
                gaps[services[parent], services[place]].append(starts[parent] - starts[place])
        found = [ClockGap(caller, service, len(each), max(each)) for (caller, service), each in gaps.items()]
        return tuple(sorted(found, key=lambda gap: (-gap.most_ns, gap.caller, gap.service)))

    def services(self) -> tuple[tuple[str, int], ...]:
        """Services with how many spans they have, the most first."""
        counts = Counter(self.lines.services)
        return tuple(sorted(counts.items(), key=lambda each: (-each[1], each[0])))


def tree_of(lines: Lines | Iterable[SpanLine]) -> TraceTree:
    """The tree that parent ids make of spans in any order.

    A cycle of parents is opened at its earliest span. Takes no recursion: a chain of ten thousand spans is a tree, too.
    """
    spans = lines if isinstance(lines, Lines) else Lines.of(lines)
    by_start = _by_start(spans)
    # From here on a span is a number: how many begin before it.
    known = {spans.span_ids[at]: number for number, at in enumerate(by_start)}
    above = [known.get(spans.parent_ids[at], NO_PARENT) for at in by_start]
    ordered, place_of = _walked(above)
    looped: list[int] = []
    if len(ordered) < len(above):
        looped = _opened(above, place_of)
        ordered, place_of = _walked(above)
    parents = [NO_PARENT if above[number] == NO_PARENT else place_of[above[number]] for number in ordered]
    in_order = spans.picked([by_start[number] for number in ordered])
    opened = frozenset(place_of[number] for number in looped)
    return TraceTree(
        lines=in_order,
        parents=tuple(parents),
        depths=_depths(parents),
        sizes=_sizes(parents),
        orphans=frozenset(
            place
            for place, (parent, named) in enumerate(zip(parents, in_order.parent_ids, strict=True))
            if parent == NO_PARENT and named and place not in opened
        ),
        looped=opened,
        start_ns=min(spans.starts, default=0),
        end_ns=max(map(add, spans.starts, spans.durations), default=0),
    )


def _by_start(lines: Lines) -> list[int]:
    """The places of spans by their start, of those that start together the longest first."""
    keys = list(zip(lines.starts, map(neg, lines.durations), lines.span_ids, strict=True))
    return sorted(range(len(keys)), key=keys.__getitem__)


def _walked(above: Sequence[int]) -> tuple[list[int], list[int]]:
    """The numbers of spans in tree order, and the place of each number; `NO_PARENT` for those in and below a circle."""
    below: dict[int, list[int]] = defaultdict(list)
    for number in range(len(above) - 1, -1, -1):
        below[above[number]].append(number)
    ordered: list[int] = []
    place_of = [NO_PARENT] * len(above)
    stack = below.pop(NO_PARENT, [])
    while stack:
        number = stack.pop()
        place_of[number] = len(ordered)
        ordered.append(number)
        if number in below:
            stack += below[number]
    return ordered, place_of


def _opened(above: list[int], place_of: Sequence[int]) -> list[int]:
    """The numbers of spans at which a cycle was opened: from now on they have no parent in ``above``."""
    opened: list[int] = []
    settled = {number for number, place in enumerate(place_of) if place != NO_PARENT} | {NO_PARENT}
    for number in range(len(above)):
        way: dict[int, None] = {}
        at = number
        while at not in settled and at not in way:
            way[at] = None
            at = above[at]
        if at in way:
            steps = list(way)
            first = min(steps[steps.index(at) :])
            above[first] = NO_PARENT
            opened.append(first)
        settled.update(way)
    return opened


def _depths(parents: Sequence[int]) -> tuple[int, ...]:
    depths: list[int] = []
    for parent in parents:
        depths.append(0 if parent == NO_PARENT else depths[parent] + 1)
    return tuple(depths)


def _sizes(parents: Sequence[int]) -> tuple[int, ...]:
    sizes = [1] * len(parents)
    for place in range(len(parents) - 1, -1, -1):
        if parents[place] != NO_PARENT:
            sizes[parents[place]] += sizes[place]
    return tuple(sizes)
