"""A shop with incidents in a control database, reactions that call a fake, and a runner that can be killed."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import delete

from clew.control import tables
from clew.control.contract import Change, Telling
from clew.control.incidents import SqlIncidents
from clew.control.reactions import ReactionRuns, RunQuery
from clew.model.alert import AlertPhase
from clew.model.incident import IncidentState, NoticeKind
from clew.model.reaction import ReactionSet, Webhook
from clew.model.secret import Secret
from clew.react.actions.contract import Outside
from clew.react.actions.failures import ActionFailed
from clew.react.runner import Runner
from clew.react.telling import Tell
from clew.react.world import World
from tests.react.builders import NOW, an_alert, an_incident

HOOK = Webhook("restart-shop", "https://shop.example/restart")


class Killed(BaseException):
    """The process ends here."""


class Poster:
    """Notes what was done; ``fails`` says why it can't be."""

    def __init__(self):
        self.done = []
        self.fails = ""

    def check(self, post):
        if self.fails:
            raise ActionFailed(self.fails)

    def send(self, post):
        self.done.append(int(post.headers["clew-run"]))
        self.check(post)
        return 204


class Shop:
    """Time stands still until `step` is given another one."""

    def __init__(self, database, *reactions, spawn=lambda _, work: work()):
        self.database = database
        self.incidents, self.runs = SqlIncidents(database), ReactionRuns(database)
        self.poster, self.now_ns, self.looked_ns = Poster(), NOW, 0
        self.reactions, self.spawn = list(reactions), spawn
        self._declared = ReactionSet("shop", 1, ())
        self.told = []
        self.start()

    def start(self):
        """A runner that remembers nothing, as after a start."""
        world = World(
            self.declared, self.incidents, self.runs,
            Outside(lambda _: Secret("hunter2"), self.poster), lambda: self.now_ns,
        )  # fmt: skip
        self.world = world
        self.runner = Runner(world, lambda _: self.looked_ns, self.change_of, self.spawn)

    def declared(self):
        """The reactions there are; the same thing again while nothing changes them."""
        if self._declared.reactions != tuple(self.reactions):
            self._declared = ReactionSet("shop", 1, tuple(self.reactions))
        return self._declared

    def change_of(self, incident, news):
        self.told.append((news.tell, news.transition.text))
        kinds = {Tell.NOTIFY: NoticeKind.UPDATED, Tell.ESCALATE: NoticeKind.ESCALATED}
        tellings = [Telling("duty", kinds[news.tell], news.transition.text)] if news.tell in kinds else []
        return Change(incident, (news.transition,), tuple(tellings))

    def open(self, key="k", **changes):
        """A new incident with one alert that fires."""
        return self.incidents.apply(
            Change(an_incident(id=0, key=key, **changes), alerts=(an_alert(f"service:{key}", 7, queue="crm"),))
        )

    def change(self, incident_id, **changes):
        """Change an incident, as the watch or a person does."""
        incident = self.incidents.incident(incident_id)
        return self.incidents.apply(Change(replace(incident, **changes)))

    def quiet(self, incident_id):
        """Nothing of it fires any more."""
        (alert, *_) = self.incidents.alerts_of(incident_id)
        ended = replace(alert, phase=AlertPhase.ENDED, ended_ns=self.now_ns)
        self.incidents.apply(Change(replace(self.incidents.incident(incident_id), firing=0), alerts=(ended,)))

    def resolve(self, incident_id):
        self.change(incident_id, state=IncidentState.RESOLVED, firing=0)

    def step(self, passed_ns=0, look=True):
        """Let time pass, look at the rules, and take a step."""
        self.now_ns += passed_ns
        if look:
            self.looked_ns = self.now_ns
        return self.runner.step(self.now_ns)

    def states(self):
        return [run.state.value for run in reversed(self.runs.runs(RunQuery()))]

    def results(self):
        return [run.result for run in reversed(self.runs.runs(RunQuery()))]

    def record(self, incident_id=1):
        return [each.text for each in self.incidents.transitions(incident_id) if each.kind == "reaction"]


def empty(database):
    """Forget everything."""
    with database.writing() as connection:
        for table in reversed(tables.META.sorted_tables):
            connection.execute(delete(table))
