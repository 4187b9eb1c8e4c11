"""Which lanes a timeline has: the services and queues that occur, in the order in which the order came to them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from clew.journey.visits import StageVisit
from clew.model.journey import Failure
from clew.model.message import Delivery, Message
from clew.store.order_spans import SpanLine
from clew.web.pages.order.drawing import QUEUE_HEIGHT, SERVICE_HEIGHT, Lane

MOST_LANES = 24
UNNAMED = "(service not told)"

LaneKey = tuple[Literal["service", "queue"], str]


def service_key(service: str) -> LaneKey:
    """The lane of a service."""
    return "service", service or UNNAMED


def queue_key(message: Message, delivery: Delivery | None = None) -> LaneKey:
    """The lane that a message went through: its queue where that is known, else where it was published to."""
    queue = (delivery.queue if delivery else "") or message.queue
    return "queue", queue or (delivery.destination if delivery else "") or message.destination or "(queue not told)"


def entry_spans(lines: Sequence[SpanLine]) -> list[SpanLine]:
    """The spans with which a service begins to work: those whose parent is another service's, or not there."""
    service_of = {(line.trace_id, line.span_id): line.service for line in lines}
    return [line for line in lines if service_of.get((line.trace_id, line.parent_span_id)) != line.service]


def lanes_of(
    visits: Iterable[StageVisit],
    failure: Failure | None,
    lines: Iterable[SpanLine],
    messages: Iterable[Message],
    top: int,
) -> dict[LaneKey, Lane]:
    """The lanes from above to below. Beyond `MOST_LANES` the rest share the last one.

    Every span's service has one, even where none of its spans begins its work: spans may be their own ancestors.
    """
    seen = [(each.milestone.at_ns, 0, service_key(each.milestone.service)) for each in visits]
    seen += [(failure.at_ns, 1, service_key(failure.service))] if failure else []
    seen += [(each.start_ns, 1, service_key(each.service)) for each in lines]
    for message in messages:
        seen += _met(message)
    keys = list(dict.fromkeys(key for _, _, key in sorted(seen)))
    return _placed(keys, top)


def _met(message: Message) -> list[tuple[int, int, LaneKey]]:
    """The lanes of a message, each at the moment at which it came there; consumers' clocks may be ahead."""
    sent_ns = min([message.published_ns, *(each.started_ns for each in message.deliveries)])
    met = [(sent_ns, 2, service_key(message.service))]
    if not message.deliveries:
        return [*met, (sent_ns, 3, queue_key(message))]
    for each in message.deliveries:
        met += [(sent_ns, 3, queue_key(message, each)), (each.started_ns, 4, service_key(each.service))]
    return met


def _placed(keys: Sequence[LaneKey], top: int) -> dict[LaneKey, Lane]:
    shown = keys if len(keys) <= MOST_LANES else keys[: MOST_LANES - 1]
    lanes: dict[LaneKey, Lane] = {}
    y = top
    for kind, name in shown:
        height = SERVICE_HEIGHT if kind == "service" else QUEUE_HEIGHT
        lanes[kind, name] = Lane(name, kind, y, height)
        y += height
    if rest := keys[len(shown) :]:
        lanes |= dict.fromkeys(rest, Lane(f"{len(rest)} others", "service", y, SERVICE_HEIGHT))
    return lanes
