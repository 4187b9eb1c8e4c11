"""Stories on a clock: what is found when, and who is told when."""

from dataclasses import replace
from datetime import datetime

import pytest

from clew.model.incident import IncidentState, Policy, PolicyStep
from clew.model.rule import Explanation, QueueWaits, Rule, Severity, Silence
from clew.model.week import WeekHours
from clew.notify.escalation import Policies
from clew.notify.incidents import acknowledged, noted, reacted, resolved_by
from tests.notify.world import DAY, HOUR, MINUTE, MONDAY, SECOND, STUCK, World, finding, policies, stuck

OFFICE = WeekHours("office", "Europe/Berlin", tuple((day * 1440 + 480, day * 1440 + 1080) for day in range(5)))


def only(world):
    [one] = world.incidents.unresolved()
    return one


def test_three_hundred_orders_behind_one_worker_are_one_incident(database):
    world = World(database)
    world.find(*stuck(*range(300), value=10_800.0, bound=1_800.0, verdict="stuck", service="crm-api"))
    world.look()
    one = only(world)
    assert one.reason == "300 orders stuck in SUBMITTED waiting for crm-api, oldest for 3 h, limit 30 min"
    assert (one.title, one.alerts, one.firing) == ("orders stuck in SUBMITTED", 300, 300)
    assert world.told() == [(0, "slack", "opened")]
    world.check()


def test_orders_of_two_stages_are_two_incidents(database):
    world = World(database)
    world.find(*stuck(1, 2), *stuck(3, stage="PRICED"))
    world.look()
    assert sorted(each.title for each in world.incidents.unresolved()) == [
        "orders stuck in PRICED",
        "orders stuck in SUBMITTED",
    ]
    assert [kind for _, _, kind in world.told()] == ["opened", "opened"]


def test_what_flaps_is_told_once_and_resolved_once(database):
    world = World(database)
    for turn in range(10):
        world.find(*(stuck(1) if turn % 2 == 0 else ()))
        world.look(MONDAY + turn * MINUTE)
    world.find()
    world.until(MONDAY + 20 * MINUTE)
    assert world.told() == [(0, "slack", "opened"), (11, "slack", "resolved")]
    [one] = world.all()
    assert (one.alerts, one.firing, one.resolved_by) == (5, 0, "clew")
    world.check()


def test_what_comes_again_after_it_was_resolved_is_a_new_incident(database):
    world = World(database)
    world.find(*stuck(1))
    world.look()
    world.find()
    world.until(MONDAY + 5 * MINUTE)
    world.find(*stuck(1))
    world.look(MONDAY + 6 * MINUTE)
    first, second = world.all()
    assert (first.state, second.state, first.key == second.key) == (IncidentState.RESOLVED, IncidentState.OPEN, True)
    assert world.told() == [(0, "slack", "opened"), (3, "slack", "resolved"), (6, "slack", "opened")]
    world.check()


def test_who_joins_later_is_told_seldom_however_many_they_are(database):
    world = World(database)
    for turn in range(120):
        world.find(*stuck(*range(1 + turn)))
        world.look(MONDAY + turn * MINUTE)
    told = world.told()
    assert told[0] == (0, "slack", "opened")
    assert {kind for _, _, kind in told[1:]} == {"updated"}
    assert 3 <= len(told) - 1 <= 8
    assert world.outbox()[1].text == "6 alerts fire now, there were 1."
    assert only(world).alerts == 120
    world.check()


def healed(world, *orders, after=MINUTE):
    """Those were stuck and told, and an hour later all go on."""
    world.find(*stuck(*orders))
    world.until(MONDAY + HOUR)
    world.find()
    world.look(MONDAY + HOUR + after)
    assert only(world).firing == 0


def test_what_fires_again_before_it_was_resolved_is_told_in_the_same_incident(database):
    world = World(database)
    healed(world, 1, 2, 3)
    world.find(*stuck(4, since_ns=world.now_ns))
    world.until(MONDAY + 3 * HOUR)
    [one] = world.all()
    assert (one.alerts, one.firing, one.told_alerts) == (4, 1, 1)
    assert world.told() == [(1, "slack", "opened"), (62, "slack", "updated")]
    assert world.outbox()[1].text == "It had ended and fires again: 1 alert fires now."
    world.check()


def test_what_comes_and_goes_is_told_less_and_less_often(database):
    world = World(database)
    for turn in range(180):
        world.find(*(stuck(1, since_ns=MONDAY + turn * MINUTE) if turn % 2 == 0 else ()))
        world.look(MONDAY + turn * MINUTE)
    assert [at for at, _, _ in world.told()] == [0, 6, 12, 24, 48, 78, 108, 138, 168]


