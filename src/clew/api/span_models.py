"""Traces, spans and services as JSON."""

from __future__ import annotations

import math
from base64 import b64encode
from typing import Any, Literal

from pydantic import BaseModel, Field

from clew.api.times import moment, seconds
from clew.store.anyvalue import Attributes, Value
from clew.store.order_spans import TraceSummary
from clew.store.search import FoundSpan
from clew.store.services import Edge, ServiceGraph, ServiceSummary
from clew.store.spans import LogRecord, Origin, Span, Trace

_SAFE = 2**53 - 1


class Attribute(BaseModel):
    """One attribute. ``type`` tells apart what JSON can't: integers beyond 2^53 and NaN or infinities are text here,
    bytes are base64, and a masked value is text whatever was sent."""

    key: str
    type: Literal["string", "bool", "int", "double", "array", "kvlist", "bytes", "unset"]
    value: Any = Field(examples=["4711"])


class SpanEventModel(BaseModel):
    """Something that happened during a span."""

    name: str
    at: str
    attributes: list[Attribute]
    dropped_attributes: int


class SpanLinkModel(BaseModel):
    """Another span that a span names as related."""

    trace_id: str
    span_id: str
    trace_state: str
    attributes: list[Attribute]
    dropped_attributes: int


class SpanModel(BaseModel):
    """A span as it was received. ``parent_span_id`` is empty for a root; ``error`` is the error's type, or empty."""

    trace_id: str
    span_id: str
    parent_span_id: str
    service: str
    name: str
    kind: str
    status: str
    status_message: str
    start_at: str
    duration_s: float
    order_ids: list[str]
    user_id: str
    error: str
    retry_count: int
    timeout: bool
    attributes: list[Attribute]
    events: list[SpanEventModel]
    links: list[SpanLinkModel]
    trace_state: str
    scope: str
    origin_id: str
    dropped_attributes: int
    dropped_events: int
    dropped_links: int


class FoundSpanModel(SpanModel):
    """A span with the duration of its whole trace."""

    trace_duration_s: float


class SpanPageModel(BaseModel):
    """One page of spans, newest first; ``next`` goes into ``after`` for the next page and is null at the end."""

    items: list[FoundSpanModel]
    next: str | None


class LogModel(BaseModel):
    """A log record."""

    at: str
    observed_at: str
    trace_id: str
    span_id: str
    service: str
    severity: str
    severity_number: int
    event_name: str
    body: Any
    attributes: list[Attribute]
    order_ids: list[str]
    scope: str
    origin_id: str


class OriginModel(BaseModel):
    """Where spans and logs come from: a resource and an instrumentation scope."""

    origin_id: str
    service: str
    resource: list[Attribute]
    resource_schema_url: str
    scope_name: str
    scope_version: str
    scope: list[Attribute]
    scope_schema_url: str


class TraceModel(BaseModel):
    """A trace with all its spans by start and logs by time, the orders it names, and the traces it is linked with."""

    trace_id: str
    start_at: str
    duration_s: float
    order_ids: list[str]
    linked: list[str]
    spans: list[SpanModel]
    logs: list[LogModel]
    origins: list[OriginModel]
    complete: bool


class OrderSpansModel(BaseModel):
    """The spans of an order by start. ``shared`` maps a trace to how many orders it handles; of such a trace only the
    spans of this order and those that name none are here."""

    order_id: str
    spans: list[SpanModel]
    shared: dict[str, int]
    complete: bool


class TraceSummaryModel(BaseModel):
    """One trace of an order; ``shared_by`` is how many orders it handles; ``linked``: reached over a link."""

    trace_id: str
    start_at: str
    duration_s: float
    spans: int
    errors: int
    services: list[str]
    root_service: str
    root_name: str
    shared_by: int
    linked: bool


class ServiceModel(BaseModel):
    """A service; ``requests`` and ``p95_s`` are of its server and consumer spans."""

    service: str
    spans: int
    errors: int
    requests: int
    p95_s: float
    last_seen_at: str


class EdgeModel(BaseModel):
    """Calls from one node to another; for a taken message ``p95_s`` is its transit time."""

    caller: str
    caller_kind: str
    callee: str
    callee_kind: str
    calls: int
    errors: int
    p95_s: float


class ServiceGraphModel(BaseModel):
    """Services, and who calls whom, through which queues, and which databases."""

    since: str
    services: list[ServiceModel]
    edges: list[EdgeModel]


_TYPES: dict[type, Literal["string", "bool", "int", "double", "array", "kvlist", "bytes", "unset"]] = {
    str: "string",
    bool: "bool",
    int: "int",
    float: "double",
    list: "array",
    dict: "kvlist",
    bytes: "bytes",
    type(None): "unset",
}


