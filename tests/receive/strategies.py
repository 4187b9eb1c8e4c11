"""Random OTLP requests, as odd as the protocol allows."""

import math

from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import (
    AnyValue,
    ArrayValue,
    EntityRef,
    InstrumentationScope,
    KeyValue,
    KeyValueList,
)
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
u32 = st.integers(0, (1 << 32) - 1)
u64 = st.integers(0, (1 << 64) - 1)
i32 = st.integers(-(1 << 31), (1 << 31) - 1)
i64 = st.integers(-(1 << 63), (1 << 63) - 1)
ids = st.binary(max_size=17)


def few(of):
    return st.lists(of, max_size=3)


scalars = st.one_of(
    st.builds(AnyValue),
    st.builds(AnyValue, string_value=texts),
    st.builds(AnyValue, bool_value=st.booleans()),
    st.builds(AnyValue, int_value=i64),
    st.builds(AnyValue, double_value=st.just(math.nan) | st.floats(allow_nan=False)),
    st.builds(AnyValue, bytes_value=st.binary(max_size=9)),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.builds(AnyValue, array_value=st.builds(ArrayValue, values=few(inner))),
        st.builds(
            AnyValue,
            kvlist_value=st.builds(KeyValueList, values=few(st.builds(KeyValue, key=texts, value=inner))),
        ),
    ),
    max_leaves=5,
)
attributes = few(st.builds(KeyValue, key=texts, value=st.none() | values))
entities = st.builds(EntityRef, schema_url=texts, type=texts, id_keys=few(texts), description_keys=few(texts))
resources = st.builds(Resource, attributes=attributes, dropped_attributes_count=u32, entity_refs=few(entities))
scopes = st.builds(InstrumentationScope, name=texts, version=texts, attributes=attributes, dropped_attributes_count=u32)
events = st.builds(Span.Event, time_unix_nano=u64, name=texts, attributes=attributes, dropped_attributes_count=u32)
links = st.builds(
    Span.Link,
    trace_id=ids,
    span_id=ids,
    trace_state=texts,
    attributes=attributes,
    dropped_attributes_count=u32,
    flags=u32,
)
spans = st.builds(
    Span,
    trace_id=ids,
    span_id=ids,
    trace_state=texts,
    parent_span_id=ids,
    flags=u32,
    name=texts,
    kind=i32,
    start_time_unix_nano=u64,
    end_time_unix_nano=u64,
    attributes=attributes,
    dropped_attributes_count=u32,
    events=few(events),
    dropped_events_count=u32,
    links=few(links),
    dropped_links_count=u32,
    status=st.none() | st.builds(Status, message=texts, code=i32),
)
records = st.builds(
    LogRecord,
    time_unix_nano=u64,
    observed_time_unix_nano=u64,
    severity_number=i32,
    severity_text=texts,
    body=st.none() | values,
    attributes=attributes,
    dropped_attributes_count=u32,
    flags=u32,
    trace_id=ids,
    span_id=ids,
    event_name=texts,
)
trace_scopes = st.builds(ScopeSpans, scope=st.none() | scopes, spans=st.lists(spans, max_size=2), schema_url=texts)
log_scopes = st.builds(ScopeLogs, scope=st.none() | scopes, log_records=st.lists(records, max_size=2), schema_url=texts)
trace_resources = st.one_of(
    st.builds(ResourceSpans, resource=st.none() | resources, schema_url=texts),
    st.builds(ResourceSpans, scope_spans=st.lists(trace_scopes, max_size=2)),
)
log_resources = st.one_of(
    st.builds(ResourceLogs, resource=st.none() | resources, schema_url=texts),
    st.builds(ResourceLogs, scope_logs=st.lists(log_scopes, max_size=2)),
)
trace_requests = st.builds(ExportTraceServiceRequest, resource_spans=st.lists(trace_resources, max_size=2))
log_requests = st.builds(ExportLogsServiceRequest, resource_logs=st.lists(log_resources, max_size=2))
