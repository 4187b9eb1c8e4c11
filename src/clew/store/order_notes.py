"""What else is told of an order: its log records, and which of its spans are worth a look."""

from __future__ import annotations

from dataclasses import dataclass

from clew.store.contract import Store
from clew.store.lookups import LOOKUP
from clew.store.order_spans import DAY_NS, OrderScope, scope_where
from clew.store.spans import LOG_COLUMNS, NO_TRACE, ONCE, LogRecord, log_of, sql


@dataclass(frozen=True, slots=True)
class OrderLogs:
    """The latest log records of an order, by time; ``complete`` is false when there are earlier ones."""

    records: tuple[LogRecord, ...]
    complete: bool


@dataclass(frozen=True, slots=True)
class Notable:
    """A span worth a look: it failed, was tried again (``tries`` failed tries before it), or ended by time-out.

    ``error`` is the error's type, ``status_message`` what else it says of it; both may be empty.
    """

    trace_id: str
    span_id: str
    service: str
    name: str
    start_ns: int
    failed: bool
    error: str
    status_message: str
    tries: int
    timeout: bool


_ONCE = "LIMIT 1 BY ts, span_id, service, event_name, body, uid, toString(attrs)"


def order_logs(store: Store, scope: OrderScope, around_ns: tuple[int, int], limit: int) -> OrderLogs:
    """The latest logs of an order's traces that name it or no order, and those outside of traces that name it.

    The latter are looked for between two moments, a day wider on both sides.
    """
    rows = _logs_of_traces(store, scope, limit) if scope.traces else []
    rows += _logs_without_trace(store, scope, around_ns, limit)
    rows.sort(key=lambda record: record.at_ns)
    return OrderLogs(tuple(rows[-limit:]), len(rows) <= limit)


def _logs_of_traces(store: Store, scope: OrderScope, limit: int) -> list[LogRecord]:
    where, bind = scope_where(scope)
    rows = store.rows(
        sql("SELECT", LOG_COLUMNS, "FROM logs WHERE", where, "ORDER BY ts DESC", _ONCE, "LIMIT {limit:UInt32}", LOOKUP),
        bind | {"limit": limit + 1},
    )
    return [log_of(row) for row in rows]


def _logs_without_trace(store: Store, scope: OrderScope, around_ns: tuple[int, int], limit: int) -> list[LogRecord]:
    rows = store.rows(
        sql(
            "SELECT", LOG_COLUMNS, "FROM logs WHERE hasAny(order_ids, {ids:Array(String)})",
            "AND trace_id = toFixedString(unhex({none:String}), 16)",
            "AND ts BETWEEN fromUnixTimestamp64Nano({since:Int64}, 'UTC')",
            "AND fromUnixTimestamp64Nano({until:Int64}, 'UTC')",
            "ORDER BY ts DESC", _ONCE, "LIMIT {limit:UInt32}", LOOKUP,
        ),
        {
            "ids": list(scope.ids), "none": NO_TRACE, "since": max(0, around_ns[0] - DAY_NS),
            "until": around_ns[1] + DAY_NS, "limit": limit + 1,
        },
    )  # fmt: skip
    return [log_of(row) for row in rows]


def notable_spans(store: Store, scope: OrderScope, limit: int = 1_000) -> tuple[Notable, ...]:
    """The spans of an order that failed, were tried again or ran out of time: the latest of them, by start."""
    if not scope.traces:
        return ()
    where, bind = scope_where(scope)
    rows = store.rows(
        sql(
            "SELECT lower(hex(trace_id)) AS trace, lower(hex(span_id)) AS span, service, name, retry_count, timeout,",
            "status = 2 OR error != '' AS failed, error, status_message, toUnixTimestamp64Nano(ts) AS start_ns",
            "FROM spans WHERE", where, "AND (status = 2 OR error != '' OR retry_count > 0 OR timeout)",
            "ORDER BY ts DESC", ONCE, "LIMIT {limit:UInt32}", LOOKUP,
        ),
        bind | {"limit": limit},
    )  # fmt: skip
    return tuple(
        Notable(
            trace_id=row["trace"],
            span_id=row["span"],
            service=row["service"],
            name=row["name"],
            start_ns=row["start_ns"],
            failed=bool(row["failed"]),
            error=row["error"],
            status_message=row["status_message"],
            tries=row["retry_count"],
            timeout=bool(row["timeout"]),
        )
        for row in reversed(rows)
    )
