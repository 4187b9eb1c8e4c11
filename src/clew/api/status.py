"""Routes: whether Clew lives, whether it is ready, and how it does."""

from __future__ import annotations

import contextlib
import platform

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel

from clew import __version__
from clew.api.deps import ApiDeps, Intake
from clew.api.errors import RESPONSES, ApiError, ErrorAnswer
from clew.api.flows import FlowSummaryModel, flow_summary
from clew.api.times import moment, seconds
from clew.journey.ticker import Ticker
from clew.model.errors import ClewError, ControlError
from clew.store.contract import Store
from clew.watch.desk import Desk

_DAY_NS = 86_400 * 10**9


class IngestModel(BaseModel):
    """What the receiver did since the start; sizes are bytes."""

    requests: int
    refused: int
    bytes: int
    flushes: int
    busy_s: float
    waiting_bytes: int
    waiting_bytes_peak: int


class TickerModel(BaseModel):
    """What the ticker did since the start. ``lag_s``: what arrived before that is in the journeys."""

    ticks: int
    orders: int
    busy_s: float
    lag_s: float


class TableModel(BaseModel):
    """A table's rows and its bytes on disk."""

    name: str
    rows: int
    bytes: int


class ServiceTelemetryModel(BaseModel):
    """What a service sent in the last 24 hours, and how much of it names an order.

    ``logs`` counts log records, ``stage_events`` those facts of orders that it told, by whatever signal.
    """

    spans: int
    spans_with_order: int
    logs: int
    stage_events: int
    last_seen_at: str


class UnknownStageModel(BaseModel):
    """A stage that a declared flow doesn't know: how many open orders came through it, and which services said so in
    the last 24 hours.
    """

    flow: str
    stage: str
    orders: int
    services: list[str]


class WatchingModel(BaseModel):
    """What watches: how many ``rules``, and how many ``channels`` are told. ``failing`` are rules that can't look and
    ``troubles`` channels that couldn't be told lately, each with why. ``waiting`` counts notices yet to be told (null:
    the control database can't be read). ``heartbeat`` is why the external switch isn't told (empty: it is, null: there
    is none). ``reactions_stopped_by`` is who set the stop switch (null: nobody, or there are none). ``catching_up``
    tells that some rules wait for what services held back while Clew was down, which is no trouble (null: none does).
    ``unwatched`` is why no rule looks at all, ``untold`` why nobody is told of anything (null: that isn't so).
    """

    rules: int
    channels: int
    troubles: dict[str, str]
    reactions_stopped_by: str | None
    failing: dict[str, str] = {}
    waiting: int | None = None
    heartbeat: str | None = None
    catching_up: str | None = None
    unwatched: str | None = None
    untold: str | None = None


class StatusModel(BaseModel):
    """How Clew does. ``ingest``, ``ticker`` and ``watching`` are null when the API runs without them.

    ``problem`` says why journeys and losses are not up to date, ``upkeep_problem`` why projections, key figures and
    imported history aren't; null when they are.
    ``unknown_stages`` are the twenty with the most open orders.
    """

    version: str
    python: str
    engine: str
    started_at: str
    now: str
    problem: str | None
    upkeep_problem: str | None
    ingest: IngestModel | None
    ticker: TickerModel | None
    flows: list[FlowSummaryModel]
    tables: list[TableModel]
    orders_without_stage: int
    unknown_stages: list[UnknownStageModel]
    services: dict[str, ServiceTelemetryModel]
    watching: WatchingModel | None = None


def probe_routes(deps: ApiDeps) -> APIRouter:
    """/healthz and /readyz, for supervisors and load balancers."""
    routes = APIRouter(tags=["status"])

    @routes.get("/healthz", summary="Whether the process answers", response_class=PlainTextResponse)
    async def healthz() -> str:
        return "ok\n"

    @routes.get(
        "/readyz",
        summary="Whether Clew can answer from its store",
        response_class=PlainTextResponse,
        responses={503: {"model": ErrorAnswer, "description": "Not ready"}},
    )
    def readyz() -> str:
        problem = deps.problem() or _store_problem(deps.store)
        if problem:
            raise ApiError(503, "not_ready", problem, "see the log of `clew serve`")
        return "ready\n"

    return routes


def status_routes(deps: ApiDeps) -> APIRouter:
    """/status."""
    routes = APIRouter(tags=["status"], responses=RESPONSES)

    @routes.get("/status", summary="How Clew does")
    def status() -> StatusModel:
        return status_model(deps)

    return routes


def status_model(deps: ApiDeps, *, whole: bool = True) -> StatusModel:
    """How Clew does now. Unless ``whole`` it leaves out what is read from a day of telemetry and from open orders."""
    now_ns = deps.now_ns()
    day_ago_ns = now_ns - _DAY_NS
    return StatusModel(
        version=__version__,
        python=platform.python_version(),
        engine=str(deps.store.rows("SELECT version() AS version")[0]["version"]),
        started_at=moment(deps.started_ns),
        now=moment(now_ns),
        problem=deps.problem(),
        upkeep_problem=deps.upkeep_problem(),
        ingest=_ingest_model(deps.intake) if deps.intake else None,
        ticker=_ticker_model(deps.ticker, now_ns) if deps.ticker else None,
        flows=[flow_summary(each) for each in deps.book.current],
        tables=_tables(deps.store),
        orders_without_stage=_orders_without_stage(deps.store) if whole else 0,
        unknown_stages=_unknown_stages(deps.store, day_ago_ns) if whole else [],
        services=_telemetry(deps.store, day_ago_ns) if whole else {},
        watching=_watching_model(deps, deps.desk) if deps.desk else None,
    )


