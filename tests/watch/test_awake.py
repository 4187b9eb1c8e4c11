"""Clew remembers when it was awake, and knows after a start when what was held back has come."""

from __future__ import annotations

import time

import pytest

from clew.store.embedded import open_store
from clew.watch.awake import Awake, settled_ns
from tests.builders import ingest, logs, stage_event

SECOND = 10**9
START = time.time_ns() - 1_800 * SECOND  # touches are kept for hours only


@pytest.mark.parametrize(
    ("down_s", "came_s", "settled_s"),
    [
        pytest.param(40, None, 40, id="who waited for forty seconds comes within forty more"),
        pytest.param(3_600, None, 120, id="nobody waits for longer than two minutes to try again"),
        pytest.param(3_600, 20, 120, id="one has come, others may follow"),
        pytest.param(40, 30, 60, id="it still came"),
        pytest.param(3_600, 300, 330, id="a large backlog"),
        pytest.param(3_600, 5_000, 600, id="a sender whose clock is wrong holds nothing up"),
    ],
)
def test_what_was_held_back_has_come_when_senders_had_time_and_nothing_comes_any_more(down_s, came_s, settled_s):
    came_ns = 0 if came_s is None else START + came_s * SECOND
    assert settled_ns((START - down_s * SECOND, START), came_ns) == START + settled_s * SECOND


@pytest.fixture
def store(tmp_path):
    opened = open_store(tmp_path)
    yield opened
    opened.close()


def started(store, after_s):
    """Clew as it starts so long after the first start: when it was down, and whether it catches up."""
    awake = Awake(store)
    awake.stay(now := START + after_s * SECOND, now)
    return awake


def test_a_first_start_and_a_short_restart_have_nothing_to_catch_up_and_an_outage_has_until_it_came(store):
    assert [started(store, after_s).catches_up for after_s in (-20, 0, 10)] == [False] * 3
    late = started(store, 1_000)
    assert (late.down, late.catches_up) == ((START, START + 1_000 * SECOND), True)
    # One more start in the midst of it knows of the whole time.
    again = started(store, 1_030)
    assert again.down == (START, START + 1_030 * SECOND)
    held_back, now = START + 500 * SECOND, START + 1_140 * SECOND
    ingest(store, now, logs("crm", stage_event("4711", "SUBMITTED", held_back)))
    for after_s, catches_up in ((1_149, True), (1_151, True), (1_169, True), (1_171, False), (1_172, False)):
        moment = START + after_s * SECOND
        again.stay(moment, moment)
        assert again.catches_up is catches_up, after_s
    assert again.down == (START, START + 1_030 * SECOND)
    assert started(store, 1_190).down is None
    assert started(store, 0).down is None, "a clock that was set back"


def test_what_came_and_is_in_no_journey_yet_has_not_come(store):
    started(store, 0)
    begun = started(store, 100)
    for told_s, catches_up in ((150, True), (201, False)):
        begun.stay(START + 3_000 * SECOND, START + told_s * SECOND)
        assert begun.catches_up is catches_up
