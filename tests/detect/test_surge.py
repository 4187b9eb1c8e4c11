"""Surges: what is one, what isn't, and what never enters the expectation."""

from __future__ import annotations

import random
from math import exp, factorial, lgamma

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clew.detect.surge import (
    AFTER,
    BEFORE,
    DAY,
    WEEK,
    WEEKS,
    SurgeParams,
    Surging,
    baseline,
    judge,
    looked_at,
    shared,
    sharing,
    tail,
)

NOW = 2_967 * WEEK + 5_000
"""Some minute of some week."""


def steady(rate: float, seed: int = 1, weeks: int = WEEKS, until: int = NOW) -> dict[int, int]:
    """Counts by chance alone, in all minutes that are looked at."""
    chance = random.Random(seed)
    begin = NOW - weeks * WEEK - BEFORE if weeks else NOW - 60
    counts = {}
    for from_, to in looked_at(NOW):
        for minute in range(max(from_, begin), min(to, until + 1)):
            drawn = _poisson(rate, chance)
            if drawn:
                counts[minute] = drawn
    return counts


def _poisson(rate: float, chance: random.Random) -> int:
    n, left = 0, exp(-rate) if rate < 50 else 0.0
    if rate >= 50:
        return max(0, round(chance.gauss(rate, rate**0.5)))
    product = chance.random()
    while product > left:
        n += 1
        product *= chance.random()
    return n


def last(counts: dict[int, int], *added: int) -> dict[int, int]:
    """The same with these counts in the last minutes, newest last."""
    begin = NOW - len(added) + 1
    return counts | {begin + at: counts.get(begin + at, 0) + each for at, each in enumerate(added)}


@pytest.mark.parametrize(
    ("rate", "added", "surges"),
    [
        pytest.param(0.0, (1, 1, 1, 0, 1), False, id="four of what never happened"),
        pytest.param(0.0, (1, 1, 1, 1, 1), True, id="five of what never happened"),
        pytest.param(0.0, (0, 0, 0, 0, 8), False, id="a blip of one minute"),
        pytest.param(0.0, (0, 0, 0, 0, 30), True, id="very many in one minute"),
        pytest.param(0.05, (1, 2, 1, 2, 1), True, id="rare events come by the minute"),
        pytest.param(0.05, (0, 1, 0, 1, 0), False, id="rare events come twice"),
        pytest.param(0.5, (4, 5, 3, 4, 4), True, id="eight times as many"),
        pytest.param(5.0, (10, 10, 10, 10, 10), True, id="three times as many"),
        pytest.param(5.0, (3, 3, 3, 3, 3), False, id="half as many again"),
        pytest.param(50.0, (100, 100, 100, 100, 100), True, id="three times very many"),
        pytest.param(50.0, (25, 25, 25, 25, 25), False, id="half as many again of very many"),
        pytest.param(50.0, (0, 0, 0, 1000, 0), False, id="a blip of twenty times the rate"),
    ],
)
def test_a_surge_is_large_a_multiple_and_hardly_chance(rate, added, surges):
    found = judge(last(steady(rate), *added), NOW)
    assert (found is not None) is surges


@pytest.mark.parametrize("seed", range(3))
def test_a_tripled_rate_of_half_a_minute_is_found_over_a_longer_window(seed):
    found = judge(last(steady(1.0, seed), *[2] * 30), NOW)
    assert found is not None
    assert found.window > 5


