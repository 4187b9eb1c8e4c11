"""The part of the composition root that watches: rules, incidents, channels and reactions.

rules thread: looks, and writes what it decides      notices thread: tells channels what waits in the outbox
reactions thread: begins and judges actions          heartbeat thread: reports to an external switch
retention thread: lets go of incidents that were over long ago
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from clew.control.database import Database, open_database
from clew.control.flagged import FlaggedWindows
from clew.control.incidents import SqlIncidents
from clew.control.outbox import SqlOutbox
from clew.control.reactions import ReactionRuns
from clew.control.retention import SLICE, forget_resolved
from clew.journey.in_force import FlowBook
from clew.model.reaction import ReactionSet
from clew.model.rule import RuleSet
from clew.notify.channels.contract import Channel, Parse
from clew.notify.channels.heartbeat import Heartbeat, Switch
from clew.notify.channels.registry import Registry
from clew.notify.load import Notify, load_notify
from clew.notify.outbox import Courier
from clew.react.load import load_reactions
from clew.react.outside import change_by, outside_of
from clew.react.runner import Runner
from clew.react.world import World
from clew.rules import default_rules, load_rules
from clew.settings import Settings
from clew.store.contract import Store
from clew.watch.cycle import Watch
from clew.watch.desk import Desk
from clew.watch.looks import Looks
from clew.watch.pipeline import PipelineBook
from clew.workers import Worker, stop_all

_HANGS_AFTER_NS = 120 * 10**9
_ACTIONS_END_WITHIN_S = 5.0
_DAY_NS = 86_400 * 10**9
_FORGETS_EVERY_S = 3_600.0
_FORGETS_ON_AFTER_S = 1.0


@dataclass(frozen=True, slots=True)
class Declared:
    """What people declared: rules, who is told, and automated actions."""

    rules: RuleSet
    notify: Notify[Channel, Switch]
    reactions: ReactionSet | None


def declared_by(settings: Settings, environment: Mapping[str, str] = os.environ) -> Declared:
    """What the files say that the settings name; without any, the shipped rules, and nobody is told.

    Raises RulesError, NotifyError and ReactionsError, which name every mistake with its line and mend.
    """
    notify: Notify[Channel, Switch] = Notify("nobody", 1)
    if settings.notify:
        notify = load_notify(settings.notify, Registry(environment, settings.notify.parent))
    policies = list(notify.policies.policies) if settings.notify else None
    rules = load_rules(settings.rules, policies=policies) if settings.rules else default_rules()
    names = [rule.name for rule in rules.rules]
    return Declared(rules, notify, load_reactions(settings.reactions, names) if settings.reactions else None)


@dataclass(slots=True)
class Watching:
    """What watches. ``desk`` is where people handle incidents, ``world`` what reactions act in (None: there are none).

    Nothing runs until `start`.
    """

    database: Database
    desk: Desk
    world: World | None
    courier: Courier
    workers: tuple[Worker, ...]
    problems: Sequence[Callable[[], str | None]]
    runner: Runner | None = None
    ways_back: Mapping[str, Parse] = field(default_factory=dict)

    def start(self) -> None:
        """Start to watch."""
        for worker in self.workers:
            worker.start()

    def problem(self) -> str | None:
        """What of it doesn't work and why, or None: rules that can't look, channels that can't be told."""
        return "; ".join(filter(None, (problem() for problem in self.problems))) or None

    def close(self) -> None:
        """End after the current steps; what wasn't told waits in the outbox."""
        stop_all(self.workers)
        if self.runner is not None:
            self.runner.close(_ACTIONS_END_WITHIN_S)
        self.courier.close()
        self.database.close()


@dataclass(frozen=True, slots=True)
class Health:
    """How Clew does, as rules about it and the heartbeat ask: see `clew.watch.pipeline.PipelineBook`."""

    problem: Callable[[], str | None]
    refused: Callable[[], int]
    journeys_ns: Callable[[], int]


