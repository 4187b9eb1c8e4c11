import pytest
from hypothesis import given
from hypothesis import strategies as st

from clew.journey import rebuild
from clew.journey.holds import held_ns, moment_after
from clew.model.journey import Hold
from tests.journey.timeline import FLOW, MINUTE, at, event, hold, resume, ring_flow


def holds_in(*told):
    journey = rebuild("4711", [event("ORDERED", 0), *told], FLOW)
    minutes = [(each.begin_ns - at(0), None if each.end_ns is None else each.end_ns - at(0)) for each in journey.holds]
    return [(begin // MINUTE, end if end is None else end // MINUTE) for begin, end in minutes]


@pytest.mark.parametrize(
    ("told", "holds"),
    [
        ([], []),
        ([hold(5), resume(8)], [(5, 8)]),
        ([resume(8), hold(5)], [(5, 8)]),
        ([hold(5)], [(5, None)]),
        ([hold(5), resume(8), hold(9), resume(11)], [(5, 8), (9, 11)]),
        ([hold(5), hold(6), resume(8)], [(5, 8)]),
        ([hold(5), hold(6), resume(8), resume(9)], [(5, 8)]),
        ([resume(4)], []),
        ([resume(4), hold(5)], [(5, None)]),
        ([hold(5), resume(5)], [(5, 5)]),
        ([hold(5), event("DROPPED", 9)], [(5, 9)]),
        ([event("DROPPED", 9), hold(10)], []),
        ([event("DROPPED", 9), hold(9)], []),
        ([hold(5), event("PRICED", 7)], [(5, None)]),
    ],
)
def test_holds_are_read_from_their_begins_and_ends(told, holds):
    assert holds_in(*told) == holds


@pytest.mark.parametrize(
    ("told", "deadline"),
    [
        ([hold(5), resume(15)], 40),
        ([hold(5), resume(15), hold(20), resume(22)], 42),
        ([hold(-5), resume(3)], 33),
        ([hold(-5), resume(-3)], 30),
        ([hold(29), resume(89)], 90),
        ([hold(30), resume(89)], 30),
        ([hold(31), resume(89)], 30),
        ([hold(5), resume(15), hold(39), resume(49)], 50),
        ([hold(5), resume(15), hold(41), resume(49)], 40),
    ],
)
def test_the_deadline_moves_by_the_time_held_before_it(told, deadline):
    journey = rebuild("4711", [event("ORDERED", 0), *told], FLOW)
    assert journey.deadline_at_ns == at(deadline)


def test_time_held_in_an_earlier_stage_does_not_move_the_deadline():
    told = [event("BASKET", 0), hold(1), resume(9), event("ORDERED", 10)]
    assert rebuild("4711", told, FLOW).deadline_at_ns == at(40)


def test_a_lasting_hold_stops_the_clock_until_the_hold_limit():
    told = [event("ORDERED", 0), hold(5)]
    unlimited = rebuild("4711", told, FLOW)
    limited = rebuild("4711", told, ring_flow(hold_limit_ns=100 * MINUTE))
    assert unlimited.on_hold
    assert (unlimited.warn_at_ns, unlimited.deadline_at_ns) == (None, None)
    assert (limited.warn_at_ns, limited.deadline_at_ns) == (None, at(105))


def test_only_the_last_hold_says_whether_the_clock_stands():
    told = [event("ORDERED", 0), hold(1), resume(2), hold(5)]
    assert rebuild("4711", told, ring_flow(hold_limit_ns=100 * MINUTE)).deadline_at_ns == at(105)


def test_the_due_date_does_not_wait_for_a_hold():
    assert rebuild("4711", [event("ORDERED", 0, due_at_ns=at(50)), hold(5)], FLOW).warn_at_ns == at(50)


gaps = st.lists(st.tuples(st.integers(1, 9), st.integers(0, 9)), max_size=5)


@given(gaps, st.integers(0, 20), st.integers(0, 40))
def test_the_deadline_is_when_the_dwell_without_holds_reaches_the_limit(steps, entered, allowance):
    holds, clock = [], 0
    for gap, length in steps:
        holds.append(Hold(clock + gap, clock + gap + length))
        clock += gap + length
    moment = moment_after(entered, allowance, holds)
    assert moment - entered - held_ns(holds, entered, moment) == allowance
