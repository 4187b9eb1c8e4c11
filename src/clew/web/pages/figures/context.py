"""The context of the page of key figures; built from what was read, without reading anything itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from clew.model.flow import Flow
from clew.report.declared import in_flow_order
from clew.store.minutes import REQUESTS, Window
from clew.store.order_figures import StageTime
from clew.web.pages.figures.asked import Asked, Handled, Orders
from clew.web.pages.figures.measures import MEASURES, Measure, Minutes, Value, change, total
from clew.web.pictures.axes import Unit, written
from clew.web.pictures.series import Chart, Series, Spark, lines, sparkline, stacked, time_axis
from clew.web.time_range import CHOICES
from clew.web.words import iso

_DAY_NS = 86_400 * 10**9
THIN = 20
"""With fewer visits than this, the quantiles of a stage say little."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One key figure.

    ``key`` names it in the page, ``title`` is its name, ``value`` the figure in words, ``said`` its definition. ``was``
    is what it was before (empty: no data), ``change`` how that differs, ``tone`` whether that is better, worse, alike
    or none. ``spark`` is its course, ``href`` leads to the spans behind it (empty: none), ``thin`` says of how little
    it tells (empty: enough). ``empty``: there is no data now.
    """

    key: str
    title: str
    value: str
    said: str
    was: str
    change: str
    tone: str
    spark: Spark
    href: str
    thin: str
    empty: bool


@dataclass(frozen=True, slots=True)
class StageLine:
    """A ``stage``: ``n`` visits of it ended, and lasted ``median_ns`` and ``p95_ns`` (None: none ended); before it was
    ``was_median_ns``. ``thin``: too few visits to rely on. ``failed`` attempts were told now, ``was_failed`` before.
    ``href`` lists the orders in it."""

    stage: str
    n: int
    median_ns: int | None
    p95_ns: int | None
    was_median_ns: int | None
    thin: bool
    failed: int
    was_failed: int
    href: str


@dataclass(frozen=True, slots=True)
class IncidentTime:
    """How fast incidents are handled: ``name`` and what it measures in words (``said``), over ``n`` incidents
    ``median_ns`` and ``p90_ns`` (None: of none); before it was ``was_ns`` (None: of none)."""

    name: str
    said: str
    n: int
    median_ns: int | None
    p90_ns: int | None
    was_ns: int | None


@dataclass(frozen=True, slots=True)
class FiguresPage:
    """Key figures.

    ``service`` is the one that counts (empty: all), ``services`` those to choose from, ``flow`` the flow of the orders
    and ``flows`` those to choose from. ``range`` is the chosen one of ``ranges`` (name, label), from ``from_ns`` to
    ``to_ns`` (Unix ns); ``to`` is its end as it was asked for (empty: now). ``compared`` says in words what it is
    compared with, ``had_before`` whether there was any data then. ``figures`` are those of requests and of orders,
    ``stages`` the lines of the table; ``requests`` and ``latency`` are charts. ``incidents`` are how fast those that
    were opened in this time are handled (none: nobody watches). ``empty``: no span is known at all.
    """

    service: str
    services: tuple[str, ...]
    flow: str
    flows: tuple[str, ...]
    range: str
    ranges: tuple[tuple[str, str], ...]
    from_ns: int
    to_ns: int
    to: str
    compared: str
    had_before: bool
    figures: tuple[Figure, ...]
    stages: tuple[StageLine, ...]
    requests: Chart
    latency: Chart
    incidents: tuple[IncidentTime, ...]
    empty: bool


def figures_page(
    asked: Asked,
    now: Minutes,
    before: Minutes,
    orders: Orders,
    handled: Handled | None,
    services: Sequence[str],
    flows: Sequence[str],
) -> FiguresPage:
    """The page of what was counted now and before."""
    window = asked.range.window
    return FiguresPage(
        service=asked.service,
        services=tuple(services),
        flow=asked.flow.name,
        flows=tuple(flows),
        range=asked.range.name,
        ranges=CHOICES,
        from_ns=window.since_ns,
        to_ns=window.until_ns,
        to=asked.to,
        compared=asked.range.compared,
        had_before=any(before.counts) or any(orders.closed[1]) or bool(orders.stages[1]),
        figures=(*(_figure(each, now, before, asked) for each in MEASURES), _closed(orders, window)),
        stages=tuple(_stages(asked.flow, orders)),
        requests=_requests(now, asked.zone),
        latency=_latency(now, asked.zone),
        incidents=tuple(_incident_times(handled)) if handled else (),
        empty=not any(now.counts) and not any(before.counts) and not services,
    )


def _incident_times(handled: Handled) -> Iterator[IncidentTime]:
    """MTTR first: it is what people ask for."""
    told = (
        ("Time to resolve (MTTR)", "from an incident's alert to its resolution", attrgetter("resolve")),
        ("Time to acknowledge (MTTA)", "from its alert to somebody's acknowledgement", attrgetter("acknowledge")),
        ("Time to find (MTTD)", "from when it began to hold to its alert", attrgetter("detect")),
    )
    for name, said, of in told:
        now, before = of(handled.now), of(handled.before)
        yield IncidentTime(name, said, now.n, now.median_ns, now.p90_ns, before.median_ns)


def _figure(measure: Measure, now: Minutes, before: Minutes, asked: Asked) -> Figure:
    value, was = measure.whole(now), measure.whole(before)
    course, earlier = measure.by_slot(now), measure.by_slot(before)
    return _told(measure, value, was, sparkline(course, measure.unit, earlier), _href(measure, value, asked))


def _told(measure: Measure, value: Value, was: Value, spark: Spark, href: str) -> Figure:
    changed = change(measure, value, was)
    few = measure.unit in (Unit.SHARE, Unit.LENGTH) and 0 < value.n < THIN
    return Figure(
        key=measure.key,
        title=measure.title,
        value="no data" if value.value is None else written(value.value, measure.unit),
        said=measure.said,
        was="" if was.value is None else written(was.value, measure.unit),
        change=changed.text,
        tone=changed.tone,
        spark=spark,
        href=href if value.value else "",
        thin=f"of {value.n} only" if few else "",
        empty=value.value is None,
    )


def _href(measure: Measure, value: Value, asked: Asked) -> str:
    """The search for the spans behind a figure, worst first where there is a worst."""
    wanted = {
        "success": [("kind", "server"), ("status", "error")],
        "http_500": [("kind", "server"), ("attribute", "http.response.status_code=500")],
        "p95": [("kind", "server"), ("min_duration", f"{round(value.value or 0)}ns")],
        "p99": [("kind", "server"), ("min_duration", f"{round(value.value or 0)}ns")],
        "retries": [("retries", "1")],
        "timeouts": [("timeout", "true")],
    }.get(measure.key)
    if wanted is None:
        return ""
    window = asked.range.window
    when = [("since", iso(window.since_ns)), ("until", iso(window.until_ns))]
    service = [("service", asked.service)] if asked.service else []
    return "/traces?" + urlencode([("by", "span"), *wanted, *service, *when])


def _closed(orders: Orders, window: Window) -> Figure:
    """Orders that ended, a day."""
    days = window.slots * window.step_ns / _DAY_NS
    now, before = orders.closed
    whole, unit = days < 1, Unit.COUNT if days < 1 else Unit.NUMBER
    measure = Measure(
        "closed",
        "Orders closed" if whole else "Orders closed a day",
        unit,
        1,
        "orders that came to a good end; cancelled ones don't count",
        lambda *_: Value(None),
    )

    def value(slots: Sequence[int], known: bool) -> Value:
        number = sum(slots)
        return Value(number if whole else number / days, number, number) if known else Value(None)

    spark = sparkline([float(each) for each in now], Unit.COUNT, [float(each) for each in before])
    known = bool(orders.stages[0]) or any(now), bool(orders.stages[1]) or any(before)
    return _told(measure, value(now, known[0]), value(before, known[1]), spark, "")


def _stages(flow: Flow, orders: Orders) -> list[StageLine]:
    times, were = orders.stages
    failed, had_failed = orders.failed
    told = {**times, **were, **failed, **had_failed}
    return [_stage(name, flow.name, times.get(name), were.get(name), failed.get(name, 0), had_failed.get(name, 0))
            for name in in_flow_order(flow, told)]  # fmt: skip


def _stage(
    name: str, flow: str, now: StageTime | None, before: StageTime | None, failed: int, had_failed: int
) -> StageLine:
    return StageLine(
        stage=name,
        n=now.n if now else 0,
        median_ns=now.median_ns if now else None,
        p95_ns=now.p95_ns if now else None,
        was_median_ns=before.median_ns if before else None,
        thin=bool(now) and now.n < THIN if now else False,
        failed=failed,
        was_failed=had_failed,
        href="/?" + urlencode([("flow", flow), ("stage", name)]),
    )


def _requests(now: Minutes, zone: ZoneInfo) -> Chart:
    counts = [total([slot], REQUESTS) for slot in now.counts]
    return stacked(
        "Requests",
        time_axis(_borders(now.window), zone),
        [
            Series("without error", tuple(each.spans - each.errors or None for each in counts), "c1"),
            Series("with error", tuple(each.errors or None for each in counts), "tone-bad"),
        ],
        Unit.COUNT,
    )


def _latency(now: Minutes, zone: ZoneInfo) -> Chart:
    chosen = [each for each in MEASURES if each.level is not None]
    series = [
        Series(each.key, tuple(each.by_slot(now)), tone) for each, tone in zip(chosen, ("c1", "c2", "c3"), strict=True)
    ]
    return lines("Latency of requests", time_axis(_borders(now.window), zone), series, Unit.LENGTH)


def _borders(window: Window) -> list[int]:
    return [window.since_ns + slot * window.step_ns for slot in range(window.slots + 1)]
