"""aio-pika, and aiormq under it.

Publishing and settling are watched on aiormq's channel, where each message has properties of its own and every way of
acknowledging ends; consuming where aio-pika hands a message to the application.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

import aiormq
from aio_pika.abc import AbstractIncomingMessage
from aio_pika.message import IncomingMessage, ProcessContext
from aio_pika.queue import Queue, QueueIterator
from aio_pika.robust_queue import RobustQueueIterator
from aiormq.abc import DeliveredMessage
from aiormq.channel import Channel
from aiormq.exceptions import ChannelInvalidStateError, DeliveryError, PublishError
from opentelemetry.context import Context

from clew_sdk.rabbitmq.deliveries import Delivery, Ledger
from clew_sdk.rabbitmq.messages import ACK, REJECT, REQUEUE, Incoming
from clew_sdk.rabbitmq.patching import Method, Patches, step_aside
from clew_sdk.rabbitmq.publications import NACK, UNROUTABLE, publishing

_patches = Patches()


def instrument() -> None:
    """Wrap aio-pika; a second call changes nothing."""
    if _patches:
        return
    step_aside("aio_pika", "AioPikaInstrumentor")
    _patches.replace(Channel, "basic_publish", _publish)
    _patches.replace(Channel, "basic_ack", _ack)
    _patches.replace(Channel, "basic_nack", _nack)
    _patches.replace(Channel, "basic_reject", _reject)
    _patches.replace(Queue, "consume", _consume)
    _patches.replace(Queue, "get", _get)
    for iterator in (QueueIterator, RobustQueueIterator):  # the robust one doesn't call the other's
        _patches.replace(iterator, "__anext__", _next)
    _patches.replace(QueueIterator, "close", _close)
    _patches.replace(ProcessContext, "__aexit__", _leave_process)


def uninstrument() -> None:
    """Put aio-pika back as it was."""
    _patches.undo()


def _publish(original: Method) -> Method:
    async def basic_publish(
        self: Channel,
        body: bytes,
        *,
        exchange: str = "",
        routing_key: str = "",
        properties: aiormq.spec.Basic.Properties | None = None,
        **named: Any,  # noqa: ANN401 - passed on unread
    ) -> Any:  # noqa: ANN401 - the original's
        own = properties or aiormq.spec.Basic.Properties(delivery_mode=1)
        with publishing(
            exchange, routing_key, own.message_id or "", own.correlation_id or "", own.headers
        ) as publication:
            own.message_id, own.headers = publication.message_id, publication.headers
            try:
                answer = await original(self, body, exchange=exchange, routing_key=routing_key, properties=own, **named)
            except PublishError as error:
                publication.failed(UNROUTABLE, str(error))
                raise
            except DeliveryError as error:
                publication.failed(NACK, str(error))
                raise
            if isinstance(answer, DeliveredMessage):
                publication.failed(UNROUTABLE)
            return answer

    return basic_publish


def _ack(original: Method) -> Method:
    async def basic_ack(self: Channel, delivery_tag: int, multiple: bool = False, wait: bool = True) -> None:
        await original(self, delivery_tag, multiple, wait)
        _ledger(self).settle(delivery_tag, multiple, ACK)

    return basic_ack


def _nack(original: Method) -> Method:
    async def basic_nack(
        self: Channel, delivery_tag: int, multiple: bool = False, requeue: bool = True, wait: bool = True
    ) -> None:
        await original(self, delivery_tag, multiple, requeue, wait)
        _ledger(self).settle(delivery_tag, multiple, REQUEUE if requeue else REJECT)

    return basic_nack


def _reject(original: Method) -> Method:
    async def basic_reject(self: Channel, delivery_tag: int, *, requeue: bool = True, wait: bool = True) -> None:
        await original(self, delivery_tag, requeue=requeue, wait=wait)
        _ledger(self).settle(delivery_tag, False, REQUEUE if requeue else REJECT)

    return basic_reject


def _consume(original: Method) -> Method:
    async def consume(
        self: Queue,
        callback: Callable[[AbstractIncomingMessage], Awaitable[Any]],
        no_ack: bool = False,
        *rest: Any,  # noqa: ANN401 - passed on unread
        **named: Any,  # noqa: ANN401 - passed on unread
    ) -> Any:  # noqa: ANN401 - the original's
        owner: Any = getattr(callback, "__self__", None)
        if isinstance(owner, QueueIterator):
            # The iterator buffers: a delivery begins when the loop takes the message out.
            vars(owner).update(_clew_queue=self.name, _clew_no_ack=no_ack)
        else:
            callback = _handling(self.name, callback, no_ack)
        return await original(self, callback, no_ack, *rest, **named)

    return consume


def _handling(
    queue: str, callback: Callable[[AbstractIncomingMessage], Any], no_ack: bool
) -> Callable[[AbstractIncomingMessage], Awaitable[Any]]:
    async def on_message(message: AbstractIncomingMessage) -> Any:  # noqa: ANN401 - the callback's
        delivery = _begin(message, queue, no_ack)
        if delivery is None:
            return await _result(callback(message))
        with delivery.handling():
            return await _result(callback(message))

    return on_message


async def _result(value: Any) -> Any:  # noqa: ANN401 - the callback's
    return await value if inspect.isawaitable(value) else value


def _get(original: Method) -> Method:
    async def get(self: Queue, *, no_ack: bool = False, **named: Any) -> IncomingMessage | None:  # noqa: ANN401
        message: IncomingMessage | None = await original(self, no_ack=no_ack, **named)
        if message is not None:
            delivery = _begin(message, self.name, no_ack)
            if delivery is not None:
                # Nobody can know how long the application works on it: settlement alone ends the span.
                delivery.handled()
        return message

    return get


def _next(original: Method) -> Method:
    async def __anext__(self: Any) -> IncomingMessage:  # noqa: ANN401 - an iterator with attributes of ours
        _leave_previous(self)
        message: IncomingMessage = await original(self)
        delivery = _begin(message, getattr(self, "_clew_queue", ""), getattr(self, "_clew_no_ack", False))
        if delivery is not None:
            self._clew_current = (delivery, delivery.enter())
        return message

    return __anext__


def _close(original: Method) -> Method:
    async def close(self: Any) -> None:  # noqa: ANN401 - see _next
        _leave_previous(self)
        await original(self)

    return close


def _leave_previous(iterator: Any) -> None:  # noqa: ANN401 - see _next
    current: tuple[Delivery, Context] | None = getattr(iterator, "_clew_current", None)
    if current is not None:
        iterator._clew_current = None
        delivery, before = current
        delivery.leave(before)


def _leave_process(original: Method) -> Method:
    async def __aexit__(self: ProcessContext, kind: Any, error: BaseException | None, trace: Any) -> None:  # noqa: ANN401
        # In a loop over an iterator this is the only place where an error in the work on a message can be seen.
        if error is not None:
            _failed(self.message, error)
        await original(self, kind, error, trace)

    return __aexit__


def _failed(message: Any, error: BaseException) -> None:  # noqa: ANN401 - aio-pika's abstract message hides its channel
    try:
        delivery = _ledger(message.channel).unsettled(message.delivery_tag)
    except ChannelInvalidStateError:
        return  # told already, as a delivery that was never settled
    if delivery is not None:
        delivery.failed(error)


def _begin(message: Any, queue: str, no_ack: bool) -> Delivery | None:  # noqa: ANN401 - see _failed
    try:
        channel = message.channel
    except ChannelInvalidStateError:
        return None  # closed while the message waited in the client: the broker will deliver it again
    return _ledger(channel).begin(
        Incoming(
            exchange=message.exchange or "",
            routing_key=message.routing_key or "",
            queue=queue,
            delivery_tag=message.delivery_tag or 0,
            redelivered=bool(message.redelivered),
            message_id=message.message_id or "",
            correlation_id=message.correlation_id or "",
            headers=message.headers or {},
        ),
        no_ack,
    )


def _ledger(channel: Any) -> Ledger:  # noqa: ANN401 - aiormq's channel, open for an attribute of ours
    ledger: Ledger | None = getattr(channel, "_clew_ledger", None)
    if ledger is None:
        ledger = channel._clew_ledger = Ledger()
        channel.closing.add_done_callback(lambda _: ledger.close())
    return ledger
