"""Finished spans, asked for by what a test is about."""

import time
from collections.abc import Callable, Sequence

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind


class Spans:
    """The finished spans of a test, by kind, in the order they ended."""

    def __init__(self, exporter: InMemorySpanExporter) -> None:
        self._exporter = exporter

    def of(self, kind: SpanKind) -> list[ReadableSpan]:
        return [span for span in self._exporter.get_finished_spans() if span.kind is kind]

    @property
    def published(self) -> list[ReadableSpan]:
        return self.of(SpanKind.PRODUCER)

    @property
    def delivered(self) -> list[ReadableSpan]:
        return self.of(SpanKind.CONSUMER)

    def named(self, name: str) -> ReadableSpan:
        [span] = [span for span in self._exporter.get_finished_spans() if span.name == name]
        return span


def settlements(spans: Sequence[ReadableSpan]) -> list[object]:
    return [span.attributes["clew.message.settlement"] for span in spans]


def wait_for(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Return when the condition holds; fail when it doesn't in time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
