"""Reports as JSON. Lengths of time are seconds; a day is a date such as ``2026-11-22``."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from clew.api.times import moment, moment_or_none
from clew.report.filter import ReportFilter
from clew.report.variants import VariantOfOrder


class _Model(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class AskedModel(_Model):
    """Which orders the report counts; null and empty fields match everything."""

    flow: str
    from_at: str | None
    to_at: str | None
    path: str
    attributes: dict[str, str]
    flow_version: int | None
    by: str = Field(description="what lies in the range: an order's start, its end, or any visit (active)")


def asked_model(filter_: ReportFilter) -> AskedModel:
    """A filter as JSON."""
    return AskedModel(
        flow=filter_.flow,
        from_at=moment_or_none(filter_.from_ns),
        to_at=moment_or_none(filter_.to_ns),
        path=filter_.path,
        attributes=dict(filter_.attributes),
        flow_version=filter_.flow_version,
        by=filter_.by.value,
    )


class ReportModel(_Model):
    """What all reports have: what was asked. In ``against`` is the same report of what it is compared with."""

    asked: AskedModel


class MapEdgeModel(_Model):
    """One stage directly followed by another: how often, in how many orders, and the seconds between.

    ``deviation`` is how the flow in force sees the step, empty when it declares it.
    """

    from_: str = Field(validation_alias="before", serialization_alias="from")
    to: str = Field(validation_alias="after")
    count: int
    orders: int
    median: float
    p90: float
    p95: float
    mean: float
    deviation: str
    accepted: bool


class MapModel(ReportModel):
    """The process map; ``ends`` are last visits of ended orders and of ``open`` ones alike."""

    orders: int
    events: int
    open: int
    edges: list[MapEdgeModel]
    starts: dict[str, int]
    ends: dict[str, int]
    hidden_edges: int
    hidden_count: int
    against: MapModel | None = None


class VariantModel(_Model):
    """One sequence of stages; ``median_throughput`` is first to last visit, for orders that are open so far."""

    stages: list[str]
    orders: int
    share: float
    median_throughput: float
    closed: int
    open: int


class VariantsModel(ReportModel):
    """The most frequent variants first; ``happy_path`` is the most frequent one of closed orders."""

    orders: int
    variants_total: int
    happy_path: list[str] | None
    variants: list[VariantModel]
    against: VariantsModel | None = None


class OrderVariantModel(ReportModel):
    """The variant of one order; ``rank`` 1 is the most frequent, 0 when no counted order takes it."""

    order_id: str
    flow: str
    path: str
    stages: list[str]
    entered_at: list[str]
    ended: bool
    throughput: float
    orders: int
    share: float | None
    rank: int
    variants_total: int
    median_throughput: float | None
    happy_path: list[str] | None


def order_variant_model(found: VariantOfOrder, filter_: ReportFilter) -> OrderVariantModel:
    """The variant of an order as JSON."""
    entered_at = [moment(at_ns) for at_ns in found.at_ns]
    fields = {name: getattr(found, name) for name in OrderVariantModel.model_fields if hasattr(found, name)}
    return OrderVariantModel(**fields, entered_at=entered_at, asked=asked_model(filter_))


class StepModel(_Model):
    """One step: who doesn't reach the next has ``dropped`` (ended), is ``open``, or ``skipped`` to a later one."""

    stage: str
    reached: int
    share: float
    dropped: int
    open: int
    skipped: int
    median: float | None
    p90: float | None


class PathFunnelModel(_Model):
    """The funnel of one path; ``median`` and ``p90`` are seconds from the first step to the last."""

    path: str
    orders: int
    outside: int
    converted: int
    median: float | None
    p90: float | None
    steps: list[StepModel]


class FunnelModel(ReportModel):
    """A funnel for each path."""

    orders: int
    paths: list[PathFunnelModel]
    against: FunnelModel | None = None


class StageDwellModel(_Model):
    """The dwell in a stage: ``n`` are over, ``waiting`` aren't. ``thin``: fewer than 20 are over."""

    stage: str
    n: int
    waiting: int
    median: float | None
    p90: float | None
    p95: float | None
    p99: float | None
    thin: bool


class DwellModel(ReportModel):
    """Dwell quantiles with those counted that still wait; null where too many wait to tell."""

    orders: int
    estimator: str
    stages: list[StageDwellModel]
    against: DwellModel | None = None


