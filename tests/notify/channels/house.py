"""A courier with its outbox, channels that do what a test says, a clock that is moved, and a process that is killed."""

import dataclasses
import itertools

from clew.control.contract import Change, Telling
from clew.control.database import open_database
from clew.control.incidents import SqlIncidents
from clew.control.outbox import SqlOutbox
from clew.model.incident import NoticeKind, Policy, PolicyStep
from clew.notify.channels.contract import SPOKEN, Channel
from clew.notify.outbox import Courier
from tests.notify.channels.notices import AT, INCIDENT

SECOND = 10**9
OPENED, UPDATED, RESOLVED = NoticeKind.OPENED, NoticeKind.UPDATED, NoticeKind.RESOLVED
POLICIES = {"default": Policy("default", (PolicyStep(0, ("slack",)), PolicyStep(0, ("duty", "mail"))))}


class Killed(BaseException):
    """The process ends here."""


class Script:
    """A sender that does what it is told to, one outcome a notice, then goes well."""

    def __init__(self, *outcomes):
        self.outcomes = list(outcomes)
        self.got = []

    def send(self, notice, now_ns):
        outcome = self.outcomes.pop(0) if self.outcomes else None
        if isinstance(outcome, Killed | None.__class__):
            self.got.append(notice)
        if outcome is not None:
            raise outcome
        return {"seen": str(len(self.got))}

    @property
    def keys(self):
        return [notice.key for notice in self.got]


class House:
    """A control database, channels by script, a clock that is moved, and deliveries that may be killed."""

    def __init__(self, folder):
        self.database = open_database(folder)
        self.incidents, self.outbox = SqlIncidents(self.database), SqlOutbox(self.database)
        self.now_ns, self._keys = AT, itertools.count()
        self.courier = None

    def begin(self, per_minute=0, limited=SPOKEN, policies=POLICIES, **senders):
        self.end()
        channels = {name: Channel(name, "script", name, sender, limited) for name, sender in senders.items()}
        self.courier = Courier(self.outbox, channels, policies, per_minute, lambda: self.now_ns, lambda: 0.0)

    def end(self):
        if self.courier is not None:
            self.courier.close()
            self.courier = None

    def tell(self, *kinds, channels=("slack",), **changes):
        """A new incident of which these channels are told these kinds, in their order."""
        fresh = dataclasses.replace(INCIDENT, id=0, key=f"k{next(self._keys)}", policy="default", **changes)
        tellings = tuple(Telling(channel, kind) for kind in kinds for channel in channels)
        written = self.incidents.apply(Change(fresh, (), tellings))
        assert written is not None
        return written

    def step(self, seconds=0.0):
        self.now_ns += int(seconds * SECOND)
        rest = self.courier.step(self.now_ns)
        self.courier.wait(60)
        return rest

    def run(self, seconds=4_000, every=20.0):
        """Let time pass until nothing waits."""
        for _ in range(int(seconds / every)):
            self.step(every)
            if not self.outbox.counts()["waiting"]:
                break


def die(*_):
    raise Killed
