"""Journey and verdict: what is known of one order, and what Clew says of it now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from clew.model.flow import Terminal


class VerdictKind(StrEnum):
    """What Clew says of an order; the order of the members is worst first."""

    LOST = "lost"
    FAILED = "failed"
    STUCK = "stuck"
    IN_JEOPARDY = "in_jeopardy"
    ON_HOLD = "on_hold"
    ON_TIME = "on_time"
    CANCELLED = "cancelled"
    CLOSED = "closed"


class LostReason(StrEnum):
    """Why a hand-over was not taken."""

    IN_QUEUE = "in_queue"
    UNROUTABLE = "unroutable"
    EXPIRED = "expired"
    REJECTED = "rejected"
    DEAD_LETTERED = "dead_lettered"
    CONSUMED_WITHOUT_EFFECT = "consumed_without_effect"
    UNKNOWN = "unknown"


class DeviationKind(StrEnum):
    """How a journey leaves its flow."""

    SKIPPED = "skipped"
    REPEATED = "repeated"
    OUT_OF_SEQUENCE = "out_of_sequence"
    UNKNOWN_STAGE = "unknown_stage"


@dataclass(frozen=True, slots=True)
class Deviation:
    """One departure from the flow, at the milestone with that index; ``accepted`` ones are normal."""

    kind: DeviationKind
    stage: str
    index: int
    accepted: bool = False


@dataclass(frozen=True, slots=True)
class Milestone:
    """The moment an order entered a stage. Time is Unix nanoseconds, ids are hex or empty."""

    stage: str
    at_ns: int
    service: str = ""
    trace_id: str = ""
    span_id: str = ""
    actor: str = ""


@dataclass(frozen=True, slots=True)
class Visit:
    """One entry into a stage, as reports count it. Time is Unix nanoseconds."""

    stage: str
    at_ns: int


@dataclass(frozen=True, slots=True)
class Hold:
    """A deliberate pause; ``end_ns`` is None while it lasts."""

    begin_ns: int
    end_ns: int | None


@dataclass(frozen=True, slots=True)
class Failure:
    """The current stage failed and nothing has succeeded since."""

    stage: str
    at_ns: int
    error: str = ""
    service: str = ""
    trace_id: str = ""
    span_id: str = ""


@dataclass(frozen=True, slots=True)
class Loss:
    """A hand-over that was published and not taken within its transit limit.

    ``span_id`` is the producer span. ``published_ns`` is when it ended.
    """

    reason: LostReason
    destination: str
    published_ns: int
    service: str
    trace_id: str
    span_id: str
    queue: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Journey:
    """All that is known of one order, folded from the set of its stage events and losses.

    ``milestones`` are in journey order with repeats of the same stage collapsed to the first; a
    terminal one is the last, and what came later is in ``after_end``. ``deadline_at_ns`` is when the
    dwell in the current stage reaches its limit, holds taken into account, or when a lasting hold
    reaches the flow's hold limit; ``warn_at_ns`` is when jeopardy begins: at the stage's warning or
    ahead of the due date, whichever is first. Both are None when nothing limits, and at the end.
    ``losses`` are those that no later milestone of another service has healed; ``lost_from_ns`` is
    when they begin to count: at once, but where silence alone tells of them only when the order is
    late (None: never). ``deviations`` index into ``milestones + after_end``. ``facts`` counts distinct
    stage events: more knowledge always has the larger number. ``visits`` are the entries that reports count:
    those of ``milestones + after_end``, and of imported history also each row that repeats its stage. ``imported`` is
    whether all facts are imported history: nobody watches such an order, so no clock runs for it.
    ``remaining_ns`` are quantiles (at 0, 5, … 100 %) of how long finished orders still took from this stage, for an
    open order with a due date; ``late_from_ns`` is when it begins to be projected to end after that date.
    """

    order_id: str
    flow: str
    flow_version: int
    path: str
    milestones: tuple[Milestone, ...]
    holds: tuple[Hold, ...] = ()
    deviations: tuple[Deviation, ...] = ()
    failure: Failure | None = None
    losses: tuple[Loss, ...] = ()
    lost_from_ns: int | None = None
    terminal: Terminal | None = None
    warn_at_ns: int | None = None
    deadline_at_ns: int | None = None
    due_at_ns: int | None = None
    user_id: str = ""
    aliases: Mapping[str, str] = field(default_factory=dict)
    first_ns: int = 0
    last_ns: int = 0
    traces: tuple[str, ...] = ()
    errors: int = 0
    facts: int = 0
    after_end: tuple[Milestone, ...] = ()
    visits: tuple[Visit, ...] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)
    imported: bool = False
    remaining_ns: tuple[int, ...] = ()
    late_from_ns: int | None = None

    @property
    def stage(self) -> str:
        """The current stage; empty when no milestone is known yet."""
        return self.milestones[-1].stage if self.milestones else ""

    @property
    def entered_ns(self) -> int:
        """When the current stage was entered, or the first fact's time without a milestone."""
        return self.milestones[-1].at_ns if self.milestones else self.first_ns

    @property
    def on_hold(self) -> bool:
        """Whether a hold lasts now."""
        return bool(self.holds) and self.holds[-1].end_ns is None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What Clew says of an order at a moment: the kind, since when, who must act, and why.

    ``reason`` is one sentence a support person understands. ``trace_id`` and ``span_id`` are the
    evidence, empty when there is none.
    """

    kind: VerdictKind
    since_ns: int
    reason: str
    owner: str = ""
    trace_id: str = ""
    span_id: str = ""