class ThroughputModel(_Model):
    """First milestone to the end, of ``n`` orders; empty ``path`` and ``ended`` stand for all."""

    path: str
    ended: str
    n: int
    median: float
    p90: float
    p95: float
    p99: float
    mean: float
    thin: bool


class ThroughputsModel(ReportModel):
    """Throughput time of all finished orders, by kind of end, and by path and kind of end."""

    orders: int
    finished: int
    open: int
    groups: list[ThroughputModel]
    against: ThroughputsModel | None = None


class BinModel(_Model):
    """Orders that took from ``low`` to below ``high`` seconds (null: however long), by how they ended."""

    low: float
    high: float | None
    closed: int
    cancelled: int


class HistogramModel(ReportModel):
    """Finished orders by throughput time, in bins of ``width`` seconds; the last one has all that took longer."""

    finished: int
    width: float
    bins: list[BinModel]
    against: HistogramModel | None = None


class StageReworkModel(_Model):
    """Entries beyond the first into a stage: ``again`` in all, ``direct`` of them straight from the stage itself."""

    stage: str
    orders: int
    reworked: int
    share: float
    again: int
    direct: int
    most: int


class ReworkModel(ReportModel):
    """Orders that entered some stage again, and the stages where that happens."""

    orders: int
    reworked: int
    share: float | None
    again: int
    stages: list[StageReworkModel]
    against: ReworkModel | None = None


class StageHoursModel(_Model):
    """Entries into a stage by hour of the week: 168 counts, Monday 00:00 first."""

    stage: str
    entries: int
    hours: list[int]


class HeatMapModel(ReportModel):
    """Entries into stages by hour of the week, as clocks in ``zone`` show it."""

    orders: int
    zone: str
    stages: list[StageHoursModel]
    against: HeatMapModel | None = None


class DayModel(_Model):
    """One day's first visits and ends."""

    day: date
    arrived: int
    closed: int
    cancelled: int


class ArrivalsModel(ReportModel):
    """Arrivals and completions of every day."""

    zone: str
    arrived: int
    closed: int
    cancelled: int
    days: list[DayModel]
    against: ArrivalsModel | None = None


class DayEndModel(_Model):
    """Open orders when a day ended, in all and by stage: the 50 stages with the most, and ``others`` for the rest."""

    day: date
    open: int
    stages: dict[str, int]
    others: int


class WorkInProgressModel(ReportModel):
    """Open orders at the end of every day."""

    zone: str
    days: list[DayEndModel]
    against: WorkInProgressModel | None = None


class VisitModel(_Model):
    """An order entered a stage."""

    stage: str
    at: Annotated[str, BeforeValidator(moment)] = Field(validation_alias="at_ns")


class DottedOrderModel(_Model):
    """One order with its visits; ``ended`` is empty where it hasn't ended."""

    order_id: str
    path: str
    ended: str
    visits: list[VisitModel]


class DotsModel(ReportModel):
    """Some of ``orders`` orders, the one that began last first; ``spread``: they are chosen from all alike."""

    orders: int
    spread: bool
    rows: list[DottedOrderModel]
    against: DotsModel | None = None


class TakenModel(_Model):
    """An order took the step ``dwell`` seconds after it had entered the stage before."""

    order_id: str
    path: str
    ended: str
    dwell: float
    at: Annotated[str, BeforeValidator(moment)] = Field(validation_alias="at_ns")


class StepOrdersModel(ReportModel):
    """The slowest times that a step was taken, of ``count`` in ``orders`` orders."""

    before: str
    after: str
    count: int
    orders: int
    taken: list[TakenModel]
    against: StepOrdersModel | None = None


class DeviationCountModel(_Model):
    """How often one deviation occurs: in orders, in those of them that ended, and in all."""

    kind: str
    stage: str
    orders: int
    completed: int
    count: int


class ConformanceModel(ReportModel):
    """Completed orders are conforming or deviating; incomplete ones are apart, and so is what the flow accepts."""

    orders: int
    completed: int
    conforming: int
    deviating: int
    rate: float | None
    incomplete: int
    incomplete_deviating: int
    with_accepted: int
    undeclared: int
    deviations: list[DeviationCountModel]
    accepted: list[DeviationCountModel]
    against: ConformanceModel | None = None
