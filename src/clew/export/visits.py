"""Stage events as a file: one row a visit, that is every entry into a stage as reports count it.

Rows are in the order of `export_orders`, and then as the journey goes. An order's visits come from its journey; who
reported them, from the facts: under the order's own id, or under another id that it also goes by.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from clew.export.columns import TEXT_MAP, Column, free_text, id_or_empty, iso, moment_or_null, select
from clew.export.slices import IN_SLICE, every_order, order_slices
from clew.model.moments import LAST_NS
from clew.store.contract import Format, Store
from clew.store.facts import read_alias_edges
from clew.store.spans import sql

COLUMNS = (
    free_text("order_id"),
    free_text("stage"),
    Column("time", iso("at")),
    free_text("path"),
    free_text("service"),
    free_text("actor"),
    free_text("user_id"),
    moment_or_null("due", "due_at")[0],
    Column("time_ns", "toUnixTimestamp64Nano(at)"),
    free_text("flow"),
    Column("trace_id", id_or_empty("trace_id")),
    Column("span_id", id_or_empty("span_id")),
    Column("source", "source"),
    Column("attributes", f"CAST(attrs, '{TEXT_MAP}')", nested=True),
)


@dataclass(frozen=True, slots=True)
class VisitFilter:
    """Which visits to export; empty fields match everything. The range is half open, in Unix nanoseconds.

    ``order_id`` may be any id of the order; ``flow`` and ``path`` are those of the order.
    """

    order_id: str = ""
    flow: str = ""
    stage: str = ""
    path: str = ""
    from_ns: int = 0
    to_ns: int = LAST_NS


def export_visits(store: Store, filter_: VisitFilter, now_ns: int, format_: Format) -> Iterator[bytes]:
    """The visits that match, as a file in pieces. Raises as `Store.stream` does."""
    bind: dict[str, object] = {
        "flow": filter_.flow, "path": filter_.path, "stage": filter_.stage,
        "from": filter_.from_ns, "to": filter_.to_ns, "ids": [],
    }  # fmt: skip
    if filter_.order_id:
        edges = read_alias_edges(store, [filter_.order_id])
        bind["ids"] = sorted({filter_.order_id, *(each for edge in edges for each in edge)})
        slices = [every_order()]
    else:
        slices = order_slices(store, now_ns) or [every_order()]
    yield from store.stream(_query(format_), [bind | each for each in slices], format_)


_ORDERS = sql(
    "SELECT bucket, order_id, flow, path, user_id, due_at, alias_values, stages, entered_at FROM orders FINAL WHERE",
    IN_SLICE, "AND {flow:String} IN ('', flow) AND {path:String} IN ('', path)",
    "AND (empty({ids:Array(String)}) OR order_id IN {ids:Array(String)})",
)  # fmt: skip
_IN_RANGE = "%s >= fromUnixTimestamp64Nano({from:Int64}, 'UTC') AND %s < fromUnixTimestamp64Nano({to:Int64}, 'UTC')"
_VISITS = sql(
    "SELECT bucket, order_id, flow, path, user_id, due_at, stage, at, place FROM (", _ORDERS, ")",
    "ARRAY JOIN stages AS stage, entered_at AS at, arrayEnumerate(stages) AS place",
    "WHERE {stage:String} IN ('', stage) AND", _IN_RANGE.replace("%s", "at"),
)  # fmt: skip
_IDS = sql("SELECT order_id AS speaker, arrayJoin(arrayPushFront(alias_values, order_id)) AS id FROM (", _ORDERS, ")")
# Who reported which stage, under the id that speaks for the order; of several at one moment the first by span.
_TOLD = sql(
    "SELECT i.speaker AS order_id, e.ts AS ts, e.stage AS stage, e.service AS service, e.actor AS actor,",
    "e.trace_id AS trace_id, e.span_id AS span_id, e.source AS source, e.attrs AS attrs",
    "FROM (SELECT * FROM order_events FINAL WHERE order_id IN (SELECT id FROM (", _IDS, "))",
    "AND stage != '' AND outcome != 'failed' AND", _IN_RANGE.replace("%s", "ts"),
    "AND ts >= fromUnixTimestamp64Nano({since:Int64}, 'UTC') AND ts <= fromUnixTimestamp64Nano({until:Int64}, 'UTC')",
    ") AS e INNER JOIN (", _IDS, ") AS i ON e.order_id = i.id",
    "ORDER BY order_id, ts, stage, span_id, source, service LIMIT 1 BY order_id, ts, stage",
)  # fmt: skip


def _query(format_: Format) -> str:
    joined = sql(
        "SELECT v.bucket AS bucket, v.order_id AS order_id, v.stage AS stage, v.at AS at, v.path AS path,",
        "v.user_id AS user_id, v.due_at AS due_at, v.flow AS flow, v.place AS place, t.service AS service,",
        "t.actor AS actor, t.trace_id AS trace_id, t.span_id AS span_id, t.source AS source, t.attrs AS attrs",
        "FROM (", _VISITS, ") AS v LEFT ANY JOIN (", _TOLD, ") AS t",
        "ON v.order_id = t.order_id AND v.at = t.ts AND v.stage = t.stage",
    )  # fmt: skip
    return select(COLUMNS, joined, "r.bucket, r.order_id, r.place", format_)
