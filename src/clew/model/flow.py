"""Flow: the declared way of an order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

ANY_PATH = "*"


class Terminal(StrEnum):
    """How a journey ends in a terminal stage."""

    CLOSED = "closed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Limit:
    """The longest allowed dwell and the dwell at which jeopardy begins, in nanoseconds."""

    allowed_ns: int
    warn_ns: int


@dataclass(frozen=True, slots=True)
class StageRule:
    """Derives a stage event from an ordinary span. Empty fields match everything.

    ``span`` is the exact span name, or a prefix ending in ``*``. ``where`` compares attribute values
    as text (an empty value asks only that the attribute is there). ``status`` is ``ok`` (not an
    error), ``error`` or empty. The order id comes from ``order_attribute``, or from the first
    capture group of the RE2 expression ``order_url`` on ``url.path``, ``http.target``, ``url.full``
    or ``http.url``, whichever is there first. ``outcome`` is what the derived event says.
    """

    stage: str
    service: str = ""
    span: str = ""
    where: Mapping[str, str] = field(default_factory=dict)
    status: str = ""
    order_attribute: str = "order.id"
    order_url: str = ""
    outcome: str = "ok"
    path: str = ""


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage: who owns it, how long an order may dwell, where it may go next.

    ``service`` has the order while it is in this stage and must bring it on; that need not be the service
    that reported it here.
    ``limits`` maps a path (or ``ANY_PATH``) to its limit; no entry means no limit.
    ``owner`` names the people who must act; empty means the owning service's people.
    """

    name: str
    service: str = ""
    owner: str = ""
    limits: Mapping[str, Limit] = field(default_factory=dict)
    next: tuple[str, ...] = ()
    terminal: Terminal | None = None
    rules: tuple[StageRule, ...] = ()
    meaning: str = ""

    def limit(self, path: str) -> Limit | None:
        """The limit for a path, falling back to the one for any path."""
        return self.limits.get(path) or self.limits.get(ANY_PATH)


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Who says that a deviation is normal, why, and until when.

    From ``expires_ns`` on (Unix nanoseconds; None: never) the deviation counts again.
    """

    author: str = ""
    reason: str = ""
    expires_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Flow:
    """The declared, versioned way of an order: stages in their natural order and entry paths.

    ``paths`` maps a path to its entry stages; an order whose path was never named takes the first
    path that its first stage is an entry of. ``transit_limits`` maps a destination (or ``*``) to the longest
    transit time in nanoseconds before an untaken message is lost. ``accepted`` lists deviations
    that count as normal: ``skipped:STAGE``, ``repeated:STAGE``, ``unknown_stage:STAGE``,
    ``out_of_sequence:FROM>TO``; ``acceptances`` has what is said of those of them that say more.
    ``hold_limit_ns`` is the longest a hold may last (None: for ever); ``due_margin_ns`` is how long
    before its due date an order comes into jeopardy.
    """

    name: str
    version: int
    stages: tuple[Stage, ...]
    paths: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    singular: str = "order"
    plural: str = "orders"
    transit_limits: Mapping[str, int] = field(default_factory=dict)
    accepted: frozenset[str] = frozenset()
    hold_limit_ns: int | None = None
    due_margin_ns: int = 0
    acceptances: Mapping[str, Acceptance] = field(default_factory=dict)

    def accepts(self, deviation: str, at_ns: int) -> bool:
        """Whether a deviation that shows at a moment counts as normal."""
        if deviation not in self.accepted:
            return False
        said = self.acceptances.get(deviation)
        return said is None or said.expires_ns is None or at_ns < said.expires_ns

    def accepting_at(self, at_ns: int) -> Flow:
        """The flow as it is at a moment: without acceptances that have expired by then."""
        return replace(self, accepted=frozenset(each for each in self.accepted if self.accepts(each, at_ns)))

    def stage(self, name: str) -> Stage | None:
        """The stage of that name, or None when the flow doesn't declare it."""
        return next((stage for stage in self.stages if stage.name == name), None)
