"""What people do at a vendor reaches Clew, when the request is the vendor's."""

import json
from functools import partial
from urllib.parse import urlencode

import pytest

from clew.model.secret import Secret
from clew.notify.channels.contract import OLDEST_NS, Action, NotGenuine, NotUnderstood, Wish
from clew.notify.channels.keys import vendor_key
from clew.notify.channels.pagerduty.interaction import sign as pagerduty_sign
from clew.notify.channels.slack.payload import ACKNOWLEDGE, SILENCE, SILENCE_NS, SlackOptions, build
from clew.notify.channels.slack.verify import sign as slack_sign
from tests.fakes.pagerduty import FakePagerDuty
from tests.fakes.server import running
from tests.fakes.slack import FakeSlack
from tests.notify.channels.notices import AT, INCIDENT, notice, open_channel

NOW_S = AT // 10**9
KEY = vendor_key(INCIDENT)
ENV = {"T": "xoxb", "S": FakeSlack.signing_secret, "R": "a" * 32, "W": FakePagerDuty.webhook_secret}
SLACK = open_channel("{kind: slack, token: env:T, channel: C1, signing_secret: env:S}", ENV).parse
PAGERDUTY = open_channel("{kind: pagerduty, routing_key: env:R, webhook_secret: env:W}", ENV).parse


@pytest.fixture
def slack():
    with running(FakeSlack) as fake:
        yield fake


@pytest.fixture
def pagerduty():
    with running(FakePagerDuty) as fake:
        yield fake


@pytest.mark.parametrize(
    ("button", "action"),
    [
        (0, Action(7, KEY, Wish.ACKNOWLEDGE, "anna (Slack)")),
        (1, Action(7, KEY, Wish.SILENCE, "anna (Slack)", SILENCE_NS)),
    ],
)
def test_a_button_that_clew_made_comes_back_as_its_wish(slack, button, action):
    blocks = build(notice(), SlackOptions("C1", buttons=True))["blocks"]
    pressed = next(block for block in blocks if block["type"] == "actions")["elements"][button]
    body, headers = slack.press(pressed["action_id"], pressed["value"], NOW_S)
    assert SLACK(body, headers, AT) == action


@pytest.mark.parametrize(
    ("skew_s", "taken"), [(0, True), (299, True), (-299, True), (301, False), (-301, False), (86_400, False)]
)
def test_a_press_counts_for_five_minutes(slack, skew_s, taken):
    body, headers = slack.press(ACKNOWLEDGE, KEY, NOW_S + skew_s)
    if taken:
        assert SLACK(body, headers, AT) is not None
    else:
        with pytest.raises(NotGenuine):
            SLACK(body, headers, AT)


@pytest.mark.parametrize(
    "change",
    [
        lambda body, headers: (body + b"&x=1", headers),
        lambda body, headers: (body, headers | {"x-slack-signature": "v0=" + "0" * 64}),
        lambda body, headers: (body, headers | {"x-slack-signature": "ü"}),
        lambda body, headers: (body, headers | {"x-slack-request-timestamp": str(NOW_S + 1)}),
        lambda body, headers: (body, headers | {"x-slack-request-timestamp": "now"}),
        lambda body, headers: (body, headers | {"x-slack-request-timestamp": "٣"}),
        lambda body, headers: (body, {}),
    ],
)
def test_a_press_that_somebody_changed_is_not_genuine(slack, change):
    with pytest.raises(NotGenuine) as caught:
        SLACK(*change(*slack.press(ACKNOWLEDGE, KEY, NOW_S)), AT)
    assert FakeSlack.signing_secret not in str(caught.value)


@pytest.mark.parametrize(("button", "value"), [("clew_open", KEY), (ACKNOWLEDGE, "clew-7"), (SILENCE, ""), ("x", "y")])
def test_other_presses_are_nothing_of_clews(slack, button, value):
    assert SLACK(*slack.press(button, value, NOW_S), AT) is None


@pytest.mark.parametrize(
    ("body", "understood"),
    [
        (b"", False),
        (b"payload=%7B", False),
        (b"payload=%5B%5D", False),
        (b"\xff", False),
        (urlencode({"payload": json.dumps({"type": "view_submission"})}).encode(), True),
        (urlencode({"payload": json.dumps({"type": "block_actions", "actions": "x"})}).encode(), True),
        (urlencode({"payload": json.dumps({"type": "block_actions", "actions": [1, {}]})}).encode(), True),
    ],
)
def test_a_genuine_request_of_another_form_harms_nobody(body, understood):
    headers = {"x-slack-request-timestamp": str(NOW_S)}
    headers["x-slack-signature"] = slack_sign(body, str(NOW_S), Secret(FakeSlack.signing_secret))
    if understood:
        assert SLACK(body, headers, AT) is None
    else:
        with pytest.raises(NotUnderstood):
            SLACK(body, headers, AT)


@pytest.mark.parametrize(
    ("kind", "wish"),
    [
        ("incident.acknowledged", Wish.ACKNOWLEDGE),
        ("incident.unacknowledged", Wish.UNACKNOWLEDGE),
        ("incident.resolved", Wish.RESOLVE),
    ],
)
def test_what_is_done_in_pagerduty_reaches_clew(pagerduty, kind, wish):
    body, headers = pagerduty.tell_back(kind, KEY)
    assert PAGERDUTY(body, headers, AT) == Action(7, KEY, wish, "Anna (PagerDuty)")


def test_what_happened_days_ago_in_pagerduty_is_somebody_who_sends_it_again(pagerduty):
    old = pagerduty.tell_back("incident.resolved", KEY, at="2026-01-01T12:00:00+01:00")
    begin_ns = 1_767_265_200 * 10**9
    assert PAGERDUTY(*old, begin_ns + OLDEST_NS) is not None
    with pytest.raises(NotGenuine, match="more than two days old"):
        PAGERDUTY(*old, begin_ns + OLDEST_NS + 1)


def test_other_events_and_other_peoples_incidents_are_nothing_of_clews(pagerduty):
    assert PAGERDUTY(*pagerduty.tell_back("incident.triggered", KEY), AT) is None
    assert PAGERDUTY(*pagerduty.tell_back("incident.resolved", "baf7cf21b1da41b4b0221008339ff357"), AT) is None


def test_a_webhook_of_pagerduty_that_somebody_changed_is_not_genuine(pagerduty):
    body, headers = pagerduty.tell_back("incident.resolved", KEY)
    for wrong in ((body + b" ", headers), (body, {}), (body, {"x-pagerduty-signature": "v1=00,ü"})):
        with pytest.raises(NotGenuine):
            PAGERDUTY(*wrong, AT)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"event": 1}', b'{"event": {"event_type": "x", "data": null}}'])
def test_a_genuine_webhook_of_another_form_is_refused(body):
    headers = {"x-pagerduty-signature": pagerduty_sign(body, Secret(FakePagerDuty.webhook_secret))}
    with pytest.raises(NotUnderstood):
        PAGERDUTY(body, headers, AT)


def test_without_a_secret_nothing_comes_back():
    assert open_channel("{kind: slack, token: env:T, channel: C1}", ENV).parse is None
    assert open_channel("{kind: pagerduty, routing_key: env:R}", ENV).parse is None
    assert isinstance(SLACK, partial)
