"""What an OTLP receiver must do, one test a rule, over real sockets and, unless a failure is provoked, the real store.

The rules are those of the OTLP specification, the comments of its .proto files and what exporters are seen to do. Clew
serves traces and logs: rules that also name metrics are tested for what Clew answers there.
"""

import gzip
import json
import math
import secrets
import threading
import time
import zlib

import grpc as grpc_client
import pytest
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from clew.model.errors import StoreUnavailable
from clew.receive.policy import MS, FlushPolicy
from clew.receive.server import ReceiveSettings
from clew.store.contract import Rejected
from tests.receive.otlp import (
    JSON,
    LOGS,
    METRICS,
    PROTOBUF,
    TRACES,
    GrpcClient,
    HttpClient,
    attribute,
    json_span,
    json_traces,
    logs,
    record,
    span,
    traces,
    trailer,
)
from tests.receive.serving import FakeStore, fake_server

HASTY = FlushPolicy(quiet_linger_ns=1 * MS, thrift_linger_ns=1 * MS)
RETRYABLE_HTTP = {429, 502, 503, 504}
RETRYABLE_GRPC = {
    grpc_client.StatusCode.CANCELLED,
    grpc_client.StatusCode.DEADLINE_EXCEEDED,
    grpc_client.StatusCode.ABORTED,
    grpc_client.StatusCode.OUT_OF_RANGE,
    grpc_client.StatusCode.UNAVAILABLE,
    grpc_client.StatusCode.DATA_LOSS,
}


def stored(server, wanted: Span, columns: str = "name"):
    """The stored rows of a span's id."""
    sql = f"SELECT {columns} FROM spans WHERE trace_id = unhex({{t:String}}) AND span_id = unhex({{s:String}})"
    return server.rows(sql, t=wanted.trace_id.hex(), s=wanted.span_id.hex())


def span_of(json_form) -> Span:
    """The ids of a span in JSON form, to look it up."""
    return Span(trace_id=bytes.fromhex(json_form["traceId"]), span_id=bytes.fromhex(json_form["spanId"]))


def stored_log(server, uid: str, columns: str):
    return server.rows(f"SELECT {columns} FROM logs WHERE uid = {{u:String}}", u=uid)


def unavailable(_batch):
    raise StoreUnavailable("disk full")


def body_of(*spans: Span) -> bytes:
    return traces(*spans).SerializeToString()


# Transport


def test_01_traces_and_logs_are_posted_to_their_paths_on_port_4318(server, http):
    assert ReceiveSettings().http_port == 4318
    seen, uid = span(), secrets.token_hex(8)
    assert http.post("/v1/traces", body_of(seen)).status == 200
    entry = record(attributes=[attribute("log.record.uid", uid)])
    assert http.post("/v1/logs", logs(entry).SerializeToString()).status == 200
    assert stored(server, seen) == [{"name": "POST /orders"}]
    assert stored_log(server, uid, "body") == [{"body": "order placed"}]


def test_02_export_of_traces_and_logs_is_called_on_port_4317(server, grpc):
    assert ReceiveSettings().grpc_port == 4317
    seen, uid = span(), secrets.token_hex(8)
    assert grpc.export(TRACES, body_of(seen)) == b""
    assert grpc.export(LOGS, logs(record(attributes=[attribute("log.record.uid", uid)])).SerializeToString()) == b""
    assert stored(server, seen) == [{"name": "POST /orders"}]
    assert stored_log(server, uid, "body") == [{"body": "order placed"}]


def test_03_one_http_port_serves_protobuf_and_json_by_content_type(server, http):
    binary, text = span(), json_span()
    assert http.post("/v1/traces", body_of(binary)).status == 200
    assert http.post_json("/v1/traces", json_traces(text)).status == 200
    assert stored(server, binary)
    assert stored(server, span_of(text))


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/JSON;charset=UTF-8"])
def test_04_parameters_of_the_content_type_break_nothing(http, content_type):
    assert http.post("/v1/traces", b"{}", content_type).status == 200


