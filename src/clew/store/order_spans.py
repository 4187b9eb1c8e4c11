"""The spans of one order, over all its traces.

    order --aliases--> its ids --trace_orders--> traces that name it --one link hop--> traces that name no order
                                                       |
                                  shared with other orders: only its own spans and those that name no order

A linked trace counts only if it names no order of its own: a nightly batch that links to a thousand orders would else
give each of them all spans of all the others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clew.store.contract import Store
from clew.store.facts import read_alias_edges
from clew.store.lookups import LOOKUP, both
from clew.store.spans import ONCE, SPAN_COLUMNS, TRACE_SET, Span, SpanKind, SpanStatus, line_fields, span_of, sql

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
class SpanLine:
    """A span in a line: what a timeline draws. Ids are lower-case hex; ``parent_span_id`` is empty for a root.

    Without attributes, events and links, which cost three times as much to read.
    """

    trace_id: str
    span_id: str
    parent_span_id: str
    service: str
    name: str
    kind: SpanKind
    status: SpanStatus
    start_ns: int
    duration_ns: int
    error: str

    @property
    def failed(self) -> bool:
        """Whether it ended in an error."""
        return self.status is SpanStatus.ERROR or self.error != ""


@dataclass(frozen=True, slots=True)
class OrderLines:
    """The spans of an order by start, each in a line; ``complete`` is false when there are more than were read."""

    lines: tuple[SpanLine, ...]
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
    edges, direct = both(lambda: read_alias_edges(store, [order_id]), lambda: _direct(store, [order_id]))
    ids = tuple(sorted({order_id, *(each for edge in edges for each in edge)}))
    if len(ids) > 1:
        direct = _direct(store, ids)
    traces = [row["trace"] for row in direct]
    linked, others = both(lambda: _linked(store, traces), lambda: _others(store, ids, traces))
    theirs = _others(store, ids, [row["trace"] for row in linked])
    reached = [row for row in linked if not theirs.get(row["trace"])]
    rows = [*direct, *reached]
    return OrderScope(
        ids=ids,
        traces=tuple(dict.fromkeys(row["trace"] for row in rows)),
        shared={trace: others[trace] + 1 for trace in traces if others.get(trace)},
        linked=frozenset(row["trace"] for row in reached),
        since_ns=min((row["first_ns"] for row in rows), default=0) - DAY_NS,
        until_ns=max((row["last_ns"] for row in rows), default=0) + DAY_NS,
    )


def _direct(store: Store, ids: Sequence[str]) -> list[dict[str, Any]]:
    return store.rows(
        "SELECT lower(hex(target)) AS trace, toUnixTimestamp64Nano(min(first_ts)) AS first_ns, "
        "toUnixTimestamp64Nano(max(last_ts)) AS last_ns FROM trace_orders "
        "WHERE relation = 'order' AND ref IN {ids:Array(String)} GROUP BY target "
        f"ORDER BY last_ns DESC LIMIT {{limit:UInt32}} {LOOKUP}",
        {"ids": list(ids), "limit": MOST_TRACES},
    )


def _linked(store: Store, traces: list[str]) -> list[dict[str, Any]]:
    if not traces:
        return []
    rows = store.rows(
        "SELECT lower(hex(target)) AS trace, toUnixTimestamp64Nano(min(first_ts)) AS first_ns, "
        "toUnixTimestamp64Nano(max(last_ts)) AS last_ns FROM trace_orders WHERE relation = 'link' "
        "AND ref IN (SELECT unhex(arrayJoin({traces:Array(String)}))) GROUP BY target "
        f"LIMIT {{limit:UInt32}} {LOOKUP}",
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
        f"AND ref NOT IN {{ids:Array(String)}} GROUP BY target {LOOKUP}",
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


def scope_where(scope: OrderScope) -> tuple[str, dict[str, object]]:
    """WHERE text and bindings of the spans that belong to an order; the same for its logs."""
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
    """The spans that belong to an order: all of its own traces, its part of shared ones, and one link hop; by start.

    Where there are more than ``limit`` the earliest are given, of those that failed (``failed_only``) the latest. Spans
    more than a day away from every span and log that names the order are not looked for.
    """
    scope = scope or order_scope(store, order_id)
    if not scope.traces:
        return OrderSpans((), {}, True)
    where, bind = scope_where(scope)
    which = "AND (status = 2 OR error != '') ORDER BY ts DESC" if failed_only else "ORDER BY ts"
    rows = store.rows(
        sql("SELECT", SPAN_COLUMNS, "FROM spans WHERE", where, which, ONCE, "LIMIT {limit:UInt32}", LOOKUP),
        bind | {"limit": limit + 1},
    )
    found = [span_of(row) for row in rows[:limit]]
    return OrderSpans(tuple(reversed(found) if failed_only else found), scope.shared, len(rows) <= limit)


LINE_COLUMNS = (
    "trace_id, span_id, parent_span_id, service, name, kind, status, toUnixTimestamp64Nano(ts) AS start_ns, "
    "duration_ns, error"
)


def order_lines(store: Store, scope: OrderScope, limit: int = 50_000) -> OrderLines:
    """The spans that belong to an order, as `order_spans` finds them, each in a line."""
    if not scope.traces:
        return OrderLines((), True)
    where, bind = scope_where(scope)
    rows = store.rows(
        sql("SELECT", LINE_COLUMNS, "FROM spans WHERE", where, "ORDER BY ts", ONCE, "LIMIT {limit:UInt32}", LOOKUP),
        bind | {"limit": limit + 1},
    )
    return OrderLines(tuple(SpanLine(**line_fields(row)) for row in rows[:limit]), len(rows) <= limit)


def summaries(lines: Iterable[SpanLine], scope: OrderScope) -> tuple[TraceSummary, ...]:
    """The traces that these spans (by start) are of, the earliest first."""
    of_trace: dict[str, list[SpanLine]] = defaultdict(list)
    for line in lines:
        of_trace[line.trace_id].append(line)
    return tuple(_summary(trace_id, of_it, scope) for trace_id, of_it in of_trace.items())


def _summary(trace_id: str, lines: Sequence[SpanLine], scope: OrderScope) -> TraceSummary:
    root = next((line for line in lines if not line.parent_span_id), lines[0])
    return TraceSummary(
        trace_id=trace_id,
        start_ns=lines[0].start_ns,
        duration_ns=max(line.start_ns + line.duration_ns for line in lines) - lines[0].start_ns,
        spans=len(lines),
        errors=sum(line.failed for line in lines),
        services=tuple(sorted({line.service for line in lines})),
        root_service=root.service,
        root_name=root.name,
        shared_by=scope.shared.get(trace_id, 1),
        linked=trace_id in scope.linked,
    )
