"""Findings over time: when an alert fires, goes on and ends."""

from dataclasses import replace

import pytest

from clew.model.alert import AlertPhase
from clew.model.rule import Judged, Rule
from clew.model.week import WeekHours
from clew.notify.alerting import REFRESH_NS, advance, advance_all, worth_writing
from tests.notify.world import HOUR, MINUTE, MONDAY, SECOND, finding

RULE = Rule("stuck", Judged(()))
OFFICE = WeekHours("office", "UTC", ((480, 1080),))


def lived(rule, looks, every_ns=MINUTE, begin_ns=MONDAY):
    """The phase after each look: ``.`` nothing or forgotten, ``p`` pending, ``F`` firing, ``E`` ended after it fired.

    A look is "x" (found), "-" (not found), or a number: found with that value against a bound of 10.
    """
    alert, phases = None, ""
    for number, each in enumerate(looks):
        found = finding("order:1")
        if each == "-":
            found = None
        elif each != "x":
            found = finding("order:1", value=float(each), bound=10.0)
        alert = advance(rule, alert, found, begin_ns + number * every_ns)
        if alert is None or (alert.phase is AlertPhase.ENDED and alert.fired_ns is None):
            phases += "."
        else:
            phases += {"pending": "p", "firing": "F", "ended": "E"}[alert.phase]
    return phases


@pytest.mark.parametrize(
    ("changed", "looks", "phases"),
    [
        pytest.param({}, "x", "F", id="at once without a time to wait"),
        pytest.param({}, "--x-x", "..FEF", id="it ends with the first look that finds nothing, and may come again"),
        pytest.param({"for_ns": 2 * MINUTE}, "xxxx", "ppFF", id="after it held for so long"),
        pytest.param({"for_ns": 2 * MINUTE}, "xx-xxx", "pp.ppF", id="what breaks before is forgotten, and counts anew"),
        pytest.param({"hits": 3, "looks": 5}, "x-x-x", "ppppF", id="three of five"),
        pytest.param({"hits": 3, "looks": 5}, "xx---xx", "ppppppp", id="two of five are too few"),
        pytest.param({"hits": 2, "looks": 3}, "x---x", "ppp.p", id="what no look of the last found is forgotten"),
        pytest.param({"hits": 2, "looks": 3}, "xx-xx--", "pFFFFFE", id="flapping goes on while two of three find it"),
        pytest.param({"hits": 2, "looks": 3, "for_ns": MINUTE}, "xxx", "ppF", id="the time begins when the hits suffice"),
        pytest.param({"keep_firing_ns": 2 * MINUTE}, "x--", "FFE", id="it goes on firing for a while"),
        pytest.param({"keep_firing_ns": 2 * MINUTE}, "x-x--", "FFFFE", id="found again meanwhile, it is the same one"),
    ],
)  # fmt: skip
def test_an_alert_lives_by_its_rule(changed, looks, phases):
    assert lived(replace(RULE, **changed), looks) == phases


@pytest.mark.parametrize(
    ("recover_below", "values", "phases"),
    [
        pytest.param(None, [12, 11], "FF", id="without a bound of its own, what is found counts"),
        pytest.param(8.0, [9, 12, 9, 8, 7], ".FFFE", id="between the bounds it goes on, and doesn't begin"),
        pytest.param(8.0, [12, "-"], "FE", id="nothing found is below any bound"),
        pytest.param(8.0, ["x", "x"], "FF", id="a finding without a value counts"),
    ],
)
def test_recovery_has_a_bound_of_its_own(recover_below, values, phases):
    assert lived(replace(RULE, recover_below=recover_below), [str(each) for each in values]) == phases


def test_outside_its_hours_nothing_begins_to_fire_and_what_fires_goes_on():
    rule = replace(RULE, hours=OFFICE)
    assert lived(rule, "xxxx", every_ns=HOUR, begin_ns=MONDAY + 6 * HOUR) == "ppFF"
    assert lived(rule, "xxxx-", every_ns=HOUR, begin_ns=MONDAY + 16 * HOUR) == "FFFFE"


def test_times_tell_when_it_was_found_fired_and_ended():
    rule = replace(RULE, for_ns=MINUTE)
    first = advance(rule, None, finding("order:1"), MONDAY)
    second = advance(rule, first, finding("order:1"), MONDAY + MINUTE)
    third = advance(rule, second, None, MONDAY + 2 * MINUTE)
    assert (third.found_ns, third.fired_ns, third.seen_ns) == (MONDAY, MONDAY + MINUTE, MONDAY + MINUTE)
    assert third.ended_ns == MONDAY + 2 * MINUTE


@pytest.mark.parametrize("again_ns", [MONDAY, MONDAY - MINUTE])
def test_a_look_that_is_repeated_or_older_changes_nothing(again_ns):
    rule = replace(RULE, hits=2, looks=2)
    first = advance(rule, None, finding("order:1"), MONDAY)
    assert advance(rule, first, finding("order:1"), again_ns) == first
    assert advance(rule, first, None, again_ns) == first


def test_all_subjects_of_a_rule_advance_and_the_last_finding_of_one_counts():
    before = advance_all(RULE, {}, [finding("order:1"), finding("order:2")], MONDAY)
    after = advance_all(RULE, before, [finding("order:2", stage="A"), finding("order:2", stage="B")], MONDAY + SECOND)
    assert {subject: alert.phase.value for subject, alert in after.items()} == {"order:1": "ended", "order:2": "firing"}
    assert after["order:2"].finding.labels == {"stage": "B"}


@pytest.mark.parametrize(
    ("rule", "after_ns", "labels", "worth"),
    [
        (RULE, SECOND, {}, False),
        (RULE, REFRESH_NS, {}, True),
        (RULE, SECOND, {"stage": "B"}, True),
        (replace(RULE, keep_firing_ns=MINUTE), 6 * SECOND, {}, True),
        (replace(RULE, looks=2), SECOND, {}, True),
    ],
    ids=["nothing new", "too old", "another stage", "soon enough to keep it firing", "looks that count"],
)
def test_an_alert_that_goes_on_is_written_when_it_must_be(rule, after_ns, labels, worth):
    first = advance(rule, None, finding("order:1"), MONDAY)
    assert worth_writing(rule, None, first)
    assert worth_writing(rule, first, advance(rule, first, finding("order:1", **labels), MONDAY + after_ns)) is worth
