"""Spans as a file: one row a span, in the order of the table: by five minutes, then by trace."""

from __future__ import annotations

from collections.abc import Iterator

from clew.export.columns import TEXT_MAP, Column, free_text, id_or_empty, moment, select
from clew.export.slices import Load, span_slices
from clew.store.contract import Format, Store
from clew.store.search import SpanFilter, span_where
from clew.store.spans import ONCE, SpanKind, SpanStatus, sql

_KINDS = f"[{', '.join(repr(kind.value) for kind in SpanKind)}]"
_STATUSES = f"[{', '.join(repr(status.value) for status in SpanStatus)}]"
_EVENTS = f"Array(Tuple(name String, at_ns UInt64, attributes {TEXT_MAP}))"
_LINKS = f"Array(Tuple(trace_id String, span_id String, trace_state String, attributes {TEXT_MAP}))"

COLUMNS = (
    Column("trace_id", "lower(hex(trace_id))"),
    Column("span_id", "lower(hex(span_id))"),
    Column("parent_span_id", id_or_empty("parent_span_id")),
    free_text("service"),
    free_text("name"),
    Column("kind", f"if(kind < {len(SpanKind)}, {_KINDS}[kind + 1], 'unspecified')"),
    Column("status", f"if(status < {len(SpanStatus)}, {_STATUSES}[status + 1], 'unset')"),
    free_text("status_message"),
    *moment("start", "ts"),
    Column("duration_ns", "duration_ns"),
    free_text("user_id"),
    free_text("error"),
    Column("retry_count", "retry_count"),
    Column("timeout", "timeout"),
    free_text("scope"),
    free_text("trace_state"),
    Column("order_ids", "order_ids", nested=True),
    Column("attributes", f"CAST(attrs, '{TEXT_MAP}')", nested=True),
    Column("events", f"CAST(arrayMap(e -> (e.name, e.ts, e.attrs), events), '{_EVENTS}')", nested=True),
    Column(
        "links",
        "CAST(arrayMap(l -> (lower(hex(l.trace_id)), lower(hex(l.span_id)), l.trace_state, l.attrs), links), "
        f"'{_LINKS}')",
        nested=True,
    ),
)


def export_spans(store: Store, filter_: SpanFilter, format_: Format) -> Iterator[bytes]:
    """The spans that match, each once, as a file in pieces. Raises as `Store.stream` does."""
    where, bind = span_where(filter_)
    rows = store.rows(
        sql(
            "SELECT toUInt32(toStartOfFiveMinutes(ts)) AS at_s, count() AS spans FROM spans WHERE", where,
            "GROUP BY at_s ORDER BY at_s",
        ),
        bind,
    )  # fmt: skip
    source = sql(
        "SELECT * FROM spans WHERE", where, "AND ts >= toDateTime64({slice_from:UInt64}, 9, 'UTC')",
        "AND ts < toDateTime64({slice_to:UInt64}, 9, 'UTC') AND trace_id >= unhex({first_trace:String})",
        "AND ({before_trace:String} = '' OR trace_id < unhex({before_trace:String}))", ONCE,
    )  # fmt: skip
    slices = [bind | each for each in span_slices(Load(row["at_s"], row["spans"]) for row in rows)]
    by = "toStartOfFiveMinutes(r.ts), r.trace_id, r.ts, r.span_id"
    yield from store.stream(select(COLUMNS, source, by, format_), slices, format_)
