"""Runs reactions: looks at open incidents, decides, acts in threads of their own, records, and has people told.

look --> propose --> (a person approves) --> begin --> act in a thread --> end with the result --> tell --> judge

Each arrow is one compare-and-set, so a kill between any two leaves a true record: what hadn't begun is decided again,
what ran is ended as failed at the next start, what wasn't told is told then.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable
from dataclasses import replace

from clew.control.contract import Change
from clew.control.reactions import RunQuery
from clew.model.errors import ControlError
from clew.model.incident import Incident
from clew.model.reaction import BEFORE, Action, Command, Reaction, ReactionRun, ReactionSet, RunState, Stopped
from clew.react.actions.failures import ActionFailed
from clew.react.actions.perform import perform
from clew.react.decide import (
    Confirmed,
    Decision,
    Outcome,
    Step,
    confirm,
    decide,
    fits,
    judge_outcome,
    may_be_judged,
    may_begin,
    unmet,
)
from clew.react.load_actions import LONGEST_NS
from clew.react.survey import survey
from clew.react.telling import News, untold
from clew.react.words import in_words, left_open
from clew.react.world import World

log = logging.getLogger(__name__)

PAUSE_S = 2.0
SHORT_PAUSE_S = 0.5
"""Between steps, the short one while something runs or is about to."""

_GRACE_NS = 30 * 10**9
_REQUESTS = 6
_OTHERS_NS = _REQUESTS * LONGEST_NS + _GRACE_NS
"""What another server began is given up when no action can go on for longer: here it may be declared otherwise."""
_TOLD_WITHIN_NS = 2 * 24 * 3600 * 10**9
_AGAIN_S = 2.0
_MOST_JUDGED = 500
_MOST_RUNNING = 10_000

Spawn = Callable[[str, Callable[[], None]], None]
"""Runs some work under a name, in a thread of its own or at once."""


def in_thread(name: str, work: Callable[[], None]) -> None:
    """Run it in a thread that doesn't keep the process alive: what it does ends by its own time-outs."""
    threading.Thread(target=work, name=name, daemon=True).start()


