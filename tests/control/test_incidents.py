"""The contract of alerts, incidents and silences, on each database."""

import threading
from dataclasses import replace

import pytest
from sqlalchemy import event, select

from clew.control import tables
from clew.control.codec import from_json
from clew.control.contract import ActiveAlert, Change, IncidentQuery, Telling, Times
from clew.control.database import open_database
from clew.control.incidents import SqlIncidents
from clew.model.alert import Alert, AlertPhase, Finding
from clew.model.errors import ControlError
from clew.model.incident import Incident, IncidentState, NoticeKind, Transition, TransitionKind
from clew.model.rule import Severity
from clew.model.week import WeekHours

NEW = Incident(0, "k", "stuck", "Orders stuck", Severity.ERROR, IncidentState.OPEN, {"stage": "SUBMITTED"}, 1, 2, 3)
OPENED = Transition(3, TransitionKind.OPENED, text="one order is stuck")
PENDING, FIRING, ENDED = AlertPhase.PENDING, AlertPhase.FIRING, AlertPhase.ENDED


@pytest.fixture
def incidents(database):
    return SqlIncidents(database)


def alert(subject="order:1", phase=FIRING, since_ns=5, **changed):
    finding = Finding("stuck", subject, f"{subject} is stuck", since_ns, order_id=subject.removeprefix("order:"))
    ended_ns = 9 if phase is ENDED else None
    fired_ns = None if phase is PENDING else 7
    return replace(Alert("stuck", subject, phase, finding, 6, 7, fired_ns, ended_ns, (True, False)), **changed)


def opened(incidents, *alerts, **changed):
    return incidents.apply(Change(replace(NEW, **changed), (OPENED,), (), alerts))


def outbox(database):
    with database.reading() as connection:
        return connection.execute(select(tables.outbox).order_by(tables.outbox.c.id)).all()


def test_a_new_incident_has_a_number_and_is_read_as_it_was_written(incidents):
    whole = replace(
        NEW,
        **{"owner": "crm", "runbook": "https://r", "reason": "why", "alerts": 3, "firing": 2, "explained_by": 9},
        **{"silenced": True, "policy": "p", "step": 1, "round": 2, "step_at_ns": 8, "told": ("slack",), "told_ns": 4},
        **{"acknowledged_ns": 5, "acknowledged_by": "ann", "told_alerts": 2, "quiet_ns": 2**60},
    )
    made = incidents.apply(Change(whole, (OPENED,)))
    assert made == replace(whole, id=made.id)
    assert incidents.incident(made.id) == made
    assert incidents.unresolved() == [made]
    assert incidents.transitions(made.id) == [OPENED]
    assert incidents.incident(made.id + 1) is None


def test_a_change_gives_the_next_version_and_an_outdated_one_is_refused_whole(incidents, database):
    first = opened(incidents)
    second = incidents.apply(Change(replace(first, reason="more")))
    assert second == replace(first, reason="more", version=2)
    note = Transition(9, TransitionKind.NOTE)
    outdated = Change(replace(first, reason="less"), (note,), (Telling("a", NoticeKind.UPDATED),), (alert(),))
    assert incidents.apply(outdated) is None
    assert incidents.incident(first.id) == second
    assert incidents.transitions(first.id) == [OPENED]
    assert (outbox(database), incidents.active_alerts()) == ([], [])


def test_one_key_has_one_incident_that_is_not_resolved(incidents):
    first = opened(incidents)
    assert opened(incidents) is None
    other = opened(incidents, key="other")
    incidents.apply(Change(replace(first, state=IncidentState.RESOLVED, resolved_ns=9)))
    again = opened(incidents)
    assert incidents.unresolved() == [other, again]
    assert len({first.id, other.id, again.id}) == 3


def test_a_resolved_incident_never_opens_again_but_may_get_a_note(incidents):
    over = incidents.apply(Change(replace(opened(incidents), state=IncidentState.RESOLVED)))
    noted = incidents.apply(Change(over, (Transition(9, TransitionKind.NOTE, "ann", "a worker died"),)))
    assert noted.version == over.version + 1
    assert incidents.apply(Change(replace(noted, state=IncidentState.OPEN))) is None
    assert incidents.incident(over.id).state is IncidentState.RESOLVED


