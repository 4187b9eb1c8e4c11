"""Spans by the minute: figures are the same before and after the roll-up, whatever comes late, twice or in between."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clew.store.embedded import open_store
from clew.store.marks import read_mark
from clew.store.minutes import (
    BUCKETS_AN_OCTAVE,
    MARK,
    MINUTE_NS,
    Counts,
    Window,
    Work,
    added,
    quantile,
    read_by_service,
    read_counts,
    read_durations,
    roll_up,
)
from clew.store.roll_up import BLOCK_NS, CLOSED_AFTER_NS, MEND_EVERY_S, RollUp
from tests.builders import ingest, span, traces

DAY = 86_400 * 10**9
NOON = 1_795_348_800 * 10**9
WINDOW = Window(NOON - 60 * MINUTE_NS, 10 * MINUTE_NS, 6)


class Clock:
    """A clock that stands still unless each look at it takes time."""

    def __init__(self, each: float = 0.0) -> None:
        self.at, self.each = 0.0, each

    def __call__(self) -> float:
        self.at += self.each
        return self.at


@pytest.fixture
def store(tmp_path):
    opened = open_store(tmp_path)
    yield opened
    opened.close()


def rolling(store, now_ns=NOON, keep_days=0, clock=None) -> RollUp:
    return RollUp(store, keep_days, now_ns=lambda: now_ns, clock=clock or Clock())


def hour(store, now_ns=NOON, first=1) -> None:
    """An hour of a shop: six requests an hour ago, five of them well, and one a minute ago."""
    at = now_ns - 59 * MINUTE_NS
    requests = [
        span(first, n, at + n, lasts_ms=20, kind="server", http__response__status_code=200) for n in range(1, 6)
    ]
    failed = span(
        first, 6, at, lasts_ms=900, kind="server", status="error", http__response__status_code=500, retry__count=1,
        timeout=True,
    )  # fmt: skip
    fresh = span(first, 7, now_ns - MINUTE_NS, lasts_ms=40, kind="server")
    ingest(store, now_ns, traces("shop", *requests, failed, fresh))


def told(store, window=WINDOW, service=""):
    return (
        read_counts(store, window, service),
        read_durations(store, window, service),
        [each for each in read_by_service(store, window) if service in ("", each.service)],
    )


def test_figures_are_the_same_before_and_after_the_roll_up(store):
    hour(store)
    before = told(store)
    assert not rolling(store).step()
    assert store.rows("SELECT count() AS n FROM span_minutes")[0]["n"] == 1
    assert told(store) == before
    counts = before[0]
    assert counts[0] == {Work.SERVER: Counts(6, 1, 1, 1, 1, 1, minutes=1, up=0)}
    assert counts[5] == {Work.SERVER: Counts(spans=1, minutes=1, up=1)}
    assert counts[1:5] == [{}] * 4
    (shop,) = before[2]
    assert (shop.spans, shop.errors, shop.requests, shop.failed, shop.http_500) == (7, 1, 7, 1, 1)


@pytest.mark.parametrize(
    ("kind", "attrs", "work"),
    [
        ("server", {}, Work.SERVER),
        ("consumer", {}, Work.CONSUMER),
        ("producer", {}, Work.PRODUCER),
        ("client", {}, Work.CLIENT),
        ("client", {"db__system__name": "postgresql"}, Work.DATABASE),
        ("internal", {"db__system": "mysql"}, Work.DATABASE),
        ("internal", {}, Work.INTERNAL),
        ("server", {"db__system": "mysql"}, Work.SERVER),
    ],
)
def test_work_is_told_apart_by_kind_and_attributes(store, kind, attrs, work):
    ingest(store, NOON, traces("shop", span(1, 1, NOON - 30 * MINUTE_NS, kind=kind, **attrs)))
    assert list(read_counts(store, WINDOW)[3]) == [work]


@pytest.mark.parametrize("name", ["http__response__status_code", "http__status_code"])
def test_both_names_of_the_http_status_are_read(store, name):
    at = NOON - 30 * MINUTE_NS
    codes = (200, 404, 500, 503, 600)
    spans = [span(1, n + 1, at, kind="server", **{name: code}) for n, code in enumerate(codes)]
    ingest(store, NOON, traces("shop", *spans))
    counts = read_counts(store, WINDOW)[3][Work.SERVER]
    assert (counts.spans, counts.http_5xx, counts.http_500) == (5, 2, 1)


def test_a_span_that_was_sent_twice_counts_once(store):
    hour(store)
    hour(store)
    assert read_counts(store, WINDOW)[0][Work.SERVER].spans == 6
    rolling(store).step()
    assert read_counts(store, WINDOW)[0][Work.SERVER].spans == 6


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_span_that_was_sent_twice_and_differs_counts_as_one_of_both_whole(store, order):
    at = NOON - 30 * MINUTE_NS
    told_twice = (
        traces("shop", span(1, 1, at, lasts_ms=20, kind="server", http__response__status_code=200)),
        traces("store", span(1, 1, at, lasts_ms=900, kind="consumer", status="error")),
    )
    clock = Clock()
    upkeep = rolling(store, clock=clock)
    for which in order:
        ingest(store, NOON, told_twice[which])
    (once,) = read_by_service(store, WINDOW)
    assert (once.service, once.spans, once.requests, once.failed) == ("shop", 1, 1, 0)
    assert quantile(once.durations, 0.5) == pytest.approx(20e6, rel=0.03)
    upkeep.step()
    ingest(store, NOON, told_twice[1])
    clock.at += MEND_EVERY_S
    upkeep.step()
    assert read_by_service(store, WINDOW) == [once]
    assert read_counts(store, WINDOW)[3] == {Work.SERVER: Counts(spans=1, minutes=1, up=1)}


def test_what_came_late_counts_as_soon_as_it_is_looked_for(store):
    clock = Clock()
    hour(store)
    upkeep = rolling(store, clock=clock)
    upkeep.step()
    upkeep.step()
    late = traces("crm", span(2, 1, NOON - 59 * MINUTE_NS, lasts_ms=500, kind="consumer"))
    ingest(store, NOON, late)
    upkeep.step()
    assert Work.CONSUMER not in read_counts(store, WINDOW)[0]
    clock.at += MEND_EVERY_S
    upkeep.step()
    assert read_counts(store, WINDOW)[0][Work.CONSUMER].spans == 1
    assert read_counts(store, WINDOW)[0][Work.SERVER].spans == 6


def test_a_kill_before_the_mark_costs_nothing_but_doing_it_again(store):
    hour(store)
    expected = told(store)
    block = (NOON - 59 * MINUTE_NS) // BLOCK_NS * BLOCK_NS
    roll_up(store, block, block + BLOCK_NS)
    assert told(store) == expected
    rolling(store).step()
    assert told(store) == expected


def test_the_roll_up_goes_on_from_where_its_time_was_up(store):
    for hours in range(3):
        hour(store, NOON - hours * 60 * MINUTE_NS, first=hours + 1)
    window = Window(NOON - 180 * MINUTE_NS, 60 * MINUTE_NS, 3)
    expected = told(store, window)
    steps = itertools.takewhile(bool, (rolling(store, clock=Clock(each=0.9)).step() for _ in range(100)))
    for _ in steps:
        assert told(store, window) == expected
    assert told(store, window) == expected
    assert read_mark(store, MARK) == (NOON - CLOSED_AFTER_NS) // BLOCK_NS * BLOCK_NS


def test_minutes_outlive_their_spans(store):
    hour(store)
    upkeep = rolling(store)
    upkeep.step()
    expected = told(store)[0][0]
    store.command("ALTER TABLE spans DROP PARTITION ID '20261122'")
    upkeep.step()
    assert told(store)[0][0] == expected


def test_days_that_are_not_kept_are_not_made_again(store):
    hour(store, NOON - 10 * DAY)
    upkeep = rolling(store, keep_days=7)
    upkeep.step()
    upkeep.step()
    assert store.rows("SELECT count() AS n FROM span_minutes")[0]["n"] == 0


def test_one_service_is_read_alone(store):
    hour(store)
    ingest(store, NOON, traces("crm", span(5, 1, NOON - 59 * MINUTE_NS, kind="server")))
    rolling(store).step()
    assert read_counts(store, WINDOW, "crm")[0][Work.SERVER].spans == 1
    assert read_counts(store, WINDOW)[0][Work.SERVER].spans == 7
    assert [each.service for each in read_by_service(store, WINDOW)] == ["crm", "shop"]
    assert added(read_durations(store, WINDOW, "nobody")) == {}


def test_an_empty_store_has_empty_slots(store):
    rolling(store).step()
    assert told(store) == ([{}] * 6, [{}] * 6, [])


@given(st.lists(st.integers(1, 10**13), min_size=1, max_size=200), st.sampled_from([0.5, 0.95, 0.99]))
def test_a_quantile_of_buckets_is_right_to_its_bound(lengths, level):
    buckets: dict[int, int] = {}
    for length in lengths:
        bucket = next(n for n in range(1024) if length < 2 ** ((n + 1) / BUCKETS_AN_OCTAVE))
        buckets[bucket] = buckets.get(bucket, 0) + 1
    ranked = sorted(lengths)
    exact = next(length for n, length in enumerate(ranked, 1) if n >= level * len(ranked))
    found = quantile(buckets, level)
    assert found is not None
    assert abs(found - exact) <= 0.0222 * exact + 1


def test_no_durations_have_no_quantile():
    assert quantile({}, 0.5) is None
