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
from clew.declared import Declared, DeclaredError, changes, declared_by
from clew.model.errors import StoreError
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
    assert declared.reactions is not None
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
        f"rules: new: other; changed: {rules[0].name}; gone: {gone}", "policies: new: default", "routes: changed",
    ]  # fmt: skip


def test_incidents_of_a_rule_that_is_gone_end_when_files_are_read_again(tmp_path):
    store = open_store(tmp_path / "store")
    deps, path = tell(store), tmp_path / "rules.yaml"
    path.write_text("rules: ours\nversion: 1\nalerts:\n  held-up: {orders: {verdicts: [stuck]}}\n")
    settings = replace(load_settings(None, {}), data=tmp_path, rules=path)
    watching = Watching(settings, declared_by(settings, {}), store, deps.book, HEALTHY)
    watching.start()
    try:
        (found,) = wait_for(lambda: watching.watched.desk.incidents.unresolved())
        assert found.rule == "held-up"
        path.write_text("rules: ours\nversion: 2\nalerts:\n  other: {orders: {verdicts: [stuck]}}\n")
        assert watching.reload() == ["rules: new: other; gone: held-up"]
        desk = watching.watched.desk
        assert wait_for(lambda: desk.incident(found.id).state is IncidentState.RESOLVED)
        assert wait_for(lambda: [each.rule for each in desk.incidents.unresolved()]) == ["other"]
        path.write_text("rules: ours\n")
        with pytest.raises(DeclaredError):
            watching.reload()
        assert "stays in force" in watching.problem()
        assert watching.watched.desk is desk
    finally:
        watching.close()
        store.close()


def test_a_rule_that_is_blind_is_trouble_of_clew(tmp_path, monkeypatch):
    look = Looks.look

    def blind(self, rule, now_ns):
        if rule.name == "held-up":
            raise StoreError("no room")
        return look(self, rule, now_ns)

    monkeypatch.setattr(Looks, "look", blind)
    store = open_store(tmp_path / "store")
    deps, path = tell(store), tmp_path / "rules.yaml"
    alerts = "  held-up: {orders: {verdicts: [stuck]}}\n  trouble: {clew: {behind: 1h}}\n"
    path.write_text(f"rules: ours\nversion: 1\nalerts:\n{alerts}")
    settings = replace(load_settings(None, {}), data=tmp_path, rules=path)
    watching = Watching(settings, declared_by(settings, {}), store, deps.book, HEALTHY)
    watching.start()
    try:
        (found,) = wait_for(lambda: watching.watched.desk.incidents.unresolved())
        assert found.rule == "trouble"
        assert "rule held-up: no room" in found.reason
    finally:
        watching.close()
        store.close()


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