@pytest.mark.parametrize(("content_type", "bad"), [(PROTOBUF, b"\x0a\xff"), (JSON, b"{")])
def test_05_the_answer_has_the_content_type_of_the_request(http, content_type, bad):
    good = b"{}" if content_type == JSON else b""
    assert http.post("/v1/traces", good, content_type).content_type == content_type
    refused = http.post("/v1/traces", bad, content_type)
    assert (refused.status, refused.content_type) == (400, content_type)


def test_06_another_content_type_is_415_and_another_method_is_405(http):
    assert http.post("/v1/traces", b"<xml/>", "application/xml").status == 415
    assert http.request("POST", "/v1/traces", b"x").status == 415
    got = http.request("GET", "/v1/traces")
    assert (got.status, got.headers["allow"]) == (405, "POST")


def test_07_signals_that_are_not_served_are_404_and_unimplemented(http, grpc):
    assert http.post("/v1/metrics", b"").status == 404
    assert http.post("/v1development/profiles", b"").status == 404
    assert grpc.refusal(METRICS, b"").code() is grpc_client.StatusCode.UNIMPLEMENTED


def test_08_plain_and_gzip_bodies_are_accepted_on_both_ports_and_deflate_on_http(server, http, grpc):
    plain, zipped, deflated, called = span(), span(), span(), span()
    assert http.post("/v1/traces", body_of(plain)).status == 200
    assert http.post_gzip("/v1/traces", body_of(zipped)).status == 200
    assert http.post("/v1/traces", zlib.compress(body_of(deflated)), content_encoding="deflate").status == 200
    assert grpc.export(TRACES, body_of(called), compression=grpc_client.Compression.Gzip) == b""
    assert [len(stored(server, one)) for one in (plain, zipped, deflated, called)] == [1, 1, 1, 1]


def test_09_an_unknown_encoding_or_corrupt_gzip_is_4xx_with_a_status(http):
    unknown = http.post("/v1/traces", b"x", content_encoding="snappy")
    assert unknown.status == 415
    assert "snappy" in unknown.error().message
    whole = gzip.compress(body_of(span()))
    for corrupt in (b"not gzip at all", whole[:-9], whole[:20] + b"\xff" * 9 + whole[29:]):
        refused = http.post("/v1/traces", corrupt, content_encoding="gzip")
        assert refused.status == 400
        assert refused.error().message


def test_10_a_chunked_body_without_content_length_is_accepted(server, http):
    seen = span()
    body = body_of(seen)
    chunks = iter([body[:10], body[10:40], body[40:]])
    assert http.request("POST", "/v1/traces", chunks, content_type=PROTOBUF, transfer_encoding="chunked").status == 200
    assert stored(server, seen)


def test_11_many_requests_go_over_one_connection(http):
    http.post("/v1/traces", b"")
    socket = http.connection.sock
    for _ in range(5):
        assert http.post("/v1/traces", b"").status == 200
        assert http.post("/v1/traces", b"\x0a\xff").status == 400
    assert http.connection.sock is socket


def test_12_an_answer_is_not_compressed_for_a_client_that_did_not_ask(http):
    answer = http.post("/v1/traces", b"\x0a\xff")
    assert "content-encoding" not in answer.headers
    assert Status.FromString(answer.body).message


# Size


def test_13_the_limit_holds_before_and_after_decompression_and_is_64_mib():
    assert ReceiveSettings().body_bytes == 64 << 20
    fits, too_large = body_of(span(name="x" * 700)), body_of(span(name="x" * 1100))
    with fake_server(FakeStore(), policy=HASTY, body_bytes=1000) as server:
        http = HttpClient(server.http)
        assert http.post("/v1/traces", fits).status == 200
        assert http.post("/v1/traces", too_large).status == 413
        assert (
            http.post("/v1/traces", iter([too_large[:600], too_large[600:]]), transfer_encoding="chunked").status == 413
        )
        assert http.post_gzip("/v1/traces", too_large).status == 413
        assert http.post("/v1/traces", secrets.token_bytes(1100), content_encoding="gzip").status == 413
        assert http.post("/v1/traces", b" " * 1100, "application/json").status == 413, "also where JSON's own is larger"
        assert "otlp.max_request" in Status.FromString(http.post("/v1/traces", too_large).body).message
        http.close()


