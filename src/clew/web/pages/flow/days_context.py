"""Hours of the week, single orders, arrivals, work in progress."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import TypeVar
from zoneinfo import ZoneInfo

from clew.api.report_models import (
    ArrivalsModel,
    DayEndModel,
    DayModel,
    DotsModel,
    DottedOrderModel,
    HeatMapModel,
    WorkInProgressModel,
)
from clew.api.report_tables import DAYS
from clew.api.times import parse_moment
from clew.model.flow import Flow
from clew.report.declared import in_flow_order
from clew.web import words
from clew.web.pages.flow.filters_context import Filters
from clew.web.pages.flow.links import stage_column
from clew.web.pages.flow.table_context import Table, rows_of, table_of
from clew.web.pictures.axes import Unit
from clew.web.pictures.dots import DotPicture, dot_picture
from clew.web.pictures.heatmap import HeatPicture, heat_picture
from clew.web.pictures.series import Axis, Chart, Series, lines, stacked, time_axis

_MOST_SLOTS = 120
_TONES = 8
_LETTERS = 60
_DAY = timedelta(days=1)
_Day = TypeVar("_Day", DayModel, DayEndModel)


@dataclass(frozen=True, slots=True)
class HeatSide:
    """When ``orders`` orders entered each stage: the ``picture``, and where each stage's row leads (``hrefs``).
    ``told`` says which orders these are."""

    told: str
    orders: int
    picture: HeatPicture
    hrefs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HeatPage:
    """Entries by hour of the week as clocks in ``zone`` show it: ``filters``, one or two ``sides``, and a ``table``
    with a row for each stage and day; ``days`` are the days' names."""

    filters: Filters
    sides: tuple[HeatSide, ...]
    table: Table
    zone: str
    days: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DotSide:
    """``shown`` of ``orders`` orders with a mark for each of their visits (``picture``); ``hrefs`` are the orders'
    pages from top to bottom. ``told`` says which orders these are."""

    told: str
    orders: int
    shown: int
    picture: DotPicture
    hrefs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DotsPage:
    """The dotted chart: ``filters``, one or two ``sides``, their ``table``; ``spread``: orders of the whole range, not
    those that began last; ``most`` orders were asked for, ``numbers`` could be."""

    filters: Filters
    sides: tuple[DotSide, ...]
    table: Table
    spread: bool
    most: int
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class DaysSide:
    """Days as a ``chart`` (None: there is none); ``told`` says which orders these are, ``sums`` are figures with their
    names."""

    told: str
    chart: Chart | None
    sums: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class DaysPage:
    """Arrivals or work in progress: ``filters``, one or two ``sides``, their ``table``. ``slot`` is what one place of
    the picture is: a day, or several where the range is long; ``zone`` is whose days count."""

    filters: Filters
    sides: tuple[DaysSide, ...]
    table: Table
    slot: str
    zone: str


def heat_page(filters: Filters, found: HeatMapModel, flow: Flow | None) -> HeatPage:
    """The page of the hours of the week."""
    both = [(filters.told, found), *([(filters.against_told, found.against)] if found.against else [])]
    href = stage_column(flow, found.asked.flow, found.asked.path)["stage"]
    heads = [("stage", False), ("day", False), *((f"{hour:02d}", True) for hour in range(24))]
    rows = [
        [each.stage, day, *(f"{count:,}" if count else "" for count in each.hours[24 * n : 24 * n + 24])]
        for each in found.stages
        for n, day in enumerate(DAYS)
    ]
    return HeatPage(
        filters=filters,
        sides=tuple(
            HeatSide(
                told,
                each.orders,
                heat_picture([(stage.stage, stage.hours) for stage in each.stages]),
                tuple(href({"stage": stage.stage}) for stage in each.stages),
            )
            for told, each in both
        ),
        table=rows_of(f"Entries by hour of the week ({found.zone})", heads, rows, keys=2),
        zone=found.zone,
        days=DAYS,
    )


def dots_page(filters: Filters, found: DotsModel, flow: Flow | None, zone: ZoneInfo, most: int) -> DotsPage:
    """The page of the dotted chart."""
    both = [(filters.told, found), *([(filters.against_told, found.against)] if found.against else [])]
    stages = _stages_of([each for _, each in both], flow)
    heads = [("order", False), ("path", False), ("ended", False), ("stages", True), ("first", False), ("last", False)]
    rows = [
        [
            each.order_id, each.path, each.ended or "open", f"{len(each.visits):,}",
            words.clock(_ns(each.visits[0].at), zone), words.clock(_ns(each.visits[-1].at), zone),
        ]
        for _, side in both
        for each in side.rows
    ]  # fmt: skip
    return DotsPage(
        filters=filters,
        sides=tuple(_dots(told, each, stages, zone) for told, each in both),
        table=rows_of("Orders of the picture", heads, rows),
        spread=found.spread,
        most=most,
        numbers=(50, 100, 200, 500),
    )


def _stages_of(sides: Sequence[DotsModel], flow: Flow | None) -> list[str]:
    seen = dict.fromkeys(visit.stage for side in sides for row in side.rows for visit in row.visits)
    return in_flow_order(flow, seen)


def _dots(told: str, found: DotsModel, stages: Sequence[str], zone: ZoneInfo) -> DotSide:
    orders = [(_in_words(row), [(visit.stage, _ns(visit.at)) for visit in row.visits]) for row in found.rows]
    return DotSide(
        told=told,
        orders=found.orders,
        shown=len(orders),
        picture=dot_picture(orders, stages, zone),
        hrefs=tuple(words.order_href(row.order_id) for row in found.rows),
    )


