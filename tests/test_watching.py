"""What watches is declared in files that start as they ship."""

from __future__ import annotations

import re
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from clew.control.contract import Change
from clew.control.database import open_database
from clew.control.incidents import SqlIncidents
from clew.control.outbox import SqlOutbox
from clew.declared import Declared, DeclaredError, changes, declared_by
from clew.flow import default_flow_text
from clew.model.errors import ClewError, ControlError, StoreError
from clew.model.incident import Incident, IncidentState
from clew.model.rule import RuleSet, Severity
from clew.notify.load import Notify
from clew.settings import load_settings
from clew.store.embedded import open_store
from clew.watch.looks import Looks
from clew.watching import Health, Watching, retention_of
from tests.story import tell
from tests.watching import POLICIES

SHIPPED = Path(__file__).parents[1] / "src" / "clew"
DOCS = Path(__file__).parents[1] / "docs"
HEALTHY = Health(lambda: None, lambda: 0, time.time_ns)
VALUES = {"SLACK_WEBHOOK": "https://hooks.slack.com/services/T/B/x", "PAGERDUTY_KEY": "a" * 32}


def variables_of(text):
    """The variables of Clew's environment that a text takes secrets from."""
    return set(re.findall(r"env:([A-Z][A-Z0-9_]+)", text))


def test_the_shipped_examples_start_with_their_variables_set(tmp_path):
    for room in ("rules", "notify", "react"):
        text = (SHIPPED / room / "jeweller.yaml").read_text()
        # Without their comment signs, what is only shown is there as well.
        (tmp_path / f"{room}.yaml").write_text(re.sub(r"(?m)^# (heartbeat: )", r"\1", text))
    env = dict.fromkeys(
        variables_of("".join(each.read_text() for each in tmp_path.glob("*.yaml"))), "https://x.example/y"
    )
    assert "HEARTBEAT_URL" in env
    env |= VALUES
    named = {"CLEW_RULES": "rules", "CLEW_NOTIFY": "notify", "CLEW_REACTIONS": "react"}
    settings = load_settings(None, env | {name: str(tmp_path / f"{room}.yaml") for name, room in named.items()})
    declared = declared_by(settings, env)
    assert set(declared.notify.channels) == {"orders-slack", "duty"}
    assert declared.notify.heartbeat is not None
    assert declared.reactions.reactions
    assert declared.rules.rules


def test_mistakes_of_all_files_are_named_at_once(tmp_path):
    texts = {
        "rules": "rules: a\nversion: 1\nalerts:\n  x: {orders: {verdicts: [stuk]}}\n",
        "notify": "notify: a\nversion: 1\nchannels:\n  x: {kind: slak}\n",
        "reactions": "reactions: a\nversion: 1\nactions:\n  x: {on: {rule: y}}\n",
    }
    for name, text in texts.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    env = {f"CLEW_{name.upper()}": str(tmp_path / f"{name}.yaml") for name in texts}
    with pytest.raises(DeclaredError) as told:
        declared_by(load_settings(None, env), env)
    assert all(f"{tmp_path}/{name}.yaml" in str(told.value) for name in texts)
    assert len(told.value.problems) >= len(texts)


def test_what_changed_is_told_by_name():
    before = Declared()
    rules = before.rules.rules
    after = replace(
        before,
        rules=RuleSet("ours", 2, (replace(rules[0], severity=Severity.INFO), replace(rules[1], name="other"))),
        notify=Notify("ours", 1, policies=POLICIES),
    )
    assert changes(before, before) == []
    gone = ", ".join(each.name for each in rules[1:])
    assert changes(before, after) == [
        f"rules: new: other; changed: {rules[0].name}; gone: {gone}", "policies: new: default", "notify: changed: routes",
    ]  # fmt: skip


