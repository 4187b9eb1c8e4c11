"""The spans of one order, over all its traces.

    order --aliases--> its ids --trace_orders--> traces that name it --one link hop--> traces that name no order
                                                       |
                                  shared with other orders: only its own spans and those that name no order

A linked trace counts only if it names no order of its own: a nightly batch that links to a thousand orders would else
give each of them all spans of all the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from clew.store.contract import Store
from clew.store.facts import read_alias_edges
from clew.store.spans import NO_SPAN, ONCE, SPAN_COLUMNS, TRACE_SET, Span, span_of, sql

DAY_NS = 86_400 * 10**9
MOST_TRACES = 1_000


@dataclass(frozen=True, slots=True)
class OrderScope:
    """Which traces hold an order's spans, and between which moments (Unix nanoseconds).

    ``shared`` maps a trace to how many orders it handles, where these are more than one. ``linked`` are the traces
    that were reached over a link.
    """

    ids: tuple[str, ...]
    traces: tuple[str, ...]
    shared: Mapping[str, int]
    linked: frozenset[str]
    since_ns: int
    until_ns: int


@dataclass(frozen=True, slots=True)
class OrderSpans:
    """Spans of an order by start; ``complete`` is false when there are more than were read."""

    spans: tuple[Span, ...]
    shared: Mapping[str, int]
    complete: bool


@dataclass(frozen=True, slots=True)
class TraceSummary:
    """One trace of an order in a line; ``shared_by`` is how many orders it handles, 1 when only this one."""

    trace_id: str
    start_ns: int
    duration_ns: int
    spans: int
    errors: int
    services: tuple[str, ...]
    root_service: str
    root_name: str
    shared_by: int
    linked: bool


def order_scope(store: Store, order_id: str) -> OrderScope:
    """The traces of an order, by any of its ids: those that name it, and over one link those that name no order."""
    edges = read_alias_edges(store, [order_id])
    ids = tuple(sorted({order_id, *(each for edge in edges for each in edge)}))
    direct = store.rows(
        "SELECT lower(hex(target)) AS trace, toUnixTimestamp64Nano(min(first_ts)) AS first_ns, "
        "toUnixTimestamp64Nano(max(last_ts)) AS last_ns FROM trace_orders "
        "WHERE relation = 'order' AND ref IN {ids:Array(String)} GROUP BY target "
        "ORDER BY last_ns DESC LIMIT {limit:UInt32}",
        {"ids": list(ids), "limit": MOST_TRACES},
    )
    linked = _linked(store, [row["trace"] for row in direct]) if direct else []
    others = _others(store, ids, [row["trace"] for row in (*direct, *linked)])
    reached = [row for row in linked if not others.get(row["trace"])]
    rows = [*direct, *reached]
    return OrderScope(
        ids=ids,
        traces=tuple(dict.fromkeys(row["trace"] for row in rows)),
        shared={row["trace"]: others[row["trace"]] + 1 for row in direct if others.get(row["trace"])},
        linked=frozenset(row["trace"] for row in reached),
        since_ns=min((row["first_ns"] for row in rows), default=0) - DAY_NS,
        until_ns=max((row["last_ns"] for row in rows), default=0) + DAY_NS,
    )


def _linked(store: Store, traces: list[str]) -> list[dict[str, Any]]:
    rows = store.rows(
        "SELECT lower(hex(target)) AS trace, toUnixTimestamp64Nano(min(first_ts)) AS first_ns, "
        "toUnixTimestamp64Nano(max(last_ts)) AS last_ns FROM trace_orders WHERE relation = 'link' "
        "AND ref IN (SELECT unhex(arrayJoin({traces:Array(String)}))) GROUP BY target LIMIT {limit:UInt32}",
        {"traces": traces, "limit": MOST_TRACES},
    )
    known = set(traces)
    return [row for row in rows if row["trace"] not in known]


def _others(store: Store, ids: tuple[str, ...], traces: list[str]) -> dict[str, int]:
    """How many other orders each of these traces names."""
    if not traces:
        return {}
    rows = store.rows(
        "SELECT lower(hex(target)) AS trace, uniqExact(ref) AS orders FROM trace_orders WHERE relation = 'order' "
        "AND target IN (SELECT unhex(arrayJoin({traces:Array(String)}))) "
        "AND ref NOT IN {ids:Array(String)} GROUP BY target",
        {"traces": traces, "ids": list(ids)},
    )
    return {row["trace"]: int(row["orders"]) for row in rows}


_IN_SCOPE = sql(
    "trace_id IN", TRACE_SET, "AND ts BETWEEN fromUnixTimestamp64Nano({since:Int64}, 'UTC') "
    "AND fromUnixTimestamp64Nano({until:Int64}, 'UTC')",
)  # fmt: skip
_OWN = (
    "AND (trace_id NOT IN (SELECT toFixedString(unhex(arrayJoin({shared:Array(String)})), 16)) "
    "OR empty(order_ids) OR hasAny(order_ids, {ids:Array(String)}))"
)


def _where(scope: OrderScope) -> tuple[str, dict[str, object]]:
    bind: dict[str, object] = {
        "traces": list(scope.traces),
        "since": max(0, scope.since_ns),
        "until": scope.until_ns,
    }
    if not scope.shared:
        return _IN_SCOPE, bind
    return sql(_IN_SCOPE, _OWN), bind | {"shared": sorted(scope.shared), "ids": list(scope.ids)}


def order_spans(
    store: Store, order_id: str, limit: int = 5_000, *, scope: OrderScope | None = None, failed_only: bool = False
) -> OrderSpans:
    """The spans that belong to an order: all of its own traces, its part of shared ones, and one link hop.

    Spans more than a day away from every span and log that names the order are not looked for.
    """
    scope = scope or order_scope(store, order_id)
    if not scope.traces:
        return OrderSpans((), {}, True)
    where, bind = _where(scope)
    failed = "AND (status = 2 OR error != '')" if failed_only else ""
    rows = store.rows(
        sql("SELECT", SPAN_COLUMNS, "FROM spans WHERE", where, failed, "ORDER BY ts", ONCE, "LIMIT {limit:UInt32}"),
        bind | {"limit": limit + 1},
    )
    return OrderSpans(tuple(span_of(row) for row in rows[:limit]), scope.shared, len(rows) <= limit)


def order_traces(store: Store, scope: OrderScope) -> tuple[TraceSummary, ...]:
    """The traces of an order that still have spans, the earliest first."""
    if not scope.traces:
        return ()
    where, bind = _where(scope)
    rows = store.rows(
        sql(
            "SELECT lower(hex(trace_id)) AS trace, toUnixTimestamp64Nano(min(ts)) AS start_ns,",
            "max(toUnixTimestamp64Nano(ts) + toInt64(duration_ns)) AS end_ns, uniqExact(span_id) AS spans,",
            "uniqExactIf(span_id, status = 2 OR error != '') AS errors,",
            "arraySort(groupUniqArray(toString(service))) AS services,",
            "argMin((toString(service), toString(name)), (parent_span_id != unhex({none:String}), ts)) AS root",
            "FROM spans WHERE", where, "GROUP BY trace_id ORDER BY start_ns",
        ),
        bind | {"none": NO_SPAN},
    )  # fmt: skip
    return tuple(_summary_of(row, scope) for row in rows)


def _summary_of(row: Mapping[str, Any], scope: OrderScope) -> TraceSummary:
    return TraceSummary(
        trace_id=row["trace"],
        start_ns=row["start_ns"],
        duration_ns=row["end_ns"] - row["start_ns"],
        spans=row["spans"],
        errors=row["errors"],
        services=tuple(row["services"]),
        root_service=row["root"][0],
        root_name=row["root"][1],
        shared_by=scope.shared.get(row["trace"], 1),
        linked=row["trace"] in scope.linked,
    )
