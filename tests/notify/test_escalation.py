"""Stories on a clock: who is called next, when, and what people do about it."""

from dataclasses import replace
from datetime import datetime

import pytest

from clew.model.incident import IncidentState, Policy, PolicyStep
from clew.model.rule import Severity
from clew.notify.incidents import acknowledged, noted, reacted, resolved_by
from tests.notify.world import DAY, HOUR, MINUTE, MONDAY, OFFICE, SECOND, STEPS, STUCK, World, only, policies, stuck


def test_steps_are_taken_until_somebody_acknowledges(database):
    world = World(database, policies=policies(Policy("p", STEPS)))
    world.find(*stuck(1))
    world.until(MONDAY + 20 * MINUTE)
    assert world.told() == [(1, "slack", "opened"), (16, "duty", "escalated")]
    done = world.act(lambda one: acknowledged(one, "ann", world.now_ns, world.policies, "slack"))
    assert (done.state, done.acknowledged_by) == (IncidentState.ACKNOWLEDGED, "ann")
    assert world.act(lambda one: acknowledged(one, "ben", world.now_ns, world.policies)) is None
    world.until(MONDAY + 10 * HOUR, 10 * MINUTE)
    assert world.told()[2:] == [(20, "slack", "acknowledged"), (20, "duty", "acknowledged")]
    world.check()


def test_all_steps_come_again_as_often_as_the_policy_says_and_then_no_more(database):
    world = World(database, policies=policies(Policy("p", STEPS[:2], repeat=2)))
    world.find(*stuck(1))
    world.look()
    world.until(MONDAY + 5 * HOUR, 5 * MINUTE)
    assert [(at, channel) for at, channel, _ in world.told()] == [
        (0, "slack"),
        (15, "duty"),
        (30, "slack"),
        (45, "duty"),
        (60, "slack"),
        (75, "duty"),
    ]
    assert [kind for _, _, kind in world.told()] == ["opened"] + ["escalated"] * 5


def test_one_step_that_repeats_is_no_burst(database):
    world = World(database, policies=policies(Policy("p", (PolicyStep(0, ("slack",)),), repeat=2)))
    world.find(*stuck(1))
    world.look()
    world.until(MONDAY + HOUR)
    assert [at for at, _, _ in world.told()] == [0, 5, 10]


def test_an_acknowledgement_that_goes_stale_pages_again(database):
    world = World(database, policies=policies(Policy("p", STEPS[:2], stale_after_ns=4 * HOUR)))
    world.find(*stuck(1))
    world.look()
    world.act(lambda one: acknowledged(one, "ann", world.now_ns, world.policies))
    world.until(MONDAY + 3 * HOUR, 10 * MINUTE)
    world.act(lambda one: noted(one, "ann", "waiting for the vendor", world.now_ns, world.policies))
    world.until(MONDAY + 7 * HOUR + 20 * MINUTE, 5 * MINUTE)
    assert world.told() == [
        (0, "slack", "opened"),
        (0, "slack", "acknowledged"),
        (420, "slack", "escalated"),
        (435, "duty", "escalated"),
    ]
    assert [row.text for row in world.outbox()[2:]] == [
        "ann acknowledged it, and 1 alert still fires. "
        "Next is duty, at 2026-01-05 07:15:00 UTC unless somebody acknowledges it.",
        "Nobody else will be told.",
    ]
    again = world.act(lambda one: acknowledged(one, "ben", world.now_ns, world.policies))
    assert (again.acknowledged_by, again.acknowledged_ns) == ("ben", MONDAY)
    world.check()


def test_an_acknowledged_incident_is_quiet_while_orders_join(database):
    world = World(database)
    world.find(*stuck(1))
    world.look()
    world.act(lambda one: acknowledged(one, "ann", world.now_ns, world.policies))
    world.find(*stuck(*range(50)))
    world.until(MONDAY + HOUR)
    assert [kind for _, _, kind in world.told()] == ["opened", "acknowledged"]


@pytest.mark.parametrize(
    ("steps", "begin", "told"),
    [
        pytest.param(
            (PolicyStep(0, ("slack",)), PolicyStep(15 * MINUTE, ("duty",), OFFICE)),
            2 * HOUR,  # Monday 03:00 in Berlin
            [(120, "slack"), (7 * 60, "duty")],
            id="the last step waits for the morning",
        ),
        pytest.param(
            (PolicyStep(0, ("slack",)), PolicyStep(15 * MINUTE, ("duty",), OFFICE)),
            4 * DAY + 18 * HOUR,  # Friday evening
            [(6840, "slack"), (7 * 1440 + 7 * 60, "duty")],
            id="and over the weekend",
        ),
        pytest.param(
            (PolicyStep(0, ("team",), OFFICE), PolicyStep(0, ("night",))),
            2 * HOUR,
            [(120, "night")],
            id="a step before the last is skipped at night",
        ),
        pytest.param(
            (PolicyStep(0, ("team",), OFFICE), PolicyStep(15 * MINUTE, ("night",))),
            10 * HOUR,
            [(600, "team"), (615, "night")],
            id="and taken by day",
        ),
        pytest.param(
            (PolicyStep(0, ("team",), OFFICE),), 2 * HOUR, [(7 * 60, "team")], id="a single step waits, nothing is lost"
        ),
    ],
)
def test_steps_keep_their_hours(database, steps, begin, told):
    world = World(database, policies=policies(Policy("p", steps)))
    world.find(*stuck(1))
    world.look(MONDAY + begin)
    world.until(MONDAY + max(at for at, _ in told) * MINUTE + 2 * HOUR, 15 * MINUTE)
    assert [(at, channel) for at, channel, _ in world.told()] == told
    assert world.told()[0][2] == "opened"


