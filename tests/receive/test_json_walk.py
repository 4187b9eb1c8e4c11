import base64
import json
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from clew.model.errors import MalformedTelemetry
from clew.receive.json_walk import DEPTH_LIMIT, request_from_json
from clew.store.contract import Signal
from tests.receive.otlp import json_span, json_traces
from tests.receive.strategies import log_requests, trace_requests

SLOW = settings(
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None, max_examples=60
)
IDS = ("traceId", "spanId", "parentSpanId")


def otlp_json(message: Any) -> bytes:
    """The OTLP/JSON form of a message: proto3 JSON, but enums as integers and ids in hex."""
    return json.dumps(_hex_ids(MessageToDict(message, use_integers_for_enums=True))).encode()


def _hex_ids(value: Any) -> Any:
    if isinstance(value, list):
        return [_hex_ids(item) for item in value]
    if isinstance(value, dict):
        return {
            key: base64.b64decode(item).hex() if key in IDS and isinstance(item, str) else _hex_ids(item)
            for key, item in value.items()
        }
    return value


def walk(value: Any, signal: Signal = Signal.TRACES) -> bytes:
    return request_from_json(signal, json.dumps(value).encode())


def walked_span(**fields: Any) -> Any:
    request = ExportTraceServiceRequest.FromString(walk(json_traces(json_span(**fields))))
    return request.resource_spans[0].scope_spans[0].spans[0]


@SLOW
@given(trace_requests)
def test_traces_in_json_become_the_same_protobuf(request):
    again = ExportTraceServiceRequest.FromString(request_from_json(Signal.TRACES, otlp_json(request)))
    assert again.SerializeToString(deterministic=True) == request.SerializeToString(deterministic=True)


@SLOW
@given(log_requests)
def test_logs_in_json_become_the_same_protobuf(request):
    again = ExportLogsServiceRequest.FromString(request_from_json(Signal.LOGS, otlp_json(request)))
    assert again.SerializeToString(deterministic=True) == request.SerializeToString(deterministic=True)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["key", "value", "name", "x"]), inner),
    max_leaves=6,
)
PLACES = [
    (),
    ("resourceSpans",),
    ("resourceSpans", 0),
    ("resourceSpans", 0, "resource"),
    ("resourceSpans", 0, "resource", "attributes", 0, "value"),
    ("resourceSpans", 0, "scopeSpans", 0, "spans", 0, "traceId"),
    ("resourceSpans", 0, "scopeSpans", 0, "spans", 0, "kind"),
    ("resourceSpans", 0, "scopeSpans", 0, "spans", 0, "startTimeUnixNano"),
    ("resourceSpans", 0, "scopeSpans", 0, "spans", 0, "attributes"),
    ("resourceSpans", 0, "scopeSpans", 0, "spans", 0, "status"),
]


