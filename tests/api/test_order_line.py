"""When an order has a projected end: while finished ones can tell of it, and it goes on by itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from clew.api.order_line import order_line
from clew.flow import default_flow
from clew.model.journey import Failure, Journey, Loss, LostReason, Milestone

HOUR = 3_600 * 10**9
OPEN = Journey(
    "4711", "jeweller", 1, "b2c",
    milestones=(Milestone("PRICE_CALCULATED", 0),),
    first_ns=0, last_ns=0, due_at_ns=9 * HOUR, remaining_ns=tuple(hour * HOUR for hour in range(1, 22)),
)  # fmt: skip
LOSS = Loss(LostReason.UNROUTABLE, "prices", 0, "shop-api", "", "")


@pytest.mark.parametrize(
    ("order", "now_h", "projected"),
    [
        pytest.param(OPEN, 1, True, id="open"),
        pytest.param(OPEN, 22, False, id="waits longer than any that ended"),
        pytest.param(replace(OPEN, remaining_ns=()), 1, False, id="too few have ended"),
        pytest.param(replace(OPEN, losses=(LOSS,), lost_from_ns=0), 1, False, id="lost"),
        pytest.param(replace(OPEN, failure=Failure("PRICE_CALCULATED", 0)), 1, False, id="failed"),
    ],
)
def test_an_order_is_projected_while_finished_ones_can_tell(order, now_h, projected):
    line = order_line(order, default_flow(), now_h * HOUR)
    assert (line.projected_end_ns is not None) == projected
    assert line.projected_end_ns is None or line.projected_end_ns > now_h * HOUR