def test_an_order_that_was_stuck_all_the_time_but_flaps_is_told_seldom(database):
    world = World(database)
    for turn in range(100):
        world.find(*(stuck(1) if turn % 2 == 0 else ()))
        world.look(MONDAY + turn * MINUTE)
    assert [at for at, _, _ in world.told()] == [0, 30, 60, 90]


def test_who_took_it_hears_that_it_fires_again_as_it_seemed_over(database):
    world = World(database, policies=policies(Policy("p", STEPS)))
    world.find(*stuck(1))
    world.look()
    world.act(lambda one: acknowledged(one, "ann", world.now_ns, world.policies))
    world.find()
    world.look(MONDAY + 10 * MINUTE)
    world.find(*stuck(2, since_ns=world.now_ns))
    world.until(MONDAY + HOUR)
    assert world.told() == [(0, "slack", "opened"), (0, "slack", "acknowledged"), (11, "slack", "updated")]


def test_everybody_who_was_told_hears_that_it_fires_again_also_when_the_next_one_is_called_then(database):
    world = World(database, policies=policies(Policy("p", STEPS)))
    world.find(*stuck(1))
    world.look()
    world.find()
    world.look(MONDAY + 14 * MINUTE)
    world.find(*stuck(2, since_ns=world.now_ns))
    world.look(MONDAY + 15 * MINUTE)
    assert world.told()[1:] == [(15, "duty", "escalated"), (15, "slack", "updated")]


def test_what_shrank_and_grows_again_is_told_as_growth(database):
    world = World(database)
    world.find(*stuck(*range(300)))
    world.look()
    world.find(*stuck(0, 1))
    world.look(MONDAY + MINUTE)
    world.find(*stuck(0, 1, 2))
    world.look(MONDAY + 10 * MINUTE)
    assert len(world.told()) == 1
    world.find(*stuck(*range(150)))
    world.look(MONDAY + 11 * MINUTE)
    assert world.outbox()[1].text == "150 alerts fire now, there were 2."
    assert world.record(only(world).id) == ["opened", "left", "joined", "joined"]


def test_an_order_that_moves_on_and_is_stuck_again_leaves_one_incident_and_joins_another(database):
    world = World(database)
    world.find(*stuck(1, 2))
    world.look()
    world.find(*stuck(1), *stuck(2, stage="PRICED"))
    world.look(MONDAY + MINUTE)
    first, second = world.incidents.unresolved()
    assert (first.firing, second.firing, second.labels) == (1, 1, {"stage": "PRICED"})
    assert world.record(first.id) == ["opened", "left"]
    world.check()


def test_an_order_that_moves_into_an_incident_that_is_open_belongs_to_that_alone(database):
    world = World(database)
    world.find(*stuck(1, 2), *stuck(3, stage="PRICED"))
    world.look()
    world.find(*stuck(1), *stuck(2, 3, stage="PRICED"))
    world.look(MONDAY + MINUTE)
    counts = {one.labels["stage"]: (one.firing, one.alerts) for one in world.incidents.unresolved()}
    assert counts == {"SUBMITTED": (1, 2), "PRICED": (2, 2)}
    world.check()


# -- acknowledging, escalating ---------------------------------------------------------------------------------------

STEPS = (PolicyStep(0, ("slack",)), PolicyStep(15 * MINUTE, ("duty",)), PolicyStep(30 * MINUTE, ("boss",)))


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


# -- roots -----------------------------------------------------------------------------------------------------------

QUEUE = replace(STUCK, name="queue", shape=QueueWaits(MINUTE), title="queue {queue} is dead", group_by=("queue",))
BEHIND = replace(STUCK, explained_by=(Explanation("queue", ("queue",)),))


def dead(queue="crm"):
    return finding(f"queue:{queue}", "queue", queue=queue)


def test_a_dead_queue_explains_the_orders_behind_it_also_when_both_are_found_at_once(database):
    world = World(database, BEHIND, QUEUE)
    world.find(*stuck(*range(300), queue="crm"), dead())
    world.look()
    root, symptom = world.incidents.unresolved()
    assert (root.rule, symptom.explained_by) == ("queue", root.id)
    assert [row.incident_id for row in world.outbox()] == [root.id]
    assert world.record(symptom.id) == ["opened", "explained"]
    world.check()


