"""The world of a written case at a moment: what a store would have measured of what had arrived by then.

    events --> journeys (the real fold, with losses by the real judgement) --\\
    spans, messages, counts, what was heard ---------------------------------> findings of a rule
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from math import ceil

from clew.detect.orders import finding_of
from clew.detect.pipeline import in_trouble
from clew.detect.queues import waiting
from clew.detect.rate_rules import RateRules
from clew.detect.silence import Activity
from clew.detect.spans import burning, slow, spans_seen
from clew.journey.hops import Known, judge_message
from clew.journey.losses import EXPORT_GRACE_NS, transit_limits
from clew.journey.rebuild import rebuild
from clew.learn.projection import ANY, STEPS, Remaining, project
from clew.model.alert import Finding
from clew.model.event import Outcome, StageEvent
from clew.model.flow import Flow, Terminal
from clew.model.journey import Journey, Loss, LostReason
from clew.model.message import Message
from clew.model.rule import (
    BurnRate,
    By,
    OrderShape,
    Pipeline,
    PipelineTrouble,
    QueueWaits,
    Rule,
    SeriesKind,
    Silence,
    Slow,
    SourceKind,
    SpanCondition,
    SpansSeen,
    Surge,
)
from clew.model.watched import PipelineState, SpanExample, SpanGroup
from clew.rehearse.told import Counted, Finished, Heard, SpanTold, Told, Trouble
from clew.store.rule_queues import waiting_of
from clew.store.rule_spans import EXAMPLES, bad_of, burned_of

MINUTE_NS = 60 * 10**9


class World:
    """What is known at a moment that only moves on. Not for several threads."""

    def __init__(self, told: Iterable[Told], flow: Flow, every_ns: int = MINUTE_NS) -> None:
        """Nothing has arrived before the first `move`; rules look ``every_ns``."""
        self._coming = sorted(told, key=lambda each: each.arrives_ns, reverse=True)
        self._flow = flow
        self._limits = transit_limits([flow])
        self._known: dict[type, list[object]] = defaultdict(list)
        self._events: dict[str, list[StageEvent]] = defaultdict(list)
        self._journeys: dict[str, Journey] = {}
        self._losses: dict[str, list[Loss]] = {}
        self._rates = RateRules(apart=max(1, every_ns // MINUTE_NS))
        self._minutes_told: dict[tuple[SeriesKind, str, int], dict[str, dict[int, int]]] = {}
        self.now_ns = 0

    def move(self, now_ns: int) -> None:
        """Let time pass, and what arrives until then arrive."""
        self.now_ns = now_ns
        fresh: set[str] = set()
        while self._coming and self._coming[-1].arrives_ns <= now_ns:
            what = self._coming.pop().what
            if isinstance(what, StageEvent):
                self._events[what.order_id].append(what)
                fresh.add(what.order_id)
            self._known[type(what)].append(what)
        losses = self._losses_now()
        fresh |= {each for each in losses.keys() | self._losses.keys() if losses.get(each) != self._losses.get(each)}
        self._losses = losses
        for order_id in fresh & self._events.keys():
            losses_of = self._losses.get(order_id, ())
            journey = rebuild(order_id, self._events[order_id], self._flow, losses_of)
            self._journeys[order_id] = project(journey, self._remaining())

    def findings(self, rule: Rule) -> list[Finding]:
        """What a rule finds now."""
        shape, now_ns = rule.shape, self.now_ns
        if isinstance(shape, OrderShape):
            found = (finding_of(rule, each, self._flow, now_ns) for each in self._journeys.values())
            return [each for each in found if each is not None]
        if isinstance(shape, SpansSeen):
            return spans_seen(rule, shape, self._groups(shape), now_ns)
        if isinstance(shape, Slow):
            return slow(rule, shape, self._groups(shape))
        if isinstance(shape, BurnRate):
            spans, bad = (self._minutes(each) for each in (shape.spans, bad_of(shape)))
            return burning(rule, shape, burned_of(shape, spans, bad, now_ns // MINUTE_NS), now_ns)
        if isinstance(shape, QueueWaits):
            return waiting(rule, shape, waiting_of(self._untaken(), self._taken()), now_ns)
        if isinstance(shape, Pipeline):
            return in_trouble(rule, shape, self._state(), now_ns)
        return self._silences(rule, shape) if isinstance(shape, Silence) else self._surges(rule, shape)

    def _remaining(self) -> dict[tuple[str, str, str], Remaining]:
        return {
            (self._flow.name, ANY, each.stage): Remaining(each.orders, (each.took_ns,) * (STEPS + 1))
            for each in self._of(Finished)
            if isinstance(each, Finished)
        }

    def _of(self, kind: type) -> Sequence[object]:
        return self._known.get(kind, ())

    def _spans(self) -> Iterator[SpanTold]:
        return (each for each in self._of(SpanTold) if isinstance(each, SpanTold))

    def _messages(self) -> Iterator[Message]:
        """Messages as they are known now: a delivery that is still to come is none yet."""
        for each in self._of(Message):
            if isinstance(each, Message):
                yield replace(each, deliveries=tuple(by for by in each.deliveries if by.started_ns <= self.now_ns))

    def _losses_now(self) -> dict[str, list[Loss]]:
        messages = list(self._messages())
        consumed = {each.destination for each in messages if each.deliveries}
        worked = {by.queue for each in messages for by in each.deliveries if by.queue and not by.death_reason}
        found: dict[str, list[Loss]] = defaultdict(list)
        for each in messages:
            limit_ns = self._limits.of(each.destination)
            known = Known(limit_ns, EXPORT_GRACE_NS, each.destination in consumed, frozenset(worked))
            loss = judge_message(each, self.now_ns, known)
            if loss is not None:
                for order_id in each.order_ids:
                    found[order_id].append(loss)
        return dict(found)

    def _groups(self, shape: SpansSeen | Slow) -> list[SpanGroup]:
        groups: dict[tuple[str, str], list[SpanTold]] = defaultdict(list)
        for span in self._spans():
            if self.now_ns - shape.window_ns < span.end_ns <= self.now_ns and span.meets(shape.spans):
                key = (
                    span.service if By.SERVICE in shape.by else "",
                    span.operation if By.OPERATION in shape.by else "",
                )
                groups[key].append(span)
        return [_group(*key, spans, shape) for key, spans in sorted(groups.items())]

    def _minutes(self, asked: SpanCondition) -> dict[str, dict[int, int]]:
        counts: dict[str, dict[int, int]] = {}
        for span in self._spans():
            if not span.meets(asked):
                continue
            of_service = counts.setdefault(span.service, {})
            minute = span.start_ns // MINUTE_NS
            of_service[minute] = of_service.get(minute, 0) + 1
        return counts

    def _untaken(self) -> Iterator[tuple[str, str, int, str, int]]:
        lost = {(loss.trace_id, loss.span_id) for losses in self._losses.values() for loss in losses}
        for each in self._messages():
            told = (each.trace_id, each.span_id) in lost
            if not each.deliveries and not each.error:
                yield each.destination, each.queue, each.published_ns, each.trace_id, int(told)

    def _taken(self) -> dict[str, dict[str, object]]:
        taken: dict[str, dict[str, object]] = {}
        deliveries = [(by.started_ns, each.destination, by) for each in self._messages() for by in each.deliveries]
        for at_ns, destination, by in sorted(deliveries, key=lambda each: each[0]):
            taken[destination] = {"own": by.queue, "consumer": by.service, "last": at_ns}
        return taken

    def _state(self) -> PipelineState:
        since = {
            each.trouble: each.from_ns
            for each in self._of(Trouble)
            if isinstance(each, Trouble) and (each.until_ns is None or self.now_ns < each.until_ns)
        }
        journeys_ns = since.get(PipelineTrouble.BEHIND, self.now_ns)
        return PipelineState(
            journeys_ns, since.get(PipelineTrouble.NOT_READY), "", since.get(PipelineTrouble.REFUSING), 0
        )

    def _silences(self, rule: Rule, shape: Silence) -> list[Finding]:
        services, senders = self._activity()
        minute = self.now_ns // MINUTE_NS - 1
        sources = services if shape.source is SourceKind.SERVICE else senders
        since = min((each.minutes[0] for each in services.values() if each.minutes), default=minute)
        return self._rates.silences(rule.name, shape, sources, minute, since)

    def _activity(self) -> tuple[dict[str, Activity], dict[str, Activity]]:
        """When services and senders were heard of: by what is told of it, by spans and by stage events."""
        heard: dict[tuple[str, str], set[int]] = defaultdict(set)
        for each in self._of(Heard):
            if isinstance(each, Heard):
                until_ns = min(each.from_ns + each.length_ns, self.now_ns)
                heard[each.service, each.sender].update(range(each.from_ns // MINUTE_NS, until_ns // MINUTE_NS))
        for span in self._spans():
            heard[span.service, ""].add(span.end_ns // MINUTE_NS)
        for events in self._events.values():
            for event in events:
                heard[event.service, ""].add(event.at_ns // MINUTE_NS)
        services: dict[str, set[int]] = defaultdict(set)
        for (service, _), minutes in heard.items():
            services[service] |= minutes
        senders = {sender: _active(minutes, service) for (service, sender), minutes in heard.items() if sender}
        return {name: _active(minutes, name) for name, minutes in services.items() if name}, senders

    def _surges(self, rule: Rule, shape: Surge) -> list[Finding]:
        minute = self.now_ns // MINUTE_NS - 1
        series = self._series(shape)
        since = min((min(counts) for counts in series.values() if counts), default=minute)
        return self._rates.surges(rule.name, shape, series, minute, since)

    def _series(self, shape: Surge) -> dict[str, dict[int, int]]:
        key = (shape.series, shape.stage, len(self._of(Counted)))
        if key not in self._minutes_told:
            told = [each for each in self._of(Counted) if isinstance(each, Counted)]
            self._minutes_told[key] = _minutes_of(told, shape)
        series = {name: dict(counts) for name, counts in self._minutes_told[key].items()}
        for name, at_ns in self._counted(shape):
            minute = at_ns // MINUTE_NS
            counts = series.setdefault(name, {})
            counts[minute] = counts.get(minute, 0) + 1
        return series

    def _counted(self, shape: Surge) -> Iterator[tuple[str, int]]:
        journeys = self._journeys.values()
        match shape.series:
            case SeriesKind.CANCELLED:
                ended = [each for each in journeys if each.terminal is Terminal.CANCELLED]
                yield from ((each.path, each.entered_ns) for each in ended)
            case SeriesKind.STAGE:
                for each in journeys:
                    yield from ((each.path, visit.at_ns) for visit in each.visits if visit.stage == shape.stage)
            case SeriesKind.FAILED:
                for order_id, events in self._events.items():
                    tried = [each for each in events if each.outcome is Outcome.FAILED]
                    yield from ((self._journeys[order_id].path, each.at_ns) for each in tried)
            case SeriesKind.LOST:
                for losses in self._losses.values():
                    yield from ((loss.service, self._said_ns(loss)) for loss in losses)
            case SeriesKind.SPANS:
                yield from ((span.service, span.start_ns) for span in self._spans() if span.meets(shape.spans))

    def _said_ns(self, loss: Loss) -> int:
        """When a message was said to be lost: what silence alone tells, after the transit limit."""
        waits = loss.reason in (LostReason.IN_QUEUE, LostReason.UNKNOWN)
        return loss.published_ns + ((self._limits.of(loss.destination) or 0) + EXPORT_GRACE_NS if waits else 0)


def _minutes_of(told: Iterable[Counted], shape: Surge) -> dict[str, dict[int, int]]:
    """The counts of each minute that are told; of those to come nobody reads any."""
    series: dict[str, dict[int, int]] = defaultdict(dict)
    for each in told:
        if (each.kind, each.stage) != (shape.series, shape.stage):
            continue
        counts = series[each.name]
        first = each.from_ns // MINUTE_NS
        for place in range(each.length_ns // MINUTE_NS):
            many = int((place + 1) * each.per_minute) - int(place * each.per_minute)
            counts[first + place] = counts.get(first + place, 0) + many
    return dict(series)


def _active(minutes: set[int], service: str) -> Activity:
    ordered = sorted(minutes)
    return Activity(ordered, (ordered[-1] + 1) * MINUTE_NS - 1 if ordered else 0, service)


def _group(service: str, operation: str, spans: Sequence[SpanTold], shape: SpansSeen | Slow) -> SpanGroup:
    by_length = sorted(spans, key=lambda span: span.duration_ns)
    by_end = sorted(spans, key=lambda span: span.end_ns, reverse=True)
    level = shape.quantile if isinstance(shape, Slow) else None
    shown = reversed(by_length) if isinstance(shape, Slow) else by_end
    examples = [
        SpanExample(each.trace_id, each.service, each.operation, each.end_ns, each.duration_ns, each.error, each.http)
        for each in list(shown)[:EXAMPLES]
    ]
    return SpanGroup(
        service,
        operation,
        len(spans),
        by_end[-1].end_ns,
        by_end[0].end_ns,
        None if level is None else by_length[_place(level, len(spans))].duration_ns,
        tuple(examples),
    )


def _place(level: float, number: int) -> int:
    """Where a quantile lies among so many in order: the higher of two, as the store has it."""
    return min(number - 1, ceil(level * (number - 1)))
