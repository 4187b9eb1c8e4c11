"""The page of an order with more messages than anybody reads: it stays a page, and says what it leaves out."""

from __future__ import annotations

from dataclasses import replace
from html import unescape
from zoneinfo import ZoneInfo

import pytest

from clew.journey.rebuild import rebuild
from clew.store.order_notes import OrderLogs
from clew.store.order_spans import OrderLines, OrderScope
from clew.store.whole_order import WholeOrder
from clew.web.pages.order.context import DELIVERIES_SHOWN, MESSAGES_AT_MOST, MESSAGES_SHOWN, Asked, Kept, order_page
from tests.journey.timeline import at, event
from tests.web.pages import rendered
from tests.web.test_order_timeline import FLOW, delivery, message


def page_of(messages, whole=""):
    scope = OrderScope(("a/1",), (), {}, frozenset(), 0, 0)
    journey = rebuild("a/1", (event("BASKET", 0, "shop"),), FLOW, ())
    order = WholeOrder(journey, scope, OrderLines((), True), (), tuple(messages))
    asked = Asked("a/1", "http://clew/orders/a%2F1", ZoneInfo("UTC"), whole)
    return order_page(Kept(order, (), OrderLogs((), True)), FLOW, asked, at(100))


@pytest.mark.parametrize(("whole", "shown"), [("", MESSAGES_SHOWN), ("messages", MESSAGES_AT_MOST)])
def test_very_many_messages_are_bounded_even_when_all_are_asked_for(whole, shown):
    sent = [replace(message(number / 100), span_id=f"{number:016x}") for number in range(1, MESSAGES_AT_MOST + 101)]
    page = page_of(sent, whole)
    assert (len(page.messages), page.messages_left) == (shown, len(sent) - shown)
    assert page.messages[-1].message is sent[-1]


def test_what_is_left_out_is_said():
    again = [delivery(minutes, redelivered=True) for minutes in range(2, 1_002)]
    page = page_of([message(1, *again), *[message(2)] * MESSAGES_SHOWN])
    text = unescape(rendered("order/order.html", page, at(100)))
    assert "1 earlier messages isn't shown" in text
    assert "hops of messages aren't drawn" in text
    whole = page_of([message(1, *again)], "messages")
    (row,) = whole.messages
    assert (len(row.deliveries), row.deliveries_left) == (DELIVERIES_SHOWN, 1_000 - DELIVERIES_SHOWN)
    text = unescape(rendered("order/order.html", whole, at(100)))
    assert "after 950 earlier deliveries that aren't shown" in text
    assert text.count("acknowledged") + text.count("redelivered") >= DELIVERIES_SHOWN
    assert 'href="/orders/a%2F1?time=scale#timeline"' in text
