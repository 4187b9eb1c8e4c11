"""pika on a real broker: one span per publish, one per delivery, each saying what became of it."""

from collections.abc import Callable, Iterator
from typing import Any

import clew_sdk
import pika
import pytest
from clew_sdk.rabbitmq import end_open_spans, for_pika, instrument_pika
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import StatusCode
from pika.adapters.blocking_connection import BlockingChannel
from pika.channel import Channel
from pika.exceptions import AMQPConnectionError, UnroutableError

from sdk.tests.spans import Spans, settlements, wait_for
from tests.services.rabbitmq import RabbitMQ


@pytest.fixture(autouse=True)
def _instrumented() -> Iterator[None]:
    instrument_pika()
    yield
    end_open_spans()
    for_pika.uninstrument()


@pytest.fixture
def channel(rabbitmq_url: str) -> Iterator[BlockingChannel]:
    connection = pika.BlockingConnection(pika.URLParameters(rabbitmq_url))
    yield connection.channel()
    if connection.is_open:
        connection.close()


def consume_one(channel: BlockingChannel, queue: str, handler: Callable[..., Any], **named: Any) -> None:
    """Run the handler for one message, then stop."""

    def once(*arguments: Any) -> None:
        try:
            handler(*arguments)
        finally:
            channel.stop_consuming()

    channel.basic_consume(queue, once, **named)
    channel.start_consuming()


def test_a_message_is_one_producer_span_and_one_consumer_span_in_one_trace(channel, queue, spans: Spans) -> None:
    channel.basic_publish("", queue, b"{}")
    consume_one(channel, queue, lambda ch, method, _p, _b: ch.basic_ack(method.delivery_tag))

    [sent], [taken] = spans.published, spans.delivered
    assert taken.context.trace_id == sent.context.trace_id
    assert taken.parent.span_id == sent.context.span_id
    assert [link.context.span_id for link in taken.links] == [sent.context.span_id]
    assert sent.name == f"publish {queue}"
    assert dict(sent.attributes) == {
        "messaging.system": "rabbitmq",
        "messaging.operation.type": "send",
        "messaging.operation.name": "publish",
        "messaging.destination.name": queue,
        "messaging.rabbitmq.destination.routing_key": queue,
        "messaging.message.id": taken.attributes["messaging.message.id"],
        "clew.message.queue": queue,
    }
    assert taken.name == f"deliver {queue}"
    assert dict(taken.attributes) == {
        "messaging.system": "rabbitmq",
        "messaging.operation.type": "process",
        "messaging.operation.name": "deliver",
        "messaging.destination.name": queue,
        "messaging.rabbitmq.destination.routing_key": queue,
        "messaging.rabbitmq.message.delivery_tag": 1,
        "messaging.message.id": sent.attributes["messaging.message.id"],
        "clew.message.queue": queue,
        "clew.message.redelivered": False,
        "clew.message.settlement": "ack",
    }


def test_a_message_through_an_exchange_names_exchange_key_and_queue(channel, queue, spans: Spans) -> None:
    exchange = f"{queue}-x"
    channel.exchange_declare(exchange, "topic", auto_delete=True)
    channel.queue_bind(queue, exchange, "order.*")
    channel.basic_publish(exchange, "order.created", b"{}")
    consume_one(channel, queue, lambda *_: None, auto_ack=True)

    [sent], [taken] = spans.published, spans.delivered
    assert sent.attributes["messaging.destination.name"] == f"{exchange}:order.created"
    assert "clew.message.queue" not in sent.attributes
    assert taken.attributes["messaging.destination.name"] == f"{exchange}:order.created:{queue}"
    assert taken.attributes["clew.message.queue"] == queue


def test_the_order_travels_with_the_message(channel, queue, spans: Spans, provider: TracerProvider) -> None:
    def handle(ch: BlockingChannel, method: Any, _p: Any, _b: bytes) -> None:
        with provider.get_tracer("mes").start_as_current_span("price"):
            pass
        ch.basic_ack(method.delivery_tag)

    with clew_sdk.order("4711", path="b2c", user_id="user-20931"):
        channel.basic_publish("", queue, b"{}")
    consume_one(channel, queue, handle)

    for span in (spans.published[0], spans.delivered[0], spans.named("price")):
        assert span.attributes["order.id"] == "4711"
        assert span.attributes["order.path"] == "b2c"
        assert span.attributes["user.id"] == "…0931"
    assert spans.named("price").parent.span_id == spans.delivered[0].context.span_id


