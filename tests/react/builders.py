"""Incidents, alerts, runs and reactions of tests, with what a test doesn't care about filled in."""

from __future__ import annotations

from dataclasses import replace

from clew.model.alert import Alert, AlertPhase, Finding
from clew.model.incident import Incident, IncidentState
from clew.model.reaction import Command, Guards, IncidentFilter, Reaction, ReactionRun, RunState
from clew.model.rule import Severity

SECOND = 10**9
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
NOW = 1_795_000_000 * SECOND

INCIDENT = Incident(
    id=1, key="k", rule="shop-errors", title="Shop API fails", severity=Severity.ERROR, state=IncidentState.OPEN,
    labels={"service": "shop-api"}, since_ns=NOW - 11 * MINUTE, fired_ns=NOW - 10 * MINUTE,
    opened_ns=NOW - 10 * MINUTE, owner="shop team", alerts=1, firing=1,
)  # fmt: skip
COMMAND = Command(("/bin/true",))
EAGER = Guards(cooldown_ns=5 * MINUTE, most_per_hour=2, confirmations=1, dry_run=False)


def an_incident(**changes):
    return replace(INCIDENT, **changes)


def an_alert(subject="service:shop-api", value=None, phase=AlertPhase.FIRING, **labels):
    finding = Finding("shop-errors", subject, "12 errors in 5 min", NOW - 11 * MINUTE, labels, value)
    return Alert("shop-errors", subject, phase, finding, NOW - 11 * MINUTE, NOW, fired_ns=NOW - 10 * MINUTE)


def a_reaction(name="restart-shop", action=COMMAND, guards=EAGER, on=None, **parts):
    on = IncidentFilter(rules=("shop-errors",)) if on is None else on
    return Reaction(name, action, on=on, guards=guards, **parts)


def a_run(state=RunState.DONE, run_id=7, incident_id=1, at_ns=NOW - 2 * MINUTE, **parts):
    times = {}
    if state not in (RunState.PROPOSED, RunState.WAITING_APPROVAL, RunState.APPROVED, RunState.REFUSED):
        times = {"began_ns": at_ns, "ended_ns": None if state is RunState.RUNNING else at_ns}
    run = ReactionRun(run_id, "restart-shop", incident_id, COMMAND.target, state, at_ns, **times)
    return replace(run, **parts)
