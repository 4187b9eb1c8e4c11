"""Orders as a file: one row an order, open ones first, then by the week of their end; each of these by order id."""

from __future__ import annotations

from collections.abc import Iterator

from clew.export.columns import TEXT_MAP, Column, free_text, moment, moment_or_null, select
from clew.export.slices import IN_SLICE, every_order, order_slices
from clew.model.moments import LAST_NS
from clew.store.contract import Format, Store
from clew.store.orders import VERDICT, OrderFilter, order_where
from clew.store.spans import sql

_STARTED = "toUnixTimestamp64Nano(if(empty(entered_at), first_seen, entered_at[1]))"
_RANGE = f"{_STARTED} >= {{from:Int64}} AND {_STARTED} < {{to:Int64}}"

COLUMNS = (
    free_text("order_id"),
    free_text("flow"),
    Column("flow_version", "flow_version"),
    free_text("path"),
    Column("verdict", "verdict"),
    free_text("stage"),
    *moment("entered", "entered"),
    *moment("first", "first_seen"),
    *moment("last", "last_seen"),
    Column("terminal", "terminal"),
    Column("on_hold", "CAST(on_hold, 'Bool')"),
    free_text("lost"),
    Column("failed", "CAST(failed, 'Bool')"),
    *moment_or_null("deadline", "deadline_at"),
    *moment_or_null("due", "due_at"),
    free_text("user_id"),
    Column("errors", "errors"),
    Column("imported", "CAST(imported, 'Bool')"),
    Column("other_ids", "alias_values", nested=True),
    Column("deviations", "deviations", nested=True),
    Column("accepted", "accepted", nested=True),
    Column("stages", "stages", nested=True),
    Column("stages_ns", "arrayMap(at -> toUnixTimestamp64Nano(at), entered_at)", nested=True),
    Column("traces", "arrayMap(id -> lower(hex(id)), traces)", nested=True),
    Column("attributes", f"CAST(attrs, '{TEXT_MAP}')", nested=True),
)


def export_orders(
    store: Store, filter_: OrderFilter, now_ns: int, format_: Format, from_ns: int = 0, to_ns: int = LAST_NS
) -> Iterator[bytes]:
    """The orders that match, as a file in pieces; verdicts are those of ``now_ns``.

    The range is half open, in Unix nanoseconds, and is about an order's first visit. Raises as `Store.stream` does.
    """
    where, bind = order_where(filter_)
    source = sql(
        "SELECT *, toUnixTimestamp64Nano(deadline_at) AS deadline_ns, toUnixTimestamp64Nano(lost_from) AS lost_ns,",
        "toUnixTimestamp64Nano(warn_at) AS warn_ns,", VERDICT, "AS verdict",
        "FROM orders FINAL WHERE", where, "AND", IN_SLICE, "AND", _RANGE,
    )  # fmt: skip
    bind |= {"now": now_ns, "from": from_ns, "to": to_ns}
    slices = [bind | each for each in order_slices(store, now_ns)] or [bind | every_order()]
    yield from store.stream(select(COLUMNS, source, "r.bucket, r.order_id", format_), slices, format_)
