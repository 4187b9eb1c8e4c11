"""Spans and logs as values, and one trace read whole.

Reading is separate from meaning: a row becomes a value in one pure function, and SQL is put together from constant
parts with every value bound. A span that was received twice is given once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from clew.store.anyvalue import Attributes, Value, decode_attributes, decode_value
from clew.store.contract import Store
from clew.store.lookups import LOOKUP, both

NO_SPAN = "0" * 16
NO_TRACE = "0" * 32
TRACE_LIMIT = 10_000

_Member = TypeVar("_Member", bound=StrEnum)


class SpanKind(StrEnum):
    """OpenTelemetry's span kinds; the order of the members is that of the wire."""

    UNSPECIFIED = "unspecified"
    INTERNAL = "internal"
    SERVER = "server"
    CLIENT = "client"
    PRODUCER = "producer"
    CONSUMER = "consumer"


class SpanStatus(StrEnum):
    """OpenTelemetry's span status; the order of the members is that of the wire."""

    UNSET = "unset"
    OK = "ok"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class SpanEvent:
    """Something that happened during a span, at Unix nanoseconds."""

    name: str
    at_ns: int
    attributes: Attributes
    dropped: int


@dataclass(frozen=True, slots=True)
class SpanLink:
    """Another span that a span names as related; ids are lower-case hex."""

    trace_id: str
    span_id: str
    trace_state: str
    flags: int
    attributes: Attributes
    dropped: int


@dataclass(frozen=True, slots=True)
class Span:
    """A span as it was received. Ids are lower-case hex; ``parent_span_id`` is empty for a root.

    ``error`` is the error's type, ``error`` where none was given, and empty without an error.
    """

    trace_id: str
    span_id: str
    parent_span_id: str
    service: str
    name: str
    kind: SpanKind
    status: SpanStatus
    status_message: str
    start_ns: int
    duration_ns: int
    attributes: Attributes
    events: tuple[SpanEvent, ...]
    links: tuple[SpanLink, ...]
    order_ids: tuple[str, ...]
    user_id: str
    error: str
    retry_count: int
    timeout: bool
    trace_state: str
    flags: int
    origin_id: int
    scope: str
    dropped_attributes: int
    dropped_events: int
    dropped_links: int

    @property
    def end_ns(self) -> int:
        """When the span ended."""
        return self.start_ns + self.duration_ns


@dataclass(frozen=True, slots=True)
class LogRecord:
    """A log record; ``trace_id`` and ``span_id`` are empty when it was written outside of a span."""

    at_ns: int
    observed_ns: int
    trace_id: str
    span_id: str
    service: str
    severity_number: int
    severity: str
    event_name: str
    body: Value
    attributes: Attributes
    order_ids: tuple[str, ...]
    flags: int
    origin_id: int
    scope: str
    dropped_attributes: int


@dataclass(frozen=True, slots=True)
class Origin:
    """Where spans and logs come from: a resource and an instrumentation scope."""

    origin_id: int
    service: str
    resource: Attributes
    resource_dropped: int
    resource_schema_url: str
    scope_name: str
    scope_version: str
    scope: Attributes
    scope_dropped: int
    scope_schema_url: str


@dataclass(frozen=True, slots=True)
class Trace:
    """One trace: spans by start, logs by time, and what it is connected to.

    ``order_ids`` are all orders that its spans and logs name. ``linked`` are the traces that it links to or that link
    to it. ``complete`` is false when it has more spans than were read.
    """

    trace_id: str
    spans: tuple[Span, ...]
    logs: tuple[LogRecord, ...]
    origins: tuple[Origin, ...]
    order_ids: tuple[str, ...]
    linked: tuple[str, ...]
    complete: bool = True

    @property
    def start_ns(self) -> int:
        """When the first span began, or the first log was written."""
        return min([each.start_ns for each in self.spans] or [each.at_ns for each in self.logs])

    @property
    def duration_ns(self) -> int:
        """From the first span's start to the last span's end."""
        return max((each.end_ns for each in self.spans), default=self.start_ns) - self.start_ns


def sql(*parts: str) -> str:
    """One statement from constant parts; values are never parts, they are bound."""
    return " ".join(part for part in parts if part)


