"""The documents' examples are flows, and what they show is what Clew prints."""

import re
from pathlib import Path

import pytest

from clew.flow import format_problems, parse_flow
from clew.model.errors import FlowError

PAGE = (Path(__file__).parents[2] / "docs" / "write-a-flow.md").read_text(encoding="utf-8")


def blocks(kind):
    return re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("text", blocks("yaml"))
def test_every_flow_in_the_document_can_be_used(text):
    assert parse_flow(text).stages


def test_the_mistakes_in_the_document_are_shown_as_clew_shows_them():
    rings = "  ORDERED: {\n    service: s, limt: 3x, next: [MADE, SOLD]}\n  MADE: {terminal: closed}\n"
    text = f"flow: rings\nstages:\n{rings}"
    with pytest.raises(FlowError) as caught:
        parse_flow(text)
    assert format_problems(caught.value.problems, text) + "\n" == blocks("text")[0]