class Kept:
    """What watches by a rules file over a store, and flows of which some are in files."""

    def __init__(self, folder, flows=()):
        self.folder, self.path = folder, folder / "rules.yaml"
        self.store = open_store(folder / "store")
        self.book = tell(self.store).book
        self.declare("held-up: {orders: {verdicts: [stuck]}}")
        paths = [folder / f"{name}.yaml" for name in flows]
        for path in paths:
            path.write_text(flow_named(path.stem))
        settings = replace(load_settings(None, {}), data=folder, rules=self.path, flow=tuple(map(str, paths)))
        declared = declared_by(settings, {})
        self.book.start(declared.flows)
        self.watching = Watching(settings, declared, self.store, self.book, HEALTHY)

    def declare(self, *alerts):
        self.path.write_text("rules: ours\nversion: 1\nalerts:\n" + "".join(f"  {each}\n" for each in alerts))

    @property
    def incidents(self):
        return self.watching.watched.desk.incidents

    def close(self):
        self.watching.close()
        self.store.close()


def flow_named(name):
    return re.sub(r"(?m)^flow: .*$", f"flow: {name}", default_flow_text(), count=1)


@pytest.fixture
def kept(tmp_path):
    made = Kept(tmp_path)
    yield made
    made.close()


def alive(name):
    return [each for each in threading.enumerate() if each.name == name]


def test_incidents_of_a_rule_that_is_gone_end_when_files_are_read_again(kept):
    watching = kept.watching
    watching.start()
    (found,) = wait_for(kept.incidents.unresolved)
    assert found.rule == "held-up"
    kept.declare("other: {orders: {verdicts: [stuck]}}")
    assert watching.reload() == ["rules: new: other; gone: held-up"]
    assert wait_for(lambda: kept.incidents.incident(found.id).state is IncidentState.RESOLVED)
    assert wait_for(lambda: [each.rule for each in kept.incidents.unresolved()]) == ["other"]
    desk = watching.watched.desk
    kept.path.write_text("rules: ours\n")
    with pytest.raises(DeclaredError):
        watching.reload()
    assert "stays in force" in watching.problem()
    assert watching.watched.desk is desk
    kept.declare("other: {orders: {verdicts: [stuck]}}")
    assert watching.reload() == []
    assert "stays in force" not in (watching.problem() or "")


def test_a_rule_that_is_blind_is_trouble_of_clew(kept, monkeypatch):
    look = Looks.look

    def blind(self, rule, now_ns):
        if rule.name == "held-up":
            raise StoreError("no room")
        return look(self, rule, now_ns)

    monkeypatch.setattr(Looks, "look", blind)
    kept.declare("held-up: {orders: {verdicts: [stuck]}}", "trouble: {clew: {behind: 1h}}")
    kept.watching.reload()
    kept.watching.start()
    (found,) = wait_for(kept.incidents.unresolved)
    assert found.rule == "trouble"
    assert "rule held-up: no room" in found.reason


def test_a_control_database_that_is_away_is_why_no_rule_looks_and_nobody_is_told(kept, monkeypatch):
    def away(*_):
        raise ControlError("PostgreSQL is away")

    monkeypatch.setattr(SqlIncidents, "active_alerts", away)
    monkeypatch.setattr(SqlOutbox, "due", away)
    kept.watching.start()
    health = kept.watching.watched.health
    assert wait_for(lambda: health().unwatched) == "rules don't watch: PostgreSQL is away"
    assert wait_for(lambda: health().untold) == "nobody is told: PostgreSQL is away"


def test_what_is_read_again_before_the_start_watches_after_it_and_nothing_does_after_the_end(kept):
    kept.declare("other: {orders: {verdicts: [stuck]}}")
    assert kept.watching.reload() == ["rules: new: other; gone: held-up"]
    assert alive("clew-rules") == []
    kept.watching.start()
    assert wait_for(lambda: [each.rule for each in kept.incidents.unresolved()]) == ["other"]
    kept.watching.close()
    with pytest.raises(ClewError, match="Clew stops"):
        kept.watching.reload()
    assert alive("clew-rules") == alive("clew-notices") == []


