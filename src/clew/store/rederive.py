"""When a flow changes: orders to rebuild, and stage events to derive again from the spans that are kept."""

from __future__ import annotations

import time

from clew.store.contract import Store
from clew.store.render import render_derivation

_MANY_PARTITIONS = "SETTINGS max_partitions_per_insert_block = 0"


def touch_open_orders(store: Store, flow: str) -> None:
    """Have the ticker rebuild every open order of a flow."""
    store.command(
        "INSERT INTO order_touch (received, order_id, ts) SELECT fromUnixTimestamp64Nano({now:Int64}, 'UTC'), order_id, "
        "first_seen FROM orders FINAL WHERE bucket = toDate(0) AND flow = {flow:String}",
        {"now": time.time_ns(), "flow": flow},
    )


def rederive_stage_events(store: Store, rules: str, since_ns: int) -> None:
    """Replace the stage events that rules derived since a moment by those that these rules derive.

    Orders are touched before and after, so that a crash between the steps leaves nothing untold; doing it again is safe.
    Spans that retention has dropped derive nothing any more: their events are gone too, so say since when.
    """
    bind = {"since": since_ns, "now": time.time_ns()}
    store.command(
        "INSERT INTO order_touch (received, order_id, ts) SELECT fromUnixTimestamp64Nano({now:Int64}, 'UTC'), order_id, "
        "min(e.ts) FROM order_events AS e WHERE source = 'rule' "
        "AND e.ts >= fromUnixTimestamp64Nano({since:Int64}, 'UTC') GROUP BY order_id",
        bind,
    )
    store.command(
        "DELETE FROM order_events WHERE source = 'rule' AND ts >= fromUnixTimestamp64Nano({since:Int64}, 'UTC')",
        {"since": since_ns},
    )
    store.command(
        f"INSERT INTO order_events {render_derivation(rules)} {_MANY_PARTITIONS}",
        {"since": since_ns, "now": time.time_ns()},
    )
