"""Messages between the services, by pika: who publishes what, which queue takes it, and how a consumer lives."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pika  # type: ignore[import-untyped]
from pika.exceptions import AMQPError  # type: ignore[import-untyped]

logger = logging.getLogger(__name__)

PREFETCH = 4
RECONNECT_S = 1.0


@dataclass(frozen=True, slots=True)
class Route:
    """Messages to ``exchange`` with ``key`` go to ``queue``."""

    exchange: str
    key: str
    queue: str


SUBMITTED = Route("shop", "order.submitted", "crm.orders")
APPROVED = Route("crm", "order.approved", "mes.orders")
SHIPPED = Route("mes", "order.shipped", "crm.shipments")
DEAD = Route("dead", "order.dead", "dead.letters")
ROUTES = (SUBMITTED, APPROVED, SHIPPED, DEAD)


class Unreadable(Exception):
    """A message that trying again will never make readable: it belongs among the dead letters."""


def connect(url: str) -> Any:  # noqa: ANN401 - pika has no types
    """A connection to the broker; the caller closes it."""
    return pika.BlockingConnection(pika.URLParameters(url))


def declare(url: str) -> None:
    """Make exchanges, queues and bindings; what is there stays."""
    refused = {"x-dead-letter-exchange": DEAD.exchange, "x-dead-letter-routing-key": DEAD.key}
    with closing(connect(url)) as connection:
        channel = connection.channel()
        for route in ROUTES:
            channel.exchange_declare(route.exchange, "direct", durable=True)
            channel.queue_declare(route.queue, durable=True, arguments=None if route is DEAD else refused)
            channel.queue_bind(route.queue, route.exchange, route.key)


def publish(url: str, route: Route, message: dict[str, Any]) -> None:
    """Send a message that survives the broker's restart. Raises pika's UnroutableError when no queue is bound.

    A connection for each message: a shop's few orders a second are not worth a pool with heartbeats.
    """
    with closing(connect(url)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        properties = pika.BasicProperties(content_type="application/json", delivery_mode=2)
        channel.basic_publish(route.exchange, route.key, json.dumps(message).encode(), properties, mandatory=True)


class Consumer:
    """A thread that hands each message of a queue to a function, and connects again when the broker went away.

    The function's return acknowledges the message, `Unreadable` rejects it, and any other error gives it one more try.
    """

    def __init__(self, url: str, route: Route, handle: Callable[[dict[str, Any]], None]) -> None:
        self._url, self._route, self._handle = url, route, handle
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"consumer {route.queue}", daemon=True)

    def start(self) -> None:
        """Begin to consume."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the message at hand, then stop."""
        self._stopping.set()
        self._thread.join(5)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                with closing(connect(self._url)) as connection:
                    self._consume(connection.channel())
            except (AMQPError, OSError) as error:
                logger.warning("%s: the broker is away (%r), trying again", self._route.queue, error)
                self._stopping.wait(RECONNECT_S)

    def _consume(self, channel: Any) -> None:  # noqa: ANN401 - pika has no types
        channel.basic_qos(prefetch_count=PREFETCH)
        channel.basic_consume(self._route.queue, self._on_message)
        while not self._stopping.is_set():
            channel.connection.process_data_events(time_limit=0.2)

    def _on_message(self, channel: Any, method: Any, _: Any, body: bytes) -> None:  # noqa: ANN401 - pika has no types
        try:
            self._handle(json.loads(body))
        except Unreadable as error:
            logger.warning("%s: rejected: %s", self._route.queue, error)
            channel.basic_reject(method.delivery_tag, requeue=False)
        except Exception:
            logger.exception("%s: failed", self._route.queue)
            channel.basic_nack(method.delivery_tag, requeue=not method.redelivered)
        else:
            channel.basic_ack(method.delivery_tag)
