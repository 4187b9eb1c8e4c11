"""OTLP export requests as tests write them: short, and exact to the nanosecond."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from clew.store.contract import Batch, Signal, Store

KINDS = {"internal": 1, "server": 2, "client": 3, "producer": 4, "consumer": 5}
STATUSES = {"unset": 0, "ok": 1, "error": 2}
_tokens = itertools.count()


def hex_id(number: int, size: int = 16) -> str:
    """An id in hex that is told apart at a glance: 16 bytes for a trace, 8 for a span."""
    return (number << (size - 1) * 8 | number).to_bytes(size).hex() if number < 256 else number.to_bytes(size).hex()


def trace_hex(number: int) -> str:
    return hex_id(number, 16)


def span_hex(number: int) -> str:
    return hex_id(number, 8)


def any_value(value: Any) -> AnyValue:
    match value:
        case None:
            return AnyValue()
        case bool():
            return AnyValue(bool_value=value)
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case str():
            return AnyValue(string_value=value)
        case bytes():
            return AnyValue(bytes_value=value)
        case list() | tuple():
            wire = AnyValue()
            wire.array_value.SetInParent()
            wire.array_value.values.extend(any_value(each) for each in value)
            return wire
        case dict():
            wire = AnyValue()
            wire.kvlist_value.SetInParent()
            wire.kvlist_value.values.extend(attributes(value))
            return wire
    raise TypeError(value)


def attributes(values: Mapping[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=key, value=any_value(value)) for key, value in values.items()]


def span(
    trace: int,
    number: int,
    start_ns: int,
    *,
    lasts_ms: float = 10,
    name: str = "work",
    parent: int = 0,
    kind: str = "internal",
    status: str = "unset",
    links: list[tuple[int, int]] | None = None,
    events: list[tuple[str, int, dict[str, Any]]] | None = None,
    **attrs: Any,
) -> Span:
    """A span by small numbers; attribute names use ``__`` for a dot."""
    built = Span(
        trace_id=bytes.fromhex(trace_hex(trace)),
        span_id=bytes.fromhex(span_hex(number)),
        parent_span_id=bytes.fromhex(span_hex(parent)) if parent else b"",
        name=name,
        kind=KINDS[kind],  # type: ignore[arg-type]
        start_time_unix_nano=start_ns,
        end_time_unix_nano=start_ns + int(lasts_ms * 1_000_000),
        attributes=attributes({key.replace("__", "."): value for key, value in attrs.items()}),
    )
    built.status.code = STATUSES[status]  # type: ignore[assignment]
    for linked_trace, linked_span in links or ():
        built.links.add(trace_id=bytes.fromhex(trace_hex(linked_trace)), span_id=bytes.fromhex(span_hex(linked_span)))
    for event_name, at_ns, fields in events or ():
        built.events.add(name=event_name, time_unix_nano=at_ns, attributes=attributes(fields))
    return built


def traces(service: str, *spans: Span) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.extend(attributes({"service.name": service, "host.name": "h1"}))
    scope = resource.scope_spans.add(spans=spans).scope
    scope.name, scope.version = "tests", "1"
    return request


def stage_event(order_id: str, stage: str, at_ns: int, *, trace: int = 0, span: int = 0, **attrs: Any) -> LogRecord:
    """The log record of a milestone, or of a fact alone when ``stage`` is empty."""
    said = {"order.id": order_id} | ({"order.stage": stage} if stage else {})
    return LogRecord(
        time_unix_nano=at_ns,
        event_name="order.stage",
        trace_id=bytes.fromhex(trace_hex(trace)) if trace else b"",
        span_id=bytes.fromhex(span_hex(span)) if span else b"",
        attributes=attributes(said | {key.replace("__", "."): value for key, value in attrs.items()}),
    )


def record(body: Any, at_ns: int, *, trace: int = 0, span: int = 0, **attrs: Any) -> LogRecord:
    return LogRecord(
        time_unix_nano=at_ns,
        body=any_value(body),
        severity_number=9,  # type: ignore[arg-type]
        severity_text="INFO",
        trace_id=bytes.fromhex(trace_hex(trace)) if trace else b"",
        span_id=bytes.fromhex(span_hex(span)) if span else b"",
        attributes=attributes({key.replace("__", "."): value for key, value in attrs.items()}),
    )


def logs(service: str, *records: LogRecord) -> ExportLogsServiceRequest:
    request = ExportLogsServiceRequest()
    resource = request.resource_logs.add()
    resource.resource.attributes.extend(attributes({"service.name": service}))
    resource.scope_logs.add(log_records=records).scope.name = "tests"
    return request


def ingest(store: Store, now_ns: int, *requests: ExportTraceServiceRequest | ExportLogsServiceRequest) -> None:
    """Store the requests, each signal as one batch."""
    for signal, message in ((Signal.TRACES, ExportTraceServiceRequest), (Signal.LOGS, ExportLogsServiceRequest)):
        payloads = tuple(each.SerializeToString() for each in requests if isinstance(each, message))
        if payloads:
            store.ingest(Batch(signal, payloads, f"test-{next(_tokens)}-{now_ns}", now_ns))
