"""What stands now: alerts that haven't ended and the incidents that they belong to, as they are written."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from clew.control.contract import ActiveAlert, Change
from clew.model.alert import Alert, AlertPhase
from clew.model.incident import Incident, IncidentState

_NONE: Mapping[str, ActiveAlert] = {}


class Standing:
    """Alerts by rule and subject, incidents by number: those that aren't resolved, and those whose alerts still fire.

    It holds what is written and nothing else, so it may be thrown away and read anew at any moment.
    """

    def __init__(self, active: Iterable[ActiveAlert] = (), incidents: Iterable[Incident] = ()) -> None:
        self.incidents = {incident.id: incident for incident in incidents}
        self._alerts: dict[str, dict[str, ActiveAlert]] = {}
        for each in active:
            self._alerts.setdefault(each.alert.rule, {})[each.alert.subject] = each

    def missing(self) -> set[int]:
        """The numbers of incidents that are still to be read: resolved ones whose alerts still fire."""
        return {
            each.incident_id
            for alerts in self._alerts.values()
            for each in alerts.values()
            if each.incident_id is not None and each.incident_id not in self.incidents
        }

    def rules(self) -> set[str]:
        """The names of all rules that have an alert or an incident that isn't resolved."""
        return {*self._alerts, *(each.rule for each in self.incidents.values() if unresolved(each))}

    def alerts(self, rule: str) -> Mapping[str, ActiveAlert]:
        """The alerts of a rule by subject."""
        return self._alerts.get(rule, _NONE)

    def of_rule(self, rule: str) -> list[Incident]:
        """The incidents of a rule that aren't resolved, oldest first."""
        found = [each for each in self.incidents.values() if each.rule == rule and unresolved(each)]
        return sorted(found, key=lambda each: (each.opened_ns, each.id))

    def firing(self, incident: Incident) -> list[Alert]:
        """The alerts of an incident that fire."""
        return [
            each.alert
            for each in self.alerts(incident.rule).values()
            if each.incident_id == incident.id and each.alert.phase is AlertPhase.FIRING
        ]

    def wrote(self, alerts: Sequence[Alert]) -> None:
        """These alerts were written; they stay with their incidents."""
        self._keep(alerts, None)

    def applied(self, change: Change, incident: Incident) -> None:
        """A change was written, and this is the incident now."""
        self._keep(change.alerts, incident.id)
        self.incidents[incident.id] = incident

    def forget(self) -> None:
        """Drop resolved incidents of which no alert fires any more."""
        needed = {each.incident_id for alerts in self._alerts.values() for each in alerts.values()}
        self.incidents = {
            number: each for number, each in self.incidents.items() if unresolved(each) or number in needed
        }

    def _keep(self, alerts: Collection[Alert], incident_id: int | None) -> None:
        for alert in alerts:
            kept = self._alerts.setdefault(alert.rule, {})
            before = kept.get(alert.subject)
            if alert.phase is AlertPhase.ENDED:
                kept.pop(alert.subject, None)
            else:
                number = before.incident_id if incident_id is None and before else incident_id
                kept[alert.subject] = ActiveAlert(alert, number)


def unresolved(incident: Incident) -> bool:
    """Whether an incident isn't resolved."""
    return incident.state is not IncidentState.RESOLVED
