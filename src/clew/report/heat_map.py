"""The heat map: at which hours of the week orders enter each stage."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from clew.model.flow import Flow
from clew.report.declared import in_flow_order
from clew.report.filter import ReportFilter
from clew.report.query import read_rows
from clew.store.contract import Store

HOURS = 168


@dataclass(frozen=True, slots=True)
class StageHours:
    """Entries into a stage: 168 counts from Monday 00:00 on; a clock change makes one of them longer or shorter."""

    stage: str
    entries: int
    hours: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class HeatMap:
    """Entries by stage and hour of the week, as clocks in ``zone`` show it."""

    orders: int
    zone: str
    stages: tuple[StageHours, ...]


def heat_map(store: Store, filter_: ReportFilter, zone: str = "UTC", flow: Flow | None = None) -> HeatMap:
    """When in the week the visits of the picked orders began: counts by stage and hour, Monday first.

    ``zone`` is a name of the time zone database; the caller makes sure that it is one.
    """
    counts: dict[str, list[int]] = defaultdict(lambda: [0] * HOURS)
    rows = sorted(read_rows(store, "heat_map", filter_, {"zone": zone}), key=lambda each: str(each["stage"]))
    for row in rows:
        counts[row["stage"]][int(row["hour"])] = int(row["entries"])
    return HeatMap(
        orders=sum(int(row["orders"]) for row in rows),
        zone=zone,
        stages=tuple(
            StageHours(stage, sum(counts[stage]), tuple(counts[stage])) for stage in in_flow_order(flow, counts)
        ),
    )
