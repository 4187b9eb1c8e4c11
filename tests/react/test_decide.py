from dataclasses import replace

import pytest

from clew.detect.queues import waiting
from clew.detect.spans import spans_seen
from clew.model.incident import IncidentState
from clew.model.reaction import Conditions, Guards, IncidentFilter, RunState, Stopped
from clew.model.rule import QueueWaits, Severity, SpanCondition, SpansSeen
from clew.model.watched import SpanGroup, WaitingQueue
from clew.model.week import WeekHours
from clew.react.decide import Confirmed, Situation, Step, confirm, decide, judge_outcome, may_begin
from tests.detect.stories import rule
from tests.react.builders import COMMAND, EAGER, HOUR, MINUTE, NOW, SECOND, a_reaction, a_run, an_alert, an_incident


def situation(incident=None, alerts=None, runs=(), now_ns=NOW, confirmed=9, **parts):
    incident = incident or an_incident()
    return Situation(incident, [an_alert()] if alerts is None else alerts, runs, now_ns, confirmed, **parts)


def told(reaction, now):
    decision = decide(reaction, now)
    return decision.step, decision.reason


def test_it_runs_when_all_holds():
    assert told(a_reaction(), situation()) == (Step.RUN, "")


@pytest.mark.parametrize(
    ("incident", "on"),
    [
        ({}, IncidentFilter(rules=("other",))),
        ({}, IncidentFilter(rules=("shop-errors",), severities=(Severity.CRITICAL,))),
        ({}, IncidentFilter(labels={"service": "crm-api"})),
        ({}, IncidentFilter(labels={"queue": ""})),
        ({"labels": {}}, IncidentFilter(labels={"service": "shop-api"})),
    ],
)
def test_other_incidents_are_not_its_business(incident, on):
    decision = decide(a_reaction(on=on), situation(an_incident(**incident)))
    assert (decision.step, decision.reason) == (Step.NOTHING, "the incident is not one of those that its 'on' names")


def test_the_rule_counts_as_a_label():
    assert decide(a_reaction(on=IncidentFilter(labels={"rule": "shop-errors"})), situation()).step is Step.RUN


@pytest.mark.parametrize(
    ("incident", "reason"),
    [
        ({"state": IncidentState.RESOLVED}, "the incident is resolved"),
        ({"silenced": True}, "the incident is silenced"),
        ({"explained_by": 5}, "incident 5 explains this one"),
        ({"state": IncidentState.ACKNOWLEDGED, "acknowledged_by": "ann"}, "ann takes care of the incident"),
        ({"firing": 0}, "0 of its alerts fire, and the reaction needs 1"),
    ],
)
def test_it_leaves_alone_what_is_over_silenced_explained_or_in_good_hands(incident, reason):
    assert told(a_reaction(), situation(an_incident(**incident))) == (Step.NOTHING, reason)


def test_a_person_who_took_the_incident_may_still_be_asked():
    acknowledged = situation(an_incident(state=IncidentState.ACKNOWLEDGED))
    asking = a_reaction(guards=replace(EAGER, needs_approval=True))
    assert told(asking, acknowledged) == (Step.PROPOSE, "a person must approve it")


@pytest.mark.parametrize(
    ("when", "alerts", "parts", "reason"),
    [
        (Conditions(alerts=3), [an_alert()], {}, "1 of its alerts fire, and the reaction needs 3"),
        (Conditions(value_over=20), [an_alert(value=20)], {}, "20 was measured, which is not over 20"),
        (Conditions(value_over=20), [an_alert(value=20), an_alert(value=21)], {}, ""),
        (Conditions(value_over=20), [an_alert()], {}, "nothing was measured, which is not over 20"),
        (Conditions(waiting_over=5), [an_alert(value=5, queue="crm")], {}, "5 messages wait, which is not over 5"),
        (Conditions(waiting_over=5), [an_alert(value=6, queue="crm")], {}, ""),
        (Conditions(waiting_over=5), [an_alert(queue="crm")], {}, "0 messages wait, which is not over 5"),
        (Conditions(waiting_over=0), [an_alert(value=9)], {}, "0 messages wait, which is not over 0"),
        (Conditions(firing_for_ns=10 * MINUTE), [an_alert()], {}, ""),
        (Conditions(firing_for_ns=11 * MINUTE), [an_alert()], {}, "the incident has fired for less than 11m"),
    ],
)
def test_every_condition_must_hold(when, alerts, parts, reason):
    step = Step.NOTHING if reason else Step.RUN
    assert told(a_reaction(when=when), situation(alerts=alerts, **parts)) == (step, reason)


