"""What an incident's record and people are told of runs. Pure: what was told already is seen in the record itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from clew.model.incident import Incident, Transition, TransitionKind
from clew.model.reaction import ReactionRun, RunState

_TOLD_LONGEST = 500


class Tell(StrEnum):
    """Who is told: nobody (it is recorded only), those who know of the incident, or the next person of its policy."""

    RECORD = "record"
    NOTIFY = "notify"
    ESCALATE = "escalate"


@dataclass(frozen=True, slots=True)
class News:
    """An entry for an incident's record about a run, and who is told of it."""

    incident_id: int
    run_id: int
    transition: Transition
    tell: Tell


_TELL = {
    RunState.WAITING_APPROVAL: Tell.NOTIFY,
    RunState.DONE: Tell.NOTIFY,
    RunState.HELPED: Tell.RECORD,
    RunState.USELESS: Tell.ESCALATE,
    RunState.FAILED: Tell.ESCALATE,
    RunState.DRY_RUN: Tell.RECORD,
    RunState.REFUSED: Tell.RECORD,
}


def news_of(run: ReactionRun, incident: Incident, now_ns: int) -> News | None:
    """What is to be told of a run as it is; None when nothing is.

    A run that waits for approval is told with the command that gives it, a failed or useless one asks for a person.
    """
    tell = _TELL.get(run.state)
    if tell is None:
        return None
    if run.dry_run:  # nothing was done, nobody need be called for it
        tell = Tell.RECORD
    transition = Transition(now_ns, TransitionKind.REACTION, "clew", _sentence(run, incident))
    return News(incident.id, run.id, transition, tell)


def untold(runs: Sequence[ReactionRun], incident: Incident, record: Sequence[Transition], now_ns: int) -> list[News]:
    """What is to be told of runs on an incident and isn't in its record yet, oldest run first.

    So a kill between the end of a run and its telling loses nothing, and nothing is told twice.
    """
    told = {each.text for each in record if each.kind is TransitionKind.REACTION}
    found = [news_of(run, incident, now_ns) for run in sorted(runs, key=lambda run: run.id)]
    return [each for each in found if each is not None and each.transition.text not in told]


def _sentence(run: ReactionRun, incident: Incident) -> str:
    name = f"{'dry run of ' if run.dry_run else ''}reaction {run.reaction} (run {run.id})"
    result = run.result if len(run.result) <= _TOLD_LONGEST else f"{run.result[:_TOLD_LONGEST]} …"
    who = incident.owner or "a person"
    match run.state:
        case RunState.FAILED if run.dry_run:
            return f"{name} failed: {result}; a real run that failed would have called {who}"
        case RunState.WAITING_APPROVAL:
            return f"{name} waits for approval to {result}; {who} must allow it: clew reactions approve {run.id}"
        case RunState.FAILED:
            return f"{name} failed: {result}; {who} must act"
        case RunState.USELESS:
            return f"{name} did not help: {result}; {who} must act"
        case RunState.HELPED:
            return f"{name} helped: {result}"
        case RunState.DRY_RUN:
            return f"{name}: {result}"
        case RunState.REFUSED:
            return f"{name} was refused: {result}"
        case _:
            return f"{name} is done: {result}{_by(run)}"


def _by(run: ReactionRun) -> str:
    return f", approved by {run.approved_by}" if run.approved_by else ""
