"""Was a message lost? A decision over both its ends.

The rule (there is no standard one; see docs/decisions/0020-lost-messages.md): a leaf PRODUCER span with no CONSUMER
child or link after the transit limit. What the broker or clew-sdk says outright (returned, rejected, dead-lettered)
needs no waiting.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from clew.model.journey import Loss, LostReason
from clew.model.message import Delivery, Message, Settlement

UNROUTABLE = "unroutable"
"""Part of the error of a publish that the broker returned: clew-sdk's ``unroutable``, pika's ``UnroutableError``."""

_EXPIRED = "expired"
_DEATHS = {
    "rejected": "rejected there",
    "maxlen": "the queue was full",
    "delivery_limit": "delivered too often",
}


@dataclass(frozen=True, slots=True)
class Known:
    """What is known beside the message itself.

    ``limit_ns`` is the destination's transit limit (None: never late), ``grace_ns`` how long a consumer's span may be
    under way after a message is known of. ``consumed_before``: somebody has taken messages from this destination, so
    an untaken one waits; else nobody can tell (pull consumers emit no span). ``worked_queues`` are those that consumers
    take fresh messages from: one that expires elsewhere only waited, as delayed messages do. ``retried_queues`` are
    those whose rejected messages have come back by dead-lettering: a reject there is no last word.
    """

    limit_ns: int | None
    grace_ns: int = 0
    consumed_before: bool = False
    worked_queues: Collection[str] = frozenset()
    retried_queues: Collection[str] = frozenset()


def judge_message(message: Message, now_ns: int, known: Known) -> Loss | None:
    """What is lost of a message at a moment, or None while it is on its way, taken, or can't be judged."""
    if message.wrapped:
        return None
    if not message.deliveries:
        return _untaken(message, now_ns, known)
    fresh = {each.queue for each in message.deliveries if not each.death_reason}
    worked = {*known.worked_queues, *fresh}
    left = _open_deliveries(message.deliveries, worked)
    if not left:
        return None
    buried = _newest(each for each in left if _buried(each, worked))
    return _dead_lettered(message, buried) if buried else _given_back(message, left, now_ns, known)


def retried_queues(message: Message) -> set[str]:
    """Queues that a message was rejected from and then delivered again by dead-lettering."""
    back = [each for each in message.deliveries if each.death_reason and each.settlement is Settlement.ACK]
    return {
        each.queue
        for each in message.deliveries
        if each.settlement is Settlement.REJECT
        and each.queue
        and any(later.queue == each.queue and later.started_ns > each.started_ns for later in back)
    }


def _untaken(message: Message, now_ns: int, known: Known) -> Loss | None:
    if UNROUTABLE in message.error.lower():
        return _loss(message, LostReason.UNROUTABLE)
    if known.limit_ns is None:
        return None
    # Known of for less than the grace: after an outage both ends arrive late, in any order.
    if now_ns < max(message.published_ns + known.limit_ns, message.received_ns) + known.grace_ns:
        return None
    failed = f"publishing it ended with {message.error}" if message.error else ""
    return _loss(message, LostReason.IN_QUEUE if known.consumed_before else LostReason.UNKNOWN, detail=failed)


def _open_deliveries(deliveries: Sequence[Delivery], worked: Collection[str]) -> list[Delivery]:
    """The deliveries that nothing made good.

    Each queue has a copy of its own, so what one acknowledges heals that queue only. A delivery whose queue nobody
    names, or that came by a retry, may heal any.
    """
    good = [each for each in deliveries if _took_effect(each, worked)]
    if any(not each.queue or each.death_reason for each in good):
        return []
    healed = {each.queue for each in good} | ({""} if good else set())
    return [each for each in deliveries if each.queue not in healed and (each.death_queue or None) not in healed]


def _took_effect(delivery: Delivery, worked: Collection[str]) -> bool:
    """A delivery without error that was no burial, acknowledged if its settlement is recorded."""
    if _buried(delivery, worked):
        return False
    if delivery.settlement is Settlement.UNSEEN:
        return not delivery.error
    return delivery.settlement is Settlement.ACK and not delivery.error


def _buried(delivery: Delivery, worked: Collection[str]) -> bool:
    """Whether the message came out of a dead-letter queue.

    One that died is alive again when it came back to its queue, or when it expired where nobody works.
    """
    if not delivery.death_reason or delivery.queue == delivery.death_queue:
        return False
    return delivery.death_reason != _EXPIRED or delivery.death_queue in worked


def _given_back(message: Message, left: Sequence[Delivery], now_ns: int, known: Known) -> Loss | None:
    last = max(left, key=_moment)
    final = last.settlement is Settlement.REJECT
    if final and last.queue not in known.retried_queues:
        return _loss(message, LostReason.REJECTED, last.queue, _taker(last, "by"))
    if known.limit_ns is None or now_ns < last.ended_ns + known.limit_ns + known.grace_ns:
        return None
    if final:
        return _loss(message, LostReason.REJECTED, last.queue, _taker(last, "by"))
    if last.settlement in (Settlement.REQUEUE, Settlement.NONE):
        gave = "gave it back" if last.settlement is Settlement.REQUEUE else "broke off while it had it"
        return _loss(message, LostReason.IN_QUEUE, last.queue, f"{last.service} {gave}")
    failed = last.error or "no word on why"
    if last.settlement is Settlement.ACK:
        told = f"{last.service} acknowledged it, but failed on it: {failed}"
        return _loss(message, LostReason.CONSUMED_WITHOUT_EFFECT, last.queue, told)
    return _loss(message, LostReason.UNKNOWN, last.queue, f"{last.service} failed on it: {failed}")


def _newest(deliveries: Iterable[Delivery]) -> Delivery | None:
    return max(deliveries, key=_moment, default=None)


def _moment(delivery: Delivery) -> tuple[int, int, str]:
    return delivery.started_ns, delivery.ended_ns, delivery.span_id


def _dead_lettered(message: Message, dead: Delivery) -> Loss:
    taker = _taker(dead, "taken from the dead-letter queue by")
    if dead.death_reason == _EXPIRED:
        return _loss(message, LostReason.EXPIRED, dead.death_queue, taker)
    words = (_DEATHS.get(dead.death_reason, dead.death_reason), taker)
    return _loss(message, LostReason.DEAD_LETTERED, dead.death_queue, "; ".join(each for each in words if each))


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
