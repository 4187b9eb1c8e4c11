"""What history teaches of flows, as JSON. Lengths of time are seconds."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel, Field

from clew.api.report_models import AskedModel, asked_model
from clew.api.times import moment_or_none, seconds
from clew.learn.diff import Difference, EntryDiff, LimitDiff, StageDiff, StepDiff
from clew.learn.discover import Draft
from clew.learn.draft_text import draft_text
from clew.learn.projection import Remaining
from clew.learn.replay import StageReplay
from clew.model.flow import Flow
from clew.report.filter import ReportFilter


class DiscoveredModel(BaseModel):
    """A flow learned from history: its YAML with the reason of each decision, and what Clew was unsure of.

    ``orders`` were counted, dwells are those of ``sampled`` of them.
    """

    asked: AskedModel
    name: str
    version: int
    orders: int
    sampled: int
    stages: list[str]
    unsure: list[str]
    text: str


class CountedStageModel(BaseModel):
    """A stage that only the flow or only history has."""

    stage: str
    visits: int
    orders: int


class CountedEntryModel(BaseModel):
    """A first stage of a path that only the flow or only history has."""

    path: str
    stage: str
    orders: int


class CountedStepModel(BaseModel):
    """A step that only the flow or only history has; ``deviation`` is how one that happened leaves the flow."""

    from_: str = Field(serialization_alias="from")
    to: str
    count: int
    orders: int
    deviation: str
    accepted: bool


class LimitDiffModel(BaseModel):
    """A declared limit (null: none) beside the 95 % quantile of dwells by Kaplan and Meier (null: too many wait).

    ``path`` is ``*`` where the limit is for any. ``over`` is the share of dwells beyond the declared limit; ``thin``
    says that fewer than 20 dwells are over, so that the quantile tells little.
    """

    stage: str
    path: str
    limit_s: float | None
    learned_s: float | None
    n: int
    waiting: int
    over: float | None
    thin: bool


class DifferenceModel(BaseModel):
    """A flow beside what happens, the most frequent first."""

    asked: AskedModel
    name: str
    version: int
    orders: int
    sampled: int
    undeclared_stages: list[CountedStageModel]
    unseen_stages: list[CountedStageModel]
    undeclared_entries: list[CountedEntryModel]
    unseen_entries: list[CountedEntryModel]
    undeclared_steps: list[CountedStepModel]
    unseen_steps: list[CountedStepModel]
    limits: list[LimitDiffModel]


class StageReplayModel(BaseModel):
    """What a limit would have said: of ``visits``, ``stuck`` went over it.

    Of these ``waiting`` are still there and ``false_alarms`` moved on by themselves within the grace. ``warned`` came
    past the warning only. ``moved_after_median_s`` and ``_p90_s`` are how long after the limit the others moved on.
    ``days`` counts by UTC day when orders became stuck.
    """

    stage: str
    path: str
    limit_s: float
    visits: int
    warned: int
    stuck: int
    waiting: int
    false_alarms: int
    moved_after_median_s: float | None
    moved_after_p90_s: float | None
    first_at: str | None
    last_at: str | None
    days: dict[str, int]


class ReplayedModel(BaseModel):
    """A flow's limits over history."""

    name: str
    version: int
    stuck: int
    false_alarms: int
    stages: list[StageReplayModel]


class ReplayModel(BaseModel):
    """The limits that were tried, and those in force for the same orders (null when nobody declared their flow).

    A false alarm is a stuck order that moved on within ``grace_share`` of its limit and ``grace_s`` seconds.
    """

    asked: AskedModel
    orders: int
    grace_share: float
    grace_s: float
    tried: ReplayedModel
    in_force: ReplayedModel | None


class RemainingModel(BaseModel):
    """How long finished orders still took from each entry into a stage: the quantiles at 0 %, 5 %, … 100 %.

    ``path`` is empty for the orders of all paths together.
    """

    path: str
    stage: str
    n: int
    median_s: float
    p90_s: float
    quantiles_s: list[float]


