"""Rules: declared conditions that turn findings into alerts.

A rule has one shape (what it looks for) and says how a finding becomes an alert. Lengths are nanoseconds, names end
in ``_ns``; empty tuples and mappings match everything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from clew.model.journey import DeviationKind, LostReason, VerdictKind
from clew.model.week import WeekHours


class Severity(StrEnum):
    """How bad an alert is, in the words of PagerDuty's Events API v2; worst first."""

    CRITICAL = "critical"
    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """Which orders a rule looks at: of these flows, in these stages now, of these paths."""

    flows: tuple[str, ...] = ()
    stages: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Judged:
    """Orders of these verdicts, of lost ones only those of these reasons."""

    verdicts: tuple[VerdictKind, ...]
    lost_reasons: tuple[LostReason, ...] = ()
    orders: OrderFilter = OrderFilter()


@dataclass(frozen=True, slots=True)
class InStage:
    """Orders that dwell in a stage longer than this (holds not counted), or longer than a share of the stage's limit.

    One of ``longer_than_ns`` and ``used`` is given; ``used`` 0.8 means from 80 % of the limit on.
    """

    longer_than_ns: int | None = None
    used: float | None = None
    orders: OrderFilter = OrderFilter()


@dataclass(frozen=True, slots=True)
class NotReached:
    """Orders that have not reached a milestone within a time of another one, or of the due date.

    With ``of``: not within ``within_ns`` of that milestone. Without it the due date counts: not reached ``within_ns``
    after it, or, when that is negative, so long before it.
    """

    stage: str
    within_ns: int
    of: str = ""
    orders: OrderFilter = OrderFilter()


@dataclass(frozen=True, slots=True)
class TooEarly:
    """Orders that reached a milestone sooner than ``within_ns`` after another one (``of``), or, without ``of``, sooner
    than ``within_ns`` before the due date."""

    stage: str
    within_ns: int
    of: str = ""
    orders: OrderFilter = OrderFilter()


@dataclass(frozen=True, slots=True)
class OnHold:
    """Orders on hold for longer than ``longer_than_ns``, or on hold within ``before_due_ns`` of the due date."""

    longer_than_ns: int | None = None
    before_due_ns: int | None = None
    orders: OrderFilter = OrderFilter()


@dataclass(frozen=True, slots=True)
class ProjectedLate:
    """Open orders that finished ones tell will probably end more than ``margin_ns`` after their due date.

    ``share`` is the share of finished orders that took as long (0.5: the median).
    """

    margin_ns: int = 0
    share: float = 0.5
    orders: OrderFilter = OrderFilter()


@dataclass(frozen=True, slots=True)
class Deviates:
    """Orders that left their flow, by kinds of deviation and stages; accepted deviations don't count."""

    kinds: tuple[DeviationKind, ...] = ()
    at: tuple[str, ...] = ()
    orders: OrderFilter = OrderFilter()


OrderShape = Judged | InStage | NotReached | TooEarly | OnHold | ProjectedLate | Deviates


@dataclass(frozen=True, slots=True)
class SpanCondition:
    """Which spans count. ``operations`` are span names, or beginnings of them that end in ``*``.

    ``work`` is of clew.store.minutes.Work (server, consumer, client, producer, database, internal). ``http_from`` to
    ``http_to`` bound the HTTP status (0: any). ``where`` compares attributes as text (empty: it is there).
    """

    services: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()
    work: tuple[str, ...] = ()
    errors_only: bool = False
    http_from: int = 0
    http_to: int = 0
    longer_than_ns: int = 0
    where: Mapping[str, str] = field(default_factory=dict)


class By(StrEnum):
    """What spans are told apart by: an alert for each."""

    SERVICE = "service"
    OPERATION = "operation"


@dataclass(frozen=True, slots=True)
class SpansSeen:
    """At least ``at_least`` spans of a condition within the last ``window_ns``; the evidence are their traces."""

    spans: SpanCondition
    window_ns: int
    at_least: int = 1
    by: tuple[By, ...] = (By.SERVICE,)


@dataclass(frozen=True, slots=True)
class Slow:
    """A quantile of durations above a bound within the last ``window_ns``, where at least ``at_least`` spans ran."""

    spans: SpanCondition
    quantile: float
    above_ns: int
    window_ns: int
    at_least: int = 5
    by: tuple[By, ...] = (By.SERVICE,)


