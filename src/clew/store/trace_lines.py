"""One trace in lines, and one of its spans opened.

A waterfall draws thousands of spans and shows attributes, events and links of one. Reading these for all of them costs
three times as much, so they are read when a span is opened.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from clew.store.contract import Store
from clew.store.lookups import LOOKUP, both
from clew.store.order_spans import LINE_COLUMNS, SpanLine
from clew.store.spans import (
    LOG_COLUMNS,
    ONCE,
    SPAN_COLUMNS,
    TRACE_SET,
    LogRecord,
    Origin,
    Span,
    SpanKind,
    SpanStatus,
    line_fields,
    linked_traces,
    log_of,
    read_origins,
    span_of,
    sql,
)

MOST_LINES = 50_000
_MOST_LINKING = 100
_MOST_LOGS = 200
_LONGEST_MESSAGE = 301
_KINDS, _STATUSES = dict(enumerate(SpanKind)), dict(enumerate(SpanStatus))
_KIND_NUMBERS = {kind.value: number for number, kind in _KINDS.items()}
_FAILED = list(SpanStatus).index(SpanStatus.ERROR)
_ROOT = bytes(8)


@dataclass(frozen=True, slots=True)
class Lines:
    """Spans of one trace in lines, held by columns that run beside each other; ``lines[place]`` makes a line.

    Ten thousand lines as objects would take longer than reading them. ``span_ids`` and ``parent_ids`` are lower-case
    hex, '' for a root; ``kinds`` and ``statuses`` the numbers of OTLP; ``starts`` (Unix ns) and ``durations`` in
    nanoseconds; ``failed`` says of each whether it ended in an error.
    """

    trace_id: str
    span_ids: Sequence[str] = ()
    parent_ids: Sequence[str] = ()
    services: Sequence[str] = ()
    names: Sequence[str] = ()
    kinds: Sequence[int] = ()
    statuses: Sequence[int] = ()
    starts: Sequence[int] = ()
    durations: Sequence[int] = ()
    errors: Sequence[str] = ()
    failed: Sequence[bool] = ()

    @classmethod
    def of(cls, lines: Iterable[SpanLine]) -> Lines:
        """Spans of one trace that were made one by one."""
        spans = list(lines)
        return cls(
            spans[0].trace_id if spans else "",
            [each.span_id for each in spans],
            [each.parent_span_id for each in spans],
            [each.service for each in spans],
            [each.name for each in spans],
            [_KIND_NUMBERS[each.kind.value] for each in spans],
            [list(SpanStatus).index(each.status) for each in spans],
            [each.start_ns for each in spans],
            [each.duration_ns for each in spans],
            [each.error for each in spans],
            [each.failed for each in spans],
        )

    def __len__(self) -> int:
        return len(self.span_ids)

    def __iter__(self) -> Iterator[SpanLine]:
        return map(self.__getitem__, range(len(self)))

    def __getitem__(self, place: int) -> SpanLine:
        return SpanLine(
            self.trace_id,
            self.span_ids[place],
            self.parent_ids[place],
            self.services[place],
            self.names[place],
            _KINDS.get(self.kinds[place], SpanKind.UNSPECIFIED),
            _STATUSES.get(self.statuses[place], SpanStatus.UNSET),
            self.starts[place],
            self.durations[place],
            self.errors[place],
        )

    def picked(self, places: Sequence[int]) -> Lines:
        """The lines at these places, in this order."""
        columns = (getattr(self, field.name) for field in fields(self)[1:])
        return Lines(self.trace_id, *([*map(column.__getitem__, places)] for column in columns))


@dataclass(frozen=True, slots=True)
class TraceLines:
    """The spans of a trace in no particular order; ``complete`` is false when it has more than were read, which are
    the earliest then."""

    lines: Lines
    complete: bool


@dataclass(frozen=True, slots=True)
class OpenedSpan:
    """A span with its logs by time, where it comes from, and the spans that link to it, from whichever trace.

    ``origin`` is None when it was dropped already. ``more_logs``: there are more than were read.
    """

    span: Span
    logs: tuple[LogRecord, ...]
    more_logs: bool
    origin: Origin | None
    linked_by: tuple[SpanLine, ...]


def trace_lines(store: Store, trace_id: str, limit: int = MOST_LINES) -> TraceLines:
    """The spans of a trace by its id in hex; none when it is unknown. A span that was received twice is given once."""
    bind = {"trace": trace_id, "limit": limit + 1}
    lines = _lines(trace_id, store.columns(sql(_OF_TRACE, "LIMIT {limit:UInt32}", LOOKUP), bind))
    if len(lines) > limit:
        # Only here the engine has to sort and to look for repeats, which doubles what reading costs.
        cut = sql(_OF_TRACE, "ORDER BY ts, span_id LIMIT 1 BY span_id LIMIT {limit:UInt32}", LOOKUP)
        lines = _lines(trace_id, store.columns(cut, bind))
    # Of a repeated span the first place, as later ones are overwritten.
    places = sorted(dict(zip(reversed(lines.span_ids), reversed(range(len(lines))), strict=True)).values())[:limit]
    return TraceLines(lines if len(places) == len(lines) else lines.picked(places), len(lines) <= limit)


_OF_TRACE = (
    "SELECT span_id, parent_span_id, service, name, kind, status, toUnixTimestamp64Nano(ts) AS start_ns, duration_ns, "
    "error FROM spans WHERE trace_id = toFixedString(unhex({trace:String}), 16)"
)


def failure_messages(store: Store, trace_id: str, span_ids: Sequence[str]) -> dict[str, str]:
    """Why these spans of a trace failed, by their ids in hex: what the status says, else the exception's message.

    Spans that say nothing are left out.
    """
    if not span_ids:
        return {}
    rows = store.rows(
        sql(
            "SELECT lower(hex(span_id)) AS span, substringUTF8(if(status_message != '', status_message,",
            "arrayFirst(e -> e.name = 'exception', events).attrs['exception.message']), 1, {most:UInt32}) AS message",
            "FROM spans WHERE trace_id = toFixedString(unhex({trace:String}), 16)",
            "AND lower(hex(span_id)) IN {spans:Array(String)} AND message != ''", ONCE, LOOKUP,
        ),
        {"trace": trace_id, "spans": list(span_ids), "most": _LONGEST_MESSAGE},
    )  # fmt: skip
    return {row["span"]: row["message"] for row in rows}


def _lines(trace_id: str, found: Mapping[str, Sequence[Any]]) -> Lines:
    if not found:  # without rows the driver names no columns
        return Lines(trace_id)
    return Lines(
        trace_id,
        [span_id.hex() for span_id in found["span_id"]],
        ["" if parent == _ROOT else parent.hex() for parent in found["parent_span_id"]],
        found["service"],
        found["name"],
        found["kind"],
        found["status"],
        found["start_ns"],
        found["duration_ns"],
        found["error"],
        [status == _FAILED or error != "" for status, error in zip(found["status"], found["error"], strict=True)],
    )


def open_span(store: Store, trace_id: str, span_id: str) -> OpenedSpan | None:
    """All that is stored of one span, by ids in hex; None when it is unknown."""
    bind = {"trace": trace_id, "span": span_id}
    rows, (logs, linked_by) = both(
        lambda: store.rows(sql("SELECT", SPAN_COLUMNS, "FROM spans WHERE", _THIS_SPAN, "LIMIT 1", LOOKUP), bind),
        lambda: both(lambda: _logs_of(store, bind), lambda: _linking_to(store, trace_id, span_id)),
    )
    if not rows:
        return None
    span = span_of(rows[0])
    origins = read_origins(store, [span.origin_id])
    return OpenedSpan(
        span, logs[:_MOST_LOGS], len(logs) > _MOST_LOGS, next(iter(origins), None), linked_by
    )  # fmt: skip


_THIS_SPAN = "trace_id = toFixedString(unhex({trace:String}), 16) AND span_id = toFixedString(unhex({span:String}), 8)"


def _logs_of(store: Store, bind: Mapping[str, object]) -> tuple[LogRecord, ...]:
    rows = store.rows(
        sql(
            "SELECT", LOG_COLUMNS, "FROM logs WHERE", _THIS_SPAN,
            "ORDER BY ts LIMIT 1 BY ts, service, event_name, body, uid, toString(attrs) LIMIT {limit:UInt32}", LOOKUP,
        ),
        {**bind, "limit": _MOST_LOGS + 1},
    )  # fmt: skip
    return tuple(log_of(row) for row in rows)


def _linking_to(store: Store, trace_id: str, span_id: str) -> tuple[SpanLine, ...]:
    """Spans that name this one in a link: of the same trace, and of those that a link connects with it."""
    rows = store.rows(
        sql(
            "SELECT", LINE_COLUMNS, "FROM spans WHERE trace_id IN", TRACE_SET,
            "AND arrayExists(l -> l.trace_id = unhex({trace:String}) AND l.span_id = unhex({span:String}), links)",
            "ORDER BY ts", ONCE, "LIMIT {limit:UInt32}", LOOKUP,
        ),
        {
            "traces": [trace_id, *linked_traces(store, trace_id)], "trace": trace_id, "span": span_id,
            "limit": _MOST_LINKING,
        },
    )  # fmt: skip
    return tuple(SpanLine(**line_fields(row)) for row in rows)
