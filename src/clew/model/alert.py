"""Findings and alerts: what a detector states, and what a rule makes of it over time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Finding:
    """One statement of a detector about one subject, with reason and evidence.

    ``subject`` is what it is about, the same from look to look: ``order:4711``, ``service:shop-api``,
    ``queue:crm.orders``, ``series:cancelled/b2c``, ``clew:refusing``. ``reason`` is one sentence a support person
    understands. ``since_ns`` is when it began to hold. ``labels`` are what alerts are grouped and explained by: of
    ``flow``, ``stage``, ``path``, ``service``, ``queue``, ``operation``, ``verdict``, ``lost_reason``, ``error``
    those that are known. ``value`` is what was measured and ``bound`` what it was compared with (None: no number).
    ``trace_ids`` are the evidence, first the best. ``order_id`` is the order that it is about, empty for others.
    ``owner`` is who must act: a role of the flow or a service, empty when nobody can be named.
    """

    rule: str
    subject: str
    reason: str
    since_ns: int
    labels: Mapping[str, str] = field(default_factory=dict)
    value: float | None = None
    bound: float | None = None
    order_id: str = ""
    trace_ids: tuple[str, ...] = ()
    owner: str = ""


class AlertPhase(StrEnum):
    """Where an alert is: found but not for long enough, firing, or ended."""

    PENDING = "pending"
    FIRING = "firing"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Alert:
    """A rule that holds for one subject. Times are Unix nanoseconds; None: not yet.

    ``finding`` is the last one. ``found_ns`` is when the current unbroken row of findings began, ``fired_ns`` when it
    became an alert, ``seen_ns`` when it was last found, ``ended_ns`` when it ended. ``looks`` are the last looks,
    newest last: whether each found it.
    """

    rule: str
    subject: str
    phase: AlertPhase
    finding: Finding
    found_ns: int
    seen_ns: int
    fired_ns: int | None = None
    ended_ns: int | None = None
    looks: tuple[bool, ...] = ()
