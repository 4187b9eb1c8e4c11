"""What watches is declared in files that start as they ship."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from clew.settings import load_settings
from clew.watching import declared_by

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
