import pytest

from clew.journey.rebuild import rebuild
from clew.journey.visits import stage_visits, visits_after_end
from clew.model.flow import ANY_PATH, Flow, Stage, Terminal
from tests.journey.timeline import MINUTE, at, event, hold, limit, resume

FLOW = Flow(
    "shop",
    1,
    (
        Stage("BASKET", next=("ORDERED",), meaning="goods chosen"),
        Stage("ORDERED", next=("DONE",), limits={ANY_PATH: limit(30, 20)}),
        Stage("DONE", terminal=Terminal.CLOSED),
    ),
    paths={"b2c": ("BASKET",)},
)


def visits(*events, now=100):
    return stage_visits(rebuild("4711", events, FLOW), FLOW, at(now))


def test_each_stay_has_its_dwell_against_its_limit():
    basket, ordered = visits(event("BASKET", 0), event("ORDERED", 10), now=100)
    assert (basket.meaning, basket.left_ns, basket.used, basket.over_from_ns) == ("goods chosen", at(10), None, None)
    assert (ordered.current, ordered.dwell_ns, ordered.over_ns) == (True, 90 * MINUTE, 60 * MINUTE)
    assert (ordered.used, ordered.over_from_ns) == (pytest.approx(3), at(40))
    assert ordered.warn_share == pytest.approx(2 / 3)


def test_time_on_hold_moves_the_moment_at_which_a_stay_is_too_long():
    (_, ordered) = visits(event("BASKET", 0), event("ORDERED", 10), hold(20), resume(60), now=90)
    assert (ordered.held_ns, ordered.dwell_ns, ordered.over_from_ns) == (40 * MINUTE, 40 * MINUTE, at(80))


def test_nothing_dwells_at_the_end_or_after_it():
    journey = rebuild("4711", [event("BASKET", 0), event("DONE", 5), event("ORDERED", 9)], FLOW)
    assert [(each.current, each.dwell_ns) for each in stage_visits(journey, FLOW, at(50))][-1] == (True, 0)
    (late,) = visits_after_end(journey, FLOW)
    assert (late.milestone.stage, late.after_end, late.current, late.dwell_ns) == ("ORDERED", True, False, 0)


def test_of_several_deviations_one_that_is_not_accepted_is_told_first():
    flow = Flow(FLOW.name, 1, FLOW.stages, FLOW.paths, accepted=frozenset({"skipped:BASKET"}))
    (done,) = stage_visits(rebuild("4711", [event("DONE", 5)], flow), flow, at(50))
    assert [(each.stage, each.accepted) for each in done.deviations] == [("BASKET", True), ("ORDERED", False)]
    assert done.deviation.stage == "ORDERED"
