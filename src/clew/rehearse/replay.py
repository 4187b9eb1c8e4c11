"""What rules would have alerted over a range of the past, before they may wake anybody. Nobody is told of anything.

Orders are refolded as they stood; spans, counts and silence are looked at minute by minute where the data is still
there. Alerts that overlap and share the labels of ``group_by`` are one incident, as they would have been.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import MappingProxyType

from clew.journey.in_force import FlowInForce
from clew.learn.remaining import read_remaining
from clew.model.alert import Alert, AlertPhase
from clew.model.rule import BurnRate, OrderShape, ProjectedLate, Rule, Severity, Silence, Slow, SpansSeen, Surge
from clew.notify.alerting import advance_all
from clew.notify.grouping import incident_key
from clew.rehearse.past_orders import MOST, Held, held_in_orders
from clew.rehearse.past_rates import Moment, Windows, found_burning, found_in_spans, found_silent, found_surging
from clew.store.contract import Store
from clew.store.rule_history import orders_under_way

_STEP_NS = 15 * 60 * 10**9
NOT_KEPT = "not tried: what it looks at isn't kept"
BY_NOW = "orders are projected by what finished ones tell now"


@dataclass(frozen=True, slots=True)
class PastAlert:
    """An alert that would have fired; ``until_ns`` None: it would still fire at the end of the range."""

    subject: str
    from_ns: int
    until_ns: int | None
    incident: str
    reason: str


@dataclass(frozen=True, slots=True)
class RuleReplay:
    """What a rule would have done: ``alerts`` that fired within the range, ``incidents`` that they make.

    ``ended`` of the alerts healed by themselves, lasting ``median_ns`` and ``p90_ns`` (None: none did). ``days`` counts
    alerts by UTC day. ``examples`` are the first ones. ``note`` says what wasn't tried, or how.
    """

    rule: str
    severity: Severity
    alerts: int = 0
    incidents: int = 0
    ended: int = 0
    median_ns: int | None = None
    p90_ns: int | None = None
    days: Mapping[str, int] = field(default_factory=dict)
    examples: tuple[PastAlert, ...] = ()
    note: str = ""


def replay_rules(
    store: Store,
    flows: Sequence[FlowInForce],
    rules: Sequence[Rule],
    from_ns: int,
    until_ns: int,
    windows: Windows = MappingProxyType({}),
) -> tuple[RuleReplay, ...]:
    """What each rule would have done in a range, in their order. Raises StoreError.

    ``windows`` are surges, silences and outages that were told before, in minutes by series. Of very many orders a
    sample is tried, and the note says so."""
    of_orders = [rule for rule in rules if isinstance(rule.shape, OrderShape)]
    held: dict[str, list[PastAlert]] = defaultdict(list)
    every = 1
    by_name = {rule.name: rule for rule in of_orders}
    if of_orders:
        projects = any(isinstance(rule.shape, ProjectedLate) for rule in of_orders)
        remaining = read_remaining(store, until_ns) if projects else {}
        orders, every = orders_under_way(store, from_ns, until_ns, MOST)
        for each in held_in_orders(store, flows, of_orders, orders, from_ns, until_ns, remaining):
            alert = _alert_of(by_name[each.rule], each, until_ns)
            if alert is not None and alert.from_ns >= from_ns:
                held[each.rule].append(alert)
    tried = [_replay(store, rule, held, from_ns, until_ns, windows) for rule in rules]
    if every == 1:
        return tuple(tried)
    sample = f"one order in {every} was tried"
    return tuple(
        replace(each, note="; ".join(filter(None, (each.note, sample)))) if each.rule in by_name else each
        for each in tried
    )


def _replay(
    store: Store, rule: Rule, held: Mapping[str, list[PastAlert]], from_ns: int, until_ns: int, windows: Windows
) -> RuleReplay:
    match rule.shape:
        case SpansSeen() | Slow():
            return _summed(rule, _advanced(rule, found_in_spans(store, rule, from_ns, until_ns)))
        case BurnRate():
            return _summed(rule, _advanced(rule, found_burning(store, rule, rule.shape, from_ns, until_ns)))
        case Surge():
            return _summed(rule, _advanced(rule, found_surging(store, rule, rule.shape, from_ns, until_ns, windows)))
        case Silence():
            return _summed(rule, _advanced(rule, found_silent(store, rule, rule.shape, from_ns, until_ns, windows)))
        case ProjectedLate():
            return _summed(rule, _together(rule, held.get(rule.name, [])), BY_NOW)
        case _ if isinstance(rule.shape, OrderShape):
            return _summed(rule, _together(rule, held.get(rule.name, [])))
        case _:
            return RuleReplay(rule.name, rule.severity, note=NOT_KEPT)


def _alert_of(rule: Rule, held: Held, until_ns: int) -> PastAlert | None:
    """The alert that a finding would have made: held for long enough, within the rule's hours."""
    fired_ns = held.from_ns + rule.for_ns
    end_ns = until_ns if held.until_ns is None else held.until_ns
    while rule.hours is not None and fired_ns < end_ns and not rule.hours.holds_at(fired_ns):
        fired_ns = (fired_ns // _STEP_NS + 1) * _STEP_NS
    if fired_ns >= end_ns:
        return None
    ended_ns = None if held.until_ns is None else held.until_ns + rule.keep_firing_ns
    if ended_ns is not None and ended_ns >= until_ns:
        ended_ns = None
    finding = held.finding
    return PastAlert(finding.subject, fired_ns, ended_ns, incident_key(rule, finding), finding.reason)


def _together(rule: Rule, alerts: Iterable[PastAlert]) -> Iterator[PastAlert]:
    """Alerts by time; one that is found again while it is kept firing goes on."""
    last: dict[str, PastAlert] = {}
    for alert in sorted(alerts, key=lambda each: each.from_ns):
        before = last.get(alert.subject)
        if before is not None and (before.until_ns is None or alert.from_ns <= before.until_ns) and rule.keep_firing_ns:
            kept = PastAlert(before.subject, before.from_ns, alert.until_ns, before.incident, before.reason)
            last[alert.subject] = kept
            continue
        if before is not None:
            yield before
        last[alert.subject] = alert
    yield from last.values()


def _advanced(rule: Rule, moments: Iterable[Moment]) -> Iterator[PastAlert]:
    """The alerts that looks at these moments would have made, by the decisions that are made today."""
    active: dict[str, Alert] = {}
    fired: dict[tuple[str, int], PastAlert] = {}
    for now_ns, findings in moments:
        if not (findings or active):
            continue
        looked = advance_all(rule, active, findings, now_ns)
        for alert in looked.values():
            if alert.fired_ns is not None:
                key = (alert.subject, alert.fired_ns)
                reason = fired[key].reason if key in fired else alert.finding.reason
                incident = incident_key(rule, alert.finding)
                fired[key] = PastAlert(alert.subject, alert.fired_ns, alert.ended_ns, incident, reason)
        active = {subject: alert for subject, alert in looked.items() if alert.phase is not AlertPhase.ENDED}
    yield from fired.values()


def _summed(rule: Rule, alerts: Iterable[PastAlert], note: str = "") -> RuleReplay:
    found = sorted(alerts, key=lambda each: (each.from_ns, each.subject))
    lasted = sorted(each.until_ns - each.from_ns for each in found if each.until_ns is not None)
    days = Counter(f"{datetime.fromtimestamp(each.from_ns // 10**9, UTC):%Y-%m-%d}" for each in found)
    return RuleReplay(
        rule.name,
        rule.severity,
        len(found),
        _incidents(found),
        len(lasted),
        lasted[len(lasted) // 2] if lasted else None,
        lasted[min(len(lasted) - 1, len(lasted) * 9 // 10)] if lasted else None,
        dict(sorted(days.items())),
        tuple(found[:5]),
        note,
    )


def _incidents(alerts: Sequence[PastAlert]) -> int:
    """How many incidents alerts make: those with the same key that overlap are one."""
    count = 0
    until: dict[str, int | None] = {}
    for each in alerts:
        if each.incident in until:
            last_ns = until[each.incident]
            if last_ns is None or each.from_ns <= last_ns:
                until[each.incident] = (
                    None if None in (last_ns, each.until_ns) else max(last_ns or 0, each.until_ns or 0)
                )
                continue
        count += 1
        until[each.incident] = each.until_ns
    return count
