"""What is counted in a part of the time or of the traces, and multiplied, is like what is counted in all."""

from __future__ import annotations

import pytest

from clew.store.embedded import open_store
from clew.store.sampling import Sample
from clew.store.service_details import operations
from clew.store.services import edges
from tests.builders import ingest, span, traces

NOON = 1_795_348_800 * 10**9
SECOND = 10**9
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
SINCE, UNTIL = NOON - HOUR, NOON


@pytest.fixture
def store(tmp_path):
    opened = open_store(tmp_path)
    yield opened
    opened.close()


@pytest.mark.parametrize("one_in", [3, 6, 12])
def test_a_sample_is_not_the_same_minute_of_each_hour(store, one_in):
    hours = 10 * 24
    jobs = [span(1 + n, 1, NOON - (1 + n) * HOUR, name="job", kind="server") for n in range(hours)]
    ingest(store, NOON, traces("cron", *jobs))
    (job,) = operations(store, NOON - hours * HOUR, NOON, "cron", one_in)
    assert job.spans == pytest.approx(hours, rel=0.6)


@pytest.mark.parametrize("one_in", [4, 25])
def test_day_and_night_have_their_share_of_a_sample(store, one_in):
    day, block = 24 * HOUR, 5 * MINUTE
    began = [NOON - day + n * block for n in range(288) for _ in range(20 if 96 <= n < 192 else 1)]
    ingest(store, NOON, traces("shop", *(span(1, 1 + n, at, kind="server") for n, at in enumerate(began))))
    (done,) = operations(store, NOON - day, NOON, "shop", one_in)
    assert done.spans == pytest.approx(len(began), rel=0.05)


def test_a_call_that_was_received_twice_counts_once(store):
    shop = traces("shop", span(1, 1, SINCE, lasts_ms=900, kind="client"))
    crm = traces("crm", span(1, 2, SINCE + 1, parent=1, kind="server"), span(1, 3, SINCE + 2, parent=1, kind="server"))
    ingest(store, NOON, shop, crm)
    ingest(store, NOON, shop, crm)
    (call,) = edges(store, SINCE, UNTIL)
    assert (call.caller, call.callee, call.calls) == ("shop", "crm", 2)
    assert edges(store, SINCE, UNTIL, service="crm") == (call,)
    assert edges(store, SINCE, UNTIL, service="mes") == ()


def test_what_happens_all_the_time_is_counted_for_all_in_a_sample(store):
    query = {"db__system__name": "mysql"}
    each = [span(1, 1 + n, SINCE + n * 5 * MINUTE, name="SELECT", kind="client", **query) for n in range(12)]
    ingest(store, NOON, traces("shop", *each))
    for one_in in (2, 3, 4, 5, 12):
        assert [edge.calls for edge in edges(store, SINCE, UNTIL, one_in)] == [12]
        assert [done.spans for done in operations(store, SINCE, UNTIL, "shop", one_in)] == [12]


def test_a_sampled_message_keeps_its_publisher_however_long_it_lay(store):
    sent = {"messaging__destination__name": "orders"}
    taken = {"messaging__destination__name": "orders:mes"}
    at = NOON - 50 * MINUTE
    messages = range(1, 61)
    ingest(
        store,
        NOON,
        traces("shop", *(span(n, 1, at, name="send", kind="producer", **sent) for n in messages)),
        traces("mes", *(span(n, 2, at + 30 * MINUTE, parent=1, kind="consumer", **taken) for n in messages)),
    )
    published, delivered = edges(store, SINCE, UNTIL, 3)
    assert (published.callee, delivered.caller) == ("orders", "orders")
    assert published.calls == delivered.calls
    assert published.calls == pytest.approx(60, abs=40)
    assert delivered.p95_ns == pytest.approx(30 * MINUTE, rel=0.01)


def test_a_sampled_call_keeps_its_caller_of_the_block_before(store):
    began = [SINCE - MINUTE + n * 5 * MINUTE for n in range(12)]
    ingest(
        store,
        NOON,
        traces("shop", *(span(1 + n, 1, at, lasts_ms=200_000, kind="server") for n, at in enumerate(began))),
        traces("crm", *(span(1 + n, 2, at + 2 * MINUTE, parent=1, kind="server") for n, at in enumerate(began))),
    )
    for one_in in (1, 2, 4, 12):
        (call,) = edges(store, SINCE, UNTIL, one_in)
        assert (call.caller, call.callee, call.calls) == ("shop", "crm", 12)


def test_a_sample_of_one_in_one_leaves_nothing_out_however_long_ago():
    sample = Sample.of(0, 2**62, 1)
    assert (sample.bindings()["all_blocks"], sample.of_all(7)) == (0, 7)
    assert Sample.of(0, 12 * 300 * SECOND, 5).of_all(3) == 12
