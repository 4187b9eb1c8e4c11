"""No alert lost, none doubled: under any findings, repeated and shuffled looks, kills at any step, and races."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clew.control.incidents import SqlIncidents
from clew.model.alert import AlertPhase
from clew.model.errors import ControlError
from clew.model.incident import IncidentState, Policy, PolicyStep
from clew.model.rule import Explanation, QueueWaits
from clew.notify.incidents import acknowledged, noted, resolved_by
from tests.notify.faulty import KINDS, Faulty
from tests.notify.world import MINUTE, MONDAY, STUCK, World, finding, policies, wipe

OF_STAGE = {"1": "SUBMITTED", "2": "SUBMITTED", "3": "PRICED", "4": "PRICED"}
OF_QUEUE = {"1": "crm", "2": "crm", "3": "mes", "4": "crm"}
QUEUE = replace(STUCK, name="queue", shape=QueueWaits(MINUTE), title="queue {queue} is dead", group_by=("queue",))
RULES = (
    replace(STUCK, explained_by=(Explanation("queue", ("queue",)),)),
    QUEUE,
    replace(STUCK, name="patient", for_ns=3 * MINUTE, hits=2, looks=3, keep_firing_ns=2 * MINUTE, group_by=()),
)
TOLD = policies(Policy("p", (PolicyStep(0, ("slack",)), PolicyStep(5 * MINUTE, ("duty",))), 1, 30 * MINUTE))
ACTS = {
    "acknowledge": lambda one, world: acknowledged(one, "ann", world.now_ns, world.policies),
    "note": lambda one, world: noted(one, "ann", "hm", world.now_ns, world.policies),
    "resolve": lambda one, world: resolved_by(one, "ann", "", world.now_ns),
}


@st.composite
def steps(draw, acts):
    return (
        draw(st.integers(-1, 12)),
        draw(st.sets(st.sampled_from(sorted(OF_STAGE)))),
        draw(st.sets(st.sampled_from(["crm", "mes"]), max_size=1)),
        draw(st.lists(st.sampled_from(KINDS), max_size=4)),
        draw(st.sampled_from(acts)),
        draw(st.integers(0, 1)),
    )


def found(orders, queues):
    of_orders = [
        finding(f"order:{each}", rule, stage=OF_STAGE[each], queue=OF_QUEUE[each])
        for rule in ("stuck", "patient")
        for each in orders
    ]
    return [*of_orders, *(finding(f"queue:{each}", "queue", queue=each) for each in queues)]


def take(step, worlds):
    after, orders, queues, faults, act, who = step
    world = worlds[who % len(worlds)]
    for each in worlds:
        each.now_ns += after * MINUTE
    world.find(*found(orders, queues))
    world.incidents.faults = list(faults)
    world.incidents.person = lambda one: ACTS.get(act, ACTS["note"])(one, world)
    try:
        world.look()
    except ControlError:
        assert faults
    world.incidents.faults = []
    if act == "silence":
        world.incidents.add_silence({"stage": "PRICED"}, world.now_ns, world.now_ns + 10 * MINUTE, "ann", "")
    for one in world.incidents.unresolved()[:1] if act in ACTS else ():
        change = ACTS[act](one, world)
        if change is not None:
            world.incidents.apply(change)


def run(database, taken, loops=1):
    """All steps, then looks without faults: what is found then must fire, and when it ends nothing may be left."""
    wipe(database)
    worlds = [World(database, *RULES, policies=TOLD, incidents=Faulty(SqlIncidents(database))) for _ in range(loops)]
    for step in taken:
        take(step, worlds)
    last = worlds[0]
    last.standing = None
    last.now_ns += 60 * MINUTE
    last.look()
    last.check()
    firing = {each.alert.subject for each in last.incidents.active_alerts() if each.alert.rule == "stuck"}
    assert firing == {each.subject for each in last.found.get("stuck", ())}
    last.find()
    last.until(last.now_ns + 20 * MINUTE)
    last.check()
    assert (last.incidents.active_alerts(), last.incidents.unresolved()) == ([], [])
    return last


def check_stories(world):
    openings = Counter(row.incident_id for row in world.outbox() if row.kind == "opened" and row.channel == "slack")
    for one in world.all():
        record = world.record(one.id)
        assert (record[0], record.count("opened")) == ("opened", 1)
        assert record.count("resolved") == 1
        assert one.state is IncidentState.RESOLVED
        kept_quiet = {"explained", "silenced"} & set(record)
        assert openings[one.id] == 1 or (kept_quiet and openings[one.id] == 0)
        assert record.count("acknowledged") >= record.count("acknowledgement_stale")
        # Nothing happened that the record doesn't tell.
        assert not one.acknowledged_by or "acknowledged" in record
        assert one.explained_by is None or "explained" in record
        alerts = world.incidents.alerts_of(one.id)
        assert {alert.phase for alert in alerts} <= {AlertPhase.ENDED}


anything = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@anything
@given(taken=st.lists(steps([""]), max_size=8))
def test_each_alert_belongs_to_one_incident_that_was_told_once_wherever_it_was_killed(database, taken):
    world = run(database, taken)
    check_stories(world)
    for one in world.all():
        assert len(world.incidents.alerts_of(one.id)) == one.alerts


@anything
@given(taken=st.lists(steps(["", "acknowledge", "note", "resolve", "silence"]), max_size=8))
def test_people_who_act_at_the_same_time_change_nothing_of_that(database, taken):
    check_stories(run(database, taken))


@anything
@given(taken=st.lists(steps(["", "acknowledge", "resolve"]), max_size=8))
def test_two_processes_that_watch_at_once_by_mistake_lose_nothing_either(database, taken):
    check_stories(run(database, taken, loops=2))


@pytest.mark.parametrize("fault", ["refused", "killed before", "killed after"])
@pytest.mark.parametrize("number", range(3))
def test_an_opening_is_told_once_whichever_write_fails(database, fault, number):
    world = World(database, policies=TOLD, incidents=Faulty(SqlIncidents(database), [""] * number + [fault]))
    world.find(finding("order:1", stage="SUBMITTED"), finding("order:3", stage="PRICED"))
    for second in range(4):
        try:
            world.look(MONDAY + second * 10**9)
        except ControlError:
            assert fault.startswith("killed")
    assert sorted(row.kind for row in world.outbox()) == ["opened", "opened"]
    world.check()
