"""Orders and their journeys as JSON."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, Field

from clew.api.order_line import order_line
from clew.api.span_models import SpanModel, TraceSummaryModel, span_model, trace_summary_model
from clew.api.times import moment, moment_or_none, seconds
from clew.journey.judge import loss_sentence
from clew.journey.visits import StageVisit, stage_visits, visits_after_end
from clew.model.flow import Flow
from clew.model.journey import Journey, Loss, Verdict
from clew.model.message import Delivery, Message
from clew.store.spans import Span
from clew.store.whole_order import WholeOrder, losses_by_message


class VerdictModel(BaseModel):
    """What Clew says of the order now: since when, why in one sentence, who must act, and the evidence."""

    kind: str = Field(examples=["stuck"])
    since_at: str
    reason: str = Field(examples=["in SUBMITTED for 42 min, allowed 30 min; waiting for mes-api"])
    owner: str
    trace_id: str
    span_id: str


class OrderModel(BaseModel):
    """One order in a line. ``limit_s`` is the longest allowed dwell in the stage, null without one."""

    order_id: str
    flow: str
    path: str
    verdict: VerdictModel
    stage: str
    entered_at: str
    dwell_s: float
    limit_s: float | None
    deadline_at: str | None
    due_at: str | None
    projected_end_at: str | None
    first_at: str
    last_at: str
    user_id: str
    aliases: dict[str, str]
    errors: int


class OrderPageModel(BaseModel):
    """One page of orders, worst first.

    ``next`` goes into ``after`` for the next page and is null at the end; ``counts`` says how many orders of the whole
    list have each verdict (only with the first page, else null).
    """

    items: list[OrderModel]
    next: str | None
    counts: dict[str, int] | None
    judged_at: str


class DeviationModel(BaseModel):
    """How a visit leaves the flow: ``skipped`` and the stage that was left out, ``repeated``, ``out_of_sequence`` or
    ``unknown_stage`` and the stage itself. The flow may accept it."""

    kind: str
    stage: str
    accepted: bool


class StageVisitModel(BaseModel):
    """A stage the order was in. ``dwell_s`` doesn't count ``held_s``, the time on hold. ``left_at`` is null for the
    current stage. ``used`` is the dwell as a share of the limit. ``deviations`` say how the visit leaves the flow,
    ``deviation`` and ``accepted`` tell one of them, one that isn't accepted before others."""

    stage: str
    meaning: str
    entered_at: str
    left_at: str | None
    dwell_s: float
    held_s: float
    limit_s: float | None
    warn_s: float | None
    used: float | None
    current: bool
    service: str
    actor: str
    trace_id: str
    span_id: str
    deviation: str
    accepted: bool
    deviations: list[DeviationModel]


class HoldModel(BaseModel):
    """A deliberate pause; ``end_at`` is null while it lasts."""

    begin_at: str
    end_at: str | None


class FailureModel(BaseModel):
    """The failed attempt that nothing has made good since."""

    stage: str
    at: str
    error: str
    service: str
    trace_id: str
    span_id: str


class LossModel(BaseModel):
    """A message that was published and not taken in time."""

    reason: str
    sentence: str
    destination: str
    queue: str
    published_at: str
    service: str
    trace_id: str
    span_id: str


class DeliveryModel(BaseModel):
    """A message handed to a consumer. ``settlement`` is empty when the instrumentation doesn't tell; ``death_reason``
    says why the message had been dead-lettered before."""

    taken_at: str
    transit_s: float
    service: str
    queue: str
    settlement: str
    redelivered: bool
    error: str
    death_reason: str
    death_queue: str
    trace_id: str
    span_id: str


class MessageModel(BaseModel):
    """A published message and its deliveries, oldest first. ``lost`` is the reason when it counts as lost now."""

    published_at: str
    service: str
    destination: str
    queue: str
    error: str
    lost: str | None
    order_ids: list[str]
    deliveries: list[DeliveryModel]
    trace_id: str
    span_id: str


class JourneyModel(OrderModel):
    """An order with its journey: stages, messages, traces, services and errors, over all its traces.

    ``stages_ahead`` are those it may enter next. ``errors_found`` are its failed spans, the latest 20.
    ``traces_gone`` are traces of its stage events whose spans aren't stored (no longer, or never).
    """

    singular: str
    flow_declared: bool = Field(description="false when nobody declared the flow: then it knows no stage, and no end")
    terminal: str | None
    attributes: dict[str, str]
    stages: list[StageVisitModel]
    after_end: list[StageVisitModel]
    stages_ahead: list[str]
    holds: list[HoldModel]
    failure: FailureModel | None
    losses: list[LossModel]
    messages: list[MessageModel]
    services: list[str]
    traces: list[TraceSummaryModel]
    spans_complete: bool = Field(description="false when it has more spans than are summed up in `traces`")
    traces_gone: list[str]
    errors_found: list[SpanModel]


def verdict_model(verdict: Verdict) -> VerdictModel:
    """A verdict."""
    return VerdictModel(
        kind=verdict.kind,
        since_at=moment(verdict.since_ns),
        reason=verdict.reason,
        owner=verdict.owner,
        trace_id=verdict.trace_id,
        span_id=verdict.span_id,
    )


