"""A control database of a process that is killed or outrun while it writes."""

from collections.abc import Callable
from dataclasses import dataclass, field

from clew.control.contract import Change
from clew.control.incidents import SqlIncidents
from clew.model.errors import ControlError
from clew.model.incident import Incident

KINDS = ("", "refused", "outrun", "killed before", "killed after")


@dataclass
class Faulty:
    """Each write takes the next of ``faults``: the process is killed before or after it, somebody else's change is
    written first by ``person``, or is said to have been. Kills raise ControlError."""

    real: SqlIncidents
    faults: list[str] = field(default_factory=list)
    person: Callable[[Incident], Change | None] = lambda _: None

    def __getattr__(self, name):
        return getattr(self.real, name)

    def write_alerts(self, alerts):
        if alerts:
            self._do(lambda: self.real.write_alerts(alerts))

    def apply(self, change):
        return self._do(lambda: self.real.apply(change), change.incident.id)

    def _do(self, write, incident_id=None):
        fault = self.faults.pop(0) if self.faults else ""
        if fault == "refused" and incident_id is not None:
            return None
        if fault == "killed before":
            raise ControlError(fault)
        if fault == "outrun" and incident_id:
            self._outrun(incident_id)
        done = write()
        if fault == "killed after":
            raise ControlError(fault)
        return done

    def _outrun(self, incident_id):
        """Between the decision and its write: only the version of the incident can tell."""
        change = self.person(self.real.incident(incident_id))
        if change is not None:
            assert self.real.apply(change) is not None