def test_14_a_bomb_is_refused_without_expanding_it():
    bomb = gzip.compress(bytes(100 << 20))
    assert len(bomb) < 110_000
    with fake_server(FakeStore(), body_bytes=4 << 20) as server:
        http, grpc = HttpClient(server.http), GrpcClient(server.grpc)
        assert http.post("/v1/traces", bomb, content_encoding="gzip").status == 413
        assert server.receiver.admission.peak <= 4 << 20
        call = grpc.refusal(TRACES, bytes(100 << 20), compression=grpc_client.Compression.Gzip)
        assert call.code() is grpc_client.StatusCode.RESOURCE_EXHAUSTED
        assert server.receiver.admission.peak <= 4 << 20
        assert server.receiver.admission.in_use == 0
        http.close()
        grpc.close()


def test_15_a_grpc_message_over_the_limit_is_resource_exhausted_without_retry_info():
    with fake_server(FakeStore(), policy=HASTY, body_bytes=6 << 20) as server:
        grpc = GrpcClient(server.grpc)
        assert grpc.export(TRACES, body_of(span(name="x" * (5 << 20)))) == b"", "more than grpc's own 4 MiB"
        error = grpc.refusal(TRACES, body_of(span(name="x" * (7 << 20))))
        assert error.code() is grpc_client.StatusCode.RESOURCE_EXHAUSTED
        assert trailer(error, "google.rpc.retryinfo-bin") is None
        assert trailer(error, "grpc-status-details-bin") is None
        grpc.close()


def test_16_an_answer_stays_small_however_much_there_is_to_say():
    store = FakeStore()
    payload = body_of(span())
    store.rejects[payload] = Rejected(1, "wrong id; " * 1_000_000)
    with fake_server(store, policy=HASTY) as server:
        http, grpc = HttpClient(server.http), GrpcClient(server.grpc)
        assert len(http.post("/v1/traces", payload).body) < 4096
        assert len(grpc.export(TRACES, payload)) < 4096
        assert len(http.post("/v1/traces", json.dumps({"resourceSpans": "x" * 9999}).encode(), JSON).body) < 4096
        http.close()
        grpc.close()


# Success


def test_17_full_success_is_an_empty_response(http, grpc):
    assert http.post("/v1/traces", body_of(span())).body == b""
    assert http.post_json("/v1/traces", json_traces(json_span())).body == b"{}"
    assert grpc.export(TRACES, body_of(span())) == b""


@pytest.mark.parametrize("path", ["/v1/traces", "/v1/logs"])
def test_18_an_empty_request_succeeds(http, grpc, path):
    assert http.post(path, b"").status == 200
    assert http.post_json(path, {}).status == 200
    assert grpc.export(TRACES if path == "/v1/traces" else LOGS, b"") == b""


def test_19_envelopes_without_items_are_no_error(http, grpc):
    assert http.post("/v1/traces", body_of()).body == b""
    empty_log = ExportLogsServiceRequest()
    empty_log.resource_logs.add().scope_logs.add()
    assert grpc.export(LOGS, empty_log.SerializeToString()) == b""
    assert http.post_json("/v1/traces", {"resourceSpans": []}).status == 200


def test_20_success_is_answered_after_the_durable_write_and_not_before(server, http):
    release, answered = threading.Event(), threading.Event()
    store = FakeStore(before=lambda batch: release.wait(20))
    with fake_server(store, policy=HASTY) as slow:
        client = HttpClient(slow.http)
        sender = threading.Thread(target=lambda: (client.post("/v1/traces", body_of(span())), answered.set()))
        sender.start()
        assert not answered.wait(0.3)
        assert store.batches == []
        release.set()
        assert answered.wait(20)
        sender.join()
        client.close()
    seen = span()
    assert http.post("/v1/traces", body_of(seen)).status == 200
    assert stored(server, seen), "what was answered 200 can be queried at once"


# Partial success


