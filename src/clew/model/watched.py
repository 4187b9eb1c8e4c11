"""What the store measures for rules: values between the reads and the detectors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from clew.model.journey import DeviationKind, LostReason, VerdictKind


@dataclass(frozen=True, slots=True)
class Since:
    """Orders that entered a milestone and another one not, or too soon, after it, by their list of visits.

    ``stage`` is the milestone that counts, ``of`` the earlier one, ``length_ns`` the time between them.
    """

    stage: str
    of: str
    length_ns: int


@dataclass(frozen=True, slots=True)
class Candidates:
    """Which orders a rule may find at a moment, by comparisons that the orders table can make alone.

    All that is given must hold; empty tuples and None ask nothing. An order that the rule finds is always among them;
    others may be, too.

    ``verdicts`` and ``lost_reasons`` are what the table's own moments say now. ``dwell_ns``: in its stage for at least
    so long; ``dwell_of_ns`` the same by flow and stage, for these only. ``hold_ns``: on hold for at least so long (0:
    on hold). ``due_ns``: its due date is at most so far ahead (negative: so long ago). ``warned``: its warning has
    come. ``not_reached`` are visits, ``never`` a stage that was never entered; ``too_early`` are visits as well.
    ``deviates``: it left its flow, by one of ``kinds`` and ``at`` one of these stages. ``ended``: those that ended
    lately, too.
    """

    flows: tuple[str, ...] = ()
    stages: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    verdicts: tuple[VerdictKind, ...] = ()
    lost_reasons: tuple[LostReason, ...] = ()
    dwell_ns: int | None = None
    dwell_of_ns: Mapping[tuple[str, str], int] = field(default_factory=dict)
    hold_ns: int | None = None
    due_ns: int | None = None
    warned: bool = False
    not_reached: Since | None = None
    never: str = ""
    too_early: Since | None = None
    deviates: bool = False
    kinds: tuple[DeviationKind, ...] = ()
    at: tuple[str, ...] = ()
    ended: bool = False


@dataclass(frozen=True, slots=True)
class SpanExample:
    """A span that shows what is meant: ``error`` is its error's type, ``http`` its HTTP status (0: none)."""

    trace_id: str
    service: str
    operation: str
    ended_ns: int
    duration_ns: int
    error: str = ""
    http: int = 0


@dataclass(frozen=True, slots=True)
class SpanGroup:
    """Spans of one service, or of one operation of it, that meet a condition within a window.

    ``quantile_ns`` is the quantile of durations that was asked for (None: none was). ``examples`` are the newest, of
    a quantile the slowest; each is of another trace.
    """

    service: str
    operation: str
    spans: int
    first_ns: int
    last_ns: int
    quantile_ns: int | None = None
    examples: tuple[SpanExample, ...] = ()


@dataclass(frozen=True, slots=True)
class Burned:
    """Good and bad spans of a service within windows: ``spans[i]`` and ``bad[i]`` are of the i-th window."""

    service: str
    spans: tuple[int, ...]
    bad: tuple[int, ...]
    examples: tuple[SpanExample, ...] = ()


@dataclass(frozen=True, slots=True)
class WaitingQueue:
    """Messages that nobody has taken since the last one was taken.

    ``destination`` is the queue as its publishers call it, ``queue`` its own name where consumers told it.
    ``consumer`` is the service that took from it last (empty: nobody was seen), at ``taken_ns`` (None: never seen).
    """

    destination: str
    waiting: int
    oldest_ns: int
    queue: str = ""
    consumer: str = ""
    taken_ns: int | None = None
    trace_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PipelineState:
    """How Clew itself is doing. Moments are Unix nanoseconds; None: it isn't so.

    ``not_ready_ns`` and ``refusing_ns`` are since when; ``why`` says why it isn't ready, ``refused`` counts what was
    refused since. ``journeys_ns`` is the moment up to which journeys tell everything that was received.
    """

    journeys_ns: int
    not_ready_ns: int | None = None
    why: str = ""
    refusing_ns: int | None = None
    refused: int = 0
