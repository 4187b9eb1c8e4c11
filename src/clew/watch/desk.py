"""What people do to incidents: by a page, a command, the API or a channel."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from clew.control.contract import Change, IncidentQuery, Incidents, Outbox
from clew.model.alert import Alert, AlertPhase
from clew.model.errors import ClewError
from clew.model.incident import Incident, IncidentState, PlannedSilence
from clew.model.rule import Rule
from clew.model.week import WeekHours
from clew.notify import incidents as lives
from clew.notify.coverage import Coverage, coverage, known_labels
from clew.notify.escalation import Policies
from clew.notify.figures import Figures, figures
from clew.notify.outlook import outlook
from clew.rules.check import labels_of

_TRIES = 10


class Refused(ClewError):
    """What somebody wants of an incident can't be done; the message says why."""


class Unknown(Refused):
    """There is no such incident."""


@dataclass(frozen=True, slots=True)
class Desk:
    """Where people handle incidents. ``rules`` are those that watch, from a file of that name (empty: they ship with
    Clew), ``channels`` are told by ``policies``. ``waits`` says why some rules don't judge yet though nothing fails.
    ``told_windows`` are those in which series surged or were silent since a moment, by series (Unix ns).

    Every method raises ControlError when the control database can't be reached.
    """

    incidents: Incidents
    outbox: Outbox
    rules: tuple[Rule, ...] = ()
    channels: tuple[str, ...] = ()
    policies: Policies = field(default_factory=Policies)
    now_ns: Callable[[], int] = field(default=time.time_ns)
    rules_file: str = ""
    told_windows: Callable[[int], Mapping[str, list[tuple[int, int]]]] = field(default=lambda _: {})
    waits: Callable[[], str | None] = lambda: None

    def incident(self, incident_id: int) -> Incident:
        """The incident of that number. Raises Unknown."""
        incident = self.incidents.incident(incident_id)
        if incident is None:
            raise Unknown(f"there is no incident {incident_id}")
        return incident

    def knows_rule(self, name: str) -> bool:
        """Whether a rule of that name watches, or did: incidents of one that is declared no more are kept."""
        declared = any(rule.name == name for rule in self.rules)
        return declared or bool(self.incidents.find(IncidentQuery(rule=name, limit=1)))

    def acknowledge(self, incident_id: int, by: str, through: str = "") -> Incident:
        """Somebody takes it, ``through`` a channel or here: escalation stops. Raises Refused."""
        return self._change(incident_id, lambda one: lives.acknowledged(one, by, self.now_ns(), self.policies, through))

    def resolve(self, incident_id: int, by: str, text: str = "") -> Incident:
        """Somebody says that it is over. Raises Refused."""
        return self._change(incident_id, lambda one: lives.resolved_by(one, by, text, self.now_ns()))

    def note(self, incident_id: int, by: str, text: str, mark: str = "") -> Incident:
        """Somebody adds to its record, also when it is resolved; ``mark`` as in `Change`. Raises Refused."""
        return self._change(
            incident_id, lambda one: lives.noted(one, by, text, self.now_ns(), self.policies), mark, ended_too=True
        )

    def silence(
        self,
        labels: Mapping[str, str],
        length_ns: int,
        by: str,
        reason: str,
        from_ns: int | None = None,
        hours: WeekHours | None = None,
        mark: str = "",
    ) -> PlannedSilence:
        """Alerts with these labels notify nobody from now, or a moment, on for so long; with hours in these only.

        ``mark`` as in `Change`.
        """
        begin_ns = self.now_ns() if from_ns is None else from_ns
        return self.incidents.add_silence(labels, begin_ns, begin_ns + length_ns, by, reason, hours, mark)

    def outlook(self, incident: Incident) -> str:
        """Who was told of it, and who is next and when, or that nobody is left."""
        return outlook(incident, self.policies.kept(incident), self.now_ns(), self.outbox.told(incident.id))

    def coverage(self, labels: Mapping[str, str]) -> Coverage:
        """What a silence of these labels would cover if it held now, and which of them nobody knows."""
        firing: dict[int | None, list[Alert]] = {}
        for each in self.incidents.active_alerts():
            if each.alert.phase is AlertPhase.FIRING:
                firing.setdefault(each.incident_id, []).append(each.alert)
        unresolved = [(each, firing.get(each.id, [])) for each in self.incidents.unresolved()]
        names = [name for rule in self.rules for name in labels_of(rule)]
        return coverage(labels, self.rules, unresolved, known_labels(names, self.rules, unresolved))

    def figures(self, from_ns: int, until_ns: int) -> Figures:
        """How fast the incidents that were opened in a range are found, taken and resolved."""
        return figures(self.incidents.times(from_ns, until_ns))

    def _change(
        self, incident_id: int, decide: Callable[[Incident], Change | None], mark: str = "", *, ended_too: bool = False
    ) -> Incident:
        for _ in range(_TRIES):
            incident = self.incident(incident_id)
            if incident.state is IncidentState.RESOLVED and not ended_too:
                raise Refused(f"incident {incident_id} was resolved by {incident.resolved_by or 'Clew'} already")
            change = decide(incident)
            if change is None:
                return incident
            if (done := self.incidents.apply(replace(change, mark=mark))) is not None:
                return done
        raise Refused(f"incident {incident_id} changes again and again; try again")
