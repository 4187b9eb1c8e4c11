"""What is built for each vendor keeps the vendor's limits, whatever the texts are."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clew.model.incident import Notice, NoticeKind
from clew.model.rule import Severity
from clew.model.secret import Secret
from clew.notify.channels import texts
from clew.notify.channels.alertmanager import payload as alertmanager
from clew.notify.channels.email import payload as email
from clew.notify.channels.keys import incident_of, notice_key, vendor_key
from clew.notify.channels.opsgenie import payload as opsgenie
from clew.notify.channels.pagerduty import payload as pagerduty
from clew.notify.channels.slack import payload as slack
from clew.notify.channels.webhook import payload as webhook
from tests.fakes.alertmanager import problems_of as alertmanager_problems
from tests.fakes.opsgenie import FakeOpsgenie
from tests.fakes.pagerduty import FakePagerDuty
from tests.fakes.server import Request
from tests.fakes.slack import problems_of as slack_problems
from tests.fakes.webhook import genuine
from tests.notify.channels.notices import AT, INCIDENT, MINUTE, NOTICE, notice

SLACK = slack.SlackOptions("C024BE91L", buttons=True)
MAIL = email.MailOptions("clew@example.org", ("duty@example.org", "boss@example.org"))

NASTY = [
    "<!channel> & </a>",
    "a\r\nBcc: x@y.z",
    "\ud800",
    "\x00\x1b[31m",
    "`*_~|>",
    "😀" * 3_000,
    "&" * 9_000,
    "",
    "x" * 20_000,
]
anything = st.one_of(st.sampled_from(NASTY), st.text(st.characters(), max_size=300))
some = st.lists(anything, max_size=30).map(tuple)
labels = st.dictionaries(anything, anything, max_size=30)


@st.composite
def notices(draw: st.DrawFn) -> Notice:
    incident = replace(
        INCIDENT, title=draw(anything), rule=draw(anything), reason=draw(anything), owner=draw(anything),
        runbook=draw(st.one_of(anything, anything.map("https://x.org/".__add__))), labels=draw(labels),
        severity=draw(st.sampled_from(Severity)), key=draw(anything),
    )  # fmt: skip
    made = notice(draw(st.sampled_from(NoticeKind)), incident=incident)
    by = draw(anything)
    return replace(
        made, incident=replace(made.incident, acknowledged_by=by, resolved_by=by), text=draw(anything),
        order_ids=draw(some), orders=draw(st.integers(0, 10**6)), trace_ids=draw(some), reasons=draw(some),
        url=draw(st.sampled_from(["", "https://clew.example.org/incidents/7", "https://x/>|<", "javascript:alert(1)"])),
        refs=draw(st.sampled_from([{}, {"ts": "1", "channel": "C", "severity": "info"}])),
    )  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(notices())
def test_slack_takes_every_message(made):
    assert slack_problems(slack.build(made, SLACK)) == []
    assert slack_problems(slack.build_reply(made, SLACK, "17.1")) == []


@settings(max_examples=25, deadline=None)
@given(notices())
def test_pagerduty_takes_every_event(made):
    event = pagerduty.build(made) | {"routing_key": FakePagerDuty.routing_key}
    body = json.dumps(event).encode()
    assert FakePagerDuty._problems_of(FakePagerDuty, Request("POST", "/v2/enqueue", {}, body)) == []


@settings(max_examples=25, deadline=None)
@given(notices())
def test_opsgenie_takes_every_request(made):
    fake = FakeOpsgenie.__new__(FakeOpsgenie)
    fake.alerts, fake.opened, fake.wrong, fake.requests = {}, [], [], []
    for request in opsgenie.build(made, ["crm"]):
        headers = {"authorization": f"GenieKey {fake.api_key}"}
        sent = Request(request.method, f"/v2/alerts{request.path}", headers, json.dumps(request.body).encode())
        assert (fake.answer(sent).status, fake.wrong) == (202, [])


@settings(max_examples=25, deadline=None)
@given(notices())
def test_alertmanager_takes_every_alert(made):
    alerts = alertmanager.build(made, AT, MINUTE)
    assert [each for alert in alerts for each in alertmanager_problems(alert)] == []
    json.dumps(alerts).encode()


@settings(max_examples=25, deadline=None)
@given(notices())
def test_a_mail_has_its_own_headers_and_no_others(made):
    mail = email.build(made, MAIL, AT)
    head = bytes(mail).partition(b"\r\n\r\n")[0].decode("ascii")
    names = [line.partition(":")[0] for line in head.split("\r\n") if not line.startswith((" ", "\t"))]
    known = {"From", "To", "Subject", "Date", "Message-ID", "In-Reply-To", "References", "Auto-Submitted"}
    assert set(names) <= known | {"MIME-Version", "Content-Type"}
    assert len(names) == len(set(names))
    assert (mail["To"], mail["From"]) == ("duty@example.org, boss@example.org", "clew@example.org")


@settings(max_examples=25, deadline=None)
@given(notices())
def test_a_webhook_document_is_json_of_a_bounded_size(made):
    body = json.dumps(webhook.build(made), ensure_ascii=False).encode()
    assert len(body) < 2 << 20


@given(anything, st.integers(1, 200))
def test_an_escaped_text_fits_and_calls_nobody(text, most):
    escaped = slack.escape(text, most)
    assert texts.length(escaped) <= most
    assert not set("<>") & set(escaped)
    assert "&" not in escaped.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "")


@given(anything, st.integers(1, 200))
def test_a_cut_text_fits_and_says_that_it_was_cut(text, most):
    cut = texts.cut(text, most)
    assert texts.length(cut) <= most
    assert cut == text or cut.endswith("…")


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (NoticeKind.OPENED, "CRM team must act: nobody has acknowledged this yet."),
        (NoticeKind.ESCALATED, "Nobody has acknowledged this for 1 min: CRM team must act."),
        (NoticeKind.UPDATED, "It changed. Now 300 orders."),
        (NoticeKind.ACKNOWLEDGED, "Anna is looking into it."),
        (NoticeKind.RESOLVED, "Resolved by clew after 34 min."),
        (NoticeKind.TEST, "This is a test of Clew's notices; nothing is wrong."),
    ],
)
def test_each_kind_of_notice_says_what_happened_and_who_must_act(kind, said):
    made = notice(kind, text="Now 300 orders." if kind is NoticeKind.UPDATED else "")
    assert texts.what_happened(made) == said
    assert said in texts.plain(made)
    assert said.replace("'", "&#x27;") in str(email.build(made, MAIL, AT).get_body(("html",)).get_content())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Anna acknowledged it, and 2 alerts still fire.",
         "CRM team must act. Anna acknowledged it, and 2 alerts still fire."),
        ("", "Anna acknowledged it, but it goes on: CRM team must act."),
    ],
)  # fmt: skip
def test_who_is_called_after_a_stale_acknowledgement_does_not_read_that_nobody_acknowledged(text, said):
    stale = replace(INCIDENT, acknowledged_ns=AT - MINUTE, acknowledged_by="Anna")
    assert texts.what_happened(notice(NoticeKind.ESCALATED, incident=stale, text=text)) == said


def test_the_plain_text_tells_since_when_how_many_who_where_and_how_to_go_on():
    told = texts.plain(NOTICE)
    for part in (
        "Orders are stuck in SUBMITTED", "Since: 2026-11-22 11:26:00 UTC (34 min)", "12 orders, 11 of 12 alerts firing",
        "Who must act: CRM team", "Orders: 4711, 4712 and 10 more", "Traces: 4bf92f3577b34da6a3ce929d0e0e4736",
        "Runbook: https://wiki.example.org/stuck?a=1&b=2", "Page: https://clew.example.org/incidents/7",
        "Nobody has taken order 4711 from crm.orders for 34 min.",
    ):  # fmt: skip
        assert part in told


def test_a_slack_message_has_buttons_only_while_somebody_can_press_them():
    def buttons(made, options=SLACK):
        return [each["action_id"] for block in slack.build(made, options)["blocks"] for each in block.get("elements", [])
                if each["type"] == "button"]  # fmt: skip

    assert buttons(notice()) == ["clew_acknowledge", "clew_silence"]
    assert buttons(notice(NoticeKind.ACKNOWLEDGED)) == ["clew_silence"]
    assert buttons(notice(NoticeKind.RESOLVED)) == []
    assert buttons(notice(), slack.SlackOptions("C1")) == []


def test_only_an_escalation_leaves_the_thread():
    assert slack.build_reply(notice(NoticeKind.ESCALATED), SLACK, "1.1")["reply_broadcast"] is True
    assert "reply_broadcast" not in slack.build_reply(notice(NoticeKind.UPDATED), SLACK, "1.1")


@pytest.mark.parametrize(
    ("kind", "action"),
    [(NoticeKind.OPENED, "trigger"), (NoticeKind.ESCALATED, "trigger"), (NoticeKind.UPDATED, "trigger"),
     (NoticeKind.ACKNOWLEDGED, "acknowledge"), (NoticeKind.RESOLVED, "resolve")],
)  # fmt: skip
def test_all_events_of_an_incident_have_one_dedup_key(kind, action):
    event = pagerduty.build(notice(kind, number=5))
    assert (event["event_action"], event["dedup_key"]) == (action, vendor_key(INCIDENT))


def test_a_vendor_key_names_its_incident_and_no_other():
    key = vendor_key(INCIDENT)
    assert incident_of(key) == 7
    assert key != vendor_key(replace(INCIDENT, opened_ns=INCIDENT.opened_ns + 1))
    assert vendor_key(replace(INCIDENT, key="x" * 255, id=10**17))[:5] == "clew-"
    assert len(vendor_key(replace(INCIDENT, id=10**17))) <= 36
    assert [incident_of(each) for each in ("", "clew-7", "clew-x-0123456789ab", key + "0", "web-7-0123456789ab")] == [
        None
    ] * 5
    assert notice_key(notice(NoticeKind.TEST, number=3)) == "clew-7-3"


@pytest.mark.parametrize(
    ("severity", "priority"), [("critical", "P1"), ("error", "P2"), ("warning", "P3"), ("info", "P5")]
)
def test_severities_become_priorities(severity, priority):
    assert opsgenie.priority(notice(incident=replace(INCIDENT, severity=Severity(severity)))) == priority


def test_a_change_of_severity_ends_the_alert_that_alertmanager_knows():
    made = notice(
        NoticeKind.UPDATED, incident=replace(INCIDENT, severity=Severity.CRITICAL), refs={"severity": "error"}
    )
    now, before = alertmanager.build(made, AT, MINUTE)
    assert (now["labels"]["severity"], now["endsAt"]) == ("critical", "2026-11-22T12:04:00.000Z")
    assert (before["labels"]["severity"], before["endsAt"]) == ("error", "2026-11-22T12:00:00.000Z")
    assert {**now["labels"], "severity": ""} == {**before["labels"], "severity": ""}


def test_mails_of_an_incident_are_one_thread_and_repeats_have_one_id():
    first, again = email.build(notice(), MAIL, AT), email.build(notice(), MAIL, AT + MINUTE)
    later = email.build(notice(NoticeKind.RESOLVED, number=2, refs={"thread": "x"}), MAIL, AT)
    assert first["Message-ID"] == again["Message-ID"] == later["References"] == later["In-Reply-To"]
    assert later["Message-ID"] != first["Message-ID"]
    assert later["Subject"] == f"Re: {first['Subject']}"


def test_a_webhook_signature_is_right_for_its_body_and_moment_only():
    body, secret = b'{"a": 1}', Secret("s3cret")
    signature = webhook.sign(body, AT, secret)
    assert genuine(body, signature, "s3cret", AT / 1e9)
    assert not genuine(body + b" ", signature, "s3cret", AT / 1e9)
    assert not genuine(body, signature, "other", AT / 1e9)
    assert not genuine(body, signature, "s3cret", AT / 1e9 + 301)
