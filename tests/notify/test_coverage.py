"""What a silence would cover is told before anybody misses what it doesn't."""

from dataclasses import replace

import pytest

from clew.model.alert import Alert, AlertPhase
from clew.model.incident import Incident, IncidentState
from clew.model.rule import Judged, Rule, Severity
from clew.notify.coverage import coverage, known_labels

from .world import MONDAY, finding

STUCK = Rule("stuck", Judged(()), group_by=("stage",))
LOST = Rule("lost", Judged(()), labels={"team": "crm"})
NOTHING = "nothing now"


def incident(number, rule, **labels):
    one = Incident(number, str(number), rule.name, f"title {number}", Severity.ERROR, IncidentState.OPEN, labels,
                   MONDAY, MONDAY, MONDAY)  # fmt: skip
    return replace(one, labels={**rule.labels, **labels})


def firing(rule, *orders, **labels):
    return [
        Alert(rule.name, f"order:{each}", AlertPhase.FIRING, finding(f"order:{each}", rule.name, **labels), 0, 0)
        for each in orders
    ]


NOW = [
    (incident(1, STUCK, stage="PAID"), firing(STUCK, "a", "b", stage="PAID", service="crm")),
    (incident(2, STUCK, stage="MADE"), [*firing(STUCK, "c", service="crm"), *firing(STUCK, "d", service="mes")]),
    (incident(3, LOST), firing(LOST, "e", queue="offers")),
    (incident(4, STUCK, stage="SENT"), []),
]


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        ({"rule": "stuck", "stage": "PAID"}, "1 unresolved incident with 2 alerts now: title 1 (incident 1)"),
        ({"team": "crm"}, "1 unresolved incident with 1 alert now: title 3 (incident 3)"),
        ({"stage": "SENT"}, "1 unresolved incident with no alert that fires now: title 4 (incident 4)"),
        ({"service": "crm"}, "1 unresolved incident with 2 alerts now: title 1 (incident 1); only some alerts of "
         "title 2 (incident 2), which is told all the same"),
        ({"service": "mes"}, f"{NOTHING}; only some alerts of title 2 (incident 2), which is told all the same"),
        ({"rule": "stuck"}, "3 unresolved incidents with 4 alerts now: title 1 (incident 1), title 2 (incident 2), "
         "title 4 (incident 4)"),
        ({"stage": "NEVER"}, NOTHING),
    ],
)  # fmt: skip
def test_what_labels_cover_now_is_said_with_what_they_only_touch(labels, told):
    assert coverage(labels, (STUCK, LOST), NOW, {}).told == told


@pytest.mark.parametrize(
    ("labels", "warnings"),
    [
        ({"rule": "stuk"}, ["no rule is called 'stuk': did you mean 'stuck'?"]),
        ({"rule": "x"}, ["no rule is called 'x': known here: stuck, lost"]),
        ({"stge": "PAID"}, ["no alert has a label 'stge': did you mean 'stage'?"]),
        ({"service": "mse"}, ["no alert has service=mse now: did you mean 'mes'?"]),
        ({"service": "tomorrows-service", "rule": "stuck"}, []),
        ({"stage": "PAID", "team": "crm"}, []),
    ],
)
def test_a_label_that_nobody_knows_is_told_with_the_one_that_may_be_meant(labels, warnings):
    known = known_labels(["stage", "service", "queue"], (STUCK, LOST), NOW)
    assert list(coverage(labels, (STUCK, LOST), NOW, known).warnings) == warnings


@pytest.mark.parametrize("labels", [{"rule": "waits"}, {"service": "mes"}])
def test_where_the_rules_are_not_known_nothing_is_warned_of(labels):
    assert coverage(labels, (), (), {}).warnings == ()


def test_where_the_rules_are_not_known_incidents_are_covered_by_what_they_say_themselves():
    assert coverage({"rule": "lost"}, (), NOW, {}).incidents == (NOW[2][0],)