def _in_words(row: DottedOrderModel) -> str:
    entered = words.counted(len(row.visits), "stage")
    return f"{row.order_id}: {entered}, last {row.visits[-1].stage}, {row.ended or 'open'}"


def _ns(at: str) -> int:
    return parse_moment(at, 0)


def arrivals_page(filters: Filters, found: ArrivalsModel, zone: ZoneInfo) -> DaysPage:
    """The page of arrivals and completions."""
    both = [(filters.told, found), *([(filters.against_told, found.against)] if found.against else [])]
    every = _every(max(len(each.days) for _, each in both))
    return DaysPage(
        filters=filters,
        sides=tuple(
            DaysSide(
                told,
                _arrivals_chart(each.days, zone, every),
                (
                    ("arrived", f"{each.arrived:,}"),
                    ("closed", f"{each.closed:,}"),
                    ("cancelled", f"{each.cancelled:,}"),
                ),
            )
            for told, each in both
        ),
        table=table_of("arrivals", found.model_dump(mode="json", by_alias=True), "Arrivals and completions by day"),
        slot=_slot(every),
        zone=found.zone,
    )


def _arrivals_chart(days: Sequence[DayModel], zone: ZoneInfo, every: int) -> Chart | None:
    slots = _slots(days, every)
    if not slots:
        return None
    tones = {"arrived": "c1", "closed": "c3", "cancelled": "c2"}
    counts: Mapping[str, Callable[[DayModel], int]] = {
        "arrived": lambda day: day.arrived, "closed": lambda day: day.closed, "cancelled": lambda day: day.cancelled,
    }  # fmt: skip
    series = [
        Series(name, tuple(float(sum(map(count, slot))) for slot in slots), tones[name])
        for name, count in counts.items()
    ]
    return lines("Arrivals and completions", _axis(slots, zone), series, Unit.COUNT, high=220.0)


def wip_page(filters: Filters, found: WorkInProgressModel, flow: Flow | None, zone: ZoneInfo) -> DaysPage:
    """The page of the work in progress."""
    both = [(filters.told, found), *([(filters.against_told, found.against)] if found.against else [])]
    every = _every(max(len(each.days) for _, each in both))
    heads = [("day", False), ("open", True), ("most of them in", False)]
    rows = [[f"{day.day}", f"{day.open:,}", _most(day)] for day in found.days]
    return DaysPage(
        filters=filters,
        sides=tuple(
            DaysSide(told, _wip_chart(each.days, flow, zone, every), _wip_sums(each.days)) for told, each in both
        ),
        table=rows_of("Open orders at the end of each day", heads, rows),
        slot=_slot(every),
        zone=found.zone,
    )


def _wip_sums(days: Sequence[DayEndModel]) -> tuple[tuple[str, str], ...]:
    if not days:
        return ()
    most = max(days, key=lambda day: day.open)
    return (("open at the end", f"{days[-1].open:,}"), (f"most, on {most.day}", f"{most.open:,}"))


def _most(day: DayEndModel) -> str:
    first = sorted(day.stages.items(), key=lambda each: (-each[1], each[0]))[:3]
    return ", ".join(f"{_cut(stage)} {count:,}" for stage, count in first)


def _cut(name: str) -> str:
    """A stage's name where it stands again and again."""
    return name if len(name) <= _LETTERS else name[: _LETTERS - 1] + "…"


def _wip_chart(days: Sequence[DayEndModel], flow: Flow | None, zone: ZoneInfo, every: int) -> Chart | None:
    slots = _slots(days, every)
    if not any(day.open for day in days):
        return None
    ends = [slot[-1] for slot in slots]
    sums: dict[str, int] = {}
    for day in ends:
        for stage, count in day.stages.items():
            sums[stage] = sums.get(stage, 0) + count
    largest = sorted(sums, key=lambda stage: (-sums[stage], stage))[: _TONES - 1]
    series = [
        Series(_cut(stage), tuple(float(day.stages.get(stage, 0)) for day in ends), f"c{number}")
        for number, stage in enumerate(in_flow_order(flow, largest), 1)
    ]
    others = tuple(float(day.open - sum(day.stages.get(stage, 0) for stage in largest)) for day in ends)
    if any(others):
        series.append(Series("other stages", others, "tone-none"))
    return stacked("Open orders at the end of each day", _axis(slots, zone), series, Unit.COUNT, high=220.0)


def _every(days: int) -> int:
    """How many days one place of a picture has, so that there aren't too many places."""
    return next((each for each in (1, 7, 28) if days <= each * _MOST_SLOTS), 56)


def _slot(every: int) -> str:
    return "a day" if every == 1 else "a week" if every == 7 else f"{every // 7} weeks"


def _slots(days: Sequence[_Day], every: int) -> list[Sequence[_Day]]:
    """Days in groups; those of several days end with the last day, so that the first one may be shorter."""
    rest: int = len(days) % every
    cuts = [0, *range(rest or every, len(days), every), len(days)]
    return [days[a:b] for a, b in pairwise(cuts) if a < b]


def _axis(slots: Sequence[Sequence[_Day]], zone: ZoneInfo) -> Axis:
    borders = [slot[0].day for slot in slots] + [slots[-1][-1].day + _DAY]
    axis = time_axis([_midnight(day, zone) for day in borders], zone, "day")
    labels = tuple(f"{slot[0].day}" if len(slot) == 1 else f"{slot[0].day} to {slot[-1].day}" for slot in slots)
    return Axis(axis.borders, labels, axis.ticks, axis.title, axis.borders_ns)


def _midnight(day: date, zone: ZoneInfo) -> int:
    local = datetime(day.year, day.month, day.day, tzinfo=zone)
    return int(local.astimezone(UTC).timestamp()) * 10**9