def json_value(value: Value) -> Any:  # noqa: ANN401 - JSON is what it is
    """A value as JSON holds it without loss; see `Attribute`."""
    match value:
        case bool():
            return value
        case int():
            return value if abs(value) <= _SAFE else str(value)
        case float():
            return value if math.isfinite(value) else str(value)
        case bytes():
            return b64encode(value).decode()
        case list():
            return [json_value(each) for each in value]
        case dict():
            return {key: json_value(each) for key, each in value.items()}
        case _:
            return value


def attributes_model(attributes: Attributes) -> list[Attribute]:
    """Attributes in the order in which they were sent."""
    return [Attribute(key=key, type=_TYPES[type(value)], value=json_value(value)) for key, value in attributes]


def span_fields(span: Span) -> dict[str, Any]:
    """The fields of a span's model."""
    same = (
        "trace_id", "span_id", "parent_span_id", "service", "name", "kind", "status", "status_message", "user_id",
        "error", "retry_count", "timeout", "trace_state", "scope", "dropped_attributes", "dropped_events",
        "dropped_links",
    )  # fmt: skip
    return {name: getattr(span, name) for name in same} | {
        "start_at": moment(span.start_ns),
        "duration_s": seconds(span.duration_ns),
        "order_ids": list(span.order_ids),
        "origin_id": str(span.origin_id),
        "attributes": attributes_model(span.attributes),
        "events": [
            SpanEventModel(
                name=each.name,
                at=moment(each.at_ns),
                attributes=attributes_model(each.attributes),
                dropped_attributes=each.dropped,
            )
            for each in span.events
        ],
        "links": [
            SpanLinkModel(
                trace_id=each.trace_id,
                span_id=each.span_id,
                trace_state=each.trace_state,
                attributes=attributes_model(each.attributes),
                dropped_attributes=each.dropped,
            )
            for each in span.links
        ],
    }


def span_model(span: Span) -> SpanModel:
    """A span."""
    return SpanModel(**span_fields(span))


def found_model(found: FoundSpan) -> FoundSpanModel:
    """A span that a search found."""
    return FoundSpanModel(**span_fields(found.span), trace_duration_s=seconds(found.trace_duration_ns))


def log_model(record: LogRecord) -> LogModel:
    """A log record."""
    return LogModel(
        at=moment(record.at_ns),
        observed_at=moment(record.observed_ns),
        trace_id=record.trace_id,
        span_id=record.span_id,
        service=record.service,
        severity=record.severity,
        severity_number=record.severity_number,
        event_name=record.event_name,
        body=json_value(record.body),
        attributes=attributes_model(record.attributes),
        order_ids=list(record.order_ids),
        scope=record.scope,
        origin_id=str(record.origin_id),
    )


def origin_model(origin: Origin) -> OriginModel:
    """A resource and scope."""
    return OriginModel(
        origin_id=str(origin.origin_id),
        service=origin.service,
        resource=attributes_model(origin.resource),
        resource_schema_url=origin.resource_schema_url,
        scope_name=origin.scope_name,
        scope_version=origin.scope_version,
        scope=attributes_model(origin.scope),
        scope_schema_url=origin.scope_schema_url,
    )


def trace_model(trace: Trace) -> TraceModel:
    """A whole trace."""
    return TraceModel(
        trace_id=trace.trace_id,
        start_at=moment(trace.start_ns),
        duration_s=seconds(trace.duration_ns),
        order_ids=list(trace.order_ids),
        linked=list(trace.linked),
        spans=[span_model(each) for each in trace.spans],
        logs=[log_model(each) for each in trace.logs],
        origins=[origin_model(each) for each in trace.origins],
        complete=trace.complete,
    )


def trace_summary_model(summary: TraceSummary) -> TraceSummaryModel:
    """One trace of an order."""
    return TraceSummaryModel(
        trace_id=summary.trace_id,
        start_at=moment(summary.start_ns),
        duration_s=seconds(summary.duration_ns),
        spans=summary.spans,
        errors=summary.errors,
        services=list(summary.services),
        root_service=summary.root_service,
        root_name=summary.root_name,
        shared_by=summary.shared_by,
        linked=summary.linked,
    )


def graph_model(graph: ServiceGraph, since_ns: int) -> ServiceGraphModel:
    """The service graph."""
    return ServiceGraphModel(
        since=moment(since_ns),
        services=[_service_model(each) for each in graph.services],
        edges=[_edge_model(each) for each in graph.edges],
    )


def _service_model(summary: ServiceSummary) -> ServiceModel:
    return ServiceModel(
        service=summary.service,
        spans=summary.spans,
        errors=summary.errors,
        requests=summary.requests,
        p95_s=seconds(summary.p95_ns),
        last_seen_at=moment(summary.last_ns),
    )


def _edge_model(edge: Edge) -> EdgeModel:
    return EdgeModel(
        caller=edge.caller,
        caller_kind=edge.caller_kind,
        callee=edge.callee,
        callee_kind=edge.callee_kind,
        calls=edge.calls,
        errors=edge.errors,
        p95_s=seconds(edge.p95_ns),
    )
