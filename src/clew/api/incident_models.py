"""Incidents, their record and silences as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from clew.api.times import moment, moment_or_none, seconds
from clew.control.contract import Told
from clew.model.alert import Alert
from clew.model.incident import Incident, PlannedSilence, Transition
from clew.notify.coverage import Coverage
from clew.notify.figures import Figure
from clew.notify.outlook import stands


class IncidentModel(BaseModel):
    """An incident: alerts of one rule that a person handles together.

    ``alerts`` counts those that ever joined it, ``firing`` those that fire now. ``explained_by`` is the number of the
    incident that is its cause; such a one and a ``silenced`` one notify nobody. ``next_step_at`` is when somebody else
    is told unless it is acknowledged. ``reason`` says why there is an incident; of one that is over it says so, what
    was before and what happens next. ``quiet_at`` is since when none of its alerts fires (null: some do).
    """

    incident_id: int
    rule: str
    title: str
    severity: str = Field(examples=["critical"])
    state: str = Field(examples=["open"])
    reason: str
    labels: dict[str, str]
    owner: str
    runbook: str
    since_at: str
    opened_at: str
    acknowledged_at: str | None
    acknowledged_by: str
    resolved_at: str | None
    resolved_by: str
    alerts: int
    firing: int
    explained_by: int | None
    silenced: bool
    policy: str
    next_step_at: str | None
    quiet_at: str | None


class FigureModel(BaseModel):
    """How long something took over ``n`` incidents: ``median_s`` and ``p90_s`` (null: of none)."""

    n: int
    median_s: float | None
    p90_s: float | None


class IncidentPageModel(BaseModel):
    """Incidents, newest first. ``next`` goes into ``after`` for the next page and is null at the end.

    ``unseen`` says what isn't looked at now, and why: that it has no incident tells nothing (none: all is looked at).
    """

    items: list[IncidentModel]
    next: int | None
    unseen: list[str] = []


class IncidentFiguresModel(BaseModel):
    """How fast incidents that were opened in the range are found, taken and resolved."""

    detect: FigureModel
    acknowledge: FigureModel
    resolve: FigureModel


class AlertModel(BaseModel):
    """One alert of an incident: its subject, the sentence of its last finding, and the evidence."""

    subject: str
    phase: str
    reason: str
    since_at: str
    fired_at: str | None
    ended_at: str | None
    order_id: str
    trace_ids: list[str]
    labels: dict[str, str]


class TransitionModel(BaseModel):
    """One entry of the record."""

    at: str
    kind: str
    by: str
    text: str


class NoticeModel(BaseModel):
    """What a channel was told, or shall be. ``state`` is waiting, sent, given_up or summed."""

    channel: str
    kind: str
    at: str
    state: str
    sent_at: str | None
    attempts: int
    error: str


class WholeIncidentModel(IncidentModel):
    """An incident with its record, its alerts (firing ones first, up to 1,000) and what channels were told.

    ``escalation`` says who was told and who is next, or that nobody is left.
    """

    escalation: str
    record: list[TransitionModel]
    evidence: list[AlertModel]
    notices: list[NoticeModel]


class SilenceModel(BaseModel):
    """A declared time in which alerts with these labels (``rule`` is one of them) notify nobody."""

    silence_id: int
    labels: dict[str, str]
    from_at: str
    until_at: str
    by: str
    reason: str
    hours: str


class CoverageModel(BaseModel):
    """What labels cover now: ``covers`` says it in words, with the unresolved ``incidents`` of which nobody is told and
    their firing ``alerts``. ``warnings`` name labels that nobody knows, each with a mend: a typo covers nothing."""

    covers: str
    incidents: list[int]
    alerts: int
    warnings: list[str]


class DeclaredSilenceModel(SilenceModel, CoverageModel):
    """A silence that was declared, and what it covers while it holds, as alerts fire now."""


class SilencesModel(BaseModel):
    """Silences that hold now or later."""

    items: list[SilenceModel]


class Act(BaseModel):
    """Who does it, and why."""

    model_config = ConfigDict(extra="forbid")

    by: str = Field(min_length=1, max_length=100, examples=["anna"])
    text: str = Field(default="", max_length=4_000)


class SilenceHours(BaseModel):
    """Hours of the week, on the wall clock of ``zone``: those days, ``from`` until before ``to``. Hours that end before
    they begin run over midnight."""

    model_config = ConfigDict(extra="forbid")

    zone: str = Field(default="UTC", max_length=100, examples=["Europe/Berlin"])
    on: str = Field(default="mon-sun", max_length=100, examples=["mon-fri"])
    from_: str = Field(default="00:00", max_length=5, alias="from", examples=["22:00"])
    to: str = Field(default="24:00", max_length=5, examples=["06:00"])


class NewSilence(BaseModel):
    """A silence for alerts with these labels, from now or ``from_at`` on, until ``until_at`` or for ``for_s``; with
    ``hours`` in these only."""

    model_config = ConfigDict(extra="forbid")

    labels: dict[str, str] = Field(min_length=1, max_length=20, examples=[{"rule": "stuck", "stage": "SUBMITTED"}])
    by: str = Field(min_length=1, max_length=100)
    reason: str = Field(min_length=1, max_length=1_000)
    from_at: str = ""
    until_at: str = ""
    for_s: float = Field(default=0, ge=0, le=400 * 86_400)
    hours: SilenceHours | None = None


def incident_model(incident: Incident, now_ns: int) -> IncidentModel:
    """An incident as it stands now."""
    return IncidentModel(**_fields(incident, now_ns))


def whole_incident_model(
    incident: Incident,
    record: Sequence[Transition],
    alerts: Sequence[Alert],
    told: Sequence[Told],
    escalation: str,
    now_ns: int,
) -> WholeIncidentModel:
    """An incident with all that belongs to it."""
    return WholeIncidentModel(
        **_fields(incident, now_ns),
        escalation=escalation,
        record=[
            TransitionModel(at=moment(each.at_ns), kind=each.kind.value, by=each.by, text=each.text) for each in record
        ],
        evidence=[alert_model(each) for each in alerts],
        notices=[notice_model(each) for each in told],
    )


def alert_model(alert: Alert) -> AlertModel:
    """An alert."""
    finding = alert.finding
    return AlertModel(
        subject=alert.subject,
        phase=alert.phase.value,
        reason=finding.reason,
        since_at=moment(finding.since_ns),
        fired_at=moment_or_none(alert.fired_ns),
        ended_at=moment_or_none(alert.ended_ns),
        order_id=finding.order_id,
        trace_ids=list(finding.trace_ids),
        labels=dict(finding.labels),
    )


def notice_model(told: Told) -> NoticeModel:
    """What a channel was told."""
    return NoticeModel(
        channel=told.channel,
        kind=told.kind.value,
        at=moment(told.at_ns),
        state=told.state,
        sent_at=moment_or_none(told.sent_ns),
        attempts=told.attempts,
        error=told.error,
    )


def figure_model(figure: Figure) -> FigureModel:
    """A figure over incidents."""
    return FigureModel(
        n=figure.n,
        median_s=None if figure.median_ns is None else seconds(figure.median_ns),
        p90_s=None if figure.p90_ns is None else seconds(figure.p90_ns),
    )


def silence_model(silence: PlannedSilence) -> SilenceModel:
    """A silence."""
    return SilenceModel(**_silence_fields(silence))


def coverage_model(coverage: Coverage) -> CoverageModel:
    """What labels cover."""
    return CoverageModel(**_coverage_fields(coverage))


def declared_silence_model(silence: PlannedSilence, coverage: Coverage) -> DeclaredSilenceModel:
    """A new silence with what it covers."""
    return DeclaredSilenceModel(**_silence_fields(silence), **_coverage_fields(coverage))


def _silence_fields(silence: PlannedSilence) -> dict[str, Any]:
    return {
        "silence_id": silence.id,
        "labels": dict(silence.labels),
        "from_at": moment(silence.from_ns),
        "until_at": moment(silence.until_ns),
        "by": silence.by,
        "reason": silence.reason,
        "hours": silence.hours.name if silence.hours else "",
    }


def _coverage_fields(coverage: Coverage) -> dict[str, Any]:
    return {
        "covers": coverage.told,
        "incidents": [each.id for each in coverage.incidents],
        "alerts": coverage.alerts,
        "warnings": list(coverage.warnings),
    }


def _fields(incident: Incident, now_ns: int) -> dict[str, Any]:
    return {
        "incident_id": incident.id,
        "rule": incident.rule,
        "title": incident.title,
        "severity": incident.severity.value,
        "state": incident.state.value,
        "reason": stands(incident, now_ns),
        "labels": dict(incident.labels),
        "owner": incident.owner,
        "runbook": incident.runbook,
        "since_at": moment(incident.since_ns),
        "opened_at": moment(incident.opened_ns),
        "acknowledged_at": moment_or_none(incident.acknowledged_ns),
        "acknowledged_by": incident.acknowledged_by,
        "resolved_at": moment_or_none(incident.resolved_ns),
        "resolved_by": incident.resolved_by,
        "alerts": incident.alerts,
        "firing": incident.firing,
        "explained_by": incident.explained_by,
        "silenced": incident.silenced,
        "policy": incident.policy,
        "next_step_at": moment_or_none(incident.step_at_ns),
        "quiet_at": moment_or_none(incident.quiet_ns),
    }