class Runner:
    """Takes one step after the other; one thread calls `step`, and `close` at the end."""

    def __init__(
        self,
        world: World,
        looked_ns: Callable[[str], int],
        change_of: Callable[[Incident, News], Change | None],
        spawn: Spawn = in_thread,
    ) -> None:
        """``looked_ns`` is when a rule last looked: confirmations are counted by it. ``change_of`` makes of news
        what is to be written of an incident and told to people (None: nothing)."""
        self._world = world
        self._looked_ns = looked_ns
        self._change_of = change_of
        self._spawn = spawn
        self._confirmed: dict[tuple[str, int], Confirmed] = {}
        self._told: set[tuple[int, int]] = set()
        self._closing = threading.Event()
        self._acting = 0
        self._longest_ns: dict[int, int] = {}
        self._ended = threading.Condition()
        self._started = False
        self._surveyed: ReactionSet | None = None

    def step(self, now_ns: int) -> float:
        """Do what is to be done now; the seconds to rest. Raises ControlError, and may then be called again."""
        if not self._started:
            self._start(now_ns)
        self._survey()
        stopped = self._world.runs.stopped()
        self._end_overdue(now_ns)
        self._judge(now_ns)
        self._look(now_ns, stopped)
        unfinished = self._begin_due(now_ns, stopped)
        self._tell(now_ns)
        return SHORT_PAUSE_S if unfinished else PAUSE_S

    def _start(self, now_ns: int) -> None:
        """Say what was left running."""
        for run in self._world.runs.interrupted(now_ns):
            log.warning("run %d of reaction %s failed: %s", run.id, run.reaction, run.result)
        self._started = True

    def _survey(self) -> None:
        """Say what reactions lack here, whenever they were read."""
        reactions = self._world.reactions()
        if reactions is self._surveyed:
            return
        for lack in survey(reactions, self._world.outside):
            log.warning("reaction %s can't act as it is set up: %s", lack.reaction, lack.lack.told)
        self._surveyed = reactions

    def close(self, wait_s: float) -> None:
        """Begin nothing more, and wait so long for what runs; what doesn't end by then is found by the next start."""
        self._closing.set()
        with self._ended:
            self._ended.wait_for(lambda: not self._acting, wait_s)

    def _look(self, now_ns: int, stopped: Stopped | None) -> None:
        reactions = self._world.reactions().reactions
        seen = {}
        for incident in self._world.incidents.unresolved():
            for reaction in reactions:
                if not fits(reaction.on, incident):
                    continue
                key = reaction.name, incident.id
                now = self._world.situation(reaction, incident, now_ns, 0, stopped)
                met = not unmet(reaction, now)
                seen[key] = confirm(self._confirmed.get(key, Confirmed()), met, self._looked_ns(incident.rule))
                self._take(reaction, incident, decide(reaction, replace(now, confirmed=seen[key].looks)), now_ns)
        self._confirmed = seen

    def _take(self, reaction: Reaction, incident: Incident, decision: Decision, now_ns: int) -> None:
        run = ReactionRun(
            id=0, reaction=reaction.name, incident_id=incident.id, target=reaction.action.target,
            state=RunState.PROPOSED, at_ns=now_ns, dry_run=reaction.guards.dry_run, result=in_words(reaction.action),
        )  # fmt: skip
        match decision.step:
            case Step.RUN:
                self._world.runs.propose(run)
            case Step.PROPOSE:
                self._world.runs.propose(replace(run, state=RunState.WAITING_APPROVAL))
            case Step.REFUSE:
                refused = replace(run, state=RunState.REFUSED, ended_ns=now_ns, result=decision.reason)
                self._world.runs.note_refusal(refused)
            case Step.NOTHING | Step.WAIT:
                pass

    def _begin_due(self, now_ns: int, stopped: Stopped | None) -> bool:
        """Begin what may begin, oldest first; whether anything waits or goes on."""
        unfinished = self._world.runs.unfinished()
        for run in reversed(unfinished):
            if run.state not in BEFORE:
                continue
            reaction = self._world.reactions().named(run.reaction)
            incident = None if run.incident_id is None else self._world.incidents.incident(run.incident_id)
            if reaction is None or incident is None:
                self._world.runs.refuse(run.id, now_ns, "the reaction is no longer declared")
                continue
            decision = may_begin(reaction, run, self._world.situation(reaction, incident, now_ns, 0, stopped))
            if decision.step is Step.REFUSE:
                self._world.runs.refuse(run.id, now_ns, decision.reason)
            elif decision.step is Step.RUN and not self._closing.is_set():
                self._begin(reaction, run, incident, now_ns)
        return bool(unfinished)

    def _begin(self, reaction: Reaction, run: ReactionRun, incident: Incident, now_ns: int) -> None:
        with contextlib.ExitStack() as stack:
            free = stack.enter_context(self._world.runs.going_on(run.id))
            self._longest_ns[run.id] = longest_of(reaction.action)
            begun = self._world.runs.begin(run, now_ns) if free else None
            if begun is None:
                del self._longest_ns[run.id]
                return
            held = stack.pop_all()
        does = "checks what it would do" if run.dry_run else "begins"
        log.info("run %d: reaction %s %s: %s", run.id, run.reaction, does, in_words(reaction.action))
        with self._ended:
            self._acting += 1
        self._spawn(f"clew-reaction-{run.id}", lambda: self._act(reaction, begun, incident, held))

    def _act(self, reaction: Reaction, run: ReactionRun, incident: Incident, held: contextlib.ExitStack) -> None:
        try:
            state, result = self._perform(reaction, run, incident)
            log.log(
                logging.WARNING if state is RunState.FAILED else logging.INFO,
                "run %d: reaction %s ended as %s: %s", run.id, run.reaction, state.replace("_", " "), result,
            )  # fmt: skip
            self._record(run, state, result)
        finally:
            with contextlib.suppress(ControlError):  # the connection broke, which lets go of it, too
                held.close()
            with self._ended:
                self._acting -= 1
                self._ended.notify_all()

    def _perform(self, reaction: Reaction, run: ReactionRun, incident: Incident) -> tuple[RunState, str]:
        occasion = self._world.occasion(run, incident)
        try:
            done = perform(reaction.action, occasion, self._world.outside, self._closing.wait)
        except ActionFailed as error:
            return RunState.FAILED, str(error)
        except Exception as error:  # a mistake of ours; its words may hold secrets, so they are kept nowhere
            told = f"Clew made a mistake ({type(error).__name__}), {left_open(run)}; please report it"
            return RunState.FAILED, told
        if not run.dry_run:
            return RunState.DONE, done
        return RunState.DRY_RUN, f"{done}, once a person allowed it" if reaction.guards.needs_approval else done

    def _record(self, run: ReactionRun, state: RunState, result: str) -> None:
        """Write what came of a run, however long the database is away."""
        while True:
            try:
                if self._world.runs.end(run, state, self._world.now_ns(), result) is None:
                    log.warning("run %d had been given up before it ended, and stays failed", run.id)
                return
            except ControlError as error:
                log.warning("what came of run %d can't be written, and is tried again: %s", run.id, error)
                if self._closing.wait(_AGAIN_S):
                    return  # the next start finds it running, and says so

    def _end_overdue(self, now_ns: int) -> None:
        """Give up what didn't end: by the action that was begun, whatever is declared of its reaction by now."""
        running = self._world.runs.runs(RunQuery(states=(RunState.RUNNING,), limit=_MOST_RUNNING))
        self._longest_ns = {run.id: self._longest_ns.get(run.id, _OTHERS_NS) for run in running}
        for run in running:
            if run.began_ns is not None and now_ns - run.began_ns > self._longest_ns[run.id]:
                self._world.runs.end(run, RunState.FAILED, now_ns, f"it did not end in time, {left_open(run)}")

    def _judge(self, now_ns: int) -> None:
        runs, reactions = self._world.runs, self._world.reactions()
        dry = [run for run in runs.since(now_ns - _TOLD_WITHIN_NS) if run.state is RunState.DRY_RUN]
        for run in (*runs.runs(RunQuery(states=(RunState.DONE,), limit=_MOST_JUDGED)), *dry):
            reaction = reactions.named(run.reaction)
            if reaction is None or not may_be_judged(reaction, run) or run.incident_id is None:
                continue
            outcome = self._outcome(reaction, run, run.incident_id, now_ns)
            if outcome is not None:
                runs.judge(run, outcome.state, outcome.result)

    def _outcome(self, reaction: Reaction, run: ReactionRun, incident_id: int, now_ns: int) -> Outcome | None:
        """What a run was good for as of the last look of its rule: what was written before that may be over by now."""
        incident = self._world.incidents.incident(incident_id)
        if incident is not None:
            now_ns = min(now_ns, self._looked_ns(incident.rule))
            incident = self._world.incidents.incident(incident_id)  # as that look left it
        return judge_outcome(reaction, run, incident, now_ns)

    def _tell(self, now_ns: int) -> None:
        """Have the records of incidents, and people, told of what became of runs; what was told is seen there."""
        recent = self._world.runs.since(now_ns - _TOLD_WITHIN_NS)
        self._told &= {(run.id, run.version) for run in recent}
        by_incident: dict[int, list[ReactionRun]] = {}
        for run in recent:
            if run.incident_id is not None and (run.id, run.version) not in self._told:
                by_incident.setdefault(run.incident_id, []).append(run)
        for incident_id, runs in by_incident.items():
            if self._tell_of(incident_id, runs, now_ns):
                self._told |= {(run.id, run.version) for run in runs}

    def _tell_of(self, incident_id: int, runs: list[ReactionRun], now_ns: int) -> bool:
        """Whether all was told; what somebody else changed meanwhile is told with the next step."""
        incidents = self._world.incidents
        incident = incidents.incident(incident_id)
        if incident is None:
            return True
        for news in untold(runs, incident, incidents.transitions(incident_id), now_ns):
            change = self._change_of(incident, news)
            changed = incident if change is None else incidents.apply(change)
            if changed is None:
                return False
            incident = changed
        return True


def longest_of(action: Action) -> int:
    """Nanoseconds after which an action has ended for sure: all attempts, each of two requests, and what is between."""
    requests = 1 if isinstance(action, Command) else _REQUESTS
    return requests * action.timeout_ns + _GRACE_NS
