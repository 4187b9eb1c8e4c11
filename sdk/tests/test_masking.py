"""Personal data is shown by its last four characters only."""

import pytest
from clew_sdk.masking import mask, masked_span
from clew_sdk.tracing import MaskingExporter
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, SpanContext, TraceFlags

KEYS = frozenset({"user.id"})


@pytest.mark.parametrize(
    ("value", "shown"),
    [("user-20931", "…0931"), ("20931", "…0931"), ("4711", "…"), ("7", "…"), ("", "…"), ("…0931", "…0931"), ("…", "…")],
)
def test_a_value_is_shown_by_its_last_four_characters(value: str, shown: str) -> None:
    assert mask(value) == shown


@given(st.text())
def test_masking_twice_is_masking_once(value: str) -> None:
    assert mask(mask(value)) == mask(value)


@pytest.fixture
def seen() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracing(seen: InMemorySpanExporter):
    provider = TracerProvider(span_limits=SpanLimits(max_attributes=2), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(MaskingExporter(seen, KEYS)))
    yield provider
    provider.shutdown()


def test_spans_events_and_links_leave_masked_and_otherwise_whole(tracing, seen: InMemorySpanExporter) -> None:
    other = SpanContext(1, 2, True, TraceFlags(1))
    said = {"user.id": "user-20931", "b": 2}
    with tracing.get_tracer("shop").start_as_current_span("work", links=[Link(other, said)]) as span:
        span.set_attributes({"a": 1, **said})
        span.add_event("clicked", said, timestamp=7)

    [told] = seen.get_finished_spans()
    assert dict(told.attributes) == {"user.id": "…0931", "b": 2}
    assert told.dropped_attributes == 1
    assert [(event.name, dict(event.attributes), event.timestamp) for event in told.events] == [
        ("clicked", {"user.id": "…0931", "b": 2}, 7)
    ]
    assert [(link.context, dict(link.attributes)) for link in told.links] == [(other, {"user.id": "…0931", "b": 2})]
    assert (told.context, told.start_time, told.end_time) == (span.context, span.start_time, span.end_time)
    assert told.instrumentation_scope.name == "shop"


def test_a_span_without_masked_keys_is_passed_on_as_it_is(tracing) -> None:
    with tracing.get_tracer("shop").start_as_current_span("work", attributes={"a": 1}) as span:
        pass
    assert masked_span(span, KEYS) is span
