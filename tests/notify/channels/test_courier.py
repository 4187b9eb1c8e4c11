"""What waits in the outbox is told at least once and in order, whatever vendors, networks and processes do."""

import threading
from collections import defaultdict

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clew.model.errors import ChannelBusy, ChannelRefused
from clew.notify.channels.contract import PAGING
from clew.notify.outbox import LONGEST_WAIT_S, back_off_s
from tests.fakes.pagerduty import FakePagerDuty
from tests.fakes.server import BROKEN, BUSY, GONE, Reply, running
from tests.notify.channels.house import OPENED, RESOLVED, UPDATED, Killed, Script, die
from tests.notify.channels.notices import MINUTE, open_channel


def test_notices_of_an_incident_are_told_in_order_with_what_was_answered(house):
    slack = Script()
    house.begin(slack=slack)
    house.tell(OPENED, UPDATED, RESOLVED)
    house.run(every=1)
    assert [(notice.kind, notice.refs) for notice in slack.got] == [
        (OPENED, {}), (UPDATED, {"seen": "1"}), (RESOLVED, {"seen": "2"}),
    ]  # fmt: skip


def test_a_dead_channel_is_tried_less_and_less_and_holds_up_no_other(house):
    dead, fine = Script(*[ChannelBusy("gone")] * 10_000), Script()
    house.begin(dead=dead, fine=fine)
    for _ in range(5):
        house.tell(OPENED, channels=("dead", "fine"))
    house.step()
    house.step()
    assert len(fine.got) == 5
    tries = []
    for _ in range(2):
        before = len(dead.outcomes)
        for _ in range(120):
            house.step(30)
        tries.append(before - len(dead.outcomes))
    assert max(tries[1:]) <= 61
    assert house.courier.troubles() == {"dead": "gone"}
    dead.outcomes.clear()
    house.run(seconds=2 * LONGEST_WAIT_S)
    assert len(dead.got) == 5
    assert house.courier.troubles() == {}


def test_who_goes_on_for_another_tries_at_once_and_tells_of_trouble_when_it_begins_and_when_it_ends(house, caplog):
    house.begin(dead=Script(*[ChannelBusy("Connection refused")] * 100))
    house.tell(OPENED, channels=("dead",))
    for _ in range(40):
        house.step(30)
    before = house.courier
    mended = Script(ChannelBusy("Connection refused"))
    house.begin(dead=mended)
    house.courier.follow(before)
    assert house.courier.troubles() == {"dead": "Connection refused"}
    house.step()
    assert (mended.outcomes, house.courier.troubles()) == ([], {"dead": "Connection refused"})
    before = house.courier
    house.begin(dead=mended)
    house.courier.follow(before)
    house.step()
    assert (len(mended.got), house.courier.troubles()) == (1, {})
    said = [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]
    assert said == [
        "channel dead can't be told: Connection refused; it is tried again, and what it is to tell waits",
        "channel dead is told again",
    ]


def test_three_days_without_a_network_and_a_restart_each_day_lose_and_shuffle_nothing(house):
    slack = Script(*[ChannelBusy("no route to host")] * 1_000)
    told = [house.tell(OPENED, UPDATED, RESOLVED) for _ in range(3)]
    for _ in range(3):
        house.begin(slack=slack)
        for _ in range(48):
            house.step(1_800)
    assert (slack.got, house.outbox.counts()["waiting"]) == ([], 9)
    slack.outcomes.clear()
    house.run()
    for incident in told:
        assert [each.number for each in slack.got if each.incident.id == incident.id] == [1, 2, 3]


def test_a_vendor_is_left_alone_for_as_long_as_it_asks(house):
    slack = Script(ChannelBusy("slow down", retry_after_s=90))
    house.begin(slack=slack)
    house.tell(OPENED)
    house.tell(OPENED)
    house.step()
    house.step(89)
    assert slack.got == []
    house.step(2)
    assert len(slack.got) == 2


def test_one_notice_that_a_vendor_cannot_take_holds_up_no_other_incident(house):
    class Picky(Script):
        def send(self, notice, now_ns):
            if notice.incident.title == "poison":
                raise ChannelBusy("500")
            return super().send(notice, now_ns)

    slack = Picky()
    house.begin(slack=slack)
    house.tell(OPENED, title="poison")
    for _ in range(20):
        house.tell(OPENED)
    house.run(seconds=60, every=1)
    assert len(slack.got) == 20


def test_a_mistake_of_ours_in_one_notice_is_told_in_its_record_and_holds_up_no_other(house):
    slack = Script(ZeroDivisionError("hush"))
    house.begin(slack=slack)
    first = house.tell(OPENED)
    house.tell(OPENED)
    house.step()
    assert len(slack.got) == 1
    assert house.outbox.told(first.id)[0].error == "Clew failed to make it: ZeroDivisionError"
    house.run()
    assert len(slack.got) == 2


def test_what_a_channel_refuses_is_told_over_the_next_one_of_the_policy(house):
    slack, duty, mail = Script(*[ChannelRefused("invalid_auth; mend")] * 3), Script(), Script()
    house.begin(slack=slack, duty=duty, mail=mail)
    incident = house.tell(OPENED)
    house.run()
    assert [notice.kind for notice in duty.got] == [OPENED]
    assert "invalid_auth; mend" in duty.got[0].text
    assert mail.got == []
    assert house.courier.troubles() == {"slack": "invalid_auth; mend"}
    assert "duty is told instead" in house.incidents.transitions(incident.id)[-1].text


