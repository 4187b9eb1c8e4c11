"""Decides over values: whether a reaction runs on an incident now, must wait, or is refused, each with its reason.

conditions hold? --> confirmed often enough? --> guards --> run, or propose to a person
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from clew.flow.durations import render_duration
from clew.model.alert import Alert, AlertPhase
from clew.model.incident import Incident, IncidentState
from clew.model.reaction import BEFORE, IncidentFilter, Reaction, ReactionRun, RunState, Stopped

HOUR_NS = 3600 * 10**9
_JUDGED = "; nothing was done, and the incident"
_DRY_MEANS = "had a real run not helped either, a person would have been called"


class Step(StrEnum):
    """What is to be done about a reaction and an incident."""

    NOTHING = "nothing"
    WAIT = "wait"
    REFUSE = "refuse"
    PROPOSE = "propose"
    RUN = "run"


@dataclass(frozen=True, slots=True)
class Decision:
    """A step with its reason in words; a wait may know until when (Unix ns)."""

    step: Step
    reason: str = ""
    until_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Situation:
    """All that a decision rests on.

    ``runs`` are those of this reaction: at least all on this incident, and all of the last hour and cooldown. ``busy``
    are the targets that some run acts on now. ``confirmed`` counts the looks in a row at which the conditions held, the
    last one included.
    """

    incident: Incident
    alerts: Sequence[Alert]
    runs: Sequence[ReactionRun]
    now_ns: int
    confirmed: int = 0
    stopped: Stopped | None = None
    busy: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Confirmed:
    """How many looks in a row found the conditions, and the moment of the last look that counted."""

    looks: int = 0
    looked_ns: int = 0


def confirm(before: Confirmed, met: bool, looked_ns: int) -> Confirmed:
    """Count a look (0: none yet since the start).

    Asking twice about one look counts once, and one that finds nothing begins anew.
    """
    if not met or not looked_ns:
        return Confirmed(0, looked_ns)
    if before.looks and looked_ns <= before.looked_ns:
        return before
    return Confirmed(before.looks + 1, looked_ns)


def fits(on: IncidentFilter, incident: Incident) -> bool:
    """Whether an incident is one of those that a filter means."""
    labels = {**incident.labels, "rule": incident.rule}
    return (
        (not on.rules or incident.rule in on.rules)
        and (not on.severities or incident.severity in on.severities)
        and all(labels.get(name) == value for name, value in on.labels.items())
    )


def unmet(reaction: Reaction, now: Situation) -> str:
    """Why the reaction has nothing to do with the incident now; empty when all of its conditions hold."""
    incident, when = now.incident, reaction.when
    if not fits(reaction.on, incident):
        return "the incident is not one of those that its 'on' names"
    if incident.state is IncidentState.RESOLVED:
        return "the incident is resolved"
    if incident.silenced or incident.explained_by is not None:
        return (
            "the incident is silenced" if incident.silenced else f"incident {incident.explained_by} explains this one"
        )
    if incident.state is IncidentState.ACKNOWLEDGED and not reaction.guards.needs_approval:
        return f"{incident.acknowledged_by or 'somebody'} takes care of the incident"
    firing = [alert for alert in now.alerts if alert.phase is AlertPhase.FIRING]
    if not firing or incident.firing < when.alerts:
        return f"{incident.firing} of its alerts fire, and the reaction needs {when.alerts}"
    if now.now_ns - incident.fired_ns < when.firing_for_ns:
        return f"the incident has fired for less than {render_duration(when.firing_for_ns)}"
    return _unmeasured(reaction, firing)


def _unmeasured(reaction: Reaction, firing: Sequence[Alert]) -> str:
    when = reaction.when
    if when.value_over is not None:
        value = max((each.finding.value for each in firing if each.finding.value is not None), default=None)
        if value is None or value <= when.value_over:
            return f"{'nothing' if value is None else f'{value:g}'} was measured, which is not over {when.value_over:g}"
    if when.waiting_over is not None:
        # Of a queue it is measured how many messages wait in it.
        waiting = max((each.finding.value or 0 for each in firing if each.finding.labels.get("queue")), default=0)
        if waiting <= when.waiting_over:
            return f"{waiting:g} messages wait, which is not over {when.waiting_over}"
    return ""


def decide(reaction: Reaction, now: Situation) -> Decision:
    """What is to be done about a reaction and an incident now.

    Whatever came before: never within the cooldown, more often than allowed, while stopped, or unconfirmed.
    """
    reason = unmet(reaction, now)
    if reason:
        return Decision(Step.NOTHING, reason)
    here = [run for run in now.runs if run.incident_id == now.incident.id]
    if any(run.state in BEFORE for run in here):
        return Decision(Step.NOTHING, "a run on this incident waits for approval or is about to begin")
    if now.confirmed < reaction.guards.confirmations:
        return Decision(Step.WAIT, f"the rules confirmed it {now.confirmed} of {reaction.guards.confirmations} times")
    held = _held(reaction, here, now) or _too_soon(reaction, now.runs, now)
    if held is not None:
        return held
    if reaction.guards.needs_approval and not reaction.guards.dry_run:
        return Decision(Step.PROPOSE, "a person must approve it")
    return Decision(Step.RUN)


def may_begin(reaction: Reaction, run: ReactionRun, now: Situation) -> Decision:
    """Whether a run that was proposed, or approved, may begin now: run, wait, or refuse; all guards hold here, too."""
    # Those that wait, too, don't hold it up: the first that begins does.
    others = [each for each in now.runs if each.id != run.id and each.state not in BEFORE]
    if now.incident.state is IncidentState.RESOLVED or not now.incident.firing:
        return Decision(Step.REFUSE, "nothing fires any more")
    if now.now_ns - run.at_ns > reaction.guards.approve_within_ns:
        return Decision(Step.REFUSE, _late(run, reaction.guards.approve_within_ns))
    if now.stopped is not None:
        return Decision(Step.REFUSE, _stopped(now.stopped))
    if run.state is RunState.WAITING_APPROVAL:
        return Decision(Step.WAIT, "nobody approved it yet")
    if run.dry_run != reaction.guards.dry_run or run.target != reaction.action.target:
        return Decision(Step.REFUSE, "the reaction was changed since the run was proposed")
    if reaction.guards.needs_approval and not run.dry_run and run.state is not RunState.APPROVED:
        return Decision(Step.REFUSE, "the reaction needs approval now, and the run has none")
    here = [each for each in others if each.incident_id == run.incident_id]
    return _held(reaction, here, now) or _too_soon(reaction, others, now) or Decision(Step.RUN)


def _held(reaction: Reaction, here: Sequence[ReactionRun], now: Situation) -> Decision | None:
    """What forbids the reaction on this incident: for good, until somebody lets it go on, or a judgement comes."""
    if now.stopped is not None:
        return Decision(Step.REFUSE, _stopped(now.stopped))
    for run in here:
        if run.dry_run != reaction.guards.dry_run:
            continue
        if run.state in (RunState.FAILED, RunState.USELESS):
            return Decision(Step.REFUSE, _gave_up(run))
        if run.state is RunState.REFUSED and run.version > 1:
            return Decision(Step.REFUSE, f"run {run.id} on this incident was refused")
        if run.state in (RunState.DONE, RunState.DRY_RUN) and reaction.guards.help_within_ns is not None:
            return _until_judged(run, _end_of(run) + reaction.guards.help_within_ns, now.now_ns)
    return None


def _until_judged(run: ReactionRun, until_ns: int, now_ns: int) -> Decision:
    """Nothing runs again before it is known whether it helped. After a dry run that is never known, so it stays one."""
    if run.state is RunState.DRY_RUN and now_ns >= until_ns:
        told = f"dry run {run.id} on this incident is enough: by now a real run would have helped or called a person"
        return Decision(Step.NOTHING, told)
    return Decision(Step.WAIT, f"it is not known yet whether run {run.id} helps", until_ns)


def _late(run: ReactionRun, within_ns: int) -> str:
    cause = "nobody approved it" if run.state is RunState.WAITING_APPROVAL else "its guards did not let it begin"
    return f"{cause} within {render_duration(within_ns)}"


def _stopped(stopped: Stopped) -> str:
    why = f": {stopped.reason}" if stopped.reason else ""
    return f"{stopped.by} stopped all reactions{why}; let them begin again with: clew reactions go"


def _gave_up(run: ReactionRun) -> str:
    how = "failed" if run.state is RunState.FAILED else "did not help"
    if run.dry_run:
        return f"run {run.id} on this incident {how}, so a real run would have called a person"
    return f"run {run.id} on this incident {how}, so a person must act"


def _too_soon(reaction: Reaction, runs: Sequence[ReactionRun], now: Situation) -> Decision | None:
    """What forbids the reaction for a while. Dry runs hold up dry runs only."""
    guards = reaction.guards
    if reaction.action.target in now.busy:
        return Decision(Step.WAIT, f"another run acts on {reaction.action.target} now")
    counted = [run for run in runs if run.dry_run == guards.dry_run and _counts(run)]
    if any(run.ended_ns is None for run in counted):
        return Decision(Step.WAIT, "another run of the reaction is about to begin or goes on")
    last_ns = max((_end_of(run) for run in counted), default=None)
    if last_ns is not None and now.now_ns < last_ns + guards.cooldown_ns:
        told = f"its last run ended less than {render_duration(guards.cooldown_ns)} ago, which is its cooldown"
        return Decision(Step.WAIT, told, last_ns + guards.cooldown_ns)
    begun = sorted(run.began_ns for run in counted if run.began_ns is not None and run.began_ns > now.now_ns - HOUR_NS)
    if len(begun) >= guards.most_per_hour:
        free_ns = begun[len(begun) - guards.most_per_hour] + HOUR_NS
        return Decision(
            Step.WAIT, f"it ran {len(begun)} times within the last hour, and may not run more often", free_ns
        )
    if guards.hours is not None and not guards.hours.holds_at(now.now_ns):
        return Decision(Step.WAIT, f"it may run only in the hours {guards.hours.name!r}")
    return None


def _counts(run: ReactionRun) -> bool:
    """Whether a run was begun or is going to be; one that nobody approved yet holds up nothing."""
    return run.began_ns is not None or run.state in (RunState.PROPOSED, RunState.APPROVED)


def _end_of(run: ReactionRun) -> int:
    return max(run.ended_ns or 0, run.began_ns or 0)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run was good for, in words."""

    state: RunState
    result: str


