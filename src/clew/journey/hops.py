"""Was a message lost? A decision over both its ends.

The rule (there is no standard one; see docs/decisions/0020-lost-messages.md): a leaf PRODUCER span with no CONSUMER
child or link after the transit limit. What the broker or clew-sdk says outright (returned, rejected, dead-lettered)
needs no waiting.
"""

from __future__ import annotations

from clew.model.journey import Loss, LostReason
from clew.model.message import Delivery, Message, Settlement

UNROUTABLE = "unroutable"
"""``error.type`` of a publish that the broker returned (clew-sdk)."""

_DEATHS = {"expired": LostReason.EXPIRED}


def judge_message(message: Message, now_ns: int, limit_ns: int | None, consumed_before: bool) -> Loss | None:
    """What is lost of a message at a moment, or None while it is on its way, taken, or can't be judged.

    ``limit_ns`` is the destination's transit limit (None: never late). ``consumed_before`` says whether somebody ever
    took a message from this destination: if so an untaken one waits in the queue, else nobody can tell (pull consumers
    emit no span), and the reason is ``unknown``.
    """
    if message.wrapped:
        return None
    if not message.deliveries:
        return _untaken(message, now_ns, limit_ns, consumed_before)
    if any(_took_effect(delivery) for delivery in message.deliveries):
        return None
    return _given_back(message, message.deliveries[-1], now_ns, limit_ns)


def _untaken(message: Message, now_ns: int, limit_ns: int | None, consumed_before: bool) -> Loss | None:
    if UNROUTABLE in message.error:
        return _loss(message, LostReason.UNROUTABLE)
    if limit_ns is None or now_ns < message.published_ns + limit_ns:
        return None
    return _loss(message, LostReason.IN_QUEUE if consumed_before else LostReason.UNKNOWN)


def _took_effect(delivery: Delivery) -> bool:
    """An acknowledged delivery from a living queue, or an error-free one whose settlement nobody records.

    A message that died and came back to the queue it died in (a delayed retry) is alive again.
    """
    if delivery.death_reason and delivery.queue != delivery.death_queue:
        return False
    if delivery.settlement is Settlement.UNSEEN:
        return not delivery.error
    return delivery.settlement is Settlement.ACK


def _given_back(message: Message, last: Delivery, now_ns: int, limit_ns: int | None) -> Loss | None:
    dead = next((each for each in reversed(message.deliveries) if each.death_reason), None)
    if dead is not None:
        reason = _DEATHS.get(dead.death_reason, LostReason.DEAD_LETTERED)
        return _loss(message, reason, dead.death_queue, _taker(dead, "taken from the dead-letter queue by"))
    if last.settlement is Settlement.REJECT:
        return _loss(message, LostReason.REJECTED, last.queue, _taker(last, "by"))
    if limit_ns is None or now_ns < last.ended_ns + limit_ns:
        return None
    if last.settlement in (Settlement.REQUEUE, Settlement.NONE):
        gave = "gave it back" if last.settlement is Settlement.REQUEUE else "broke off while it had it"
        return _loss(message, LostReason.IN_QUEUE, last.queue, f"{last.service} {gave}")
    return _loss(message, LostReason.UNKNOWN, last.queue, f"{last.service} failed on it: {last.error}")


def _taker(delivery: Delivery, words: str) -> str:
    failed = f": {delivery.error}" if delivery.error else ""
    return f"{words} {delivery.service}{failed}" if delivery.service else ""


def _loss(message: Message, reason: LostReason, queue: str = "", detail: str = "") -> Loss:
    return Loss(
        reason,
        message.destination,
        message.published_ns,
        message.service,
        message.trace_id,
        message.span_id,
        queue or message.queue,
        detail,
    )
