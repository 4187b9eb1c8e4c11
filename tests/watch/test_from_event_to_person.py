"""From events to people over all that can go wrong between: late, shuffled and repeated events, kills, races, vendors.

The shipped cases on their simulated clock, through the watch, the control database and the delivery as they are.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from clew.cli.rules import shipped_cases
from clew.control import tables
from clew.control.incidents import SqlIncidents
from clew.control.outbox import SqlOutbox
from clew.model.errors import ChannelBusy, ControlError
from clew.model.event import StageEvent
from clew.model.incident import Policy, PolicyStep, Route
from clew.notify.channels.contract import Channel
from clew.notify.escalation import Policies
from clew.notify.incidents import acknowledged, noted
from clew.notify.outbox import Courier
from clew.rehearse import world as rehearsed
from clew.rehearse.cases import load_cases
from clew.watch.cycle import Watch
from tests.notify import world as looks
from tests.notify.faulty import KINDS, Faulty

MINUTE = 60 * 10**9
LATEST = 4 * MINUTE
FILE = next(load_cases(path) for path in shipped_cases() if path.stem == "orders")
CASES = [each for each in FILE.cases if len(each.told) < 20 and each.until_ns - FILE.begin_ns <= 120 * each.every_ns]
TOLD = Policies(
    {"p": Policy("p", (PolicyStep(0, ("slack",)), PolicyStep(10 * MINUTE, ("duty",))), stale_after_ns=20 * MINUTE)},
    (Route("p"),),
)


class Killed(BaseException):
    """The process ends here."""


class Vendor:
    """Takes notices, but for what it is told to do with the first ones; ``got`` is what people saw."""

    def __init__(self, outcomes: list[Any]) -> None:
        self.outcomes = outcomes
        self.got: list[tuple[int, int, str]] = []

    def send(self, notice: Any, now_ns: int) -> dict[str, str]:
        outcome = self.outcomes.pop(0) if self.outcomes else None
        if not isinstance(outcome, ChannelBusy):
            self.got.append((notice.incident.id, notice.number, notice.key))
        if outcome is not None:
            raise outcome
        return {}


class Way:
    """Watch and delivery of one case; each kill begins both anew over what is written."""

    def __init__(self, database: Any, case: Any, told: Any, faults: list[str], outcomes: list[Any]) -> None:
        looks.wipe(database)
        self.case, self.world, self.now_ns = case, rehearsed.World(told, FILE.flow), FILE.begin_ns
        self.incidents = Faulty(SqlIncidents(database), faults, self.person)
        self.outbox, self.courier = SqlOutbox(database), None
        self.channels = {name: Channel(name, "script", name, Vendor(outcomes)) for name in ("slack", "duty")}
        self.after = looks.World(database)
        self.begin()

    def person(self, one: Any) -> Any:
        act = acknowledged(one, "ann", self.now_ns, TOLD) if one.id % 2 else None
        return act or noted(one, "ann", "hm", self.now_ns, TOLD)

    def begin(self) -> None:
        if self.courier is not None:
            self.courier.close()
        rules = [rule for rule in FILE.rules.rules if rule.name in self.case.rules]
        find = lambda rule, _: self.world.findings(rule)  # noqa: E731
        self.watch = Watch(rules, TOLD, self.incidents, find, lambda: self.now_ns)
        self.courier = Courier(self.outbox, self.channels, TOLD.policies, 0, lambda: self.now_ns, lambda: 0.0)

    def play(self) -> None:
        while self.now_ns <= self.case.until_ns:
            self.world.move(self.now_ns)
            self.look()
            self.now_ns += self.case.every_ns
        self.tell_the_rest()

    def look(self) -> None:
        """Until a step went through; then tell once, whatever becomes of it."""
        rested = 0.0
        while not rested:
            try:
                rested = self.watch.step()
            except ControlError:
                self.begin()
        self.courier.step(self.now_ns)
        self.courier.wait(60)
        if any(isinstance(lane.work.exception(), Killed) for lane in self.courier._lanes.values() if lane.work):
            self.begin()

    def tell_the_rest(self) -> None:
        for _ in range(200):
            self.courier.step(self.now_ns)
            self.courier.wait(60)
            self.now_ns += MINUTE
            if not self.outbox.counts()["waiting"]:
                break
        self.courier.close()

    def fired(self) -> Counter[tuple[str, str, bool]]:
        """Rule, subject and whether it ended."""
        alerts = [alert for one in self.after.all() for alert in self.incidents.alerts_of(one.id)]
        return Counter((each.rule, each.subject, each.ended_ns is not None) for each in alerts if each.fired_ns)

    def check(self) -> None:
        """What was decided stands once, and each notice of it came, in its order, by one key however often."""
        self.after.check()
        with self.after.database.reading() as connection:
            rows = connection.execute(select(tables.outbox)).all()
        assert {row.state for row in rows} <= {"sent"}
        for name, channel in self.channels.items():
            wanted = [(row.incident_id, row.number) for row in rows if row.channel == name]
            came = list(dict.fromkeys(channel.sender.got))
            assert sorted(wanted) == sorted((incident, number) for incident, number, _ in came)
            assert len({key for _, _, key in came}) == len(came)
            for incident in {each for each, _ in wanted}:
                numbers = [number for each, number, _ in came if each == incident]
                assert numbers == sorted(numbers)
        openings = Counter(row.incident_id for row in rows if row.kind == "opened")
        assert openings == {one.id: 1 for one in self.after.all() if one.rule != "approved-too-fast"}


FAULTS = st.lists(st.sampled_from(KINDS), max_size=12)
OUTCOMES = st.lists(
    st.sampled_from([None, "busy", "busy for a minute", "a mistake", "killed"]).map(
        {"busy": ChannelBusy("b"), "busy for a minute": ChannelBusy("b", 60), "a mistake": ValueError("v"), "killed": Killed()}.get
    ),
    max_size=8,
)  # fmt: skip
some = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def database(tmp_path):
    opened = looks.quick(tmp_path)
    yield opened
    opened.close()


@some
@example(case=CASES[0], faults=["outrun"] * 16, outcomes=[])
@given(case=st.sampled_from(CASES), faults=FAULTS, outcomes=OUTCOMES)
def test_whatever_is_killed_and_whoever_is_faster_the_same_alerts_come_once(database, case, faults, outcomes):
    way = Way(database, case, case.told, list(faults), list(outcomes))
    way.play()
    way.check()
    assert way.fired() == Counter((each.rule, each.subject, each.until_ns is not None) for each in case.alerts)


@some
@given(st.data(), st.sampled_from(CASES), FAULTS, OUTCOMES)
def test_late_shuffled_and_repeated_events_lose_no_alert_either(database, data, case, faults, outcomes):
    events = data.draw(st.permutations([each for each in case.told if isinstance(each.what, StageEvent)]))
    delays = st.lists(st.integers(0, LATEST), min_size=len(events), max_size=len(events))
    late, again = (
        [replace(each, arrives_ns=each.arrives_ns + by) for each, by in zip(events, data.draw(delays), strict=True)]
        for _ in range(2)
    )
    rest = [each for each in case.told if not isinstance(each.what, StageEvent)]
    way = Way(database, case, [*late, *rest, *again], list(faults), list(outcomes))
    way.play()
    way.check()
    lasting = {(e.rule, e.subject) for e in case.alerts if (e.until_ns or case.until_ns) - e.from_ns > LATEST + MINUTE}
    assert lasting <= {(rule, subject) for rule, subject, _ in way.fired()}
