"""What spans say of messages: names and attributes, as pure functions.

Names follow OpenTelemetry's messaging conventions; what they have no name for (redelivery, dead-lettering, settlement)
is under ``clew.message.``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Attributes = dict[str, str | bool | int]

ACK = "ack"
REJECT = "reject"
REQUEUE = "requeue"
NONE = "none"

SETTLEMENT = "clew.message.settlement"


@dataclass(frozen=True, slots=True)
class Incoming:
    """One delivery of a message. ``queue`` is empty when the client doesn't know it."""

    exchange: str
    routing_key: str
    queue: str
    delivery_tag: int
    redelivered: bool
    message_id: str = ""
    correlation_id: str = ""
    headers: Mapping[str, Any] = field(default_factory=dict)


def producer_destination(exchange: str, routing_key: str) -> str:
    """``exchange:key``, or the one that is there, or ``amq.default``."""
    return ":".join(part for part in (exchange, routing_key) if part) or "amq.default"


def consumer_destination(message: Incoming) -> str:
    """``exchange:key:queue`` without empty parts; a queue that repeats the key (default exchange) is said once."""
    parts = [part for part in (message.exchange, message.routing_key) if part]
    if message.queue and (message.exchange or message.queue != message.routing_key):
        parts.append(message.queue)
    return ":".join(parts) or "amq.default"


def producer_attributes(exchange: str, routing_key: str, message_id: str, correlation_id: str) -> Attributes:
    """The attributes of a publish; the queue is known only for the default exchange, where the key names it."""
    attributes: Attributes = {
        "messaging.system": "rabbitmq",
        "messaging.operation.type": "send",
        "messaging.operation.name": "publish",
        "messaging.destination.name": producer_destination(exchange, routing_key),
        "messaging.message.id": message_id,
    }
    if routing_key:
        attributes["messaging.rabbitmq.destination.routing_key"] = routing_key
    if correlation_id:
        attributes["messaging.message.conversation_id"] = correlation_id
    if not exchange and routing_key:
        attributes["clew.message.queue"] = routing_key
    return attributes


def consumer_attributes(message: Incoming) -> Attributes:
    """The attributes of a delivery, with its history as the broker tells it."""
    attributes: Attributes = {
        "messaging.system": "rabbitmq",
        "messaging.operation.type": "process",
        "messaging.operation.name": "deliver",
        "messaging.destination.name": consumer_destination(message),
        "messaging.rabbitmq.message.delivery_tag": message.delivery_tag,
        "clew.message.redelivered": message.redelivered,
    }
    optional = {
        "messaging.rabbitmq.destination.routing_key": message.routing_key,
        "messaging.message.id": message.message_id,
        "messaging.message.conversation_id": message.correlation_id,
        "clew.message.queue": message.queue,
    }
    attributes.update({key: value for key, value in optional.items() if value})
    attributes.update(_history(message.headers))
    return attributes


def _history(headers: Mapping[str, Any]) -> Attributes:
    """How the message died before (header x-death, latest first) and how often a quorum queue delivered it before."""
    told: Attributes = {}
    deaths = headers.get("x-death")
    if isinstance(deaths, list) and deaths and isinstance(deaths[0], Mapping):
        death = deaths[0]
        told["clew.message.death.reason"] = text(death.get("reason", ""))
        told["clew.message.death.queue"] = text(death.get("queue", ""))
        count = death.get("count")
        told["clew.message.death.count"] = count if isinstance(count, int) else 1
    attempts = headers.get("x-delivery-count")
    if isinstance(attempts, int):
        told["retry.count"] = attempts
    return told


def text(value: object) -> str:
    """A header value as text; clients decode long strings differently."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def carrier(headers: Mapping[str, Any]) -> dict[str, str]:
    """The headers that can hold trace context, as text."""
    return {key: text(value) for key, value in headers.items() if isinstance(value, str | bytes)}
