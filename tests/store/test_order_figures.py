"""Figures of orders are those of the orders of one flow, whatever their events say of it."""

from __future__ import annotations

from clew.model.journey import Journey, Milestone
from clew.store.codec import journey_to_json
from clew.store.embedded import open_store
from clew.store.minutes import MINUTE_NS, Window
from clew.store.order_figures import stage_failures
from clew.store.orders import OrderRow, encode_order, write_encoded
from tests.builders import ingest, logs, stage_event

NOON = 1_795_348_800 * 10**9
WINDOW = Window(NOON - 60 * MINUTE_NS, 10 * MINUTE_NS, 6)


def _order(order_id, flow, *other_ids):
    at_ns = NOON - 40 * MINUTE_NS
    journey = Journey(order_id, flow, 1, "", (Milestone("IN", at_ns),), first_ns=at_ns, last_ns=at_ns, facts=1)
    return encode_order(OrderRow(journey, journey_to_json(journey), 1, other_ids))


def _failed(order_id, stage, minutes, **facts):
    return stage_event(order_id, stage, NOON - minutes * MINUTE_NS, order__outcome="failed", **facts)


def test_failed_attempts_are_those_of_the_orders_of_the_flow_under_any_id(tmp_path):
    store = open_store(tmp_path)
    try:
        write_encoded(store, [_order("A", "shop", "D1"), _order("B", "repairs")], [])
        events = [
            _failed("A", "PRICE", 30),
            _failed("D1", "PRICE", 20),
            _failed("B", "PRICE", 10),
            _failed("B", "FIX", 9),
        ]
        ingest(store, NOON, logs("shop", *events, _failed("A", "PRICE", 90), _failed("nobody", "PRICE", 10)))
        assert stage_failures(store, WINDOW, "shop") == {"PRICE": 2}
        assert stage_failures(store, WINDOW, "repairs") == {"PRICE": 1, "FIX": 1}
    finally:
        store.close()