def test_21_rejected_items_are_counted_in_partial_success(http, grpc):
    def mixed():
        return traces(span(), span(trace_id=b"short"), span(span_id=bytes(8))).SerializeToString()

    answer = ExportTraceServiceResponse.FromString(http.post("/v1/traces", mixed()).body)
    assert answer.partial_success.rejected_spans == 2
    assert "trace_id" in answer.partial_success.error_message
    called = ExportTraceServiceResponse.FromString(grpc.export(TRACES, mixed()))
    assert called.partial_success == answer.partial_success
    bad = json_span(traceId="00" * 16)
    text = http.post_json("/v1/traces", json_traces(json_span(), bad)).json()["partialSuccess"]
    assert text["rejectedSpans"] == "1"
    late = record(time_unix_nano=1)
    told = ExportLogsServiceResponse.FromString(http.post("/v1/logs", logs(late).SerializeToString()).body)
    assert told.partial_success.rejected_log_records == 1


def test_22_a_warning_has_no_rejected_items_and_a_message():
    store = FakeStore()
    payload = body_of(span())
    store.rejects[payload] = Rejected(0, "the resource has no service.name")
    with fake_server(store, policy=HASTY) as server:
        http = HttpClient(server.http)
        answer = http.post("/v1/traces", payload)
        http.close()
    assert answer.status == 200
    partial = ExportTraceServiceResponse.FromString(answer.body).partial_success
    assert (partial.rejected_spans, partial.error_message) == (0, "the resource has no service.name")


def test_23_a_store_that_fails_for_a_while_is_not_told_as_partial_success():
    with fake_server(FakeStore(before=unavailable), policy=HASTY) as server:
        http, grpc = HttpClient(server.http), GrpcClient(server.grpc)
        assert http.post("/v1/traces", body_of(span())).status == 503
        assert grpc.refusal(TRACES, body_of(span())).code() is grpc_client.StatusCode.UNAVAILABLE
        http.close()
        grpc.close()


# Failure


