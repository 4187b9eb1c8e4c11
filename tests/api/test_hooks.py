"""What people do at Slack and PagerDuty comes back over real sockets, when it is the vendor who says so."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from urllib.parse import urlencode

import httpx
import pytest

from clew.api import create_api, hooks
from clew.api.deps import Watched
from clew.api.hooks import Replays
from clew.model.alert import Alert, AlertPhase, Finding
from clew.model.errors import ControlError
from clew.model.incident import IncidentState, TransitionKind
from clew.model.secret import Secret
from clew.notify.channels.keys import vendor_key
from clew.notify.channels.slack.payload import ACKNOWLEDGE, SILENCE, SILENCE_NS
from clew.notify.channels.slack.verify import sign
from clew.notify.incidents import Around, Group, opened
from clew.notify.silences import labels_to_silence
from clew.store.embedded import open_store
from clew.web import create_web, site
from clew.web.hosts import hosts_of
from tests.fakes.pagerduty import FakePagerDuty
from tests.fakes.server import running
from tests.fakes.slack import FakeSlack
from tests.notify.channels.notices import open_channel
from tests.serving import serving
from tests.story import tell
from tests.watching import POLICIES, watch_over

ENV = {"T": "xoxb", "S": FakeSlack.signing_secret, "R": "a" * 32, "W": FakePagerDuty.webhook_secret}
SLACK = open_channel("{kind: slack, token: env:T, channel: C1, signing_secret: env:S}", ENV).parse
PAGERDUTY = open_channel("{kind: pagerduty, routing_key: env:R, webhook_secret: env:W}", ENV).parse


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """A desk without a watch: every test opens an incident of its own."""
    folder = tmp_path_factory.mktemp("hooks")
    store = open_store(folder)
    deps = tell(store)
    _, desk, database = watch_over(deps, folder)
    yield replace(deps, watched=lambda: Watched(desk, ways_back={"orders": SLACK, "duty": PAGERDUTY}))
    database.close()
    store.close()


@pytest.fixture
def incident(told, request):
    labels = {"stage": "SUBMITTED", "test": request.node.name}
    alert = Alert("stuck", "order:1", AlertPhase.FIRING, Finding("stuck", "order:1", "It is stuck.", 1), 1, 1, 1)
    rule = replace(next(each for each in told.desk.rules if each.name == "stuck"), labels=labels)
    return told.desk.incidents.apply(opened(rule, Group(request.node.name, [alert]), Around(POLICIES, told.now_ns())))


@pytest.fixture(scope="module")
def slack():
    with running(FakeSlack) as fake:
        yield fake


@pytest.fixture(scope="module")
def pagerduty():
    with running(FakePagerDuty) as fake:
        yield fake


@pytest.fixture(scope="module")
def client(told):
    hosts = hosts_of("127.0.0.1", "https://clew.example.org", ())
    with (
        serving(site(create_api(told), create_web(told), hosts)) as url,
        httpx.Client(base_url=f"{url}/api/v1/hooks", headers={"host": "clew.example.org"}, timeout=60) as client,
    ):
        yield client


@pytest.fixture
def press(told, slack, incident):
    """Body and headers of a button pressed at the incident's message, or at that of another key."""

    def pressed(button=ACKNOWLEDGE, key="", late_s=0):
        return slack.press(button, key or vendor_key(incident), told.now_ns() // 10**9 - late_s)

    return pressed


def post(client, channel, request):
    body, headers = request
    return client.post(f"/{channel}", content=body, headers=headers)


def now(told, incident):
    return told.desk.incidents.incident(incident.id)


def test_a_button_in_slack_acknowledges_and_is_answered_at_once_with_nothing(client, told, press, incident):
    answer = post(client, "orders", press())
    assert (answer.status_code, answer.content) == (200, b"")
    kept = now(told, incident)
    assert (kept.state, kept.acknowledged_by) == (IncidentState.ACKNOWLEDGED, "anna (Slack)")
    assert told.desk.incidents.transitions(incident.id)[-1].text == "through orders"


def test_a_silence_from_slack_covers_the_incident_and_its_like_once_however_often_it_is_sent(
    client, told, press, incident
):
    before = len(told.desk.incidents.silences(told.now_ns()))
    request = press(SILENCE)
    assert [post(client, "orders", request).status_code for _ in range(3)] == [200] * 3
    with serving(create_api(told)) as again:  # somebody sends it again after Clew was started anew
        body, headers = request
        assert httpx.post(f"{again}/api/v1/hooks/orders", content=body, headers=headers, timeout=60).status_code == 200
    found = told.desk.incidents.silences(told.now_ns())
    assert len(found) == before + 1
    made = max(found, key=lambda each: each.id)
    assert made.labels == labels_to_silence(incident)
    assert made.until_ns - made.from_ns == SILENCE_NS
    assert (made.by, made.reason) == ("anna (Slack)", f"from incident {incident.id} through orders")


def test_what_was_done_when_clew_was_ended_just_after_is_done_no_second_time(
    client, told, monkeypatch, pagerduty, press, incident
):
    before = len(told.desk.incidents.silences(told.now_ns()))
    told.desk.acknowledge(incident.id, "Anna (PagerDuty)")
    requests = [
        ("orders", press(SILENCE)),
        ("duty", pagerduty.tell_back("incident.unacknowledged", vendor_key(incident))),
    ]
    with monkeypatch.context() as ended:
        ended.setattr(type(told.desk.incidents), "note_done", fail)
        assert [post(client, *each).status_code for each in requests] == [503, 503]
    assert [post(client, *each).status_code for each in requests] == [200, 200]
    assert len(told.desk.incidents.silences(told.now_ns())) == before + 1
    assert [each.kind for each in told.desk.incidents.transitions(incident.id)].count(TransitionKind.NOTE) == 1


def test_what_is_done_in_pagerduty_is_done_here(client, told, pagerduty, incident):
    key = vendor_key(incident)
    assert post(client, "duty", pagerduty.tell_back("incident.acknowledged", key)).status_code == 200
    assert now(told, incident).acknowledged_by == "Anna (PagerDuty)"
    assert post(client, "duty", pagerduty.tell_back("incident.unacknowledged", key)).status_code == 200
    assert now(told, incident).state is IncidentState.ACKNOWLEDGED
    note = told.desk.incidents.transitions(incident.id)[-1]
    assert (note.by, note.text) == ("Anna (PagerDuty)", "took the acknowledgement back in duty")
    assert post(client, "duty", pagerduty.tell_back("incident.resolved", key)).status_code == 200
    assert now(told, incident).state is IncidentState.RESOLVED
    assert now(told, incident).resolved_by == "Anna (PagerDuty)"


@pytest.mark.parametrize("late_s", [301, -301, 86_400])
def test_an_old_press_is_refused(client, told, late_s, press, incident):
    answer = post(client, "orders", press(late_s=late_s))
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "not_genuine")
    assert now(told, incident).state is IncidentState.OPEN


