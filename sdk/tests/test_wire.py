"""The hand-written encoding is the one protobuf reads."""

import pytest
from clew_sdk.wire import LOG_ATTRIBUTE, Envelope, any_value, batch, key_values, log_record
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from sdk.tests.backend import attributes_of, events_of

INT64 = st.integers(-(2**63), 2**63 - 1)
SCALARS = st.text() | st.booleans() | INT64 | st.floats(allow_nan=False)
VALUES = SCALARS | st.lists(SCALARS, max_size=4)
ATTRIBUTES = st.dictionaries(st.text(min_size=1), VALUES, max_size=8)
ENVELOPE = Envelope({"service.name": "shop"}, "clew_sdk", "1.0")


@given(ATTRIBUTES, ATTRIBUTES, st.integers(1, 2**63 - 1), st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1))
def test_what_is_encoded_is_what_protobuf_reads(resource, attributes, at_ns, trace_id, span_id) -> None:
    record = log_record(at_ns, "order.stage", 9, key_values(LOG_ATTRIBUTE, attributes), trace_id, span_id)
    request = ExportLogsServiceRequest.FromString(Envelope(resource, "clew_sdk", "1.0").request(record))

    [event] = events_of(request)
    assert event.attributes == attributes
    assert event.resource == resource
    assert (event.trace_id, event.span_id) == (f"{trace_id:032x}", f"{span_id:016x}")
    assert (event.name, event.severity, event.time_unix_nano) == ("order.stage", 9, at_ns)


@pytest.mark.parametrize("value", ["", False, 0, 0.0, []])
def test_empty_values_stay_different_from_no_value(value: object) -> None:
    read = AnyValue.FromString(any_value(value))
    assert read.WhichOneof("value") is not None


def test_a_record_without_a_span_has_no_ids() -> None:
    request = ExportLogsServiceRequest.FromString(ENVELOPE.request(log_record(1, "order.stage", 9, b"")))
    [event] = events_of(request)
    assert (event.trace_id, event.span_id) == ("", "")


@given(st.lists(ATTRIBUTES, min_size=1, max_size=5))
def test_joined_requests_are_one_request_with_the_records_of_all(each) -> None:
    joined = batch(
        ENVELOPE.request(log_record(1, "order.stage", 9, key_values(LOG_ATTRIBUTE, attributes))) for attributes in each
    )
    events = events_of(ExportLogsServiceRequest.FromString(joined))
    assert [event.attributes for event in events] == each
    assert all(event.resource == {"service.name": "shop"} for event in events)


def test_a_value_that_otlp_does_not_know_is_named() -> None:
    with pytest.raises(TypeError, match="can't be a object"):
        any_value(object())  # type: ignore[arg-type]


def test_the_scope_is_told() -> None:
    request = ExportLogsServiceRequest.FromString(ENVELOPE.request(log_record(1, "order.stage", 9, b"")))
    scope = request.resource_logs[0].scope_logs[0].scope
    assert (scope.name, scope.version, attributes_of(scope.attributes)) == ("clew_sdk", "1.0", {})
