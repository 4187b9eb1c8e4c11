"""The watch: rules look in turn, and what they find becomes alerts, incidents and notices.

    what stands (control) --> look (store) --> decide (pure) --> write (control, one transaction an incident)

Nothing is kept here that isn't written: when anything fails, or somebody else changed an incident meanwhile, what
stands is read anew and the next look decides again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from clew.control.contract import Incidents
from clew.model.alert import Finding
from clew.model.errors import ClewError, ControlError
from clew.model.rule import Rule
from clew.notify.escalation import Policies
from clew.notify.explaining import roots_first
from clew.notify.incidents import Around
from clew.notify.look import Look, look, retire
from clew.notify.standing import Standing
from clew.watch.rests import Rests

log = logging.getLogger(__name__)

REST_S = 1.0
_BLIND_AFTER_NS = 30 * 10**9

LookFor = Callable[[Rule, int], list[Finding] | None]
"""All that a rule finds at a moment (Unix ns); None: it is no time to judge, and what stands waits, too."""
Made = TypeVar("Made")


@dataclass(slots=True)
class Watch:
    """Watches by rules. One at a time; not for the main thread.

    ``look_for`` makes a look of a rule; it may raise, then the rule looks again soon and its incidents go on. While it
    answers None they stand still, too: whom escalation would call now is decided by facts that are about to come.
    ``failing`` are the rules that couldn't look when they last tried, and why: they try again
    within seconds. ``looked_ns`` is when each rule last looked and what it found was written, ``stepped_ns`` when a
    step last went through.
    """

    rules: Sequence[Rule]
    policies: Policies
    incidents: Incidents
    look_for: LookFor
    now_ns: Callable[[], int]
    failing: dict[str, str] = field(default_factory=dict)
    looked_ns: dict[str, int] = field(default_factory=dict)
    stepped_ns: int = 0
    _standing: Standing | None = None
    _blind_ns: dict[str, int] = field(default_factory=dict)
    _waiting: set[str] = field(default_factory=set)
    _rests: Rests = field(default_factory=Rests)
    _ordered: list[Rule] = field(init=False)

    def __post_init__(self) -> None:
        """Nothing is read before the first step."""
        self._ordered = roots_first(self.rules)

    def step(self) -> float:
        """Let every rule that is due look, and take what time alone changes; seconds to rest. Raises ControlError."""
        declared = {rule.name: rule for rule in self.rules}
        standing, self._standing = self._standing or self._read(declared), None
        silences = self.incidents.silences(self.now_ns())
        for rule in self._ordered:
            now_ns = self.now_ns()
            looks = self._rests.is_look(rule, now_ns)
            if not (looks or self._rests.is_turn(rule, now_ns)):
                continue
            around = Around(self.policies, now_ns, silences)
            if not self._turn(rule, standing, declared, around, looks=looks):
                return 0.0
            self._rests.took(rule, now_ns, self.now_ns(), looked=looks, failed=rule.name in self.failing)
        standing.forget()
        self._standing, self.stepped_ns = standing, self.now_ns()
        return REST_S

    def problem(self) -> str | None:
        """Which rules are blind, and why; None: all see.

        A rule is when two looks in a row failed, or one did and none went through for half a minute.
        """
        now_ns = self.now_ns()
        blind = [name for name, from_ns in self._blind_ns.copy().items() if now_ns >= from_ns]
        return "; ".join(f"rule {name}: {self.failing.get(name, '')}" for name in sorted(blind)) or None

    def _read(self, declared: dict[str, Rule]) -> Standing:
        """What stands, after what belongs to rules that are declared no more was ended."""
        standing = self._stands()
        if standing.rules() - declared.keys():
            self._write(retire(standing, declared.keys(), self.now_ns()), standing)
            standing = self._stands()
        return standing

    def _stands(self) -> Standing:
        active = self.incidents.active_alerts()
        standing = Standing(active, self.incidents.unresolved())
        resolved = [self.incidents.incident(number) for number in sorted(standing.missing())]
        return Standing(active, [*standing.incidents.values(), *(each for each in resolved if each is not None)])

    def _turn(
        self, rule: Rule, standing: Standing, declared: Mapping[str, Rule], around: Around, *, looks: bool
    ) -> bool:
        """Let a rule look, or decide again of what stands; False: somebody else changed an incident meanwhile."""
        findings = self._guarded(rule, lambda: self._findings(rule, around.now_ns)) if looks else None
        if rule.name in self._waiting:
            return True
        told = self._guarded(rule, lambda: look(rule, findings, standing, declared, around))
        if told is None:
            return True
        if not self._write(told, standing):
            return False
        if findings is not None:
            self.looked_ns[rule.name] = around.now_ns
            self._sees(rule)
        return True

    def _findings(self, rule: Rule, now_ns: int) -> list[Finding] | None:
        """What a rule finds; None while it waits. One that can't look doesn't wait: its incidents go on."""
        self._waiting.discard(rule.name)
        findings = self.look_for(rule, now_ns)
        if findings is None:
            self._waiting.add(rule.name)
            self._sees(rule)
        return findings

    def _guarded(self, rule: Rule, work: Callable[[], Made]) -> Made | None:
        """What some work for a rule makes; None when it fails, which mustn't blind the other rules."""
        try:
            return work()
        except ControlError:
            raise
        except ClewError as error:
            self._fails(rule, str(error))
            log.warning("rule %s can't look: %s", rule.name, error)
        except Exception as error:  # a mistake of ours
            self._fails(rule, repr(error))
            log.exception("rule %s can't look", rule.name)
        return None

    def _fails(self, rule: Rule, why: str) -> None:
        self._blind_ns[rule.name] = self.now_ns() + (0 if rule.name in self.failing else _BLIND_AFTER_NS)
        self.failing[rule.name] = why

    def _sees(self, rule: Rule) -> None:
        self._blind_ns.pop(rule.name, None)
        self.failing.pop(rule.name, None)

    def _write(self, told: Look, standing: Standing) -> bool:
        """Write what was decided; whether nobody else was faster."""
        if told.alerts:
            self.incidents.write_alerts(told.alerts)
            standing.wrote(told.alerts)
        for change in told.changes:
            incident = self.incidents.apply(change)
            if incident is None:
                return False
            standing.applied(change, incident)
        return True
