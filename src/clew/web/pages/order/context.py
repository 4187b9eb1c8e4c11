"""What the page of an order shows, built from what is stored of it: values and pure functions, no reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar
from zoneinfo import ZoneInfo

from clew.api.order_line import OrderLine, order_line
from clew.journey.judge import loss_sentence
from clew.journey.remarks import after_kind, delivery_remarks, message_fate, went_on
from clew.journey.visits import StageVisit, stage_visits, visits_after_end
from clew.model.flow import Flow
from clew.model.incident import Incident, IncidentState
from clew.model.journey import Hold, Journey, Loss
from clew.model.message import Delivery, Message
from clew.store.order_notes import Notable, OrderLogs
from clew.store.order_spans import TraceSummary
from clew.store.spans import LogRecord
from clew.store.whole_order import WholeOrder, losses_by_message
from clew.web.pages.order.drawing import Timeline
from clew.web.pages.order.log_text import log_level, log_text, severity_word
from clew.web.pages.order.texts import sentence
from clew.web.pages.order.timeline import Drawn, timeline_of
from clew.web.pages.order.way import WayRow, way_rows

MESSAGES_SHOWN = 25
MESSAGES_AT_MOST = 5_000
DELIVERIES_SHOWN = 50
TRACES_SHOWN = 25
FAILED_SHOWN = 20
STAYS_SHOWN = 60
LOGS_SHOWN = 40
LOGS_AT_MOST = 2_000

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class Kept:
    """What is stored of an order: ``order`` itself, its ``notable`` spans and its ``logs``."""

    order: WholeOrder
    notable: tuple[Notable, ...]
    logs: OrderLogs


@dataclass(frozen=True, slots=True)
class Asked:
    """What a viewer asked for: the order under which ``id``, at which ``url``, in which ``zone``; the section to show
    whole (``whole``, or empty), and whether long empty times are folded (``folding``)."""

    id: str
    url: str
    zone: ZoneInfo
    whole: str = ""
    folding: bool = True


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """A message handed to a consumer: the ``delivery``, its ``transit_ns`` since it was published (ns, never negative),
    and what is remarkable (``told``, or empty)."""

    delivery: Delivery
    transit_ns: int
    told: str


@dataclass(frozen=True, slots=True)
class MessageRow:
    """A published ``message`` with its latest ``deliveries``, before which there were ``deliveries_left`` more;
    ``fate`` says what became of it (empty: it was taken), ``tone`` is how that looks: ``lost``, ``failed``,
    ``waiting``, ``quiet`` or empty."""

    message: Message
    fate: str
    tone: str
    deliveries: tuple[DeliveryRow, ...]
    deliveries_left: int


@dataclass(frozen=True, slots=True)
class HoldRow:
    """A ``hold``, and how long it lasted or lasts (``length_ns``)."""

    hold: Hold
    length_ns: int


@dataclass(frozen=True, slots=True)
class LossRow:
    """A ``loss`` that counts now, and its ``sentence``."""

    loss: Loss
    sentence: str


@dataclass(frozen=True, slots=True)
class FailureRow:
    """Something that failed: when (``at_ns``, Unix ns), in which ``service``, ``told`` in words, and the span that
    tells of it (``trace_id`` and ``span_id``, empty when none does)."""

    at_ns: int
    service: str
    told: str
    trace_id: str
    span_id: str


@dataclass(frozen=True, slots=True)
class LogRow:
    """A log record: its ``key`` on the page, when (``at_ns``, Unix ns), ``service``, ``severity`` as sent, its
    ``level`` (``error``, ``warn``, ``stage`` for a stage event, or empty), its ``text``, cut when long, and its span
    (``trace_id``, ``span_id``)."""

    key: str
    at_ns: int
    service: str
    severity: str
    level: str
    text: str
    trace_id: str
    span_id: str


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page to jump to: its ``anchor``, ``label``, how many entries it has (``count``; None: it is no
    list) and whether something is wrong there (``bad``)."""

    anchor: str
    label: str
    count: int | None
    bad: bool = False


@dataclass(frozen=True, slots=True)
class IncidentRow:
    """An incident that is about the order: its ``title``, where it is shown (``href``), whether it is ``over`` or
    ``taken`` by somebody, ``holder`` who acknowledged or resolved it (empty: nobody), told at ``opened_ns`` (Unix ns).
    """

    title: str
    href: str
    over: bool
    taken: bool
    holder: str
    opened_ns: int


