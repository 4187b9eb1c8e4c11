"""Operations, database statements and queues of a service, as the spans tell them."""

from __future__ import annotations

import pytest

from clew.store.embedded import open_store
from clew.store.service_details import Operation, operations, queues, statements
from clew.store.services import edges, services
from clew.store.spans import SpanKind
from tests.builders import ingest, span, traces

NOON = 1_795_348_800 * 10**9
SECOND = 10**9
MINUTE = 60 * SECOND
SINCE, UNTIL = NOON - 60 * MINUTE, NOON
SENT = {"messaging__destination__name": "orders"}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    opened = open_store(tmp_path_factory.mktemp("details"))
    ingest(opened, NOON, *_shop(), *_messages(), _shop()[0])
    yield opened
    opened.close()


def _shop():
    at = NOON - 30 * MINUTE
    query = {"db__system__name": "postgresql", "db__namespace": "shop"}
    shop = traces(
        "shop",
        span(1, 1, at, lasts_ms=1500, name="POST /orders", kind="server"),
        span(1, 2, at, lasts_ms=100, name="POST /orders", kind="server", status="error"),
        span(1, 3, at, lasts_ms=1400, name="INSERT", parent=1, kind="client", db__query__summary="INSERT orders", **query),
        span(1, 4, at, lasts_ms=4, name="INSERT", parent=1, kind="client", db__query__summary="INSERT orders", **query),
        span(1, 5, at, lasts_ms=2, name="SELECT", parent=1, kind="client", db__statement="SELECT 1", db__system="mysql"),
        span(1, 6, at, lasts_ms=3, name="old", parent=1, kind="client", db__system="mysql"),
        span(1, 7, NOON - 90 * MINUTE, name="before", kind="server"),
    )  # fmt: skip
    return shop, traces("crm", span(1, 8, at, name="POST /deals", parent=1, kind="server"))


def _messages():
    at = NOON - 20 * MINUTE
    sent = traces(
        "shop",
        *(span(2, n, at + n * SECOND, lasts_ms=1, name="send", kind="producer", **SENT) for n in range(1, 5)),
        span(2, 5, at, name="send", kind="producer", status="error", error__type="unroutable", **SENT),
    )
    taken = traces(
        "mes",
        span(2, 11, at + 3 * SECOND, name="process", parent=1, kind="consumer", **SENT),
        span(2, 12, at + 6 * SECOND, name="process", parent=2, kind="consumer", **SENT),
        span(2, 13, at + 9 * SECOND, name="process", parent=2, kind="consumer", clew__message__redelivered=True, **SENT),
    )  # fmt: skip
    return sent, taken


def test_operations_are_told_by_name_and_kind_what_it_was_asked_for_first(store):
    found = operations(store, SINCE, UNTIL, "shop")
    assert found[0] == Operation("POST /orders", SpanKind.SERVER, 2, 1, *(found[0].p50_ns, found[0].p95_ns))
    assert found[0].p95_ns == pytest.approx(1500 * 10**6, rel=0.05)
    assert {(each.name, each.kind.value, each.spans) for each in found[1:]} == {
        ("INSERT", "client", 2), ("SELECT", "client", 1), ("old", "client", 1), ("send", "producer", 5),
    }  # fmt: skip


def test_statements_are_told_by_their_best_name_the_slowest_first(store):
    found = statements(store, SINCE, UNTIL, "shop")
    rows = [(each.key, each.statement, each.engine, each.spans, each.slow) for each in found]
    assert rows[0] == ("db.query.summary", "INSERT orders", "postgresql", 2, 1)
    assert set(rows[1:]) == {("db.statement", "SELECT 1", "mysql", 1, 0), ("name", "old", "mysql", 1, 0)}
    assert found[0].longest_ns == 1400 * 10**6


def test_slow_statements_of_all_services_are_found_alone(store):
    (slow,) = statements(store, SINCE, UNTIL, slow_only=True)
    assert (slow.service, slow.statement, slow.spans, slow.slow) == ("shop", "INSERT orders", 1, 1)
    assert statements(store, SINCE, UNTIL, "crm") == []


@pytest.mark.parametrize("service", ["", "shop", "mes"])
def test_a_queue_tells_what_was_published_taken_refused_and_delivered_again(store, service):
    (queue,) = queues(store, SINCE, UNTIL, service)
    assert (queue.name, queue.publishers, queue.consumers) == ("orders", ("shop",), ("mes",))
    assert (queue.published, queue.waiting, queue.refused, queue.redelivered) == (5, 2, 1, 1)
    assert queue.oldest_ns == NOON - 20 * MINUTE + 3 * SECOND + 10**6
    assert queue.p50_ns is not None
    assert queue.p95_ns is not None
    assert 1.9 * SECOND < queue.p50_ns <= queue.p95_ns < 4.1 * SECOND


def test_a_queue_of_others_is_not_told_and_nothing_taken_has_no_transit_time(store):
    assert queues(store, SINCE, UNTIL, "crm") == []
    (queue,) = queues(store, NOON - 20 * MINUTE + 3 * SECOND, UNTIL)
    assert (queue.published, queue.p50_ns, queue.p95_ns) == (2, None, None)


def test_edges_end_with_their_span_of_time(store):
    found = {(each.caller, each.callee): each.calls for each in edges(store, SINCE, UNTIL)}
    assert found == {
        ("shop", "crm"): 1, ("shop", "orders"): 5, ("orders", "mes"): 3, ("shop", "postgresql shop"): 2,
        ("shop", "mysql"): 2,
    }  # fmt: skip
    assert edges(store, SINCE, NOON - 40 * MINUTE) == ()
    assert services(store, SINCE).edges == edges(store, SINCE)
