"""A control database, a loop that looks as the watch does, and a clock that a test moves."""

from collections import Counter
from contextlib import suppress

from sqlalchemy import delete, event, select

from clew.control import tables
from clew.control.contract import IncidentQuery
from clew.control.database import open_database
from clew.control.incidents import SqlIncidents
from clew.model.alert import AlertPhase, Finding
from clew.model.incident import IncidentState, Policy, PolicyStep, Route
from clew.model.rule import Judged, Rule
from clew.model.week import WeekHours
from clew.notify.escalation import Policies
from clew.notify.explaining import roots_first
from clew.notify.incidents import Around
from clew.notify.look import look, retire
from clew.notify.standing import Standing

SECOND, MINUTE, HOUR, DAY = 10**9, 60 * 10**9, 3600 * 10**9, 86_400 * 10**9
MONDAY = 1_767_571_200 * 10**9  # 2026-01-05 00:00 UTC
STUCK = Rule("stuck", Judged(()), title="orders stuck in {stage}", group_by=("stage",))
STEPS = (PolicyStep(0, ("slack",)), PolicyStep(15 * MINUTE, ("duty",)), PolicyStep(30 * MINUTE, ("boss",)))
OFFICE = WeekHours("office", "Europe/Berlin", tuple((day * 1440 + 480, day * 1440 + 1080) for day in range(5)))
SLACK = Policy("default", (PolicyStep(0, ("slack",)),))


def policies(*declared):
    return Policies({each.name: each for each in declared or (SLACK,)}, (Route((declared or (SLACK,))[0].name),))


DEFAULT = policies()


def finding(subject, rule="stuck", since_ns=MONDAY, value=None, bound=None, **labels):
    kind, _, name = subject.partition(":")
    order_id = name if kind == "order" else ""
    return Finding(rule, subject, f"{subject} is in trouble", since_ns, labels, value, bound, order_id)


def stuck(*orders, stage="SUBMITTED", **more):
    return [finding(f"order:{each}", stage=stage, **more) for each in orders]


class Killed(Exception):
    """What a test raises in the middle of a look."""


class World:
    """Looks of some rules at what a test says is found."""

    def __init__(self, database, *rules, policies=DEFAULT, incidents=None):
        self.database = database
        self.incidents = incidents or SqlIncidents(database)
        self.rules = {rule.name: rule for rule in rules or (STUCK,)}
        self.policies = policies
        self.now_ns = MONDAY
        self.standing = None
        self.found = {}

    def find(self, *findings):
        """What every look from now on finds."""
        self.found = {}
        for each in findings:
            self.found.setdefault(each.rule, []).append(each)

    def look(self, at_ns=None, *, blind=False):
        """One look of all rules, as the watch does it; a change that is refused is decided again by the next one."""
        self.now_ns = self.now_ns if at_ns is None else at_ns
        try:
            self._look(blind)
        except BaseException:
            self.standing = None
            raise

    def until(self, at_ns, every_ns=MINUTE):
        """Look until a moment."""
        while self.now_ns < at_ns:
            self.look(min(self.now_ns + every_ns, at_ns))

    def _look(self, blind):
        if self.standing is None:
            self.standing = Standing(self.incidents.active_alerts(), self.incidents.unresolved())
            for number in self.standing.missing():
                self.standing.incidents[number] = self.incidents.incident(number)
        around = Around(self.policies, self.now_ns, self.incidents.silences(self.now_ns))
        refused = False
        for rule in roots_first(list(self.rules.values())):
            found = None if blind else self.found.get(rule.name, ())
            refused |= self._write(look(rule, found, self.standing, self.rules, around))
        refused |= self._write(retire(self.standing, self.rules, self.now_ns))
        self.standing.forget()
        if refused:
            self.standing = None

    def _write(self, decided):
        """Whether a change was refused."""
        self.incidents.write_alerts(decided.alerts)
        self.standing.wrote(decided.alerts)
        refused = False
        for change in decided.changes:
            applied = self.incidents.apply(change)
            refused |= applied is None
            if applied is not None:
                self.standing.applied(change, applied)
        return refused

    def act(self, decide):
        """What a person does to the only incident that isn't resolved."""
        [one] = self.incidents.unresolved()
        change = decide(one)
        self.standing = None
        return None if change is None else self.incidents.apply(change)

    def told(self):
        """(minutes since the begin, channel, kind) of all that is to be told, in order."""
        return [((row.at_ns - MONDAY) // MINUTE, row.channel, row.kind) for row in self.outbox()]

    def outbox(self):
        with self.database.reading() as connection:
            return connection.execute(select(tables.outbox).order_by(tables.outbox.c.id)).all()

    def record(self, incident_id):
        """The kinds of an incident's record."""
        return [each.kind.value for each in self.incidents.transitions(incident_id)]

    def all(self):
        """All incidents, oldest first."""
        return self.incidents.find(IncidentQuery())[::-1]

    def check(self):
        """What holds after each healthy look, whatever happened before."""
        unresolved = {each.id: each for each in self.incidents.unresolved()}
        active = self.incidents.active_alerts()
        firing = Counter(each.incident_id for each in active if each.alert.phase is AlertPhase.FIRING)
        settled = {number for number in firing if number not in unresolved}
        for number in settled:
            assert self.incidents.incident(number).resolved_by != "clew", "an alert fires that nobody hears of"
        assert {number: each.firing for number, each in unresolved.items()} == {
            number: firing[number] for number in unresolved
        }
        by_incident = {}
        for row in self.outbox():
            by_incident.setdefault(row.incident_id, []).append(row)
        for number, rows in by_incident.items():
            assert [row.number for row in rows] == list(range(1, len(rows) + 1))
            openings = [row for row in rows if row.kind == "opened"]
            assert len({row.at_ns for row in openings}) == 1
            assert Counter(row.channel for row in openings).most_common(1)[0][1] == 1
            ends = [row.channel for row in rows if row.kind == "resolved"]
            over = self.incidents.incident(number).state is IncidentState.RESOLVED
            assert sorted(ends) == (sorted({row.channel for row in rows}) if over else [])
            assert not ends or {row.kind for row in rows[-len(ends) :]} == {"resolved"}


def quick(tmp_path):
    """A database that doesn't wait for the disk."""
    database = open_database(tmp_path)
    event.listen(database._engine, "connect", lambda raw, _: raw.execute("PRAGMA synchronous = OFF"))
    database._engine.dispose()
    return database


def wipe(database):
    with suppress(AttributeError), database.writing() as connection:
        for table in reversed(tables.META.sorted_tables):
            connection.execute(delete(table))


def only(world):
    """The one incident that is unresolved."""
    [one] = world.incidents.unresolved()
    return one
