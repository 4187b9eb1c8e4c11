"""What a rule finds in queues: messages that wait while nobody takes any."""

from __future__ import annotations

from collections.abc import Iterable

from clew.model.alert import Finding
from clew.model.lengths import ago, how_long
from clew.model.rule import QueueWaits, Rule
from clew.model.watched import WaitingQueue


def waiting(rule: Rule, shape: QueueWaits, queues: Iterable[WaitingQueue], now_ns: int) -> list[Finding]:
    """A finding for each queue in which enough messages wait, the oldest for too long; ``value`` is how many.

    A rule may name a queue as its publishers do, or by its own name.
    """
    found = []
    for queue in queues:
        if shape.queues and not {queue.destination, queue.queue} & set(shape.queues):
            continue
        subject = f"queue:{queue.destination}"
        least = shape.at_least if rule.recover_below is None else min(shape.at_least, rule.recover_below)
        if queue.waiting < least or now_ns - queue.oldest_ns < shape.longer_than_ns:
            continue
        found.append(_finding(rule, shape, queue, subject, now_ns))
    return found


def _finding(rule: Rule, shape: QueueWaits, queue: WaitingQueue, subject: str, now_ns: int) -> Finding:
    own = f" (queue {queue.queue})" if queue.queue and queue.queue != queue.destination else ""
    wait = "1 message waits" if queue.waiting == 1 else f"{queue.waiting:,} messages wait"
    taken = "nobody was seen taking any"
    if queue.taken_ns is not None:
        taken = f"{queue.consumer or 'somebody'} took the last one {ago(queue.taken_ns, now_ns)}"
    oldest = f"the oldest for {how_long(now_ns - queue.oldest_ns)}, allowed {how_long(shape.longer_than_ns)}"
    who = f"; {queue.consumer} must act" if queue.consumer else ""
    labels = {"queue": queue.destination, "service": queue.consumer}
    return Finding(
        rule=rule.name,
        subject=subject,
        reason=f"{queue.destination}{own}: {wait}, {oldest}; {taken}{who}",
        since_ns=queue.oldest_ns + shape.longer_than_ns,
        labels={name: text for name, text in labels.items() if text},
        value=float(queue.waiting),
        bound=float(shape.at_least),
        trace_ids=queue.trace_ids,
        owner=queue.consumer,
    )
