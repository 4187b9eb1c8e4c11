"""Incidents: alerts grouped for a person to handle, and the policies by which people are told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from clew.model.rule import Severity
from clew.model.week import WeekHours


class IncidentState(StrEnum):
    """The life of an incident; a resolved one never opens again, a new one does."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class TransitionKind(StrEnum):
    """What happened to an incident. Every one is recorded."""

    OPENED = "opened"
    JOINED = "joined"
    LEFT = "left"
    WORSENED = "worsened"
    EXPLAINED = "explained"
    UNEXPLAINED = "unexplained"
    SILENCED = "silenced"
    UNSILENCED = "unsilenced"
    ACKNOWLEDGED = "acknowledged"
    ACKNOWLEDGEMENT_STALE = "acknowledgement_stale"
    ESCALATED = "escalated"
    NOTE = "note"
    REACTION = "reaction"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Transition:
    """One entry of an incident's record. ``by`` is a person, a channel or ``clew``; ``text`` says it in words."""

    at_ns: int
    kind: TransitionKind
    by: str = "clew"
    text: str = ""


@dataclass(frozen=True, slots=True)
class Incident:
    """Alerts of one rule with the same group labels. Times are Unix nanoseconds; None: not yet.

    ``key`` is the dedup key: the same rule and labels give the same key; at most one incident of a key isn't resolved.
    ``since_ns`` is when the oldest of its findings began to hold, ``fired_ns`` when its first alert fired.
    ``alerts`` counts the subjects that ever joined, ``firing`` those that fire now. ``explained_by`` is the number of
    the incident that is its root (None: none), ``silenced`` whether a silence covers it: both notify nobody.
    ``policy`` with ``step`` (the next one, from 0), ``round`` and ``step_at_ns`` (when it is due; None: nothing is) is
    where escalation stands; the policy is taken when the incident opens. While it is acknowledged, ``step_at_ns`` is
    when that goes stale. ``acknowledged_ns`` is of the first acknowledgement, ``acknowledged_by`` of the last one.

    ``told`` are the channels that were told of it, ``told_ns`` when they last were, ``told_alerts`` how many alerts
    fired then, or fire after half of these or more ended. ``quiet_ns`` is since when none of its alerts fires (None:
    some do). ``version`` counts changes: it is what compare-and-set compares.
    """

    id: int
    key: str
    rule: str
    title: str
    severity: Severity
    state: IncidentState
    labels: Mapping[str, str]
    since_ns: int
    fired_ns: int
    opened_ns: int
    owner: str = ""
    runbook: str = ""
    reason: str = ""
    alerts: int = 0
    firing: int = 0
    acknowledged_ns: int | None = None
    acknowledged_by: str = ""
    resolved_ns: int | None = None
    resolved_by: str = ""
    explained_by: int | None = None
    silenced: bool = False
    policy: str = ""
    step: int = 0
    round: int = 0
    step_at_ns: int | None = None
    told: tuple[str, ...] = ()
    told_ns: int | None = None
    told_alerts: int = 0
    quiet_ns: int | None = None
    version: int = 1


@dataclass(frozen=True, slots=True)
class PolicyStep:
    """``after_ns`` the step before, tell these channels; only in ``hours`` when they are given."""

    after_ns: int
    channels: tuple[str, ...]
    hours: WeekHours | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """Who is told, and when, until somebody acknowledges.

    After the last step all steps come again, ``repeat`` times. ``stale_after_ns``: an acknowledged incident that still
    fires begins again after so long without activity (None: never).
    """

    name: str
    steps: tuple[PolicyStep, ...]
    repeat: int = 0
    stale_after_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """Incidents of these severities and labels take this policy; the first route that fits counts."""

    policy: str
    severities: tuple[Severity, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PlannedSilence:
    """A declared time in which matching alerts notify nobody.

    ``labels`` must be equal (``rule`` counts as a label); it holds from ``from_ns`` until ``until_ns`` and, with
    ``hours``, only in these.
    """

    id: int
    labels: Mapping[str, str]
    from_ns: int
    until_ns: int
    by: str
    reason: str
    hours: WeekHours | None = None


class NoticeKind(StrEnum):
    """Why a channel is told."""

    OPENED = "opened"
    ESCALATED = "escalated"
    UPDATED = "updated"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    SUMMARY = "summary"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Notice:
    """What a channel is to tell of an incident as it was at a moment.

    ``number`` orders the notices of an incident and makes ``key``, which a vendor may use to drop repeats.
    ``order_ids`` are some of its orders, worst first, ``orders`` how many there are. ``reasons`` are sentences of some
    of its alerts. ``url`` leads to the incident's page (empty: nobody said where Clew is). ``refs`` is what this
    channel answered to earlier notices of this incident, such as a Slack thread. ``text`` says what changed. ``quiet``:
    bring up to date what was told before, and say nothing more.
    """

    incident: Incident
    kind: NoticeKind
    at_ns: int
    number: int = 0
    text: str = ""
    order_ids: tuple[str, ...] = ()
    orders: int = 0
    trace_ids: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    url: str = ""
    refs: Mapping[str, str] = field(default_factory=dict)
    quiet: bool = False

    @property
    def key(self) -> str:
        """The same for every attempt to tell this, and for nothing else."""
        return f"clew-{self.incident.id}-{self.number}"