class SeriesKind(StrEnum):
    """What is counted minute by minute for surges."""

    CANCELLED = "cancelled"
    FAILED = "failed"
    LOST = "lost"
    STAGE = "stage"
    SPANS = "spans"


@dataclass(frozen=True, slots=True)
class Surge:
    """A count far above its baseline of the same hours of past weeks.

    ``series`` is what is counted: orders cancelled, failed or lost, entries into ``stage``, or ``spans`` of a
    condition; one series for each path (orders) or service (spans).
    """

    series: SeriesKind
    stage: str = ""
    spans: SpanCondition = SpanCondition()
    at_least: int = 5
    times: float = 2.0


@dataclass(frozen=True, slots=True)
class BurnWindow:
    """A pair of windows of a burn-rate rule: both must burn at this rate."""

    long_ns: int
    short_ns: int
    rate: float


@dataclass(frozen=True, slots=True)
class BurnRate:
    """A goal for the share of good spans is being missed too fast (Google SRE Workbook, chapter 5, table 5-8).

    Of the spans of ``spans`` those of ``bad`` are bad; ``goal`` is the wanted share of good ones, such as 0.999. It
    holds when any of the pairs burns, and ``at_least`` bad ones are in its long window.
    """

    spans: SpanCondition
    bad: SpanCondition
    goal: float
    windows: tuple[BurnWindow, ...]
    at_least: int = 5


class SourceKind(StrEnum):
    """What telemetry silence is judged for."""

    SERVICE = "service"
    SENDER = "sender"


@dataclass(frozen=True, slots=True)
class Silence:
    """A source that should send telemetry and doesn't.

    ``times`` the largest gap of the past weeks, counted in expected active minutes, and at least ``at_least_ns``.
    ``except_`` names sources that may fall silent.
    """

    source: SourceKind = SourceKind.SERVICE
    times: float = 1.5
    at_least_ns: int = 3 * 60 * 10**9
    only: tuple[str, ...] = ()
    except_: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class QueueWaits:
    """A queue in which at least ``at_least`` messages wait, the oldest for longer than ``longer_than_ns``, and from
    which none was taken meanwhile."""

    longer_than_ns: int
    at_least: int = 1
    queues: tuple[str, ...] = ()


class PipelineTrouble(StrEnum):
    """What may be wrong with Clew itself."""

    NOT_READY = "not_ready"
    REFUSING = "refusing"
    BEHIND = "behind"


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Clew itself is in trouble: not ready, refusing telemetry, or its journeys older than ``behind_ns``."""

    troubles: tuple[PipelineTrouble, ...] = tuple(PipelineTrouble)
    behind_ns: int = 60 * 10**9


Shape = OrderShape | SpansSeen | Slow | Surge | BurnRate | Silence | QueueWaits | Pipeline


@dataclass(frozen=True, slots=True)
class Explanation:
    """An alert of ``rule`` explains those of the rule that states it where these labels are equal."""

    rule: str
    equal: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """A declared condition, and how its findings become alerts.

    ``for_ns``: it must hold so long without a break. ``hits`` of the last ``looks`` looks must find it (1 of 1: each).
    ``recover_below``: the measured value must fall below this before the alert ends (None: the bound itself).
    ``keep_firing_ns``: it goes on so long after it was last found. ``hours``: only then it opens incidents.
    ``group_by``: labels that alerts of one incident share. ``notifies`` is False for a rule that is only tried.
    ``policy`` names the escalation policy (empty: as the routes say). ``title`` may name labels in braces.
    """

    name: str
    shape: Shape
    severity: Severity = Severity.ERROR
    title: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    owner: str = ""
    runbook: str = ""
    for_ns: int = 0
    hits: int = 1
    looks: int = 1
    recover_below: float | None = None
    keep_firing_ns: int = 0
    hours: WeekHours | None = None
    group_by: tuple[str, ...] = ()
    explained_by: tuple[Explanation, ...] = ()
    policy: str = ""
    notifies: bool = True


@dataclass(frozen=True, slots=True)
class RuleSet:
    """The rules of a file, by the name and version that it states."""

    name: str
    version: int
    rules: tuple[Rule, ...]