@dataclass(frozen=True, slots=True)
class OrderPage:
    """One order.

    ``asked`` is what the viewer asked for; ``line`` the order in a line: journey, verdict, dwell, limit, projected end.
    ``sentence`` follows the word of the verdict. ``singular`` is what an order is called, ``declared`` whether anybody
    declared its flow. ``here`` is its stay in the current stage, None before the first. ``services`` told of it.
    ``timeline`` is the picture. ``way`` are the rows of expected and actual way, ``way_left`` how many earlier ones
    aren't shown. ``holds`` and ``losses`` are all there are. ``failures``, ``messages``, ``traces`` and ``logs`` are
    the latest; ``failures_left``, ``messages_left`` and ``traces_left`` say how many earlier ones there are,
    ``logs_left`` whether there are some. ``gone`` are traces whose spans aren't stored. ``spans`` is how many spans
    were read, ``spans_complete`` whether these are all. ``sections`` are those of the page, ``ticket`` is all of it as
    plain text. ``incidents`` are those that are about it, newest first.
    """

    asked: Asked
    line: OrderLine
    sentence: str
    singular: str
    declared: bool
    here: StageVisit | None
    services: tuple[str, ...]
    timeline: Timeline
    way: tuple[WayRow, ...]
    way_left: int
    holds: tuple[HoldRow, ...]
    losses: tuple[LossRow, ...]
    failures: tuple[FailureRow, ...]
    failures_left: int
    messages: tuple[MessageRow, ...]
    messages_left: int
    traces: tuple[TraceSummary, ...]
    traces_left: int
    gone: tuple[str, ...]
    logs: tuple[LogRow, ...]
    logs_left: bool
    spans: int
    spans_complete: bool
    ticket: str = ""
    incidents: tuple[IncidentRow, ...] = ()

    @property
    def sections(self) -> tuple[Section, ...]:
        """The parts of the page that have something to show, in their order."""
        listed = (
            Section("lost", "Lost", len(self.losses), bad=True),
            Section("failed", "Failed", len(self.failures) + self.failures_left, bad=True),
            Section("holds", "Holds", len(self.holds)),
            Section("messages", "Messages", len(self.messages) + self.messages_left),
        )
        traces = len(self.traces) + self.traces_left + len(self.gone)
        return (
            Section("timeline", "Timeline", None),
            Section("way", "Expected and actual", None),
            *(each for each in listed if each.count),
            Section("traces", "Traces", traces),
            Section("logs", "Logs", None),
        )


@dataclass(frozen=True, slots=True)
class UnknownOrderPage:
    """An id that is no order's: the ``id``, whether spans name it (``spans``), whether it is a trace's (``trace``),
    orders that are called so in other capitals (``meant``), and those whose ids begin like it (``alike``)."""

    id: str
    spans: bool
    trace: bool
    meant: tuple[str, ...]
    alike: tuple[str, ...]


def incident_rows(incidents: Iterable[Incident]) -> tuple[IncidentRow, ...]:
    """Incidents in lines."""
    return tuple(
        IncidentRow(
            title=each.title,
            href=f"/incidents/{each.id}",
            over=each.state is IncidentState.RESOLVED,
            taken=each.state is IncidentState.ACKNOWLEDGED,
            holder=each.resolved_by or (each.acknowledged_by if each.state is IncidentState.ACKNOWLEDGED else ""),
            opened_ns=each.opened_ns,
        )
        for each in incidents
    )


