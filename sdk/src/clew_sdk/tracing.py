"""The tracer provider: the plain SDK, plus the order's attributes on each span and masking on export."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence

from opentelemetry import propagate, trace
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Sampler, SamplingResult
from opentelemetry.trace import Link, SpanKind, TraceState
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import Attributes

from clew_sdk.context import current_order
from clew_sdk.masking import masked_span
from clew_sdk.settings import Settings

logger = logging.getLogger("clew_sdk")


class OrderSampler(Sampler):
    """Samples like the one behind it, and gives each span the attributes of the order at work.

    A sampler's attributes are there from the start, which costs a span less than setting them later.
    """

    def __init__(self, sampler: Sampler) -> None:
        self._sampler = sampler

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """The decision of the sampler behind; what the span says itself of the order wins."""
        order = current_order(parent_context)
        if order is not None:
            attributes = {**order.span_attributes, **attributes} if attributes else order.span_attributes
        return self._sampler.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)

    def get_description(self) -> str:
        """The name of the sampler behind."""
        return self._sampler.get_description()


class OrderAttributes(SpanProcessor):
    """The same for a tracer provider that isn't ours, whose sampler is not to be touched."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Set the order's attributes, unless the span already says otherwise."""
        order = current_order(parent_context)
        if order is None:
            return
        said = span.attributes or {}
        span.set_attributes({key: value for key, value in order.span_attributes.items() if key not in said})


class MaskingExporter(SpanExporter):
    """Masks attributes in the export thread, where it costs the request nothing."""

    def __init__(self, exporter: SpanExporter, keys: frozenset[str]) -> None:
        self._exporter = exporter
        self._keys = keys

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export the spans with the values of the masked keys shortened."""
        return self._exporter.export([masked_span(span, self._keys) for span in spans])

    def shutdown(self) -> None:
        """Close the exporter behind."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Nothing is held here."""
        return self._exporter.force_flush(timeout_millis)


def install_tracing(settings: Settings) -> TracerProvider:
    """Make and register the process's tracer provider and propagators.

    When the application already registered an SDK provider, that one is kept with its exporters, and only the order's
    attributes are added to its spans.
    """
    if not os.environ.get("OTEL_PROPAGATORS"):
        propagate.set_global_textmap(CompositePropagator([TraceContextTextMapPropagator(), W3CBaggagePropagator()]))
    existing = trace.get_tracer_provider()
    if isinstance(existing, TracerProvider):
        logger.warning(
            "a tracer provider is already set: clew-sdk adds the order's attributes and leaves its exporters"
        )
        existing.add_span_processor(OrderAttributes())
        return existing
    provider = TracerProvider(
        sampler=OrderSampler(_sampler()),
        resource=Resource.create({SERVICE_NAME: settings.service} if settings.service else {}),
        shutdown_on_exit=False,
    )
    if os.environ.get("OTEL_TRACES_EXPORTER", "").strip().lower() != "none":
        provider.add_span_processor(BatchSpanProcessor(_exporter(settings)))
    trace.set_tracer_provider(provider)
    return provider


def _sampler() -> Sampler:
    # A caller's "not sampled" flag must not erase an order's spans, hence not the SDK's parent-based default.
    chosen = os.environ.get("OTEL_TRACES_SAMPLER")
    return TracerProvider(shutdown_on_exit=False).sampler if chosen else ALWAYS_ON


def _exporter(settings: Settings) -> SpanExporter:
    exporter = OTLPSpanExporter(settings.traces_url, headers=dict(settings.headers) or None)
    return MaskingExporter(exporter, settings.mask) if settings.mask else exporter
