"""Keys, titles, reasons, silences, roots and figures: small decisions over values."""

from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clew.model.alert import Alert, AlertPhase
from clew.model.incident import Incident, IncidentState, PlannedSilence, Policy, PolicyStep, Route
from clew.model.lengths import largest_unit
from clew.model.rule import Explanation, InStage, Judged, NotReached, Rule, Severity, Silence
from clew.model.week import WeekHours
from clew.notify.alerting import advance
from clew.notify.escalation import Policies
from clew.notify.explaining import roots_first
from clew.notify.figures import Figure, figures
from clew.notify.grouping import incident_key, owner_of, reason_of, title_of
from clew.notify.incidents import Around, Group, followed, opened
from clew.notify.silences import covering, holds, labels_to_silence
from tests.notify.world import DAY, HOUR, MONDAY, SECOND, finding

RULE = Rule("stuck", Judged(()), group_by=("stage", "service"))


def fired(subject="order:1", **more):
    found = finding(subject, **more)
    return Alert("stuck", subject, AlertPhase.FIRING, found, MONDAY, MONDAY, MONDAY)


def dwelling(*hours, **labels):
    """Orders that dwell so long, against a limit of 30 minutes."""
    told = {"verdict": "stuck", "stage": "SUBMITTED", "service": "crm-api"} | labels
    return [fired(f"order:{number}", value=each * 3600.0, bound=1800.0, **told) for number, each in enumerate(hours)]


LABELS = st.dictionaries(st.sampled_from(["stage", "service", "queue"]), st.text(max_size=300), max_size=3)


@given(LABELS, LABELS)
def test_the_same_group_labels_give_the_same_key_and_others_another_one(some, others):
    first, second = (incident_key(RULE, finding("order:1", **each)) for each in (some, others))
    same = all((some.get(name) or "") == (others.get(name) or "") for name in RULE.group_by)
    assert (first == second) == same
    assert len(first) <= 255


def test_keys_of_two_rules_differ_whatever_their_names():
    plain, odd = Rule("a", Judged(()), group_by=("stage",)), Rule('a{"stage":"b"}', Judged(()))
    assert incident_key(plain, finding("order:1", stage="b")) == 'a{"stage":"b"}'
    assert incident_key(odd, finding("order:1", stage="b")) != 'a{"stage":"b"}'


@pytest.mark.parametrize(
    ("template", "alerts", "title"),
    [
        ("orders stuck in {stage}", dwelling(1, 2), "orders stuck in SUBMITTED"),
        ("orders lost at {queue}", dwelling(1), "orders lost at an unknown queue"),
        ("stuck in {stage}", [*dwelling(1), *dwelling(1, stage="PRICED")], "stuck in several stages"),
        ("orders lost, {lost_reason}", [fired(lost_reason="dead_lettered")], "orders lost, dead lettered"),
        ("for team {team}", dwelling(1), "for team crm"),
        ("100 {%} of {stage}", dwelling(1), "100 {%} of SUBMITTED"),
        ("", dwelling(1), "stuck: stage SUBMITTED, service crm-api"),
        ("x" * 300, dwelling(1), "x" * 199 + "…"),
    ],
)
def test_a_title_names_what_alerts_have_in_common(template, alerts, title):
    assert title_of(replace(RULE, title=template, labels={"team": "crm"}), alerts) == title


@pytest.mark.parametrize(
    ("named", "owners", "owner"),
    [
        ("", ["crm"], "crm"), ("", ["crm", "crm"], "crm"), ("", ["crm", "mes"], ""), ("", ["crm", ""], ""),
        ("", [""], ""), ("", [], ""), ("ops", ["crm"], "ops"), ("ops", [], "ops"),
    ],
)  # fmt: skip
def test_who_must_act_is_whom_the_rule_names_else_whom_all_alerts_agree_on(named, owners, owner):
    alerts = [fired(f"order:{number}") for number, _ in enumerate(owners)]
    told = [replace(each, finding=replace(each.finding, owner=of)) for each, of in zip(alerts, owners, strict=True)]
    assert owner_of(replace(RULE, owner=named), told) == owner