def test_a_request_with_a_wrong_signature_or_none_changes_nothing_and_says_no_secret(client, told, press, incident):
    body, headers = press()
    for wrong in (
        headers | {"x-slack-signature": "v0=" + "0" * 64},
        {"x-slack-request-timestamp": headers["x-slack-request-timestamp"]},
        {},
        {"x-pagerduty-signature": "v1=" + "0" * 64},
    ):
        answer = client.post("/orders", content=body, headers=wrong)
        assert answer.status_code == 401
        assert FakeSlack.signing_secret not in answer.text
    assert client.post("/orders", content=body + b"x", headers=headers).status_code == 401
    assert post(client, "duty", (body, headers)).status_code == 401
    assert now(told, incident).state is IncidentState.OPEN


@pytest.mark.parametrize("body", [b"", b"payload=no", b"payload=%5B%5D", b"\xff"])
def test_a_genuine_request_of_another_form_is_told_so(client, told, body):
    stamp = str(told.now_ns() // 10**9)
    headers = {"x-slack-request-timestamp": stamp, "x-slack-signature": sign(body, stamp, Secret(ENV["S"]))}
    answer = client.post("/orders", content=body, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "not_understood")


def test_a_press_that_asks_for_nothing_of_clew_is_fine(client, told):
    stamp = str(told.now_ns() // 10**9)
    body = urlencode({"payload": json.dumps({"type": "view_submission"})}).encode()
    headers = {"x-slack-request-timestamp": stamp, "x-slack-signature": sign(body, stamp, Secret(ENV["S"]))}
    assert client.post("/orders", content=body, headers=headers).status_code == 200


def test_a_key_of_another_incident_or_of_one_that_is_over_changes_nothing(client, told, pagerduty, press, incident):
    other = replace(incident, opened_ns=incident.opened_ns - 1)
    for key in (vendor_key(other), "clew-999-0123456789ab"):
        assert post(client, "orders", press(key=key)).status_code == 200
    assert now(told, incident).state is IncidentState.OPEN
    told.desk.resolve(incident.id, "bob")
    key = vendor_key(incident)
    assert post(client, "duty", pagerduty.tell_back("incident.acknowledged", key)).status_code == 200
    assert now(told, incident).resolved_by == "bob"


@pytest.mark.parametrize("channel", ["nobody", "orders%2Fduty", "ORDERS"])
def test_a_channel_without_a_way_back_is_not_there(client, channel, press):
    answer = post(client, channel, press())
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_who_asks_by_another_name_or_from_a_page_is_refused(client, told, press, incident):
    body, headers = press()
    assert client.post("/orders", content=body, headers=headers | {"host": "evil.example"}).status_code == 421
    assert client.post("/orders", content=body, headers=headers | {"origin": "https://evil.example"}).status_code == 403
    assert now(told, incident).state is IncidentState.OPEN


def test_a_huge_request_is_not_read(client):
    assert client.post("/orders", content=b"x" * (2 << 20)).status_code == 413


def test_what_could_not_be_written_may_come_again(client, told, monkeypatch, press, incident):
    request = press()
    with monkeypatch.context() as broken:
        broken.setattr(type(told.desk.incidents), "apply", fail)
        assert post(client, "orders", request).status_code == 503
    assert now(told, incident).state is IncidentState.OPEN
    assert post(client, "orders", request).status_code == 200
    assert now(told, incident).state is IncidentState.ACKNOWLEDGED


@pytest.mark.parametrize("fails", [False, True])
def test_a_press_is_answered_while_others_write_and_done_after_that(
    client, told, monkeypatch, caplog, press, incident, fails
):
    assert hooks.ANSWER_WITHIN_S < 3
    written, go_on = type(told.desk.incidents).apply, threading.Event()

    def wait(*arguments):
        assert go_on.wait(60)
        return fail() if fails else written(*arguments)

    monkeypatch.setattr(type(told.desk.incidents), "apply", wait)
    monkeypatch.setattr(hooks, "ANSWER_WITHIN_S", 0.01)
    requests = [press()] * 2 + [press(SILENCE, "clew-999-0123456789ab")] * 5
    assert [post(client, "orders", each).status_code for each in requests] == [200] * 7
    assert now(told, incident).state is IncidentState.OPEN
    go_on.set()
    until(lambda: "can't be reached" in caplog.text if fails else now(told, incident).acknowledged_by)
    assert (now(told, incident).state is IncidentState.OPEN) is fails


def until(holds):
    for _ in range(6_000):
        if holds():
            return
        threading.Event().wait(0.01)
    raise AssertionError("it did not come")


def fail(*_):
    raise ControlError("the control database can't be reached")


def test_only_so_many_requests_are_remembered():
    replays = Replays(2)
    assert [replays.first(mark) for mark in (b"a", b"b", b"a", b"c", b"a", b"c")] == [
        True,
        True,
        False,
        True,
        True,
        False,
    ]
    replays.forget(b"c")
    assert replays.first(b"c")
