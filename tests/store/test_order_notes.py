"""What else is told of an order: its logs and its retries."""

from __future__ import annotations

import time

import pytest

from clew.store.embedded import open_store
from clew.store.order_notes import notable_spans, order_logs
from clew.store.order_spans import order_scope, order_spans
from tests.builders import ingest, logs, record, span, span_hex, traces

MINUTE = 60 * 10**9
NOW = time.time_ns() - 60 * MINUTE


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    opened = open_store(tmp_path_factory.mktemp("notes"))
    ingest(
        opened,
        NOW,
        traces(
            "shop",
            span(1, 1, NOW, order__id="A"),
            span(1, 2, NOW + MINUTE, parent=1, name="POST", retry__count=2),
            span(1, 3, NOW + 2 * MINUTE, parent=1, name="GET", timeout=True),
            span(1, 4, NOW + 3 * MINUTE, parent=1, name="PUT", status="error", error__type="Refused"),
            span(2, 1, NOW, order__id="A"),
            span(2, 2, NOW, order__id="B", retry__count=1),
            *(span(3, n, NOW + n, order__id="F", name=f"try {n}", status="error") for n in range(1, 31)),
        ),
        logs(
            "shop",
            *(record(f"line {n}", NOW + n, trace=1, span=1) for n in range(5)),
            record("line 4", NOW + 4, trace=1, span=1),
            record("of B", NOW + 9, trace=2, span=2, order__id="B"),
            record("of both", NOW + 10, trace=2),
            record("alone", NOW + 11, order__id="A"),
            record("alone, long ago", NOW - 3 * 24 * 60 * MINUTE, order__id="A"),
            record("alone, of B", NOW + 12, order__id="B"),
        ),
    )
    yield opened
    opened.close()


def told(store, limit):
    found = order_logs(store, order_scope(store, "A"), (NOW, NOW + MINUTE), limit)
    return [each.body for each in found.records], found.complete


def test_the_logs_of_an_order_are_those_of_its_traces_and_those_that_name_it(store):
    lines = [f"line {n}" for n in range(5)]
    assert told(store, 50) == ([*lines, "of both", "alone"], True)


@pytest.mark.parametrize(("limit", "bodies"), [(1, ["alone"]), (3, ["line 4", "of both", "alone"]), (7, None)])
def test_the_latest_are_told_and_whether_there_are_more(store, limit, bodies):
    found, complete = told(store, limit)
    assert len(found) == limit
    assert complete == (limit == 7)
    assert bodies in (found, None)


def test_notable_are_its_own_spans_that_failed_were_tried_again_or_ran_out_of_time(store):
    found = notable_spans(store, order_scope(store, "A"))
    assert [(each.span_id, each.name, each.tries, each.timeout, each.failed, each.error) for each in found] == [
        (span_hex(2), "POST", 2, False, False, ""), (span_hex(3), "GET", 0, True, False, ""),
        (span_hex(4), "PUT", 0, False, True, "Refused"),
    ]  # fmt: skip


def test_of_many_notable_spans_the_latest_are_told_by_their_start(store):
    found = notable_spans(store, order_scope(store, "A"), limit=2)
    assert [each.name for each in found] == ["GET", "PUT"]


def test_an_order_that_nothing_names_has_neither(store):
    scope = order_scope(store, "nobody")
    assert notable_spans(store, scope) == ()
    assert order_logs(store, scope, (NOW, NOW), 5).records == ()


@pytest.mark.parametrize(("limit", "first", "complete"), [(3, 28, False), (50, 1, True)])
def test_of_failed_spans_the_latest_are_told_by_start(store, limit, first, complete):
    found = order_spans(store, "F", limit, failed_only=True)
    assert [each.name for each in found.spans] == [f"try {n}" for n in range(first, 31)]
    assert found.complete is complete
