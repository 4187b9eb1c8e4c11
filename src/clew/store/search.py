"""Spans found by any of their fields, newest first, a page at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clew.model.moments import LAST_NS
from clew.store.contract import Store
from clew.store.cursors import decode_cursor, encode_cursor
from clew.store.spans import ONCE, SPAN_COLUMNS, TRACE_SET, Span, SpanKind, SpanStatus, span_of, sql

ANY = "*"
HOUR_NS = 3_600 * 10**9


@dataclass(frozen=True, slots=True)
class SpanFilter:
    """Which spans to find; empty fields match everything. Times and durations are nanoseconds.

    ``user_id`` may be given in clear: it is compared as it is stored, by its last four characters. ``error`` is
    an error type, or ``*`` for any. ``caller`` and ``callee`` select calls between services: spans of ``callee`` whose
    parent is a span of ``caller``; one alone selects calls from or to any other service. ``name`` may end in ``*``.
    """

    trace_id: str = ""
    span_id: str = ""
    order_id: str = ""
    user_id: str = ""
    since_ns: int = 0
    until_ns: int = 0
    status: SpanStatus | None = None
    kind: SpanKind | None = None
    service: str = ""
    name: str = ""
    error: str = ""
    min_span_ns: int = 0
    max_span_ns: int = 0
    min_trace_ns: int = 0
    max_trace_ns: int = 0
    caller: str = ""
    callee: str = ""
    min_retries: int = 0
    timeout: bool | None = None
    attributes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class FoundSpan:
    """A span with the duration of its whole trace, in nanoseconds."""

    span: Span
    trace_duration_ns: int


@dataclass(frozen=True, slots=True)
class SpanPage:
    """One page of spans, newest first; ``next`` is the cursor of the page after it, None at the end."""

    items: tuple[FoundSpan, ...]
    next: str | None


def masked(user_id: str) -> str:
    """A user id as it is stored: its last four characters, or none of a short one."""
    if user_id.startswith("…"):
        return user_id
    return f"…{user_id[-4:]}" if len(user_id) > 4 else "…"


_SINCE = "ts >= fromUnixTimestamp64Nano({since:Int64}, 'UTC')"
_UNTIL = "ts < fromUnixTimestamp64Nano({until:Int64}, 'UTC')"
# What a span belongs to may lie a little before or after the time that is searched.
_NEAR_SINCE = "ts >= fromUnixTimestamp64Nano(greatest({since:Int64} - {near:Int64}, 0), 'UTC')"
_NEAR_UNTIL = "ts < fromUnixTimestamp64Nano({until:Int64} + {near:Int64}, 'UTC')"

_PLAIN: dict[str, tuple[str, str]] = {
    "trace_id": ("trace_id = unhex({trace_id:String})", ""),
    "span_id": ("span_id = unhex({span_id:String})", ""),
    "order_id": ("has(order_ids, {order_id:String})", ""),
    "since_ns": (_SINCE, "since"),
    "until_ns": (_UNTIL, "until"),
    "service": ("service = {service:String}", ""),
    "min_span_ns": ("duration_ns >= {min_span_ns:UInt64}", ""),
    "max_span_ns": ("duration_ns <= {max_span_ns:UInt64}", ""),
    "min_retries": ("retry_count >= {min_retries:UInt16}", ""),
}


def span_where(filter_: SpanFilter) -> tuple[str, dict[str, object]]:
    """WHERE text and bindings over the columns of the spans table; the same on one node and on a cluster."""
    where, bind = ["1"], dict[str, object]()
    for field, (condition, name) in _PLAIN.items():
        if value := getattr(filter_, field):
            where.append(condition)
            bind[name or field] = value
    where += _enums(filter_, bind) + _texts(filter_, bind) + _attributes(filter_.attributes, bind)
    where += _traces_by_duration(filter_, bind) + _calls(filter_, bind)
    return " AND ".join(where), bind


def _enums(filter_: SpanFilter, bind: dict[str, object]) -> list[str]:
    where = []
    if filter_.status is not None:
        where.append("status = {status:Int8}")
        bind["status"] = list(SpanStatus).index(filter_.status)
    if filter_.kind is not None:
        where.append("kind = {kind:Int8}")
        bind["kind"] = list(SpanKind).index(filter_.kind)
    if filter_.timeout is not None:
        where.append("timeout = {timeout:UInt8}")
        bind["timeout"] = int(filter_.timeout)
    return where


def _texts(filter_: SpanFilter, bind: dict[str, object]) -> list[str]:
    where = []
    if filter_.name:
        prefix = filter_.name.endswith(ANY)
        where.append("startsWith(name, {name:String})" if prefix else "name = {name:String}")
        bind["name"] = filter_.name.removesuffix(ANY)
    if filter_.error:
        where.append("error != ''" if filter_.error == ANY else "error = {error:String}")
        bind["error"] = filter_.error
    if filter_.user_id:
        where.append("user_id IN {users:Array(String)}")
        bind["users"] = [filter_.user_id, masked(filter_.user_id)]
    return where


def _attributes(attributes: Sequence[tuple[str, str]], bind: dict[str, object]) -> list[str]:
    where = []
    for index, (key, value) in enumerate(attributes):
        bind |= {f"key{index}": key, f"value{index}": value}
        key_slot, value_slot = f"{{key{index}:String}}", f"{{value{index}:String}}"
        # The first half is answered by the bloom filter on values, the second one makes it exact.
        where.append(f"has(mapValues(attrs), {value_slot}) AND attrs[{key_slot}] = {value_slot}")
    return where


def _near(filter_: SpanFilter, bind: dict[str, object]) -> list[str]:
    bind["near"] = HOUR_NS
    return [_NEAR_SINCE] * bool(filter_.since_ns) + [_NEAR_UNTIL] * bool(filter_.until_ns)


def _traces_by_duration(filter_: SpanFilter, bind: dict[str, object]) -> list[str]:
    lasting = []
    for field, sign in (("min_trace_ns", ">="), ("max_trace_ns", "<=")):
        if value := getattr(filter_, field):
            lasting.append(f"lasted {sign} {{{field}:Int64}}")
            bind[field] = value
    if not lasting:
        return []
    near = " AND ".join(["1", *_near(filter_, bind)])
    return [
        sql(
            "trace_id GLOBAL IN (SELECT trace_id FROM (SELECT trace_id,",
            "max(toUnixTimestamp64Nano(ts) + toInt64(duration_ns)) - min(toUnixTimestamp64Nano(ts)) AS lasted",
            "FROM spans WHERE", near, "GROUP BY trace_id) WHERE", " AND ".join(lasting), ")",
        )
    ]  # fmt: skip


def _calls(filter_: SpanFilter, bind: dict[str, object]) -> list[str]:
    if not filter_.caller and not filter_.callee:
        return []
    bind |= {"caller": filter_.caller, "callee": filter_.callee}
    parent = ["service = {caller:String}" if filter_.caller else "service != {callee:String}", *_near(filter_, bind)]
    return [
        "service = {callee:String}" if filter_.callee else "service != {caller:String}",
        sql(
            "(trace_id, parent_span_id) GLOBAL IN (SELECT trace_id, span_id FROM spans WHERE",
            " AND ".join(parent), ")",
        ),
    ]  # fmt: skip


def search_spans(store: Store, filter_: SpanFilter, limit: int = 50, after: str | None = None) -> SpanPage:
    """A page of the spans that match, newest first. Raises BadCursor.

    Without ``since_ns``, a trace or an order every stored span is looked at: give one of them.
    """
    where, bind = span_where(filter_)
    if after:
        where += (
            " AND (ts, trace_id, span_id) < (fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC'), "
            "toFixedString(unhex({last_trace:String}), 16), toFixedString(unhex({last_span:String}), 8))"
            " AND ts <= fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC')"
        )
        bind |= dict(zip(("last_ns", "last_trace", "last_span"), decode_cursor(after, _key), strict=True))
    keys = _keys(store, where, bind | {"limit": limit + 1})
    spans = _spans(store, keys[:limit])
    lasted = trace_durations(store, {span.trace_id for span in spans})
    cursor = encode_cursor(*keys[limit - 1]) if len(keys) > limit else None
    return SpanPage(tuple(FoundSpan(span, lasted.get(span.trace_id, span.duration_ns)) for span in spans), cursor)


Key = tuple[int, str, str]
"""Start in nanoseconds, trace id and span id: how found spans are sorted."""


def _keys(store: Store, where: str, bind: dict[str, object]) -> list[Key]:
    """Which spans are on the page. Their wide columns are read only for these: it costs a fifth."""
    rows = store.rows(
        sql(
            "SELECT toUnixTimestamp64Nano(ts) AS start_ns, lower(hex(trace_id)) AS trace, lower(hex(span_id)) AS span",
            "FROM spans WHERE", where,
            # The first term is how the table is sorted: reading stops when the page is full.
            "ORDER BY toStartOfFiveMinutes(ts) DESC, ts DESC, trace_id DESC, span_id DESC",
            ONCE, "LIMIT {limit:UInt32}",
        ),
        bind,
    )  # fmt: skip
    return [(row["start_ns"], row["trace"], row["span"]) for row in rows]


def _spans(store: Store, keys: Sequence[Key]) -> list[Span]:
    """These spans, in the same order."""
    if not keys:
        return []
    rows = store.rows(
        sql(
            "SELECT", SPAN_COLUMNS, "FROM spans WHERE trace_id IN", TRACE_SET,
            "AND span_id IN (SELECT toFixedString(unhex(arrayJoin({spans:Array(String)})), 8))",
            "AND ts >= fromUnixTimestamp64Nano({first:Int64}, 'UTC')",
            "AND ts <= fromUnixTimestamp64Nano({last:Int64}, 'UTC')",
            ONCE,
        ),
        {
            "traces": sorted({trace for _, trace, _ in keys}), "spans": sorted({span for _, _, span in keys}),
            "first": keys[-1][0], "last": keys[0][0],
        },
    )  # fmt: skip
    found = {(each.trace_id, each.span_id): each for each in map(span_of, rows)}
    return [found[trace, span] for _, trace, span in keys if (trace, span) in found]


def trace_durations(store: Store, traces: set[str]) -> dict[str, int]:
    """How long each of these traces lasted, in nanoseconds, from its first span's start to its last span's end."""
    if not traces:
        return {}
    rows = store.rows(
        sql(
            "SELECT lower(hex(trace_id)) AS trace,",
            "max(toUnixTimestamp64Nano(ts) + toInt64(duration_ns)) - min(toUnixTimestamp64Nano(ts)) AS lasted",
            "FROM spans WHERE trace_id IN", TRACE_SET, "GROUP BY trace_id",
        ),
        {"traces": sorted(traces)},
    )  # fmt: skip
    return {row["trace"]: int(row["lasted"]) for row in rows}


def _key(start_ns: int, trace_id: str, span_id: str) -> Key:
    sizes = (len(bytes.fromhex(trace_id)), len(bytes.fromhex(span_id)))
    if sizes != (16, 8) or not 0 <= start_ns < LAST_NS:
        raise ValueError((start_ns, sizes))
    return int(start_ns), trace_id, span_id
