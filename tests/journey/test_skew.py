"""Clocks of different services differ a little; the story must not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clew.flow import default_flow
from clew.journey import rebuild
from clew.journey.rebuild import CLOCK_SKEW_NS
from clew.model.event import StageEvent
from tests.journey.timeline import FLOW, HAPPY, SECOND, START, event, story, way


def seconds(count):
    return count / 60


def test_a_later_stage_with_a_slightly_earlier_time_is_put_behind():
    journey = rebuild("4711", [event("BASKET", 0), event("PRICED", seconds(59)), event("ORDERED", 1)], FLOW)
    assert way(journey) == ["BASKET", "ORDERED", "PRICED"]
    assert journey.deviations == ()
    assert journey.entered_ns == START + 59 * SECOND


@pytest.mark.parametrize(
    ("gap", "service", "order"),
    [
        (1, "mes", ["BASKET", "ORDERED", "PRICED"]),
        (2, "mes", ["BASKET", "ORDERED", "PRICED"]),
        (3, "mes", ["BASKET", "PRICED", "ORDERED"]),
        (1, "shop", ["BASKET", "PRICED", "ORDERED"]),
    ],
)
def test_only_small_differences_between_two_services_are_put_right(gap, service, order):
    told = [event("BASKET", 0), event("PRICED", 1, service), event("ORDERED", 1 + seconds(gap))]
    assert way(rebuild("4711", told, FLOW)) == order


def test_an_end_reported_just_before_its_last_stage_still_ends_the_journey():
    told = [*story(*HAPPY[:5]), event("DONE", 50), event("SHIPPED", 50 + seconds(1))]
    journey = rebuild("4711", told, FLOW)
    assert (way(journey), journey.after_end) == (list(HAPPY), ())


FLOWS = [FLOW, default_flow()]


@given(
    st.sampled_from(FLOWS),
    st.lists(st.integers(0, 3 * SECOND), min_size=12, max_size=12),
    st.lists(st.integers(0, 4), min_size=12, max_size=12),
    st.lists(st.integers(-CLOCK_SKEW_NS // 2, CLOCK_SKEW_NS // 2), min_size=5, max_size=5),
    st.integers(0, 2**31),
)
def test_skewed_clocks_never_change_the_sequence_of_stages(flow, gaps, services, offsets, choice):
    stages, clock, told = walk(flow, choice), START, []
    for stage, gap, service in zip(stages, gaps, services, strict=False):
        clock += gap + 1
        told.append(StageEvent("4711", stage, clock + offsets[service], f"s{service}"))
    journey = rebuild("4711", told, flow)
    assert way(journey) == stages
    assert journey.deviations == ()


def walk(flow, choice):
    """A way through the flow from an entry, chosen by the digits of a number."""
    stages = [next(iter(flow.paths.values()))[0]]
    while following := flow.stage(stages[-1]).next:
        choice, pick = divmod(choice, len(following))
        stages.append(following[pick])
    return stages
