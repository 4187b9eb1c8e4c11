"""The part of the composition root that watches: rules, incidents, channels and reactions.

rules thread: looks, and writes what it decides      notices thread: tells channels what waits in the outbox
reactions thread: begins and judges actions          heartbeat thread: reports to an external switch
retention thread: lets go of incidents that were over long ago

The first two and the heartbeat are a `Shift`: they watch by one version of what people declared, and are relieved when
the files are read again. What waits or runs (alerts, notices, actions) is in the control database, so nothing is lost.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from clew.api.deps import Watched
from clew.control.database import Database, open_database
from clew.control.flagged import FlaggedWindows
from clew.control.incidents import SqlIncidents
from clew.control.outbox import SqlOutbox
from clew.control.reactions import ReactionRuns
from clew.control.retention import SLICE, forget_resolved
from clew.declared import Declared, changes, declared_by
from clew.journey.in_force import FlowBook
from clew.model.errors import ClewError
from clew.model.flow import Flow
from clew.model.lengths import how_long
from clew.model.reaction import ReactionSet
from clew.notify.channels.heartbeat import Heartbeat
from clew.notify.outbox import Courier
from clew.react.outside import change_by, outside_of
from clew.react.runner import Runner
from clew.react.world import World
from clew.rules.check import check_rules
from clew.settings import Settings
from clew.store.contract import Store
from clew.watch.awake import Awake
from clew.watch.cycle import Watch
from clew.watch.desk import Desk
from clew.watch.health import WatchHealth
from clew.watch.looks import Looks
from clew.watch.pipeline import PipelineBook
from clew.workers import Worker, stop_all

log = logging.getLogger(__name__)

_HANGS_AFTER_NS = 120 * 10**9
_ACTIONS_END_WITHIN_S = 5.0
_DAY_NS = 86_400 * 10**9
_FORGETS_EVERY_S = 3_600.0
_FORGETS_ON_AFTER_S = 1.0

Problem = Callable[[], str | None]


@dataclass(frozen=True, slots=True)
class Health:
    """How Clew does, as rules about it and the heartbeat ask: see `clew.watch.pipeline.PipelineBook`."""

    problem: Problem
    refused: Callable[[], int]
    journeys_ns: Callable[[], int]


@dataclass(slots=True)
class Shift:
    """What watches by one version of what people declared. Nothing runs until `start` or `relieve`."""

    declared: Declared
    watch: Watch
    courier: Courier
    desk: Desk
    heart: Heartbeat | None
    rules: Worker
    notices: Worker
    beats: Worker | None

    def health(self) -> WatchHealth:
        """How rules and heartbeat do now."""
        beats = None if self.heart is None else self.heart.problem or ""
        return WatchHealth(
            looked_ns=dict(self.watch.looked_ns),
            failing=dict(self.watch.failing),
            heartbeat=beats,
            unwatched=self.rules.problem or "",
            untold=self.notices.problem or "",
        )

    def problems(self) -> Iterator[str | None]:
        """What of it doesn't work."""
        yield from (each.problem for each in self._workers())
        yield self.watch.problem()
        yield "; ".join(f"channel {name}: {why}" for name, why in self.courier.troubles().items())
        if self.heart is not None and self.heart.problem:
            yield f"heartbeat: the switch is not told: {self.heart.problem}"

    def start(self) -> None:
        """Start to watch."""
        for worker in self._workers():
            worker.start()

    def relieve(self, before: Shift) -> None:
        """Watch on for another one. Each thread begins when the one before it has ended its step: two at a time would
        tell out of order, and what tells must not wait for a look that lasts."""
        self.watch.stepped_ns = before.watch.stepped_ns
        if before.beats is not None:
            before.beats.stop()
        if self.beats is not None:
            self.beats.start()
        before.notices.stop()
        before.courier.close()
        self.courier.follow(before.courier)
        self.notices.start()
        before.rules.stop()
        self.rules.start()

    def close(self) -> None:
        """End after the current steps; what wasn't told waits in the outbox."""
        stop_all(self._workers())
        self.courier.close()

    def _workers(self) -> list[Worker]:
        return [each for each in (self.rules, self.notices, self.beats) if each is not None]


