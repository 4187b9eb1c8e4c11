"""The outbox hands out notices in order for each incident and channel, until each was told, summed up or given up."""

from dataclasses import replace

import pytest
from sqlalchemy import event

from clew.control.contract import Change, Telling
from clew.control.incidents import SqlIncidents
from clew.control.outbox import SqlOutbox
from clew.model.alert import Alert, AlertPhase, Finding
from clew.model.incident import Incident, IncidentState, NoticeKind, Transition, TransitionKind
from clew.model.rule import Severity

AT = 1_795_348_800_000_000_000
SECOND = 10**9

OPENED, UPDATED, ESCALATED, RESOLVED = (
    NoticeKind.OPENED, NoticeKind.UPDATED, NoticeKind.ESCALATED, NoticeKind.RESOLVED,
)  # fmt: skip


@pytest.fixture
def outbox(database):
    return SqlOutbox(database, lambda number: f"https://clew.example.org/incidents/{number}")


@pytest.fixture
def incidents(database):
    return SqlIncidents(database)


def new(key: str) -> Incident:
    return Incident(
        id=0, key=key, rule="stuck", title=f"Stuck {key}", severity=Severity.ERROR, state=IncidentState.OPEN,
        labels={"stage": key}, since_ns=AT - 60 * SECOND, fired_ns=AT, opened_ns=AT, reason="It waits.",
    )  # fmt: skip


def alert(order: str, phase: AlertPhase = AlertPhase.FIRING, since_s: int = 60) -> Alert:
    finding = Finding("stuck", f"order:{order}", f"Order {order} waits.", AT - since_s * SECOND, order_id=order,
                      trace_ids=(f"trace-{order}",))  # fmt: skip
    return Alert("stuck", finding.subject, phase, finding, AT, AT, AT, AT if phase is AlertPhase.ENDED else None)


def tell(incidents: SqlIncidents, incident: Incident, *tellings: Telling, alerts: tuple[Alert, ...] = ()) -> Incident:
    written = incidents.apply(Change(incident, (Transition(AT, TransitionKind.OPENED),), tellings, alerts))
    assert written is not None
    return written


def test_a_notice_comes_with_the_incident_as_it_was_and_the_evidence_as_it_is(outbox, incidents):
    alerts = (alert("1", since_s=60), alert("2", since_s=90), alert("3", AlertPhase.ENDED, 600))
    first = tell(incidents, new("A"), Telling("slack", OPENED), alerts=alerts)
    tell(incidents, replace(first, severity=Severity.CRITICAL), Telling("slack", UPDATED, "Worse."))
    (due,) = outbox.due(AT)
    notice = due.notice
    assert (due.channel, due.attempts, notice.kind, notice.incident) == ("slack", 0, OPENED, first)
    assert (notice.order_ids, notice.orders) == (("2", "1", "3"), 3)
    assert notice.trace_ids == ("trace-2", "trace-1", "trace-3")
    assert notice.reasons[0] == "Order 2 waits."
    assert notice.url == f"https://clew.example.org/incidents/{first.id}"
    outbox.sent(due.id, AT, {"ts": "17.1"})
    (later,) = outbox.due(AT)
    assert (later.notice.kind, later.notice.text, later.notice.incident.severity) == (UPDATED, "Worse.", "critical")
    assert later.notice.refs == {"ts": "17.1"}
    assert later.notice.key != notice.key


def test_a_notice_that_waits_holds_up_only_later_ones_of_its_incident_and_channel(outbox, incidents):
    first = tell(incidents, new("A"), Telling("slack", OPENED), Telling("duty", OPENED))
    tell(incidents, first, Telling("slack", RESOLVED), Telling("duty", RESOLVED))
    tell(incidents, new("B"), Telling("slack", OPENED))
    slow = outbox.due(AT)[0]
    outbox.later(slow.id, AT + 30 * SECOND, "busy")
    due = [(each.channel, each.notice.incident.key, each.notice.kind) for each in outbox.due(AT + 29 * SECOND)]
    assert due == [("duty", "A", OPENED), ("slack", "B", OPENED)]
    again = outbox.due(AT + 30 * SECOND)[0]
    assert (again.id, again.attempts, again.notice.key) == (slow.id, 1, slow.notice.key)
    outbox.sent(again.id, AT, {})
    assert [
        each.notice.kind for each in outbox.due(AT) if each.notice.incident.key == "A" and each.channel == "slack"
    ] == [RESOLVED]


def test_busy_channels_are_left_out(outbox, incidents):
    tell(incidents, new("A"), *[Telling("slack", OPENED)], Telling("duty", OPENED))
    assert [each.channel for each in outbox.due(AT, limit=1, without={"slack"})] == ["duty"]
    assert outbox.due(AT, without={"slack", "duty"}) == []