def test_where_all_channels_refuse_it_ends_and_is_shown_as_trouble(house):
    refusing = {name: Script(*[ChannelRefused("no")] * 50) for name in ("slack", "duty", "mail")}
    house.begin(**refusing)
    house.tell(OPENED)
    house.run()
    assert house.outbox.counts() == {"waiting": 0, "sent": 0, "given_up": 3, "summed": 0}
    assert set(house.courier.troubles()) == set(refusing)


def test_a_channel_that_the_file_does_not_name_any_more_is_given_up_and_another_one_told(house):
    duty = Script()
    house.begin(duty=duty)
    house.tell(OPENED, channels=("slack",))
    house.run()
    assert "The channel slack was removed before it told this (opened): notify.yaml has no such" in duty.got[0].text


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_notice_survives_a_kill_and_keeps_its_key(house, moment, monkeypatch):
    slack = Script()
    house.begin(slack=slack)
    house.tell(OPENED, RESOLVED)
    with monkeypatch.context() as patch:
        if moment == "after":
            patch.setattr(house.outbox, "sent", die)
        else:
            patch.setattr(slack, "send", die)
        house.step()
    sent_before = list(slack.keys)
    house.begin(slack=slack)
    house.run(every=1)
    keys = ["clew-1-1", "clew-1-2"]
    assert slack.keys == (["clew-1-1", *keys] if moment == "after" else keys)
    assert sent_before == keys[: moment == "after"]


def test_pagerduty_has_one_incident_whatever_the_network_and_the_process_do(house, monkeypatch):
    with running(FakePagerDuty) as fake:
        line = f"{{kind: pagerduty, api: '{fake.url}', routing_key: env:K, allow_private: [127.0.0.1]}}"
        channel = open_channel(line, {"K": fake.routing_key})
        fake.faults = [BROKEN, BUSY, GONE, Reply(503)]
        house.tell(OPENED, UPDATED, RESOLVED, channels=("duty",))
        with monkeypatch.context() as patch:
            patch.setattr(house.outbox, "sent", die)
            for _ in range(5):
                house.begin(duty=channel.sender)
                house.step(60)
        assert len(fake.opened) == 1
        for _ in range(5):
            house.begin(duty=channel.sender, limited=PAGING)
            house.run(seconds=100)
        assert (len(fake.opened), fake.wrong) == (1, [])
        assert [alert["state"] for alert in fake.alerts.values()] == ["resolved"]


def test_vendors_that_forget_are_reminded_of_what_lasts(house):
    class Forgetful(Script):
        remind_every_ns = MINUTE

        def __init__(self):
            super().__init__()
            self.reminded = []

        def remind(self, notices, now_ns):
            self.reminded.append([notice.incident.key for notice in notices])

    manager = Forgetful()
    house.begin(am=manager)
    house.tell(OPENED, channels=("am",))
    house.step()
    house.step()
    assert manager.reminded == [["k0"]]
    house.step(59)
    house.step(2)
    assert manager.reminded == [["k0"], ["k0"]]


def test_a_slow_channel_keeps_no_other_waiting(house):
    begun, go_on = threading.Event(), threading.Event()

    class Slow(Script):
        def send(self, notice, now_ns):
            begun.set()
            assert go_on.wait(60)
            return super().send(notice, now_ns)

    slow, fine = Slow(), Script()
    house.begin(slow=slow, fine=fine)
    house.tell(OPENED, channels=("slow", "fine"))
    house.courier.step(house.now_ns)
    assert begun.wait(60)
    house.tell(OPENED, channels=("slow", "fine"))
    for _ in range(2_000):
        house.courier.step(house.now_ns)
        if len(fine.got) == 2:
            break
        threading.Event().wait(0.01)
    assert len(fine.got) == 2
    assert slow.got == []
    go_on.set()
    house.step()
    house.step()
    assert len(slow.got) == 2


OUTCOMES = st.sampled_from(
    [None, None, ChannelBusy("b"), ChannelBusy("b", 3.0), ValueError("v"), Killed(), "lost mark"]
)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(OUTCOMES, max_size=12), st.lists(st.integers(1, 4), min_size=1, max_size=4), st.sampled_from([0, 2]))
def test_nothing_is_lost_and_nothing_overtakes(house, outcomes, lives, per_minute):
    script = [each for each in outcomes if each != "lost mark"]
    slack = Script(*script)
    wanted = [house.tell(*[OPENED, UPDATED, UPDATED, RESOLVED][:life]) for life in lives]
    for outcome in outcomes:
        house.begin(per_minute=per_minute, slack=slack)
        if outcome == "lost mark":
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(house.outbox, "sent", die)
                house.step(7)
        house.step(700)
    house.begin(per_minute=per_minute, slack=slack)
    house.run(seconds=60_000, every=61)
    told = defaultdict(list)
    for notice in slack.got:
        told[notice.incident.id].append(notice.number)
    for incident, life in zip(wanted, lives, strict=True):
        states = [each.state for each in house.outbox.told(incident.id)]
        assert set(states) <= {"sent", "summed"}
        alone = [number for number, state in enumerate(states, 1) if state == "sent"]
        first_times = list(dict.fromkeys(told[incident.id]))
        assert first_times == sorted(first_times)
        assert set(alone) <= set(first_times)
        assert len(states) == life


@pytest.mark.parametrize(
    ("attempts", "chance", "wait"), [(0, 0, 1), (1, 0, 2), (5, 0, 32), (5, 1, 16), (10**6, 0, 600)]
)
def test_waits_double_up_to_ten_minutes(attempts, chance, wait):
    assert back_off_s(attempts, LONGEST_WAIT_S, chance) == wait
