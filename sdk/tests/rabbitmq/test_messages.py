"""What spans say of messages, without a broker."""

import logging
import sys
import types

import pytest
from clew_sdk.rabbitmq import for_pika, instrument_pika
from clew_sdk.rabbitmq.deliveries import Ledger, abandon_all
from clew_sdk.rabbitmq.messages import (
    Incoming,
    carrier,
    consumer_attributes,
    consumer_destination,
    producer_destination,
)

from sdk.tests.spans import Spans, settlements


@pytest.mark.parametrize(
    ("exchange", "key", "destination"),
    [("shop", "order.new", "shop:order.new"), ("shop", "", "shop"), ("", "orders", "orders"), ("", "", "amq.default")],
)
def test_a_producers_destination_is_exchange_and_key(exchange: str, key: str, destination: str) -> None:
    assert producer_destination(exchange, key) == destination


@pytest.mark.parametrize(
    ("exchange", "key", "queue", "destination"),
    [
        ("shop", "order.new", "mes", "shop:order.new:mes"),
        ("shop", "", "mes", "shop:mes"),
        ("shop", "mes", "mes", "shop:mes:mes"),
        ("", "orders", "orders", "orders"),
        ("", "", "", "amq.default"),
    ],
)
def test_a_consumers_destination_names_the_queue_too(exchange: str, key: str, queue: str, destination: str) -> None:
    assert consumer_destination(Incoming(exchange, key, queue, 1, False)) == destination


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({}, {}),
        ({"x-death": []}, {}),
        ({"x-death": "odd"}, {}),
        ({"x-delivery-count": 2}, {"retry.count": 2}),
        (
            {"x-death": [{"reason": b"expired", "queue": "wait", "count": 3}, {"reason": "rejected", "queue": "mes"}]},
            {
                "clew.message.death.reason": "expired",
                "clew.message.death.queue": "wait",
                "clew.message.death.count": 3,
            },
        ),
    ],
)
def test_the_latest_death_is_told(headers: dict[str, object], told: dict[str, object]) -> None:
    attributes = consumer_attributes(Incoming("", "", "", 1, False, headers=headers))
    assert {key: value for key, value in attributes.items() if "death" in key or key == "retry.count"} == told


def test_only_text_can_carry_context() -> None:
    assert carrier({"traceparent": b"00-", "n": 1, "t": "x", "table": {}}) == {"traceparent": "00-", "t": "x"}


@pytest.mark.parametrize(
    ("steps", "settled"),
    [
        (["handled", "ack"], ["ack"]),
        (["ack", "handled"], ["ack"]),
        (["ack"], []),
        (["handled"], []),
        (["close", "handled"], ["none"]),
        (["ack", "close", "handled"], ["ack"]),
        (["handled", "ack", "ack", "close"], ["ack"]),
        (["abandon"], ["none"]),
        (["handled", "abandon", "handled"], ["none"]),
        (["ack", "abandon", "handled"], ["ack"]),
    ],
)
def test_a_span_ends_once_when_it_is_handled_and_settled(spans: Spans, steps: list[str], settled: list[str]) -> None:
    ledger = Ledger()
    delivery = ledger.begin(Incoming("", "mes", "mes", 1, False), auto_ack=False)
    actions = {
        "handled": delivery.handled,
        "ack": lambda: ledger.settle(1, False, "ack"),
        "close": ledger.close,
        "abandon": abandon_all,
    }
    for step in steps:
        actions[step]()
    assert settlements(spans.delivered) == settled


def test_another_instrumentation_of_the_same_client_is_switched_off(monkeypatch, caplog) -> None:
    class PikaInstrumentor:
        is_instrumented_by_opentelemetry = True

        def uninstrument(self) -> None:
            type(self).is_instrumented_by_opentelemetry = False

    contrib = types.ModuleType("opentelemetry.instrumentation.pika")
    contrib.PikaInstrumentor = PikaInstrumentor  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, contrib.__name__, contrib)
    with caplog.at_level(logging.WARNING):
        instrument_pika()
        for_pika.uninstrument()
    assert PikaInstrumentor.is_instrumented_by_opentelemetry is False
    assert "PikaInstrumentor was active and is switched off" in caplog.text