def test_who_must_act_follows_the_alerts_of_an_incident():
    at_crm, at_mes = (replace(fired(f"order:{of}"), finding=replace(finding(f"order:{of}"), owner=of)) for of in "cm")
    around = Around(Policies({}, ()), MONDAY)
    incident = replace(opened(RULE, Group("key", [at_crm]), around).incident, id=1)
    assert incident.owner == "c"
    assert followed(RULE, incident, Group("key", [at_crm]), around) is None
    assert followed(RULE, incident, Group("key", [at_crm, at_mes], [at_mes]), around).incident.owner == ""
    assert followed(RULE, incident, Group("key", [at_mes]), around).incident.owner == "m"


@pytest.mark.parametrize(
    ("shape", "alerts", "reason"),
    [
        (Judged(()), dwelling(3), "order:0 is in trouble"),
        (
            Judged(()),
            dwelling(*[3] * 312),
            "312 orders stuck in SUBMITTED waiting for crm-api, the first since 2026-01-05 00:00:00 UTC, limit 30 min",
        ),
        (
            Judged(()),
            [*dwelling(1, 49), *dwelling(2, stage="PRICED")],
            "3 orders stuck waiting for crm-api, the first since 2026-01-05 00:00:00 UTC, limit 30 min",
        ),
        (
            Judged(()),
            [fired(f"order:{n}", verdict="lost", queue="crm", lost_reason="dead_lettered") for n in (1, 2)],
            "2 orders lost (dead lettered) at crm, the first since 2026-01-05 00:00:00 UTC",
        ),
        (
            Judged(()),
            [fired(f"order:{n}", verdict="failed", stage="PRICED", service="mes") for n in (1, 2)],
            "2 orders failed in PRICED at mes, the first since 2026-01-05 00:00:00 UTC",
        ),
        (
            InStage(1),
            dwelling(1, 2, verdict="on_time"),
            "2 orders too long in SUBMITTED waiting for crm-api, the first since 2026-01-05 00:00:00 UTC, limit 30 min",
        ),
        (
            NotReached("SHIPPED", 1),
            [fired("order:1"), fired("order:2")],
            "2 orders have not reached SHIPPED, the first since 2026-01-05 00:00:00 UTC",
        ),
        (Silence(), [fired(f"service:{n}") for n in "abcde"], "service:a is in trouble; and b, c, d and 1 more"),
        (Judged(()), [], ""),
    ],
)
def test_the_reason_is_one_sentence(shape, alerts, reason):
    assert reason_of(replace(RULE, shape=shape), alerts) == reason


@pytest.mark.parametrize(
    ("length_ns", "words"),
    [(-1, "0 s"), (59 * SECOND, "59 s"), (119 * SECOND, "1 min"), (47 * HOUR, "1 day"), (60 * DAY, "60 days")],
)
def test_lengths_are_rounded_down_to_one_unit(length_ns, words):
    assert largest_unit(length_ns) == words


NIGHTS = WeekHours("nights", "UTC", ((0, 360),))


@pytest.mark.parametrize(
    ("labels", "hours", "alerts", "covered"),
    [
        ({"rule": "stuck"}, None, [fired()], True),
        ({"rule": "lost"}, None, [fired()], False),
        ({}, None, [fired()], True),
        ({"rule": "stuck", "stage": "A"}, None, [fired()], True),
        ({"stage": "B"}, None, [fired(stage="B"), fired(stage="B")], True),
        ({"stage": "B"}, None, [fired(stage="B"), fired(stage="C")], False),
        ({"stage": "B"}, None, [], False),
        ({"team": "crm"}, None, [fired()], True),
        ({"rule": "stuck"}, NIGHTS, [fired()], True),
        ({"rule": "stuck"}, WeekHours("later", "UTC", ((600, 700),)), [fired()], False),
    ],
)
def test_a_silence_covers_an_incident_by_its_labels_or_by_all_its_alerts(labels, hours, alerts, covered):
    silence = PlannedSilence(1, labels, MONDAY, MONDAY + HOUR, "ann", "", hours)
    rule = replace(RULE, labels={"team": "crm"})
    found = covering([silence], rule, {"stage": "A"}, alerts, MONDAY)
    assert (found == silence) is covered
    assert covering([silence], rule, {"stage": "A"}, alerts, MONDAY + HOUR) is None
    assert covering([silence], rule, {"stage": "A"}, alerts, MONDAY - 1) is None


