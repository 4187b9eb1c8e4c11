"""A queue of its own for each test on the real broker, and the spans told of it."""

import uuid
from collections.abc import Iterator

import pika
import pytest
from clew_sdk.rabbitmq import deliveries, publications
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from sdk.tests.spans import Spans


@pytest.fixture
def spans(provider: TracerProvider, exporter: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch) -> Spans:
    tracer = provider.get_tracer("clew_sdk.rabbitmq")
    monkeypatch.setattr(deliveries, "tracer", tracer)
    monkeypatch.setattr(publications, "tracer", tracer)
    return Spans(exporter)


@pytest.fixture
def queue(rabbitmq_url: str) -> Iterator[str]:
    name = f"orders-{uuid.uuid4().hex[:8]}"
    with pika.BlockingConnection(pika.URLParameters(rabbitmq_url)) as connection:
        connection.channel().queue_declare(name)
    yield name
    with pika.BlockingConnection(pika.URLParameters(rabbitmq_url)) as connection:
        connection.channel().queue_delete(name)
