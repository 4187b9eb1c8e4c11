"""Queues as rules read them: messages that really wait."""

from __future__ import annotations

import pytest

from clew.store.embedded import open_store
from clew.store.rule_queues import read_waiting
from tests.builders import ingest, span, span_hex, trace_hex, traces

SECOND, MINUTE = 10**9, 60 * 10**9
NOW = 1_795_348_800 * SECOND


def sent(number, minutes_ago, destination="shop:order.submitted"):
    return span(number, 1, NOW - round(minutes_ago * MINUTE), lasts_ms=0, kind="producer",
                messaging__destination__name=destination)  # fmt: skip


def taken(number, minutes_ago, queue="crm.orders"):
    return span(number, 2, NOW - round(minutes_ago * MINUTE), parent=1, kind="consumer", clew__message__queue=queue,
                messaging__destination__name=f"shop:order.submitted:{queue}", clew__message__settlement="ack")  # fmt: skip


def say_lost(store, *messages, reason="in_queue"):
    columns = ("trace_id", "span_id", "version", "state", "reason", "destination", "published")
    rows = [
        (bytes.fromhex(trace_hex(number)), bytes.fromhex(span_hex(1)), 1, "lost", reason, "shop:order.submitted",
         NOW - minutes * MINUTE)
        for number, minutes in messages
    ]  # fmt: skip
    store.insert("hop_losses", columns, rows)


@pytest.fixture
def store(tmp_path):
    opened = open_store(tmp_path)
    yield opened
    opened.close()


def test_messages_wait_that_were_published_after_the_last_one_was_taken(store):
    published = [sent(1, 30), sent(2, 20), sent(3, 9), sent(4, 8), sent(5, 3), sent(9, 1, "mes:pulled")]
    ingest(store, NOW, traces("shop-api", *published), traces("crm-api", taken(2, 19.5)))
    say_lost(store, (1, 30), (3, 9), (4, 8))
    [queue] = read_waiting(store, NOW, 6 * MINUTE)
    assert (queue.destination, queue.queue, queue.consumer) == ("shop:order.submitted", "crm.orders", "crm-api")
    assert (queue.waiting, queue.oldest_ns, queue.taken_ns) == (3, NOW - 9 * MINUTE, NOW - round(19.5 * MINUTE))
    assert queue.trace_ids == (trace_hex(3), trace_hex(4), trace_hex(5))
    ingest(store, NOW, traces("crm-api", taken(5, 1)))
    assert read_waiting(store, NOW, 6 * MINUTE) == []


def test_nobody_can_tell_that_messages_wait_where_no_consumer_was_ever_seen(store):
    ingest(store, NOW, traces("shop-api", sent(1, 30), sent(2, 2)))
    say_lost(store, (1, 30), reason="unknown")
    assert read_waiting(store, NOW, 6 * MINUTE) == []


def test_the_span_around_a_publish_is_no_message_of_its_own(store):
    outer = sent(1, 2)
    inner = span(1, 5, NOW - 2 * MINUTE, parent=1, lasts_ms=0, kind="producer",
                 messaging__destination__name="shop:order.submitted")  # fmt: skip
    ingest(store, NOW, traces("shop-api", outer, inner, sent(3, 60)), traces("crm-api", taken(3, 59)))
    [queue] = read_waiting(store, NOW, 6 * MINUTE)
    assert queue.waiting == 1
