"""Counts minute by minute: each kind of series counts what it says, by path or service, once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from clew.model.flow import Terminal
from clew.model.journey import Journey, Milestone, Visit
from clew.model.rule import SeriesKind, SpanCondition, Surge
from clew.store.codec import journey_to_json
from clew.store.embedded import open_store
from clew.store.minutes import MINUTE_NS
from clew.store.orders import OrderRow, encode_order, write_encoded
from clew.store.roll_up import RollUp
from clew.store.series import SeriesBook, known_since, read_series
from tests.builders import ingest, logs, span, span_hex, stage_event, trace_hex, traces

NOON = 1_795_348_800 * 10**9
AT = NOON // MINUTE_NS
HOUR = [(AT - 60, AT)]


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    store = open_store(tmp_path_factory.mktemp("series"))
    yield store
    store.close()


@pytest.fixture
def store(opened):
    for table in ("orders", "order_events", "hop_losses", "spans", "span_minutes", "marks", "trace_orders"):
        opened.command(f"TRUNCATE TABLE {table}")
    return opened


def minutes_ago(minutes: float) -> int:
    return NOON - int(minutes * MINUTE_NS)


def order(store, order_id, path, *stages, cancelled=False, version=1, imported=False) -> None:
    """An order that entered these (stage, minutes ago); ``cancelled`` by the last one."""
    visits = tuple(Milestone(stage, minutes_ago(ago)) for stage, ago in stages)
    journey = Journey(
        order_id,
        "shop",
        1,
        path,
        visits,
        visits=tuple(Visit(each.stage, each.at_ns) for each in visits),
        first_ns=visits[0].at_ns,
        last_ns=visits[-1].at_ns,
        facts=len(visits),
        imported=imported,
    )
    if cancelled:
        journey = replace(journey, terminal=Terminal.CANCELLED)
    write_encoded(store, [encode_order(OrderRow(journey, journey_to_json(journey), version, ()))], [])


def series(store, kind, ranges=HOUR, **more):
    """Counts by name and how many minutes ago."""
    found = read_series(store, Surge(kind, **more), ranges)
    return {name: {AT - minute: n for minute, n in sorted(counts.items())} for name, counts in found.items()}


def test_cancelled_orders_count_by_path_when_they_were_cancelled(store):
    order(store, "A", "b2c", ("IN", 300), ("OUT", 30), cancelled=True)
    order(store, "A", "b2c", ("IN", 300), ("OUT", 30), cancelled=True, version=2)
    order(store, "B", "b2c", ("IN", 29.5), ("OUT", 29.5), cancelled=True)
    order(store, "C", "b2b", ("IN", 70), ("OUT", 5), cancelled=True)
    order(store, "D", "b2b", ("IN", 300), ("OUT", 61), cancelled=True)
    order(store, "E", "b2b", ("IN", 20))
    assert series(store, SeriesKind.CANCELLED) == {"b2c": {30: 2}, "b2b": {5: 1}}
    assert series(store, SeriesKind.CANCELLED, [(AT - 62, AT - 60), (AT - 6, AT - 4)]) == {"b2b": {61: 1, 5: 1}}


def test_every_entry_into_a_stage_counts_also_of_orders_that_ended(store):
    order(store, "A", "b2c", ("MADE", 50), ("PACKED", 40), ("MADE", 10))
    order(store, "B", "b2b", ("IN", 300), ("MADE", 50), ("OUT", 30), cancelled=True)
    order(store, "C", "b2b", ("MADE", 300))
    assert series(store, SeriesKind.STAGE, stage="MADE") == {"b2c": {50: 1, 10: 1}, "b2b": {50: 1}}


def test_failed_attempts_count_by_the_path_of_their_order_under_any_id(store):
    order(store, "A", "b2c", ("IN", 300))

    def failed(order_id, ago):
        return stage_event(order_id, "PRICE", minutes_ago(ago), order__outcome="failed")

    glued = stage_event("A", "", minutes_ago(90), order__alias__deal="D1")
    events = [failed("A", 30), failed("A", 30), failed("D1", 20), failed("nobody", 10), failed("A", 99)]
    ingest(store, NOON, logs("shop", glued, *events, stage_event("A", "PRICE", minutes_ago(5))))
    assert series(store, SeriesKind.FAILED) == {"b2c": {30: 1, 20: 1}, "": {10: 1}}


def test_lost_messages_count_when_they_were_first_said_to_be_lost_and_stay_when_found(store):
    def said(number, state, version, said_lost, published=200.0):
        values = {
            "trace_id": bytes.fromhex(trace_hex(number)), "span_id": bytes.fromhex(span_hex(1)), "version": version,
            "state": state, "service": "shop", "published": minutes_ago(published),
            "said_lost": minutes_ago(said_lost) if said_lost else 0,
        }  # fmt: skip
        store.insert("hop_losses", list(values), [list(values.values())])

    said(1, "lost", 1, 20)
    said(1, "found", 2, 20)
    said(2, "lost", 1, 20)
    said(3, "lost", 1, None, published=10)
    said(4, "found", 2, None, published=10)
    assert series(store, SeriesKind.LOST) == {"shop": {20: 2, 10: 1}}


CALLS = [
    pytest.param(SpanCondition(), {"shop": 4, "mes": 1}, id="all"),
    pytest.param(SpanCondition(services=("mes",)), {"mes": 1}, id="of a service"),
    pytest.param(SpanCondition(errors_only=True), {"shop": 1}, id="errors"),
    pytest.param(SpanCondition(work=("server",)), {"shop": 3}, id="a kind of work"),
    pytest.param(SpanCondition(http_from=500, http_to=599), {"shop": 2}, id="5xx"),
    pytest.param(SpanCondition(http_from=500, http_to=500), {"shop": 1}, id="500"),
    pytest.param(SpanCondition(http_from=503), {"shop": 1}, id="503 and above"),
    pytest.param(SpanCondition(http_from=500, http_to=599, errors_only=True), {"shop": 1}, id="5xx that are errors"),
    pytest.param(SpanCondition(operations=("GET /rings",)), {"shop": 2}, id="an operation"),
    pytest.param(SpanCondition(operations=("GET *", "none")), {"shop": 3}, id="operations that begin so"),
    pytest.param(SpanCondition(longer_than_ns=90_000_000), {"shop": 1}, id="long ones"),
    pytest.param(SpanCondition(where={"tenant": "x"}), {"shop": 1}, id="an attribute of a value"),
    pytest.param(SpanCondition(where={"tenant": ""}), {"shop": 2}, id="an attribute that is there"),
    pytest.param(SpanCondition(where={"tenant": "", "http.request.method": "GET"}), {"shop": 1}, id="two attributes"),
]


@pytest.mark.parametrize("rolled_up", [False, True], ids=["fresh", "rolled up"])
@pytest.mark.parametrize(("condition", "counted"), CALLS)
def test_spans_of_a_condition_count_once_by_service_before_and_after_the_roll_up(store, condition, counted, rolled_up):
    at = minutes_ago(40)
    shop = [
        span(1, 1, at, kind="server", name="GET /rings", http__response__status_code=200, tenant="x"),
        span(1, 2, at, kind="server", name="GET /rings", http__response__status_code=500, status="error"),
        span(1, 3, at, kind="server", name="GET /crm", http__response__status_code=503, lasts_ms=100),
        span(1, 4, at, name="sum up", tenant="y", http__request__method="GET"),
    ]
    ingest(store, NOON, traces("shop", *shop), traces("mes", span(1, 5, at, name="make")))
    ingest(store, NOON, traces("shop", *shop))
    if rolled_up:
        while RollUp(store, now_ns=lambda: NOON).step():
            pass
    assert series(store, SeriesKind.SPANS, spans=condition) == {name: {40: n} for name, n in counted.items()}


def test_what_is_known_begins_with_the_first_order_and_the_first_minute_of_spans(store):
    assert known_since(store, SeriesKind.CANCELLED) is None
    assert known_since(store, SeriesKind.SPANS) is None
    order(store, "A", "b2c", ("IN", 300))
    ingest(store, NOON, traces("shop", span(1, 1, minutes_ago(40))))
    while RollUp(store, now_ns=lambda: NOON).step():
        pass
    assert known_since(store, SeriesKind.CANCELLED) == AT - 300
    assert known_since(store, SeriesKind.SPANS) == AT - 40


def test_a_book_reads_the_last_minutes_each_time_and_all_every_half_hour(store):
    asked = []

    def looked_at(minute, ahead, since):
        asked.append((minute, since))
        return [(minute - 60, minute + 1 + ahead)]

    book = SeriesBook(store, Surge(SeriesKind.CANCELLED), looked_at)
    order(store, "A", "b2c", ("OUT", 55), cancelled=True)
    assert book.at(AT - 50) == {"b2c": {AT - 55: 1}}
    order(store, "B", "b2b", ("OUT", 45), cancelled=True)
    order(store, "C", "b2c", ("OUT", 56), cancelled=True)
    assert book.at(AT - 40) == {"b2c": {AT - 55: 1}, "b2b": {AT - 45: 1}}
    assert book.at(AT - 20) == {"b2c": {AT - 55: 1, AT - 56: 1}, "b2b": {AT - 45: 1}}
    assert (asked, book.since_minute) == ([(AT - 50, AT - 55), (AT - 20, AT - 56)], AT - 56)


@pytest.mark.parametrize("kind", [SeriesKind.CANCELLED, SeriesKind.STAGE])
def test_what_imports_alone_tell_counts_as_past_weeks_and_never_as_what_happens_now(store, kind):
    week = 7 * 24 * 60
    surge = Surge(kind, stage="OUT")

    def looked_at(minute, ahead, _):
        return [(minute - week - 60, minute - week + ahead + 1), (minute - 60, minute + ahead + 1)]

    book = SeriesBook(store, surge, looked_at)
    order(store, "A", "b2c", ("OUT", week + 30), cancelled=True, imported=True)
    order(store, "B", "b2c", ("OUT", 30), cancelled=True, imported=True)
    order(store, "C", "b2c", ("OUT", 20), cancelled=True)
    assert book.at(AT) == {"b2c": {AT - week - 30: 1, AT - 20: 1}}
    # Neither what is renewed each minute nor what is read each half hour brings it in.
    order(store, "D", "b2c", ("OUT", 2), cancelled=True, imported=True)
    order(store, "E", "b2c", ("OUT", week - 40), cancelled=True, imported=True)
    assert book.at(AT + 1) == {"b2c": {AT - week - 30: 1, AT - 20: 1}}
    assert book.at(AT + 30) == {"b2c": {AT - week - 30: 1, AT - week + 40: 1, AT - 20: 1}}
    assert series(store, kind, stage="OUT") == {"b2c": {30: 1, 20: 1, 2: 1}}, "what rules would have said counts all"


def test_a_book_goes_on_in_past_weeks_without_reading_them_again(store):
    week = 7 * 24 * 60

    def looked_at(minute, ahead, _):
        return [(minute - week - 60, minute - week + ahead + 1), (minute - 60, minute + ahead + 1)]

    order(store, "A", "b2c", ("OUT", week + 50), cancelled=True)
    order(store, "B", "b2c", ("OUT", week - 40), cancelled=True)
    order(store, "C", "b2c", ("OUT", week + 20), cancelled=True)
    book = SeriesBook(store, Surge(SeriesKind.CANCELLED), looked_at)
    assert book.at(AT) == {"b2c": {AT - week - 50: 1, AT - week - 20: 1}}
    assert book.at(AT + 31) == {"b2c": {AT - week - 20: 1, AT - week + 40: 1}}
    fresh = SeriesBook(store, Surge(SeriesKind.CANCELLED), looked_at)
    assert fresh.at(AT + 31) == book.at(AT + 31)
