"""Dwell, throughput time, remaining time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from clew.api.learn_models import RemainingModel, RemainingsModel
from clew.api.report_models import DwellModel, HistogramModel, StageDwellModel, ThroughputModel, ThroughputsModel
from clew.model.flow import ANY_PATH, Flow
from clew.web import words
from clew.web.pages.flow.filters_context import Filters
from clew.web.pages.flow.links import stage_column
from clew.web.pages.flow.table_context import Table, rows_of, table_of
from clew.web.pages.flow.ways_context import ns
from clew.web.pictures.axes import Tick, Unit
from clew.web.pictures.ranges import Ranges, ranges
from clew.web.pictures.series import Chart, Series, name_axis, stacked


@dataclass(frozen=True, slots=True)
class DwellRow:
    """A ``stage`` that ``n`` visits left and in which ``waiting`` orders still are; ``thin``: too few left it to rely
    on the quantiles. ``href`` lists the orders in it, ``owner`` has them there (empty: not declared)."""

    stage: str
    n: int
    waiting: int
    thin: bool
    href: str
    owner: str


@dataclass(frozen=True, slots=True)
class DwellSide:
    """Dwell of ``orders`` orders: ``rows`` in the flow's order beside their marks in ``picture``. ``told`` says which
    orders these are."""

    told: str
    orders: int
    rows: tuple[DwellRow, ...]
    picture: Ranges


@dataclass(frozen=True, slots=True)
class DwellPage:
    """Dwell: its ``filters``, one or two ``sides``, their ``table``, and how quantiles were estimated (``estimator``).
    ``limits`` says whether the flow's limits are among the marks."""

    filters: Filters
    sides: tuple[DwellSide, ...]
    table: Table
    estimator: str
    limits: bool


@dataclass(frozen=True, slots=True)
class ThroughputSide:
    """Throughput time of orders of which ``finished`` have ended and ``open`` haven't; ``told`` says which these are.

    ``median_ns``, ``p90_ns``, ``p95_ns`` and ``p99_ns`` are quantiles of all that ended (None: none has), ``thin`` says
    that they are few, ``chart`` how many took how long (None: none ended).
    """

    told: str
    finished: int
    open: int
    median_ns: int | None
    p90_ns: int | None
    p95_ns: int | None
    p99_ns: int | None
    thin: bool
    chart: Chart | None


@dataclass(frozen=True, slots=True)
class ThroughputPage:
    """Throughput time: its ``filters``, one or two ``sides``, the ``table`` by path and kind of end, and the address of
    the histogram as CSV (``bins_csv``)."""

    filters: Filters
    sides: tuple[ThroughputSide, ...]
    table: Table
    bins_csv: str


@dataclass(frozen=True, slots=True)
class RemainingPath:
    """Remaining times of the orders of one ``path`` (empty: of all): the ``picture`` with a row for each stage, and how
    many orders each row tells of (``counts``)."""

    path: str
    picture: Ranges
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class RemainingPage:
    """Remaining times by path (``parts``), with their ``filters`` and ``table``."""

    filters: Filters
    parts: tuple[RemainingPath, ...]
    table: Table


def dwell_page(filters: Filters, found: DwellModel, flow: Flow | None) -> DwellPage:
    """The page of the dwell in each stage."""
    sides = [(filters.told, found), *([(filters.against_told, found.against)] if found.against else [])]
    hrefs = stage_column(flow, found.asked.flow, found.asked.path)
    return DwellPage(
        filters=filters,
        sides=tuple(_dwell(told, each, found.against if each is found else found, flow) for told, each in sides),
        table=table_of("dwell", found.model_dump(mode="json", by_alias=True), "Dwell in each stage", hrefs),
        estimator=found.estimator,
        limits=any(_limit(flow, each.stage, found.asked.path) for each in found.stages),
    )


def _dwell(told: str, found: DwellModel, beside: DwellModel | None, flow: Flow | None) -> DwellSide:
    href = stage_column(flow, found.asked.flow, found.asked.path)["stage"]
    rows = tuple(
        DwellRow(each.stage, each.n, each.waiting, each.thin, href({"stage": each.stage}), _owner(flow, each.stage))
        for each in found.stages
    )
    picture = ranges(_marks_of(found, flow), _marks_of(beside, flow) if beside else ())
    return DwellSide(told, found.orders, rows, picture)


def _marks_of(found: DwellModel, flow: Flow | None) -> list[tuple[str, dict[str, int | None]]]:
    return [(each.stage, _marks(each, _limit(flow, each.stage, found.asked.path))) for each in found.stages]


