"""What the page about rules shows can be used as it stands, and it names every shape and key."""

import re
from pathlib import Path

import pytest
import yaml

from clew.flow import default_flow
from clew.rehearse.cases import EVENTS, load_cases
from clew.rehearse.play import play
from clew.rules import parse_rules
from clew.rules.load import COMMON_KEYS
from clew.rules.shapes import SHAPES

PAGE = (Path(__file__).parents[2] / "docs/write-rules.md").read_text()
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
NAMES = "|".join(SHAPES)
SHORT = re.findall(rf"`((?:{NAMES}): \{{[^`]*\}})`", PAGE)


def rules_of(block):
    return block if block.startswith("rules:") else f"rules: r\n{block}"


@pytest.mark.parametrize("block", [each for each in BLOCKS if "alerts:\n  " in each and "play:" not in each])
def test_a_shown_file_of_rules_is_right(block):
    assert parse_rules(rules_of(block), flows=[default_flow()]).rules


@pytest.mark.parametrize("written", SHORT)
def test_a_shown_shape_is_right(written):
    assert parse_rules(f"rules: r\nalerts:\n  a:\n    {written}\n", flows=[default_flow()]).rules


def test_the_shown_cases_come_as_expected(tmp_path):
    [cases] = [each for each in BLOCKS if "play:" in each]
    [rules] = [each for each in BLOCKS if each.startswith("rules:")]
    (tmp_path / "rules.yaml").write_text(rules)
    (tmp_path / "cases.yaml").write_text(cases)
    found = load_cases(tmp_path / "cases.yaml")
    assert [play(case, found.rules, found.flow, found.begin_ns).wrong for case in found.cases] == [()]


def test_the_page_names_every_shape_key_and_event():
    assert {shape for shape in SHAPES if f"`{shape}" not in PAGE} == set()
    assert {key for key in COMMON_KEYS if f"`{key}" not in PAGE} == set()
    assert {event for event in EVENTS if f"`{event}:" not in PAGE} == set()
    assert all(yaml.safe_load(each) for each in BLOCKS)
