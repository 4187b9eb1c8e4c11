"""Each kind of channel tells its vendor over real sockets, and takes what the vendor answers."""

import dataclasses
import socket

import pytest

from clew.model.errors import ChannelBusy, ChannelRefused
from clew.model.incident import NoticeKind
from clew.model.rule import Severity
from clew.notify.channels.contract import Reminding
from clew.notify.channels.http import Http
from clew.notify.channels.keys import vendor_key
from tests.fakes.alertmanager import FakeAlertmanager
from tests.fakes.mail import FakeMail
from tests.fakes.opsgenie import FakeOpsgenie
from tests.fakes.pagerduty import FakePagerDuty
from tests.fakes.server import BROKEN, BUSY, GONE, Reply, running
from tests.fakes.slack import FakeSlack
from tests.fakes.webhook import FakeReceiver
from tests.notify.channels.notices import AT, INCIDENT, MINUTE, notice, open_channel

KEY = vendor_key(INCIDENT)
LIFE = [NoticeKind.OPENED, NoticeKind.ESCALATED, NoticeKind.UPDATED, NoticeKind.ACKNOWLEDGED, NoticeKind.RESOLVED]
ENV = {
    "TOKEN": FakeSlack.token,
    "SIGNING": FakeSlack.signing_secret,
    "ROUTING": FakePagerDuty.routing_key,
    "GENIE": FakeOpsgenie.api_key,
    "HOOK": FakeReceiver.secret,
    "MAIL": FakeMail.password,
}


def slack_of(fake):
    line = f"{{kind: slack, api: '{fake.api}', token: env:TOKEN, channel: C024BE91L, signing_secret: env:SIGNING, "
    return open_channel(line + "allow_private: [127.0.0.1]}", ENV)


def slack_hook_of(fake):
    return open_channel(
        "{kind: slack, webhook: env:URL, allow_private: [127.0.0.1]}", ENV | {"URL": fake.url + fake.hook}
    )


def pagerduty_of(fake):
    line = f"{{kind: pagerduty, api: '{fake.url}', routing_key: env:ROUTING, allow_private: [127.0.0.1]}}"
    return open_channel(line, ENV)


def opsgenie_of(fake):
    line = f"{{kind: opsgenie, api: '{fake.url}', api_key: env:GENIE, teams: [crm], allow_private: [127.0.0.1]}}"
    return open_channel(line, ENV)


def webhook_of(fake):
    fake.now_s = lambda: AT / 1e9
    return open_channel(f"{{kind: webhook, url: '{fake.url}/in', secret: env:HOOK, allow_private: true}}", ENV)


def alertmanager_of(*fakes):
    urls = ", ".join(f"'{fake.url}'" for fake in fakes)
    return open_channel(f"{{kind: alertmanager, urls: [{urls}], allow_private: [127.0.0.1]}}", ENV)


VENDORS = [
    pytest.param(FakeSlack, slack_of, id="slack"),
    pytest.param(FakeSlack, slack_hook_of, id="slack webhook"),
    pytest.param(FakePagerDuty, pagerduty_of, id="pagerduty"),
    pytest.param(FakeOpsgenie, opsgenie_of, id="opsgenie"),
    pytest.param(FakeReceiver, webhook_of, id="webhook"),
    pytest.param(FakeAlertmanager, alertmanager_of, id="alertmanager"),
]


def tell(channel, kinds, refs=None):
    """Send notices of these kinds as the delivery does: what was answered goes into the next one."""
    refs = dict(refs or {})
    for number, kind in enumerate(kinds, 1):
        refs |= channel.sender.send(notice(kind, number, refs=dict(refs)), AT)
    return refs


@pytest.mark.parametrize(("make", "channel_of"), VENDORS)
def test_a_whole_life_is_told_by_the_rules_of_the_vendor(make, channel_of):
    with running(make) as fake:
        tell(channel_of(fake), [*LIFE, NoticeKind.SUMMARY, NoticeKind.TEST])
        assert fake.wrong == []


