"""Messages on the timeline: from the publisher's lane into the queue's, and out of it to whoever took them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from clew.journey.remarks import delivery_remarks, message_fate, went_on
from clew.model.journey import Journey
from clew.model.lengths import how_brief
from clew.model.message import Delivery, Message, Settlement
from clew.store.whole_order import losses_by_message
from clew.web.pages.order.drawing import Arrow, Bar, Lane, Sign, span_href
from clew.web.pages.order.lanes import LaneKey, queue_key, service_key
from clew.web.pages.order.scale import TimeScale
from clew.web.pages.order.texts import label

HOPS_DRAWN = 300
"""About how many hops a picture has at most."""

_THINNEST = 0.3
_GIVEN_BACK = (Settlement.REJECT, Settlement.REQUEUE, Settlement.NONE)


@dataclass(frozen=True, slots=True)
class Hops:
    """What messages add to the picture."""

    arrows: tuple[Arrow, ...]
    waits: tuple[Bar, ...]
    signs: tuple[Sign, ...]


@dataclass(frozen=True, slots=True)
class _Canvas:
    scale: TimeScale
    lanes: Mapping[LaneKey, Lane]
    until_ns: int


def drawn_of(messages: Sequence[Message], journey: Journey) -> tuple[list[Message], int]:
    """The messages that there is room for, oldest first, and how many hops are left out.

    Lost ones come before all others, then the latest; of a message given out very often, its latest deliveries.
    """
    lost = losses_by_message(journey)
    ranked = sorted(messages, key=lambda each: ((each.trace_id, each.span_id) in lost, each.published_ns))
    room, kept = HOPS_DRAWN, []
    for message in reversed(ranked):
        if room <= 0:
            break
        kept.append(replace(message, deliveries=message.deliveries[-room:]))
        room -= _hops(kept[-1])
    left = sum(map(_hops, messages)) - sum(map(_hops, kept))
    return sorted(kept, key=lambda each: each.published_ns), left


def _hops(message: Message) -> int:
    return 1 + len(message.deliveries)


def hops_of(
    messages: Iterable[Message], journey: Journey, until_ns: int, scale: TimeScale, lanes: Mapping[LaneKey, Lane]
) -> Hops:
    """The hops of messages; one that nobody took waits until ``until_ns``, unless the order went on all the same."""
    canvas, lost = _Canvas(scale, lanes, until_ns), losses_by_message(journey)
    entries = [(each.service, each.at_ns) for each in (*journey.milestones, *journey.after_end)]
    arrows: list[Arrow] = []
    waits: list[Bar] = []
    signs: list[Sign] = []
    for message in messages:
        reason = lost.get((message.trace_id, message.span_id))
        on = went_on(message.service, message.published_ns, entries)
        fate = message_fate(reason, message.error, bool(message.deliveries), on)
        arrows += _arrows(message, canvas, "lost" if reason else "hop", fate)
        waits += _waits(message, canvas, reason, fate, on=on)
        signs += _signs(message, canvas, reason, fate)
    return Hops(tuple(arrows), tuple(waits), tuple(signs))


def _published(message: Message, fate: str) -> str:
    target = message.destination or message.queue or "?"
    return label((f"{message.service} published to {target}", fate))


def _taken(message: Message, each: Delivery) -> str:
    told = delivery_remarks(each.settlement, each.redelivered, each.death_reason, each.death_queue, each.error)
    transit = how_brief(max(0, each.started_ns - message.published_ns))
    queue = queue_key(message, each)[1]
    return label((f"{each.service} took it from {queue} after {transit}", *told))


def _arrows(message: Message, canvas: _Canvas, tone: str, fate: str) -> Iterator[Arrow]:
    sent, x = canvas.lanes[service_key(message.service)], canvas.scale.x(message.published_ns)
    queues = dict.fromkeys(queue_key(message, each) for each in message.deliveries) or {queue_key(message): None}
    for key in queues:
        href = span_href(message.trace_id, message.span_id)
        yield Arrow(x, sent.line, x, canvas.lanes[key].line, tone, href, _published(message, fate))
    for each in message.deliveries:
        back = each.settlement in _GIVEN_BACK or each.error
        from_x = max(x, canvas.scale.x(each.started_ns))
        href = span_href(each.trace_id, each.span_id)
        queue, taker = canvas.lanes[queue_key(message, each)], canvas.lanes[service_key(each.service)]
        yield Arrow(from_x, queue.line, from_x, taker.line, "back" if back else "hop", href, _taken(message, each))


def _waits(message: Message, canvas: _Canvas, reason: str | None, fate: str, *, on: bool) -> Iterator[Bar]:
    """The time in a queue: up to its being taken; for one that is lost or not taken, up to now."""
    x, href = canvas.scale.x(message.published_ns), span_href(message.trace_id, message.span_id)
    for each in message.deliveries:
        width = max(_THINNEST, canvas.scale.x(each.started_ns) - x)
        yield Bar(x, width, canvas.lanes[queue_key(message, each)].line, "transit", href, _taken(message, each))
    if reason or not (message.deliveries or on or message.error):
        last = message.deliveries[-1] if message.deliveries else None
        from_x = max(x, canvas.scale.x(last.ended_ns)) if last else x
        width = max(_THINNEST, canvas.scale.x(canvas.until_ns) - from_x)
        line = canvas.lanes[queue_key(message, last)].line
        yield Bar(from_x, width, line, "lost" if reason else "waiting", href, _published(message, fate))


def _signs(message: Message, canvas: _Canvas, reason: str | None, fate: str) -> Iterator[Sign]:
    x, href = canvas.scale.x(message.published_ns), span_href(message.trace_id, message.span_id)
    last = message.deliveries[-1] if message.deliveries else None
    if reason or (message.error and not message.deliveries):
        at = max(x, canvas.scale.x(last.ended_ns)) if last else x
        kind = "lost" if reason else "failed"
        yield Sign(at, canvas.lanes[queue_key(message, last)].line, kind, 1, href, _published(message, fate))
    for each in message.deliveries:
        if kinds := [kind for kind, holds in _remarkable(each) if holds]:
            place = max(x, canvas.scale.x(each.started_ns))
            line = canvas.lanes[queue_key(message, each)].line
            yield Sign(place, line, kinds[0], 1, span_href(each.trace_id, each.span_id), _taken(message, each))


def _remarkable(each: Delivery) -> Iterator[tuple[str, bool]]:
    yield "dead", bool(each.death_reason)
    yield "rejected", each.settlement in _GIVEN_BACK
    yield "redelivered", each.redelivered
