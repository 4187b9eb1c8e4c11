"""One PRODUCER span per publish and one CONSUMER span per delivery, for pika and aio-pika."""

from __future__ import annotations


def instrument_all() -> None:
    """Wrap the RabbitMQ clients that are installed."""


def settle_open_deliveries() -> None:
    """End the spans of deliveries that were never settled, as ``none``."""
