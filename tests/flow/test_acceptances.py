"""Deviations that somebody accepts, for a reason and until a day."""

import pytest
from click.testing import CliRunner

from clew.api.flows import acceptance_models
from clew.cli.flow import accepted_lines
from clew.cli.main import main
from clew.flow import parse_flow
from clew.flow.acceptances import parse_expiry, render_expiry
from clew.model.flow import Acceptance

TEXT = """
flow: rings
stages:
  A: {next: [B, C]}
  B: {next: [C]}
  C: {terminal: closed}
accept:
  - skipped:B
  - {deviation: "repeated:B", author: ann, reason: the till forgets, expires: 2027-01-01}
  - {deviation: "out_of_sequence:C>B", expires: 2020-06-30T12:00:00+02:00}
"""
NEW_YEAR = 1_798_761_600 * 10**9
"""2027-01-01T00:00:00Z."""


def test_author_reason_and_expiry_are_read_and_plain_text_stays_allowed():
    flow = parse_flow(TEXT)
    assert flow.accepted == {"skipped:B", "repeated:B", "out_of_sequence:C>B"}
    assert flow.acceptances["repeated:B"] == Acceptance("ann", "the till forgets", NEW_YEAR)
    assert "skipped:B" not in flow.acceptances


@pytest.mark.parametrize(
    ("deviation", "at_ns", "accepted"),
    [
        ("skipped:B", 1 << 62, True),
        ("repeated:B", NEW_YEAR - 1, True),
        ("repeated:B", NEW_YEAR, False),
        ("skipped:A", 0, False),
    ],
)
def test_an_acceptance_holds_until_it_expires(deviation, at_ns, accepted):
    assert parse_flow(TEXT).accepts(deviation, at_ns) is accepted


def test_a_flow_at_a_moment_accepts_what_has_not_expired():
    assert parse_flow(TEXT).accepting_at(NEW_YEAR).accepted == {"skipped:B"}
    assert parse_flow(TEXT).accepting_at(0) == parse_flow(TEXT)


@pytest.mark.parametrize(
    ("text", "seconds", "shown_as"),
    [
        ("1970-01-02", 86_400, "1970-01-02"),
        ("1970-01-02T00:00", 86_400, "1970-01-02"),
        ("1970-01-01 00:00:59", 59, "1970-01-01T00:00:59Z"),
        ("1970-01-01T02:00:00+02:00", 0, "1970-01-01"),
        ("1970-01-01T12:00:00Z", 43_200, "1970-01-01T12:00:00Z"),
    ],
)
def test_an_expiry_is_a_date_or_a_moment(text, seconds, shown_as):
    assert (parse_expiry(text), render_expiry(seconds * 10**9)) == (seconds * 10**9, shown_as)


@pytest.mark.parametrize("text", ["2027", "01.02.2027", "2027-13-01", "1969-12-31", "2117-01-01", "2027-01-01T25:00"])
def test_what_is_no_date_is_refused(text):
    with pytest.raises(ValueError, match=r"no date|between"):
        parse_expiry(text)


def test_checking_a_flow_tells_what_is_no_longer_accepted(tmp_path):
    file = tmp_path / "rings.yaml"
    file.write_text(TEXT)
    done = CliRunner().invoke(main, ["flow", "check", str(file)])
    assert done.exit_code == 0
    assert done.output.splitlines()[1:] == [
        "note: out_of_sequence:C>B is no longer accepted, since 2020-06-30T10:00:00Z"
    ]


def test_a_shown_flow_tells_who_accepts_what_and_why():
    told = [each.model_dump() for each in acceptance_models(parse_flow(TEXT))]
    assert told[1] == {
        "deviation": "repeated:B",
        "author": "ann",
        "reason": "the till forgets",
        "expires_at": "2027-01-01T00:00:00.000000000Z",
    }
    lines = [line.plain for line in accepted_lines(told)]
    assert lines[0].startswith("accepted: out_of_sequence:C>B (until 2020-06-30 ")
    assert lines[1].startswith("accepted: repeated:B by ann: the till forgets (until ")
    assert lines[2] == "accepted: skipped:B"
