"""The watch: rules look in turn, and what they find becomes alerts, incidents and notices.

    what stands (control) --> look (store) --> decide (pure) --> write (control, one transaction an incident)

Nothing is kept here that isn't written: when anything fails, or somebody else changed an incident meanwhile, what
stands is read anew and the next look decides again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from clew.control.contract import Incidents
from clew.model.alert import Finding
from clew.model.errors import ClewError
from clew.model.rule import Rule
from clew.notify.escalation import Policies
from clew.notify.explaining import roots_first
from clew.notify.incidents import Around
from clew.notify.look import Look, look, retire
from clew.notify.standing import Standing
from clew.watch.looks import every_ns

log = logging.getLogger(__name__)

REST_S = 1.0

LookFor = Callable[[Rule, int], list[Finding]]
"""All that a rule finds at a moment (Unix ns)."""


@dataclass(slots=True)
class Watch:
    """Watches by rules. One at a time; not for the main thread.

    ``look_for`` makes a look of a rule; it may raise, then the rule looks again later and its incidents go on.
    ``looked_ns`` is when all rules that were due had looked and all was written.
    """

    rules: Sequence[Rule]
    policies: Policies
    incidents: Incidents
    look_for: LookFor
    now_ns: Callable[[], int]
    looked_ns: int = 0
    _standing: Standing | None = None
    _due_ns: dict[str, int] = field(default_factory=dict)
    _ordered: list[Rule] = field(init=False)

    def __post_init__(self) -> None:
        """Nothing is read before the first step."""
        self._ordered = roots_first(self.rules)

    def step(self) -> float:
        """Let every rule that is due look, and take what time alone changes; seconds to rest.

        Raises ControlError, and ClewError when some rule couldn't look: the others did.
        """
        failed: dict[str, Exception] = {}
        declared = {rule.name: rule for rule in self.rules}
        try:
            standing = self._standing or self._read(declared)
            silences = self.incidents.silences(self.now_ns())
            for rule in self._ordered:
                now_ns = self.now_ns()
                findings = self._findings(rule, now_ns, failed)
                told = look(rule, findings, standing, declared, Around(self.policies, now_ns, silences))
                if not self._write(told, standing):
                    self._standing = None
                    return 0.0
            standing.forget()
            self._standing, self.looked_ns = standing, self.now_ns()
        except BaseException:
            self._standing = None
            raise
        if failed:
            told_of = "; ".join(f"{name}: {error}" for name, error in failed.items())
            raise ClewError(told_of) from ExceptionGroup("rules", list(failed.values()))
        return REST_S

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

    def _findings(self, rule: Rule, now_ns: int, failed: dict[str, Exception]) -> list[Finding] | None:
        """What a rule finds; None when it isn't time yet, or it couldn't look."""
        if now_ns < self._due_ns.get(rule.name, 0):
            return None
        self._due_ns[rule.name] = now_ns + every_ns(rule)
        try:
            return self.look_for(rule, now_ns)
        except ClewError as error:
            failed[rule.name] = error
        except Exception as error:  # a mistake of ours in one rule mustn't blind the others
            log.exception("rule %s could not look", rule.name)
            failed[rule.name] = error
        return None

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
