"""What reactions are decided by and act in: the reactions there are, incidents, runs, and the ways out."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from clew.control.contract import Incidents
from clew.control.reactions import ReactionRuns
from clew.model.incident import Incident
from clew.model.reaction import Reaction, ReactionRun, ReactionSet, RunState, Stopped
from clew.react.actions.contract import Occasion, Outside
from clew.react.actions.failures import ActionFailed
from clew.react.actions.perform import perform
from clew.react.decide import HOUR_NS, Decision, Situation, decide


@dataclass(frozen=True, slots=True)
class Tried:
    """What a reaction would do about an incident now, and what checking its action found (``works``: nothing wrong)."""

    decision: Decision
    works: bool
    result: str


@dataclass(frozen=True, slots=True)
class World:
    """Read by any thread; every method blocks, and raises ControlError when the control database can't be reached."""

    reactions: Callable[[], ReactionSet]
    incidents: Incidents
    runs: ReactionRuns
    outside: Outside
    now_ns: Callable[[], int] = time.time_ns

    def situation(
        self, reaction: Reaction, incident: Incident, now_ns: int, confirmed: int, stopped: Stopped | None
    ) -> Situation:
        """All that a decision about a reaction and an incident rests on."""
        since_ns = now_ns - max(HOUR_NS, reaction.guards.cooldown_ns)
        return Situation(
            incident=incident,
            alerts=self.incidents.alerts_of(incident.id),
            runs=self.runs.about(reaction.name, incident.id, since_ns),
            now_ns=now_ns,
            confirmed=confirmed,
            stopped=stopped,
            busy={run.target for run in self.runs.unfinished() if run.state is RunState.RUNNING},
        )

    def occasion(self, run: ReactionRun, incident: Incident) -> Occasion:
        """On which a run acts."""
        return Occasion(run.reaction, run.id, incident, run.began_ns or run.at_ns, run.dry_run)

    def try_out(self, reaction: Reaction, incident: Incident) -> Tried:
        """What would be decided if it were confirmed, and whether its action could be done. Nothing is done or kept."""
        now_ns = self.now_ns()
        now = self.situation(reaction, incident, now_ns, reaction.guards.confirmations, self.runs.stopped())
        decision = decide(reaction, now)
        occasion = Occasion(reaction.name, 0, incident, now_ns, dry=True)
        try:
            return Tried(decision, True, perform(reaction.action, occasion, self.outside, lambda _: None))
        except ActionFailed as error:
            return Tried(decision, False, str(error))