# Columns as they are, where Python can turn them as well: every function over nested types costs a millisecond of
# planning a statement, and all of them together more than reading the rows.
SPAN_COLUMNS = """trace_id, span_id, parent_span_id,
    service, name, kind, status, status_message, toUnixTimestamp64Nano(ts) AS start_ns, duration_ns,
    mapKeys(attrs) AS attr_keys, mapValues(attrs) AS attr_texts, kinds, events,
    arrayMap(l -> (lower(hex(l.trace_id)), lower(hex(l.span_id)), l.trace_state, l.flags, l.attrs, l.kinds, l.dropped),
        links) AS link_rows,
    order_ids, user_id, error, retry_count, timeout, trace_state, flags, origin_id, scope,
    dropped_attributes, dropped_events, dropped_links"""

LOG_COLUMNS = """toUnixTimestamp64Nano(ts) AS at_ns, toUnixTimestamp64Nano(observed) AS observed_ns,
    lower(hex(trace_id)) AS trace, lower(hex(span_id)) AS span, service, severity_number, severity_text, event_name,
    body, body_kind, mapKeys(attrs) AS attr_keys, mapValues(attrs) AS attr_texts, kinds, order_ids, flags, origin_id,
    scope, dropped_attributes"""

# A set made by a subquery uses the primary key and the bloom filters; an array expression doesn't.
TRACE_SET = "(SELECT toFixedString(unhex(arrayJoin({traces:Array(String)})), 16))"
ONCE = "LIMIT 1 BY trace_id, span_id"


def read_trace(store: Store, trace_id: str, limit: int = TRACE_LIMIT) -> Trace | None:
    """A trace by its id in hex, or None when neither a span nor a log of it is stored."""
    rows, (logs, linked) = both(
        lambda: store.rows(
            sql(
                "SELECT", SPAN_COLUMNS, "FROM spans WHERE trace_id = toFixedString(unhex({trace:String}), 16)",
                "ORDER BY ts", ONCE, "LIMIT {limit:UInt32}", LOOKUP,
            ),
            {"trace": trace_id, "limit": limit + 1},
        ),
        lambda: both(lambda: read_logs(store, [trace_id], limit), lambda: linked_traces(store, trace_id)),
    )  # fmt: skip
    if not rows and not logs:
        return None
    spans = tuple(span_of(row) for row in rows[:limit])
    return Trace(
        trace_id=trace_id,
        spans=spans,
        logs=logs,
        origins=read_origins(store, {each.origin_id for each in spans} | {each.origin_id for each in logs}),
        order_ids=_distinct([*(each.order_ids for each in spans), *(each.order_ids for each in logs)]),
        linked=linked,
        complete=len(rows) <= limit,
    )


def read_logs(store: Store, traces: Sequence[str], limit: int) -> tuple[LogRecord, ...]:
    """The logs of some traces by time, at most ``limit``; a record that was received twice is given once."""
    rows = store.rows(
        sql(
            "SELECT", LOG_COLUMNS, "FROM logs WHERE trace_id IN", TRACE_SET,
            "ORDER BY ts LIMIT 1 BY ts, span_id, service, event_name, body, uid, toString(attrs) LIMIT {limit:UInt32}",
            LOOKUP,
        ),
        {"traces": list(traces), "limit": limit},
    )  # fmt: skip
    return tuple(log_of(row) for row in rows)


_ORIGINS: dict[int, Origin] = {}
"""Origins read so far. The id is a hash of what it names, so an origin never changes, in whichever store it is."""
_MOST_ORIGINS = 10_000


def read_origins(store: Store, ids: Iterable[int]) -> tuple[Origin, ...]:
    """Resources and scopes by their ids."""
    wanted = sorted(set(ids))
    if unknown := [each for each in wanted if each not in _ORIGINS]:
        if len(_ORIGINS) > _MOST_ORIGINS:
            _ORIGINS.clear()
        rows = store.rows(
            "SELECT origin_id, service, mapKeys(resource_attrs) AS keys, mapValues(resource_attrs) AS texts, "
            "resource_kinds, resource_dropped, resource_schema_url, scope_name, scope_version, "
            "mapKeys(scope_attrs) AS scope_keys, mapValues(scope_attrs) AS scope_texts, scope_kinds, scope_dropped, "
            "scope_schema_url FROM origins WHERE origin_id IN {ids:Array(UInt64)} "
            f"ORDER BY origin_id LIMIT 1 BY origin_id {LOOKUP}",
            {"ids": unknown},
        )
        _ORIGINS.update((row["origin_id"], _origin_of(row)) for row in rows)
    return tuple(_ORIGINS[each] for each in wanted if each in _ORIGINS)


