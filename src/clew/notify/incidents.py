"""The life of an incident, as decisions over values: what a look, a person or a reaction makes of it.

opened --> joined, left, worsened, explained, silenced ... --> acknowledged --> resolved, for good

Every decision is a Change that is refused as a whole when somebody else was faster: read again, and decide again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clew.control.contract import Change
from clew.model.alert import Alert
from clew.model.incident import Incident, IncidentState, NoticeKind, PlannedSilence, Policy, TransitionKind
from clew.model.rule import Rule, Severity
from clew.notify.draft import Draft
from clew.notify.escalation import Policies, begin, go_on, halt, stale_at_ns
from clew.notify.grouping import group_labels, listed, name_of, owner_of, reason_of, title_of
from clew.notify.outlook import SETTLE_NS
from clew.notify.silences import covering

EXPLAINED_GRACE_NS = 5 * 60 * 10**9
"""When a root is resolved, what it explained has so long to end before people are told of it."""

UPDATE_NS = 5 * 60 * 10**9
"""Channels hear no more often that more alerts fire, and then only when their number has doubled, or that an incident
fires again after all its alerts had ended ..."""

SLOW_UPDATE_NS = 30 * 60 * 10**9
"""... or after so long."""

_WORST_FIRST = list(Severity)


@dataclass(frozen=True, slots=True)
class Around:
    """What else decides at a moment: the policies, the silences, and the time."""

    policies: Policies
    now_ns: int
    silences: Sequence[PlannedSilence] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """What a look knows of one incident: the alerts that fire and belong to it, of these the ones that join, those of
    it that ended, and its root if it has one."""

    key: str
    alerts: Sequence[Alert]
    joined: Sequence[Alert] = ()
    ended: Sequence[Alert] = ()
    root: Incident | None = None


def opened(rule: Rule, group: Group, around: Around, why: str = "") -> Change:
    """A new incident of a group, told at once unless it is explained, silenced, or its rule is only tried."""
    alerts, now_ns = group.alerts, around.now_ns
    own = group_labels(rule, alerts[0].finding)
    labels = {**rule.labels, **own}
    policy = around.policies.of(rule, rule.severity, labels)
    silence = covering(around.silences, rule, labels, alerts, now_ns)
    incident = Incident(
        id=0,
        key=group.key,
        rule=rule.name,
        title=title_of(rule, alerts),
        severity=rule.severity,
        state=IncidentState.OPEN,
        labels=labels,
        since_ns=min(alert.finding.since_ns for alert in alerts),
        fired_ns=min(now_ns if alert.fired_ns is None else alert.fired_ns for alert in alerts),
        opened_ns=now_ns,
        owner=owner_of(rule, alerts),
        runbook=rule.runbook,
        reason=reason_of(rule, alerts),
        alerts=len(alerts),
        firing=len(alerts),
        explained_by=group.root.id if group.root else None,
        silenced=silence is not None,
        policy=policy.name if policy and rule.notifies else "",
    )
    draft = Draft(incident, now_ns)
    draft.record(TransitionKind.OPENED, "; ".join(filter(None, (incident.reason, why))))
    if group.root is not None:
        draft.record(TransitionKind.EXPLAINED, _explained(group.root))
    if silence is not None:
        draft.record(TransitionKind.SILENCED, _silenced(silence))
    if not _muted(draft.incident, rule):
        begin(draft, policy, now_ns)
        go_on(draft, policy, why)
    return _whole(draft, group)


def followed(rule: Rule, incident: Incident, group: Group, around: Around) -> Change | None:
    """What a look makes of an incident that isn't resolved, or None when nothing changes."""
    draft = Draft(incident, around.now_ns)
    muted = _muted(incident, rule)
    _count(draft, rule, group)
    if _is_over(draft.incident, around.now_ns):
        return _resolve(draft, "clew", "no alert fires any more").change(group.ended)
    _worsen(draft, rule)
    _explain(draft, group)
    _silence(draft, rule, group, around)
    policy = around.policies.kept(incident) or around.policies.of(rule, incident.severity, incident.labels)
    if policy is not None and rule.notifies:
        draft.set(policy=policy.name)  # the one that it had may be declared no more
    _turn(draft, rule, policy, was_muted=muted)
    why = ""
    if draft.incident.firing and not _muted(draft.incident, rule):
        if draft.incident.state is IncidentState.ACKNOWLEDGED:
            why = _forget_stale(draft)
            if why:
                begin(draft, policy, around.now_ns)
        if draft.incident.state is IncidentState.OPEN:
            go_on(draft, policy, why)
            _say_more(draft)
        _say_again(draft, rule, group)
    return draft.change((*group.joined, *group.ended))