def test_what_is_to_be_told_is_written_with_the_change_numbered_and_as_the_incident_is_then(incidents, database):
    tellings = (Telling("slack", NoticeKind.OPENED, "new"), Telling("duty", NoticeKind.OPENED))
    first = incidents.apply(Change(replace(NEW, told_ns=4), (OPENED,), tellings))
    second = incidents.apply(Change(first, (replace(OPENED, at_ns=8),), (Telling("slack", NoticeKind.UPDATED),)))
    other = incidents.apply(Change(replace(NEW, key="other"), (), (Telling("slack", NoticeKind.OPENED),)))
    rows = outbox(database)
    assert [(row.incident_id, row.channel, row.number, row.kind, row.text, row.due_ns) for row in rows] == [
        (first.id, "slack", 1, "opened", "new", 4),
        (first.id, "duty", 2, "opened", "", 4),
        (first.id, "slack", 3, "updated", "", 8),
        (other.id, "slack", 1, "opened", "", 3),
    ]
    assert [from_json(Incident, row.incident) for row in rows] == [first, first, second, other]
    assert {(row.state, row.attempts, row.sent_ns, row.error) for row in rows} == {("waiting", 0, None, "")}


def test_alerts_are_pending_then_join_then_end(incidents):
    incidents.write_alerts([alert(phase=PENDING), alert("order:2", PENDING)])
    assert [each.incident_id for each in incidents.active_alerts()] == [None, None]
    first = opened(incidents, alert())
    assert incidents.active_alerts() == [ActiveAlert(alert(), first.id), ActiveAlert(alert("order:2", PENDING), None)]
    incidents.write_alerts([alert("order:2", ENDED)])
    assert incidents.active_alerts() == [ActiveAlert(alert(), first.id)]
    incidents.apply(Change(first, alerts=(alert(phase=ENDED),)))
    assert incidents.active_alerts() == []
    assert incidents.alerts_of(first.id) == [alert(phase=ENDED)]


def test_a_subject_that_ended_may_fire_again_and_is_counted_and_listed_once(incidents):
    other = alert("order:2", since_ns=9)
    first = opened(incidents, alert(), alerts=1)
    first = incidents.apply(Change(first, alerts=(alert(phase=ENDED),)))
    first = incidents.apply(Change(replace(first, alerts=3), alerts=(alert(since_ns=8), other)))
    assert (first.alerts, incidents.incident(first.id)) == (2, first)
    assert incidents.alerts_of(first.id) == [alert(since_ns=8), other]
    assert len(incidents.active_alerts()) == 2


def test_alerts_written_again_stay_with_their_incident(incidents):
    first = opened(incidents, alert())
    incidents.write_alerts([alert(seen_ns=99)])
    assert incidents.active_alerts() == [ActiveAlert(alert(seen_ns=99), first.id)]
    incidents.write_alerts([alert(phase=ENDED)])
    assert (incidents.active_alerts(), incidents.alerts_of(first.id)) == ([], [alert(phase=ENDED)])


def test_an_alert_that_fires_is_never_pending_again(incidents):
    first = opened(incidents, alert())
    incidents.write_alerts([alert(phase=PENDING, seen_ns=99)])
    assert incidents.active_alerts() == [ActiveAlert(alert(), first.id)]


def test_an_alert_moves_to_the_incident_that_it_joins_last(incidents):
    first, second = opened(incidents, alert()), opened(incidents, key="other")
    incidents.apply(Change(second, alerts=(alert(),)))
    assert incidents.active_alerts() == [ActiveAlert(alert(), second.id)]
    assert incidents.alerts_of(first.id) == []


def test_alerts_of_an_incident_come_firing_first_then_those_that_held_longest(incidents):
    alerts = [alert(f"order:{since}", phase, since) for since, phase in ((5, FIRING), (1, ENDED), (3, FIRING))]
    first = opened(incidents, *alerts)
    assert [each.finding.since_ns for each in incidents.alerts_of(first.id)] == [3, 5, 1]
    assert [each.finding.since_ns for each in incidents.alerts_of(first.id, limit=1)] == [3]


@pytest.mark.parametrize("subject", ["order:" + "x" * 9_000, "order:a\0b", "order:ü€😀"], ids=["long", "nul", "wide"])
def test_any_order_id_is_kept_and_found(incidents, subject):
    incidents.write_alerts([alert(subject, PENDING)])
    first = opened(incidents, alert(subject))
    assert incidents.active_alerts() == [ActiveAlert(alert(subject), first.id)]
    assert incidents.find(IncidentQuery(order_id=subject.removeprefix("order:"))) == [first]
    assert incidents.find(IncidentQuery(order_id="x")) == []


def test_incidents_are_found_newest_first(incidents):
    made = [opened(incidents, key=str(at), opened_ns=at, rule="stuck" if at % 2 else "lost") for at in range(4)]
    over = incidents.apply(Change(replace(made[0], state=IncidentState.RESOLVED)))

    def found(**asked):
        return [each.opened_ns for each in incidents.find(IncidentQuery(**asked))]

    assert found() == [3, 2, 1, 0]
    assert found(states=[IncidentState.RESOLVED]) == [over.opened_ns]
    assert found(states=[IncidentState.OPEN, IncidentState.ACKNOWLEDGED]) == [3, 2, 1]
    assert found(rule="lost") == [2, 0]
    assert found(limit=2) == [3, 2]
    assert found(limit=2, after=made[2].id) == [1, 0]


