"""Where a trace's time went: self times, summed up by operation and by the way to it, and two traces compared."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from clew.store.trace_lines import Lines
from clew.web.pages.trace.tree import NO_PARENT, TraceTree


def self_times(tree: TraceTree) -> tuple[int, ...]:
    """How long each span worked itself, in nanoseconds: its duration without what its children cover of it."""
    starts, durations = tree.lines.starts, tree.lines.durations
    covered = [0] * len(starts)
    reached = list(starts)
    # Siblings come by start, so what is covered is summed up in one go.
    for place, parent in enumerate(tree.parents):
        if parent == NO_PARENT:
            continue
        begin_ns = max(starts[place], reached[parent])
        end_ns = min(starts[place] + durations[place], starts[parent] + durations[parent])
        if end_ns > begin_ns:
            covered[parent] += end_ns - begin_ns
            reached[parent] = end_ns
    return tuple(duration_ns - part for duration_ns, part in zip(durations, covered, strict=True))


@dataclass(slots=True)
class FlameNode:
    """All spans of one operation (``service``, ``name``) that were reached the same way; times are nanoseconds.

    There are ``count``, of which ``failed``; ``place`` is the longest of them in the tree. ``own_ns`` is their self
    time, ``all_ns`` that of them and of all ``below``.
    """

    service: str
    name: str
    count: int = 0
    failed: int = 0
    own_ns: int = 0
    all_ns: int = 0
    place: int = 0
    below: dict[tuple[str, str], FlameNode] = field(default_factory=dict)


def flame_of(tree: TraceTree) -> FlameNode:
    """Spans summed up by service and operation path; the root stands for the trace, its ``place`` is `NO_PARENT`."""
    top = FlameNode("", "", place=NO_PARENT)
    nodes: list[FlameNode] = []
    lines = tree.lines
    for place, (parent, own_ns) in enumerate(zip(tree.parents, self_times(tree), strict=True)):
        above = top if parent == NO_PARENT else nodes[parent]
        key = (lines.services[place], lines.names[place])
        node = above.below.get(key)
        if node is None:
            node = above.below[key] = FlameNode(*key, place=place)
        elif lines.durations[place] > lines.durations[node.place]:
            node.place = place
        node.count += 1
        node.failed += lines.failed[place]
        node.own_ns += own_ns
        nodes.append(node)
    _sum_up(top)
    return top


def _sum_up(top: FlameNode) -> None:
    ordered = [top]
    for node in ordered:
        ordered += node.below.values()
    for node in reversed(ordered):
        node.all_ns = node.own_ns + sum(each.all_ns for each in node.below.values())


@dataclass(frozen=True, slots=True)
class Operation:
    """All spans of a ``service`` with one ``name``: ``count`` in all, ``failed`` of them. Together they took
    ``total_ns``, of that ``own_ns`` themselves; the longest took ``longest_ns`` and is at ``place`` in the tree."""

    service: str
    name: str
    count: int
    failed: int
    total_ns: int
    own_ns: int
    longest_ns: int
    place: int


def operations_of(tree: TraceTree) -> tuple[Operation, ...]:
    """What a trace's spans did, by service and name: what took longest itself first."""
    groups: dict[tuple[str, str], list[int]] = {}
    for place, key in enumerate(zip(tree.lines.services, tree.lines.names, strict=True)):
        groups.setdefault(key, []).append(place)
    own = self_times(tree)
    found = [_operation(key, places, tree.lines, own) for key, places in groups.items()]
    return tuple(sorted(found, key=lambda each: (-each.own_ns, -each.total_ns, each.service, each.name)))


def _operation(key: tuple[str, str], places: list[int], lines: Lines, own: tuple[int, ...]) -> Operation:
    longest = max(places, key=lambda place: lines.durations[place])
    return Operation(
        *key,
        count=len(places),
        failed=sum(lines.failed[place] for place in places),
        total_ns=sum(lines.durations[place] for place in places),
        own_ns=sum(own[place] for place in places),
        longest_ns=lines.durations[longest],
        place=longest,
    )


@dataclass(frozen=True, slots=True)
class Difference:
    """One operation (``service``, ``name``) in the ``first`` and the ``second`` of two traces; None where one hasn't
    it."""

    service: str
    name: str
    first: Operation | None
    second: Operation | None

    @property
    def count(self) -> int:
        """How many spans more the second has; negative: fewer."""
        return _of(self.second, "count") - _of(self.first, "count")

    @property
    def own_ns(self) -> int:
        """How much longer the second worked on it itself, in nanoseconds; negative: less long."""
        return _of(self.second, "own_ns") - _of(self.first, "own_ns")

    @property
    def total_ns(self) -> int:
        """How much longer its spans took in the second, all summed up, in nanoseconds; negative: less long."""
        return _of(self.second, "total_ns") - _of(self.first, "total_ns")


def _of(operation: Operation | None, name: str) -> int:
    return int(getattr(operation, name)) if operation else 0


def differences(first: Iterable[Operation], second: Iterable[Operation]) -> tuple[Difference, ...]:
    """The operations of two traces side by side: where self times differ most first."""
    a = {(each.service, each.name): each for each in first}
    b = {(each.service, each.name): each for each in second}
    found = [Difference(*key, a.get(key), b.get(key)) for key in {**a, **b}]
    return tuple(
        sorted(found, key=lambda each: (-abs(each.own_ns), -abs(each.total_ns), each.service, each.name))
    )  # fmt: skip
