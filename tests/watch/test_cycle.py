"""Rules look at a real store, and what they find stands in a real control database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from clew.api import ApiDeps
from clew.control.contract import IncidentQuery
from clew.model.alert import Finding
from clew.model.errors import ControlError, StoreError
from clew.model.incident import IncidentState, TransitionKind
from clew.model.journey import VerdictKind
from clew.model.rule import Judged, Rule, Silence, SourceKind
from clew.store.embedded import open_store
from clew.watch.cycle import Watch
from clew.watch.order_looks import OrderLooks
from tests.story import MINUTE, tell
from tests.watching import POLICIES, watch_over

OPEN, ACKNOWLEDGED, RESOLVED = IncidentState


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiDeps]:
    """The day of tests.story."""
    store = open_store(tmp_path_factory.mktemp("watch"))
    yield tell(store)
    store.close()


def test_the_shipped_rules_find_what_is_wrong_and_nothing_else(told, tmp_path):
    watch, desk, _ = watch_over(told, tmp_path)
    watch.step()
    found = {each.rule: each for each in desk.incidents.unresolved()}
    assert set(found) == {"stuck", "lost", "failed"}
    assert found["stuck"].labels == {"flow": "jeweller", "stage": "SUBMITTED", "service": "crm-api"}
    assert "4711" in found["stuck"].reason
    assert {each.finding.order_id for each in desk.incidents.alerts_of(found["lost"].id)} == {"4712"}


def test_looking_again_opens_nothing_anew_and_tells_nobody_twice(told, tmp_path):
    now = told.now_ns()
    watch, desk, _ = watch_over(replace(told, now_ns=lambda: now), tmp_path)
    watch.step()
    before = [(each.id, each.version) for each in desk.incidents.unresolved()]
    told_before = desk.outbox.counts()
    for minutes in (0, 1, 2):
        # The same moment, and a little later: another watch over the same database, as after a restart.
        again, _, _ = watch_over(replace(told, now_ns=lambda at=now + minutes * 10**9: at), tmp_path)
        again.step()
    assert [each.id for each in desk.incidents.unresolved()] == [number for number, _ in before]
    assert desk.outbox.counts() == told_before
    assert told_before["waiting"] == 3


def test_time_alone_escalates_until_somebody_takes_it(told, tmp_path):
    now = told.now_ns()
    clock = [now]
    watch, desk, _ = watch_over(replace(told, now_ns=lambda: clock[0]), tmp_path)
    watch.step()
    taken = next(each for each in desk.incidents.unresolved() if each.rule == "lost")
    desk.acknowledge(taken.id, "anna")
    clock[0] = now + 15 * MINUTE
    while watch.step() == 0:  # the acknowledgement came from elsewhere, so what stands is read anew first
        pass
    channels = {each.rule: {one.channel for one in desk.outbox.told(each.id)} for each in desk.incidents.unresolved()}
    assert channels == {"stuck": {"slack", "duty"}, "failed": {"slack", "duty"}, "lost": {"slack"}}


def test_what_a_person_resolves_stays_resolved_while_the_same_orders_are_stuck(told, tmp_path):
    watch, desk, _ = watch_over(told, tmp_path)
    watch.step()
    stuck = next(each for each in desk.incidents.unresolved() if each.rule == "stuck")
    desk.resolve(stuck.id, "bob", "known")
    for _ in range(3):
        watch.step()
    assert [each.state for each in desk.incidents.find(IncidentQuery(rule="stuck"))] == [RESOLVED]
    record = [each.kind for each in desk.incidents.transitions(stuck.id)]
    assert record == [TransitionKind.OPENED, TransitionKind.RESOLVED]


def test_a_rule_that_cannot_look_blinds_no_other_and_ends_no_alert(told, tmp_path):
    rules = tuple(Rule(name, Judged((VerdictKind.STUCK,))) for name in ("one", "two"))
    broken = set[str]()

    def look_for(rule: Rule, now_ns: int) -> list[Finding]:
        if rule.name in broken:
            raise StoreError("too slow")
        return [Finding(rule.name, "order:1", "order 1 is stuck", now_ns, order_id="1")]

    _, desk, _ = watch_over(told, tmp_path)
    clock = [told.now_ns()]
    watch = Watch(rules, POLICIES, desk.incidents, look_for, lambda: clock[0])
    watch.step()
    broken.add("one")
    for _ in range(20):
        clock[0] += 10**9
        watch.step()
    assert watch.problem() == "rule one: too slow"
    assert {each.rule: each.firing for each in desk.incidents.unresolved()} == {"one": 1, "two": 1}
    assert watch.looked_ns["two"] > watch.looked_ns["one"]
    broken.clear()
    clock[0] += 10**10
    watch.step()
    assert watch.problem() is None


@pytest.mark.parametrize(
    ("fails_at", "blind_from_s", "sees_at_s"),
    [
        ([60], None, 65),  # counts over weeks are looked at once a minute, and a failed look again within seconds
        ([60, 65], 65, 70),
        ([60, 65, 70], 65, 75),
    ],
)
def test_a_rule_is_blind_when_it_fails_again_and_not_by_one_look_that_failed(
    told, tmp_path, fails_at, blind_from_s, sees_at_s
):
    begin, (_, desk, _) = told.now_ns(), watch_over(told, tmp_path)
    clock, problems, looked = [begin], {}, []
    rule = Rule("silent", Silence(SourceKind.SERVICE))

    def look_for(rule: Rule, now_ns: int) -> list[Finding]:
        looked.append((now_ns - begin) // 10**9)
        if looked[-1] in fails_at:
            raise StoreError("too slow")
        return []

    watch = Watch([rule], POLICIES, desk.incidents, look_for, lambda: clock[0])
    for second in range(80):
        clock[0] = begin + second * 10**9
        watch.step()
        problems[second] = watch.problem()
        assert bool(watch.failing) == (60 <= second < sees_at_s)
    blind = [second for second, problem in problems.items() if problem]
    assert blind == ([] if blind_from_s is None else list(range(blind_from_s, sees_at_s)))
    assert looked[: 2 + len(fails_at)] == [0, *fails_at, sees_at_s]


def test_a_rule_that_does_not_come_to_its_next_look_is_blind_after_half_a_minute(told, tmp_path):
    _, desk, _ = watch_over(told, tmp_path)
    clock = [told.now_ns()]
    watch = Watch(
        [Rule("one", Judged((VerdictKind.STUCK,)))], POLICIES, desk.incidents, lambda *_: {}["x"], lambda: clock[0]
    )
    watch.step()
    assert watch.problem() is None
    clock[0] += 30 * 10**9
    assert watch.problem() == "rule one: KeyError('x')"


def test_a_look_counts_when_what_it_found_was_decided(told, tmp_path, monkeypatch):
    _, desk, _ = watch_over(told, tmp_path)
    watch = Watch([Rule("one", Judged((VerdictKind.STUCK,)))], POLICIES, desk.incidents, lambda *_: [], told.now_ns)
    monkeypatch.setattr("clew.watch.cycle.look", lambda *_: {}["x"])
    watch.step()
    assert (watch.looked_ns, list(watch.failing)) == ({}, ["one"])


def test_a_clock_that_was_set_back_blinds_no_rule(told, tmp_path):
    looks = []
    _, desk, _ = watch_over(told, tmp_path)
    clock = [told.now_ns()]
    rule = Rule("one", Judged((VerdictKind.STUCK,)))
    watch = Watch([rule], POLICIES, desk.incidents, lambda *_: looks.append(clock[0]) or [], lambda: clock[0])
    watch.step()
    clock[0] -= 60 * MINUTE
    watch.step()
    assert looks == [clock[0] + 60 * MINUTE, clock[0]]


def test_what_was_found_while_the_control_database_was_away_is_found_again(told, tmp_path):
    """Also an order that ended: what is found of it stays found for some minutes."""
    _, desk, _ = watch_over(told, tmp_path)
    away = [True]

    class Away:
        def __getattr__(self, name):
            if away[0] and name in ("apply", "write_alerts"):
                raise ControlError("away")
            return getattr(desk.incidents, name)

    rule = Rule("ended", Judged((VerdictKind.CLOSED,)))
    end_ns = 200 * MINUTE
    clock = [told.now_ns() - end_ns + MINUTE]
    looks = OrderLooks(told.store, lambda: [each.flow for each in told.book.current])
    watch = Watch([rule], POLICIES, Away(), looks.look, lambda: clock[0])
    with pytest.raises(ControlError):
        watch.step()
    away[0] = False
    clock[0] += 10**10
    watch.step()
    assert [each.rule for each in desk.incidents.unresolved()] == ["ended"]


def test_incidents_of_a_rule_that_is_declared_no_more_are_resolved(told, tmp_path):
    watch, desk, _ = watch_over(told, tmp_path)
    watch.step()
    kept = tuple(rule for rule in watch.rules if rule.name != "stuck")
    fewer, _, _ = watch_over(told, tmp_path, kept)
    fewer.step()
    assert {each.rule for each in desk.incidents.unresolved()} == {"lost", "failed"}
    (over,) = desk.incidents.find(IncidentQuery(rule="stuck"))
    assert over.state is RESOLVED
    assert "declared no more" in desk.incidents.transitions(over.id)[-1].text