def test_errors_counted_and_messages_that_wait_are_what_rules_measured():
    errors, queue = SpansSeen(SpanCondition(http_from=500, http_to=599), 5 * MINUTE), QueueWaits(MINUTE)
    (counted,) = spans_seen(rule(errors), errors, [SpanGroup("shop-api", "", 51, NOW - MINUTE, NOW)], NOW)
    (waits,) = waiting(rule(queue), queue, [WaitingQueue("mes.orders", 21, NOW - 2 * MINUTE)], NOW)
    for when, finding, holds in [
        (Conditions(value_over=50), counted, True), (Conditions(value_over=51), counted, False),
        (Conditions(waiting_over=20), waits, True), (Conditions(waiting_over=21), waits, False),
        (Conditions(waiting_over=20), counted, False),
    ]:  # fmt: skip
        now = situation(alerts=[replace(an_alert(), finding=finding)])
        assert (decide(a_reaction(when=when), now).step is Step.RUN) == holds


NIGHT = WeekHours("night", "UTC", ((0, 1),))


@pytest.mark.parametrize(
    ("guards", "parts", "step", "reason"),
    [
        ({"confirmations": 3}, {"confirmed": 2}, Step.WAIT, "the rules confirmed it 2 of 3 times"),
        ({"confirmations": 3}, {"confirmed": 3}, Step.RUN, ""),
        ({"hours": NIGHT}, {}, Step.WAIT, "it may run only in the hours 'night'"),
        ({}, {"stopped": Stopped("ann", "moving house", NOW)}, Step.REFUSE, "ann stopped all reactions: moving house; let them begin again with: clew reactions go"),
        ({}, {"busy": {COMMAND.target}}, Step.WAIT, "another run acts on command /bin/true now"),
        ({}, {"runs": [a_run(incident_id=2)]}, Step.WAIT, "its last run ended less than 5m ago, which is its cooldown"),
        ({}, {"runs": [a_run(incident_id=2, at_ns=NOW - 5 * MINUTE)]}, Step.RUN, ""),
        ({}, {"runs": [a_run(RunState.RUNNING, incident_id=2)]}, Step.WAIT, "another run of the reaction is about to begin or goes on"),
        ({}, {"runs": [a_run(RunState.APPROVED, incident_id=2)]}, Step.WAIT, "another run of the reaction is about to begin or goes on"),
        ({}, {"runs": [a_run(RunState.WAITING_APPROVAL, incident_id=2)]}, Step.RUN, ""),
        ({}, {"runs": [a_run(RunState.REFUSED, incident_id=2)]}, Step.RUN, ""),
        ({}, {"runs": [a_run(at_ns=NOW - age * MINUTE) for age in (10, 20)]}, Step.WAIT, "it ran 2 times within the last hour, and may not run more often"),
        ({}, {"runs": [a_run(at_ns=NOW - age * MINUTE) for age in (10, 60)]}, Step.RUN, ""),
        ({}, {"runs": [a_run(RunState.DRY_RUN, dry_run=True)]}, Step.RUN, ""),
        ({"dry_run": True}, {"runs": [a_run()]}, Step.RUN, ""),
        ({"dry_run": True}, {"runs": [a_run(RunState.DRY_RUN, dry_run=True)]}, Step.WAIT, "its last run ended less than 5m ago, which is its cooldown"),
        ({"dry_run": True, "needs_approval": True}, {}, Step.RUN, ""),
        ({"needs_approval": True}, {}, Step.PROPOSE, "a person must approve it"),
    ],
)  # fmt: skip
def test_every_guard_holds_it_back(guards, parts, step, reason):
    assert told(a_reaction(guards=replace(EAGER, **guards)), situation(**parts)) == (step, reason)


