"""What a written case tells: events of every kind, and the alerts that it expects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from clew.model.rule import PipelineTrouble, SeriesKind, SpanCondition


@dataclass(frozen=True, slots=True)
class SpanTold:
    """A span, by what rules ask of it. ``error`` is its error's type, empty without one; times are Unix ns."""

    service: str
    operation: str
    work: str
    start_ns: int
    duration_ns: int = 0
    error: str = ""
    http: int = 0
    trace_id: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)

    @property
    def end_ns(self) -> int:
        """When it ended."""
        return self.start_ns + self.duration_ns

    def meets(self, asked: SpanCondition) -> bool:
        """Whether it is one of those that a condition picks, as clew.store.span_condition says it in SQL."""
        return (
            (not asked.services or self.service in asked.services)
            and (not asked.operations or any(_begins(self.operation, each) for each in asked.operations))
            and (not asked.work or self.work in asked.work)
            and (not asked.errors_only or bool(self.error))
            and (not asked.http_to or asked.http_from <= self.http <= asked.http_to)
            and (not asked.longer_than_ns or self.duration_ns > asked.longer_than_ns)
            and all(
                name in self.attributes and value in ("", self.attributes[name]) for name, value in asked.where.items()
            )
        )


def _begins(operation: str, asked: str) -> bool:
    return operation.startswith(asked[:-1]) if asked.endswith("*") else operation == asked


@dataclass(frozen=True, slots=True)
class Heard:
    """A service, by one of its senders, was heard of each minute for so long."""

    service: str
    sender: str
    from_ns: int
    length_ns: int


@dataclass(frozen=True, slots=True)
class Counted:
    """So many of a series were counted in each minute for so long; ``name`` is the path or the service."""

    kind: SeriesKind
    name: str
    from_ns: int
    length_ns: int
    per_minute: float
    stage: str = ""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Clew itself was in trouble, until a moment (None: to the end)."""

    trouble: PipelineTrouble
    from_ns: int
    until_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    """So many finished orders took so long from a stage to their end: what open ones are projected by."""

    stage: str
    orders: int
    took_ns: int


@dataclass(frozen=True, slots=True)
class Told:
    """Something that happened (a StageEvent, Message or one of those above), and when Clew hears of it."""

    what: object
    arrives_ns: int


@dataclass(frozen=True, slots=True)
class Expected:
    """An alert that must fire between two looks after ``from_ns``, and end so after ``until_ns`` (None: not yet)."""

    rule: str
    subject: str
    from_ns: int
    until_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """A story: what is told, how often rules look until when, and the alerts of these rules that must come, no others.

    ``incidents`` says for some rules how many incidents its alerts make.
    """

    name: str
    rules: tuple[str, ...]
    told: tuple[Told, ...]
    until_ns: int
    every_ns: int
    alerts: tuple[Expected, ...] = ()
    incidents: Mapping[str, int] = field(default_factory=dict)
