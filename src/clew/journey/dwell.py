"""Dwell: how long an order was in each of its stages."""

from __future__ import annotations

from clew.journey.holds import held_ns
from clew.model.journey import Journey


def dwells(journey: Journey, now_ns: int) -> tuple[int, ...]:
    """The dwell in the stage of each milestone, in nanoseconds: to the next milestone, or to now.

    Time on hold is not counted, as the limit doesn't count it either. In a terminal stage nothing dwells: 0. Never
    negative, though skewed clocks may show the next milestone earlier.
    """
    milestones = journey.milestones
    ends = [milestone.at_ns for milestone in milestones[1:]]
    if milestones:
        ends.append(milestones[-1].at_ns if journey.terminal else now_ns)
    pairs = zip((milestone.at_ns for milestone in milestones), ends, strict=True)
    return tuple(max(0, end - begin - held_ns(journey.holds, begin, end)) for begin, end in pairs)
