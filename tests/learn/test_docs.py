"""What the page on learning shows is what Clew takes."""

import re
from pathlib import Path

import pytest

from clew.cli.main import main
from clew.flow import parse_flow

PAGE = (Path(__file__).parents[2] / "docs" / "learn-a-flow.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("text", re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL))
def test_every_flow_in_the_document_can_be_used(text):
    assert parse_flow(text).stages


@pytest.mark.parametrize(
    "command", sorted(set(re.findall(r"\$ clew ([a-z]+(?: (?:discover|diff|check|apply))?)", PAGE)))
)
def test_every_command_in_the_document_exists(command):
    group = main
    for word in command.split():
        group = group.commands[word]
    assert group.callback
