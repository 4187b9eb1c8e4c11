"""The stand-in broker keeps the promises of RabbitMQ that the demo relies on; pika is the client."""

from contextlib import closing

import pika
import pytest
from clew_demo.broker.routing import Message, Router
from pika.exceptions import ConnectionClosedByBroker, UnroutableError


@pytest.fixture
def channel(broker_url):
    connection = pika.BlockingConnection(pika.URLParameters(broker_url))
    channel = connection.channel()
    channel.confirm_delivery()
    channel.exchange_declare("shop", "direct", durable=True)
    channel.queue_declare(
        "orders",
        durable=True,
        arguments={"x-dead-letter-exchange": "dead", "x-dead-letter-routing-key": "order.dead"},
    )
    channel.queue_bind("orders", "shop", "order.submitted")
    channel.queue_declare("morgue")
    channel.queue_bind("morgue", "dead", "order.dead")
    yield channel
    if connection.is_open:
        connection.close()


def publish(channel, body=b"4711", key="order.submitted", **properties):
    channel.basic_publish("shop", key, body, pika.BasicProperties(**properties), mandatory=True)


def take(channel, queue="orders"):
    """The next message as (method, properties, body), unsettled."""
    return next(channel.consume(queue, inactivity_timeout=5))


def test_a_message_arrives_with_its_body_and_headers(channel):
    publish(channel, b"x" * 300_000, headers={"traceparent": "00-1"}, message_id="m1")
    method, properties, body = take(channel)
    assert (method.exchange, method.routing_key, method.redelivered) == ("shop", "order.submitted", False)
    assert (properties.headers, properties.message_id, body) == ({"traceparent": "00-1"}, "m1", b"x" * 300_000)


def test_an_empty_message_arrives(channel):
    publish(channel, b"")
    assert take(channel)[2] == b""


def test_a_mandatory_message_without_a_queue_comes_back(channel):
    with pytest.raises(UnroutableError):
        publish(channel, key="order.unknown")


def test_an_unbound_queue_gets_nothing_until_it_is_bound_again(channel):
    channel.queue_unbind("orders", "shop", "order.submitted")
    with pytest.raises(UnroutableError):
        publish(channel)
    channel.queue_bind("orders", "shop", "order.submitted")
    publish(channel, b"second")
    assert take(channel)[2] == b"second"


def test_a_rejected_message_goes_to_the_dead_letter_queue_with_its_cause(channel):
    publish(channel, headers={"traceparent": "00-1"})
    channel.basic_reject(take(channel)[0].delivery_tag, requeue=False)
    channel.cancel()
    method, properties, body = take(channel, "morgue")
    death = properties.headers["x-death"][0]
    assert (body, method.exchange, properties.headers["traceparent"]) == (b"4711", "dead", "00-1")
    assert (death["queue"], death["reason"], death["count"]) == ("orders", "rejected", 1)


def test_a_requeued_message_comes_again_marked_as_redelivered(channel):
    publish(channel)
    channel.basic_nack(take(channel)[0].delivery_tag, requeue=True)
    assert take(channel)[0].redelivered is True


def test_an_unsettled_message_of_a_lost_connection_comes_again_to_another_consumer(channel, broker_url):
    publish(channel)
    with closing(pika.BlockingConnection(pika.URLParameters(broker_url))) as other:
        take(other.channel())
    assert take(channel)[0].redelivered is True


def test_prefetch_limits_what_is_unsettled_and_consumers_share_the_rest(channel, broker_url):
    channel.basic_qos(prefetch_count=1)
    for number in range(3):
        publish(channel, str(number).encode())
    first = take(channel)
    with closing(pika.BlockingConnection(pika.URLParameters(broker_url))) as other:
        greedy = other.channel()
        assert [take(greedy)[2], take(greedy)[2]] == [b"1", b"2"]
        assert first[2] == b"0"


def test_what_the_stand_in_does_not_serve_closes_the_connection_with_the_name_of_it(channel):
    with pytest.raises(ConnectionClosedByBroker, match=r"NOT_IMPLEMENTED - Queue\.Purge"):
        channel.queue_purge("orders")


def test_a_second_death_in_the_same_queue_counts_up():
    router = Router()
    queue = router.declare("orders", {"x-dead-letter-exchange": "dead"})
    morgue = router.declare("morgue")
    router.bind("dead", "k", "morgue")
    router.refuse(queue, Message("shop", "k", b""))
    router.refuse(queue, morgue.ready.pop())
    assert [death["count"] for death in morgue.ready[0].headers["x-death"]] == [2]


def test_a_refused_message_of_a_queue_without_dead_letter_exchange_is_dropped():
    router = Router()
    assert router.refuse(router.declare("orders"), Message("shop", "k", b"")) == []
