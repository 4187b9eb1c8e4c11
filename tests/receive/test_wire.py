import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clew.model.errors import MalformedTelemetry
from clew.receive.wire import FIELDS_LOOKED_AT, check_request
from tests.receive.otlp import span, traces
from tests.receive.strategies import log_requests, trace_requests

GOOD = traces(span()).SerializeToString()


@pytest.mark.parametrize(
    ("payload", "problem"),
    [
        pytest.param(b"x" * 5000, "no field that OTLP knows", id="a run of letters"),
        pytest.param(b"\x12\x01a", "no field that OTLP knows", id="another message"),
        pytest.param(b"\x0a", "ends inside a number", id="cut off after a tag"),
        pytest.param(b"\x0a\x05abc", "ends inside a field", id="cut off inside a field"),
        pytest.param(b"\x08\x05", "wire type 0", id="a number where messages belong"),
        pytest.param(b"\x0b\x0c", "wire type 3", id="a group"),
        pytest.param(GOOD + b"\x13\x14", "wire type 3", id="a group after the fields"),
        pytest.param(GOOD + b"\x07", "field number 0|wire type 7", id="an impossible field"),
        pytest.param(GOOD + b"\xc1\x3e" + bytes(8), "field number 1000", id="a field that Clew keeps for itself"),
        pytest.param(GOOD + b"\xff" * 11, "more than ten bytes", id="a number without end"),
    ],
)
def test_a_request_whose_frame_is_wrong_is_malformed(payload, problem):
    with pytest.raises(MalformedTelemetry, match=problem):
        check_request(payload)


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(b"", id="empty"),
        pytest.param(GOOD, id="one resource"),
        pytest.param(GOOD * 7, id="many resources"),
        pytest.param(GOOD + b"\x12\x01a" + b"\x18\x01" + b"\x25abcd" + b"\x29abcdefgh", id="fields of the future"),
    ],
)
def test_a_request_of_today_or_of_the_future_passes(payload):
    check_request(payload)


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None, max_examples=40)
@given(trace_requests | log_requests)
def test_every_otlp_request_passes(request):
    check_request(request.SerializeToString())


@given(st.binary(max_size=200))
def test_random_bytes_pass_or_are_malformed(payload):
    try:
        check_request(payload)
    except MalformedTelemetry:
        return
    assert payload == b"" or b"\x0a" in payload or b"\x8a" in payload


def test_the_cost_does_not_grow_with_the_number_of_fields():
    check_request(b"\x0a\x00" * FIELDS_LOOKED_AT + b"what comes later is the engine's to judge")
