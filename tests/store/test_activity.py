"""When services and senders were heard: from spans, rolled up or not, and from logs."""

from __future__ import annotations

import pytest

from clew.model.rule import SourceKind
from clew.store.activity import ActivityBook, Heard
from clew.store.embedded import open_store
from clew.store.minutes import MINUTE_NS
from clew.store.roll_up import RollUp
from tests.builders import attributes, ingest, logs, record, span, traces

NOON = 1_795_348_800 * 10**9
AT = NOON // MINUTE_NS


@pytest.fixture
def store(tmp_path):
    opened = open_store(tmp_path)
    yield opened
    opened.close()


def at(minutes_ago, seconds=0):
    return NOON - minutes_ago * MINUTE_NS + seconds * 10**9


def told(book, minute):
    """How many minutes ago each was heard, and the second of the last time."""
    return {
        name: ([AT - each for each in heard.minutes], (heard.last_ns - at(0)) // 10**9, heard.service)
        for name, heard in book.at(minute).items()
    }


def run_of(service, instance, *spans, key="service.instance.id"):
    request = traces(service, *spans)
    del request.resource_spans[0].resource.attributes[1:]
    request.resource_spans[0].resource.attributes.extend(attributes({key: instance} if instance else {}))
    return request


@pytest.mark.parametrize("rolled_up", [False, True], ids=["fresh", "rolled up"])
def test_a_service_is_heard_in_the_minutes_of_its_spans_and_logs(store, rolled_up):
    spans = [span(1, n, at(ago, 5)) for n, ago in enumerate((300, 40, 40, 6), 1)]
    ingest(store, NOON, traces("shop", *spans), traces("mes", span(2, 1, at(2, 30))))
    ingest(store, NOON, logs("mes", record("made", at(90)), record("made", at(2, 50))))
    if rolled_up:
        while RollUp(store, now_ns=lambda: NOON).step():
            pass
    heard = told(ActivityBook(store), AT)
    last_s = -360 if rolled_up else -355
    assert heard == {"shop": ([300, 40, 6], last_s, "shop"), "mes": ([90, 2], -70, "mes")}


def test_a_sender_is_an_instance_of_a_service_by_its_id_its_pod_or_its_host(store):
    sent = [
        run_of("shop", "a", span(1, 1, at(40)), span(1, 2, at(6))),
        run_of("shop", "pod-b", span(1, 3, at(6)), key="k8s.pod.name"),
        run_of("mes", "h1", span(1, 4, at(5)), key="host.name"),
        run_of("mes", "", span(1, 5, at(5))),
    ]
    ingest(store, NOON, *sent)
    said = logs("crm", record("called", at(3)))
    said.resource_logs[0].resource.attributes.extend(attributes({"host.name": "h1"}))
    ingest(store, NOON, said)
    heard = told(ActivityBook(store, SourceKind.SENDER), AT)
    assert heard == {
        "shop/a": ([40, 6], -360, "shop"), "shop/pod-b": ([6], -360, "shop"), "mes/h1": ([5], -300, "mes"),
        "crm/h1": ([3], -180, "crm"),
    }  # fmt: skip


def test_a_book_adds_what_came_since_and_a_little_of_what_came_late(store):
    ingest(store, NOON, traces("shop", span(1, 1, at(60))))
    book = ActivityBook(store)
    assert told(book, AT - 30)["shop"][0] == [60]
    ingest(store, NOON, traces("shop", span(1, 2, at(35)), span(1, 3, at(50)), span(1, 4, at(10))))
    assert told(book, AT)["shop"][:2] == ([60, 35, 10], -600)
    assert book.since_minute == AT - 60


def test_what_is_older_than_the_weeks_that_count_is_forgotten(store):
    ingest(store, NOON, traces("shop", span(1, 1, at(60))), traces("mes", span(1, 2, at(60)), span(1, 3, at(2))))
    book = ActivityBook(store)
    assert sorted(book.at(AT)) == ["mes", "shop"]
    assert list(book.at(AT + 4 * 7 * 24 * 60 - 30)) == ["mes"]


def test_minutes_stay_in_order_each_once():
    heard = Heard("shop")
    for minute in (5, 9, 9, 7, 5, 12, 1):
        heard.add(minute, minute * MINUTE_NS)
    assert (list(heard.minutes), heard.last_ns) == ([1, 5, 7, 9, 12], 12 * MINUTE_NS)
    heard.forget_before(7)
    assert list(heard.minutes) == [7, 9, 12]
