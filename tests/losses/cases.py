"""What happens to messages in the tests with a real broker: every case has an exchange and a queue of its own name.

The publisher publishes one message a case; once all of them were met as planned, those of ``AGAIN`` get a second one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

KEY = "order.created"
CASES = (
    *("well", "redelivered", "revived", "retried", "delayed", "pulled"),
    *("never", "stopped", "unroutable", "rejected", "dead", "buried", "crashed", "expired"),
)
AGAIN = ("stopped", "expired")

REJECTED_ONCE = ("retried",)
REJECTED = ("rejected", "dead", "buried")
REQUEUED_ONCE = ("redelivered",)
STOPPED = ("stopped", "expired")
DROPPED = ("crashed", "revived")
PULLED = "pulled"
WORKED = ("well", "delayed.work", "buried.dlq", "expired.dlq", *REJECTED_ONCE, *REJECTED, *REQUEUED_ONCE, *STOPPED)

MET = Counter(
    {"well": 1, "delayed.work": 1, "buried.dlq": 1, "retried": 2, "redelivered": 2, "revived": 2, "crashed": 1}
)
MET.update(("rejected", "dead", "buried", "stopped", "expired", "pulled"))
MET_AGAIN = MET + Counter(("expired.dlq",))


def settlement(queue: str, redelivered: bool, headers: Mapping[str, Any] | None) -> str:
    """What the worker does with a delivery: ack, requeue or reject."""
    if queue in REQUEUED_ONCE and not redelivered:
        return "requeue"
    if queue in REJECTED or (queue in REJECTED_ONCE and "x-death" not in (headers or {})):
        return "reject"
    return "ack"


def declare(channel: Any) -> None:
    """Exchanges and queues of all cases, on a blocking pika channel."""
    arguments = {
        "dead": {"x-dead-letter-exchange": "dead.dlx"},
        "buried": {"x-dead-letter-exchange": "buried.dlx"},
        "expired": {"x-dead-letter-exchange": "expired.dlx", "x-message-ttl": 700},
        "retried": {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "retried.wait"},
        "retried.wait": {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "retried", "x-message-ttl": 300},
        "delayed": {"x-dead-letter-exchange": "delayed.dlx", "x-message-ttl": 300},
    }
    for case in CASES:
        channel.exchange_declare(case)
        if case != "unroutable":
            channel.queue_declare(case, arguments=arguments.get(case))
            channel.queue_bind(case, case, KEY)
    channel.queue_declare("retried.wait", arguments=arguments["retried.wait"])
    for name, queue in (
        ("dead", "dead.dlq"),
        ("buried", "buried.dlq"),
        ("expired", "expired.dlq"),
        ("delayed", "delayed.work"),
    ):
        channel.exchange_declare(f"{name}.dlx", "fanout")
        channel.queue_declare(queue)
        channel.queue_bind(queue, f"{name}.dlx")
