"""The page is right: its examples can be used, and it names every key, guard, state and command."""

import re
from pathlib import Path

import pytest
import yaml

from clew.cli.reactions import reactions
from clew.flow.durations import parse_duration
from clew.model.reaction import Guards, RunState
from clew.react.load import GUARD_KEYS, ON_KEYS, WHEN_KEYS, parse_reactions
from clew.react.load_actions import COMMAND_KEYS, KINDS, RESTART_KEYS, SCALE_KEYS, WEBHOOK_KEYS

PAGE = (Path(__file__).parents[2] / "docs" / "react.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
CLUSTERS = next(block for block in BLOCKS if block.startswith("clusters:"))
HEAD = "reactions: x\nactions:\n  a:\n    on: {rules: [r]}\n"


@pytest.mark.parametrize("block", [block for block in BLOCKS if not block.startswith("apiVersion")])
def test_every_example_can_be_used(block):
    if block.startswith("action:"):
        block = HEAD + "".join(f"    {line}\n" for line in block.splitlines())
    elif block.startswith("clusters:"):
        block += HEAD + "    action: {restart: {deployment: d, cluster: east}}\n"
    assert parse_reactions(block).reactions


def test_the_role_allows_the_examples_and_no_more():
    manifest = next(block for block in BLOCKS if block.startswith("apiVersion"))
    role, binding = yaml.safe_load_all(manifest)
    allowed = {(rule["resources"][0], *rule["resourceNames"], *rule["verbs"]) for rule in role["rules"]}
    assert allowed == {
        ("deployments", "mes-worker", "patch"), ("statefulsets/scale", "shop-db-replica", "get", "patch"),
    }  # fmt: skip
    assert binding["roleRef"]["name"] == role["metadata"]["name"]


@pytest.mark.parametrize(
    "word",
    [*RunState, *KINDS, *ON_KEYS, *WHEN_KEYS, *GUARD_KEYS, *RESTART_KEYS, *SCALE_KEYS, *COMMAND_KEYS, *WEBHOOK_KEYS],
)
def test_every_key_and_state_is_there(word):
    if word is not RunState.PROPOSED:
        assert re.search(rf"`{word}`|`{word}:|\b{word}: |{{{word}:", PAGE)


@pytest.mark.parametrize("name", sorted(reactions.commands))
def test_every_command_is_there(name):
    assert f"clew reactions {name}" in PAGE


def test_defaults_are_told_as_they_are():
    told = dict(re.findall(r"^\| `(\w+)` \| `(\w+)` \|", PAGE, re.MULTILINE))
    guards = Guards()
    for name in ("cooldown", "approve_within"):
        assert parse_duration(told[name]) == getattr(guards, f"{name}_ns")
    for name in ("dry_run", "needs_approval", "confirmations", "most_per_hour"):
        assert told[name] == str(getattr(guards, name)).lower()
