"""Plays a written case on a simulated clock: the real fold, the real detectors, and alerts as they come and go."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from clew.flow.durations import render_duration
from clew.model.alert import Alert, AlertPhase
from clew.model.flow import Flow
from clew.model.rule import RuleSet
from clew.notify.alerting import advance_all
from clew.notify.grouping import incident_key
from clew.rehearse.told import Case, Expected
from clew.rehearse.world import World


@dataclass(frozen=True, slots=True)
class Fired:
    """An alert that fired, until it ended (None: it goes on), with what its finding said first."""

    rule: str
    subject: str
    from_ns: int
    until_ns: int | None
    reason: str
    incident: str


@dataclass(frozen=True, slots=True)
class Played:
    """What came of a case: all alerts that fired, and what differs from what was expected, in words."""

    name: str
    fired: tuple[Fired, ...]
    wrong: tuple[str, ...]


def play(case: Case, rules: RuleSet, flow: Flow, begin_ns: int) -> Played:
    """Play a case from its first look at ``begin_ns`` on, and hold the alerts against those that it expects."""
    fired = tuple(
        sorted(_alerts(case, rules, flow, begin_ns), key=lambda each: (each.from_ns, each.rule, each.subject))
    )
    return Played(case.name, fired, tuple(_differences(case, fired, begin_ns)))


def _alerts(case: Case, rules: RuleSet, flow: Flow, begin_ns: int) -> list[Fired]:
    world = World(case.told, flow, case.every_ns)
    looked = [rule for rule in rules.rules if rule.name in case.rules]
    active: dict[str, dict[str, Alert]] = {rule.name: {} for rule in looked}
    fired: dict[tuple[str, str, int], Fired] = {}
    for now_ns in range(begin_ns, case.until_ns + 1, case.every_ns):
        world.move(now_ns)
        for rule in looked:
            alerts = advance_all(rule, active[rule.name], world.findings(rule), now_ns)
            for alert in alerts.values():
                if alert.fired_ns is None:
                    continue
                key = (rule.name, alert.subject, alert.fired_ns)
                reason = fired[key].reason if key in fired else alert.finding.reason
                incident = incident_key(rule, alert.finding)
                fired[key] = Fired(rule.name, alert.subject, alert.fired_ns, alert.ended_ns, reason, incident)
            active[rule.name] = {
                subject: alert for subject, alert in alerts.items() if alert.phase is not AlertPhase.ENDED
            }
    return list(fired.values())


def _differences(case: Case, fired: tuple[Fired, ...], begin_ns: int) -> Iterator[str]:
    left = list(fired)
    for expected in case.alerts:
        found = next((each for each in left if _is_it(expected, each, case.every_ns)), None)
        if found is not None:
            left.remove(found)
            continue
        near = [each for each in left if (each.rule, each.subject) == (expected.rule, expected.subject)]
        came = "; ".join(when(each.from_ns, each.until_ns, begin_ns) for each in near)
        wanted = f"{expected.rule} {expected.subject} {when(expected.from_ns, expected.until_ns, begin_ns)}"
        yield f"missing: {wanted}{f' (it came {came})' if came else ''}"
        left = [each for each in left if each not in near]
    for each in left:
        yield f"not expected: {each.rule} {each.subject} {when(each.from_ns, each.until_ns, begin_ns)}: {each.reason}"
    for rule, number in case.incidents.items():
        keys = {each.incident for each in fired if each.rule == rule}
        if len(keys) != number:
            yield f"{len(keys)} incidents of {rule}, not {number}: {', '.join(sorted(keys)[:5])}"


def _is_it(expected: Expected, fired: Fired, within_ns: int) -> bool:
    """Whether an alert is the expected one: it fired, and ended, at the first look after the moment said."""
    if (expected.rule, expected.subject) != (fired.rule, fired.subject):
        return False
    if not 0 <= fired.from_ns - expected.from_ns < within_ns:
        return False
    if expected.until_ns is None or fired.until_ns is None:
        return expected.until_ns is fired.until_ns
    return 0 <= fired.until_ns - expected.until_ns < within_ns


def when(from_ns: int, until_ns: int | None, begin_ns: int) -> str:
    """When an alert fired, and until when, counted from the beginning of its story."""
    until = f" to {render_duration(until_ns - begin_ns)}" if until_ns is not None else " on"
    return f"from {render_duration(from_ns - begin_ns)}{until}"
