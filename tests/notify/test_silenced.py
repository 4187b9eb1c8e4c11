"""Stories on a clock: what silences keep quiet, and when it is told after all."""

from clew.model.incident import Policy
from tests.notify.world import DAY, HOUR, MINUTE, MONDAY, OFFICE, STEPS, World, policies, stuck


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
