"""How each rule stands: who would be told, what it finds, whether it looks, and which silences hold."""

from __future__ import annotations

import pytest

from clew.model.incident import Incident, IncidentState, PlannedSilence, Policy, PolicyStep, Route
from clew.model.journey import VerdictKind
from clew.model.rule import Judged, Rule, Severity
from clew.notify.escalation import Policies
from clew.watch.health import WatchHealth, rules_standing, unseen

NOON = 1_795_348_800 * 10**9
STUCK = Rule(
    "stuck", Judged((VerdictKind.STUCK,)), Severity.ERROR, labels={"team": "crm"}, group_by=("stage", "service")
)


def named(*names):
    return {name: Policy(name, (PolicyStep(0, ("slack",)),)) for name in names}


@pytest.mark.parametrize(
    ("rule", "routes", "expected"),
    [
        pytest.param({}, [Route("night")], ["night"], id="a route for all"),
        pytest.param({}, [], [], id="no route"),
        pytest.param({}, [Route("day", (Severity.INFO,)), Route("night")], ["night"], id="another severity"),
        pytest.param({}, [Route("day", labels={"team": "mes"}), Route("night")], ["night"], id="another label"),
        pytest.param({}, [Route("day", labels={"team": "crm"}), Route("night")], ["day"], id="its own label"),
        pytest.param({}, [Route("day", labels={"rule": "stuck"}), Route("night")], ["day"], id="its name"),
        pytest.param(
            {}, [Route("day", labels={"stage": "SHIPPED"}), Route("night")], ["day", "night"], id="some stages"
        ),
        pytest.param({}, [Route("day", labels={"queue": "q"}), Route("night")], ["night"], id="a label it never has"),
        pytest.param({"policy": "day"}, [Route("night")], ["day"], id="its own policy"),
        pytest.param({"policy": "gone"}, [Route("night")], ["night"], id="its own is not declared"),
        pytest.param({"notifies": False}, [Route("night")], [], id="only tried"),
    ],
)
def test_the_policies_that_a_rules_incidents_may_take_are_those_of_the_routes_that_may_fit(rule, routes, expected):
    made = Rule(STUCK.name, STUCK.shape, STUCK.severity, labels=STUCK.labels, group_by=STUCK.group_by, **rule)
    (standing,) = rules_standing([made], Policies(named("day", "night"), tuple(routes)), [], [], WatchHealth(), NOON)
    assert [each.name for each in standing.policies] == expected


@pytest.mark.parametrize(
    ("labels", "about", "whole"),
    [
        ({"rule": "stuck"}, True, True),
        ({"rule": "stuck", "service": "mes"}, True, False),
        ({"team": "crm"}, True, True),
        ({"rule": "lost"}, False, False),
        ({"rule": "lost", "team": "crm"}, False, False),
        ({"service": "mes"}, False, False),
    ],
)
def test_silences_of_a_rule_are_told_with_whether_they_cover_all_of_it(labels, about, whole):
    held = PlannedSilence(1, labels, NOON - 5, NOON + 5, "anna", "works")
    later = PlannedSilence(2, {"rule": "stuck"}, NOON + 1, NOON + 9, "anna", "works")
    (standing,) = rules_standing([STUCK], Policies(), [], [held, later], WatchHealth(), NOON)
    assert [each.id for each in standing.silences] == ([1] if about else [])
    assert standing.silenced_until_ns == (NOON + 5 if whole else None)


def test_a_rule_stands_with_when_it_looked_why_it_cannot_and_its_own_incidents():
    incidents = [
        Incident(number, name, name, "", Severity.ERROR, IncidentState.OPEN, {}, NOON, NOON, NOON)
        for number, name in enumerate(("stuck", "lost"))
    ]
    health = WatchHealth({"stuck": NOON}, {"stuck": "the disk is full"})
    (standing,) = rules_standing([STUCK], Policies(), incidents, [], health, NOON)
    assert [each.id for each in standing.incidents] == [incidents[0].id]
    assert (standing.looked_ns, standing.trouble, standing.finds) == (NOON, "the disk is full", "orders that are stuck")


@pytest.mark.parametrize(
    ("health", "waits", "told"),
    [
        (WatchHealth(), None, []),
        (WatchHealth(), "rules wait", ["rules wait"]),
        (
            WatchHealth(unwatched="rules don't watch: no room"),
            "rules wait",
            ["rules don't watch: no room", "rules wait"],
        ),
        (WatchHealth(failing={"stuck": "no room"}), None, ["rule stuck can't look: no room"]),
        (WatchHealth(failing={"b": "x", "a": "y", "c": "z"}), None, ["rule a can't look: y; 2 more can't either"]),
    ],
)
def test_what_is_not_looked_at_is_told_with_why(health, waits, told):
    assert unseen(health, waits) == told
