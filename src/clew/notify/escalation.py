"""Who is told next, and when, until somebody acknowledges.

begin --> step due --> tell --> wait --> next step ... last step --> again from the first, `repeat` times --> nothing

A step that comes due out of its hours is skipped, except the policy's last one: that waits for its hours, so that at
least one step of each round is told. Waits count from the step before as it was told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from clew.model.incident import Incident, NoticeKind, Policy, Route, TransitionKind
from clew.model.rule import Rule, Severity
from clew.notify.channels.texts import moment
from clew.notify.draft import Draft
from clew.notify.outlook import next_words

LEAST_GAP_NS = 5 * 60 * 10**9
"""Rounds of a policy begin no faster after each other, whatever its steps say."""


@dataclass(frozen=True, slots=True)
class Policies:
    """The escalation policies by name, and which incidents take which. Without any, nobody is told."""

    policies: Mapping[str, Policy] = field(default_factory=dict)
    routes: tuple[Route, ...] = ()

    def of(self, rule: Rule, severity: Severity, labels: Mapping[str, str]) -> Policy | None:
        """The policy of a new incident: the rule's own, else that of the first route that fits."""
        if rule.policy in self.policies:
            return self.policies[rule.policy]
        for route in self.routes:
            if _fits(route, rule, severity, labels):
                return self.policies.get(route.policy)
        return None

    def possible(self, rule: Rule) -> tuple[Policy, ...]:
        """The policies that incidents of a rule may take, in the order of the routes; none: nobody is told.

        There are several where a route asks for a label that only an incident has.
        """
        if rule.policy in self.policies:
            return (self.policies[rule.policy],)
        names: list[str] = []
        for route in self.routes:
            fits = _may_fit(route, rule)
            if fits is not False:
                names.append(route.policy)
            if fits:
                break
        return tuple(self.policies[name] for name in dict.fromkeys(names) if name in self.policies)

    def kept(self, incident: Incident) -> Policy | None:
        """The policy that an incident has; None when it is declared no more."""
        return self.policies.get(incident.policy)


def begin(draft: Draft, policy: Policy | None, at_ns: int) -> None:
    """From the first step on, at a moment or later."""
    due_ns = at_ns + policy.steps[0].after_ns if policy and policy.steps else None
    draft.set(step=0, round=0, step_at_ns=due_ns)


def halt(draft: Draft) -> None:
    """Nobody else is told until it begins again."""
    draft.set(step_at_ns=None)


def go_on(draft: Draft, policy: Policy | None, why: str = "") -> None:
    """Take the steps that are due, and say who is next and when. ``why`` tells channels what happened before."""
    if policy is None or not policy.steps:
        halt(draft)
        return
    kind = NoticeKind.ESCALATED if draft.incident.told else NoticeKind.OPENED
    called: list[str] = []
    while (due_ns := draft.incident.step_at_ns) is not None and due_ns <= draft.now_ns:
        number = min(draft.incident.step, len(policy.steps) - 1)
        step = policy.steps[number]
        if step.hours is None or step.hours.holds_at(draft.now_ns):
            called += step.channels
            if draft.incident.id:
                draft.record(
                    TransitionKind.ESCALATED, f"to be told: {', '.join(step.channels)}{_place(draft, policy, number)}"
                )
        elif number == len(policy.steps) - 1:
            break
        _move_on(draft, policy, number)
    if called:
        after = next_words(draft.incident, policy, lambda at_ns: f"at {moment(at_ns)}")
        before = f"{why.removesuffix('.')}. " if why else ""
        draft.tell(dict.fromkeys(called), kind, f"{before}{after[0].upper()}{after[1:]}.")


def stale_at_ns(policy: Policy | None, now_ns: int) -> int | None:
    """When an acknowledgement goes stale if nothing more is heard; None: never."""
    return None if policy is None or policy.stale_after_ns is None else now_ns + policy.stale_after_ns


def _fits(route: Route, rule: Rule, severity: Severity, labels: Mapping[str, str]) -> bool:
    told = {"rule": rule.name, **labels}
    in_severity = not route.severities or severity in route.severities
    return in_severity and all(told.get(name) == text for name, text in route.labels.items())


def _may_fit(route: Route, rule: Rule) -> bool | None:
    """Whether a route fits every incident of a rule (True), none (False), or those of certain labels (None)."""
    if route.severities and rule.severity not in route.severities:
        return False
    known = {name: text for name, text in rule.labels.items() if name not in rule.group_by} | {"rule": rule.name}
    open_ = {name for name in route.labels if name not in known}
    if not open_ <= set(rule.group_by) or any(known.get(name, text) != text for name, text in route.labels.items()):
        return False
    return None if open_ else True


def _move_on(draft: Draft, policy: Policy, number: int) -> None:
    if number + 1 < len(policy.steps):
        draft.set(step=number + 1, step_at_ns=draft.now_ns + policy.steps[number + 1].after_ns)
    elif draft.incident.round < policy.repeat:
        gap_ns = max(LEAST_GAP_NS, *(step.after_ns for step in policy.steps), 0)
        draft.set(step=0, round=draft.incident.round + 1, step_at_ns=draft.now_ns + gap_ns)
    else:
        draft.set(step=len(policy.steps), step_at_ns=None)


def _place(draft: Draft, policy: Policy, number: int) -> str:
    """Which step it was, where there are several."""
    place = f" (step {number + 1} of {len(policy.steps)}" if len(policy.steps) > 1 else ""
    turn = draft.incident.round
    if turn:
        place += f"{', ' if place else ' ('}round {turn + 1}"
    return f"{place})" if place else ""