class Watching:
    """What watches. Nothing runs until `start`. Any thread, but not the main one: every method may wait."""

    def __init__(self, settings: Settings, declared: Declared, store: Store, book: FlowBook, health: Health) -> None:
        """Open the control database and wire what watches.

        Raises ControlError; a PostgreSQL that is away now is used as soon as it is there.
        """
        self._settings, self._store, self._book, self._health = settings, store, book, health
        self._database = open_database(settings.data, settings.control_url.reveal(), patient=True)
        self._incidents = SqlIncidents(self._database)
        self._outbox = SqlOutbox(self._database, page_of(settings.api_public_url))
        self._pipeline = PipelineBook(self._trouble, health.refused, health.journeys_ns)
        self._awake = Awake(store)
        self._relieving = threading.Lock()
        self._started = self._closed = False
        self._reloading: str | None = None
        self._shift = self._shift_of(declared)
        self._beside: list[Worker] = []
        if days := settings.retention_events_days:  # Clew watches without it, too
            self._beside.append(retention_of(self._database, days))
        self._world: World | None = None
        self._runner: Runner | None = None
        self._acting: list[Worker] = []
        if settings.reactions is not None:
            self._act_in(settings.reactions.parent)

    @property
    def watched(self) -> Watched:
        """What people see and act on now."""
        shift = self._shift
        channels = shift.declared.notify.channels.items()
        return Watched(
            desk=shift.desk,
            reactions=self._world,
            ways_back={name: channel.parse for name, channel in channels if channel.parse is not None},
            channel_troubles=shift.courier.troubles,
            health=shift.health,
        )

    def start(self) -> None:
        """Start to watch."""
        with self._relieving:
            for misfit in self._misfits():
                log.warning("a rule finds nothing as it is: %s", misfit)
            self._started = True
            self._shift.start()
            for worker in (*self._acting, *self._beside):
                worker.start()

    def problem(self) -> str | None:
        """What of it doesn't work and why, or None: rules that can't look, channels that can't be told."""
        others = (each.problem for each in (*self._acting, *self._beside))
        return "; ".join(filter(None, (*self._shift.problems(), *others, *self._misfits(), self._reloading))) or None

    def reload(self) -> list[str]:
        """Read the files again and watch by what they say; what changed, a line for each kind.

        Raises ClewError, DeclaredError when a file is wrong: what was declared before stays in force then, and
        `problem` says so.
        """
        with self._relieving:
            if self._closed:
                raise ClewError("Clew stops, so files are not read again")
            try:
                declared = declared_by(self._settings, flows=self._flows())
                told = self._book.declare(declared.flows) if declared.flows else []
            except ClewError as error:
                self._reloading = f"what was declared before stays in force: {error}"
                log.error("files can't be read again; %s", self._reloading)
                raise
            before, self._shift = self._shift, self._shift_of(declared)
            if self._started:
                self._reloading = "files were read again, but a step by what was declared before still goes on"
                self._shift.relieve(before)
            self._reloading = None
            told += changes(before.declared, declared)
            log.info("files were read again: %s", "; ".join(told) or "nothing changed")
            return told

    def close(self) -> None:
        """End after the current steps; what wasn't told waits in the outbox."""
        for worker in (self._shift.rules, *self._acting, *self._beside):
            worker.ask_to_stop()
        with self._relieving:
            self._closed = True
            stop_all((*self._acting, *self._beside))
            if self._runner is not None:
                self._runner.close(_ACTIONS_END_WITHIN_S)
            self._shift.close()
            self._database.close()

    def _shift_of(self, declared: Declared) -> Shift:
        notify, rules = declared.notify, declared.rules.rules
        flagged, policies = FlaggedWindows(self._database), notify.policies
        looks = Looks(self._store, self._flows, self._pipeline.at, flagged, self._awake)
        watch = Watch(rules, policies, self._incidents, looks.look, time.time_ns)
        courier = Courier(self._outbox, notify.channels, policies.policies, notify.per_minute, time.time_ns)
        desk = Desk(
            self._incidents, self._outbox, rules, tuple(notify.channels), policies,
            rules_file=str(self._settings.rules or ""), told_windows=flagged.read, waits=looks.waits,
        )  # fmt: skip
        heart = beats = None
        if notify.heartbeat is not None:
            heart = Heartbeat(notify.heartbeat, lambda: self._trouble() or _hangs(watch))
            beats = Worker("clew-heartbeat", _stepping(heart.step), "the heartbeat fails")
        return Shift(
            declared, watch, courier, desk, heart,
            rules=Worker("clew-rules", watch.step, "rules don't watch"),
            notices=Worker("clew-notices", _stepping(courier.step), "nobody is told"),
            beats=beats,
        )  # fmt: skip

    def _act_in(self, folder: Path) -> None:
        """What acts goes on over shifts, as actions may take minutes; ``folder`` is that of the declarations."""
        outside = outside_of(os.environ, folder, time.time_ns)
        self._world = World(self._reactions, self._incidents, ReactionRuns(self._database), outside)
        change_of = change_by(lambda: self._shift.declared.notify.policies)
        self._runner = Runner(self._world, lambda rule: self._shift.watch.looked_ns.get(rule, 0), change_of)
        self._acting.append(Worker("clew-reactions", _stepping(self._runner.step), "reactions don't act"))

    def _misfits(self) -> list[str]:
        """What rules of a file name that the flows in force don't have: a flow may be changed after them."""
        if self._settings.rules is None:
            return []
        faults = check_rules(self._shift.declared.rules, self._flows())
        return [f"{self._settings.rules}: {each.key}: {each.cause}; {each.mend}" for each in faults]

    def _flows(self) -> list[Flow]:
        return [each.flow for each in self._book.current]

    def _reactions(self) -> ReactionSet:
        return self._shift.declared.reactions

    def _trouble(self) -> str | None:
        """Why Clew isn't ready, or doesn't watch or tell; a rule that can't look is blind."""
        workers = (self._shift.rules, self._shift.notices, *self._acting)
        told = (self._health.problem(), *(each.problem for each in workers), self._shift.watch.problem())
        return next(filter(None, told), None)


def retention_of(database: Database, days: int) -> Worker:
    """Lets go of incidents that were resolved so many days ago, in slices between which others write."""

    def forget() -> float:
        gone = forget_resolved(database, time.time_ns() - days * _DAY_NS, SLICE)
        return _FORGETS_ON_AFTER_S if gone == SLICE else _FORGETS_EVERY_S

    return Worker("clew-retention", forget, "old incidents are not deleted")


def _hangs(watch: Watch) -> str | None:
    """Why rules don't watch though nothing fails, or None: a look that hangs is no watch."""
    if not watch.stepped_ns:
        return "rules did not look yet"
    silent_ns = time.time_ns() - watch.stepped_ns
    return None if silent_ns < _HANGS_AFTER_NS else f"rules last went through {how_long(silent_ns)} ago"


def page_of(public_url: str) -> Callable[[int], str]:
    """The address of an incident's page, where others reach Clew (empty: nobody said where that is)."""
    return lambda incident_id: f"{public_url}/incidents/{incident_id}" if public_url else ""


def _stepping(step: Callable[[int], float]) -> Callable[[], float]:
    return lambda: step(time.time_ns())