def test_a_root_that_opens_later_takes_over_and_gives_its_symptoms_back_after_a_grace(database):
    world = World(database, BEHIND, QUEUE, policies=policies(Policy("p", STEPS)))
    world.find(*stuck(1, queue="crm"))
    world.look()
    world.find(*stuck(1, queue="crm"), dead())
    world.until(MONDAY + 60 * MINUTE)
    symptom, root = world.incidents.unresolved()
    assert [(row.incident_id, row.kind) for row in world.outbox()] == [
        (symptom.id, "opened"),
        (root.id, "opened"),
        (symptom.id, "updated"),
        (root.id, "escalated"),
        (root.id, "escalated"),
    ]
    assert world.outbox()[2].text == f"Explained by incident {root.id}: queue crm is dead."
    world.find(*stuck(1, queue="crm"))  # the root ends: quiet at 61, resolved at 63, grace until 68
    world.until(MONDAY + 67 * MINUTE)
    assert [row.kind for row in world.outbox()[5:]] == ["resolved"] * 3
    world.until(MONDAY + 70 * MINUTE)
    assert world.told()[8:] == [(68, "slack", "escalated")]
    assert world.record(symptom.id) == ["opened", "explained", "unexplained", "escalated"]
    world.check()


def test_what_was_explained_from_the_begin_is_opened_for_people_when_its_root_is_gone(database):
    world = World(database, BEHIND, QUEUE)
    world.find(*stuck(1, queue="crm"), dead())
    world.look()
    world.find(*stuck(1, queue="crm"))
    world.until(MONDAY + 20 * MINUTE)
    assert world.told() == [(0, "slack", "opened"), (3, "slack", "resolved"), (8, "slack", "opened")]


def test_what_ends_with_its_root_is_never_told(database):
    world = World(database, BEHIND, QUEUE)
    world.find(*stuck(1, queue="crm"), dead())
    world.look()
    world.find()
    world.until(MONDAY + 20 * MINUTE)
    assert [row.incident_id for row in world.outbox()] == [1, 1]
    assert world.incidents.unresolved() == []


@pytest.mark.parametrize(
    ("orders", "root"),
    [
        pytest.param(stuck(1, queue="mes"), dead("crm"), id="another queue"),
        pytest.param(stuck(1), dead("crm"), id="a queue that isn't known"),
        pytest.param([*stuck(1, queue="crm"), *stuck(2, queue="mes")], dead("crm"), id="only some of the orders"),
    ],
)
def test_a_root_explains_only_what_has_its_labels(database, orders, root):
    world = World(database, BEHIND, QUEUE)
    world.find(*orders, root)
    world.look()
    assert len(world.told()) == 2


@pytest.mark.parametrize(
    ("silence", "explained"),
    [
        pytest.param(finding("service:*", "silent"), True, id="of everybody"),
        pytest.param(finding("service:crm", "silent", service="crm"), True, id="of the service"),
        pytest.param(finding("service:mes", "silent", service="mes"), False, id="of another one"),
    ],
)
def test_the_silence_of_everybody_explains_what_waits_for_any_service(database, silence, explained):
    by_service = (Explanation("silent", ("service",)),)
    silent = Rule("silent", Silence(), group_by=("service",))
    orders = replace(STUCK, explained_by=by_service)
    world = World(database, orders, replace(QUEUE, explained_by=by_service), silent)
    waiting = [*stuck(1, service="crm"), finding("queue:crm", "queue", queue="crm", service="crm")]
    world.find(*waiting, silence)
    world.look()
    assert len(world.told()) == (1 if explained else 3)
    # It goes on for the two minutes in which nobody is silent any more and the incident isn't resolved yet.
    world.find(*waiting)
    world.until(MONDAY + 2 * MINUTE)
    assert len(world.told()) == (1 if explained else 3)
    world.check()


def test_of_two_that_explain_each_other_one_is_told(database):
    other = replace(QUEUE, explained_by=(Explanation("stuck", ("queue",)),))
    world = World(database, BEHIND, other)
    world.find(*stuck(1, queue="crm"), dead())
    for minute in range(5):
        world.look(MONDAY + minute * MINUTE)
    assert [kind for _, _, kind in world.told()] == ["opened"]
    assert sorted(each.explained_by is None for each in world.incidents.unresolved()) == [False, True]


def test_a_root_that_is_only_tried_explains_nothing(database):
    world = World(database, BEHIND, replace(QUEUE, notifies=False))
    world.find(*stuck(1, queue="crm"), dead())
    world.look()
    assert [row.incident_id for row in world.outbox()] == [
        next(i.id for i in world.incidents.unresolved() if i.rule == "stuck")
    ]


# -- silences --------------------------------------------------------------------------------------------------------


def test_a_silence_by_schedule_keeps_quiet_until_it_ends(database):
    world = World(database, policies=policies(Policy("p", STEPS)))
    world.incidents.add_silence({"rule": "stuck", "stage": "SUBMITTED"}, MONDAY, MONDAY + HOUR, "ann", "we move")
    world.find(*stuck(1), *stuck(2, stage="PRICED"))
    world.until(MONDAY + 90 * MINUTE)
    silenced = next(each for each in world.incidents.unresolved() if each.labels == {"stage": "SUBMITTED"})
    assert world.record(silenced.id) == ["opened", "silenced", "unsilenced", "escalated", "escalated"]
    told = [
        (at, channel)
        for (at, channel, _), row in zip(world.told(), world.outbox(), strict=True)
        if row.incident_id == silenced.id
    ]
    assert told == [(60, "slack"), (75, "duty")]
    world.check()


