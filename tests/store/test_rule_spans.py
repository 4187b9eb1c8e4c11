"""Spans as rules read them: what ended in the window, once each, with the traces that show it."""

from __future__ import annotations

import pytest

from clew.model.rule import BurnRate, BurnWindow, By, Slow, SpanCondition, SpansSeen
from clew.store.embedded import open_store
from clew.store.rule_spans import BurnBook, bad_of, read_span_groups
from tests.builders import ingest, span, trace_hex, traces

SECOND, MINUTE = 10**9, 60 * 10**9
NOW = 1_795_348_800 * SECOND


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    opened = open_store(tmp_path_factory.mktemp("rule-spans"))
    shop = [
        span(n, 1, NOW - n * MINUTE, name="POST /orders", kind="server", status="error" if n % 2 else "unset",
             lasts_ms=100 * n, http__response__status_code=500 if n % 2 else 200)
        for n in range(1, 13)
    ]  # fmt: skip
    long = span(40, 1, NOW - 9 * MINUTE, name="GET /slow", kind="server", lasts_ms=8.5 * 60_000)
    database = [
        span(50 + n, 1, NOW - MINUTE - n * SECOND, name="SELECT orders", kind="client", lasts_ms=200 * n,
             db__system__name="postgresql") for n in range(10)
    ]  # fmt: skip
    ingest(opened, NOW, traces("shop-api", *shop, long), traces("mes", *database))
    ingest(opened, NOW, traces("shop-api", *shop[:4]))
    yield opened
    opened.close()


def groups(store, shape, now_ns=NOW):
    return {(each.service, each.operation): each for each in read_span_groups(store, shape, now_ns)}


def test_spans_that_ended_in_the_window_count_once_with_the_newest_examples(store):
    found = groups(store, SpansSeen(SpanCondition(http_from=500, http_to=599), 6 * MINUTE))
    assert found.keys() == {("shop-api", "")}
    group = found["shop-api", ""]
    assert group.spans == 3
    assert [each.trace_id for each in group.examples] == [trace_hex(1), trace_hex(3), trace_hex(5)]
    assert {(each.http, each.operation, each.error) for each in group.examples} == {(500, "POST /orders", "error")}
    assert (group.first_ns, group.last_ns) == (NOW - 5 * MINUTE + SECOND // 2, NOW - MINUTE + SECOND // 10)


def test_a_span_that_began_long_ago_counts_when_it_ended(store):
    by = (By.SERVICE, By.OPERATION)
    found = groups(store, SpansSeen(SpanCondition(longer_than_ns=MINUTE), MINUTE, 1, by))
    assert found.keys() == {("shop-api", "GET /slow")}


@pytest.mark.parametrize(
    ("condition", "spans"),
    [
        (SpanCondition(), 21),
        (SpanCondition(services=("mes",)), 10),
        (SpanCondition(operations=("POST*",)), 10),
        (SpanCondition(operations=("SELECT orders", "GET /slow")), 11),
        (SpanCondition(work=("database",)), 10),
        (SpanCondition(errors_only=True), 5),
        (SpanCondition(where={"db.system.name": "postgresql"}), 10),
        (SpanCondition(where={"db.system.name": ""}, longer_than_ns=SECOND), 4),
        (SpanCondition(services=("mes",), errors_only=True), 0),
    ],
)
def test_a_condition_picks_spans(store, condition, spans):
    [*found] = read_span_groups(store, SpansSeen(condition, 10 * MINUTE - 1, 1, ()), NOW)
    assert sum(each.spans for each in found) == spans


def test_durations_are_told_by_their_quantile_and_the_slowest_traces(store):
    shape = Slow(SpanCondition(work=("database",)), 0.75, SECOND, 5 * MINUTE, 3)
    group = groups(store, shape)["mes", ""]
    assert (group.spans, group.quantile_ns) == (10, 1_400_000_000)
    assert [each.duration_ns for each in group.examples] == [1_800_000_000, 1_600_000_000, 1_400_000_000, 1_200_000_000]
    fast = groups(store, Slow(SpanCondition(work=("database",)), 0.75, 2 * SECOND, 5 * MINUTE, 3))["mes", ""]
    assert fast.examples == ()


def test_a_budget_is_counted_by_service_in_all_windows(store):
    shape = BurnRate(SpanCondition(work=("server",)), SpanCondition(http_from=500, http_to=599), 0.99,
                     (BurnWindow(10 * MINUTE, 3 * MINUTE, 1.0),), 2)  # fmt: skip
    [burned] = BurnBook(store, shape).at(NOW)
    assert (burned.service, burned.spans, burned.bad) == ("shop-api", (10, 2), (5, 1))
    assert [each.trace_id for each in burned.examples] == [trace_hex(1), trace_hex(3)]


@pytest.mark.parametrize(
    ("spans", "bad", "services"),
    [
        (SpanCondition(), SpanCondition(services=("a",)), ("a",)),
        (SpanCondition(services=("a", "b")), SpanCondition(services=("b", "c")), ("b",)),
        (SpanCondition(services=("a",)), SpanCondition(services=("c",)), ("",)),
        (SpanCondition(services=("a",)), SpanCondition(errors_only=True), ("a",)),
    ],
)
def test_bad_spans_meet_both_conditions(spans, bad, services):
    assert bad_of(BurnRate(spans, bad, 0.99, ())).services == services
