"""The declared ways through a flow: what can follow what."""

from __future__ import annotations

from collections.abc import Iterable

from clew.model.flow import Flow


class Ways:
    """Answers questions on the directed graph that the stages' ``next`` lists make."""

    def __init__(self, flow: Flow) -> None:
        """Cheap: each reach is searched when first asked for, and remembered."""
        self._next: dict[str | None, tuple[str, ...]] = {stage.name: stage.next for stage in flow.stages}
        self._reach: dict[str, frozenset[str]] = {}

    def knows(self, stage: str) -> bool:
        """Whether the flow declares this stage."""
        return stage in self._next

    def declared(self, before: str | None, after: str) -> bool:
        """Whether the flow lets an order go straight from one stage to the other; from None it goes nowhere."""
        return after in self._next.get(before, ())

    def reach(self, start: str) -> frozenset[str]:
        """All stages that can follow this one, directly or not; itself only when it lies on a loop."""
        if start not in self._reach:
            self._reach[start] = frozenset(self._search(self._next.get(start, ())))
        return self._reach[start]

    def precedes(self, before: str, after: str) -> bool:
        """Whether the flow itself says which comes first: a way leads there and none leads back."""
        return after in self.reach(before) and before not in self.reach(after)

    def shortest(self, starts: Iterable[str], goal: str) -> tuple[str, ...] | None:
        """The stages on the shortest declared way, both ends included; ties by the order of ``next``.

        None when no way leads there.
        """
        came_from: dict[str, str | None] = dict.fromkeys(starts)
        queue = list(came_from)
        for here in queue:
            if here == goal:
                return _unwind(came_from, goal)
            for after in self._next.get(here, ()):
                if after not in came_from:
                    came_from[after] = here
                    queue.append(after)
        return None

    def _search(self, starts: Iterable[str]) -> set[str]:
        queue = list(starts)
        seen = set(queue)
        for here in queue:
            for after in self._next.get(here, ()):
                if after not in seen:
                    seen.add(after)
                    queue.append(after)
        return seen


def _unwind(came_from: dict[str, str | None], goal: str) -> tuple[str, ...]:
    way = []
    here: str | None = goal
    while here is not None:
        way.append(here)
        here = came_from[here]
    return tuple(reversed(way))