def acknowledged(incident: Incident, by: str, now_ns: int, policies: Policies, through: str = "") -> Change | None:
    """Somebody takes it: escalation stops. ``through`` is the channel from which they did.

    None when somebody has it already, or it is resolved: doing it again changes nothing.
    """
    if incident.state is not IncidentState.OPEN:
        return None
    draft = Draft(incident, now_ns)
    first_ns = now_ns if incident.acknowledged_ns is None else incident.acknowledged_ns
    draft.set(state=IncidentState.ACKNOWLEDGED, acknowledged_ns=first_ns, acknowledged_by=by)
    draft.set(step_at_ns=stale_at_ns(policies.kept(incident), now_ns))
    draft.record(TransitionKind.ACKNOWLEDGED, f"through {through}" if through else "", by)
    draft.tell(incident.told, NoticeKind.ACKNOWLEDGED)
    return draft.change()


def resolved_by(incident: Incident, by: str, text: str, now_ns: int) -> Change | None:
    """Somebody says that it is over; None when it is already.

    Alerts that still fire stay with it, and keep quiet until another one joins them or too much time has passed: then
    a new incident opens with all of them (see `clew.notify.look`).
    """
    if incident.state is IncidentState.RESOLVED:
        return None
    still = _still(incident.firing) if incident.firing else ""
    return _resolve(Draft(incident, now_ns), by, "; ".join(filter(None, (text, still)))).change()


def noted(incident: Incident, by: str, text: str, now_ns: int, policies: Policies) -> Change | None:
    """Somebody adds to its record, also when it is resolved. An acknowledgement doesn't go stale so soon then."""
    draft = Draft(incident, now_ns)
    draft.record(TransitionKind.NOTE, text, by)
    if incident.state is IncidentState.ACKNOWLEDGED:
        draft.set(step_at_ns=stale_at_ns(policies.kept(incident), now_ns))
    return draft.change()


def reacted(
    incident: Incident, text: str, now_ns: int, policies: Policies, *, tell: bool = False, urge: bool = False
) -> Change | None:
    """A reaction did something, which is recorded.

    ``tell``: channels that know of the incident hear it. ``urge``: a person must act, so the next step of the policy is
    taken at once, or all begin anew when nobody else is left; an acknowledgement counts no more. An incident that is
    explained, silenced or resolved tells nobody.
    """
    draft = Draft(incident, now_ns)
    draft.record(TransitionKind.REACTION, text)
    quiet = incident.explained_by is not None or incident.silenced or incident.state is IncidentState.RESOLVED
    policy = policies.kept(incident)
    if urge and policy and not quiet:
        if incident.state is IncidentState.ACKNOWLEDGED or incident.step_at_ns is None:
            begin(draft, policy, now_ns)
        draft.set(state=IncidentState.OPEN, step_at_ns=now_ns)
        go_on(draft, policy, text)
    elif tell and not quiet:
        draft.tell(incident.told, NoticeKind.UPDATED, text)
    return draft.change()


def retired(incident: Incident, alerts: Sequence[Alert], now_ns: int) -> Change | None:
    """The incident of a rule that is declared no more is resolved with its alerts, which are given as ended."""
    draft = Draft(incident, now_ns)
    draft.set(firing=0)
    return _resolve(draft, "clew", f"the rule {incident.rule} is declared no more").change(alerts)


def _muted(incident: Incident, rule: Rule) -> bool:
    """Whether it notifies nobody."""
    return incident.explained_by is not None or incident.silenced or not rule.notifies


def _whole(draft: Draft, group: Group) -> Change:
    change = draft.change((*group.joined, *group.ended))
    if change is None:
        raise AssertionError("a new incident is a change")
    return change


def _count(draft: Draft, rule: Rule, group: Group) -> None:
    """Who joined and left. Who left is counted from what is written, so no crash can make that wrong."""
    before, firing = draft.before, len(group.alerts)
    left = before.firing + len(group.joined) - firing
    alerts = before.alerts + len(group.joined)
    draft.set(alerts=alerts, firing=firing)
    if 2 * firing <= before.told_alerts:
        draft.set(told_alerts=firing)  # so what comes after that is growth again
    if group.joined:
        names = listed([name_of(alert) for alert in group.joined])
        draft.record(TransitionKind.JOINED, f"{_alerts(len(group.joined))} joined: {names}; {_fire(firing)} now")
    if left > 0:
        names = listed([name_of(alert) for alert in group.ended])
        told = f"{_alerts(left)} ended" + (f": {names}" if names else "")
        draft.record(TransitionKind.LEFT, f"{told}; {_fire(firing)} now")
    if firing:
        since_ns = min(before.since_ns, *(alert.finding.since_ns for alert in group.alerts))
        draft.set(since_ns=since_ns, reason=reason_of(rule, group.alerts), quiet_ns=None)
        draft.set(owner=owner_of(rule, group.alerts))
    elif before.quiet_ns is None:
        draft.set(quiet_ns=draft.now_ns)


def _is_over(incident: Incident, now_ns: int) -> bool:
    return incident.quiet_ns is not None and now_ns - incident.quiet_ns >= SETTLE_NS


def _resolve(draft: Draft, by: str, text: str) -> Draft:
    """Channels that were told hear it, silenced or not: what they show as open mustn't stay open."""
    draft.set(state=IncidentState.RESOLVED, resolved_ns=draft.now_ns, resolved_by=by)
    halt(draft)
    draft.record(TransitionKind.RESOLVED, text, by)
    draft.tell(draft.incident.told, NoticeKind.RESOLVED, text)
    return draft