def test_a_silence_that_comes_later_stops_escalation_and_resolution_is_told_nevertheless(database):
    world = World(database, policies=policies(Policy("p", STEPS)))
    world.find(*stuck(1))
    world.look()
    world.incidents.add_silence({"rule": "stuck"}, MONDAY, MONDAY + DAY, "ann", "known")
    world.until(MONDAY + HOUR)
    world.find()
    world.until(MONDAY + 2 * HOUR)
    assert world.told() == [(0, "slack", "opened"), (63, "slack", "resolved")]


def test_silences_that_match_every_alert_cover_the_incident_and_one_that_misses_some_does_not(database):
    world = World(database)
    world.incidents.add_silence({"path": "b2b"}, MONDAY, MONDAY + DAY, "ann", "b2b moves")
    world.find(*stuck(1, path="b2b"))
    world.look()
    assert world.told() == []
    world.find(*stuck(1, path="b2b"), *stuck(2, path="b2c"))
    world.look(MONDAY + MINUTE)
    assert world.told() == [(1, "slack", "opened")]


def test_a_silence_holds_in_its_hours_only(database):
    world = World(database)
    world.incidents.add_silence({"rule": "stuck"}, MONDAY, MONDAY + 9 * DAY, "ann", "tested by day", OFFICE)
    world.find(*stuck(1))
    world.look(MONDAY + 10 * HOUR)
    world.until(MONDAY + 20 * HOUR, 20 * MINUTE)
    assert world.told() == [(17 * 60, "slack", "opened")]


# -- people ----------------------------------------------------------------------------------------------------------


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


# -- rules ------------------------------------------------------------------------------------------------------------


def test_a_rule_that_is_only_tried_has_incidents_of_which_nobody_hears_until_it_notifies(database):
    world = World(database, replace(STUCK, notifies=False))
    world.find(*stuck(1))
    world.until(MONDAY + HOUR)
    assert (world.told(), only(world).firing) == ([], 1)
    world.rules["stuck"] = STUCK
    world.look(MONDAY + 2 * HOUR)
    assert world.told() == [(120, "slack", "opened")]
    world.check()


def test_a_rule_that_is_declared_no_more_leaves_nothing_open(database):
    world = World(database, STUCK, replace(STUCK, name="other", for_ns=HOUR))
    world.find(*stuck(1), finding("order:1", "other"))
    world.look()
    world.rules = {}
    world.look(MONDAY + MINUTE)
    assert (world.incidents.unresolved(), world.incidents.active_alerts()) == ([], [])
    assert world.told() == [(0, "slack", "opened"), (1, "slack", "resolved")]


def test_an_incident_whose_policy_is_declared_no_more_takes_the_one_that_fits_now(database):
    world = World(database, policies=policies(Policy("old", STEPS)))
    world.find(*stuck(1))
    world.look()
    world.policies = policies(Policy("new", (PolicyStep(0, ("slack",)), PolicyStep(0, ("team",))), stale_after_ns=DAY))
    world.look(MONDAY + 15 * MINUTE)
    assert world.told() == [(0, "slack", "opened"), (15, "team", "escalated")]
    done = world.act(lambda one: acknowledged(one, "ann", world.now_ns, world.policies))
    assert (done.policy, done.step_at_ns) == ("new", MONDAY + 15 * MINUTE + DAY)


def test_people_are_told_as_soon_as_somebody_declares_whom(database):
    world = World(database, policies=Policies())
    world.find(*stuck(1))
    world.look()
    assert (world.told(), only(world).policy) == ([], "")
    world.policies = policies(Policy("p", STEPS))
    world.look(MONDAY + MINUTE)
    assert world.told() == [(1, "slack", "opened")]
    world.check()


def test_a_look_that_could_not_be_made_ends_nothing_and_escalation_goes_on(database):
    world = World(database, policies=policies(Policy("p", STEPS)))
    world.find(*stuck(1))
    world.look()
    world.look(MONDAY + 15 * MINUTE, blind=True)
    assert world.told() == [(0, "slack", "opened"), (15, "duty", "escalated")]
    assert only(world).firing == 1


def test_steady_orders_cost_one_write_a_minute(database, monkeypatch):
    world = World(database)
    world.find(*stuck(*range(20)))
    world.look()
    written = []
    write = world.incidents.write_alerts
    monkeypatch.setattr(world.incidents, "write_alerts", lambda alerts: (written.extend(alerts), write(alerts)))
    version = only(world).version
    world.until(MONDAY + 2 * MINUTE, 5 * SECOND)
    assert len(written) == 40
    assert only(world).version - version <= 2
