"""One AMQP channel of a client: what it consumes, what it has not settled, what it is publishing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pika import spec  # type: ignore[import-untyped]

from clew_demo.broker.routing import Message, Queue, Router

MANY = 1 << 30


@dataclass(slots=True)
class Incoming:
    """A publish whose content is still arriving, frame by frame."""

    method: Any
    properties: Any = None
    size: int = 0
    body: bytearray = field(default_factory=bytearray)


@dataclass(eq=False, slots=True)
class Consumer:
    """A subscription of a channel to a queue."""

    tag: str
    queue: Queue
    automatic: bool


class Channel:
    """The state of one channel. ``send`` writes a method, with content when there is a message."""

    def __init__(self, router: Router, send: Callable[..., None]) -> None:
        self._router = router
        self._send = send
        self.consumers: dict[str, Consumer] = {}
        self._unsettled: dict[int, tuple[Queue, Message]] = {}
        self._prefetch = MANY
        self._last_tag = 0
        self._confirmed: int | None = None
        self._incoming: Incoming | None = None

    def limit(self, prefetch: int) -> None:
        """At most so many unsettled messages at once; 0 is no limit."""
        self._prefetch = prefetch or MANY

    def confirm(self) -> None:
        """Acknowledge every publish from now on."""
        self._confirmed = 0

    @property
    def free(self) -> bool:
        """Whether one more message may be delivered."""
        return len(self._unsettled) < self._prefetch

    def deliver(self, consumer: Consumer, message: Message) -> None:
        """Send a message to the client; it stays ours until it is settled."""
        self._last_tag += 1
        if not consumer.automatic:
            self._unsettled[self._last_tag] = (consumer.queue, message)
        self._send(
            spec.Basic.Deliver(
                consumer.tag, self._last_tag, message.redelivered, message.exchange, message.routing_key
            ),
            message,
        )

    def settle(self, tag: int, multiple: bool) -> list[tuple[Queue, Message]]:
        """Take out what the client settles with this delivery tag, the oldest first."""
        tags = [each for each in self._unsettled if each == tag or (multiple and (tag == 0 or each < tag))]
        return [self._unsettled.pop(each) for each in tags]

    def close(self) -> list[Queue]:
        """Everything unsettled goes back to its queue; says which queues have news."""
        self.consumers.clear()
        left = self.settle(0, multiple=True)
        return [queue for entry in reversed(left) for queue in self._router.give_back(*entry)]

    def begin(self, method: Any) -> None:  # noqa: ANN401 - pika has no types
        """A publish begins; its header and body follow."""
        self._incoming = Incoming(method)

    def header(self, size: int, properties: Any) -> list[Queue]:  # noqa: ANN401 - pika has no types
        """The properties of the publish, and how many bytes will follow."""
        assert self._incoming is not None, "a header follows Basic.Publish"
        self._incoming.properties, self._incoming.size = properties, size
        return self._published_if_whole()

    def body(self, fragment: bytes) -> list[Queue]:
        """A part of the content."""
        assert self._incoming is not None, "a body follows its header"
        self._incoming.body += fragment
        return self._published_if_whole()

    def _published_if_whole(self) -> list[Queue]:
        incoming = self._incoming
        if incoming is None or len(incoming.body) < incoming.size:
            return []
        self._incoming = None
        method = incoming.method
        headers = dict(incoming.properties.headers or {})
        message = Message(method.exchange, method.routing_key, bytes(incoming.body), incoming.properties, headers)
        reached = self._router.publish(message)
        if not reached and method.mandatory:
            self._send(spec.Basic.Return(312, "NO_ROUTE", method.exchange, method.routing_key), message)
        if self._confirmed is not None:
            self._confirmed += 1
            self._send(spec.Basic.Ack(self._confirmed))
        return reached
