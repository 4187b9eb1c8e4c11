"""pika: BlockingConnection, SelectConnection and the other adapters over pika.channel.Channel.

BlockingChannel passes everything on to a Channel, so acks are watched there only, and publish and consume are wrapped
on both, with the inner one stepping aside for the outer one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextvars import ContextVar
from copy import copy
from typing import Any

import pika  # type: ignore[import-untyped]
from pika.adapters.blocking_connection import BlockingChannel  # type: ignore[import-untyped]
from pika.channel import Channel  # type: ignore[import-untyped]
from pika.exceptions import NackError, UnroutableError  # type: ignore[import-untyped]

from clew_sdk.rabbitmq.deliveries import Delivery, Ledger
from clew_sdk.rabbitmq.messages import ACK, REJECT, REQUEUE, Incoming
from clew_sdk.rabbitmq.patching import Method, Patches, step_aside
from clew_sdk.rabbitmq.publications import NACK, UNROUTABLE, publishing, returns

_patches = Patches()
_inside: ContextVar[bool] = ContextVar("clew_inside_blocking_channel", default=False)
BLOCKING = "pika.adapters.blocking_connection"


def instrument() -> None:
    """Wrap pika; a second call changes nothing."""
    if _patches:
        return
    step_aside("pika", "PikaInstrumentor")
    for owner in (BlockingChannel, Channel):
        _patches.replace(owner, "basic_publish", _publish)
        _patches.replace(owner, "basic_consume", _consume)
    _patches.replace(BlockingChannel, "basic_get", _blocking_get)
    _patches.replace(BlockingChannel, "consume", _generator)
    _patches.replace(Channel, "basic_get", _get)
    _patches.replace(Channel, "basic_ack", _ack)
    _patches.replace(Channel, "basic_nack", _nack)
    _patches.replace(Channel, "basic_reject", _reject)


def uninstrument() -> None:
    """Put pika back as it was."""
    _patches.undo()


def _publish(original: Method) -> Method:
    def basic_publish(
        self: Any,  # noqa: ANN401 - BlockingChannel or Channel: the two share no base
        exchange: str,
        routing_key: str,
        body: bytes,
        properties: pika.BasicProperties | None = None,
        mandatory: bool = False,
    ) -> None:
        if _inside.get():
            original(self, exchange, routing_key, body, properties, mandatory)
            return
        # A copy: applications reuse a properties object, and each message needs its own id and context.
        own = copy(properties) if properties is not None else pika.BasicProperties()
        token = _inside.set(True)
        try:
            with publishing(
                exchange, routing_key, own.message_id or "", own.correlation_id or "", own.headers
            ) as publication:
                own.message_id, own.headers = publication.message_id, publication.headers
                if mandatory and not getattr(self, "_delivery_confirmation", False):
                    _watch_returns(_channel_of(self))
                    publication.hold()
                try:
                    original(self, exchange, routing_key, body, own, mandatory)
                except UnroutableError as error:
                    publication.failed(UNROUTABLE, str(error) or "returned by the broker")
                    raise
                except NackError as error:
                    publication.failed(NACK, str(error) or "refused by the broker")
                    raise
        finally:
            _inside.reset(token)

    return basic_publish


def _consume(original: Method) -> Method:
    def basic_consume(
        self: Any,  # noqa: ANN401 - see _publish
        queue: str,
        on_message_callback: Callable[..., Any],
        auto_ack: bool = False,
        *rest: Any,  # noqa: ANN401 - passed on unread
        **named: Any,  # noqa: ANN401 - passed on unread
    ) -> Any:  # noqa: ANN401 - the original's
        if _of_blocking_channel(on_message_callback):
            return original(self, queue, on_message_callback, auto_ack, *rest, **named)
        handler = _handling(_channel_of(self), queue, on_message_callback, auto_ack)
        return original(self, queue, handler, auto_ack, *rest, **named)

    return basic_consume


def _handling(channel: Channel, queue: str, callback: Callable[..., Any], auto_ack: bool) -> Callable[..., Any]:
    def on_message(given: object, method: Any, properties: Any, body: bytes) -> Any:  # noqa: ANN401 - pika's types
        delivery = _begin(channel, queue, method, properties, auto_ack)
        with delivery.handling():
            return callback(given, method, properties, body)

    return on_message


def _generator(original: Method) -> Method:
    def consume(
        self: BlockingChannel,
        queue: str,
        auto_ack: bool = False,
        *rest: Any,  # noqa: ANN401 - passed on unread
        **named: Any,  # noqa: ANN401 - passed on unread
    ) -> Iterator[tuple[Any, Any, Any]]:
        for method, properties, body in original(self, queue, auto_ack, *rest, **named):
            if method is None:
                yield method, properties, body
                continue
            with _begin(_channel_of(self), queue, method, properties, auto_ack).handling():
                yield method, properties, body

    return consume


def _blocking_get(original: Method) -> Method:
    def basic_get(self: BlockingChannel, queue: str, auto_ack: bool = False) -> tuple[Any, Any, Any]:
        method, properties, body = original(self, queue, auto_ack)
        if method is not None:
            # Nobody can know how long the application works on a message it fetched: settlement alone ends the span.
            _begin(_channel_of(self), queue, method, properties, auto_ack).handled()
        return method, properties, body

    return basic_get


def _get(original: Method) -> Method:
    def basic_get(self: Channel, queue: str, callback: Callable[..., Any], auto_ack: bool = False) -> None:
        if not _of_blocking_channel(callback):
            callback = _handling(self, queue, callback, auto_ack)
        original(self, queue, callback, auto_ack)

    return basic_get


def _ack(original: Method) -> Method:
    def basic_ack(self: Channel, delivery_tag: int = 0, multiple: bool = False) -> None:
        original(self, delivery_tag, multiple)
        _ledger(self).settle(delivery_tag, multiple, ACK)

    return basic_ack


def _nack(original: Method) -> Method:
    def basic_nack(self: Channel, delivery_tag: int = 0, multiple: bool = False, requeue: bool = True) -> None:
        original(self, delivery_tag, multiple, requeue)
        _ledger(self).settle(delivery_tag, multiple, REQUEUE if requeue else REJECT)

    return basic_nack


def _reject(original: Method) -> Method:
    def basic_reject(self: Channel, delivery_tag: int = 0, requeue: bool = True) -> None:
        original(self, delivery_tag, requeue)
        _ledger(self).settle(delivery_tag, False, REQUEUE if requeue else REJECT)

    return basic_reject


def _begin(channel: Channel, queue: str, method: Any, properties: Any, auto_ack: bool) -> Delivery:  # noqa: ANN401
    return _ledger(channel).begin(
        Incoming(
            exchange=method.exchange or "",
            routing_key=method.routing_key or "",
            queue=queue,
            delivery_tag=method.delivery_tag,
            redelivered=bool(method.redelivered),
            message_id=properties.message_id or "",
            correlation_id=properties.correlation_id or "",
            headers=properties.headers or {},
        ),
        auto_ack,
    )


def _ledger(channel: Channel) -> Ledger:
    ledger: Ledger | None = getattr(channel, "_clew_ledger", None)
    if ledger is None:
        ledger = channel._clew_ledger = Ledger()
        channel.add_on_close_callback(lambda *_: ledger.close())
    return ledger


def _watch_returns(channel: Channel) -> None:
    if not getattr(channel, "_clew_watches_returns", False):
        channel._clew_watches_returns = True
        channel.add_on_return_callback(lambda _c, _m, properties, _b: returns.came_back(properties.message_id or ""))


def _channel_of(either: Any) -> Channel:  # noqa: ANN401 - see _publish
    return either._impl if isinstance(either, BlockingChannel) else either


def _of_blocking_channel(callback: Callable[..., Any]) -> bool:
    """Whether the callback is the blocking adapter's own, which only buffers: the application's is wrapped above it."""
    owner = getattr(callback, "__self__", None)
    return type(owner).__module__ == BLOCKING
