"""What was told before: it makes nobody patient, and is known at a moment only if it was over by then."""

from __future__ import annotations

import pytest

from clew.detect.rate_rules import MINUTE_NS, RateRules, in_minutes, told_before
from clew.detect.silence import Activity
from clew.model.rule import Silence

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
