"""Projected ends: pure rules, what the engine learns, and the verdict that follows."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from itertools import pairwise
from statistics import quantiles

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clew.flow import default_flow
from clew.journey import rebuild
from clew.journey.in_force import FlowBook
from clew.journey.judge import judge, verdict_kind
from clew.journey.rebuilder import Rebuilder
from clew.journey.ticker import Ticker
from clew.learn.projection import (
    ANY,
    ENOUGH,
    PROJECTED_AT,
    Remaining,
    late_from_ns,
    project,
    projected_end_ns,
    remaining_of,
)  # fmt: skip
from clew.learn.remaining import Forecast, read_remaining
from clew.model.event import StageEvent
from clew.model.journey import VerdictKind
from clew.store.embedded import open_store
from clew.store.orders import read_order
from tests.builders import ingest, logs, stage_event
from tests.learn.logs import Order, remember

HOUR = 3600 * 10**9
DAY = 24 * HOUR
quantile_lists = st.lists(st.integers(0, 10**15), min_size=21, max_size=21).map(lambda each: tuple(sorted(each)))
lengths = st.integers(-(10**14), 2 * 10**15)


@given(quantile_lists, lengths, lengths)
def test_there_is_one_moment_from_which_an_order_is_projected_to_be_late(found, due, waited):
    waited = max(0, waited)
    from_ns = late_from_ns(found, 0, due)
    end_ns = projected_end_ns(found, 0, waited)
    assert end_ns >= waited
    slack = 10 + max(abs(due), end_ns) // 10**9
    if from_ns is None:
        assert due >= found[-1]
    elif waited >= from_ns + slack:
        assert end_ns >= min(due, max(waited, found[-1])) - slack or waited >= found[-1]
    elif waited < from_ns - slack:
        assert end_ns <= due + slack


@given(quantile_lists, st.lists(lengths.map(abs), min_size=2, max_size=8).map(sorted))
def test_a_projected_end_never_moves_nearer_while_an_order_waits(found, waits):
    ends = [projected_end_ns(found, 0, each) for each in waits]
    assert all(later >= earlier - 10 for earlier, later in pairwise(ends))


UNIFORM = tuple(index * HOUR for index in range(21))
"""Remaining times spread evenly from nothing to 20 hours."""


@pytest.mark.parametrize(
    ("waited", "end"),
    [(0, 10), (4, 12), (10, 15), (19, 19.5), (20, 20), (30, 30)],
)
def test_half_of_those_that_took_longer_ended_by_the_projected_end(waited, end):
    assert projected_end_ns(UNIFORM, 0, waited * HOUR) == end * HOUR


@pytest.mark.parametrize(
    ("due", "late_from"), [(5, 0), (10, 0), (12, 4), (15, 10), (19, 18), (20, None), (99, None), (-1, 0)]
)
def test_an_order_is_projected_late_once_most_of_those_like_it_were(due, late_from):
    assert late_from_ns(UNIFORM, 0, due * HOUR) == (None if late_from is None else late_from * HOUR)


def test_too_few_of_a_path_are_compared_with_all_paths_and_too_few_of_all_with_nobody():
    few, many = Remaining(ENOUGH - 1, UNIFORM), Remaining(ENOUGH, UNIFORM)
    times = {("f", "web", "A"): few, ("f", ANY, "A"): many, ("f", "web", "B"): few, ("f", ANY, "B"): few}
    assert remaining_of(times, "f", "web", "A") is many
    assert remaining_of(times, "f", "web", "B") is None
    assert remaining_of(times, "g", "web", "A") is None


def test_an_order_comes_into_jeopardy_by_projection_and_says_so():
    flow = default_flow()
    told = [StageEvent("1", "MANUFACTURING_APPROVED", 10 * DAY, "crm", path="b2c", due_at_ns=10 * DAY + 12 * HOUR)]
    flow = replace(flow, due_margin_ns=0)
    plain = rebuild("1", told, flow)
    times = {("jeweller", ANY, "MANUFACTURING_APPROVED"): Remaining(50, UNIFORM)}
    found = project(plain, times)
    assert found.late_from_ns == found.warn_at_ns == 10 * DAY + 4 * HOUR
    assert verdict_kind(found, 10 * DAY + 4 * HOUR - 1) is VerdictKind.ON_TIME
    verdict = judge(found, flow, 10 * DAY + 4 * HOUR)
    assert (verdict.kind, verdict.since_ns) == (VerdictKind.IN_JEOPARDY, 10 * DAY + 4 * HOUR)
    assert "; due in 8 h, projected to end later" in verdict.reason
    assert project(replace(plain, due_at_ns=None), times).warn_at_ns == replace(plain, due_at_ns=None).warn_at_ns
    assert project(replace(plain, imported=True), times) == replace(plain, imported=True)


def test_projections_are_calibrated_on_orders_that_nobody_learned_from():
    chance = random.Random(5)
    draw = lambda: round(chance.lognormvariate(0, 0.8) * 8 * HOUR)  # noqa: E731 - one line says it
    cuts = quantiles([draw() for _ in range(4000)], n=20, method="inclusive")
    learned = (0, *map(round, cuts), 200 * HOUR)
    late = projected = 0
    for _ in range(4000):
        took, due, seen = draw(), round(chance.uniform(2, 25) * HOUR), round(chance.uniform(0, 20) * HOUR)
        if seen >= min(took, due):
            continue
        from_ns = late_from_ns(learned, 0, due)
        if from_ns is not None and from_ns <= seen:
            projected += 1
            late += took > due
    assert projected > 300
    assert late / projected > PROJECTED_AT - 0.05


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    store = open_store(tmp_path_factory.mktemp("projection"))
    yield store
    store.close()


def test_remaining_times_are_learned_from_orders_that_closed_and_projected_hourly(store):
    now_ns = time.time_ns()
    day_s = 86_400
    ago = (now_ns - 10 * DAY) // 10**9 - 1_780_000_000
    took = list(range(1, 41))
    orders = [
        Order(f"p{n}", (("INITIATED", ago), ("SUBMITTED", ago + 60), ("CLOSED", ago + 60 + hours * 3600)), "b2c")
        for n, hours in enumerate(took)
    ]
    orders += [
        Order(
            "again", (("SUBMITTED", ago), ("INITIATED", ago + 9), ("SUBMITTED", ago + 9), ("CLOSED", ago + 3609)), "b2b"
        ),
        Order("gone", (("SUBMITTED", ago), ("CANCELLED", ago + 5)), "b2c"),
        Order("open", (("SUBMITTED", ago),), "b2c"),
        Order("old", (("SUBMITTED", ago - 200 * day_s), ("CLOSED", ago - 190 * day_s)), "b2c"),
    ]
    remember(store, orders)
    times = read_remaining(store, now_ns)
    found = times["jeweller", "b2c", "SUBMITTED"]
    cuts = quantiles([hours * HOUR for hours in took], n=20, method="inclusive")
    assert found.n == 40
    assert found.quantiles_ns == pytest.approx((HOUR, *cuts, 40 * HOUR), abs=2)
    assert times["jeweller", ANY, "SUBMITTED"].n == 42
    assert times["jeweller", "b2b", "SUBMITTED"].quantiles_ns[-1] == 3609 * 10**9
    assert not any(stage == "CLOSED" for _, _, stage in times)

    book = FlowBook(store)
    book.start([])
    clock = [0.0]
    forecast = Forecast(store, lambda: clock[0])
    ticker = Ticker(store, Rebuilder(store, lambda: book.current, forecast.project), time.time_ns)
    said = stage_event("due", "SUBMITTED", now_ns - 60 * 10**9, order__path="b2c", order__due_at=now_ns + 10 * HOUR)
    ingest(store, now_ns, logs("shop", said))
    ticker.tick()
    assert read_order(store, "due").late_from_ns is None
    assert forecast.refresh()
    ticker.tick()
    projected = read_order(store, "due")
    assert projected.remaining_ns == found.quantiles_ns
    assert projected.late_from_ns == projected.entered_ns
    assert verdict_kind(projected, now_ns) is VerdictKind.IN_JEOPARDY
    clock[0] = 3599.0
    assert not forecast.refresh()
    clock[0] = 3601.0
    assert not forecast.refresh()
