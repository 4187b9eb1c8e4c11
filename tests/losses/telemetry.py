"""Telemetry of a process in these tests: clew-sdk, or OpenTelemetry as its own instrumentation sets it up."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager

from opentelemetry import trace

Order = Callable[[str], AbstractContextManager[object]]


def start(with_sdk: bool, client: str, service: str, endpoint: str) -> tuple[Order, Callable[[], object]]:
    """Gives the context of an order, and what ends telemetry. ``client`` is pika or aio_pika."""
    return _clew_sdk(service, endpoint) if with_sdk else _opentelemetry(client, service, endpoint)


def _clew_sdk(service: str, endpoint: str) -> tuple[Order, Callable[[], object]]:
    import clew_sdk

    sdk = clew_sdk.setup(service=service, endpoint=endpoint, outbox=f"{os.environ['WORK']}/{service}.sqlite")
    return clew_sdk.order, lambda: sdk.shutdown(20)


def _opentelemetry(client: str, service: str, endpoint: str) -> tuple[Order, Callable[[], object]]:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource({"service.name": service}))
    provider.add_span_processor(
        BatchSpanProcessor(OTLPSpanExporter(f"{endpoint}/v1/traces"), schedule_delay_millis=200)
    )
    trace.set_tracer_provider(provider)
    if client == "pika":
        from opentelemetry.instrumentation.pika import PikaInstrumentor as Instrumentor
    else:
        from opentelemetry.instrumentation.aio_pika import AioPikaInstrumentor as Instrumentor
    Instrumentor().instrument()
    return _order_in_a_span, provider.shutdown


def _order_in_a_span(order_id: str) -> AbstractContextManager[object]:
    tracer = trace.get_tracer("shop")
    return tracer.start_as_current_span("POST /orders", kind=trace.SpanKind.SERVER, attributes={"order.id": order_id})
