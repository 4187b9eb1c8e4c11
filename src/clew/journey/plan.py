"""What the fold asks of a flow, looked up once for all orders that follow it."""

from __future__ import annotations

from collections.abc import Sequence

from clew.flow.graph import Ways
from clew.journey.deviations import Departure, departures_of
from clew.model.flow import Flow, Terminal
from clew.model.journey import Deviation, Milestone

_MOST_PLANS = 64
_MOST_WAYS, _LONGEST_WAY = 4_096, 64


class Plan:
    """A flow by what is asked of it. Its answers follow from the flow alone, so they may be remembered."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.ways = Ways(flow)
        self.position = {stage.name: index for index, stage in enumerate(flow.stages)}
        self.ends: dict[str, Terminal] = {stage.name: stage.terminal for stage in flow.stages if stage.terminal}
        self._departures: dict[tuple[str, tuple[str, ...]], tuple[Departure, ...]] = {}

    def deviations(self, milestones: Sequence[Milestone], path: str) -> tuple[Deviation, ...]:
        """Every deviation in journey order, accepted ones marked; an index points to the milestone it shows at."""
        departures = self._departures_of(path, tuple([milestone.stage for milestone in milestones]))
        return tuple([each.at(milestones[each.place].at_ns, self.flow) for each in departures]) if departures else ()

    def _departures_of(self, path: str, stages: tuple[str, ...]) -> tuple[Departure, ...]:
        """Most orders go one of few ways; long ones are as good as unique, and not kept."""
        known = self._departures.get((path, stages))
        if known is None:
            known = tuple(departures_of(stages, self.flow, self.ways, path))
            if len(stages) <= _LONGEST_WAY:
                if len(self._departures) >= _MOST_WAYS:
                    self._departures.clear()
                self._departures[path, stages] = known
        return known


_plans: dict[int, Plan] = {}


def plan_of(flow: Flow) -> Plan:
    """The plan of this very flow; the last few are kept, and keep their flows, so that no other can be at its place."""
    plan = _plans.get(id(flow))
    if plan is None:
        if len(_plans) >= _MOST_PLANS:
            _plans.clear()
        plan = _plans[id(flow)] = Plan(flow)
    return plan
