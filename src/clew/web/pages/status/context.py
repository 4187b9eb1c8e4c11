"""The context of the page about Clew itself, made of what the API tells and of the latest samples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from clew.api.status import StatusModel, WatchingModel
from clew.api.times import parse_moment
from clew.store.imports import Import
from clew.web.pages.status.recent import Sample, levels, rates
from clew.web.pictures.axes import Unit, written
from clew.web.pictures.series import Spark, sparkline

LATE_NS = 15 * 10**9
"""Journeys that are further behind than this are said to be late; a quiet Clew looks every five seconds."""


@dataclass(frozen=True, slots=True)
class Gauge:
    """A figure that moves: ``key`` names it in the page, ``title`` and ``value`` are shown with a ``note``, ``spark``
    is the course of the last five minutes."""

    key: str
    title: str
    value: str
    note: str
    spark: Spark


@dataclass(frozen=True, slots=True)
class TableLine:
    """A table of the store by ``name``, what it ``holds`` in plain words, its ``rows``, its ``bytes`` on disk, and
    these as a ``share`` of the largest."""

    name: str
    holds: str
    rows: int
    bytes: int
    share: float


@dataclass(frozen=True, slots=True)
class FlowLine:
    """A flow in force: its ``name``, ``version``, how often it was applied (``revision``) and its ``stages``."""

    name: str
    version: int
    revision: int
    stages: int


@dataclass(frozen=True, slots=True)
class ImportLine:
    """An import under way: its ``name`` and ``flow``, ``rebuilt`` of about ``orders`` orders, when that was last noted
    (``noted_ns``, Unix ns), and the ``share`` that is done (None: not counted yet)."""

    name: str
    flow: str
    rebuilt: int
    orders: int
    noted_ns: int
    share: float | None


@dataclass(frozen=True, slots=True)
class SenderLine:
    """What a ``service`` sent in 24 hours: ``spans`` and of these those ``with_order``, ``logs``, ``stage_events``; it
    was last seen at ``seen_ns`` (Unix ns)."""

    service: str
    spans: int
    with_order: int
    logs: int
    stage_events: int
    seen_ns: int


@dataclass(frozen=True, slots=True)
class UnknownLine:
    """A ``stage`` that the ``flow`` doesn't know, through which so many open ``orders`` came; ``services`` said it."""

    flow: str
    stage: str
    orders: int
    services: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Trouble:
    """What doesn't work: its ``name``, and ``why``."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class WatchingPart:
    """How watching and telling do: how many ``rules`` and ``channels`` there are, ``failing`` rules that can't look and
    channels in ``troubles``, so many notices ``waiting`` to be told (None: it can't be known). ``heartbeat`` is why the
    external switch isn't told (empty: it is, None: there is none), ``stopped_by`` who stopped all reactions (empty:
    nobody), ``waits`` which rules wait for what was held back while Clew was down (empty: none does). ``unwatched`` is
    why no rule looks at all, ``untold`` why nobody is told of anything (empty: that isn't so)."""

    rules: int
    channels: int
    failing: tuple[Trouble, ...]
    troubles: tuple[Trouble, ...]
    waiting: int | None
    heartbeat: str | None
    stopped_by: str
    waits: str
    unwatched: str
    untold: str


@dataclass(frozen=True, slots=True)
class StatusPage:
    """How Clew does.

    ``problems`` say what isn't well, in words (none: all is), ``late`` that journeys are behind all the same, ``known``
    whether this process takes telemetry and makes journeys, so that it can tell. ``version``, ``engine`` and ``python``
    are versions, ``started_ns`` is when it started (Unix ns), ``uptime_ns`` how long ago. ``receiving`` is whether it
    takes telemetry here; ``gauges`` move, ``refused`` requests are those since the start. ``tables``, ``flows``,
    ``imports``, ``senders`` and ``unknown`` stages are lists; ``rows`` and ``bytes`` sums of the tables;
    ``without_stage`` open orders of which no stage is known. ``watching`` is how rules do (None: none here).
    """

    problems: tuple[str, ...]
    late: bool
    known: bool
    version: str
    engine: str
    python: str
    started_ns: int
    uptime_ns: int
    receiving: bool
    gauges: tuple[Gauge, ...]
    refused: int
    tables: tuple[TableLine, ...]
    rows: int
    bytes: int
    flows: tuple[FlowLine, ...]
    imports: tuple[ImportLine, ...]
    senders: tuple[SenderLine, ...]
    unknown: tuple[UnknownLine, ...]
    without_stage: int
    watching: WatchingPart | None


_HOLDS = {
    "spans": "spans with their attributes, events and links",
    "logs": "log records",
    "origins": "where spans and logs come from",
    "order_events": "stage events, from which journeys are made",
    "order_touch": "which orders were touched lately",
    "orders": "one row an order: its journey as it is",
    "trace_orders": "what belongs to what: orders, traces, other ids",
    "hops": "both ends of messages",
    "hop_losses": "messages said to be lost",
    "span_minutes": "spans by the minute, for key figures",
    "flows": "flows that were applied",
    "imports": "imported history",
    "marks": "how far Clew has read",
    "views": "saved views",
}


def status_page(
    status: StatusModel, samples: Sequence[Sample], imports: Sequence[Import], started_ns: int, now_ns: int
) -> StatusPage:
    """The page of what the API tells."""
    lag_ns = round(status.ticker.lag_s * 1e9) if status.ticker else 0
    largest = max((table.bytes for table in status.tables), default=1) or 1
    tables = sorted(status.tables, key=lambda table: (-table.bytes, table.name))
    return StatusPage(
        problems=tuple(each for each in (status.problem, status.upkeep_problem) if each),
        late=lag_ns > LATE_NS,
        known=status.ingest is not None and status.ticker is not None,
        version=status.version,
        engine=status.engine,
        python=status.python,
        started_ns=started_ns,
        uptime_ns=max(0, now_ns - started_ns),
        receiving=status.ingest is not None,
        gauges=tuple(_gauges(status, samples, lag_ns, now_ns)),
        refused=status.ingest.refused if status.ingest else 0,
        tables=tuple(
            TableLine(each.name, _HOLDS.get(each.name, ""), each.rows, each.bytes, each.bytes / largest)
            for each in tables
        ),
        rows=sum(each.rows for each in tables),
        bytes=sum(each.bytes for each in tables),
        flows=tuple(FlowLine(each.name, each.version, each.revision, len(each.stages)) for each in status.flows),
        imports=tuple(_import(each) for each in imports),
        senders=tuple(
            SenderLine(
                name, each.spans, each.spans_with_order, each.logs, each.stage_events,
                parse_moment(each.last_seen_at, now_ns),
            )
            for name, each in status.services.items()
        ),
        unknown=tuple(
            UnknownLine(each.flow, each.stage, each.orders, tuple(each.services)) for each in status.unknown_stages
        ),
        without_stage=status.orders_without_stage,
        watching=_watching(status.watching) if status.watching else None,
    )  # fmt: skip


def _watching(told: WatchingModel) -> WatchingPart:
    return WatchingPart(
        rules=told.rules,
        channels=told.channels,
        failing=tuple(Trouble(name, why) for name, why in sorted(told.failing.items())),
        troubles=tuple(Trouble(name, why) for name, why in sorted(told.troubles.items())),
        waiting=told.waiting,
        heartbeat=told.heartbeat,
        stopped_by=told.reactions_stopped_by or "",
        waits=told.catching_up or "",
        unwatched=told.unwatched or "",
        untold=told.untold or "",
    )


def _import(found: Import) -> ImportLine:
    share = min(1.0, found.rebuilt / found.orders) if found.orders else None
    return ImportLine(found.name, found.flow, found.rebuilt, found.orders, found.written_ns, share)


def _gauges(status: StatusModel, samples: Sequence[Sample], lag_ns: int, now_ns: int) -> list[Gauge]:
    """The figures that move; those of the receiver only where there is one."""
    made = []
    if ingest := status.ingest:
        made += [
            _rate("requests", "Requests received", f"{ingest.requests:,} since the start", samples,
                  lambda each: each.requests, Unit.NUMBER, now_ns),
            _rate("bytes", "Bytes received", f"{written(ingest.bytes, Unit.SIZE)} since the start", samples,
                  lambda each: each.bytes, Unit.SIZE, now_ns),
            _rate("refused", "Requests refused", f"{ingest.refused:,} since the start", samples,
                  lambda each: each.refused, Unit.NUMBER, now_ns),
            Gauge("waiting", "Waiting to be stored", written(ingest.waiting_bytes, Unit.SIZE),
                  f"at most {written(ingest.waiting_bytes_peak, Unit.SIZE)} so far",
                  sparkline(levels(samples, lambda each: each.waiting, now_ns), Unit.SIZE)),
        ]  # fmt: skip
    if ticker := status.ticker:
        made += [
            _rate("orders", "Journeys brought up to date", f"{ticker.orders:,} in {ticker.ticks:,} ticks", samples,
                  lambda each: each.orders, Unit.NUMBER, now_ns),
            Gauge("lag", "Delay of journeys", written(lag_ns, Unit.LENGTH),
                  "what arrived before that is in the journeys",
                  sparkline(levels(samples, lambda each: each.lag_ns, now_ns), Unit.LENGTH)),
        ]  # fmt: skip
    return made


def _rate(
    key: str, title: str, note: str, samples: Sequence[Sample], read: Callable[[Sample], int], unit: Unit, now_ns: int
) -> Gauge:
    course = rates(samples, read, now_ns)
    known = [each for each in course if each is not None]
    value = f"{written(known[-1], unit)}/s" if known else "no data"
    return Gauge(key, title, value, note, sparkline(course, unit))
