"""Stories on a clock: what is found when, what it belongs to, and who is told when."""

from dataclasses import replace

from clew.model.incident import IncidentState, Policy, PolicyStep
from clew.notify.escalation import Policies
from clew.notify.incidents import acknowledged
from tests.notify.world import DAY, HOUR, MINUTE, MONDAY, SECOND, STEPS, STUCK, World, finding, only, policies, stuck


def test_three_hundred_orders_behind_one_worker_are_one_incident(database):
    world = World(database)
    world.find(*stuck(*range(300), value=10_800.0, bound=1_800.0, verdict="stuck", service="crm-api"))
    world.look()
    one = only(world)
    assert (
        one.reason
        == "300 orders stuck in SUBMITTED waiting for crm-api, the first since 2026-01-05 00:00:00 UTC, limit 30 min"
    )
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
    assert (one.alerts, one.firing, one.resolved_by) == (1, 0, "clew")
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
