"""Whether declared silences cover what fires."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from clew.model.alert import Alert
from clew.model.incident import Incident, PlannedSilence
from clew.model.rule import Rule


def holds(silence: PlannedSilence, now_ns: int) -> bool:
    """Whether a silence holds at a moment: from its begin until before its end, and within its hours."""
    in_time = silence.from_ns <= now_ns < silence.until_ns
    return in_time and (silence.hours is None or silence.hours.holds_at(now_ns))


def matches(silence: PlannedSilence, rule: str, labels: Mapping[str, str]) -> bool:
    """Whether its labels are all equal to these; ``rule`` counts as a label."""
    return all((rule if name == "rule" else labels.get(name)) == text for name, text in silence.labels.items())


def covering(
    silences: Sequence[PlannedSilence], rule: Rule, labels: Mapping[str, str], alerts: Sequence[Alert], now_ns: int
) -> PlannedSilence | None:
    """A silence that holds now and covers an incident: by the incident's own labels, or because silences match every
    alert that fires (then the first of them). None: somebody is to be told."""
    held = [silence for silence in silences if holds(silence, now_ns)]
    for silence in held:
        if matches(silence, rule.name, labels):
            return silence
    if not held or not alerts:
        return None
    by = [_matching(held, rule, alert) for alert in alerts]
    return by[0] if all(each is not None for each in by) else None


def labels_to_silence(incident: Incident) -> dict[str, str]:
    """The labels of a silence for an incident and its like."""
    return {"rule": incident.rule, **incident.labels}


def _matching(silences: Sequence[PlannedSilence], rule: Rule, alert: Alert) -> PlannedSilence | None:
    labels = {**rule.labels, **alert.finding.labels}
    return next((silence for silence in silences if matches(silence, rule.name, labels)), None)
