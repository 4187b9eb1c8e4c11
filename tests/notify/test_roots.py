"""Stories on a clock: what one incident explains of others, of which nobody is told meanwhile."""

from dataclasses import replace

import pytest

from clew.model.incident import Policy
from clew.model.rule import Explanation, QueueWaits, Rule, Silence
from tests.notify.world import MINUTE, MONDAY, STEPS, STUCK, World, finding, policies, stuck

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