def test_a_stage_that_no_flow_has_is_refused_by_a_reload_and_told_when_a_flow_loses_it(kept):
    kept.declare("late: {in_stage: {stages: [SUBMITED], longer_than: 30m}}")
    with pytest.raises(DeclaredError, match=r"SUBMITED.*did you mean.*SUBMITTED"):
        kept.watching.reload()
    kept.declare("late: {in_stage: {stages: [SUBMITTED], longer_than: 30m}}")
    kept.watching.reload()
    assert kept.watching.problem() is None
    kept.book.declare([flow_named("other").replace("SUBMITTED", "HANDED_IN")])
    assert "SUBMITTED" in kept.watching.problem()


def test_people_are_told_while_a_look_holds_up_what_was_read_again(kept, monkeypatch):
    looks, go_on, look = threading.Event(), threading.Event(), Looks.look

    def long_look(self, rule, now_ns):
        looks.set()
        assert go_on.wait(60)
        return look(self, rule, now_ns)

    monkeypatch.setattr(Looks, "look", long_look)
    kept.watching.reload()
    kept.watching.start()
    assert looks.wait(60)
    before = alive("clew-notices")
    reload = threading.Thread(target=kept.watching.reload)
    reload.start()
    try:
        assert wait_for(lambda: alive("clew-notices") not in ([], before))
        assert "still goes on" in kept.watching.problem()
    finally:
        go_on.set()
        reload.join(60)
    assert "still goes on" not in (kept.watching.problem() or "")
    assert len(alive("clew-rules")) == 1


def test_flows_in_files_are_in_force_in_their_order_and_those_that_are_gone_are_not(tmp_path):
    kept = Kept(tmp_path, ("first", "second"))
    try:
        watching = kept.watching
        assert watching.reload() == []
        (tmp_path / "second.yaml").write_text(flow_named("second") + "\n# changed\n")
        assert watching.reload() == ["flow second: changed"]
        assert [each.flow.name for each in kept.book.current] == ["first", "second"]
        (tmp_path / "first.yaml").write_text(flow_named("renamed"))
        assert watching.reload() == ["flow renamed: new", "flow first: gone"]
        assert [each.flow.name for each in kept.book.current] == ["renamed", "second"]
        (tmp_path / "second.yaml").write_text("flow: second\n")
        kept.path.write_text("rules: ours\n")
        with pytest.raises(DeclaredError) as told:
            watching.reload()
        assert {"second.yaml", "rules.yaml"} <= set(re.findall(r"\w+\.yaml", str(told.value)))
        assert "second.yaml" in watching.problem()
        assert [each.flow.name for each in kept.book.current] == ["renamed", "second"]
    finally:
        kept.close()


def wait_for(condition):
    """What a condition answers as soon as it holds, or at last."""
    for _ in range(1_200):
        if met := condition():
            return met
        threading.Event().wait(0.05)
    return condition()


@pytest.mark.parametrize("path", sorted(DOCS.rglob("*.md")), ids=lambda path: path.name)
def test_no_page_takes_a_secret_from_a_variable_that_stops_the_server(path):
    load_settings(None, dict.fromkeys(variables_of(path.read_text()), "x"))


def test_what_was_resolved_longer_ago_than_events_are_kept_is_let_go_of(tmp_path, monkeypatch):
    monkeypatch.setattr("clew.watching.SLICE", 2)
    monkeypatch.setattr("clew.watching._FORGETS_ON_AFTER_S", 0.0)
    database = open_database(tmp_path)
    incidents, now_ns = SqlIncidents(database), time.time_ns()
    for key, days in {"older": 12, "old": 11, "young": 9, "new": 0}.items():
        at_ns = now_ns - days * 86_400 * 10**9
        opened = Incident(0, key, "r", "t", Severity.ERROR, IncidentState.RESOLVED, {}, at_ns, at_ns, at_ns)
        made = incidents.apply(Change(opened))
        assert incidents.apply(Change(replace(made, resolved_ns=at_ns))) is not None
    worker = retention_of(database, 10)
    worker.start()
    for _ in range(6_000):
        if incidents.incident(2) is None:
            break
        threading.Event().wait(0.01)
    worker.stop()
    assert [incidents.incident(number) is None for number in (1, 2, 3, 4)] == [True, True, False, False]
    assert worker.problem is None
    database.close()
