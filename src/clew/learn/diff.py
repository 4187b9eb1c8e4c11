"""A declared flow beside what happens: what it doesn't say, what never happens, and limits beside learned ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from clew.learn.limits import ENOUGH
from clew.learn.seen import Counted, Dwells, Seen
from clew.model.flow import ANY_PATH, Flow, Limit
from clew.report.declared import deviation_of_edge
from clew.report.kaplan_meier import kaplan_meier

QUANTILE = 0.95


@dataclass(frozen=True, slots=True)
class StageDiff:
    """A stage that only one of both has; not counted when it is only declared."""

    stage: str
    visits: int = 0
    orders: int = 0


@dataclass(frozen=True, slots=True)
class StepDiff:
    """A step that only one of both has. ``deviation`` says how a step that happened leaves the flow."""

    before: str
    after: str
    count: int = 0
    orders: int = 0
    deviation: str = ""
    accepted: bool = False


@dataclass(frozen=True, slots=True)
class EntryDiff:
    """A first stage of a path that only one of both has."""

    path: str
    stage: str
    orders: int = 0


@dataclass(frozen=True, slots=True)
class LimitDiff:
    """The declared limit of a stage (for a path, or ``*``) beside the quantile that dwells show.

    ``over`` is the share of the ``finished + waiting`` dwells that went over the declared limit. ``learned_s`` is None
    when too many wait to tell; ``thin``: fewer than 20 dwells are over.
    """

    stage: str
    path: str
    allowed_ns: int | None
    learned_s: float | None
    finished: int
    waiting: int
    over: float | None
    thin: bool


@dataclass(frozen=True, slots=True)
class Difference:
    """All differences, the most frequent first; limits in the flow's order of stages."""

    orders: int
    sampled: int
    undeclared_stages: tuple[StageDiff, ...]
    unseen_stages: tuple[StageDiff, ...]
    undeclared_entries: tuple[EntryDiff, ...]
    unseen_entries: tuple[EntryDiff, ...]
    undeclared_steps: tuple[StepDiff, ...]
    unseen_steps: tuple[StepDiff, ...]
    limits: tuple[LimitDiff, ...]


def difference(flow: Flow, seen: Seen, everything: Mapping[str, Counted]) -> Difference:
    """A flow beside what happened.

    ``seen`` has the ways through the stages that the flow declares, cut at its terminals, as its deviations are judged;
    ``everything`` counts all stages up to there.
    """
    declared = {stage.name for stage in flow.stages}
    steps = {(stage.name, after) for stage in flow.stages for after in stage.next}
    entries = {(path, stage) for path, found in flow.paths.items() for stage in found}
    return Difference(
        orders=seen.orders,
        sampled=seen.sampled,
        undeclared_stages=tuple(
            StageDiff(name, everything[name].count, everything[name].orders)
            for name in sorted(everything, key=lambda name: (-everything[name].orders, name))
            if name not in declared
        ),
        unseen_stages=tuple(StageDiff(stage.name) for stage in flow.stages if stage.name not in everything),
        undeclared_entries=tuple(_undeclared_entries(flow, seen)),
        unseen_entries=tuple(
            EntryDiff(path, stage) for path, stage in sorted(entries) if (path, stage) not in seen.starts
        ),
        undeclared_steps=tuple(_undeclared_steps(flow, seen, steps)),
        unseen_steps=tuple(
            StepDiff(stage.name, after)
            for stage in flow.stages
            for after in stage.next
            if (stage.name, after) not in seen.steps
        ),
        limits=tuple(limit for stage in flow.stages if not stage.terminal for limit in _limits(flow, stage.name, seen)),
    )


def _undeclared_entries(flow: Flow, seen: Seen) -> Iterator[EntryDiff]:
    """First stages that are no entry of the order's path; where the flow doesn't know the path, of none."""
    anywhere = {stage for entries in flow.paths.values() for stage in entries}
    ranked = sorted(seen.starts.items(), key=lambda item: (-item[1], item[0]))
    for (path, stage), orders in ranked:
        if stage not in flow.paths.get(path, anywhere):
            yield EntryDiff(path, stage, orders)


def _undeclared_steps(flow: Flow, seen: Seen, declared: set[tuple[str, str]]) -> Iterator[StepDiff]:
    ranked = sorted(seen.steps.items(), key=lambda item: (-item[1].count, item[0]))
    for (before, after), found in ranked:
        if (before, after) not in declared:
            kind, accepted = deviation_of_edge(flow, before, after)
            yield StepDiff(before, after, found.count, found.orders, kind, accepted)


def _limits(flow: Flow, name: str, seen: Seen) -> Iterable[LimitDiff]:
    stage = flow.stage(name)
    assert stage is not None, "asked of the flow's own stages"
    dwells = {path: each for (path, of), each in seen.dwells.items() if of == name}
    named = {path: each for path, each in dwells.items() if path in stage.limits and path != ANY_PATH}
    others = sum((each for path, each in dwells.items() if path not in named), Dwells())
    for path in named:
        yield _limit(name, path, stage.limits[path], named[path])
    if ANY_PATH in stage.limits or others.finished or others.waiting or not named:
        yield _limit(name, ANY_PATH, stage.limits.get(ANY_PATH), others)


def _limit(stage: str, path: str, limit: Limit | None, dwells: Dwells) -> LimitDiff:
    finished, waiting = len(dwells.finished), len(dwells.waiting)
    over = None
    if limit and finished + waiting:
        late = sum(each * 1e9 > limit.allowed_ns for each in (*dwells.finished, *dwells.waiting))
        over = late / (finished + waiting)
    return LimitDiff(
        stage,
        path,
        limit.allowed_ns if limit else None,
        kaplan_meier(dwells.finished, dwells.waiting).quantile(QUANTILE),
        finished,
        waiting,
        over,
        finished < ENOUGH,
    )
