"""The page of rules: what is watched, who would be told, and what it finds now."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from clew.model.incident import Incident, IncidentState, PlannedSilence, Policy, PolicyStep
from clew.model.journey import VerdictKind
from clew.model.rule import Explanation, Judged, Rule, Severity
from clew.model.week import WeekHours
from clew.watch.health import RuleStanding
from clew.web.pages.rules.context import Asked, policy_words, rules_page
from tests.web.pages import HOSTILE, rendered

NOON = 1_795_348_800 * 10**9
MINUTE = 60 * 10**9
OFFICE = WeekHours("office", "Europe/Berlin", ((8 * 60, 18 * 60),))
URGENT = Policy("urgent", (PolicyStep(0, ("slack", "duty")), PolicyStep(15 * MINUTE, ("boss",), OFFICE)), repeat=2)


def rule(name="stuck", **changes):
    return Rule(name, Judged((VerdictKind.STUCK,)), **changes)


def stands(declared=None, *, finds="orders that are stuck", looked_ns=NOON, trouble="", states=(), silences=()):
    incidents = [Incident(1, "k", "stuck", "", Severity.ERROR, each, {}, NOON, NOON, NOON) for each in states]
    held = tuple(PlannedSilence(1, labels, 0, NOON + MINUTE, "anna", "works", hours) for labels, hours in silences)
    return RuleStanding(declared or rule(), finds, (URGENT,), looked_ns, trouble, tuple(incidents), held)


def page(*standing, file="", **asked):
    return rules_page(standing, Asked(**asked), file)


def told(*standing, **asked):
    return rendered("rules/rules.html", page(*standing, **asked), NOON)


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        (URGENT, "slack and duty at once, then boss 15 min later (only office); all of it 2 more times"),
        (Policy("q", (PolicyStep(MINUTE, ("slack",)),), repeat=1), "slack 1 min later; all of it 1 more time"),
        (Policy("q", (PolicyStep(0, ("a",)), PolicyStep(0, ("b",)))), "a at once, then b at the same time"),
    ],
)
def test_a_policy_is_told_in_one_sentence(policy, words):
    assert policy_words(policy) == words


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "Orders that are stuck"),
        ({"title": "orders stuck in {stage}"}, ">Orders stuck in [stage]</span>\n<small>orders that are stuck<"),
        ({"for_ns": 5 * MINUTE}, "holds for 5 min"),
        ({"hits": 3, "looks": 5}, "is found by 3 of 5 looks"),
        ({"hours": OFFICE}, "only in hours office (Europe/Berlin)"),
        ({"keep_firing_ns": MINUTE}, "goes on 1 min after it was last found"),
        ({"group_by": ("stage", "lost_reason")}, "one incident for each stage, lost reason"),
        ({"labels": {"team": "crm"}}, "team crm"),
        ({"owner": "CRM people"}, "CRM people acts"),
        ({"runbook": "https://wiki/stuck"}, 'href="https://wiki/stuck"'),
        ({"explained_by": (Explanation("dead-queue"),)}, 'href="#rule-dead-queue"'),
        ({"severity": Severity.CRITICAL}, "severity-critical"),
    ],
)
def test_what_a_rule_declares_is_told_in_plain_words(changes, words):
    assert words in told(stands(rule(**changes)))


def test_that_rules_wait_for_what_was_held_back_is_said():
    shown = rules_page([stands()], Asked(), "", "rules wait, as Clew was down")
    assert "Rules wait, as Clew was down." in rendered("rules/rules.html", shown, NOON)


def test_the_policies_of_the_rules_shown_are_told_once():
    shown = page(stands(), stands(rule("lost")))
    assert [(each.name, each.told[:5]) for each in shown.policies] == [("urgent", "slack")]
    assert [each.policies for each in shown.lines] == [("urgent",), ("urgent",)]
    assert page(stands(), word="nothing").policies == ()


def test_names_with_spaces_are_led_to_by_links_that_the_page_has():
    called = rule("late at MES", explained_by=(Explanation("late at MES"),))
    named = replace(stands(called, trouble="no"), policies=(replace(URGENT, name="by day"),))
    html = told(named)
    anchors, links = (re.findall(rf'{mark}((?:rule|policy)-[^"]*)"', html) for mark in (' id="', 'href="#'))
    assert sorted(anchors) == ["policy-by%20day", "rule-late%20at%20MES"]
    assert set(links) == set(anchors)


def test_a_runbook_that_is_no_web_address_is_no_link():
    assert 'href="javascript' not in told(stands(rule(runbook="javascript:alert(1)")))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "nothing"),
        ({"states": [IncidentState.OPEN, IncidentState.ACKNOWLEDGED]}, "2 incidents</a><small>1 waits"),
        ({"states": [IncidentState.ACKNOWLEDGED]}, "1 incident</a><small>somebody has it"),
        ({"looked_ns": None}, "not yet"),
        ({"trouble": "the store is away"}, "can't look: the store is away"),
        ({"silences": [({"rule": "stuck"}, None)]}, "silenced until"),
        ({"silences": [({"rule": "stuck", "service": "mes"}, OFFICE)]}, "silenced for service mes until"),
    ],
)  # fmt: skip
def test_how_a_rule_stands_is_told(given, words):
    assert words in told(stands(**given))


def test_rules_are_shown_also_while_their_incidents_can_not_be_read():
    shown = rules_page([replace(stands(), incidents=None)], Asked(), "", "", "PostgreSQL is away")
    html = rendered("rules/rules.html", shown, NOON)
    assert [each.name for each in shown.lines] == ["stuck"]
    assert "be read:</strong> PostgreSQL is away." in html
    assert ">not known</span>" in html
    assert "none finds anything" not in html


def test_rules_that_cannot_look_are_named_first():
    shown = page(stands(), stands(rule("lost"), trouble="no"), severity="info")
    assert (shown.failing, shown.lines) == (("lost",), ())
    assert "1 rule can't look" in rendered("rules/rules.html", shown, NOON)


@pytest.mark.parametrize(
    ("file", "words"), [("", "those that ship with Clew"), ("/etc/clew/rings.yaml", ">rings.yaml<")]
)
def test_the_file_is_named_without_its_folder(file, words):
    assert words in rendered("rules/rules.html", page(stands(), file=file), NOON)


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ({}, ["stuck", "lost"]),
        ({"severity": "critical"}, ["lost"]),
        ({"owner": "MES"}, ["lost"]),
        ({"word": "STUCK"}, ["stuck"]),
        ({"word": "boss orders"}, ["stuck", "lost"]),
        ({"word": "nothing like it"}, []),
    ],
)
def test_rules_are_chosen_by_severity_by_owner_and_by_words(asked, names):
    lost = stands(rule("lost", severity=Severity.CRITICAL, owner="MES"), finds="orders that are lost")
    shown = page(stands(), lost, **asked)
    assert [each.name for each in shown.lines] == names
    assert shown.total == 2
    assert ("No rule is like this" in rendered("rules/rules.html", shown, NOON)) == (not names)


def test_that_nobody_is_told_and_that_nothing_watches_is_said():
    tried = RuleStanding(rule(notifies=False), "orders", (), NOON, "", (), ())
    assert "nobody: it is only tried" in told(tried)
    assert "no channel is set up" in told(tried)
    assert "no channel is set up" not in told(tried, stands())
    assert "No rule watches" in told()


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_words_are_shown_as_text(name):
    html = told(stands(rule(owner=name, runbook=name, labels={"team": name}), finds=name, trouble=name), word=name)
    assert "<script>alert" not in html
    assert "<img src=x" not in html
