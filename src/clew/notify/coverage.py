"""What a silence would cover at this moment, and which of its labels nobody knows: a typo covers nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from clew.flow.nodes import close_match, did_you_mean
from clew.model.alert import Alert
from clew.model.incident import Incident, PlannedSilence
from clew.model.rule import Judged, Rule
from clew.notify.silences import covering, matches

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Coverage:
    """``incidents`` that aren't resolved would tell nobody, with so many ``alerts`` that fire. ``others`` are told all
    the same, as only some of their alerts are covered. ``warnings`` name labels that nobody knows, with a mend."""

    incidents: tuple[Incident, ...] = ()
    alerts: int = 0
    others: tuple[Incident, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def told(self) -> str:
        """What it covers now, as one sentence: ``2 unresolved incidents with 14 alerts now: 7 orders stuck, ...``."""
        if not self.incidents:
            told = "nothing now"
        else:
            alerts = "no alert that fires" if not self.alerts else _counted(self.alerts, "alert")
            told = f"{_counted(len(self.incidents), 'unresolved incident')} with {alerts} now: {_named(self.incidents)}"
        rest = f"; only some alerts of {_named(self.others)}, which is told all the same" if self.others else ""
        return told + rest


def coverage(
    labels: Mapping[str, str],
    rules: Sequence[Rule],
    unresolved: Iterable[tuple[Incident, Sequence[Alert]]],
    known: Mapping[str, Collection[str]],
) -> Coverage:
    """What a silence of these labels would cover of incidents with their firing alerts, if it held now.

    Without ``rules`` nobody knows which there are, as over a directory that nobody watches: there are no warnings then.
    ``known`` are the names of all labels, each with the values that were seen (none: nothing is known of them).
    """
    silence = PlannedSilence(0, labels, 0, 1, "", "")
    declared = {rule.name: rule for rule in rules}
    covered: list[Incident] = []
    others: list[Incident] = []
    firing = 0
    for incident, alerts in unresolved:
        rule = declared.get(incident.rule) if rules else Rule(incident.rule, Judged(()))
        if rule is None:
            continue
        if covering((silence,), rule, incident.labels, alerts, 0):
            covered.append(incident)
            firing += len(alerts)
        elif any(matches(silence, rule.name, {**rule.labels, **alert.finding.labels}) for alert in alerts):
            others.append(incident)
    warnings = tuple(_warnings(labels, [*declared], known)) if rules else ()
    return Coverage(tuple(covered), firing, tuple(others), warnings)


def known_labels(
    names: Iterable[str], rules: Iterable[Rule], unresolved: Iterable[tuple[Incident, Sequence[Alert]]]
) -> dict[str, set[str]]:
    """The labels of that names, and those of rules, incidents and alerts, each with the values that they have."""
    known: dict[str, set[str]] = {name: set() for name in names}
    told: list[Mapping[str, str]] = [rule.labels for rule in rules]
    for incident, alerts in unresolved:
        told += [incident.labels, *(alert.finding.labels for alert in alerts)]
    for labels in told:
        for name, value in labels.items():
            known.setdefault(name, set()).add(value)
    return known


def _warnings(labels: Mapping[str, str], rules: Sequence[str], known: Mapping[str, Collection[str]]) -> Iterable[str]:
    """Any rule and label can be known; a value may come that nobody saw, so only one that is nearly another is told."""
    for name, value in labels.items():
        if name == "rule":
            if value not in rules:
                yield f"no rule is called {value!r}: {did_you_mean(value, rules)}"
        elif name not in known:
            yield f"no alert has a label {name!r}: {did_you_mean(name, sorted({'rule', *known}))}"
        elif value not in known[name] and (near := close_match(value, known[name])):
            yield f"no alert has {name}={value} now: did you mean {near!r}?"


def _named(incidents: Sequence[Incident]) -> str:
    """Some incidents in words, and how many more there are."""
    shown = ", ".join(f"{each.title} (incident {each.id})" for each in incidents[:_SHOWN])
    return shown + (f" and {len(incidents) - _SHOWN} more" if len(incidents) > _SHOWN else "")


def _counted(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"
