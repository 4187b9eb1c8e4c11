"""Which incident explains another one: a dead queue is the root of the orders that are stuck behind it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from clew.model.alert import Alert
from clew.model.incident import Incident
from clew.model.rule import Explanation, Rule, Silence
from clew.notify.grouping import labels_of
from clew.notify.standing import Standing, unresolved

Explains = Callable[[Alert], bool]
_SERVICE = "service"


def roots_first(rules: Sequence[Rule]) -> list[Rule]:
    """The rules so that those which explain others come before them; else in their order, also within a circle."""
    by_name = {rule.name: rule for rule in rules}
    ordered: dict[str, Rule] = {}

    def visit(rule: Rule, above: frozenset[str]) -> None:
        for explanation in rule.explained_by:
            root = by_name.get(explanation.rule)
            if root is not None and root.name not in above:
                visit(root, above | {root.name})
        ordered.setdefault(rule.name, rule)

    for rule in rules:
        visit(rule, frozenset({rule.name}))
    return list(ordered.values())


def root_of(
    rule: Rule, incident_id: int, alerts: Sequence[Alert], standing: Standing, rules: Mapping[str, Rule]
) -> Incident | None:
    """The incident that explains those alerts: each of them has a root, and this is the oldest. None: none.

    Roots are incidents that aren't resolved, of rules that notify, and not explained by the incident (0: a new one)
    themselves, directly or not: of two that would explain each other, one is told.
    """
    roots = [
        (root, _explains(explanation, rules[explanation.rule], rule, root, standing))
        for explanation in rule.explained_by
        if explanation.rule in rules and rules[explanation.rule].notifies
        for root in standing.of_rule(explanation.rule)
        if not _leads_to(root, incident_id, standing)
    ]
    if not roots or not alerts:
        return None
    if not all(any(explains(alert) for _, explains in roots) for alert in alerts):
        return None
    used = [root for root, explains in roots if any(explains(alert) for alert in alerts)]
    return min(used, key=lambda root: (root.opened_ns, root.id))


def _explains(explanation: Explanation, root_rule: Rule, rule: Rule, root: Incident, standing: Standing) -> Explains:
    """By what its alerts have, or the root's own labels while none of them fires.

    The silence of everybody names no service, and is that of any: of an alert only its other labels are compared.
    """
    names = explanation.equal
    told: Sequence[Mapping[str, str]]
    told = [labels_of(root_rule, alert.finding) for alert in standing.firing(root)]
    names_service = bool(told) or _SERVICE in root_rule.group_by
    told = told or [root.labels]
    if isinstance(root_rule.shape, Silence) and names_service and any(_SERVICE not in labels for labels in told):
        names = tuple(name for name in names if name != _SERVICE)
    known = {values for labels in told if (values := _values(labels, names)) is not None}
    return lambda alert: _values(labels_of(rule, alert.finding), names) in known


def _values(labels: Mapping[str, str], names: tuple[str, ...]) -> tuple[str, ...] | None:
    """The values of labels, None when one isn't known: what isn't known is equal to nothing."""
    if not all(labels.get(name) for name in names):
        return None
    return tuple(labels[name] for name in names)


def _leads_to(root: Incident, incident_id: int, standing: Standing) -> bool:
    """Whether following what explains the root arrives at the incident."""
    seen: set[int] = set()
    at: Incident | None = root
    while at is not None and unresolved(at) and at.id not in seen:
        if at.id == incident_id:
            return True
        seen.add(at.id)
        at = standing.incidents.get(at.explained_by) if at.explained_by is not None else None
    return False