@pytest.mark.parametrize(
    ("settle", "expected"),
    [
        (lambda ch, tag: ch.basic_ack(tag), "ack"),
        (lambda ch, tag: ch.basic_ack(0, multiple=True), "ack"),
        (lambda ch, tag: ch.basic_nack(tag, requeue=True), "requeue"),
        (lambda ch, tag: ch.basic_nack(tag, requeue=False), "reject"),
        (lambda ch, tag: ch.basic_reject(tag, requeue=True), "requeue"),
        (lambda ch, tag: ch.basic_reject(tag, requeue=False), "reject"),
        (lambda ch, tag: ch.close(), "none"),
    ],
)
def test_a_delivery_says_how_it_was_settled(channel, queue, spans: Spans, settle, expected: str) -> None:
    channel.basic_publish("", queue, b"{}")
    method, _, _ = channel.basic_get(queue)
    assert spans.delivered == []

    settle(channel, method.delivery_tag)

    assert settlements(spans.delivered) == [expected]


def test_a_delivery_acknowledged_after_the_handler_ends_when_it_is_acknowledged(channel, queue, spans: Spans) -> None:
    tags: list[int] = []
    channel.basic_publish("", queue, b"{}")
    consume_one(channel, queue, lambda _c, method, _p, _b: tags.append(method.delivery_tag))
    assert spans.delivered == []

    channel.basic_ack(tags[0])

    assert settlements(spans.delivered) == ["ack"]


def test_one_ack_of_many_settles_all_up_to_it_and_no_more(channel, queue, spans: Spans) -> None:
    for _ in range(3):
        channel.basic_publish("", queue, b"{}")
    tags = [channel.basic_get(queue)[0].delivery_tag for _ in range(3)]

    channel.basic_ack(tags[1], multiple=True)
    assert [span.attributes["messaging.rabbitmq.message.delivery_tag"] for span in spans.delivered] == tags[:2]

    channel.basic_nack(tags[2], requeue=False)
    assert settlements(spans.delivered) == ["ack", "ack", "reject"]


def test_a_second_delivery_says_that_it_is_one(channel, queue, spans: Spans) -> None:
    channel.basic_publish("", queue, b"{}")
    for requeue in (True, False):
        method, _, _ = channel.basic_get(queue)
        channel.basic_nack(method.delivery_tag, requeue=requeue)

    assert [span.attributes["clew.message.redelivered"] for span in spans.delivered] == [False, True]
    [sent] = spans.published
    assert {span.parent.span_id for span in spans.delivered} == {sent.context.span_id}


def test_a_dead_lettered_message_tells_where_and_why_it_died(channel, queue, spans: Spans) -> None:
    source = f"{queue}-source"
    channel.queue_declare(
        source,
        auto_delete=True,
        arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": queue},
    )
    channel.basic_publish("", source, b"{}")
    channel.basic_reject(channel.basic_get(source)[0].delivery_tag, requeue=False)
    consume_one(channel, queue, lambda ch, method, _p, _b: ch.basic_ack(method.delivery_tag))

    last = spans.delivered[-1]
    assert last.attributes["clew.message.death.reason"] == "rejected"
    assert last.attributes["clew.message.death.queue"] == source
    assert last.attributes["clew.message.death.count"] == 1
    assert last.parent.span_id == spans.published[0].context.span_id


def test_an_exception_in_the_handler_is_on_the_span_and_still_reaches_the_caller(channel, queue, spans: Spans) -> None:
    def fail(*_: Any) -> None:
        raise ValueError("no 3D data")

    channel.basic_publish("", queue, b"{}")
    with pytest.raises(ValueError, match="no 3D data"):
        consume_one(channel, queue, fail)
    channel.close()

    [taken] = spans.delivered
    assert taken.status.status_code is StatusCode.ERROR
    assert taken.attributes["error.type"] == "ValueError"
    assert [event.name for event in taken.events] == ["exception"]
    assert settlements([taken]) == ["none"]


def test_a_consumer_loop_works_in_the_context_of_each_message(
    channel, queue, spans: Spans, provider: TracerProvider
) -> None:
    for number in ("1", "2"):
        with clew_sdk.order(number):
            channel.basic_publish("", queue, b"{}")
    for count, (method, _, _) in enumerate(channel.consume(queue), start=1):
        provider.get_tracer("mes").start_span(f"work {count}").end()
        channel.basic_ack(method.delivery_tag)
        if count == 2:
            break
    provider.get_tracer("mes").start_span("after").end()
    channel.cancel()

    assert [span.attributes["order.id"] for span in spans.delivered] == ["1", "2"]
    assert settlements(spans.delivered) == ["ack", "ack"]
    for count, taken in enumerate(spans.delivered, start=1):
        assert spans.named(f"work {count}").parent.span_id == taken.context.span_id
    assert spans.named("after").parent is None
    assert "order.id" not in spans.named("after").attributes


def test_a_pause_in_a_consumer_loop_is_no_delivery(channel, queue, spans: Spans) -> None:
    assert next(channel.consume(queue, inactivity_timeout=0.05)) == (None, None, None)
    assert spans.delivered == []