@pytest.mark.parametrize(
    "garbage",
    [
        pytest.param(b"x" * 5000, id="a run of letters, which reads as unknown fields"),
        pytest.param(b"\x0a\xff\xff\xff\x7f", id="a field longer than the request"),
        pytest.param(b"\x0a\x04\x12\x7f\x01\x02", id="a field of a nested message cut off"),
        pytest.param(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", id="no number"),
        pytest.param(b'{"resourceSpans":[]}', id="JSON said to be protobuf"),
    ],
)
def test_24_what_can_not_be_decoded_is_400_with_bad_request_and_not_retryable(http, grpc, garbage):
    refused = http.post("/v1/traces", garbage)
    assert refused.status == 400
    detail = BadRequest()
    assert refused.error().details[0].Unpack(detail)
    assert detail.field_violations[0].description
    error = grpc.refusal(TRACES, garbage)
    assert error.code() is grpc_client.StatusCode.INVALID_ARGUMENT
    assert http.post("/v1/traces", b"\xff\xfe{}", JSON).status == 400, "invalid UTF-8"


@pytest.mark.parametrize("content_type", [PROTOBUF, JSON])
def test_25_every_error_has_a_status_as_body_in_the_encoding_of_the_request(content_type):
    fits = b"{}" if content_type == JSON else b""
    malformed = b"{" if content_type == JSON else b"\x0a\xff"
    with fake_server(FakeStore(before=unavailable), policy=HASTY, body_bytes=100) as server:
        http = HttpClient(server.http)
        errors = {
            400: http.post("/v1/traces", malformed, content_type),
            404: http.post("/v1/metrics", fits, content_type),
            405: http.request("PUT", "/v1/traces", fits, content_type=content_type),
            413: http.post("/v1/traces", bytes(101), content_type),
            415: http.post("/v1/traces", fits, content_type, content_encoding="br"),
            503: http.post("/v1/traces", fits, content_type),
        }
        http.close()
    for status, answer in errors.items():
        assert (answer.status, answer.content_type) == (status, content_type)
        assert answer.json()["message"] if content_type == JSON else answer.error().message


@pytest.mark.parametrize("failure", [StoreUnavailable("disk full"), RuntimeError("what nobody foresaw")])
def test_26_a_busy_or_failing_store_is_503_and_never_500(failure):
    def fail(_batch):
        raise failure

    with fake_server(FakeStore(before=fail), policy=HASTY) as server:
        http = HttpClient(server.http)
        assert http.post("/v1/traces", body_of(span())).status == 503
        http.close()


def test_27_overload_is_503_with_a_delay_in_seconds():
    with fake_server(FakeStore(), memory_bytes=1000, body_bytes=900) as server:
        server.receiver.admission.take(500)
        http = HttpClient(server.http)
        refused = http.post("/v1/traces", bytes(800))
        http.close()
    assert refused.status == 503
    assert refused.headers["retry-after"].isdigit()


@pytest.mark.parametrize("before", [unavailable, lambda batch: 1 / 0])
def test_28_the_delay_is_within_the_budget_of_every_exporter(before):
    with fake_server(FakeStore(before=before), policy=HASTY) as server:
        http = HttpClient(server.http)
        assert 1 <= int(http.post("/v1/logs", b"").headers["retry-after"]) <= 3
        http.close()


@pytest.mark.parametrize("path", ["/v1/traces", "/v1/traces/", "//v1/traces", "/V1/traces", "/", "", "/v1", "/docs"])
def test_29_nothing_is_ever_redirected(http, path):
    for method in ("POST", "GET"):
        answer = http.request(method, path or "/", b"", content_type=PROTOBUF)
        assert not 300 <= answer.status < 400
        assert "location" not in answer.headers
    assert http.post("/v1/traces/", b"").status == 200


def test_30_a_transient_grpc_failure_is_unavailable_with_retry_info():
    with fake_server(FakeStore(before=unavailable), policy=HASTY) as server:
        grpc = GrpcClient(server.grpc)
        error = grpc.refusal(TRACES, body_of(span()))
        grpc.close()
    assert error.code() is grpc_client.StatusCode.UNAVAILABLE
    status, info = Status.FromString(trailer(error, "grpc-status-details-bin")), RetryInfo()
    assert status.code == grpc_client.StatusCode.UNAVAILABLE.value[0]
    assert status.details[0].Unpack(info)
    assert 1 <= info.retry_delay.seconds <= 3


def test_31_a_sender_retries_what_may_work_later_and_drops_what_never_will(http, grpc):
    with fake_server(FakeStore(before=unavailable), policy=HASTY) as server:
        later_http, later_grpc = HttpClient(server.http), GrpcClient(server.grpc)
        assert later_http.post("/v1/traces", b"").status in RETRYABLE_HTTP
        assert later_grpc.refusal(TRACES, b"").code() in RETRYABLE_GRPC
        later_http.close()
        later_grpc.close()
    assert http.post("/v1/traces", b"\x0a\xff").status not in RETRYABLE_HTTP
    assert grpc.refusal(TRACES, b"\x0a\xff").code() not in RETRYABLE_GRPC
    assert grpc.refusal(METRICS, b"").code() not in RETRYABLE_GRPC


def test_32_the_delay_is_also_in_the_trailer_that_pythons_exporter_reads():
    with fake_server(FakeStore(before=unavailable), policy=HASTY) as server:
        grpc = GrpcClient(server.grpc)
        error = grpc.refusal(LOGS, b"")
        grpc.close()
    assert 1 <= RetryInfo.FromString(trailer(error, "google.rpc.retryinfo-bin")).retry_delay.seconds <= 3


def test_33_credentials_that_nobody_asked_for_lose_nothing(server, http, grpc):
    posted, called = span(), span()
    assert http.post("/v1/traces", body_of(posted), authorization="Bearer wrong").status == 200
    assert grpc.export(TRACES, body_of(called), metadata=[("authorization", "Bearer wrong")]) == b""
    assert stored(server, posted)
    assert stored(server, called)


# JSON mapping


def test_34_ids_in_json_are_hex_of_either_case(server, http):
    lower, upper = json_span(), json_span()
    upper = {**upper, "traceId": upper["traceId"].upper(), "spanId": upper["spanId"].upper()}
    assert http.post_json("/v1/traces", json_traces(lower, upper)).body == b"{}"
    assert stored(server, span_of(lower))
    assert stored(server, span_of(upper))


def test_35_the_stored_ids_equal_those_sent_in_json(server, http):
    parent, name = secrets.token_hex(8), secrets.token_hex(8)
    sent = json_span(name, parentSpanId=parent)
    http.post_json("/v1/traces", json_traces(sent))
    columns = "lower(hex(trace_id)) AS t, lower(hex(span_id)) AS s, lower(hex(parent_span_id)) AS p"
    rows = server.rows(f"SELECT {columns} FROM spans WHERE name = {{n:String}}", n=name)
    assert rows == [{"t": sent["traceId"], "s": sent["spanId"], "p": parent}]


def test_36_names_of_enum_values_are_refused_with_their_place(http):
    refused = http.post_json("/v1/traces", json_traces(json_span(kind="SPAN_KIND_SERVER")))
    assert refused.status == 400
    assert "resourceSpans[0].scopeSpans[0].spans[0].kind" in refused.json()["message"]


def test_37_unknown_json_fields_are_ignored(server, http):
    sent = json_span(colour="blue", deep={"resourceSpans": [1, {"a": None}]})
    assert http.post_json("/v1/traces", {**json_traces(sent), "future": 1}).body == b"{}"
    assert stored(server, span_of(sent))


def test_38_snake_case_keys_are_unknown_fields(server, http):
    sent = json_span("camel", trace_state="ignored", dropped_events_count=7)
    assert http.post_json("/v1/traces", json_traces(sent)).body == b"{}"
    assert stored(server, span_of(sent), "trace_state, dropped_events") == [{"trace_state": "", "dropped_events": 0}]
    assert http.post_json("/v1/traces", {"resource_spans": [{"scope_spans": "not even looked at"}]}).status == 200


def test_39_64_bit_integers_are_decimal_strings_or_numbers(server, http):
    now_ns = time.time_ns()
    big = {"key": "big", "value": {"intValue": "-9223372036854775808"}}
    small = {"key": "small", "value": {"intValue": 1}}
    sent = json_span(startTimeUnixNano=now_ns, endTimeUnixNano=str(now_ns + 1500), attributes=[big, small])
    assert http.post_json("/v1/traces", json_traces(sent)).body == b"{}"
    rows = stored(server, span_of(sent), "toUnixTimestamp64Nano(ts) AS at, duration_ns, attrs")
    assert rows == [{"at": now_ns, "duration_ns": 1500, "attrs": {"big": "-9223372036854775808", "small": "1"}}]


def test_40_bytes_are_base64_doubles_may_be_named_and_null_is_unset(server, http):
    values = {"nan": {"doubleValue": "NaN"}, "inf": {"doubleValue": "-Infinity"}, "bytes": {"bytesValue": "AQL/"}}
    attributes = [{"key": key, "value": value} for key, value in values.items()]
    sent = json_span(attributes=attributes, traceState=None, parentSpanId=None, events=None, status=None)
    assert http.post_json("/v1/traces", json_traces(sent)).body == b"{}"
    (row,) = stored(server, span_of(sent), "attrs, kinds, trace_state")
    assert math.isnan(float(row["attrs"]["nan"]))
    assert float(row["attrs"]["inf"]) == -math.inf
    assert row["attrs"]["bytes"] == "AQL/"
    assert row["kinds"] == ["double_value", "double_value", "bytes_value"]


def test_41_unknown_enum_numbers_fail_nothing(server, http, grpc):
    binary, text = span(kind=99), json_span(kind=99, status={"code": 77})
    assert grpc.export(TRACES, body_of(binary)) == b""
    assert http.post_json("/v1/traces", json_traces(text)).body == b"{}"
    assert stored(server, binary, "kind") == [{"kind": 99}]
    assert stored(server, span_of(text), "kind, status") == [{"kind": 99, "status": 77}]


# Data


@pytest.mark.parametrize(
    "wrong",
    [
        {"trace_id": b""},
        {"trace_id": bytes(16)},
        {"trace_id": b"x" * 15},
        {"trace_id": b"x" * 17},
        {"span_id": b""},
        {"span_id": bytes(8)},
        {"span_id": b"x" * 7},
        {"span_id": b"x" * 9},
    ],
    ids=lambda wrong: " ".join(f"{key} of {len(value)} bytes, {value[:1]!r}" for key, value in wrong.items()),
)
def test_42_a_span_with_a_wrong_id_is_rejected_and_the_rest_is_stored(server, http, wrong):
    before, after = span(), span()
    answer = http.post("/v1/traces", body_of(before, span(**wrong), after))
    assert answer.status == 200
    assert ExportTraceServiceResponse.FromString(answer.body).partial_success.rejected_spans == 1
    assert len(stored(server, before)) == len(stored(server, after)) == 1


def test_43_attributes_hold_every_kind_of_value(server, http):
    member = KeyValue(key="k", value=AnyValue(bool_value=True))
    values = {
        "unset": AnyValue(),
        "zero": AnyValue(int_value=0),
        "false": AnyValue(bool_value=False),
        "blank": AnyValue(string_value=""),
        "double": AnyValue(double_value=0.5),
        "array": AnyValue(array_value=ArrayValue(values=[AnyValue(int_value=1), AnyValue()])),
        "kvlist": AnyValue(kvlist_value=KeyValueList(values=[member])),
        "bytes": AnyValue(bytes_value=b"\x00\xff"),
    }
    seen = span(attributes=[KeyValue(key=key, value=value) for key, value in values.items()])
    assert http.post("/v1/traces", body_of(seen)).body == b""
    (row,) = stored(server, seen, "attrs, kinds")
    kinds = ["unset", "int_value", "bool_value", "string_value", "double_value", "array_value", "kvlist_value"]
    assert row["kinds"] == [*kinds, "bytes_value"]
    assert list(row["attrs"]) == list(values)
    assert (row["attrs"]["zero"], row["attrs"]["false"], row["attrs"]["blank"]) == ("0", "false", "")


def test_44_indexes_into_a_string_table_are_treated_as_absent(server, http):
    odd = KeyValue(key="odd", value=AnyValue(string_value_strindex=7), key_strindex=3)
    seen, text = span(attributes=[odd]), json_span(attributes=[{"key": "odd", "value": {"stringValueStrindex": 7}}])
    assert http.post("/v1/traces", body_of(seen)).body == b""
    assert http.post_json("/v1/traces", json_traces(text)).body == b"{}"
    assert [row["attrs"] for row in stored(server, seen, "attrs")] == [{"odd": ""}]
    assert [row["kinds"] for row in stored(server, span_of(text), "kinds")] == [["unset"]]


def test_45_a_span_without_a_kind_is_stored(server, http):
    seen = span(kind=Span.SPAN_KIND_UNSPECIFIED)
    assert http.post("/v1/traces", body_of(seen)).body == b""
    assert stored(server, seen)


def test_46_an_end_before_the_start_and_zero_times_crash_nothing(server, http):
    now_ns = time.time_ns()
    backwards = span(start_time_unix_nano=now_ns, end_time_unix_nano=now_ns - 1_000_000)
    timeless = span(start_time_unix_nano=0, end_time_unix_nano=0)
    unended = span(end_time_unix_nano=0)
    assert http.post("/v1/traces", body_of(backwards, timeless, unended)).body == b""
    durations = [stored(server, one, "duration_ns") for one in (backwards, timeless, unended)]
    assert durations == [[{"duration_ns": 0}]] * 3


def test_47_no_flag_keeps_a_span_out(server, http):
    flagged = [span(flags=flags) for flags in (0, 1, 0x100, 0x101, 0x300, 0xFFFFFFFF)]
    assert http.post("/v1/traces", body_of(*flagged)).body == b""
    assert [len(stored(server, one)) for one in flagged] == [1] * len(flagged)


def test_48_of_attributes_with_the_same_key_the_first_counts(server, http):
    seen = span(attributes=[attribute("order.id", "4711"), attribute("order.id", "4712")])
    assert http.post("/v1/traces", body_of(seen)).body == b""
    assert stored(server, seen, "attrs['order.id'] AS first") == [{"first": "4711"}]


def test_49_counts_of_what_the_sender_dropped_are_kept(server, http):
    seen = span(dropped_attributes_count=1, dropped_events_count=2, dropped_links_count=3)
    assert http.post("/v1/traces", body_of(seen)).body == b""
    columns = "dropped_attributes AS a, dropped_events AS e, dropped_links AS l"
    assert stored(server, seen, columns) == [{"a": 1, "e": 2, "l": 3}]


def test_50_a_log_record_without_time_takes_the_observed_one_and_may_lack_ids(server, http):
    uid, now_ns = secrets.token_hex(8), time.time_ns()
    entry = record(
        time_unix_nano=0,
        observed_time_unix_nano=now_ns,
        event_name="order.seen",
        trace_id=b"short",
        attributes=[attribute("log.record.uid", uid)],
    )
    assert http.post("/v1/logs", logs(entry).SerializeToString()).body == b""
    columns = "toUnixTimestamp64Nano(ts) AS at, event_name, hex(trace_id) AS t, hex(span_id) AS s"
    expected = {"at": now_ns, "event_name": "order.seen", "t": "00" * 16, "s": "00" * 8}
    assert stored_log(server, uid, columns) == [expected]


def test_51_a_request_has_many_resources_requests_are_concurrent_and_children_come_first(server):
    trace_id = secrets.token_bytes(16)
    root, child = span("root", trace_id=trace_id), span("child", trace_id=trace_id)
    child.parent_span_id = root.span_id
    collected = traces(child, service="crm-api")
    collected.MergeFrom(traces(span(trace_id=trace_id), service="mes-api"))
    bodies = [collected.SerializeToString(), *(body_of(span(trace_id=trace_id)) for _ in range(20)), body_of(root)]
    statuses = []

    def send(body):
        client = HttpClient(server.http)
        statuses.append(client.post("/v1/traces", body).status)
        client.close()

    senders = [threading.Thread(target=send, args=(body,)) for body in bodies]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert statuses == [200] * 22
    rows = server.rows(
        "SELECT service, count() AS n FROM spans WHERE trace_id = unhex({t:String}) GROUP BY service", t=trace_id.hex()
    )
    assert {row["service"]: row["n"] for row in rows} == {"crm-api": 1, "mes-api": 1, "shop-api": 21}


def test_52_the_same_batch_again_changes_nothing_that_a_reader_sees(server, http, grpc):
    order_id, seen = secrets.token_hex(8), span()
    entry = record(
        trace_id=seen.trace_id,
        event_name="order.stage",
        attributes=[
            attribute("log.record.uid", secrets.token_hex(8)),
            attribute("order.id", order_id),
            attribute("order.stage", "SUBMITTED"),
        ],
    )
    for _ in range(2):
        assert http.post("/v1/traces", body_of(seen)).status == 200
        assert http.post("/v1/logs", logs(entry).SerializeToString()).status == 200
    assert grpc.export(TRACES, body_of(seen, span())) == b"", "again, beside another span"
    told = server.ask({"trace": seen.trace_id.hex(), "order": order_id})
    assert told == {"spans": 1, "logs": 1, "events": 1}


def test_53_browsers_of_other_origins_are_not_served(http):
    preflight = http.request(
        "OPTIONS", "/v1/traces", origin="http://elsewhere.example", access_control_request_method="POST"
    )
    assert preflight.status == 405
    posted = http.post("/v1/traces", b"", origin="http://elsewhere.example")
    assert not [name for name in (*preflight.headers, *posted.headers) if name.startswith("access-control")]


def test_54_grpc_has_its_own_port_and_is_refused_on_the_other(server, http):
    assert server.http != server.grpc
    assert http.post(f"/{TRACES}/Export", b"", "application/grpc").status == 404
    assert http.post("/v1/traces", b"", "application/grpc").status == 415


def test_55_a_request_without_resource_or_scope_is_legal(server, http):
    seen, text = span(), json_span()
    bare = ExportTraceServiceRequest()
    bare.resource_spans.add().scope_spans.add(spans=[seen])
    assert http.post("/v1/traces", bare.SerializeToString()).body == b""
    assert http.post_json("/v1/traces", {"resourceSpans": [{"scopeSpans": [{"spans": [text]}]}]}).body == b"{}"
    assert stored(server, seen, "service, scope") == [{"service": "", "scope": ""}]
    assert stored(server, span_of(text), "service") == [{"service": ""}]
