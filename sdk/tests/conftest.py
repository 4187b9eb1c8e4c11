"""Spans of one test, seen through a provider of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from clew_sdk.context import trust
from clew_sdk.tracing import OrderSampler
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

from sdk.tests.backend import Backend
from sdk.tests.fresh import Handles


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def provider(exporter: InMemorySpanExporter) -> Iterator[TracerProvider]:
    provider = TracerProvider(
        OrderSampler(ALWAYS_ON), resource=Resource({"service.name": "shop"}), shutdown_on_exit=False
    )
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    yield provider
    provider.shutdown()


@pytest.fixture
def backend() -> Iterator[Backend]:
    with Backend() as backend:
        yield backend


@pytest.fixture
def handles(monkeypatch: pytest.MonkeyPatch, provider: TracerProvider) -> Iterator[Handles]:
    monkeypatch.setattr(trust, "baggage", trust.baggage)
    monkeypatch.setattr(trust, "mask", trust.mask)
    handles = Handles(monkeypatch, provider)
    yield handles
    handles.end()


@pytest.fixture
def outbox(tmp_path: Path) -> Path:
    return tmp_path / "shop-outbox.sqlite"