def _watching_model(deps: ApiDeps, desk: Desk) -> WatchingModel:
    watched = deps.watched()
    health = watched.health()
    stopped = waiting = None
    with contextlib.suppress(ControlError):  # it is told why by what can't work without
        stopped = watched.reactions.runs.stopped() if watched.reactions else None
        waiting = desk.outbox.counts()["waiting"]
    return WatchingModel(
        rules=len(desk.rules),
        channels=len(desk.channels),
        catching_up=desk.waits(),
        troubles=dict(watched.channel_troubles()),
        reactions_stopped_by=stopped.by if stopped else None,
        failing=dict(health.failing),
        waiting=waiting,
        heartbeat=health.heartbeat,
        unwatched=health.unwatched or None,
        untold=health.untold or None,
    )


def _store_problem(store: Store) -> str | None:
    try:
        store.rows("SELECT 1")
    except ClewError as error:
        return str(error)
    return None


def _ingest_model(intake: Intake) -> IngestModel:
    counts, admission = intake.committer.counts, intake.admission
    return IngestModel(
        requests=counts.requests,
        refused=counts.refused + admission.refused,
        bytes=counts.bytes,
        flushes=counts.flushes,
        busy_s=seconds(counts.busy_ns),
        waiting_bytes=admission.in_use,
        waiting_bytes_peak=admission.peak,
    )


def _ticker_model(ticker: Ticker, now_ns: int) -> TickerModel:
    counts = ticker.counts
    return TickerModel(
        ticks=counts.ticks,
        orders=counts.orders,
        busy_s=seconds(counts.busy_ns),
        lag_s=seconds(max(0, now_ns - counts.horizon_ns)) if counts.horizon_ns else 0.0,
    )


def _tables(store: Store) -> list[TableModel]:
    rows = store.rows(
        "SELECT table, sum(rows) AS n, sum(bytes_on_disk) AS size FROM system.parts "
        "WHERE active AND database = currentDatabase() GROUP BY table ORDER BY table"
    )
    return [TableModel(name=row["table"], rows=row["n"], bytes=row["size"]) for row in rows]


def _orders_without_stage(store: Store) -> int:
    rows = store.rows(
        "SELECT count() AS n FROM orders FINAL WHERE bucket = toDate(0) AND stage = '' "
        "SETTINGS do_not_merge_across_partitions_select_final = 1"
    )
    return int(rows[0]["n"])


_UNKNOWN_STAGES = """
SELECT flow, substring(deviation, 15) AS stage, count() AS n
FROM (
    SELECT flow, arrayDistinct(deviations) AS kinds FROM orders FINAL WHERE bucket = toDate(0)
    SETTINGS do_not_merge_across_partitions_select_final = 1
)
ARRAY JOIN kinds AS deviation
WHERE startsWith(deviation, 'unknown_stage:')
GROUP BY flow, stage ORDER BY n DESC, flow, stage LIMIT 20
"""
_TOLD_BY = """
SELECT stage, arraySort(groupUniqArray(20)(service)) AS services FROM order_events
WHERE ts >= fromUnixTimestamp64Nano({since:Int64}, 'UTC') AND notEmpty(service) AND stage IN {stages:Array(String)}
GROUP BY stage
"""


def _unknown_stages(store: Store, since_ns: int) -> list[UnknownStageModel]:
    rows = store.rows(_UNKNOWN_STAGES)
    if not rows:
        return []
    told = store.rows(_TOLD_BY, {"since": since_ns, "stages": [row["stage"] for row in rows]})
    services = {row["stage"]: row["services"] for row in told}
    return [
        UnknownStageModel(
            flow=row["flow"], stage=row["stage"], orders=row["n"], services=services.get(row["stage"], [])
        )
        for row in rows
    ]


_TELEMETRY = """
SELECT service, sum(spans) AS spans, sum(named) AS named, sum(logs) AS logs, sum(stages) AS stages, max(last) AS last_ns
FROM (
    SELECT service, count() AS spans, countIf(notEmpty(order_ids)) AS named, 0 AS logs, 0 AS stages,
        max(toUnixTimestamp64Nano(ts)) AS last
    FROM spans WHERE ts >= fromUnixTimestamp64Nano({since:Int64}, 'UTC') GROUP BY service
    UNION ALL
    SELECT service, 0, 0, count(), 0, max(toUnixTimestamp64Nano(ts))
    FROM logs WHERE ts >= fromUnixTimestamp64Nano({since:Int64}, 'UTC') GROUP BY service
    UNION ALL
    SELECT service, 0, 0, 0, count(), max(toUnixTimestamp64Nano(ts))
    FROM order_events WHERE ts >= fromUnixTimestamp64Nano({since:Int64}, 'UTC') GROUP BY service
)
GROUP BY service ORDER BY service
"""


def _telemetry(store: Store, since_ns: int) -> dict[str, ServiceTelemetryModel]:
    return {
        row["service"]: ServiceTelemetryModel(
            spans=row["spans"],
            spans_with_order=row["named"],
            logs=row["logs"],
            stage_events=row["stages"],
            last_seen_at=moment(row["last_ns"]),
        )
        for row in store.rows(_TELEMETRY, {"since": since_ns})
    }
