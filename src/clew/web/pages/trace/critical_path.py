"""The critical path of a trace: what one would have to make faster for the whole to end earlier."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import add
from typing import NamedTuple

from clew.web.pages.trace.tree import NO_PARENT, TraceTree

WAITING = -1


class Segment(NamedTuple):
    """A part of the path, between two moments (Unix ns).

    ``place`` is the span of the tree that worked meanwhile, or `WAITING`: no span on the path did, as between sending
    a message and its being taken.
    """

    place: int
    from_ns: int
    to_ns: int

    @property
    def length_ns(self) -> int:
        """How long it takes."""
        return self.to_ns - self.from_ns


def critical_path(tree: TraceTree) -> tuple[Segment, ...]:
    """The path from a trace's first moment to its last, as segments by time that leave nothing out and never overlap.

    It is walked backwards from the end: of a span's children the one that ended last held it up; before that one
    began, it was the child that had ended last by then; between them, the span's own work. Where children end within
    their parents this is the algorithm of CRISP (Zhang and others, "CRISP: Critical Path Analysis of Large-Scale
    Microservice Architectures", USENIX ATC 2022, section 3), which Jaeger uses as well.

    CRISP cuts what outlasts its parent. Here messages connect services: a consumer goes on after its producer has
    ended. So a span counts as ending with the last span below it, and time in which none worked is waiting. What a
    child did before its parent began (clocks that differ) is not on the path. Several roots are children of the trace.
    """
    if not tree.lines:
        return ()
    return tuple(reversed(_Walk(tree).walked()))


class _Walk:
    """One walk; segments are found from the last to the first."""

    def __init__(self, tree: TraceTree) -> None:
        self._starts = tree.lines.starts
        self._durations = tree.lines.durations
        self._ends = _ends(tree)
        self._tree = tree
        self._found: list[Segment] = []
        self._left = {WAITING: self._by_end(tree.roots)}

    def _by_end(self, places: Iterable[int]) -> list[int]:
        return sorted(places, key=lambda place: (self._ends[place], self._starts[place], place))

    def _children(self, place: int) -> list[int]:
        """What wasn't walked yet of a span's children, which are sorted when the path first comes to it."""
        if place not in self._left:
            self._left[place] = self._by_end(self._tree.children(place))
        return self._left[place]

    def walked(self) -> list[Segment]:
        # Each step is a span, the moment before which it isn't walked, and the moment up to which it still is.
        stack = [(WAITING, self._tree.start_ns, self._tree.end_ns)]
        while stack:
            place, floor_ns, until_ns = stack.pop()
            child = self._last_before(self._children(place), floor_ns, until_ns)
            if child is None:
                self._own(place, floor_ns, until_ns)
                continue
            end_ns = self._ends[child]
            self._own(place, end_ns, until_ns)
            begin_ns = max(floor_ns, self._starts[child])
            stack.append((place, floor_ns, begin_ns))
            stack.append((child, begin_ns, end_ns))
        return self._found

    def _last_before(self, children: list[int], floor_ns: int, until_ns: int) -> int | None:
        """The child that ended last by then; those that ended later ran beside what is on the path already."""
        while children:
            child = children.pop()
            if floor_ns < self._ends[child] <= until_ns and self._starts[child] < until_ns:
                return child
        return None

    def _own(self, place: int, from_ns: int, to_ns: int) -> None:
        """A stretch without a child: the span's own until it ended, waiting from then on."""
        ended_ns = from_ns
        if place != WAITING:
            ended_ns = min(max(self._starts[place] + self._durations[place], from_ns), to_ns)
        for which, begin_ns, end_ns in ((WAITING, ended_ns, to_ns), (place, from_ns, ended_ns)):
            if end_ns > begin_ns:
                self._found.append(Segment(which, begin_ns, end_ns))


def _ends(tree: TraceTree) -> list[int]:
    """When each span ended, with all that is below it."""
    ends = list(map(add, tree.lines.starts, tree.lines.durations))
    for place in range(len(ends) - 1, -1, -1):
        parent = tree.parents[place]
        if parent != NO_PARENT and ends[parent] < ends[place]:
            ends[parent] = ends[place]
    return ends


def on_path(path: Sequence[Segment]) -> dict[int, int]:
    """How long each span worked on the path, in nanoseconds, by its place in the tree; waiting under `WAITING`."""
    times: dict[int, int] = {}
    for segment in path:
        times[segment.place] = times.get(segment.place, 0) + segment.length_ns
    return times