@pytest.mark.parametrize(
    ("run", "step"),
    [
        (a_run(RunState.WAITING_APPROVAL), Step.NOTHING),
        (a_run(RunState.PROPOSED), Step.NOTHING),
        (a_run(RunState.FAILED, at_ns=NOW - 3 * HOUR), Step.REFUSE),
        (a_run(RunState.USELESS, at_ns=NOW - 3 * HOUR), Step.REFUSE),
        (a_run(RunState.REFUSED, at_ns=NOW - 3 * HOUR, version=2), Step.REFUSE),
        (a_run(RunState.REFUSED, at_ns=NOW - 3 * HOUR, version=1), Step.RUN),
        (a_run(RunState.HELPED, at_ns=NOW - 3 * HOUR), Step.RUN),
        (a_run(RunState.FAILED, at_ns=NOW - 3 * HOUR, incident_id=2), Step.RUN),
    ],
)
def test_what_was_tried_on_this_incident_counts(run, step):
    """What failed, helped nothing or was refused by a person isn't tried again on the same incident."""
    assert decide(a_reaction(), situation(runs=[run])).step is step


def test_before_it_runs_again_it_is_seen_whether_it_helped():
    reaction = a_reaction(guards=replace(EAGER, help_within_ns=HOUR))
    ran = a_run(run_id=7, at_ns=NOW - 30 * MINUTE)
    decision = decide(reaction, situation(runs=[ran]))
    assert (decision.step, decision.until_ns) == (Step.WAIT, NOW + 30 * MINUTE)
    assert decision.reason == "it is not known yet whether run 7 helps"
    assert decide(reaction, situation(runs=[replace(ran, incident_id=2)])).step is Step.RUN


@pytest.mark.parametrize(("age", "step"), [(30 * MINUTE, Step.WAIT), (HOUR, Step.NOTHING), (3 * HOUR, Step.NOTHING)])
def test_a_dry_run_stands_for_what_a_real_one_would_be_allowed(age, step):
    """A real one would have helped or called a person by then, and not run again on that incident."""
    dry = a_reaction(guards=replace(EAGER, dry_run=True, help_within_ns=HOUR))
    ran = a_run(RunState.DRY_RUN, at_ns=NOW - age, dry_run=True)
    assert decide(dry, situation(runs=[ran])).step is step
    assert decide(dry, situation(runs=[replace(ran, incident_id=2)])).step is Step.RUN
    assert decide(replace(dry, guards=replace(dry.guards, dry_run=False)), situation(runs=[ran])).step is Step.RUN


def test_a_wait_says_until_when():
    resting = decide(a_reaction(), situation(runs=[a_run(ended_ns=NOW - MINUTE)]))
    often = decide(a_reaction(), situation(runs=[a_run(at_ns=NOW - age * MINUTE) for age in (10, 20, 40)]))
    assert (resting.until_ns, often.until_ns) == (NOW + 4 * MINUTE, NOW + 40 * MINUTE)


def test_a_clock_that_goes_back_frees_nothing():
    assert decide(a_reaction(), situation(runs=[a_run(at_ns=NOW + 2 * HOUR)])).step is Step.WAIT


def test_looks_are_counted_once_each_and_begin_anew_after_one_that_finds_nothing():
    count = Confirmed()
    seen = []
    for met, looked in [
        (True, 0),
        (True, 0),
        (True, 1),
        (True, 1),
        (True, 2),
        (False, 3),
        (True, 3),
        (True, 4),
        (True, 4),
        (True, 9),
    ]:
        count = confirm(count, met, looked)
        seen.append(count.looks)
    assert seen == [0, 0, 1, 1, 2, 0, 1, 2, 2, 3]


