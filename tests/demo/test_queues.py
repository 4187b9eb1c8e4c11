"""The services' messages: routed, settled by what the handler does, and consumed again after the broker was away."""

import json
import queue
import time
from contextlib import closing, contextmanager

import pytest
from clew_demo import queues
from pika.exceptions import UnroutableError


@contextmanager
def consuming(url, route, handle):
    consumer = queues.Consumer(url, route, handle)
    consumer.start()
    try:
        yield
    finally:
        consumer.stop()


def waiting(url, name):
    """How many messages wait in a queue."""
    with closing(queues.connect(url)) as connection:
        return connection.channel().queue_declare(name, passive=True).method.message_count


@pytest.fixture
def url(broker_url):
    queues.declare(broker_url)
    return broker_url


@pytest.mark.parametrize("route", queues.ROUTES, ids=lambda route: route.queue)
def test_what_is_published_on_a_route_reaches_its_consumer_once(url, route):
    taken = queue.Queue()
    with consuming(url, route, taken.put):
        queues.publish(url, route, {"order_id": "B2C-1"})
        assert taken.get(timeout=5) == {"order_id": "B2C-1"}
    assert taken.empty()
    assert waiting(url, route.queue) == 0


def test_publishing_where_nothing_is_bound_is_an_error(url):
    with pytest.raises(UnroutableError):
        queues.publish(url, queues.Route("shop", "order.unknown", "nowhere"), {})


def test_an_unreadable_message_ends_among_the_dead_letters(url):
    def refuse(message):
        raise queues.Unreadable("no such metal")

    dead = queue.Queue()
    with consuming(url, queues.SUBMITTED, refuse), consuming(url, queues.DEAD, dead.put):
        queues.publish(url, queues.SUBMITTED, {"order_id": "B2C-1"})
        assert dead.get(timeout=5) == {"order_id": "B2C-1"}


def test_a_message_whose_handler_fails_is_tried_once_more_and_then_buried(url):
    tried, dead = [], queue.Queue()

    def fail(message):
        tried.append(message)
        raise ZeroDivisionError

    with consuming(url, queues.SUBMITTED, fail), consuming(url, queues.DEAD, dead.put):
        queues.publish(url, queues.SUBMITTED, {"order_id": "B2C-1"})
        dead.get(timeout=5)
    assert len(tried) == 2


def test_a_stopped_consumer_leaves_messages_in_the_queue(url):
    with consuming(url, queues.APPROVED, lambda message: None):
        pass
    queues.publish(url, queues.APPROVED, {"order_id": "B2C-1"})
    assert waiting(url, queues.APPROVED.queue) == 1


def test_a_consumer_begins_as_soon_as_the_broker_can_be_reached(url, monkeypatch):
    monkeypatch.setattr(queues, "RECONNECT_S", 0.05)
    real, failures = queues.connect, iter([OSError("down"), OSError("down")])

    def connect(address):
        for failure in failures:
            raise failure
        return real(address)

    monkeypatch.setattr(queues, "connect", connect)
    taken = queue.Queue()
    with consuming(url, queues.APPROVED, taken.put):
        deadline = time.monotonic() + 5
        while next(failures, None) is not None and time.monotonic() < deadline:
            time.sleep(0.05)
        queues.publish(url, queues.APPROVED, {"order_id": "B2C-1"})
        assert json.dumps(taken.get(timeout=5)) == '{"order_id": "B2C-1"}'
