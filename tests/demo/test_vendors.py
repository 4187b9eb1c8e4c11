"""The demo's stand-ins for Slack and PagerDuty keep the vendors' rules, fail at times, and note what they were told."""

import threading
from contextlib import contextmanager

import httpx
import pytest
from clew_demo.alarms import ALARMS, Alarm, wrong_alarms
from clew_demo.faults import FAULTS
from clew_demo.running import NOTIFY
from clew_demo.vendors.pagerduty import ROUTING_KEY, PagerDuty
from clew_demo.vendors.server import BAD_MOMENTS, GONE, Server, Told, read_book
from clew_demo.vendors.slack import CHANNEL, TOKEN, Slack

from clew.model.rule import Severity
from clew.notify.channels.registry import Registry
from clew.notify.load import load_notify
from clew.rules import default_rules

FOOT = {"type": "context", "elements": [{"type": "mrkdwn", "text": "Incident 7 of rule stuck"}]}
HEAD = {"type": "header", "text": {"type": "plain_text", "text": "orders stuck"}}
MESSAGE = {"channel": CHANNEL, "text": "orders stuck", "blocks": [HEAD, FOOT]}
EVENT = {
    "routing_key": ROUTING_KEY,
    "event_action": "trigger",
    "dedup_key": "clew-7-abc",
    "payload": {"summary": "orders stuck", "source": "mes", "severity": "error", "class": "stuck"},
}
AUTHORISED = {"authorization": f"Bearer {TOKEN}"}


@contextmanager
def serving(vendor, book):
    server = Server(0, vendor, book)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def acts(answers):
    return [(each.told.act, each.told.key) for each in answers]


def test_slack_keeps_one_message_and_a_thread_for_each_incident():
    slack = Slack()
    opened = slack.answer("/chat.postMessage", AUTHORISED, MESSAGE)
    stamp = opened.body["ts"]
    updated = slack.answer("/chat.update", AUTHORISED, MESSAGE | {"ts": stamp})
    replied = slack.answer("/chat.postMessage", AUTHORISED, MESSAGE | {"thread_ts": stamp})
    assert acts([opened, updated, replied]) == [("opened", stamp), ("updated", stamp), ("replied", stamp)]
    assert opened.told.words == "orders stuck (incident 7 of rule stuck)"


