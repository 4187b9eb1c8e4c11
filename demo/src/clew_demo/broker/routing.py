"""What a broker decides: which queues a message goes to, and where it goes when it is refused. No sockets."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass, field, replace
from typing import Any

DEFAULT_EXCHANGE = ""


@dataclass(frozen=True, slots=True)
class Message:
    """A message in a queue. ``headers`` are the application's, ``properties`` whatever else came with it."""

    exchange: str
    routing_key: str
    body: bytes
    properties: Any = None
    headers: dict[str, Any] = field(default_factory=dict)
    redelivered: bool = False


@dataclass(slots=True)
class Queue:
    """Messages that wait, oldest first; the arguments say where refused ones go, as in RabbitMQ."""

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)
    ready: deque[Message] = field(default_factory=deque)


class Router:
    """Direct exchanges, queues and the bindings between them; every queue hears the default exchange by its name."""

    def __init__(self) -> None:
        self.queues: dict[str, Queue] = {}
        self._bindings: defaultdict[tuple[str, str], list[str]] = defaultdict(list)

    def declare(self, name: str, arguments: dict[str, Any] | None = None) -> Queue:
        """The queue of that name, made when it wasn't there."""
        return self.queues.setdefault(name, Queue(name, arguments or {}))

    def bind(self, exchange: str, routing_key: str, queue: str) -> None:
        """Messages to that exchange with that key go to the queue from now on."""
        if queue not in self._bindings[exchange, routing_key]:
            self._bindings[exchange, routing_key].append(queue)

    def unbind(self, exchange: str, routing_key: str, queue: str) -> None:
        """They no longer do; a binding that isn't there is no error."""
        if queue in self._bindings[exchange, routing_key]:
            self._bindings[exchange, routing_key].remove(queue)

    def publish(self, message: Message) -> list[Queue]:
        """Put the message into every queue it is routed to, and say which; none means that it is unroutable."""
        if message.exchange == DEFAULT_EXCHANGE:
            names = [message.routing_key]
        else:
            names = self._bindings[message.exchange, message.routing_key]
        reached = [self.queues[name] for name in names if name in self.queues]
        for queue in reached:
            queue.ready.append(message)
        return reached

    def give_back(self, queue: Queue, message: Message) -> list[Queue]:
        """Requeue at the old place, marked as redelivered."""
        queue.ready.appendleft(replace(message, redelivered=True))
        return [queue]

    def refuse(self, queue: Queue, message: Message) -> list[Queue]:
        """Dead-letter the message by the queue's arguments, or drop it; says which queues got it."""
        exchange = queue.arguments.get("x-dead-letter-exchange")
        if exchange is None:
            return []
        routing_key = queue.arguments.get("x-dead-letter-routing-key", message.routing_key)
        headers = {**message.headers, "x-death": _deaths(queue, message)}
        return self.publish(
            replace(message, exchange=exchange, routing_key=routing_key, headers=headers, redelivered=False)
        )


def _deaths(queue: Queue, message: Message) -> list[dict[str, Any]]:
    """The x-death header with this death first; a repeated one only counts up. See RabbitMQ's dead-letter guide."""
    earlier = list(message.headers.get("x-death") or [])
    same = next((death for death in earlier if (death["queue"], death["reason"]) == (queue.name, "rejected")), None)
    if same is not None:
        return [{**same, "count": same["count"] + 1}, *(death for death in earlier if death is not same)]
    death = {
        "queue": queue.name,
        "reason": "rejected",
        "count": 1,
        "exchange": message.exchange,
        "routing-keys": [message.routing_key],
    }
    return [death, *earlier]
