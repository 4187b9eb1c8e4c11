"""Findings over time become alerts: none --> pending --> firing --> ended.

A look that could not be made is no look: call nothing then, as an absent finding means that nothing was found.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from clew.model.alert import Alert, AlertPhase, Finding
from clew.model.rule import Rule

REFRESH_NS = 60 * 10**9
"""An alert that goes on firing is written this often, so that its evidence is no older."""

_SHARE_OF_KEEPING = 10


def advance(rule: Rule, alert: Alert | None, finding: Finding | None, now_ns: int) -> Alert | None:
    """What a look makes of a subject's alert; ``finding`` is what the rule found of it, None: nothing.

    Pending until it was found in ``hits`` of the last ``looks`` looks, for ``for_ns`` without a break, and within the
    rule's hours; a pending one that breaks ends without having fired. A firing one goes on, whatever the hour, as long
    as hits suffice and its value isn't below ``recover_below``, and ``keep_firing_ns`` after it was last found. None:
    there is nothing. A look that isn't newer than the alert's last finding changes nothing.
    """
    if alert is None or alert.phase is AlertPhase.ENDED:
        if finding is None or not _holds(rule, finding, firing=False):
            return None
        alert = Alert(rule.name, finding.subject, AlertPhase.PENDING, finding, now_ns, now_ns)
    elif now_ns <= alert.seen_ns:
        return alert
    firing = alert.phase is AlertPhase.FIRING
    held = finding is not None and _holds(rule, finding, firing=firing)
    looked = Alert(  # not replace(): ten thousand of them are made in a look
        alert.rule,
        alert.subject,
        alert.phase,
        finding if finding is not None and held else alert.finding,
        alert.found_ns,
        now_ns if held else alert.seen_ns,
        alert.fired_ns,
        alert.ended_ns,
        (*alert.looks, held)[-rule.looks :],
    )
    return _go_on(rule, looked, now_ns) if firing else _wait(rule, alert, looked, now_ns)


def advance_all(rule: Rule, alerts: Mapping[str, Alert], findings: Iterable[Finding], now_ns: int) -> dict[str, Alert]:
    """The alerts of a rule by subject after a look that found these; ended ones are among them.

    Of several findings about one subject the last counts.
    """
    found = {finding.subject: finding for finding in findings}
    looked = {subject: advance(rule, alerts.get(subject), found.get(subject), now_ns) for subject in (*alerts, *found)}
    return {subject: alert for subject, alert in looked.items() if alert is not None}


def worth_writing(rule: Rule, old: Alert | None, new: Alert) -> bool:
    """Whether an alert must be written: what decides of it changed, or what is written of it is too old.

    So alerts can always be taken up again from what is written, and ten thousand that go on firing cost little.
    """
    if old is None or (old.phase, old.looks, old.found_ns) != (new.phase, new.looks, new.found_ns):
        return True
    if old.finding.labels != new.finding.labels:
        return True
    oldest_ns = min(REFRESH_NS, rule.keep_firing_ns // _SHARE_OF_KEEPING or REFRESH_NS)
    return new.seen_ns - old.seen_ns >= oldest_ns


def _holds(rule: Rule, finding: Finding, *, firing: bool) -> bool:
    """Whether a finding counts: with a bound for recovery, values between the two bounds only keep an alert firing."""
    if rule.recover_below is None or finding.value is None:
        return True
    if firing:
        return finding.value >= rule.recover_below
    return finding.bound is None or finding.value >= finding.bound


def _suffices(rule: Rule, alert: Alert) -> bool:
    return sum(alert.looks) >= rule.hits


def _wait(rule: Rule, before: Alert, alert: Alert, now_ns: int) -> Alert:
    """The row of findings begins when the hits suffice; the alert is forgotten when no look of the last found it."""
    if not any(alert.looks):
        return replace(alert, phase=AlertPhase.ENDED, ended_ns=now_ns)
    if not _suffices(rule, alert):
        return alert
    if not _suffices(rule, before):
        alert = replace(alert, found_ns=now_ns)
    in_hours = rule.hours is None or rule.hours.holds_at(now_ns)
    if in_hours and now_ns - alert.found_ns >= rule.for_ns:
        return replace(alert, phase=AlertPhase.FIRING, fired_ns=now_ns)
    return alert


def _go_on(rule: Rule, alert: Alert, now_ns: int) -> Alert:
    if _suffices(rule, alert) or now_ns - alert.seen_ns < rule.keep_firing_ns:
        return alert
    return replace(alert, phase=AlertPhase.ENDED, ended_ns=now_ns)