@pytest.mark.parametrize(("make", "channel_of"), VENDORS)
@pytest.mark.parametrize(
    ("fault", "raised", "wait_s"),
    [
        pytest.param(BUSY, ChannelBusy, 7, id="429"),
        pytest.param(BROKEN, ChannelBusy, None, id="500"),
        pytest.param(GONE, ChannelBusy, None, id="gone"),
        pytest.param(Reply(slow_s=30), ChannelBusy, None, id="slow"),
        pytest.param(Reply(401, b"bad key"), ChannelRefused, None, id="401"),
        pytest.param(Reply(403, b"invalid_token"), ChannelRefused, None, id="403"),
        pytest.param(Reply(404, b"no_service"), ChannelRefused, None, id="404"),
        pytest.param(Reply(410, b"channel_is_archived"), ChannelRefused, None, id="410"),
    ],
)
def test_what_may_pass_is_tried_again_and_what_may_not_is_refused(make, channel_of, fault, raised, wait_s, monkeypatch):
    with running(make) as fake:
        hasty = Http(timeout_s=0.3 if fault.slow_s else 60)
        monkeypatch.setattr("tests.notify.channels.notices.Http", lambda timeout_s: hasty)
        channel = channel_of(fake)
        fake.faults = [fault]
        with pytest.raises(raised) as caught:
            channel.sender.send(notice(), AT)
        assert getattr(caught.value, "retry_after_s", None) == wait_s
        assert not any(secret in str(caught.value) for secret in (*ENV.values(), "hush"))
        monkeypatch.undo()
        channel_of(fake).sender.send(notice(), AT)
        assert fake.wrong == []


def unknown(host, port):
    raise socket.gaierror(-3, "Temporary failure in name resolution")


@pytest.mark.parametrize(("make", "channel_of"), VENDORS)
@pytest.mark.parametrize("trouble", ["resolved", "SSL"])
def test_a_name_without_address_and_an_end_without_tls_may_pass(make, channel_of, trouble, monkeypatch):
    with running(make) as fake:
        if trouble == "SSL":
            monkeypatch.setattr(make, "url", property(lambda self: f"https://127.0.0.1:{self.port}"))
        else:
            monkeypatch.setattr("tests.notify.channels.notices.Http", lambda timeout_s: Http(resolve=unknown))
        with pytest.raises(ChannelBusy, match=trouble):
            channel_of(fake).sender.send(notice(), AT)
        assert fake.requests == []


def test_slack_keeps_one_message_an_incident_and_tells_changes_in_its_thread():
    with running(FakeSlack) as fake:
        refs = tell(slack_of(fake), LIFE)
        ((ts, message),) = fake.messages.items()
        assert refs == {"channel": fake.channel, "ts": ts}
        assert "resolved by clew" in str(message)
        assert [each["text"].partition(":")[0] for each in fake.replies[ts]] == [
            "Escalated", "Updated", "Acknowledged", "Resolved",
        ]  # fmt: skip


def test_slack_begins_anew_when_somebody_deleted_the_message():
    with running(FakeSlack) as fake:
        channel = slack_of(fake)
        refs = tell(channel, [NoticeKind.OPENED])
        fake.delete(refs["ts"])
        again = channel.sender.send(notice(NoticeKind.UPDATED, 2, refs=refs), AT)
        assert again["ts"] in fake.messages
        assert again["ts"] != refs["ts"]


def test_slack_goes_on_in_the_thread_when_the_message_cannot_be_edited_any_more():
    with running(FakeSlack) as fake:
        channel = slack_of(fake)
        refs = tell(channel, [NoticeKind.OPENED])
        fake.errors = ["edit_window_closed"]
        assert channel.sender.send(notice(NoticeKind.UPDATED, 2, refs=refs), AT) == refs
        assert len(fake.replies[refs["ts"]]) == 1


@pytest.mark.parametrize(
    ("error", "raised", "mend"),
    [
        ("invalid_auth", ChannelRefused, "bot token"),
        ("channel_not_found", ChannelRefused, "channel's id"),
        ("not_in_channel", ChannelRefused, "invite the app"),
        ("missing_scope", ChannelRefused, "chat:write"),
        ("something_new", ChannelRefused, "reference"),
        ("ratelimited", ChannelBusy, "ratelimited"),
        ("internal_error", ChannelBusy, "internal_error"),
        ("message_limit_exceeded", ChannelBusy, "message_limit_exceeded"),
    ],
)
def test_slack_says_no_in_an_answer_of_200(error, raised, mend):
    with running(FakeSlack) as fake:
        fake.errors = [error]
        with pytest.raises(raised, match=mend):
            slack_of(fake).sender.send(notice(), AT)


