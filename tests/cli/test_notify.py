"""``clew notify`` shows channels without secrets, and tries one with its vendor."""

import json
import re

import pytest
from click.testing import CliRunner

from clew.cli.main import main
from tests.fakes.server import BROKEN, running
from tests.fakes.slack import FakeSlack

SECRET = FakeSlack.token


@pytest.fixture
def slack():
    with running(FakeSlack) as fake:
        yield fake


@pytest.fixture
def clew(tmp_path, slack):
    file = tmp_path / "notify.yaml"
    file.write_text(f"""\
notify: shop
version: 1
channels:
  orders: {{kind: slack, api: '{slack.api}', token: env:TOKEN, channel: C024BE91L, allow_private: [127.0.0.1]}}
  broken: {{kind: slack, webhook: env:NOWHERE}}
  written: {{kind: slack, webhook: https://hooks.slack.com/services/{SECRET}}}
""")

    def run(*args, **env):
        found = CliRunner().invoke(main, ["notify", *args], env={"CLEW_NOTIFY": str(file), "TOKEN": SECRET, **env})
        assert SECRET not in found.output
        return found

    return run


def test_a_test_notice_reaches_slack_and_the_answer_is_told(clew, slack):
    found = clew("test", "orders")
    assert (found.exit_code, slack.wrong) == (0, [])
    ((ts, message),) = slack.messages.items()
    assert found.output == f"sent to Slack's channel C024BE91L; it answered channel C024BE91L, ts {ts}\n"
    assert "This is a test of Clew's notices; nothing is wrong." in str(message)


def test_what_the_vendor_refuses_is_told_with_its_mend(clew):
    found = clew("test", "orders", TOKEN="xoxb-other")
    assert found.exit_code == 1
    assert "Slack refuses chat.postMessage: invalid_auth" in found.output
    assert "mend: check the bot token" in found.output


def test_a_vendor_in_trouble_is_told_to_be_tried_again(clew, slack):
    slack.faults = [BROKEN]
    found = clew("test", "orders")
    assert found.exit_code == 1
    assert "127.0.0.1 answers 500 (oops)" in found.output
    assert "try again" in found.output


@pytest.mark.parametrize(
    ("channel", "code", "told"),
    [
        ("broken", 1, "the variable NOWHERE is not set"),
        ("written", 1, "this is no place of a secret"),
        ("nobody", 3, "the file has: orders, broken, written"),
    ],
)
def test_a_channel_that_cannot_be_tried_says_why(clew, channel, code, told):
    found = clew("test", channel)
    assert found.exit_code == code
    assert told in found.output


def test_channels_are_listed_with_what_is_wrong(clew):
    found = clew("list")
    assert found.exit_code == 1
    assert "Slack's channel C024BE91L" in found.output
    assert "NOWHERE is not set" in found.output
    told = json.loads(clew("list", "--json").output)
    assert [(each["name"], each["kind"], len(each["problems"])) for each in told] == [
        ("orders", "slack", 0), ("broken", None, 1), ("written", None, 1),
    ]  # fmt: skip


def test_without_a_file_it_says_how_to_name_one(clew):
    found = CliRunner().invoke(main, ["notify", "list"], env={"CLEW_NOTIFY": None})
    assert found.exit_code == 1
    assert "CLEW_NOTIFY" in found.output


def test_a_file_that_is_no_yaml_is_told_without_its_lines(clew, tmp_path):
    file = tmp_path / "wrong.yaml"
    file.write_text(f"channels: [{SECRET}\n")
    found = clew("list", str(file))
    assert found.exit_code == 1
    assert "not YAML" in found.output


def test_a_file_is_checked_whole_and_its_example_is_a_good_one(clew, tmp_path):
    file = tmp_path / "example.yaml"
    genie = "\\1  genie: {kind: opsgenie, api_key: env:GENIE}\n"
    file.write_text(re.sub(r"(?m)^(channels:\n)", genie, clew("example").output))
    secrets = {"SLACK_WEBHOOK": "https://hooks.slack.com/services/T/B/x", "PAGERDUTY_KEY": "a" * 32, "GENIE": "g"}
    good = clew("check", str(file), **secrets)
    assert (good.exit_code, good.output.splitlines()[1:]) == (
        0,
        [
            "  genie: Opsgenie (https://api.opsgenie.com), which ends on 2027-04-05",
            "  orders-slack: an incoming webhook",
            "  duty: PagerDuty (https://events.pagerduty.com)",
            "  critical -> urgent",
            "  info -> quiet",
            "  all others -> default",
        ],
    )
    assert "3 channels, 3 policies" in good.output
    bad = clew("check")
    assert bad.exit_code == 1
    assert "the variable NOWHERE is not set" in bad.output
    assert "no policy tells a channel" in bad.output