def test_an_unroutable_message_with_confirms_is_an_error_on_its_one_span(channel, queue, spans: Spans) -> None:
    channel.confirm_delivery()
    with pytest.raises(UnroutableError):
        channel.basic_publish("", f"{queue}-nobody", b"{}", mandatory=True)
    channel.basic_publish("", queue, b"{}", mandatory=True)

    lost, routed = spans.published
    assert lost.status.status_code is StatusCode.ERROR
    assert lost.attributes["error.type"] == "unroutable"
    assert routed.status.status_code is StatusCode.UNSET


def test_a_returned_message_without_confirms_is_an_error_too(channel, queue, spans: Spans) -> None:
    channel.basic_publish("", queue, b"{}", mandatory=True)
    channel.basic_publish("", f"{queue}-nobody", b"{}", mandatory=True)
    channel.connection.process_data_events(0.2)
    [lost] = spans.published
    assert lost.attributes["error.type"] == "unroutable"

    wait_for(lambda: len(spans.published) == 2)
    routed = spans.published[1]
    assert routed.status.status_code is StatusCode.UNSET
    assert routed.end_time - routed.start_time < 1_000_000_000


def test_properties_that_are_used_twice_stay_as_they_are(channel, queue, spans: Spans) -> None:
    properties = pika.BasicProperties(headers={"tenant": "gold"}, correlation_id="c-1")
    for _ in range(2):
        channel.basic_publish("", queue, b"{}", properties)

    assert (properties.message_id, properties.headers) == (None, {"tenant": "gold"})
    assert len({span.attributes["messaging.message.id"] for span in spans.published}) == 2
    assert channel.basic_get(queue, auto_ack=True)[1].headers["tenant"] == "gold"
    assert spans.delivered[0].attributes["messaging.message.conversation_id"] == "c-1"


def test_a_forwarded_message_leaves_the_order_of_its_first_sender_behind(channel, queue, spans: Spans) -> None:
    with clew_sdk.order("4711"):
        channel.basic_publish("", queue, b"{}", pika.BasicProperties(headers={"tenant": "gold"}))
    _, properties, _ = channel.basic_get(queue, auto_ack=True)
    channel.basic_publish("", queue, b"{}", properties)
    channel.basic_get(queue, auto_ack=True)

    first, second = spans.delivered
    assert first.attributes["order.id"] == "4711"
    assert "order.id" not in second.attributes
    assert second.parent.span_id == spans.published[1].context.span_id


def test_a_message_id_of_the_application_is_kept(channel, queue, spans: Spans) -> None:
    channel.basic_publish("", queue, b"{}", pika.BasicProperties(message_id="m-1"))
    assert channel.basic_get(queue, auto_ack=True)[1].message_id == "m-1"
    assert spans.published[0].attributes["messaging.message.id"] == "m-1"


def test_a_message_of_an_uninstrumented_sender_starts_a_trace(channel, queue, spans: Spans) -> None:
    for_pika.uninstrument()
    channel.basic_publish("", queue, b"{}")
    instrument_pika()
    channel.basic_get(queue, auto_ack=True)

    [taken] = spans.delivered
    assert taken.parent is None
    assert taken.links == ()


def test_a_select_connection_is_traced_in_the_same_way(rabbitmq_url: str, queue: str, spans: Spans) -> None:
    def opened(channel: Channel) -> None:
        channel.basic_consume(queue, taken)
        channel.basic_publish("", queue, b"{}")

    def taken(channel: Channel, method: Any, _p: Any, _b: bytes) -> None:
        channel.basic_ack(method.delivery_tag)
        channel.basic_publish("", f"{queue}-nobody", b"{}", mandatory=True)
        channel.add_on_return_callback(lambda *_: channel.connection.close())

    connection = pika.SelectConnection(
        pika.URLParameters(rabbitmq_url),
        on_open_callback=lambda opened_connection: opened_connection.channel(on_open_callback=opened),
        on_close_callback=lambda closed, _: closed.ioloop.stop(),
    )
    connection.ioloop.start()
    connection.ioloop.close()

    [taken_span] = spans.delivered
    assert settlements([taken_span]) == ["ack"]
    first, lost = spans.published
    assert taken_span.parent.span_id == first.context.span_id
    assert lost.attributes["error.type"] == "unroutable"


def test_a_lost_connection_leaves_a_delivery_unsettled(channel, queue, spans: Spans, rabbitmq: RabbitMQ) -> None:
    channel.basic_publish("", queue, b"{}")
    channel.basic_get(queue)
    rabbitmq.control("close_all_connections", "test")
    with pytest.raises(AMQPConnectionError):
        channel.connection.process_data_events(5)
    assert settlements(spans.delivered) == ["none"]


def test_deliveries_that_nobody_settles_are_told_at_the_end_of_the_process(channel, queue, spans: Spans) -> None:
    channel.basic_publish("", queue, b"{}")
    channel.basic_get(queue)
    end_open_spans()
    assert settlements(spans.delivered) == ["none"]
