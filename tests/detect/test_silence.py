"""Telemetry silence: who should be heard, who may sleep, who was replaced."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clew.detect.silence import (
    DAY,
    EVERYBODY,
    HOUR,
    WEEK,
    Activity,
    SilenceParams,
    judge,
    judge_senders,
    judge_services,
    judged_from,
)

MINUTE_NS = 60 * 10**9
MONDAY = 4 * DAY + 2_000 * WEEK
"""A Monday, 00:00."""
NOW = MONDAY + 4 * WEEK + DAY + 12 * HOUR
"""Four weeks later, Tuesday at noon."""


def heard(minutes, service="") -> Activity:
    minutes = sorted(minutes)
    return Activity(minutes, minutes[-1] * MINUTE_NS if minutes else 0, service)


def always(until=NOW, begin=MONDAY):
    return range(begin, until)


def sometimes(share, until=NOW, begin=MONDAY, seed=2):
    chance = random.Random(seed)
    return [minute for minute in range(begin, until) if chance.random() < share]


def office(until=NOW, begin=MONDAY):
    return [m for m in range(begin, until) if (m - MONDAY) // DAY % 7 < 5 and 8 <= m % DAY // HOUR < 18]


def every(minutes, until=NOW, begin=MONDAY):
    return range(begin, until, minutes)


def silent(minutes, now=NOW, **more):
    return judge(heard(minutes), now, known_since=MONDAY, **more)


@pytest.mark.parametrize(
    ("minutes", "now", "is_silent"),
    [
        pytest.param(always(NOW - 1), NOW, False, id="always heard, until just now"),
        pytest.param(always(NOW - 3), NOW, True, id="always heard, not for three minutes"),
        pytest.param(sometimes(0.5, NOW - 10), NOW, False, id="every other minute, not for ten"),
        pytest.param(sometimes(0.5, NOW - 60), NOW, True, id="every other minute, not for an hour"),
        pytest.param(sometimes(0.05, NOW - 60), NOW, False, id="every twenty minutes, not for an hour"),
        pytest.param(sometimes(0.05, NOW - 9 * HOUR), NOW, True, id="every twenty minutes, not for nine hours"),
        pytest.param(every(15, NOW - 10), NOW, False, id="a job every quarter, on time"),
        pytest.param(every(15, NOW - 30), NOW, True, id="a job every quarter, twice not"),
        pytest.param(office(NOW - 5 * HOUR), MONDAY + 4 * WEEK + DAY + 7 * HOUR, False, id="office hours, at night"),
        pytest.param(office(MONDAY + 4 * WEEK), MONDAY + 4 * WEEK + 7 * HOUR, False, id="office hours, over a weekend"),
        pytest.param(office(MONDAY + 4 * WEEK), MONDAY + 4 * WEEK + 9 * HOUR, True, id="office hours, not on Monday"),
        pytest.param(every(DAY, NOW - 13 * HOUR), NOW, True, id="a nightly job that didn't run"),
        pytest.param(every(DAY, NOW), NOW, False, id="a nightly job that ran"),
        pytest.param([], NOW, False, id="never heard"),
    ],
)
def test_silence_is_judged_by_the_minutes_a_source_is_usually_heard_in(minutes, now, is_silent):
    assert (silent([m for m in minutes if m < now], now) is not None) is is_silent


def test_a_silence_says_since_when_and_how_much_was_missed():
    found = silent(always(NOW - 20))
    assert (found.last_ns, found.minutes) == ((NOW - 21) * MINUTE_NS, 21)
    assert 18 < found.missed <= 21
    assert found.bound == pytest.approx(1.0)


@pytest.mark.parametrize(("known", "is_silent"), [(DAY - 60, False), (DAY + 60, True)])
def test_a_new_source_is_judged_from_its_second_day_on(known, is_silent):
    activity = heard(always(NOW - 10, NOW - known))
    assert judged_from(activity) == NOW - known + DAY
    assert (judge(activity, NOW, known_since=MONDAY) is not None) is is_silent


@pytest.mark.parametrize(("params", "is_silent"), [(SilenceParams(at_least=30), False), (SilenceParams(), True)])
def test_a_rule_may_ask_for_a_longer_silence(params, is_silent):
    assert (silent(always(NOW - 20), params=params) is not None) is is_silent


def test_an_outage_of_all_is_no_gap_of_one():
    outage = (MONDAY + WEEK, MONDAY + WEEK + 600)
    minutes = [m for m in always(NOW - 30) if not outage[0] <= m < outage[1]]
    assert silent(minutes) is None
    assert silent(minutes, outages=[outage]) is not None


def test_what_clew_itself_did_not_hear_is_no_silence():
    minutes = always(NOW - 60)
    assert silent(minutes) is not None
    assert silent(minutes, outages=[(NOW - 60, NOW)]) is None
    assert silent(minutes, outages=[(NOW - 60, NOW - 5)]) is not None


@settings(max_examples=10)
@given(st.integers(-3, 3), st.sampled_from([always, office]), st.integers(1, 400))
def test_a_silence_is_the_same_in_any_week(weeks, kind, ago):
    minutes = [m for m in kind() if m < NOW - ago]
    moved = heard([m + weeks * WEEK for m in minutes])
    one = silent(minutes)
    other = judge(moved, NOW + weeks * WEEK, known_since=MONDAY + weeks * WEEK)
    assert (one is None) == (other is None)
    assert one is None or (one.missed, one.bound) == pytest.approx((other.missed, other.bound))


@settings(max_examples=8)
@given(st.integers(0, 600), st.integers(0, 600))
def test_a_longer_silence_misses_no_less(one, more):
    minutes = sometimes(0.3)
    shorter, longer = (
        silent([m for m in minutes if m < NOW - one]),
        silent([m for m in minutes if m < NOW - one - more]),
    )
    assert shorter is None or longer is not None


def judged(judge_all, sources, **more):
    return sorted(judge_all(sources, NOW, known_since=MONDAY, **more))


def test_one_silent_service_is_named_and_all_of_them_are_one_silence():
    shop, mes, nightly = heard(always()), heard(always(NOW - 20)), heard(every(DAY))
    assert judged(judge_services, {"shop": shop, "mes": mes, "nightly": nightly}) == ["mes"]
    dead = heard(always(NOW - 20))
    assert judged(judge_services, {"shop": dead, "mes": mes, "nightly": nightly}) == [EVERYBODY]
    assert judged(judge_services, {"mes": mes}) == ["mes"]


def test_all_may_sleep_together():
    monday = MONDAY + 4 * WEEK
    sources = {name: heard(m for m in office() if m < monday) for name in ("shop", "mes")}
    assert judge_services(sources, monday + 6 * HOUR, known_since=MONDAY) == {}
    assert list(judge_services(sources, monday + 9 * HOUR, known_since=MONDAY)) == [EVERYBODY]


@pytest.mark.parametrize(
    ("others", "named"),
    [
        pytest.param({}, [], id="the only one: that is its service's matter"),
        pytest.param({"b": heard(always(), "shop")}, ["a"], id="one of two"),
        pytest.param({"b": heard(always(), "mes")}, [], id="the other one is of another service"),
        pytest.param({"b": heard(always(NOW, NOW - 25), "shop")}, [], id="replaced by a new one"),
        pytest.param({"b": heard(always(NOW - 15, NOW - 25), "shop")}, [], id="all gone"),
        pytest.param(
            {"b": heard(always(NOW, NOW - 3 * HOUR), "shop")}, ["a"], id="the other one was there for hours before"
        ),
    ],
)
def test_a_sender_is_silent_when_its_service_is_heard_without_it_and_nobody_took_over(others, named):
    senders = {"a": heard(always(NOW - 20), "shop")} | others
    assert judged(judge_senders, senders) == named


def test_a_rolling_deploy_says_nothing():
    old = {f"old-{n}": heard(always(NOW - 30 + 5 * n), "shop") for n in range(3)}
    new = {f"new-{n}": heard(always(NOW, NOW - 31 + 5 * n), "shop") for n in range(3)}
    for ago in range(0, 30, 3):
        at = NOW - ago
        seen = {
            name: heard(minutes, "shop")
            for name, each in (old | new).items()
            if (minutes := [m for m in each.minutes if m < at])
        }
        assert judge_senders(seen, at, known_since=MONDAY) == {}


def test_a_sender_that_is_gone_for_a_week_is_forgotten():
    senders = {"a": heard(always(NOW - 8 * DAY), "shop"), "b": heard(always(), "shop")}
    assert judged(judge_senders, senders) == []
