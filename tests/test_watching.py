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
from clew.model.incident import Incident, IncidentState
from clew.model.rule import Severity
from clew.settings import load_settings
from clew.watching import declared_by, retention_of

SHIPPED = Path(__file__).parents[1] / "src" / "clew"
DOCS = Path(__file__).parents[1] / "docs"
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
