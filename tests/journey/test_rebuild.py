from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clew.journey import dwells, rebuild
from clew.journey.plan import plan_of
from clew.journey.rebuild import distinct_facts
from clew.model.event import Outcome, Source, StageEvent
from clew.model.flow import Terminal
from clew.model.journey import Milestone
from clew.store.codec import journey_from_json, journey_to_json
from tests.journey.timeline import FLOW, HAPPY, MINUTE, START, at, event, failed, hold, resume, ring_flow, story, way

STAGES = [*HAPPY, "DROPPED", "LOBBY", ""]

events = st.builds(
    StageEvent,
    order_id=st.sampled_from(["4711", "D77"]),
    stage=st.sampled_from(STAGES),
    at_ns=st.integers(0, 40).map(lambda quarter: START + quarter * MINUTE // 4),
    service=st.sampled_from(["shop", "crm", "mes"]),
    span_id=st.sampled_from(["", "a" * 16, "b" * 16]),
    trace_id=st.sampled_from(["", "1" * 32, "2" * 32]),
    path=st.sampled_from(["", "", "web", "partner", "fair"]),
    outcome=st.sampled_from([Outcome.OK, Outcome.OK, Outcome.FAILED]),
    hold=st.sampled_from([None, None, True, False]),
    due_at_ns=st.none() | st.integers(START, START + 100 * MINUTE),
    user_id=st.sampled_from(["", "u-1", "u-2"]),
    aliases=st.dictionaries(st.sampled_from(["deal", "cart"]), st.sampled_from(["D77", "D78"]), max_size=2),
    attributes=st.dictionaries(st.sampled_from(["metal", "size"]), st.sampled_from(["1", "2"]), max_size=2),
    source=st.sampled_from([*Source, Source.IMPORT]),
)
stories = st.lists(events, max_size=12)


@given(stories, st.data())
def test_late_shuffled_and_repeated_events_tell_the_same_journey(told, data):
    repeats = data.draw(st.lists(st.sampled_from(told), max_size=6)) if told else []
    shuffled = data.draw(st.permutations([*told, *repeats]))
    assert rebuild("4711", shuffled, FLOW) == rebuild("4711", told, FLOW)


@given(stories, st.data())
def test_arriving_again_later_or_by_another_door_changes_nothing(told, data):
    doors = st.sampled_from([Source.LOG, Source.SPAN, Source.SPAN_EVENT, Source.RULE])
    again = [
        each._replace(
            source=Source.IMPORT if each.source is Source.IMPORT else data.draw(doors),
            received_ns=data.draw(st.integers(0, 10)),
        )
        for each in told
    ]
    assert rebuild("4711", [*told, *again], FLOW) == rebuild("4711", told, FLOW)


@given(stories)
def test_what_is_remembered_of_a_flow_tells_the_same_as_a_flow_never_seen(told):
    assert rebuild("4711", told, FLOW) == rebuild("4711", told, ring_flow())


@given(st.lists(events, max_size=12, unique_by=lambda each: each.at_ns), st.data())
def test_moments_that_tell_facts_apart_order_them_as_all_that_they_say_does(told, data):
    facts = data.draw(st.permutations(told))
    by_all = distinct_facts([*facts, *facts], plan_of(FLOW).position)
    assert list(distinct_facts(facts, plan_of(FLOW).position)) == list(by_all)


@given(stories, stories)
def test_more_facts_always_have_the_larger_number(told, more):
    before, after = rebuild("4711", told, FLOW), rebuild("4711", [*told, *more], FLOW)
    assert after.facts >= before.facts
    assert (after.facts == before.facts) == (after == before)


@given(stories)
def test_every_journey_is_whole(told):
    journey = rebuild("4711", told, FLOW)
    assert all(before != after for before, after in pairwise(way(journey)))
    assert len(dwells(journey, START + 1000 * MINUTE)) == len(journey.milestones)
    assert all(dwell >= 0 for dwell in dwells(journey, START + 1000 * MINUTE))
    assert all(each.index < len(journey.milestones + journey.after_end) for each in journey.deviations)
    assert all(
        before.end_ns is not None and before.end_ns <= after.begin_ns for before, after in pairwise(journey.holds)
    )
    assert (journey.terminal is None) or (not journey.on_hold and journey.deadline_at_ns is None)
    if journey.warn_at_ns is not None and journey.due_at_ns is None:
        assert journey.deadline_at_ns is not None
        assert journey.warn_at_ns < journey.deadline_at_ns


@pytest.mark.parametrize(
    "change",
    [
        {"order_id": "D77"},
        {"stage": "PRICED"},
        {"at_ns": 5},
        {"service": "crm"},
        {"trace_id": "1" * 32},
        {"span_id": "c" * 16},
        {"flow": "rings"},
        {"path": "web"},
        {"actor": "Anna"},
        {"outcome": Outcome.FAILED},
        {"error": "no 3D data"},
        {"hold": False},
        {"due_at_ns": 7},
        {"user_id": "u-1"},
        {"aliases": {"deal": "D77"}},
    ],
)
def test_facts_that_differ_in_what_they_say_are_two(change):
    one = event("ORDERED", 0, hold=True, due_at_ns=6)
    assert rebuild("4711", [one, one._replace(**change)], FLOW).facts == 2


def test_an_order_without_facts_is_an_empty_journey():
    journey = rebuild("4711", [], FLOW)
    assert (journey.stage, journey.facts, journey.first_ns, journey.deadline_at_ns) == ("", 0, 0, None)


def test_the_way_to_the_end_is_told_stage_by_stage():
    journey = rebuild("4711", story(*HAPPY), FLOW)
    assert way(journey) == list(HAPPY)
    assert journey.deviations == ()
    assert journey.terminal is Terminal.CLOSED
    assert (journey.first_ns, journey.last_ns, journey.facts) == (at(0), at(60), 7)
    assert (journey.flow, journey.flow_version, journey.path) == ("rings", 7, "web")
    assert journey.milestones[2] == Milestone("PRICED", at(20), "mes", "", event("PRICED", 20).span_id)


def test_a_stage_that_is_reported_again_keeps_its_first_time():
    journey = rebuild("4711", [event("BASKET", 0), event("ORDERED", 5), event("ORDERED", 9), event("PRICED", 12)], FLOW)
    assert [(each.stage, each.at_ns) for each in journey.milestones] == [
        ("BASKET", at(0)),
        ("ORDERED", at(5)),
        ("PRICED", at(12)),
    ]
    assert journey.facts == 4


def test_at_one_instant_the_flow_says_which_stage_came_first():
    told = [event("PRICED", 5, span_id="a"), event("ORDERED", 5, span_id="b"), event("BASKET", 5, span_id="c")]
    assert way(rebuild("4711", told, FLOW)) == ["BASKET", "ORDERED", "PRICED"]


def test_of_two_reports_at_one_instant_the_smaller_span_id_is_kept():
    told = [event("BASKET", 5, span_id="b" * 16), event("BASKET", 5, span_id="a" * 16)]
    assert rebuild("4711", told, FLOW).milestones[0].span_id == "a" * 16


@pytest.mark.parametrize(
    ("told", "path"),
    [
        ([event("BASKET", 0)], "web"),
        ([event("ORDERED", 0)], "partner"),
        ([event("ORDERED", 5), event("BASKET", 0)], "web"),
        ([event("PRICED", 0)], ""),
        ([event("BASKET", 0, path="partner")], "partner"),
        ([event("BASKET", 0), event("ORDERED", 5, path="fair")], "fair"),
        ([event("BASKET", 1, path="web"), event("", 0, path="partner")], "partner"),
        ([failed("BASKET", 0)], ""),
    ],
)
def test_the_path_is_the_one_named_first_else_that_of_the_first_stage(told, path):
    assert rebuild("4711", told, FLOW).path == path


def test_limits_follow_the_path():
    web = rebuild("4711", [event("BASKET", 0), event("ORDERED", 1), event("PRICED", 2)], FLOW)
    partner = rebuild("4711", [event("ORDERED", 1), event("PRICED", 2)], FLOW)
    assert (web.warn_at_ns, web.deadline_at_ns) == (at(182), at(242))
    assert (partner.warn_at_ns, partner.deadline_at_ns) == (at(402), at(482))


def test_a_stage_without_a_limit_for_the_path_has_no_deadline():
    journey = rebuild("4711", [event("PRICED", 2, path="fair")], FLOW)
    assert (journey.warn_at_ns, journey.deadline_at_ns) == (None, None)


def test_facts_without_a_stage_never_reset_the_clock():
    journey = rebuild("4711", [event("ORDERED", 0), event("", 20, due_at_ns=at(9999)), failed("PRICED", 25)], FLOW)
    assert (journey.stage, journey.deadline_at_ns, journey.last_ns) == ("ORDERED", at(30), at(25))


def test_a_failed_attempt_enters_no_stage_and_counts_as_an_error():
    journey = rebuild("4711", [event("ORDERED", 0), failed("PRICED", 5, "no 3D data", trace_id="1" * 32)], FLOW)
    assert way(journey) == ["ORDERED"]
    assert journey.errors == 1
    assert journey.failure is not None
    assert (journey.failure.stage, journey.failure.at_ns, journey.failure.error) == ("PRICED", at(5), "no 3D data")
    assert (journey.failure.service, journey.failure.trace_id) == ("mes", "1" * 32)


@pytest.mark.parametrize(
    ("told", "failing"),
    [
        ([event("ORDERED", 0), failed("PRICED", 5)], True),
        ([event("ORDERED", 0), failed("ORDERED", 5)], True),
        ([event("ORDERED", 0), failed("PRICED", 5), event("PRICED", 6)], False),
        ([event("ORDERED", 0), failed("PRICED", 5), event("PRICED", 5)], False),
        ([event("ORDERED", 0), failed("PRICED", 5), event("PRICED", 6), failed("PRICED", 7)], True),
        ([event("ORDERED", 0), failed("PRICED", 5), hold(6), resume(7)], True),
        ([event("ORDERED", 6), failed("PRICED", 5)], False),
        ([failed("BASKET", 5)], True),
    ],
)
def test_an_order_is_failing_until_it_enters_a_stage_again(told, failing):
    assert (rebuild("4711", told, FLOW).failure is not None) == failing


def test_the_last_failed_attempt_is_the_one_told():
    journey = rebuild("4711", [event("ORDERED", 0), failed("PRICED", 5, "first"), failed("PRICED", 6, "second")], FLOW)
    assert journey.failure is not None
    assert (journey.failure.error, journey.errors) == ("second", 2)


@pytest.mark.parametrize(("end", "terminal"), [("DONE", Terminal.CLOSED), ("DROPPED", Terminal.CANCELLED)])
def test_an_ended_order_does_not_reopen(end, terminal):
    journey = rebuild("4711", [event("ORDERED", 0), event(end, 10), event("PRICED", 20), event("MADE", 30)], FLOW)
    assert way(journey) == ["ORDERED", end]
    assert [each.stage for each in journey.after_end] == ["PRICED", "MADE"]
    assert (journey.terminal, journey.stage, journey.deadline_at_ns) == (terminal, end, None)


def test_of_two_ends_the_first_counts():
    journey = rebuild("4711", [event("ORDERED", 0), event("DROPPED", 5), event("DONE", 9)], FLOW)
    assert (journey.terminal, way(journey)) == (Terminal.CANCELLED, ["ORDERED", "DROPPED"])


def test_an_undeclared_stage_is_shown_but_the_declared_ones_clock_runs_on():
    journey = rebuild("4711", [event("ORDERED", 0), event("LOBBY", 10)], FLOW)
    assert (journey.stage, journey.deadline_at_ns) == ("LOBBY", at(30))


def test_the_due_date_is_the_one_stated_last():
    told = [event("ORDERED", 0, due_at_ns=at(900)), event("", 5, due_at_ns=at(700)), event("", 2, due_at_ns=at(800))]
    assert rebuild("4711", told, FLOW).due_at_ns == at(700)


@pytest.mark.parametrize(
    ("due", "margin", "warn"),
    [(900, 0, 20), (900, 100, 20), (25, 10, 15), (10, 0, 10), (10, 60, -50)],
)
def test_jeopardy_begins_at_the_stages_warning_or_ahead_of_the_due_date(due, margin, warn):
    flow = ring_flow(due_margin_ns=margin * MINUTE)
    assert rebuild("4711", [event("ORDERED", 0, due_at_ns=at(due))], flow).warn_at_ns == at(warn)


def test_a_due_date_sent_in_seconds_is_long_past_but_never_before_the_epoch():
    flow = ring_flow(due_margin_ns=90 * MINUTE)
    assert rebuild("4711", [event("ORDERED", 0, due_at_ns=1_790_000_000)], flow).warn_at_ns == 1


def test_users_aliases_and_traces_are_gathered_from_all_facts():
    told = [
        event("ORDERED", 5, user_id="u-2", aliases={"deal": "D78"}, trace_id="2" * 32),
        event("BASKET", 0, user_id="u-1", aliases={"deal": "D77", "cart": "C1"}, trace_id="1" * 32),
        event("", 2, order_id="D77", trace_id="2" * 32),
    ]
    journey = rebuild("4711", told, FLOW)
    assert journey.user_id == "u-1"
    assert journey.aliases == {"cart": "C1", "deal": "D78"}
    assert journey.traces == ("1" * 32, "2" * 32)


def test_dwell_is_the_time_to_the_next_milestone_or_to_now_without_holds():
    told = [event("BASKET", 0), event("ORDERED", 10), hold(12), resume(17), event("PRICED", 30)]
    assert dwells(rebuild("4711", told, FLOW), at(50)) == (10 * MINUTE, 15 * MINUTE, 20 * MINUTE)


def test_nothing_dwells_in_a_terminal_stage():
    assert dwells(rebuild("4711", [event("BASKET", 0), event("DROPPED", 10)], FLOW), at(50)) == (10 * MINUTE, 0)


def imported(stage, minutes, **fields):
    return event(stage, minutes, span_id="", source=Source.IMPORT, **fields)


@pytest.mark.parametrize(
    ("told", "visited"),
    [
        ([event("BASKET", 0), event("ORDERED", 1), event("ORDERED", 2)], ["BASKET", "ORDERED"]),
        ([imported("BASKET", 0), imported("ORDERED", 1), imported("ORDERED", 2)], ["BASKET", "ORDERED", "ORDERED"]),
        ([imported("ORDERED", 1), imported("ORDERED", 1, actor="anna")], ["ORDERED"]),
        ([imported("ORDERED", 1), event("ORDERED", 1)], ["ORDERED"]),
        ([event("ORDERED", 1), imported("ORDERED", 1.01), event("PRICED", 2)], ["ORDERED", "PRICED"]),
        ([imported("ORDERED", 1), event("ORDERED", 1.01), imported("PRICED", 2)], ["ORDERED", "PRICED"]),
        ([event("ORDERED", 1), event("DONE", 2), event("ORDERED", 3)], ["ORDERED", "DONE", "ORDERED"]),
        ([event("ORDERED", 1), failed("PRICED", 2)], ["ORDERED"]),
    ],
)
def test_visits_are_what_reports_count(told, visited):
    assert [each.stage for each in rebuild("4711", told, FLOW).visits] == visited


@given(stories)
def test_a_journey_survives_its_way_through_the_store(told):
    journey = rebuild("4711", told, FLOW)
    assert journey_from_json(journey_to_json(journey)) == journey


def test_an_order_that_only_imports_tell_of_has_no_clock_until_telemetry_tells_of_it_too():
    told = [imported("BASKET", 0), imported("ORDERED", 1)]
    history, live = rebuild("4711", told, FLOW), rebuild("4711", [*told, event("PRICED", 2)], FLOW)
    assert (history.imported, history.deadline_at_ns, history.warn_at_ns) == (True, None, None)
    assert live.deadline_at_ns is not None
    assert not live.imported


def test_of_two_values_of_an_attribute_the_later_one_is_right():
    told = [
        imported("ORDERED", 1, attributes={"metal": "gold", "size": "7"}),
        imported("BASKET", 0, attributes={"metal": "tin"}),
    ]
    assert rebuild("4711", told, FLOW).attributes == {"metal": "gold", "size": "7"}
