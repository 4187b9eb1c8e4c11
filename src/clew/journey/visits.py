"""The stages that an order was in, one after the other, each with its dwell against its limit."""

from __future__ import annotations

from dataclasses import dataclass

from clew.journey.dwell import dwells
from clew.journey.holds import held_ns, moment_after
from clew.model.flow import Flow, Limit
from clew.model.journey import Deviation, Journey, Milestone


@dataclass(frozen=True, slots=True)
class StageVisit:
    """One stay in a stage. Lengths are nanoseconds, moments Unix nanoseconds.

    ``left_ns`` is None for the current stage. ``dwell_ns`` doesn't count ``held_ns``, the time on hold;
    ``over_from_ns`` is when it reached the limit, None when it didn't. ``after_end``: it came after the order's end.
    """

    milestone: Milestone
    meaning: str
    left_ns: int | None
    dwell_ns: int
    held_ns: int
    limit: Limit | None
    over_from_ns: int | None
    deviations: tuple[Deviation, ...]
    after_end: bool = False

    @property
    def current(self) -> bool:
        """Whether the order is here now, or ended here."""
        return self.left_ns is None

    @property
    def used(self) -> float | None:
        """The dwell as a share of the limit; None without a limit."""
        return self.dwell_ns / self.limit.allowed_ns if self.limit else None

    @property
    def warn_share(self) -> float:
        """The share of the limit from which on jeopardy begins; 1 without a limit."""
        return self.limit.warn_ns / self.limit.allowed_ns if self.limit else 1.0

    @property
    def over_ns(self) -> int:
        """By how much the dwell is over the limit; 0 when it isn't."""
        return max(0, self.dwell_ns - self.limit.allowed_ns) if self.limit else 0

    @property
    def deviation(self) -> Deviation | None:
        """One of its deviations, one that isn't accepted before others."""
        return next((each for each in self.deviations if not each.accepted), next(iter(self.deviations), None))


def stage_visits(journey: Journey, flow: Flow, now_ns: int) -> tuple[StageVisit, ...]:
    """The stays in stages in journey order, up to the end of the order."""
    milestones = journey.milestones
    left: list[int | None] = [milestone.at_ns for milestone in milestones[1:]]
    pairs = zip(milestones, dwells(journey, now_ns), [*left, None][: len(milestones)], strict=True)
    return tuple(_visit(journey, flow, index, *pair, now_ns) for index, pair in enumerate(pairs))


def visits_after_end(journey: Journey, flow: Flow) -> tuple[StageVisit, ...]:
    """What was told of the order after it had ended; nothing dwells there."""
    start = len(journey.milestones)
    return tuple(
        _visit(journey, flow, start + index, milestone, 0, milestone.at_ns, milestone.at_ns, after_end=True)
        for index, milestone in enumerate(journey.after_end)
    )


def _visit(
    journey: Journey,
    flow: Flow,
    index: int,
    milestone: Milestone,
    dwell_ns: int,
    left_ns: int | None,
    now_ns: int,
    *,
    after_end: bool = False,
) -> StageVisit:
    stage = flow.stage(milestone.stage)
    limit = stage.limit(journey.path) if stage else None
    end_ns = left_ns if left_ns is not None else milestone.at_ns if journey.terminal else now_ns
    over = limit is not None and dwell_ns > limit.allowed_ns
    return StageVisit(
        milestone=milestone,
        meaning=stage.meaning if stage else "",
        left_ns=left_ns,
        dwell_ns=dwell_ns,
        held_ns=held_ns(journey.holds, milestone.at_ns, end_ns),
        limit=limit,
        over_from_ns=moment_after(milestone.at_ns, limit.allowed_ns, journey.holds) if limit and over else None,
        deviations=tuple(each for each in journey.deviations if each.index == index),
        after_end=after_end,
    )