def open_watching(settings: Settings, declared: Declared, store: Store, book: FlowBook, health: Health) -> Watching:
    """Open the control database and wire what watches. Raises ControlError."""
    database = open_database(settings.data, settings.control_url.reveal())
    notify = declared.notify
    incidents = SqlIncidents(database)
    outbox = SqlOutbox(database, page_of(settings.api_public_url))
    workers: list[Worker] = []

    def trouble() -> str | None:
        """Why Clew isn't ready, or doesn't watch or tell."""
        return health.problem() or next((each.problem for each in workers if each.problem), None)

    pipeline = PipelineBook(trouble, health.refused, health.journeys_ns)
    looks = Looks(store, lambda: [each.flow for each in book.current], pipeline.at, FlaggedWindows(database))
    watch = Watch(declared.rules.rules, notify.policies, incidents, looks.look, time.time_ns)
    courier = Courier(outbox, notify.channels, notify.policies.policies, notify.per_minute, time.time_ns)
    rules_file = str(settings.rules or "")
    desk = Desk(incidents, outbox, declared.rules.rules, tuple(notify.channels), notify.policies, rules_file=rules_file)
    workers += [
        Worker("clew-rules", watch.step, "rules don't watch"),
        Worker("clew-notices", _stepping(courier.step), "nobody is told"),
    ]
    world = runner = None
    if declared.reactions is not None:
        world = _world_of(settings, declared.reactions, incidents, database)
        runner = Runner(world, lambda rule: watch.looked_ns.get(rule, 0), change_by(lambda: notify.policies))
        workers.append(Worker("clew-reactions", _stepping(runner.step), "reactions don't act"))
    problems = [watch.problem, lambda: _channel_words(courier.troubles())]
    if notify.heartbeat is not None:
        heart = Heartbeat(notify.heartbeat, lambda: trouble() is None and _watches(watch))
        workers.append(Worker("clew-heartbeat", _stepping(heart.step), "the heartbeat fails"))
        problems.append(lambda: heart.problem and f"heartbeat: {heart.problem}")
    days = settings.retention_events_days
    beside = [retention_of(database, days)] if days else []  # Clew watches without it, too
    problems += [_problem_of(worker) for worker in (*workers, *beside)]
    ways_back = {name: channel.parse for name, channel in notify.channels.items() if channel.parse is not None}
    return Watching(database, desk, world, courier, (*workers, *beside), problems, runner, ways_back)


def retention_of(database: Database, days: int) -> Worker:
    """Lets go of incidents that were resolved so many days ago, in slices between which others write."""

    def forget() -> float:
        gone = forget_resolved(database, time.time_ns() - days * _DAY_NS, SLICE)
        return _FORGETS_ON_AFTER_S if gone == SLICE else _FORGETS_EVERY_S

    return Worker("clew-retention", forget, "old incidents are not deleted")


def _watches(watch: Watch) -> bool:
    """Whether rules went through lately: a look that hangs is no watch."""
    return time.time_ns() - watch.stepped_ns < _HANGS_AFTER_NS


def _channel_words(troubles: Mapping[str, str]) -> str:
    return "; ".join(f"channel {name}: {why}" for name, why in troubles.items())


def _problem_of(worker: Worker) -> Callable[[], str | None]:
    return lambda: worker.problem


def page_of(public_url: str) -> Callable[[int], str]:
    """The address of an incident's page, where others reach Clew (empty: nobody said where that is)."""
    return lambda incident_id: f"{public_url}/incidents/{incident_id}" if public_url else ""


def _stepping(step: Callable[[int], float]) -> Callable[[], float]:
    return lambda: step(time.time_ns())


def _world_of(settings: Settings, reactions: ReactionSet, incidents: SqlIncidents, database: Database) -> World:
    folder = settings.reactions.parent if settings.reactions else Path()
    outside = outside_of(os.environ, folder, time.time_ns)
    return World(lambda: reactions, incidents, ReactionRuns(database), outside)