def incident(**changed):
    return replace(
        Incident(1, "k", "stuck", "t", Severity.ERROR, IncidentState.OPEN, {"stage": "A"}, 0, 0, 0), **changed
    )


EARLY_SUNDAY = WeekHours("early", "Europe/Berlin", ((6 * 1440 + 60, 6 * 1440 + 240),))  # 01:00 to 04:00


@pytest.mark.parametrize(
    ("moment", "within"),
    [
        ("2026-03-29T01:59+01:00", True),
        ("2026-03-29T03:00+02:00", True),
        ("2026-03-29T04:00+02:00", False),
        ("2026-10-25T00:59+02:00", False),
        ("2026-10-25T02:30+02:00", True),
        ("2026-10-25T02:30+01:00", True),
        ("2026-10-25T03:59+01:00", True),
        ("2026-10-25T04:00+01:00", False),
    ],
)
def test_hours_of_silences_and_rules_are_those_of_the_wall_clock_in_the_night_that_changes_it(moment, within):
    at_ns = int(datetime.fromisoformat(moment).timestamp()) * 10**9
    silence = PlannedSilence(1, {}, at_ns - 9 * HOUR, at_ns + 9 * HOUR, "ann", "", EARLY_SUNDAY)
    assert holds(silence, at_ns) is within
    alert = advance(replace(RULE, hours=EARLY_SUNDAY), None, fired().finding, at_ns)
    assert (alert.phase is AlertPhase.FIRING) is within


def test_what_silences_an_incident_are_its_rule_and_labels():
    assert labels_to_silence(incident()) == {"rule": "stuck", "stage": "A"}


def test_the_first_route_that_fits_counts_and_a_rules_own_policy_before_it():
    declared = {name: Policy(name, (PolicyStep(0, ("slack",)),)) for name in ("urgent", "team", "rest")}
    routes = (
        Route("urgent", (Severity.CRITICAL,)),
        Route("team", (), {"service": "crm", "rule": "stuck"}),
        Route("rest"),
    )
    policies = Policies(declared, routes)

    def chosen(severity=Severity.ERROR, policy="", **labels):
        return policies.of(replace(RULE, policy=policy), severity, labels).name

    assert chosen(Severity.CRITICAL, service="crm") == "urgent"
    assert chosen(service="crm") == "team"
    assert chosen(service="mes") == "rest"
    assert chosen(policy="team") == "team"
    assert chosen(policy="gone") == "rest"
    assert Policies().of(RULE, Severity.ERROR, {}) is None


@pytest.mark.parametrize(
    ("explained", "order"),
    [
        ({"a": "b", "b": "c"}, "cba"),
        ({"a": "c"}, "cab"),
        ({"a": "b", "b": "a"}, "bac"),
        ({"a": "a"}, "abc"),
        ({"a": "unknown"}, "abc"),
    ],
)
def test_roots_come_before_what_they_explain(explained, order):
    rules = [
        replace(RULE, name=name, explained_by=(Explanation(explained[name]),) if name in explained else ())
        for name in "abc"
    ]
    assert "".join(rule.name for rule in roots_first(rules)) == order


def test_figures_are_median_p90_and_how_many():
    told = [
        incident(
            since_ns=0, fired_ns=number, acknowledged_ns=3 * number if number % 2 else None, resolved_ns=number + 100
        )
        for number in range(1, 12)
    ]
    found = figures([*told, incident(since_ns=10, fired_ns=6)])
    assert found.detect == Figure(12, 5, 9)
    assert found.acknowledge == Figure(6, 12, 20)
    assert found.resolve == Figure(11, 100, 100)
    assert figures([]).detect == Figure(0, None, None)