def _distinct(lists: Iterable[Iterable[str]]) -> tuple[str, ...]:
    return tuple(sorted({each for names in lists for each in names}))


def linked_traces(store: Store, trace_id: str) -> tuple[str, ...]:
    """The traces that a trace links to, or that link to it."""
    rows = store.rows(
        "SELECT DISTINCT lower(hex(target)) AS linked FROM trace_orders "
        f"WHERE relation = 'link' AND ref = unhex({{trace:String}}) ORDER BY linked {LOOKUP}",
        {"trace": trace_id},
    )
    return tuple(row["linked"] for row in rows)


def line_fields(row: Mapping[str, Any]) -> dict[str, Any]:
    """What a span and a span in a line have in common, from a row of either's columns."""
    return {
        "trace_id": row["trace_id"].hex(),
        "span_id": row["span_id"].hex(),
        "parent_span_id": row["parent_span_id"].hex() if any(row["parent_span_id"]) else "",
        "service": row["service"],
        "name": row["name"],
        "kind": _member(SpanKind, row["kind"]),
        "status": _member(SpanStatus, row["status"]),
        "start_ns": row["start_ns"],
        "duration_ns": row["duration_ns"],
        "error": row["error"],
    }


def span_of(row: Mapping[str, Any]) -> Span:
    """A span from a row of ``SPAN_COLUMNS``."""
    return Span(
        **line_fields(row),
        status_message=row["status_message"],
        attributes=decode_attributes(row["attr_keys"], row["attr_texts"], row["kinds"]),
        events=tuple(_event_of(each) for each in row["events"]),
        links=tuple(_link_of(each) for each in row["link_rows"]),
        order_ids=tuple(row["order_ids"]),
        user_id=row["user_id"],
        retry_count=row["retry_count"],
        timeout=bool(row["timeout"]),
        trace_state=row["trace_state"],
        flags=row["flags"],
        origin_id=row["origin_id"],
        scope=row["scope"],
        dropped_attributes=row["dropped_attributes"],
        dropped_events=row["dropped_events"],
        dropped_links=row["dropped_links"],
    )


def _member(enum: type[_Member], index: int) -> _Member:
    members = list(enum)
    return members[index] if 0 <= index < len(members) else members[0]


def _event_of(row: Mapping[str, Any]) -> SpanEvent:
    return SpanEvent(row["name"], row["ts"], _attributes_of(row["attrs"], row["kinds"]), row["dropped"])


def _link_of(row: Sequence[Any]) -> SpanLink:
    trace_id, span_id, trace_state, flags, attrs, kinds, dropped = row
    return SpanLink(trace_id, span_id, trace_state, flags, _attributes_of(attrs, kinds), dropped)


def _attributes_of(attrs: Mapping[str, str], kinds: Sequence[str]) -> Attributes:
    """Attributes of an event or link: a key that was sent twice is there once, and all of them as texts then."""
    told = kinds if len(kinds) == len(attrs) else ["string_value"] * len(attrs)
    return decode_attributes(list(attrs), list(attrs.values()), told)


def log_of(row: Mapping[str, Any]) -> LogRecord:
    """A log record from a row of ``LOG_COLUMNS``."""
    return LogRecord(
        at_ns=row["at_ns"],
        observed_ns=row["observed_ns"],
        trace_id="" if row["trace"] == NO_TRACE else row["trace"],
        span_id="" if row["span"] == NO_SPAN else row["span"],
        service=row["service"],
        severity_number=row["severity_number"],
        severity=row["severity_text"],
        event_name=row["event_name"],
        body=decode_value(row["body"], row["body_kind"]),
        attributes=decode_attributes(row["attr_keys"], row["attr_texts"], row["kinds"]),
        order_ids=tuple(row["order_ids"]),
        flags=row["flags"],
        origin_id=row["origin_id"],
        scope=row["scope"],
        dropped_attributes=row["dropped_attributes"],
    )


def _origin_of(row: Mapping[str, Any]) -> Origin:
    return Origin(
        origin_id=row["origin_id"],
        service=row["service"],
        resource=decode_attributes(row["keys"], row["texts"], row["resource_kinds"]),
        resource_dropped=row["resource_dropped"],
        resource_schema_url=row["resource_schema_url"],
        scope_name=row["scope_name"],
        scope_version=row["scope_version"],
        scope=decode_attributes(row["scope_keys"], row["scope_texts"], row["scope_kinds"]),
        scope_dropped=row["scope_dropped"],
        scope_schema_url=row["scope_schema_url"],
    )