def _marks(found: StageDwellModel, limit_ns: int | None) -> dict[str, int | None]:
    quantiles = {"median": found.median, "p90": found.p90, "p95": found.p95, "p99": found.p99}
    return {**{kind: ns(value) for kind, value in quantiles.items()}, **({"limit": limit_ns} if limit_ns else {})}


def _limit(flow: Flow | None, name: str, path: str) -> int | None:
    """The limit that holds for all orders that count: that of their path, or the one for any path."""
    stage = flow.stage(name) if flow else None
    limit = stage.limit(path or ANY_PATH) if stage else None
    return limit.allowed_ns if limit else None


def _owner(flow: Flow | None, name: str) -> str:
    stage = flow.stage(name) if flow else None
    return (stage.owner or stage.service) if stage else ""


def throughput_page(filters: Filters, found: ThroughputsModel, bins: HistogramModel, bins_csv: str) -> ThroughputPage:
    """The page of throughput times."""
    number = max(len(bins.bins), len(bins.against.bins) if bins.against else 0)
    sides = [_throughput(filters.told, found, bins, number)]
    if found.against and bins.against:
        sides.append(_throughput(filters.against_told, found.against, bins.against, number))
    table = table_of("throughput", _named_paths(found), "Throughput time by path and kind of end")
    return ThroughputPage(filters, tuple(sides), table, bins_csv)


def _named_paths(found: ThroughputsModel) -> dict[str, object]:
    report = found.model_dump(mode="json", by_alias=True)
    for side in (report, report["against"] or {}):
        for group in side.get("groups", ()):
            group |= {"path": group["path"] or "all", "ended": group["ended"] or "all"}
    return report


def _throughput(told: str, found: ThroughputsModel, bins: HistogramModel, number: int) -> ThroughputSide:
    whole: ThroughputModel | None = found.groups[0] if found.groups else None
    return ThroughputSide(
        told=told,
        finished=found.finished,
        open=found.open,
        median_ns=ns(whole.median) if whole else None,
        p90_ns=ns(whole.p90) if whole else None,
        p95_ns=ns(whole.p95) if whole else None,
        p99_ns=ns(whole.p99) if whole else None,
        thin=bool(whole and whole.thin),
        chart=_chart(bins, number) if bins.bins else None,
    )


def _chart(found: HistogramModel, number: int) -> Chart:
    """A histogram of so many bins, empty ones at its end."""
    rest = number - len(found.bins)
    labels = [
        f"{_span(each.low)} to {_span(each.high)}" if each.high is not None else f"{_span(each.low)} or longer"
        for each in found.bins
    ]
    labels += [f"from {_span((len(found.bins) + each) * found.width)}" for each in range(rest)]
    axis = name_axis(labels, "throughput time")
    every = -(-number // 8)
    ticks = tuple(Tick(at / number, _span(at * found.width)) for at in range(0, number, every))
    none = (0.0,) * rest
    series = [Series("closed", tuple(float(each.closed) for each in found.bins) + none, "c1")]
    if any(each.cancelled for each in found.bins):
        series.append(Series("cancelled", tuple(float(each.cancelled) for each in found.bins) + none, "c2"))
    title = "How many orders took how long"
    return stacked(title, replace(axis, ticks=ticks), series, Unit.COUNT, high=180.0)


def _span(length_s: float) -> str:
    return words.spell(round(length_s * 1e9))


def remaining_page(filters: Filters, found: RemainingsModel) -> RemainingPage:
    """The page of remaining times; all paths together first."""
    paths = sorted({each.path for each in found.stages})
    heads = [("path", False), ("stage", False), ("orders", True), ("median", True), ("p90", True)]
    rows = [
        [each.path or "all", each.stage, f"{each.n:,}", _span(each.median_s), _span(each.p90_s)]
        for each in found.stages
    ]
    return RemainingPage(
        filters=filters,
        parts=tuple(_remaining(path, [each for each in found.stages if each.path == path]) for path in paths),
        table=rows_of("Remaining time by path and stage", heads, rows, keys=2),
    )


def _remaining(path: str, stages: Sequence[RemainingModel]) -> RemainingPath:
    rows = [
        (each.stage, {"median": ns(each.median_s), "p90": ns(each.p90_s), "p95": ns(each.quantiles_s[19])})
        for each in stages
    ]
    return RemainingPath(path, ranges(rows), tuple(each.n for each in stages))