def order_page(kept: Kept, flow: Flow, asked: Asked, now_ns: int) -> OrderPage:
    """The page of an order, judged by its flow at a moment; without its ticket."""
    order, journey = kept.order, kept.order.journey
    line = order_line(journey, flow, now_ns)
    visits, late = stage_visits(journey, flow, now_ns), visits_after_end(journey, flow)
    retries = tuple(each for each in kept.notable if each.tries or each.timeout)
    failed = [each for each in kept.notable if each.failed][-FAILED_SHOWN:]
    drawn = Drawn(order, (*visits, *late), retries, line.verdict.kind.value, now_ns, asked.zone)
    way = way_rows(flow, journey, visits, late)
    messages = [each for each in order.messages if not each.wrapped]
    messages_shown = messages[-(MESSAGES_AT_MOST if asked.whole == "messages" else MESSAGES_SHOWN) :]
    traces_shown = _latest(order.traces, TRACES_SHOWN, whole=asked.whole == "traces")
    way_shown = _latest(way, STAYS_SHOWN, whole=asked.whole == "way")
    return OrderPage(
        asked=asked,
        line=line,
        sentence=sentence(after_kind(line.verdict.kind.value, line.verdict.reason)),
        singular=flow.singular,
        declared=bool(flow.stages),
        here=visits[-1] if visits else None,
        services=order.services,
        timeline=timeline_of(drawn, folding=asked.folding),
        way=tuple(way_shown),
        way_left=len(way) - len(way_shown),
        holds=tuple(_hold_row(each, drawn.until_ns) for each in journey.holds),
        losses=tuple(LossRow(each, sentence(loss_sentence(each, now_ns))) for each in journey.losses),
        failures=tuple(_failures(journey, failed)),
        failures_left=max(0, sum(trace.errors for trace in order.traces) - len(failed)),
        messages=tuple(_message_rows(messages_shown, journey)),
        messages_left=len(messages) - len(messages_shown),
        traces=tuple(traces_shown),
        traces_left=len(order.traces) - len(traces_shown),
        gone=order.traces_gone,
        logs=tuple(_log_rows(kept.logs.records)),
        logs_left=not kept.logs.complete,
        spans=len(order.spans.lines),
        spans_complete=order.spans.complete,
    )


def _latest(items: Sequence[_Item], most: int, *, whole: bool) -> Sequence[_Item]:
    return items if whole else items[-most:]


def _hold_row(hold: Hold, until_ns: int) -> HoldRow:
    return HoldRow(hold, max(0, (until_ns if hold.end_ns is None else hold.end_ns) - hold.begin_ns))


def _failures(journey: Journey, spans: Iterable[Notable]) -> Iterator[FailureRow]:
    failure = journey.failure
    if failure:
        told = f"{failure.stage} failed: {failure.error or 'no reason given'}"
        yield FailureRow(failure.at_ns, failure.service, sentence(told), failure.trace_id, failure.span_id)
    for span in spans:
        told = ": ".join(each for each in (span.name, span.error, span.status_message) if each)
        yield FailureRow(span.start_ns, span.service, sentence(told), span.trace_id, span.span_id)


def _message_rows(messages: Iterable[Message], journey: Journey) -> Iterator[MessageRow]:
    lost = losses_by_message(journey)
    entries = [(each.service, each.at_ns) for each in (*journey.milestones, *journey.after_end)]
    for message in messages:
        reason = lost.get((message.trace_id, message.span_id))
        on = went_on(message.service, message.published_ns, entries)
        fate = message_fate(reason, message.error, bool(message.deliveries), on)
        tone = "lost" if reason else "failed" if message.error else "quiet" if on else "waiting"
        latest = message.deliveries[-DELIVERIES_SHOWN:]
        rows = tuple(_delivery_row(each, message.published_ns) for each in latest)
        yield MessageRow(message, sentence(fate), tone if fate else "", rows, len(message.deliveries) - len(rows))


def _delivery_row(each: Delivery, published_ns: int) -> DeliveryRow:
    told = delivery_remarks(each.settlement, each.redelivered, each.death_reason, each.death_queue, each.error)
    return DeliveryRow(each, max(0, each.started_ns - published_ns), sentence(", ".join(told)))


def _log_rows(records: Iterable[LogRecord]) -> Iterator[LogRow]:
    """Rows whose keys stay the same while others come and go."""
    alike: Counter[tuple[int, str]] = Counter()
    for record in records:
        level = log_level(record)
        alike[record.at_ns, record.span_id] += 1
        yield LogRow(
            key=f"l{record.at_ns}-{record.span_id}-{alike[record.at_ns, record.span_id]}",
            at_ns=record.at_ns,
            service=record.service,
            severity="stage" if level == "stage" else severity_word(record),
            level=level,
            text=log_text(record),
            trace_id=record.trace_id,
            span_id=record.span_id,
        )