def order_model(journey: Journey, flow: Flow, now_ns: int) -> OrderModel:
    """An order in a line, judged by its flow at a moment."""
    line = order_line(journey, flow, now_ns)
    return OrderModel(
        order_id=journey.order_id,
        flow=journey.flow,
        path=journey.path,
        verdict=verdict_model(line.verdict),
        stage=journey.stage,
        entered_at=moment(journey.entered_ns),
        dwell_s=seconds(line.dwell_ns),
        limit_s=seconds(line.limit.allowed_ns) if line.limit else None,
        deadline_at=moment_or_none(journey.deadline_at_ns),
        due_at=moment_or_none(journey.due_at_ns),
        projected_end_at=moment_or_none(line.projected_end_ns),
        first_at=moment(journey.first_ns),
        last_at=moment(journey.last_ns),
        user_id=journey.user_id,
        aliases=dict(journey.aliases),
        errors=journey.errors,
    )


def journey_model(order: WholeOrder, flow: Flow, now_ns: int, failed: Sequence[Span]) -> JourneyModel:
    """An order with its journey, judged by its flow at a moment."""
    journey, traces = order.journey, order.traces
    stage = flow.stage(journey.stage)
    lost = losses_by_message(journey)
    return JourneyModel(
        **order_model(journey, flow, now_ns).model_dump(),
        singular=flow.singular,
        flow_declared=bool(flow.stages),
        terminal=journey.terminal,
        attributes=dict(journey.attributes),
        stages=[_visit_model(each) for each in stage_visits(journey, flow, now_ns)],
        after_end=[_visit_model(each) for each in visits_after_end(journey, flow)],
        stages_ahead=list(stage.next) if stage and not journey.terminal else [],
        holds=[HoldModel(begin_at=moment(each.begin_ns), end_at=moment_or_none(each.end_ns)) for each in journey.holds],
        failure=_failure_model(journey),
        losses=[loss_model(each, now_ns) for each in journey.losses],
        messages=[_message_model(each, lost) for each in order.messages if not each.wrapped],
        services=list(order.services),
        traces=[trace_summary_model(each) for each in traces],
        spans_complete=order.spans.complete,
        traces_gone=list(order.traces_gone),
        errors_found=[span_model(each) for each in failed],
    )


def _visit_model(visit: StageVisit) -> StageVisitModel:
    milestone, limit, deviation = visit.milestone, visit.limit, visit.deviation
    return StageVisitModel(
        stage=milestone.stage,
        meaning=visit.meaning,
        entered_at=moment(milestone.at_ns),
        left_at=moment_or_none(visit.left_ns),
        dwell_s=seconds(visit.dwell_ns),
        held_s=seconds(visit.held_ns),
        limit_s=seconds(limit.allowed_ns) if limit else None,
        warn_s=seconds(limit.warn_ns) if limit else None,
        used=None if visit.used is None else round(visit.used, 4),
        current=visit.current,
        service=milestone.service,
        actor=milestone.actor,
        trace_id=milestone.trace_id,
        span_id=milestone.span_id,
        deviation=f"{deviation.kind.value} {deviation.stage}" if deviation else "",
        accepted=deviation.accepted if deviation else False,
        deviations=[
            DeviationModel(kind=each.kind, stage=each.stage, accepted=each.accepted) for each in visit.deviations
        ],
    )


def _failure_model(journey: Journey) -> FailureModel | None:
    failure = journey.failure
    if failure is None:
        return None
    return FailureModel(
        stage=failure.stage,
        at=moment(failure.at_ns),
        error=failure.error,
        service=failure.service,
        trace_id=failure.trace_id,
        span_id=failure.span_id,
    )


def loss_model(loss: Loss, now_ns: int) -> LossModel:
    """A loss with its sentence."""
    return LossModel(
        reason=loss.reason,
        sentence=loss_sentence(loss, now_ns),
        destination=loss.destination,
        queue=loss.queue,
        published_at=moment(loss.published_ns),
        service=loss.service,
        trace_id=loss.trace_id,
        span_id=loss.span_id,
    )


def _message_model(message: Message, lost: dict[tuple[str, str], str]) -> MessageModel:
    return MessageModel(
        published_at=moment(message.published_ns),
        service=message.service,
        destination=message.destination,
        queue=message.queue,
        error=message.error,
        lost=lost.get((message.trace_id, message.span_id)),
        order_ids=list(message.order_ids),
        deliveries=[_delivery_model(each, message.published_ns) for each in message.deliveries],
        trace_id=message.trace_id,
        span_id=message.span_id,
    )


def _delivery_model(delivery: Delivery, published_ns: int) -> DeliveryModel:
    return DeliveryModel(
        taken_at=moment(delivery.started_ns),
        transit_s=seconds(max(0, delivery.started_ns - published_ns)),
        service=delivery.service,
        queue=delivery.queue,
        settlement=delivery.settlement,
        redelivered=delivery.redelivered,
        error=delivery.error,
        death_reason=delivery.death_reason,
        death_queue=delivery.death_queue,
        trace_id=delivery.trace_id,
        span_id=delivery.span_id,
    )