def test_slack_that_answers_no_json_is_busy():
    with running(FakeSlack) as fake:
        fake.faults = [Reply(200, b"<html>"), Reply(200, b"[]")]
        for _ in range(2):
            with pytest.raises(ChannelBusy):
                slack_of(fake).sender.send(notice(), AT)


def test_pagerduty_has_one_alert_an_incident_whatever_is_repeated():
    with running(FakePagerDuty) as fake:
        tell(pagerduty_of(fake), [kind for kind in LIFE for _ in range(2)])
        assert fake.opened == [KEY]
        assert fake.alerts[KEY]["state"] == "resolved"


def test_pagerduty_hears_of_another_severity():
    worse = dataclasses.replace(INCIDENT, severity=Severity.CRITICAL)
    with running(FakePagerDuty) as fake:
        channel = pagerduty_of(fake)
        channel.sender.send(notice(), AT)
        channel.sender.send(notice(NoticeKind.UPDATED, 2, incident=worse), AT)
        assert fake.alerts[KEY]["event"]["payload"]["severity"] == "critical"


def test_a_test_leaves_nothing_open():
    with running(FakePagerDuty) as pagerduty, running(FakeOpsgenie) as opsgenie:
        pagerduty_of(pagerduty).sender.send(notice(NoticeKind.TEST), AT)
        opsgenie_of(opsgenie).sender.send(notice(NoticeKind.TEST), AT)
        assert [each["state"] for each in pagerduty.alerts.values()] == ["resolved"]
        assert [each["status"] for each in opsgenie.alerts.values()] == ["closed"]


def test_pagerduty_refuses_another_key_and_the_message_says_what_to_mend():
    with running(FakePagerDuty) as fake:
        fake.routing_key = "f" * 32
        with pytest.raises(ChannelRefused, match=r"Invalid routing key.*check routing_key"):
            pagerduty_of(fake).sender.send(notice(), AT)


def test_opsgenie_is_told_of_changes_by_priority_and_note():
    worse = dataclasses.replace(INCIDENT, severity=Severity.CRITICAL)
    with running(FakeOpsgenie) as fake:
        channel = opsgenie_of(fake)
        refs = channel.sender.send(notice(), AT)
        assert refs == {"alias": KEY, "request_id": "r1"}
        channel.sender.send(notice(NoticeKind.UPDATED, 2, incident=worse, text="Now critical.", refs=refs), AT)
        alert = fake.alerts[KEY]
        assert (alert["priority"], alert["notes"], alert["count"]) == ("P1", ["It changed. Now critical."], 1)
        tell(channel, [NoticeKind.ACKNOWLEDGED, NoticeKind.RESOLVED], refs)
        assert (alert["acknowledged"], alert["status"]) == (True, "closed")


def test_a_webhook_is_signed_and_repeats_have_one_id():
    with running(FakeReceiver) as fake:
        channel = webhook_of(fake)
        for _ in range(2):
            channel.sender.send(notice(), AT)
        assert list(fake.documents) == ["clew-7-1"]
        assert len(fake.requests) == 2
        assert fake.documents["clew-7-1"]["incident"]["key"] == KEY


def test_alertmanager_fires_while_it_is_told_and_ends_with_the_incident():
    with running(FakeAlertmanager) as fake:
        channel = alertmanager_of(fake)
        assert isinstance(channel.sender, Reminding)
        refs = tell(channel, [NoticeKind.OPENED])
        assert fake.firing(AT + 3 * MINUTE)
        assert fake.firing(AT + 5 * MINUTE) == []
        channel.sender.remind([notice(refs=refs)], AT + 3 * MINUTE)
        assert len(fake.firing(AT + 5 * MINUTE)) == 1
        channel.sender.send(notice(NoticeKind.RESOLVED, 2, refs=refs), AT + 5 * MINUTE)
        assert fake.firing(AT + 5 * MINUTE) == []
        assert fake.wrong == []


def test_one_member_of_an_alertmanager_cluster_is_enough():
    with running(FakeAlertmanager) as one, running(FakeAlertmanager) as other:
        channel = alertmanager_of(one, other)
        one.always = BROKEN
        channel.sender.send(notice(), AT)
        assert len(other.alerts) == 1
        other.always = Reply(404)
        with pytest.raises(ChannelBusy):
            channel.sender.send(notice(), AT)
