"""What the address of the page asks for, and what was read of orders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from clew.model.flow import Flow
from clew.notify.figures import Figures
from clew.store.order_figures import StageTime
from clew.web.time_range import TimeRange


@dataclass(frozen=True, slots=True)
class Asked:
    """The range, the service (empty: all), the flow of the orders, the end of the range as it was asked for, and the
    viewer's zone."""

    range: TimeRange
    service: str
    flow: Flow
    to: str
    zone: ZoneInfo


@dataclass(frozen=True, slots=True)
class Orders:
    """What was read of orders, now and before: those closed in each slot, stage times, failed attempts by stage."""

    closed: tuple[Sequence[int], Sequence[int]]
    stages: tuple[Mapping[str, StageTime], Mapping[str, StageTime]]
    failed: tuple[Mapping[str, int], Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Handled:
    """How fast incidents were handled that were opened now and before."""

    now: Figures
    before: Figures