def may_be_judged(reaction: Reaction, run: ReactionRun) -> bool:
    """Whether it is asked, and not known, what became of the incident after a run; asked once of a dry one."""
    if reaction.guards.help_within_ns is None or run.ended_ns is None:
        return False
    return run.state is RunState.DONE or (run.state is RunState.DRY_RUN and _JUDGED not in run.result)


def judge_outcome(reaction: Reaction, run: ReactionRun, incident: Incident | None, now_ns: int) -> Outcome | None:
    """Whether a run that is done helped, or was useless as its incident still fires; None: not known yet, or not asked.

    An incident that is gone counts as one that ended. A dry run stays one, and says once what became of its incident.
    """
    if not may_be_judged(reaction, run):
        return None
    within_ns, ended_ns = reaction.guards.help_within_ns or 0, run.ended_ns or 0
    over = incident is None or incident.state is IncidentState.RESOLVED
    if not over and now_ns < ended_ns + within_ns:
        return None
    fires = not over and incident is not None and incident.firing > 0
    if run.state is RunState.DRY_RUN:
        after = f"still fires {render_duration(within_ns)} later; {_DRY_MEANS}" if fires else "ended by itself"
        return Outcome(RunState.DRY_RUN, f"{run.result}{_JUDGED} {after}")
    if fires:
        told = f"{run.result}, but the incident still fires {render_duration(within_ns)} later"
        return Outcome(RunState.USELESS, told)
    return Outcome(RunState.HELPED, f"{run.result}; {'the incident ended' if over else 'nothing fires any more'}")
