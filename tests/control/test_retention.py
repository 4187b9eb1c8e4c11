"""Incidents that were over long ago are let go of with all that is theirs, and nothing else is."""

from dataclasses import replace

import pytest
from sqlalchemy import event, func, select

from clew.control import tables
from clew.control.contract import Change, Telling
from clew.control.incidents import SqlIncidents
from clew.control.outbox import SqlOutbox
from clew.control.reactions import ReactionRuns
from clew.control.retention import forget_resolved
from clew.model.alert import Alert, AlertPhase, Finding
from clew.model.incident import Incident, IncidentState, NoticeKind, Transition, TransitionKind
from clew.model.reaction import ReactionRun, RunState
from clew.model.rule import Severity

RESOLVED = IncidentState.RESOLVED
NEW = Incident(0, "k", "stuck", "Orders stuck", Severity.ERROR, IncidentState.OPEN, {"stage": "SUBMITTED"}, 1, 2, 3)
PARTS = (tables.alerts, tables.transitions, tables.outbox, tables.channel_refs, tables.reaction_runs)


class Past:
    """Incidents of which everything was written: alerts, record, notices, references and a run of a reaction."""

    def __init__(self, database):
        self.database = database
        self.incidents, self.outbox, self.runs = SqlIncidents(database), SqlOutbox(database), ReactionRuns(database)

    def resolve(self, key, resolved_ns, phase=AlertPhase.ENDED, run=RunState.HELPED, told=True):
        finding = Finding("stuck", f"order:{key}", "It waits.", 1, order_id=key)
        alert = Alert("stuck", finding.subject, AlertPhase.FIRING, finding, 2, 3, 3, None)
        step, telling = Transition(3, TransitionKind.OPENED), Telling("slack", NoticeKind.OPENED)
        opened = self.incidents.apply(Change(replace(NEW, key=key), (step,), (telling,), (alert,)))
        self.runs.note_refusal(ReactionRun(0, "restart", opened.id, "deployment a", run, 10))
        over = replace(opened, state=RESOLVED, resolved_ns=resolved_ns, resolved_by="clew")
        ended = replace(alert, phase=phase, ended_ns=9 if phase is AlertPhase.ENDED else None)
        assert self.incidents.apply(Change(over, (step,), (), (ended,))) is not None
        if told:
            for due in self.outbox.due(100):
                self.outbox.sent(due.id, 100, {"ts": "1"})
        return opened.id

    def left(self):
        with self.database.reading() as connection:
            return connection.scalars(select(tables.incidents.c.id).order_by(tables.incidents.c.id)).all()

    def parts(self, table):
        with self.database.reading() as connection:
            return connection.scalar(select(func.count()).select_from(table))


@pytest.fixture
def past(database):
    return Past(database)


def test_what_was_resolved_before_goes_with_all_that_is_its_own(past):
    old = [past.resolve(key, 1_000) for key in "abc"]
    late = past.resolve("d", 2_000)
    newest = past.resolve("e", 1_000)
    assert [past.parts(table) for table in PARTS] == [5, 10, 5, 5, 5]
    assert forget_resolved(past.database, 2_000) == len(old)
    assert past.left() == [late, newest]
    assert [past.parts(table) for table in PARTS] == [2, 4, 2, 2, 2]
    assert forget_resolved(past.database, 2_000) == 0
    assert len(past.incidents.alerts_of(late)) == 1


@pytest.mark.parametrize(
    "unfinished",
    [{"phase": AlertPhase.FIRING}, {"told": False}, {"run": RunState.RUNNING}, {"run": RunState.WAITING_APPROVAL}],
    ids=["it still fires", "nobody was told yet", "a reaction runs", "a reaction waits"],
)
def test_what_goes_on_is_kept_though_it_was_resolved_long_ago(past, unfinished):
    waits = {} if unfinished.get("told", True) else {"told": False}
    kept = past.resolve("a", 1_000, **unfinished)
    past.resolve("b", 1_000, **waits)
    assert forget_resolved(past.database, 2_000) == 0
    assert kept in past.left()


def test_what_was_not_resolved_is_kept_whatever_its_age(past):
    first = past.incidents.apply(Change(replace(NEW, key="open")))
    past.resolve("a", 1_000)
    past.resolve("b", 1_000)
    assert forget_resolved(past.database, 10**18) == 1
    assert first.id in past.left()


def test_it_goes_in_slices_those_of_the_lowest_numbers_first(past):
    numbers = [past.resolve(key, 1_000) for key in "abcdef"]
    gone = []
    while count := forget_resolved(past.database, 2_000, 2):
        gone.append((count, past.left()[0]))
    assert gone == [(2, numbers[2]), (2, numbers[4]), (1, numbers[5])]


def test_no_number_is_given_twice(past):
    numbers = [past.resolve(key, 1_000) for key in "abc"]
    forget_resolved(past.database, 2_000)
    assert past.resolve("d", 1_000) > max(numbers)
    with past.database.reading() as connection:
        assert connection.scalar(select(func.max(tables.outbox.c.id))) == 4
        assert connection.scalar(select(func.max(tables.reaction_runs.c.id))) == 4


def test_a_deletion_that_is_interrupted_deletes_nothing(past):
    past.resolve("a", 1_000)
    past.resolve("b", 1_000)

    def fail(_connection, _cursor, statement, *_):
        if statement.startswith("DELETE FROM incidents"):
            raise RuntimeError(statement)

    event.listen(past.database._engine, "before_cursor_execute", fail)
    with pytest.raises(RuntimeError):
        forget_resolved(past.database, 2_000)
    event.remove(past.database._engine, "before_cursor_execute", fail)
    assert len(past.left()) == 2
    assert [past.parts(table) for table in PARTS] == [2, 4, 2, 2, 2]