def test_nothing_is_due_before_its_time(outbox, incidents):
    tell(incidents, new("A"), Telling("slack", OPENED))
    assert outbox.due(AT - 1) == []


def test_what_a_channel_refuses_is_noted_and_told_to_another_one_of_the_policy(outbox, incidents):
    first = tell(incidents, new("A"), Telling("slack", OPENED, "Act."))
    (due,) = outbox.due(AT)
    assert outbox.give_up(due.id, AT + 1, "invalid_auth; check the bot token", ["duty", "mail"]) == "duty"
    note = incidents.transitions(first.id)[-1]
    assert note.kind is TransitionKind.NOTE
    assert "slack refused" in note.text
    assert "duty is told instead" in note.text
    (instead,) = outbox.due(AT + 1)
    assert (instead.channel, instead.notice.kind, instead.notice.number) == ("duty", OPENED, 2)
    assert instead.notice.text.endswith("Act.")
    assert "invalid_auth" in instead.notice.text
    assert outbox.give_up(instead.id, AT + 2, "gone", ["slack", "mail"]) == "mail"
    (last,) = outbox.due(AT + 2)
    assert outbox.give_up(last.id, AT + 3, "gone", ["slack", "duty"]) is None
    assert outbox.due(AT + 9) == []
    assert outbox.counts() == {"waiting": 0, "sent": 0, "given_up": 3, "summed": 0}


def test_a_channel_that_was_called_already_hears_of_the_refusal_as_a_change(outbox, incidents):
    tell(incidents, new("A"), Telling("slack", OPENED), Telling("duty", OPENED))
    slack = outbox.due(AT)[0]
    assert outbox.give_up(slack.id, AT, "gone", ["duty"]) == "duty"
    outbox.sent(outbox.due(AT)[0].id, AT, {})
    assert [(each.channel, each.notice.kind) for each in outbox.due(AT)] == [("duty", UPDATED)]


@pytest.mark.parametrize("kind", [UPDATED, RESOLVED, NoticeKind.ACKNOWLEDGED])
def test_nobody_else_is_called_for_what_calls_nobody(outbox, incidents, kind):
    tell(incidents, new("A"), Telling("slack", kind))
    assert outbox.give_up(outbox.due(AT)[0].id, AT, "gone", ["duty"]) is None


def test_a_notice_ends_once(outbox, incidents):
    first = tell(incidents, new("A"), Telling("slack", OPENED))
    (due,) = outbox.due(AT)
    outbox.sent(due.id, AT, {"ts": "1"})
    assert outbox.give_up(due.id, AT, "gone", ["duty"]) is None
    outbox.sum_up([due.id], AT)
    outbox.later(due.id, AT, "busy")
    assert [(each.state, each.attempts, each.sent_ns) for each in outbox.told(first.id)] == [("sent", 0, AT)]


def test_summed_notices_are_done(outbox, incidents):
    numbers = [tell(incidents, new(key), Telling("slack", OPENED)).id for key in "ABC"]
    outbox.sum_up([each.id for each in outbox.due(AT)], AT)
    assert outbox.due(AT) == []
    assert {each.state for number in numbers for each in outbox.told(number)} == {"summed"}


def test_what_stands_is_what_was_told_of_incidents_that_last(outbox, incidents):
    told = tell(incidents, new("A"), Telling("am", OPENED), Telling("slack", OPENED))
    tell(incidents, new("B"), Telling("am", OPENED))
    over = tell(incidents, new("C"), Telling("am", OPENED))
    for due in outbox.due(AT):
        if due.notice.incident.key != "B":
            outbox.sent(due.id, AT, {"severity": "error"})
    worse = tell(incidents, replace(told, severity=Severity.CRITICAL))
    tell(incidents, replace(over, state=IncidentState.RESOLVED, resolved_ns=AT))
    (standing,) = outbox.standing("am")
    assert (standing.incident, standing.refs) == (worse, {"severity": "error"})
    assert outbox.standing("nobody") == []


def test_what_stands_is_found_by_its_channel_and_not_among_all_that_was_ever_told(outbox, incidents, database):
    tell(incidents, new("A"), Telling("alertmanager", OPENED))
    asked = []

    def note(_connection, _cursor, statement, values, *_):
        asked.append((statement, values))

    event.listen(database._engine, "before_cursor_execute", note)
    outbox.standing("alertmanager")
    event.remove(database._engine, "before_cursor_execute", note)
    statement, values = next(each for each in asked if "max(outbox.id)" in each[0])
    with database.reading() as connection:
        if database.dialect == "sqlite":
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all()
        else:
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")  # it scans whatever is as small as this
            plan = connection.exec_driver_sql(f"EXPLAIN {statement}", values).all()
    assert "ix_outbox_channel_state_incident_id" in str(plan)
