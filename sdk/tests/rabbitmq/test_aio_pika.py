"""aio-pika on a real broker: one span per publish, one per delivery, each saying what became of it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import aio_pika
import clew_sdk
import pytest
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage
from clew_sdk.rabbitmq import for_aio_pika, instrument_aio_pika
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import StatusCode

from sdk.tests.spans import Spans, settlements
from tests.services.rabbitmq import RabbitMQ


@pytest.fixture(autouse=True)
def _instrumented() -> Iterator[None]:
    instrument_aio_pika()
    yield
    for_aio_pika.uninstrument()


@pytest.fixture
async def channel(rabbitmq_url: str) -> AsyncIterator[AbstractChannel]:
    connection = await aio_pika.connect_robust(rabbitmq_url)
    yield await connection.channel()
    await connection.close()


async def send(channel: AbstractChannel, queue: str, count: int = 1) -> None:
    for _ in range(count):
        await channel.default_exchange.publish(aio_pika.Message(b"{}"), queue)


async def consume_one(
    channel: AbstractChannel, queue: str, handler: Callable[[AbstractIncomingMessage], Awaitable[None]]
) -> None:
    """Run the handler for one message, then stop."""
    done = asyncio.Event()

    async def once(message: AbstractIncomingMessage) -> None:
        try:
            await handler(message)
        finally:
            done.set()

    source = await channel.get_queue(queue)
    tag = await source.consume(once)
    await done.wait()
    await source.cancel(tag)


async def test_a_message_is_one_producer_span_and_one_consumer_span_in_one_trace(channel, queue, spans: Spans) -> None:
    with clew_sdk.order("4711"):
        await send(channel, queue)
    await consume_one(channel, queue, lambda message: message.ack())

    [sent], [taken] = spans.published, spans.delivered
    assert taken.parent.span_id == sent.context.span_id
    assert [link.context.span_id for link in taken.links] == [sent.context.span_id]
    assert sent.attributes["messaging.destination.name"] == queue
    assert sent.attributes["clew.message.queue"] == taken.attributes["clew.message.queue"] == queue
    assert sent.attributes["messaging.message.id"] == taken.attributes["messaging.message.id"]
    assert sent.attributes["order.id"] == taken.attributes["order.id"] == "4711"
    assert taken.attributes["clew.message.redelivered"] is False
    assert settlements([taken]) == ["ack"]


@pytest.mark.parametrize(
    ("settle", "expected"),
    [
        (lambda message: message.ack(), "ack"),
        (lambda message: message.nack(requeue=True), "requeue"),
        (lambda message: message.nack(requeue=False), "reject"),
        (lambda message: message.reject(requeue=True), "requeue"),
        (lambda message: message.reject(requeue=False), "reject"),
        (lambda message: message.channel.close(), "none"),
    ],
)
async def test_a_fetched_message_says_how_it_was_settled(channel, queue, spans: Spans, settle, expected: str) -> None:
    await send(channel, queue)
    message = await (await channel.get_queue(queue)).get()
    assert spans.delivered == []

    await settle(message)
    await asyncio.sleep(0)

    assert settlements(spans.delivered) == [expected]


async def test_an_empty_queue_is_no_delivery(channel, queue, spans: Spans) -> None:
    assert await (await channel.get_queue(queue)).get(fail=False) is None
    assert spans.delivered == []


async def test_a_message_without_acknowledgement_counts_as_acknowledged(channel, queue, spans: Spans) -> None:
    await send(channel, queue)
    await (await channel.get_queue(queue)).get(no_ack=True)
    assert settlements(spans.delivered) == ["ack"]


async def test_the_handlers_spans_are_children_of_the_delivery(
    channel, queue, spans: Spans, provider: TracerProvider
) -> None:
    async def handle(message: AbstractIncomingMessage) -> None:
        async with message.process():
            provider.get_tracer("mes").start_span("price").end()

    await send(channel, queue)
    await consume_one(channel, queue, handle)
    assert spans.named("price").parent.span_id == spans.delivered[0].context.span_id
    assert settlements(spans.delivered) == ["ack"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_an_error_in_the_handler_is_on_the_span_and_the_message_is_rejected(channel, queue, spans: Spans) -> None:
    async def fail(message: AbstractIncomingMessage) -> None:
        async with message.process():
            raise ValueError("no 3D data")

    await send(channel, queue)
    await consume_one(channel, queue, fail)

    [taken] = spans.delivered
    assert taken.status.status_code is StatusCode.ERROR
    assert taken.attributes["error.type"] == "ValueError"
    assert [event.name for event in taken.events] == ["exception"]
    assert settlements([taken]) == ["reject"]


async def test_a_loop_over_a_queue_works_in_the_context_of_each_message(
    channel, queue, spans: Spans, provider: TracerProvider
) -> None:
    tracer = provider.get_tracer("mes")
    await send(channel, queue, 3)
    count = 0
    async with (await channel.get_queue(queue)).iterator() as messages:
        async for message in messages:
            count += 1
            tracer.start_span(f"work {count}").end()
            await message.ack()
            if count == 2:
                break
    tracer.start_span("after").end()

    assert settlements(spans.delivered) == ["ack", "ack"]
    for number, taken in enumerate(spans.delivered, start=1):
        assert spans.named(f"work {number}").parent.span_id == taken.context.span_id
    assert spans.named("after").parent is None


async def test_an_error_in_a_loop_is_on_the_span_of_its_message(channel, queue, spans: Spans) -> None:
    await send(channel, queue)

    async def loop() -> None:
        async with (await channel.get_queue(queue)).iterator() as messages:
            async for message in messages:
                async with message.process():
                    raise ValueError("no 3D data")

    with pytest.raises(ValueError, match="no 3D data"):
        await loop()

    [taken] = spans.delivered
    assert taken.attributes["error.type"] == "ValueError"
    assert settlements([taken]) == ["reject"]


async def test_a_second_delivery_says_that_it_is_one(channel, queue, spans: Spans) -> None:
    await send(channel, queue)
    source = await channel.get_queue(queue)
    for requeue in (True, False):
        await (await source.get()).nack(requeue=requeue)
    assert [span.attributes["clew.message.redelivered"] for span in spans.delivered] == [False, True]


async def test_a_dead_lettered_message_tells_where_and_why_it_died(channel, queue, spans: Spans) -> None:
    source = await channel.declare_queue(
        f"{queue}-source",
        auto_delete=True,
        arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": queue},
    )
    await send(channel, source.name)
    await (await source.get()).reject()
    await consume_one(channel, queue, lambda message: message.ack())
    await source.delete()

    last = spans.delivered[-1]
    assert last.attributes["clew.message.death.reason"] == "rejected"
    assert last.attributes["clew.message.death.queue"] == source.name
    assert last.attributes["clew.message.death.count"] == 1


async def test_an_unroutable_message_is_an_error_on_its_one_span(channel, queue, spans: Spans) -> None:
    await channel.default_exchange.publish(aio_pika.Message(b"{}"), f"{queue}-nobody")
    await channel.default_exchange.publish(aio_pika.Message(b"{}"), queue)
    lost, routed = spans.published
    assert lost.attributes["error.type"] == "unroutable"
    assert lost.status.status_code is StatusCode.ERROR
    assert routed.status.status_code is StatusCode.UNSET


async def test_an_unroutable_message_that_raises_is_the_same(rabbitmq_url: str, queue, spans: Spans) -> None:
    async with await aio_pika.connect(rabbitmq_url) as connection:
        channel = await connection.channel(on_return_raises=True)
        with pytest.raises(aio_pika.exceptions.PublishError):
            await channel.default_exchange.publish(aio_pika.Message(b"{}"), f"{queue}-nobody")
    [lost] = spans.published
    assert lost.attributes["error.type"] == "unroutable"


async def test_a_message_that_is_sent_twice_stays_as_it_is(channel, queue, spans: Spans) -> None:
    message = aio_pika.Message(b"{}", headers={"tenant": "gold"})
    for _ in range(2):
        await channel.default_exchange.publish(message, queue)
    assert (message.message_id, message.headers) == (None, {"tenant": "gold"})
    assert len({span.attributes["messaging.message.id"] for span in spans.published}) == 2


async def test_the_consumer_of_a_reconnected_channel_is_traced_once(channel, queue, spans: Spans) -> None:
    taken: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
    await (await channel.get_queue(queue)).consume(taken.put)
    await channel.reopen()
    await send(channel, queue)
    await (await taken.get()).ack()
    await asyncio.sleep(0)
    assert settlements(spans.delivered) == ["ack"]


async def test_a_lost_connection_leaves_a_delivery_unsettled_and_the_next_says_redelivered(
    channel, queue, spans: Spans, rabbitmq: RabbitMQ
) -> None:
    taken: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
    await (await channel.get_queue(queue)).consume(taken.put)
    await send(channel, queue)
    await taken.get()
    await asyncio.to_thread(rabbitmq.control, "close_all_connections", "test")
    await (await taken.get()).ack()
    await asyncio.sleep(0)
    assert settlements(spans.delivered) == ["none", "ack"]
    assert [span.attributes["clew.message.redelivered"] for span in spans.delivered] == [False, True]