def _worsen(draft: Draft, rule: Rule) -> None:
    """A rule that was made more severe; a milder one counts for the next incident."""
    incident = draft.incident
    if _WORST_FIRST.index(rule.severity) >= _WORST_FIRST.index(incident.severity):
        return
    text = f"{rule.severity.value}, was {incident.severity.value}"
    draft.set(severity=rule.severity)
    draft.record(TransitionKind.WORSENED, text)
    if not _muted(incident, rule):
        draft.tell(incident.told, NoticeKind.UPDATED, f"Now {text}.")


def _explain(draft: Draft, group: Group) -> None:
    """A root takes over whenever it opens; while nothing fires, what was said of it goes on until the root ends."""
    before, root = draft.before.explained_by, group.root
    if root is not None and root.id != before:
        draft.set(explained_by=root.id)
        draft.record(TransitionKind.EXPLAINED, _explained(root))
        if draft.incident.state is IncidentState.OPEN and before is None and not draft.before.silenced:
            draft.tell(draft.incident.told, NoticeKind.UPDATED, f"Explained by incident {root.id}: {root.title}.")
    elif root is None and before is not None:
        draft.set(explained_by=None)
        draft.record(TransitionKind.UNEXPLAINED, f"incident {before} explains it no more")


def _silence(draft: Draft, rule: Rule, group: Group, around: Around) -> None:
    silence = covering(around.silences, rule, draft.incident.labels, group.alerts, around.now_ns)
    if silence is not None and not draft.before.silenced:
        draft.set(silenced=True)
        draft.record(TransitionKind.SILENCED, _silenced(silence))
    elif silence is None and draft.before.silenced:
        draft.set(silenced=False)
        draft.record(TransitionKind.UNSILENCED)


def _turn(draft: Draft, rule: Rule, policy: Policy | None, *, was_muted: bool) -> None:
    """Muted, nobody else is told. Heard again, the policy begins anew, after a grace when a root was resolved."""
    incident, now_ns = draft.incident, draft.now_ns
    muted = _muted(incident, rule)
    if muted and incident.step_at_ns is not None:
        halt(draft)
    elif was_muted and not muted:
        if incident.state is IncidentState.ACKNOWLEDGED:
            draft.set(step_at_ns=stale_at_ns(policy, now_ns))
        else:
            begin(draft, policy, now_ns + (EXPLAINED_GRACE_NS if draft.before.explained_by is not None else 0))
    elif not muted and not incident.told and incident.step_at_ns is None and incident.state is IncidentState.OPEN:
        begin(draft, policy, now_ns)  # its rule was only tried, or it had no policy, when it opened


def _forget_stale(draft: Draft) -> str:
    """What is to be said of an acknowledgement that went stale; empty when it holds."""
    incident = draft.incident
    if incident.step_at_ns is None or incident.step_at_ns > draft.now_ns:
        return ""
    text = f"{incident.acknowledged_by} acknowledged it, and {_still(incident.firing)}"
    draft.set(state=IncidentState.OPEN)
    draft.record(TransitionKind.ACKNOWLEDGEMENT_STALE, text)
    return f"{text}."


def _say_more(draft: Draft) -> None:
    """Who was told hears that more alerts fire, but not of each, and not of those that come and go."""
    incident, known = draft.incident, draft.before.told_alerts
    if draft.tells or incident.told_ns is None or not known or incident.firing <= known:
        return
    waited_ns = draft.now_ns - incident.told_ns
    if waited_ns >= SLOW_UPDATE_NS or (incident.firing >= 2 * known and waited_ns >= UPDATE_NS):
        text = f"{_alerts(incident.firing)} fire now, there were {known}."
        draft.tell(incident.told, NoticeKind.UPDATED, text)


def _say_again(draft: Draft, rule: Rule, group: Group) -> None:
    """Who was told hears that it fires again after all had ended, whoever has it: they may think that it is over.

    The longer this goes on, the less often; and what held already when they were told last only flaps.
    """
    before, now_ns = draft.before, draft.now_ns
    if before.told_ns is None or before.told_alerts:
        return
    came = any(alert.finding.since_ns + rule.for_ns > before.told_ns for alert in group.alerts)
    pause_ns = max(before.told_ns - before.opened_ns, UPDATE_NS) if came else SLOW_UPDATE_NS
    if now_ns - before.told_ns >= min(pause_ns, SLOW_UPDATE_NS):
        text = f"It had ended and fires again: {_fire(draft.incident.firing)} now."
        draft.tell(before.told, NoticeKind.UPDATED, text)


def _alerts(count: int) -> str:
    return "1 alert" if count == 1 else f"{count} alerts"


def _fire(count: int) -> str:
    return f"{_alerts(count)} {'fires' if count == 1 else 'fire'}"


def _still(count: int) -> str:
    return f"{_alerts(count)} still {'fires' if count == 1 else 'fire'}"


def _explained(root: Incident) -> str:
    return f"by incident {root.id}: {root.title}"


def _silenced(silence: PlannedSilence) -> str:
    return f"by {silence.by}: {silence.reason}"
