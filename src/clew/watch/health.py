"""How the watch itself does, and how each rule stands: what people ask of a watch before they trust it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from clew.model.incident import Incident, PlannedSilence, Policy
from clew.model.rule import Rule
from clew.notify.escalation import Policies
from clew.notify.silences import holds, matches
from clew.rules.words import rule_words


@dataclass(frozen=True, slots=True)
class WatchHealth:
    """How a watch does. ``looked_ns`` is when each rule last looked (Unix ns), ``failing`` are rules that can't look,
    each with why. ``heartbeat`` is why the external switch isn't told (empty: it is, None: there is none).
    ``unwatched`` is why no rule looks at all, ``untold`` why nobody is told of anything (empty: that isn't so)."""

    looked_ns: Mapping[str, int] = field(default_factory=dict)
    failing: Mapping[str, str] = field(default_factory=dict)
    heartbeat: str | None = None
    unwatched: str = ""
    untold: str = ""


@dataclass(frozen=True, slots=True)
class RuleStanding:
    """A ``rule`` that watches and what it ``finds`` in words; the ``policies`` by which its incidents may be told
    (none: nobody is), when it last looked (``looked_ns``, Unix ns; None: not yet) and why it can't (``trouble``, empty:
    it can); its unresolved ``incidents`` (None: they can't be read), and the ``silences`` that hold now and cover all
    of it or some."""

    rule: Rule
    finds: str
    policies: tuple[Policy, ...]
    looked_ns: int | None
    trouble: str
    incidents: tuple[Incident, ...] | None
    silences: tuple[PlannedSilence, ...]

    @property
    def silenced_until_ns(self) -> int | None:
        """Until when nobody is told of anything that it finds (Unix ns); None: somebody may be."""
        rule = self.rule
        whole = [each.until_ns for each in self.silences if matches(each, rule.name, rule.labels)]
        return max(whole, default=None)


def unseen(health: WatchHealth, waits: str | None) -> list[str]:
    """What isn't looked at now, and why: that it has no incident tells nothing (none: all is looked at).

    ``waits`` is why some rules don't judge yet.
    """
    blind = sorted(health.failing)
    first = f"rule {blind[0]} can't look: {health.failing[blind[0]]}" if blind else ""
    others = f"; {len(blind) - 1} more can't either" if len(blind) > 1 else ""
    return [each for each in (health.unwatched, first + others, waits) if each]


def rules_standing(
    rules: Sequence[Rule],
    policies: Policies,
    unresolved: Sequence[Incident] | None,
    silences: Sequence[PlannedSilence],
    health: WatchHealth,
    now_ns: int,
) -> list[RuleStanding]:
    """How each rule stands at a moment, in the order of their file; ``unresolved`` None: incidents can't be read."""
    held = [each for each in silences if holds(each, now_ns)]
    return [
        RuleStanding(
            rule=rule,
            finds=rule_words(rule),
            policies=policies.possible(rule) if rule.notifies else (),
            looked_ns=health.looked_ns.get(rule.name),
            trouble=health.failing.get(rule.name, ""),
            incidents=None if unresolved is None else tuple(each for each in unresolved if each.rule == rule.name),
            silences=tuple(each for each in held if _is_about(each, rule)),
        )
        for rule in rules
    ]


def _is_about(silence: PlannedSilence, rule: Rule) -> bool:
    """Whether a silence names the rule, or a label that the rule itself has, and no other rule."""
    own = {**rule.labels, "rule": rule.name}
    shared = silence.labels.keys() & own.keys()
    return bool(shared) and all(silence.labels[name] == own[name] for name in shared)