@pytest.mark.parametrize(
    ("run", "guards", "parts", "step"),
    [
        ({"state": RunState.PROPOSED}, {}, {}, Step.RUN),
        ({"state": RunState.APPROVED}, {"needs_approval": True}, {}, Step.RUN),
        ({"state": RunState.WAITING_APPROVAL}, {"needs_approval": True}, {}, Step.WAIT),
        ({"state": RunState.PROPOSED}, {"needs_approval": True}, {}, Step.REFUSE),
        ({"state": RunState.PROPOSED, "target": "command /bin/false"}, {}, {}, Step.REFUSE),
        ({"state": RunState.PROPOSED, "dry_run": True}, {}, {}, Step.REFUSE),
        ({"state": RunState.PROPOSED}, {"dry_run": True}, {}, Step.REFUSE),
        ({"state": RunState.APPROVED}, {}, {"stopped": Stopped("ann", "", NOW)}, Step.REFUSE),
        ({"state": RunState.APPROVED}, {}, {"incident": an_incident(firing=0)}, Step.REFUSE),
        ({"state": RunState.APPROVED}, {}, {"incident": an_incident(state=IncidentState.RESOLVED)}, Step.REFUSE),
        ({"state": RunState.APPROVED, "at_ns": NOW - 61 * MINUTE}, {}, {}, Step.REFUSE),
        ({"state": RunState.WAITING_APPROVAL, "at_ns": NOW - 61 * MINUTE}, {}, {}, Step.REFUSE),
        ({"state": RunState.APPROVED}, {}, {"runs": [a_run(run_id=6, incident_id=2)]}, Step.WAIT),
        ({"state": RunState.APPROVED}, {}, {"runs": [a_run(RunState.FAILED, run_id=6)]}, Step.REFUSE),
        ({"state": RunState.APPROVED}, {}, {"runs": [a_run(RunState.APPROVED, run_id=6, incident_id=2)]}, Step.RUN),
        ({"state": RunState.APPROVED}, {}, {"runs": [a_run(RunState.RUNNING, run_id=6, incident_id=2)]}, Step.WAIT),
        ({"state": RunState.APPROVED}, {"hours": NIGHT}, {}, Step.WAIT),
    ],
)
def test_all_guards_hold_again_when_a_run_is_about_to_begin(run, guards, parts, step):
    proposed = a_run(**run)
    now = situation(**{**parts, "runs": [*parts.get("runs", []), proposed]})
    assert may_begin(a_reaction(guards=replace(EAGER, **guards)), proposed, now).step is step


DRY = a_run(RunState.DRY_RUN, at_ns=NOW, dry_run=True)
LEFT = "it ran; nothing was done, and the incident"


@pytest.mark.parametrize(
    ("run", "incident", "within_ns", "age_ns", "outcome"),
    [
        (a_run(at_ns=NOW), an_incident(), None, HOUR, None),
        (a_run(at_ns=NOW), an_incident(), MINUTE, 59 * SECOND, None),
        (a_run(at_ns=NOW), an_incident(), MINUTE, MINUTE, (RunState.USELESS, "it ran, but the incident still fires 1m later")),
        (a_run(at_ns=NOW), an_incident(firing=0), MINUTE, 59 * SECOND, None),
        (a_run(at_ns=NOW), an_incident(firing=0), MINUTE, MINUTE, (RunState.HELPED, "it ran; nothing fires any more")),
        (a_run(at_ns=NOW), an_incident(state=IncidentState.RESOLVED), MINUTE, 0, (RunState.HELPED, "it ran; the incident ended")),
        (a_run(at_ns=NOW), None, MINUTE, 0, (RunState.HELPED, "it ran; the incident ended")),
        (a_run(RunState.FAILED, at_ns=NOW), an_incident(), MINUTE, HOUR, None),
        (DRY, an_incident(), None, HOUR, None),
        (DRY, an_incident(), MINUTE, 59 * SECOND, None),
        (DRY, an_incident(), MINUTE, MINUTE, (RunState.DRY_RUN, f"{LEFT} still fires 1m later; had a real run not helped either, a person would have been called")),
        (DRY, an_incident(firing=0), MINUTE, MINUTE, (RunState.DRY_RUN, f"{LEFT} ended by itself")),
        (DRY, None, MINUTE, 0, (RunState.DRY_RUN, f"{LEFT} ended by itself")),
    ],
)  # fmt: skip
def test_a_run_helped_when_nothing_fires_after_it_and_was_useless_when_something_does(
    run, incident, within_ns, age_ns, outcome
):
    reaction = a_reaction(guards=Guards(help_within_ns=within_ns))
    judged = judge_outcome(reaction, replace(run, result="it ran"), incident, NOW + age_ns)
    assert (None if judged is None else (judged.state, judged.result)) == outcome
    if judged is not None:
        again = replace(run, state=judged.state, result=judged.result)
        assert judge_outcome(reaction, again, incident, NOW + HOUR) is None