@given(st.sampled_from(PLACES), anything)
def test_whatever_json_says_the_answer_is_protobuf_or_malformed(place, value):
    document: Any = json_traces(json_span())
    if not place:
        document = value
    else:
        *way, last = place
        inner = document
        for step in way:
            inner = inner[step]
        inner[last] = value
    try:
        payload = walk(document)
    except MalformedTelemetry:
        return
    ExportTraceServiceRequest.FromString(payload)


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"traceId": "xyz"}, ".spans[0].traceId: expected an even number of hex digits"),
        ({"traceId": "0" * 31}, ".spans[0].traceId: expected an even number of hex digits"),
        ({"traceId": "00 11"}, ".spans[0].traceId: expected an even number of hex digits"),
        ({"spanId": 17}, ".spans[0].spanId: expected hex digits, not a number"),
        ({"name": ["a"]}, ".spans[0].name: expected a string, not an array"),
        ({"kind": "SPAN_KIND_SERVER"}, ".spans[0].kind: expected the number of an enum value, not a string"),
        ({"kind": 1 << 31}, ".spans[0].kind: 2147483648 is outside of"),
        ({"kind": True}, ".spans[0].kind: expected the number of an enum value, not a boolean"),
        ({"startTimeUnixNano": "-1"}, ".spans[0].startTimeUnixNano: -1 is outside of"),
        ({"startTimeUnixNano": "1_000"}, ".spans[0].startTimeUnixNano: expected a decimal integer"),
        ({"startTimeUnixNano": " 1"}, ".spans[0].startTimeUnixNano: expected a decimal integer"),
        ({"startTimeUnixNano": "٣"}, ".spans[0].startTimeUnixNano: expected a decimal integer"),
        ({"startTimeUnixNano": ""}, ".spans[0].startTimeUnixNano: expected a decimal integer"),
        ({"startTimeUnixNano": 1.5}, ".spans[0].startTimeUnixNano: expected an integer, not a number"),
        ({"startTimeUnixNano": "18446744073709551616"}, "is outside of"),
        ({"startTimeUnixNano": "9" * 9999}, ".spans[0].startTimeUnixNano: expected a decimal integer"),
        ({"droppedEventsCount": -1}, ".spans[0].droppedEventsCount: -1 is outside of"),
        ({"flags": {}}, ".spans[0].flags: expected an integer, not an object"),
        ({"events": {}}, ".spans[0].events: expected an array, not an object"),
        ({"events": [{}, None]}, ".spans[0].events[1]: expected an object, not null"),
        ({"links": [{"spanId": False}]}, ".spans[0].links[0].spanId: expected hex digits, not a boolean"),
        ({"status": []}, ".spans[0].status: expected an object, not an array"),
        ({"attributes": [7]}, ".spans[0].attributes[0]: expected an object, not a number"),
        ({"attributes": [{"key": 7}]}, ".spans[0].attributes[0].key: expected a string, not a number"),
        (
            {"attributes": [{"key": "k", "value": "v"}]},
            ".spans[0].attributes[0].value: expected an object, not a string",
        ),
        (
            {"attributes": [{"key": "k", "value": {"stringValue": "a", "intValue": 1}}]},
            ".spans[0].attributes[0].value.intValue: a value can't be of two kinds",
        ),
        (
            {"attributes": [{"key": "k", "value": {"intValue": True}}]},
            ".spans[0].attributes[0].value.intValue: expected an integer, not a boolean",
        ),
        (
            {"attributes": [{"key": "k", "value": {"boolValue": 1}}]},
            ".spans[0].attributes[0].value.boolValue: expected true or false, not a number",
        ),
        (
            {"attributes": [{"key": "k", "value": {"doubleValue": "inf"}}]},
            ".spans[0].attributes[0].value.doubleValue: expected a number",
        ),
        (
            {"attributes": [{"key": "k", "value": {"bytesValue": "a*b="}}]},
            ".spans[0].attributes[0].value.bytesValue: expected base64",
        ),
        (
            {"attributes": [{"key": "k", "value": {"arrayValue": {"values": [{}, {"intValue": "x"}]}}}]},
            ".attributes[0].value.arrayValue.values[1].intValue: expected a decimal integer",
        ),
    ],
)
def test_a_wrong_value_is_named_with_its_path_and_what_it_should_be(fields, place):
    with pytest.raises(MalformedTelemetry) as caught:
        walk(json_traces(json_span(**fields)))
    assert place in str(caught.value)
    assert str(caught.value).startswith("resourceSpans[0].scopeSpans[0].spans[0]")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\xff{}", id="invalid UTF-8"),
        pytest.param(b'{"resourceSpans":"\xc3\x28"}', id="invalid UTF-8 in a string"),
        pytest.param(b'{"a":"\\ud800"}', id="half a surrogate pair"),
        pytest.param(b"{", id="cut off"),
        pytest.param(b"{}{}", id="two documents"),
        pytest.param(b"[]", id="an array"),
        pytest.param(b"null", id="null"),
        pytest.param(b'{"a":NaN}', id="NaN without quotes"),
        pytest.param(b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}", id="nested without end"),
    ],
)
def test_a_body_that_is_no_json_object_is_malformed(body):
    with pytest.raises(MalformedTelemetry):
        request_from_json(Signal.TRACES, body)


@pytest.mark.parametrize("levels", [DEPTH_LIMIT, DEPTH_LIMIT + 1, 100])
def test_values_nest_as_deep_as_protobuf_parsers_read(levels):
    value: dict[str, Any] = {"intValue": 1}
    for _ in range(levels):
        value = {"kvlistValue": {"values": [{"key": "k", "value": value}]}}
    document = json_traces(json_span(attributes=[{"key": "deep", "value": value}]))
    if levels > DEPTH_LIMIT:
        with pytest.raises(MalformedTelemetry, match="nested more than"):
            walk(document)
    else:
        ExportTraceServiceRequest.FromString(walk(document))


@pytest.mark.parametrize("text", ["AAH/", "AAH_", "_-8", "_-8=", "+/8="])
def test_base64_of_either_alphabet_is_read_with_or_without_padding(text):
    span = walked_span(attributes=[{"key": "k", "value": {"bytesValue": text}}])
    padded = text + "=" * (-len(text) % 4)
    assert span.attributes[0].value.bytes_value == base64.b64decode(padded, altchars=b"-_" if "_" in text else None)


@pytest.mark.parametrize(("value", "expected"), [("1.5", 1.5), (2, 2.0), ("-3e2", -300.0), (-0.0, 0.0)])
def test_doubles_are_numbers_or_numbers_in_strings(value, expected):
    span = walked_span(attributes=[{"key": "k", "value": {"doubleValue": value}}])
    assert span.attributes[0].value.double_value == expected


def test_integers_may_be_whole_floats():
    assert walked_span(startTimeUnixNano=5e18).start_time_unix_nano == 5_000_000_000_000_000_000


def test_remembered_attributes_keep_their_kind():
    values = [{"intValue": 1}, {"boolValue": True}, {"doubleValue": 1.0}, {"stringValue": "1"}, {"intValue": "1"}]
    for _ in range(2):
        span = walked_span(attributes=[{"key": "k", "value": value} for value in values])
        kinds = [attribute.value.WhichOneof("value") for attribute in span.attributes]
        assert kinds == ["int_value", "bool_value", "double_value", "string_value", "int_value"]
