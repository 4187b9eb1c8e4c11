"""What a text that somebody typed may stand for: an order, a trace, a user, the beginning of order ids."""

from __future__ import annotations

from clew.store.contract import Store
from clew.store.lookups import LOOKUP

_FINAL = "SETTINGS do_not_merge_across_partitions_select_final = 1"


_BY_ID = f"SELECT order_id FROM orders FINAL WHERE order_id = {{text:String}} LIMIT 1 {_FINAL}"
_BY_ALIAS = f"SELECT order_id FROM orders FINAL WHERE has(alias_values, {{text:String}}) LIMIT 1 {_FINAL}"
_BY_ANY_CASE = f"""
SELECT order_id FROM orders FINAL
WHERE gone = 0 AND (lowerUTF8(order_id) = lowerUTF8({{text:String}})
    OR arrayExists(each -> lowerUTF8(each) = lowerUTF8({{text:String}}), alias_values))
ORDER BY order_id LIMIT 5 {_FINAL}"""
_OF_USER = f"SELECT count() AS n FROM orders FINAL WHERE user_id = {{text:String}} {_FINAL}"
_BEGINNING = f"SELECT count() AS n FROM orders FINAL WHERE startsWith(order_id, {{text:String}}) {_FINAL}"


def order_called(store: Store, text: str) -> str | None:
    """The id of the order with this id, else of one that goes by it as well; None when there is none."""
    rows = store.rows(_BY_ID, {"text": text}) or store.rows(_BY_ALIAS, {"text": text})
    return str(rows[0]["order_id"]) if rows else None


def orders_called_alike(store: Store, text: str) -> tuple[str, ...]:
    """The ids of a few orders whose own id or another id is this text in other capitals; reads all orders."""
    return tuple(str(row["order_id"]) for row in store.rows(_BY_ANY_CASE, {"text": text}))


def has_trace(store: Store, trace_id: str) -> bool:
    """Whether a span of this trace (32 hex digits) is stored."""
    sql = f"SELECT 1 AS one FROM spans WHERE trace_id = unhex({{trace:String}}) LIMIT 1 {LOOKUP}"
    return bool(store.rows(sql, {"trace": trace_id}))


def orders_of_user(store: Store, user_id: str) -> int:
    """How many orders belong to a user (the id as it is stored)."""
    return int(store.rows(_OF_USER, {"text": user_id})[0]["n"])


def orders_beginning(store: Store, prefix: str) -> int:
    """How many order ids begin like this."""
    return int(store.rows(_BEGINNING, {"text": prefix})[0]["n"])


def any_order(store: Store) -> bool:
    """Whether any order was ever told of."""
    return bool(store.rows(f"SELECT 1 AS one FROM orders WHERE gone = 0 LIMIT 1 {LOOKUP}"))