def test_what_stands_is_counted_and_every_change_of_it_makes_another_mark(incidents):
    marks = [incidents.standing()]
    first, other = opened(incidents), opened(incidents, key="other")
    marks.append(incidents.standing())
    first = incidents.apply(Change(replace(first, state=IncidentState.ACKNOWLEDGED)))
    marks.append(incidents.standing())
    incidents.apply(Change(replace(other, reason="more")))
    marks.append(incidents.standing())
    incidents.apply(Change(replace(first, state=IncidentState.RESOLVED)))
    marks.append(incidents.standing())
    assert [each.open for each in marks] == [0, 2, 1, 1, 1]
    assert len({each.mark for each in marks}) == 5
    assert incidents.standing() == marks[-1]


def test_silences_hold_until_they_end(incidents):
    hours = WeekHours("office", "Europe/Berlin", ((480, 1080),))
    first = incidents.add_silence({"rule": "stuck"}, 10, 20, "ann", "we move", hours)
    second = incidents.add_silence({}, 15, 30, "ben", "a test")
    assert incidents.silences(5) == [first, second]
    assert (first.hours, second.hours, first.by, second.reason) == (hours, None, "ann", "a test")
    assert incidents.silences(20) == [second]
    assert incidents.end_silence(second.id, 22)
    assert not incidents.end_silence(second.id, 23)
    assert incidents.silences(22) == []
    assert not incidents.end_silence(99, 1)


def test_of_two_writers_one_wins(place):
    """Each opens and changes by what it read; who comes second reads again."""
    databases = [open_database(*place) for _ in range(2)]
    done = []

    def count_up(incidents, name):
        for _ in range(15):
            while True:
                standing = incidents.unresolved()
                note = Transition(1, TransitionKind.NOTE, name)
                telling = Telling("slack", NoticeKind.UPDATED)
                one = standing[0] if standing else NEW
                if incidents.apply(Change(replace(one, alerts=one.alerts + 1), (note,), (telling,))) is not None:
                    break
        done.append(name)

    threads = [
        threading.Thread(target=count_up, args=(SqlIncidents(each), str(number)))
        for number, each in enumerate(databases)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    incidents = SqlIncidents(databases[0])
    [one] = incidents.unresolved()
    assert (len(done), one.alerts, one.version, len(incidents.transitions(one.id))) == (2, 30, 30, 30)
    assert [row.number for row in outbox(databases[0])] == list(range(1, 31))
    for each in databases:
        each.close()


def test_a_change_that_fails_leaves_nothing(incidents, database, monkeypatch):
    def fail(*_):
        raise ControlError("gone")

    monkeypatch.setattr("clew.control.incidents._outbox_rows", fail)
    with pytest.raises(ControlError):
        incidents.apply(Change(NEW, (OPENED,), (Telling("slack", NoticeKind.OPENED),), (alert(),)))
    assert (incidents.unresolved(), incidents.active_alerts(), outbox(database)) == ([], [], [])


def test_ten_thousand_alerts_join_one_incident_in_few_statements(incidents, database):
    alerts = [alert(f"order:{number}", since_ns=number) for number in range(10_000)]
    statements = []
    with database.writing() as connection:
        engine = connection.engine
    event.listen(engine, "before_cursor_execute", lambda *told: statements.append(told[2]))
    first = opened(incidents, *alerts)
    assert len(statements) <= 5
    assert len(incidents.active_alerts()) == 10_000
    assert len(incidents.alerts_of(first.id, limit=5)) == 5


def test_what_somebody_else_wrote_into_a_row_is_refused_with_its_place(incidents, database):
    first = opened(incidents)
    with database.writing() as connection:
        connection.execute(tables.incidents.update().values(severity="bad"))
    with pytest.raises(ControlError, match=r"something else than Severity at Incident\.severity"):
        incidents.incident(first.id)


def test_a_request_that_was_done_is_known_until_it_is_long_ago(incidents):
    incidents.note_done("a", 10, 0)
    incidents.note_done("a", 11, 0)
    incidents.note_done("b", 20, 10)
    assert [incidents.was_done(mark) for mark in "abc"] == [True, True, False]
    incidents.note_done("c", 30, 20)
    assert [incidents.was_done(mark) for mark in "abc"] == [False, True, True]


def test_how_fast_incidents_were_handled_is_read_by_when_they_were_opened(incidents):
    for at in range(4):
        opened(incidents, key=str(at), opened_ns=at, acknowledged_ns=at or None, resolved_ns=None)
    assert incidents.times(1, 3) == [Times(1, 2, 1, None), Times(1, 2, 2, None)]