class RemainingsModel(BaseModel):
    """Remaining times of a flow, as open orders with a due date are projected by."""

    flow: str
    stages: list[RemainingModel]


def discovered_model(draft: Draft, filter_: ReportFilter) -> DiscoveredModel:
    """A draft of a flow."""
    return DiscoveredModel(
        asked=asked_model(filter_),
        name=draft.name,
        version=draft.version,
        orders=draft.orders,
        sampled=draft.sampled,
        stages=[stage.name for stage in draft.stages],
        unsure=list(draft.unsure),
        text=draft_text(draft),
    )


def difference_model(flow: Flow, found: Difference, filter_: ReportFilter) -> DifferenceModel:
    """A flow beside what happens."""
    return DifferenceModel(
        asked=asked_model(filter_),
        name=flow.name,
        version=flow.version,
        orders=found.orders,
        sampled=found.sampled,
        undeclared_stages=list(map(_stage_model, found.undeclared_stages)),
        unseen_stages=list(map(_stage_model, found.unseen_stages)),
        undeclared_entries=list(map(_entry_model, found.undeclared_entries)),
        unseen_entries=list(map(_entry_model, found.unseen_entries)),
        undeclared_steps=list(map(_step_model, found.undeclared_steps)),
        unseen_steps=list(map(_step_model, found.unseen_steps)),
        limits=list(map(_limit_model, found.limits)),
    )


def _stage_model(stage: StageDiff) -> CountedStageModel:
    return CountedStageModel(stage=stage.stage, visits=stage.visits, orders=stage.orders)


def _entry_model(entry: EntryDiff) -> CountedEntryModel:
    return CountedEntryModel(path=entry.path, stage=entry.stage, orders=entry.orders)


def _step_model(step: StepDiff) -> CountedStepModel:
    return CountedStepModel(
        from_=step.before,
        to=step.after,
        count=step.count,
        orders=step.orders,
        deviation=step.deviation,
        accepted=step.accepted,
    )


def _limit_model(limit: LimitDiff) -> LimitDiffModel:
    return LimitDiffModel(
        stage=limit.stage,
        path=limit.path,
        limit_s=None if limit.allowed_ns is None else seconds(limit.allowed_ns),
        learned_s=limit.learned_s,
        n=limit.finished,
        waiting=limit.waiting,
        over=limit.over,
        thin=limit.thin,
    )


def replayed_model(flow: Flow, stages: Iterable[StageReplay]) -> ReplayedModel:
    """What a flow's limits would have said."""
    models = [_replay_model(each) for each in stages]
    return ReplayedModel(
        name=flow.name,
        version=flow.version,
        stuck=sum(each.stuck for each in models),
        false_alarms=sum(each.false_alarms for each in models),
        stages=models,
    )


def _replay_model(stage: StageReplay) -> StageReplayModel:
    moved = stage.moved_after_s
    return StageReplayModel(
        stage=stage.stage,
        path=stage.path,
        limit_s=seconds(stage.allowed_ns),
        visits=stage.visits,
        warned=stage.warned,
        stuck=stage.stuck,
        waiting=stage.waiting,
        false_alarms=stage.passing,
        moved_after_median_s=moved[0] if moved else None,
        moved_after_p90_s=moved[1] if moved else None,
        first_at=moment_or_none(stage.first_ns),
        last_at=moment_or_none(stage.last_ns),
        days=dict(stage.days),
    )


def remaining_model(path: str, stage: str, remaining: Remaining) -> RemainingModel:
    """Remaining times from one stage."""
    return RemainingModel(
        path=path,
        stage=stage,
        n=remaining.n,
        median_s=seconds(remaining.quantiles_ns[10]),
        p90_s=seconds(remaining.quantiles_ns[18]),
        quantiles_s=[seconds(each) for each in remaining.quantiles_ns],
    )
