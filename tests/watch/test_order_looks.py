"""Looks over orders in time: nothing that ends between two looks is missed, and little is judged twice."""

from __future__ import annotations

import time

import pytest

import clew.watch.order_looks
from clew.journey.in_force import FlowBook
from clew.journey.rebuilder import Rebuilder
from clew.journey.ticker import Ticker
from clew.model.journey import DeviationKind, VerdictKind
from clew.model.rule import Deviates, InStage, Judged, Rule
from clew.store.embedded import open_store
from clew.watch.order_looks import ENDED_WITHIN_NS, OrderLooks
from tests.builders import ingest, logs, stage_event

SECOND = 10**9
BEGIN = time.time_ns() - 1_800 * SECOND  # touches are kept for hours only
CANCELLED = Rule("cancelled", Judged((VerdictKind.CANCELLED,)))
STUCK = Rule("stuck", Judged((VerdictKind.STUCK,)))


@pytest.fixture
def shop(tmp_path):
    store = open_store(tmp_path)
    book = FlowBook(store)
    book.start([])
    clock = [BEGIN]
    ticker = Ticker(store, Rebuilder(store, lambda: book.current), lambda: clock[0] + SECOND)
    yield store, ticker, OrderLooks(store, lambda: [each.flow for each in book.current], lambda: 0), clock
    store.close()


def test_orders_that_end_between_looks_are_all_found_though_it_is_known_late(shop):
    store, ticker, looks, clock = shop
    found = set()
    for n in range(12):
        clock[0] = BEGIN + n * 3 * SECOND
        # Told two seconds after it was: the look before has passed that moment already.
        at = clock[0] - 5 * SECOND
        ingest(
            store,
            clock[0],
            logs(
                "shop-api",
                stage_event(f"o{n}", "INITIATED", at - 9, order__path="b2c"),
                stage_event(f"o{n}", "CANCELLED", at),
            ),
        )
        ticker.tick()
        found |= {each.order_id for each in looks.look(CANCELLED, clock[0])}
    assert found == {f"o{n}" for n in range(12)}
    assert looks.look(CANCELLED, clock[0] + ENDED_WITHIN_NS + 60 * SECOND) == []


def test_what_was_found_of_an_order_stays_found_while_it_ends_between_what_is_read_for_all_and_its_turn(shop):
    store, ticker, looks, clock = shop
    skipped = Rule("skipped", Deviates((DeviationKind.SKIPPED,)))
    begun = [stage_event("o", "SUBMITTED", BEGIN - 9 * SECOND, order__path="b2c")]
    begun.append(stage_event("o", "MANUFACTURING_STARTED", BEGIN - 8 * SECOND))
    ingest(store, BEGIN, logs("mes", *begun))
    ticker.tick()
    found = []
    for seconds in range(0, 60, 3):
        clock[0] = BEGIN + seconds * SECOND
        found.append([each.order_id for each in looks.look(skipped, clock[0])])
        clock[0] += 2 * SECOND
        if seconds == 27:  # at 30 s what was found is judged again
            ingest(store, clock[0], logs("mes", stage_event("o", "CANCELLED", clock[0])))
        looks.look(CANCELLED, clock[0])  # whose turn reads, just before what ended is told
        ticker.tick()
    assert found == [["o"]] * 20


def test_what_arrives_after_an_end_was_told_is_no_news_but_an_end_that_arrives_hours_after_is(shop):
    store, ticker, looks, clock = shop
    ended = stage_event("told", "CANCELLED", BEGIN - 5 * SECOND)
    late = stage_event("late", "CANCELLED", BEGIN - 3 * 3_600 * SECOND)
    ingest(store, BEGIN, logs("shop-api", stage_event("told", "INITIATED", BEGIN - 9 * SECOND), ended))
    ingest(store, BEGIN, logs("shop-api", stage_event("late", "INITIATED", BEGIN - 4 * 3_600 * SECOND)))
    ticker.tick()
    found = [{each.order_id for each in looks.look(CANCELLED, BEGIN)}]
    clock[0] = BEGIN + ENDED_WITHIN_NS + 60 * SECOND
    again = (
        stage_event("told", "", clock[0], order__alias__crm="D7"),
        stage_event("told", "", clock[0], order__hold=True),
    )
    ingest(store, clock[0], logs("shop-api", ended, late, *again))
    ticker.tick()
    found += [{each.order_id for each in looks.look(CANCELLED, clock[0] + s * SECOND)} for s in (0, 10, 1_000)]
    assert found == [{"told"}, {"late"}, {"late"}, set()]


def test_what_is_not_yet_so_is_judged_again_when_it_will_be(shop, monkeypatch):
    store, ticker, looks, _ = shop
    half_hour = 1_800 * SECOND
    waited = [
        stage_event("held", "SUBMITTED", BEGIN, order__path="b2c"),
        stage_event("held", "", BEGIN + 60 * SECOND, order__hold=True),
        stage_event("held", "", BEGIN + 160 * SECOND, order__hold=False),
    ]
    ingest(store, BEGIN, logs("shop-api", *waited))
    ticker.tick()
    real, judged = clew.watch.order_looks.finding_of, []
    monkeypatch.setattr("clew.watch.order_looks.finding_of", lambda *given: judged.append(given[3]) or real(*given))
    rule = Rule("long", InStage(longer_than_ns=half_hour))
    passes = {s: len(looks.look(rule, BEGIN + half_hour + s * SECOND)) for s in (-1, 1, 4, 30, 60, 99, 100, 103)}
    assert passes == {-1: 0, 1: 0, 4: 0, 30: 0, 60: 0, 99: 0, 100: 1, 103: 1}
    assert len(judged) == 3, "when it came, ahead, and when it was so"


def test_orders_that_did_not_change_are_judged_again_only_now_and_then(shop, monkeypatch):
    store, ticker, looks, _ = shop
    ingest(
        store,
        BEGIN,
        logs("shop-api", *(stage_event(f"o{n}", "SUBMITTED", BEGIN, order__path="b2c") for n in range(20))),
    )
    ticker.tick()
    judged = []
    real = clew.watch.order_looks.finding_of
    monkeypatch.setattr(
        "clew.watch.order_looks.finding_of", lambda *given: judged.append(given[1].order_id) or real(*given)
    )
    late = BEGIN + 1_801 * SECOND
    for seconds in range(0, 30, 3):
        assert len(looks.look(STUCK, late + seconds * SECOND)) == 20
    assert len(judged) == 20
    ingest(store, late, logs("crm-api", stage_event("o7", "PRICE_CALCULATED", late)))
    ticker.tick()
    left = looks.look(STUCK, late + 33 * SECOND)
    assert {each.order_id for each in left} == {f"o{n}" for n in range(20)} - {"o7"}
