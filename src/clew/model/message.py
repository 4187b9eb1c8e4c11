"""Messages between services: what was published and who took it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Settlement(StrEnum):
    """What became of a delivery. ``UNSEEN``: the instrumentation doesn't record it."""

    ACK = "ack"
    REJECT = "reject"
    REQUEUE = "requeue"
    NONE = "none"
    UNSEEN = ""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One CONSUMER span: a message handed to a consumer. Times are Unix nanoseconds.

    ``death_reason`` and ``death_queue`` are the broker's x-death: why and from which queue the message was
    dead-lettered before this delivery.
    """

    trace_id: str
    span_id: str
    started_ns: int
    ended_ns: int
    service: str
    destination: str = ""
    queue: str = ""
    settlement: Settlement = Settlement.UNSEEN
    error: str = ""
    redelivered: bool = False
    death_reason: str = ""
    death_queue: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """One publish and its deliveries, oldest first.

    ``wrapped`` is True for a PRODUCER span that holds another one: some instrumentations emit two a publish, and only
    the inner one's context is in the message. ``received_ns`` is when Clew first knew of the publish.
    """

    trace_id: str
    span_id: str
    published_ns: int
    service: str
    destination: str
    queue: str = ""
    order_ids: tuple[str, ...] = ()
    error: str = ""
    scope: str = ""
    wrapped: bool = False
    deliveries: tuple[Delivery, ...] = ()
    received_ns: int = 0
