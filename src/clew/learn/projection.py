"""When an open order will probably end: from how long finished orders still took once they were where it is.

An order that has been in a stage for some time is compared only with those that took longer than that: of their
remaining times the median tells the projected end. It never moves nearer while the order waits, so there is one moment
from which an order is projected to end after its due date.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, replace

from clew.model.journey import Journey

STEPS = 20
"""Remaining times are kept as their quantiles at 0, 1/20, … 20/20, and taken as linear between them."""

PROJECTED_AT = 0.5
"""The share of comparable orders that ended by the projected end: projected late means more probable than not."""

ENOUGH = 20
"""Fewer finished orders than this project nothing."""

ANY = ""
"""Stands for orders of every path."""


@dataclass(frozen=True, slots=True)
class Remaining:
    """Times from entering a stage to the order's end, of ``n`` entries: quantiles in nanoseconds, ascending."""

    n: int
    quantiles_ns: tuple[int, ...]


RemainingTimes = Mapping[tuple[str, str, str], Remaining]
"""Remaining times by flow, path (`ANY`: all together) and stage."""


def remaining_of(times: RemainingTimes, flow: str, path: str, stage: str) -> Remaining | None:
    """The remaining times to compare an order with: of its path, of all paths when there are too few, or None."""
    for key in ((flow, path, stage), (flow, ANY, stage)):
        found = times.get(key)
        if found is not None and found.n >= ENOUGH:
            return found
    return None


def projected_end_ns(quantiles_ns: tuple[int, ...], entered_ns: int, now_ns: int) -> int:
    """The projected end of an order that entered its stage at a moment and is still there; never in the past."""
    passed = _share_within(quantiles_ns, now_ns - entered_ns)
    share = passed + (1 - passed) * PROJECTED_AT
    return max(now_ns, entered_ns + round(_quantile(quantiles_ns, share)))


def late_from_ns(
    quantiles_ns: tuple[int, ...], entered_ns: int, due_ns: int, share: float = PROJECTED_AT
) -> int | None:
    """The moment from which an order that is still in its stage is projected to end after its due date.

    ``share`` of comparable orders ended by the projected end. None when it is due after longer than any finished order
    took: then it is late only when it is late.
    """
    in_time = _share_within(quantiles_ns, due_ns - entered_ns)
    if in_time >= 1:
        return None
    if in_time <= share:
        return entered_ns
    return entered_ns + round(_quantile(quantiles_ns, (in_time - share) / (1 - share)))


def project(journey: Journey, times: RemainingTimes) -> Journey:
    """An order with its projection: in jeopardy from when it is projected to end after its due date.

    Only for watched orders that are under way and have a due date; others stay as they are. The calendar counts, as it
    does for the customer: holds lie in the remaining times of others and don't stop this clock.
    """
    if journey.due_at_ns is None or journey.terminal or journey.imported or not journey.milestones:
        return journey
    remaining = remaining_of(times, journey.flow, journey.path, journey.stage)
    if remaining is None:
        return journey
    from_ns = late_from_ns(remaining.quantiles_ns, journey.entered_ns, journey.due_at_ns)
    warnings = [moment for moment in (journey.warn_at_ns, from_ns) if moment is not None]
    return replace(
        journey,
        remaining_ns=remaining.quantiles_ns,
        late_from_ns=from_ns,
        warn_at_ns=min(warnings, default=None),
    )


def _quantile(quantiles_ns: tuple[int, ...], share: float) -> float:
    place = share * STEPS
    index = min(int(place), STEPS - 1)
    low, high = quantiles_ns[index], quantiles_ns[index + 1]
    return low + (high - low) * (place - index)


def _share_within(quantiles_ns: tuple[int, ...], length_ns: int) -> float:
    """The share of remaining times that are at most so long; 0 below the shortest, 1 from the longest on."""
    if length_ns < quantiles_ns[0]:
        return 0.0
    if length_ns >= quantiles_ns[-1]:
        return 1.0
    # The last quantile that isn't longer: where several are equal, all of them are within.
    index = bisect_left(quantiles_ns, length_ns + 1) - 1
    low, high = quantiles_ns[index], quantiles_ns[index + 1]
    return (index + (length_ns - low) / (high - low)) / STEPS
