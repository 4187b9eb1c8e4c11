"""In a storm of incidents people hear of the worst one by one and of the rest together, and of each end at vendors."""

import dataclasses

import pytest

from clew.control.contract import Change, Telling
from clew.model.incident import IncidentState, NoticeKind
from clew.model.rule import Severity
from clew.notify.channels.contract import PAGING, SPOKEN
from clew.notify.storm import share, summary
from tests.fakes.pagerduty import FakePagerDuty
from tests.fakes.server import running
from tests.fakes.slack import FakeSlack
from tests.fakes.webhook import FakeReceiver
from tests.notify.channels.house import OPENED, RESOLVED, SECOND, Script, die
from tests.notify.channels.notices import AT, MINUTE, open_channel


def test_a_storm_is_summed_up_the_worst_told_one_by_one(house):
    slack = Script()
    house.begin(per_minute=5, slack=slack)
    for number in range(60):
        house.tell(OPENED, severity=Severity.CRITICAL if number == 50 else Severity.WARNING)
    house.step()
    *single, last = slack.got
    assert (len(single), last.kind) == (4, NoticeKind.SUMMARY)
    assert Severity.CRITICAL in {notice.incident.severity for notice in single}
    assert last.incident.title == "56 notices of 56 incidents"
    assert len(last.reasons) == 56
    assert house.outbox.counts() == {"waiting": 0, "sent": 4, "given_up": 0, "summed": 56}
    house.tell(OPENED)
    house.step(30)
    assert len(slack.got) == 5
    house.step(31)
    assert len(slack.got) == 6


def test_no_minute_has_more_notices_than_allowed(house):
    slack, times = Script(), []
    house.begin(per_minute=3, slack=slack)
    for _ in range(30):
        house.tell(OPENED)
        house.tell(OPENED)
        before = len(slack.got)
        house.step(5)
        times += [house.now_ns] * (len(slack.got) - before)
    for first in times:
        assert sum(first <= each < first + MINUTE for each in times) <= 3
    house.run()
    assert house.outbox.counts()["waiting"] == 0


def test_what_calls_nobody_passes_in_a_storm(house):
    duty = Script()
    house.begin(per_minute=1, limited=PAGING, duty=duty)
    for _ in range(3):
        house.tell(RESOLVED, channels=("duty",))
    for _ in range(3):
        house.tell(OPENED, channels=("duty",))
    house.step()
    assert [notice.kind for notice in duty.got] == [RESOLVED] * 3 + [NoticeKind.SUMMARY]


def _storm_of_ends(house, line, secrets):
    """Thirty incidents are told one by one, then end at once, more than a minute later."""
    channel = open_channel(line, secrets)
    senders = {"limited": channel.limited, "duty": channel.sender}
    house.begin(**senders)
    opened = [house.tell(OPENED, channels=("duty",)) for _ in range(30)]
    house.step()
    house.begin(per_minute=5, **senders)
    for each in opened:
        over = dataclasses.replace(each, state=IncidentState.RESOLVED, resolved_ns=house.now_ns, resolved_by="clew")
        assert house.incidents.apply(Change(over, (), (Telling("duty", RESOLVED),))) is not None
    house.step(120)
    assert house.outbox.counts() == {"waiting": 0, "sent": 60, "given_up": 0, "summed": 0}


def test_each_message_at_slack_hears_the_end_in_a_storm(house):
    with running(FakeSlack) as fake:
        line = (
            f"{{kind: slack, api: '{fake.api}', token: env:T, signing_secret: env:S, channel: {fake.channel}, "
            "allow_private: [127.0.0.1]}"
        )
        _storm_of_ends(house, line, {"T": fake.token, "S": fake.signing_secret})
        assert (len(fake.messages), fake.wrong) == (30, [])
        assert [each for each in fake.messages.values() if "clew_acknowledge" in str(each)] == []
        assert sum(len(replies) for replies in fake.replies.values()) == 5


def test_each_end_reaches_a_webhook_in_a_storm(house):
    with running(FakeReceiver) as fake:
        fake.now_s = lambda: house.now_ns / SECOND
        line = f"{{kind: webhook, url: '{fake.url}', secret: env:S, allow_private: [127.0.0.1]}}"
        _storm_of_ends(house, line, {"S": fake.secret})
        ended = [each["incident"]["id"] for each in fake.documents.values() if each["kind"] == "resolved"]
        assert sorted(ended) == list(range(1, 31))


def test_each_incident_at_pagerduty_ends_in_a_storm(house):
    with running(FakePagerDuty) as fake:
        line = f"{{kind: pagerduty, api: '{fake.url}', routing_key: env:K, allow_private: [127.0.0.1]}}"
        _storm_of_ends(house, line, {"K": fake.routing_key})
        assert [alert["state"] for alert in fake.alerts.values()] == ["resolved"] * 30


def test_a_summary_that_is_repeated_after_a_kill_has_one_key(house, monkeypatch):
    slack = Script()
    for _ in range(9):
        house.tell(OPENED)
    with monkeypatch.context() as patch:
        patch.setattr(house.outbox, "sum_up", die)
        house.begin(per_minute=1, slack=slack)
        house.step()
    house.begin(per_minute=1, slack=slack)
    house.step()
    assert [notice.kind for notice in slack.got] == [NoticeKind.SUMMARY] * 2
    assert len(set(slack.keys)) == 1


@pytest.mark.parametrize(
    ("recent", "per_minute", "single", "together", "held"),
    [(0, 10, 6, 0, False), (0, 6, 6, 0, False), (0, 5, 4, 2, False), (4, 5, 0, 6, False), (5, 5, 0, 0, True),
     (9, 5, 0, 0, True), (99, 0, 6, 0, False), (0, 1, 0, 6, False)],
)  # fmt: skip
def test_how_notices_are_shared_out(house, recent, per_minute, single, together, held):
    for _ in range(6):
        house.tell(OPENED)
    plan = share(house.outbox.due(AT), SPOKEN, recent, per_minute)
    assert (len(plan.single), len(plan.together), plan.held) == (single, together, held)


def test_a_summary_tells_each_notice_in_a_line(house):
    house.tell(OPENED)
    house.tell(RESOLVED, severity=Severity.CRITICAL)
    told = summary(house.outbox.due(AT), 10, AT)
    assert told.reasons == (
        "opened: [error] Orders are stuck in SUBMITTED (incident 1)",
        "resolved: [critical] Orders are stuck in SUBMITTED (incident 2)",
    )
    assert told.key == "clew-0-1"
