"""One order in a line: what lists of every kind say of it."""

from __future__ import annotations

from dataclasses import dataclass

from clew.journey.dwell import dwells
from clew.journey.judge import judge
from clew.learn.projection import projected_end_ns
from clew.model.flow import Flow, Limit
from clew.model.journey import Journey, Verdict


@dataclass(frozen=True, slots=True)
class OrderLine:
    """An order as judged at a moment. Times and lengths of time are nanoseconds.

    ``dwell_ns`` is the time in its stage without holds, ``limit`` the stage's for its path. ``projected_end_ns`` is
    there for open orders with a due date, once enough orders have ended.
    """

    journey: Journey
    verdict: Verdict
    dwell_ns: int
    limit: Limit | None
    projected_end_ns: int | None


def order_line(journey: Journey, flow: Flow, now_ns: int) -> OrderLine:
    """An order in a line, judged by its flow at a moment."""
    stage = flow.stage(journey.stage)
    projected = None
    if journey.remaining_ns and not journey.terminal:
        projected = projected_end_ns(journey.remaining_ns, journey.entered_ns, now_ns)
    return OrderLine(
        journey,
        judge(journey, flow, now_ns),
        next(iter(dwells(journey, now_ns)[-1:]), max(0, now_ns - journey.entered_ns)),
        stage.limit(journey.path) if stage else None,
        projected,
    )
