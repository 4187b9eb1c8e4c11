"""One order in a line: what lists of every kind say of it."""

from __future__ import annotations

from dataclasses import dataclass

from clew.journey.dwell import dwells
from clew.journey.judge import judge
from clew.learn.projection import projected_end_ns
from clew.model.flow import Flow, Limit
from clew.model.journey import Journey, Verdict, VerdictKind

_WAITS_FOR_SOMEBODY = (VerdictKind.LOST, VerdictKind.FAILED)


@dataclass(frozen=True, slots=True)
class OrderLine:
    """An order as judged at a moment. Times and lengths of time are nanoseconds.

    ``dwell_ns`` is the time in its stage without holds, ``limit`` the stage's for its path. ``projected_end_ns`` is
    there for open orders with a due date, once enough orders have ended; not for lost and failed ones, which go on only
    when somebody acts, nor for one that waits longer than any that ended.
    """

    journey: Journey
    verdict: Verdict
    dwell_ns: int
    limit: Limit | None
    projected_end_ns: int | None


def order_line(journey: Journey, flow: Flow, now_ns: int) -> OrderLine:
    """An order in a line, judged by its flow at a moment."""
    stage = flow.stage(journey.stage)
    verdict = judge(journey, flow, now_ns)
    return OrderLine(
        journey,
        verdict,
        next(iter(dwells(journey, now_ns)[-1:]), max(0, now_ns - journey.entered_ns)),
        stage.limit(journey.path) if stage else None,
        None if verdict.kind in _WAITS_FOR_SOMEBODY else _projected_end(journey, now_ns),
    )


def _projected_end(journey: Journey, now_ns: int) -> int | None:
    if journey.terminal or not journey.remaining_ns:
        return None
    end_ns = projected_end_ns(journey.remaining_ns, journey.entered_ns, now_ns)
    return end_ns if end_ns > now_ns else None
