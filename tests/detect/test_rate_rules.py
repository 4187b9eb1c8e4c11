"""What was told before: it makes nobody patient, and is known at a moment only if it was over by then."""

from __future__ import annotations

import pytest

from clew.detect.rate_rules import MINUTE_NS, RateRules, in_minutes, told_before
from clew.detect.silence import Activity
from clew.detect.surge import WEEK
from clew.model.rule import SeriesKind, Silence, Surge

NOW = 29_900_000
OUTAGE = (NOW - 600, NOW - 400)
MES = "silence/service/mes"
DOWN = "silence of Clew"


def heard():
    """A service that was heard each minute but in a past outage, and fell silent ten minutes ago."""
    minutes = [each for each in range(NOW - 3_000, NOW - 10) if not OUTAGE[0] <= each < OUTAGE[1]]
    return {"mes": Activity(minutes, minutes[-1] * MINUTE_NS, "mes")}


@pytest.mark.parametrize(
    ("windows", "found"),
    [
        pytest.param({}, [], id="nobody told of it, so it may be usual"),
        pytest.param({MES: [OUTAGE]}, ["service:mes"], id="it was told"),
        pytest.param({DOWN: [OUTAGE]}, ["service:mes"], id="Clew was down"),
        pytest.param({"silence/service/crm": [OUTAGE]}, [], id="another one was silent"),
    ],
)
def test_an_outage_that_was_told_makes_nobody_patient(windows, found):
    kept = []
    rates = RateRules(windows, kept.append)
    silent = rates.silences("silent", Silence(), heard(), NOW, NOW - 3_000)
    assert [each.subject for each in silent] == found
    assert [list(each) for each in kept] == [[MES] for _ in found]


def test_of_what_was_told_only_what_was_over_is_known_at_a_moment():
    windows = in_minutes({MES: [(0, 60 * MINUTE_NS), (90 * MINUTE_NS, 120 * MINUTE_NS)], DOWN: [(0, 200 * MINUTE_NS)]})
    assert told_before(windows, 100) == {MES: [(0, 60)], DOWN: [(0, 200)]}


def tripled():
    """A count of three in two minutes for weeks, which is six a minute from now on."""
    begins = [NOW - week * WEEK for week in range(5)]
    usual = {at: 1 + at % 2 for begin in begins for at in range(begin - 200, begin + 40) if at < NOW}
    return usual | dict.fromkeys(range(NOW, NOW + 30), 6)


def test_a_surge_that_one_rule_told_is_none_for_a_stricter_one_not_even_after_a_start():
    warn, page = Surge(SeriesKind.CANCELLED), Surge(SeriesKind.CANCELLED, times=5.0)
    kept = {}

    def keep(told):
        for name, window in told.items():
            kept[name] = [window]

    both, counts = RateRules(keep=keep), {"b2c": tripled()}
    warned, paged = [], []
    for minute in range(NOW, NOW + 20):
        warned += both.surges("warn", warn, counts, minute, 0)
        paged += both.surges("page", page, counts, minute, 0)
    assert len(warned) > 15
    assert paged == []
    started = RateRules(kept)
    [again] = started.surges("warn", warn, counts, NOW + 20, 0)
    assert again.since_ns == warned[-1].since_ns
    assert not started.surges("page", page, counts, NOW + 20, 0)


@pytest.mark.parametrize("names", [0, 500])
def test_names_that_were_seen_once_or_are_yet_to_come_hide_no_surge(names):
    begins = [NOW - week * WEEK for week in range(5)]
    usual = {at: 4 + at % 3 for begin in begins for at in range(begin - 200, begin + 40) if at < NOW}
    counts = {"b2c": usual | dict.fromkeys(range(NOW, NOW + 15), 15)}
    counts |= {f"A-{name}": {NOW - 3: 1, NOW + 20: 50} for name in range(names)}
    [found] = RateRules().surges("many", Surge(SeriesKind.CANCELLED), counts, NOW + 14, 0)
    assert found.labels == {"path": "b2c"}