@pytest.mark.parametrize(
    ("friday", "monday"),
    [
        pytest.param("2026-03-27T20:00+01:00", "2026-03-30T06:00+00:00", id="to summer time"),
        pytest.param("2026-10-23T20:00+02:00", "2026-10-26T07:00+00:00", id="from summer time"),
    ],
)
def test_hours_are_those_of_the_wall_clock_over_a_weekend_that_changes_it(database, friday, monday):
    world = World(database, policies=policies(Policy("p", (PolicyStep(0, ("team",), OFFICE),))))
    evening, morning = (int(datetime.fromisoformat(at).timestamp()) * SECOND for at in (friday, monday))
    world.find(*stuck(1))
    world.look(evening)
    world.until(morning - MINUTE, 30 * MINUTE)
    assert world.told() == []
    world.look(morning)
    assert [channel for _, channel, _ in world.told()] == ["team"]


def test_a_worse_rule_makes_its_incident_worse_and_a_milder_one_does_not(database):
    world = World(database)
    world.find(*stuck(1))
    world.look()
    world.rules["stuck"] = replace(STUCK, severity=Severity.CRITICAL)
    world.look(MONDAY + MINUTE)
    world.rules["stuck"] = replace(STUCK, severity=Severity.INFO)
    world.look(MONDAY + 2 * MINUTE)
    assert only(world).severity is Severity.CRITICAL
    assert world.told() == [(0, "slack", "opened"), (1, "slack", "updated")]
    assert world.outbox()[1].text == "Now critical, was error."


def test_an_incident_resolved_by_a_person_stays_so_until_another_order_joins_those_that_still_fire(database):
    world = World(database, policies=policies(Policy("p", STEPS[:1], stale_after_ns=4 * HOUR)))
    world.find(*stuck(1, 2))
    world.look()
    world.act(lambda one: resolved_by(one, "ann", "restarted", world.now_ns))
    world.until(MONDAY + HOUR)
    assert world.incidents.unresolved() == []
    world.find(*stuck(1, 2, 3))
    world.until(MONDAY + HOUR + MINUTE)
    assert (only(world).firing, only(world).alerts) == (3, 3)
    assert world.told() == [(0, "slack", "opened"), (0, "slack", "resolved"), (61, "slack", "opened")]
    assert world.incidents.transitions(1)[-1].text == "restarted; 2 alerts still fire"
    world.check()


def test_what_still_fires_long_after_a_person_resolved_it_is_told_as_a_new_incident(database):
    world = World(database, policies=policies(Policy("p", STEPS[:1], stale_after_ns=4 * HOUR)))
    world.find(*stuck(1))
    world.look()
    world.act(lambda one: resolved_by(one, "ann", "", world.now_ns))
    world.until(MONDAY + 5 * HOUR, 5 * MINUTE)
    assert world.told()[2:] == [(240, "slack", "opened")]
    assert world.outbox()[2].text == "ann resolved incident 1, 4 h ago. Nobody else will be told."
    world.check()


def test_what_ends_after_a_person_resolved_it_is_over(database):
    world = World(database)
    world.find(*stuck(1))
    world.look()
    world.act(lambda one: resolved_by(one, "ann", "", world.now_ns))
    world.find()
    world.until(MONDAY + 10 * MINUTE)
    assert (world.incidents.active_alerts(), world.incidents.unresolved(), len(world.told())) == ([], [], 2)


def test_a_reaction_that_failed_asks_for_the_next_person(database):
    world = World(database, policies=policies(Policy("p", STEPS)))
    world.find(*stuck(1))
    world.look()
    world.act(lambda one: reacted(one, "restarted crm-api", world.now_ns, world.policies, tell=True))
    world.act(lambda one: reacted(one, "the restart failed", world.now_ns, world.policies, urge=True))
    assert world.told() == [(0, "slack", "opened"), (0, "slack", "updated"), (0, "duty", "escalated")]
    world.act(lambda one: acknowledged(one, "ann", world.now_ns, world.policies))
    one = world.act(lambda one: reacted(one, "it was useless", world.now_ns, world.policies, urge=True))
    assert one.state is IncidentState.OPEN
    assert world.told()[-1] == (0, "slack", "escalated")
