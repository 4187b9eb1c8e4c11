"""When a flow changes: orders to rebuild, and stage events to derive again from the spans that are kept."""

from __future__ import annotations

import time

from clew.store.contract import Store
from clew.store.render import render_derivation

TOUCH_AHEAD_NS = 10 * 10**9
"""Touches that Clew makes itself are stamped this far ahead: by the time their insert is visible the ticker's mark may
have passed the present, but never a moment that is still to come."""

_TOUCH = "INSERT INTO order_touch (received, order_id, ts) SELECT fromUnixTimestamp64Nano({ahead:Int64}, 'UTC'), "


def touch_open_orders(store: Store, flow: str) -> None:
    """Have the ticker rebuild every open order of a flow; an empty name stands for any."""
    store.command(
        f"{_TOUCH} order_id, first_seen FROM orders FINAL WHERE bucket = toDate(0) AND {{flow:String}} IN ('', flow)",
        {"ahead": time.time_ns() + TOUCH_AHEAD_NS, "flow": flow},
    )


def touch_due_orders(store: Store, now_ns: int, most: int) -> None:
    """Have the ticker rebuild open orders that are due after a moment, those first that are due first."""
    store.command(
        f"{_TOUCH} order_id, first_seen FROM orders FINAL WHERE bucket = toDate(0) "
        "AND due_at > fromUnixTimestamp64Nano({now:Int64}, 'UTC') ORDER BY due_at LIMIT {most:UInt32}",
        {"ahead": time.time_ns() + TOUCH_AHEAD_NS, "now": now_ns, "most": most},
    )


def rederive_stage_events(store: Store, rules: str, since_ns: int) -> None:
    """Replace the stage events that rules derived since a moment by those that these rules derive.

    Orders are touched before and after, so that those which lose events and those which gain some are rebuilt. Doing it
    again is safe. Spans that retention has dropped derive nothing: choose a moment from which spans are still kept.
    """
    since = {"since": since_ns}
    _touch_derived(store, since_ns)
    store.command(
        "DELETE FROM order_events WHERE source = 'rule' AND ts >= fromUnixTimestamp64Nano({since:Int64}, 'UTC')", since
    )
    store.command(
        f"INSERT INTO order_events {render_derivation(rules)} SETTINGS max_partitions_per_insert_block = 0",
        since | {"now": time.time_ns()},
    )
    _touch_derived(store, since_ns)


def _touch_derived(store: Store, since_ns: int) -> None:
    store.command(
        f"{_TOUCH} order_id, min(e.ts) FROM order_events AS e WHERE source = 'rule' "
        "AND e.ts >= fromUnixTimestamp64Nano({since:Int64}, 'UTC') GROUP BY order_id",
        {"ahead": time.time_ns() + TOUCH_AHEAD_NS, "since": since_ns},
    )