def test_a_surge_says_what_was_counted_expected_and_when_it_began():
    found = judge(last(steady(1.0), 0, 0, 9, 8, 8, 9, 9), NOW)
    assert found is not None
    assert (found.window, found.minute, found.since_minute, found.weeks) == (5, NOW, NOW - 4, WEEKS)
    assert 43 <= found.value <= 55
    assert 4 < found.expected < 6
    assert found.expected < found.recover_below < found.bound <= found.value
    one_less = judge(last(steady(1.0)) | dict.fromkeys(range(NOW - 4, NOW + 1), (found.bound - 1) // 5), NOW)
    assert one_less is None


@pytest.mark.parametrize(
    ("added", "goes_on"), [((9, 9, 9, 9, 9), True), ((2, 2, 2, 2, 2), True), ((0, 0, 0, 0, 0), False)]
)
def test_a_surge_goes_on_until_it_has_recovered(added, goes_on):
    counts = last(steady(1.0), *added * 3)
    since = NOW - 40
    found = judge(counts, NOW, since_minute=since, flagged=[(since, NOW)])
    assert (found.since_minute if found else None) == (since if goes_on else None)
    assert judge(last(steady(1.0), *(2,) * 5), NOW) is None


def test_what_is_flagged_never_enters_what_is_expected():
    counts = steady(1.0)
    flagged = [(NOW - week * WEEK - 60, NOW - week * WEEK + 20) for week in (1, 2, 3)] + [(NOW - 100, NOW)]
    surged = counts | {minute: 40 for from_, to in flagged for minute in range(from_, to)}
    assert baseline(surged, NOW, flagged) == baseline({**counts}, NOW, flagged)
    assert judge(last(surged, *[5] * 5), NOW, flagged) is not None
    assert judge(last(surged, *[5] * 5), NOW) is None


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.lists(st.integers(0, 9), min_size=30, max_size=30), st.randoms())
def test_only_the_counts_matter_not_their_order_nor_other_minutes(seed, added, chance):
    counts = last(steady(0.5, seed % 5), *added)
    shuffled = list(counts.items())
    chance.shuffle(shuffled)
    spans = looked_at(NOW)
    outside = {
        minute: 1_000 for minute in range(NOW - 5 * WEEK, NOW + 500, 7) if not any(f <= minute < t for f, t in spans)
    }
    zeros = {NOW - 3: counts.get(NOW - 3, 0)}
    assert judge(dict(shuffled) | outside | zeros, NOW) == judge(counts, NOW)


@settings(max_examples=30)
@given(st.integers(-5, 5), st.integers(0, 4))
def test_a_surge_is_the_same_in_any_week(weeks, seed):
    counts = last(steady(0.5, seed), *[3] * 15)
    moved = {minute + weeks * WEEK: n for minute, n in counts.items()}
    one, other = judge(counts, NOW), judge(moved, NOW + weeks * WEEK)
    assert (one is None) == (other is None)
    if one and other:
        assert (one.value, one.expected, one.bound) == (other.value, other.expected, other.bound)


@settings(max_examples=30)
@given(st.integers(0, 4), st.integers(1, 40))
def test_more_events_never_end_a_surge(seed, more):
    counts = last(steady(0.5, seed), 4, 4, 3, 4, 4)
    assert judge(counts, NOW) is not None
    assert judge(last(counts, more, more, more, more, more), NOW) is not None


@pytest.mark.parametrize("factor", [0.0, 30.0], ids=["an outage", "a surge"])
def test_one_bad_week_moves_what_is_expected_but_little(factor):
    counts = steady(5.0)
    bad = {minute: int(counts.get(minute, 0) * factor) for minute in range(NOW - WEEK - BEFORE, NOW - WEEK + AFTER + 1)}
    usual, moved = baseline(counts, NOW), baseline(counts | bad, NOW)
    assert usual is not None
    assert moved is not None
    assert 0.7 < moved.per_minute / usual.per_minute < 1.4


@pytest.mark.parametrize(
    ("known", "added", "surges"),
    [
        pytest.param(20, (50,) * 5, False, id="minutes: nothing is said"),
        pytest.param(50, (12,) * 5, True, id="less than an hour: ten times as many"),
        pytest.param(50, (3,) * 5, False, id="less than an hour: not by four times as many"),
        pytest.param(5 * 60, (8,) * 5, True, id="hours: nine times as many"),
        pytest.param(5 * 60, (1,) * 5, False, id="hours: twice as many"),
        pytest.param(WEEK + 300, (4,) * 15, True, id="a week"),
    ],
)
def test_before_there_are_weeks_the_last_hours_count(known, added, surges):
    found = judge(last(steady(1.0), *added), NOW, known_since=NOW - known)
    assert (found is not None) is surges
    if found:
        assert found.weeks == (1 if known > WEEK else 0)


def test_a_shop_that_opens_at_the_same_time_each_day_is_no_surge_on_its_third_day():
    opened = [NOW - 10 - day * DAY for day in range(3)]
    counts = {minute: 10 for at in opened for minute in range(at, at + 600) if minute <= NOW}
    assert judge(counts, NOW, known_since=NOW - 3 * DAY) is None
    assert judge(counts, NOW, known_since=NOW - DAY // 2) is not None
    seen = looked_at(NOW, 30, NOW - 3 * DAY)
    assert (len(seen), seen[-2]) == (8, (NOW - DAY - 34, NOW - DAY + AFTER + 31))
    assert seen[0] == looked_at(NOW, 30)[-2]


def test_a_rate_that_grew_for_hours_is_expected():
    grown = {minute: 2 * n if minute > NOW - BEFORE else n for minute, n in steady(5.0).items()}
    assert judge(grown, NOW) is None


@pytest.mark.parametrize(("at_least", "surges"), [(5, True), (30, False)])
def test_fewer_events_than_are_asked_for_are_no_surge(at_least, surges):
    counts = last(steady(0.0), 2, 3, 2, 2, 3)
    assert (judge(counts, NOW, params=SurgeParams(at_least=at_least)) is not None) is surges


@pytest.mark.parametrize("mean", [0.3, 4.0, 60.0])
@pytest.mark.parametrize("count", [0, 1, 3, 12, 70])
def test_tails_are_those_of_the_distributions(count, mean):
    poisson = 1 - sum(exp(-mean) * mean**n / factorial(n) for n in range(count))
    assert tail(count, mean, mean) == pytest.approx(poisson, rel=2e-2, abs=1e-12)
    size = 2.0
    odds = size / (size + mean)
    binomial = 1 - sum(
        exp(lgamma(n + size) - lgamma(size) - lgamma(n + 1)) * odds**size * (1 - odds) ** n for n in range(count)
    )
    assert tail(count, mean, mean + mean * mean / size) == pytest.approx(binomial, rel=1e-6, abs=1e-12)


def test_the_spans_of_time_that_are_looked_at_hold_all_that_matters():
    counts = last(steady(1.0), *[6] * 5)
    seen = {minute: n for minute, n in counts.items() if any(f <= minute < t for f, t in looked_at(NOW))}
    found = judge(seen, NOW)
    assert isinstance(found, Surging)
    assert found == judge(counts, NOW)
    assert looked_at(NOW, 30)[-1] == (NOW - BEFORE + 1, NOW + 31)


def test_weeks_of_chance_alarm_no_more_than_promised():
    """Two hours a day of four weeks at three rates: about as many looks as a series has in a week."""
    chance = random.Random(7)
    found = 0
    for rate in (0.05, 0.5, 5.0):
        counts = {minute: n for minute in range(2 * WEEK) if (n := _poisson(rate, chance))}
        for minute in range(WEEK + BEFORE, 2 * WEEK, 5):
            found += judge(counts, minute) is not None
    assert found <= 1


@pytest.mark.parametrize(
    ("rate", "added", "surges"),
    [
        pytest.param(0.5, (0, 0, 0, 0, 35), (True, False), id="very many in one minute"),
        pytest.param(5.0, (25, 25, 25, 25, 25), (True, True), id="six times as many"),
    ],
)
def test_each_of_many_series_of_a_rule_needs_more_to_surge(rate, added, surges):
    counts = last(steady(rate), *added)
    few, many = (judge(counts, NOW, params=shared(SurgeParams(), series)) for series in (2, 20))
    assert (few is not None, many is not None) == surges


@pytest.mark.parametrize(
    ("counts", "shares"),
    [
        pytest.param(dict.fromkeys(range(NOW - 150, NOW, 30), 1), True, id="rare, and known"),
        pytest.param(dict.fromkeys(range(NOW - 120, NOW, 30), 1), False, id="too few to surge"),
        pytest.param({NOW - BEFORE: 100, NOW + 1: 100}, False, id="long ago, or yet to come"),
        pytest.param({NOW - BEFORE + 1: 3, NOW: 2}, True, id="within the last hours"),
    ],
)
def test_series_that_counted_enough_for_a_surge_in_the_last_hours_share(counts, shares):
    assert sharing([counts, {}, steady(1.0)], NOW, SurgeParams()) == 1 + shares


def test_what_is_known_for_less_than_an_hour_surges_at_ten_times_as_many_however_many_series_there_are():
    counts = last(steady(1.0), *(20,) * 5)
    assert judge(counts, NOW, known_since=NOW - 50, params=shared(SurgeParams(), 20)) is not None


@given(st.integers(0, 60), st.lists(st.integers(0, 30), min_size=5, max_size=5))
@settings(max_examples=30, deadline=None)
def test_what_surges_in_a_rule_of_many_series_surges_in_one_of_few(series, added):
    counts = last(steady(1.0), *added)
    many = judge(counts, NOW, params=shared(SurgeParams(), series))
    assert many is None or judge(counts, NOW) is not None
