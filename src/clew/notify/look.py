"""One look of a rule: from findings to the changes of alerts and incidents.

    findings --> alerts over time --> groups by key --> roots --> changes to apply

Whoever looks reads `Standing` from the control database, and then for each rule, roots first: writes ``alerts``,
applies ``changes``, and tells the standing of both. When a change is refused, or anything fails, it is read anew: the
next look decides again from what is written, so nothing is lost and nothing is told twice.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from clew.control.contract import ActiveAlert, Change
from clew.model.alert import Alert, AlertPhase, Finding
from clew.model.incident import Incident
from clew.model.lengths import largest_unit
from clew.model.rule import Rule
from clew.notify.alerting import advance_all, worth_writing
from clew.notify.explaining import root_of
from clew.notify.grouping import incident_key
from clew.notify.incidents import Around, Group, followed, opened, retired
from clew.notify.standing import Standing, unresolved


@dataclass(frozen=True, slots=True)
class Look:
    """``alerts`` are written first, as they are; then ``changes`` are applied, in this order."""

    alerts: tuple[Alert, ...] = ()
    changes: tuple[Change, ...] = ()


def look(
    rule: Rule, findings: Iterable[Finding] | None, standing: Standing, rules: Mapping[str, Rule], around: Around
) -> Look:
    """What a rule's findings of now make of what stands. ``rules`` are all that are declared, by name.

    ``findings`` None: nobody could look, or it isn't time yet. Alerts stay as they are then, and incidents go on:
    escalation, silences, roots and resolution know the time.
    """
    active = standing.alerts(rule.name)
    alerts = {subject: each.alert for subject, each in active.items()}
    if findings is not None:
        alerts = advance_all(rule, alerts, findings, around.now_ns)
    groups, write = _grouped(rule, alerts, active, standing)
    written = set[int]()
    changes = []
    for key, group in groups.items():
        root = root_of(rule, _number(group), group.firing, standing, rules)
        change = _decide(rule, key, group, root, standing, around)
        if change is not None:
            changes.append(change)
            written |= {id(alert) for alert in change.alerts}
    return Look(tuple(alert for alert in write if id(alert) not in written), tuple(changes))


def retire(standing: Standing, rules: Collection[str], now_ns: int) -> Look:
    """Ends the alerts, and resolves the incidents, of rules that aren't declared any more."""
    write: list[Alert] = []
    changes = []
    for name in sorted(standing.rules() - set(rules)):
        ended = {
            subject: (each, replace(each.alert, phase=AlertPhase.ENDED, ended_ns=now_ns))
            for subject, each in standing.alerts(name).items()
        }
        for incident in standing.of_rule(name):
            of_it = [
                ended.pop(subject)[1] for subject, (each, _) in list(ended.items()) if each.incident_id == incident.id
            ]
            if (change := retired(incident, of_it, now_ns)) is not None:
                changes.append(change)
        write += [alert for _, alert in ended.values()]
    return Look(tuple(write), tuple(changes))


class _Gathered:
    """What is known of one key: its incident, and alerts in the order in which they came."""

    def __init__(self, incident: Incident | None) -> None:
        self.incident = incident
        self.firing: list[Alert] = []
        self.joined: list[Alert] = []
        self.ended: list[Alert] = []
        self.settled: list[Incident] = []
        self.refreshed = False


def _grouped(
    rule: Rule, alerts: Mapping[str, Alert], active: Mapping[str, ActiveAlert], standing: Standing
) -> tuple[dict[str, _Gathered], list[Alert]]:
    """Alerts by the key of their incident, and all alerts that are to be written in any case."""
    groups = {incident.key: _Gathered(incident) for incident in standing.of_rule(rule.name)}
    write: list[Alert] = []
    key_of = _keys(rule)
    for subject, alert in alerts.items():
        before = active.get(subject)
        number = before.incident_id if before else None
        incident = standing.incidents.get(number) if number is not None else None
        changed = worth_writing(rule, before.alert if before else None, alert)
        if changed:
            write.append(alert)
        if alert.phase is AlertPhase.ENDED and incident is not None and unresolved(incident):
            groups[incident.key].ended.append(alert)
        elif alert.phase is AlertPhase.FIRING:
            key = key_of(alert.finding)
            group = groups[key] if key in groups else groups.setdefault(key, _Gathered(None))
            group.firing.append(alert)
            group.refreshed |= changed
            if incident is None or incident is not group.incident:
                group.joined.append(alert)
            if incident is not None and not unresolved(incident) and incident.key == key:
                group.settled.append(incident)
    return groups, write


def _keys(rule: Rule) -> Callable[[Finding], str]:
    """The key of a finding's incident; made once for each group, as there are far more alerts."""
    known: dict[tuple[str | None, ...], str] = {}

    def key_of(finding: Finding) -> str:
        values = tuple([finding.labels.get(name) for name in rule.group_by])
        key = known.get(values)
        if key is None:
            key = known[values] = incident_key(rule, finding)
        return key

    return key_of


def _number(group: _Gathered) -> int:
    return group.incident.id if group.incident else 0


def _decide(
    rule: Rule, key: str, group: _Gathered, root: Incident | None, standing: Standing, around: Around
) -> Change | None:
    incident = group.incident
    if incident is None:
        return _open(rule, Group(key, group.firing, group.firing, (), root), group.settled, around)
    if not group.firing and incident.explained_by is not None:
        before = standing.incidents.get(incident.explained_by)
        root = before if before is not None and unresolved(before) else None
    told = Group(key, group.firing, group.joined, group.ended, root)
    change = followed(rule, incident, told, around)
    if change is None or group.refreshed or not _only_words(change, incident):
        return change
    return None


def _only_words(change: Change, incident: Incident) -> bool:
    """Whether nothing but the reason is another one: that is written as seldom as the alerts it tells of."""
    same = replace(change.incident, reason=incident.reason) == incident
    return same and not (change.transitions or change.tellings or change.alerts)


def _open(rule: Rule, group: Group, settled: Sequence[Incident], around: Around) -> Change | None:
    """A new incident, unless all that fires belongs to one that a person resolved: then only when that is too long
    ago, by the policy's time for stale acknowledgements."""
    if not settled:
        return opened(rule, group, around)
    last = max(settled, key=lambda each: (each.resolved_ns or 0, each.id))
    ago_ns = around.now_ns - (last.resolved_ns or 0)
    if len(settled) == len(group.alerts):
        policy = around.policies.kept(last)
        if policy is None or policy.stale_after_ns is None or ago_ns < policy.stale_after_ns:
            return None
    return opened(rule, group, around, f"{last.resolved_by} resolved incident {last.id}, {largest_unit(ago_ns)} ago")