@pytest.mark.parametrize(
    ("path", "headers", "message", "error"),
    [
        ("/chat.postMessage", {}, MESSAGE, "invalid_auth"),
        ("/chat.postMessage", AUTHORISED, MESSAGE | {"channel": "C1"}, "channel_not_found"),
        ("/chat.postMessage", AUTHORISED, MESSAGE | {"text": ""}, "invalid_blocks"),
        ("/chat.postMessage", AUTHORISED, MESSAGE | {"blocks": [HEAD] * 51}, "invalid_blocks"),
        ("/chat.postMessage", AUTHORISED, MESSAGE | {"thread_ts": "1"}, "thread_not_found"),
        ("/chat.update", AUTHORISED, MESSAGE | {"ts": "1"}, "message_not_found"),
        ("/chat.delete", AUTHORISED, MESSAGE, "unknown_method"),
        (
            "/chat.postMessage",
            AUTHORISED,
            MESSAGE | {"blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "<!channel>"}}]},
            "invalid_blocks",
        ),
    ],
)
def test_slack_refuses_what_breaks_its_rules(path, headers, message, error):
    answer = Slack().answer(path, headers, message)
    assert (answer.body["ok"], answer.body["error"], answer.told.act) == (False, error, "refused")


def test_pagerduty_knows_an_alert_by_its_dedup_key():
    duty = PagerDuty()
    answers = [
        duty.answer("/v2/enqueue", {}, EVENT | {"event_action": action})
        for action in ("trigger", "trigger", "acknowledge", "resolve", "trigger")
    ]
    assert [act for act, _ in acts(answers)] == ["opened", "updated", "acknowledged", "resolved", "opened"]
    assert {answer.status for answer in answers} == {202}


@pytest.mark.parametrize(
    "wrong",
    [
        {"routing_key": "x"},
        {"event_action": "open"},
        {"dedup_key": ""},
        {"dedup_key": "k" * 256},
        {"payload": EVENT["payload"] | {"severity": "fatal"}},
        {"payload": EVENT["payload"] | {"summary": "s" * 1025}},
        {"payload": {}},
    ],
)
def test_pagerduty_refuses_what_breaks_its_rules(wrong):
    answer = PagerDuty().answer("/v2/enqueue", {}, EVENT | wrong)
    assert (answer.status, answer.told.act) == (400, "refused")


def test_a_vendor_is_busy_broken_slow_and_gone_at_times_and_notes_what_it_took(tmp_path):
    book, outcomes = tmp_path / "book", []
    with serving(PagerDuty(), book) as url, httpx.Client() as client:
        for _ in range(max(BAD_MOMENTS) + 1):
            try:
                outcomes.append(client.post(f"{url}/v2/enqueue", json=EVENT).status_code)
            except httpx.TransportError:
                outcomes.append(GONE)
        client.post(f"{url}/v2/enqueue", content=b"no JSON")
    assert outcomes == [429, 202, 202, 500, 202, 202, 202, 202, GONE, 202]
    assert [each.act for each in read_book(book)] == ["opened", *["updated"] * 6, "refused"]


def incident(number, rule, firing=1, **labels):
    return {"incident_id": number, "rule": rule, "labels": labels, "firing": firing, "title": rule}


def books(*numbers, slack_only=()):
    slack = [Told("opened", f"ts{each}", f"x (incident {each} of rule y)") for each in (*numbers, *slack_only)]
    return {
        "slack": slack,
        "pagerduty": [Told("opened", f"clew-{each}-a", f"x (clew-{each}-a of rule y)") for each in numbers],
    }


def test_what_was_told_is_compared_with_what_each_fault_must_cause():
    queue, slow = incident(1, "lost-in-queue"), incident(2, "slow-database", service="shop-api")
    faults = ("consumer-stops", "lock-wait", "silence")
    assert wrong_alarms(faults, [queue, slow], books(1, slack_only=[2])) == []
    assert wrong_alarms(faults, [slow], books(slack_only=[2])) == [
        "lost-in-queue should be one incident, but there are 0"
    ]
    assert wrong_alarms(faults, [queue, slow], books(1, slack_only=[2, 2])) == [
        "slack was told 2 times of incident 2, slow-database shop-api"
    ]
    assert wrong_alarms((), [incident(2, "slow-database", service="mes")], books(slack_only=[2])) == []
    surplus = incident(3, "stuck", stage="PACKAGING")
    assert wrong_alarms((), [surplus], books(3)) == ["incident 3 was told, but nothing was done for it: stuck"]
    assert wrong_alarms((), [incident(3, "stuck", firing=0, stage="PACKAGING")], books(3)) == []
    assert wrong_alarms((), [surplus], books()) == []
    refused = {"slack": [Told("refused", "", "invalid_blocks")], "pagerduty": []}
    assert wrong_alarms((), [], refused) == ["slack refused: invalid_blocks"]


def test_every_fault_says_which_incidents_it_opens_by_rules_that_ship():
    rules = {rule.name: rule for rule in default_rules().rules}
    assert ALARMS.keys() == FAULTS.keys()
    alarms = [alarm for each in ALARMS.values() for alarm in each]
    assert all(isinstance(alarm, Alarm) and alarm.rule in rules for alarm in alarms)
    paged = {alarm.rule for alarm in alarms if "pagerduty" in alarm.told}
    assert {rules[name].severity for name in paged} <= {Severity.CRITICAL, Severity.ERROR}


def test_the_notify_file_of_the_demo_is_right(tmp_path):
    places = {"DEMO_SLACK_URL": "http://127.0.0.1:1", "DEMO_SLACK_TOKEN": TOKEN}
    places |= {"DEMO_PAGERDUTY_URL": "http://127.0.0.1:2", "DEMO_PAGERDUTY_KEY": ROUTING_KEY}
    notify = load_notify(NOTIFY, Registry(places, tmp_path))
    assert set(notify.channels) == {"orders-slack", "duty"}
