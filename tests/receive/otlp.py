"""Telemetry as tests write it, and the two ways to send it."""

import gzip
import http.client
import json
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span

PROTOBUF = "application/x-protobuf"
JSON = "application/json"
TRACES = "opentelemetry.proto.collector.trace.v1.TraceService"
LOGS = "opentelemetry.proto.collector.logs.v1.LogsService"
METRICS = "opentelemetry.proto.collector.metrics.v1.MetricsService"


def attribute(key: str, value: str) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(string_value=value))


def span(name: str = "POST /orders", **fields: Any) -> Span:
    """A span of now with ids nobody else has; fields replace the defaults."""
    now_ns = time.time_ns()
    defaults = {
        "trace_id": secrets.token_bytes(16),
        "span_id": secrets.token_bytes(8),
        "kind": Span.SPAN_KIND_SERVER,
        "start_time_unix_nano": now_ns - 5_000_000,
        "end_time_unix_nano": now_ns,
    }
    return Span(name=name, **{**defaults, **fields})


def traces(*spans: Span, service: str = "shop-api") -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.append(attribute("service.name", service))
    resource.scope_spans.add(spans=spans).scope.name = "test"
    return request


def record(body: str = "order placed", **fields: Any) -> LogRecord:
    defaults = {"time_unix_nano": time.time_ns(), "body": AnyValue(string_value=body)}
    return LogRecord(**{**defaults, **fields})


def logs(*records: LogRecord, service: str = "shop-api") -> ExportLogsServiceRequest:
    request = ExportLogsServiceRequest()
    resource = request.resource_logs.add()
    resource.resource.attributes.append(attribute("service.name", service))
    resource.scope_logs.add(log_records=records).scope.name = "test"
    return request


def json_span(name: str = "POST /orders", **fields: Any) -> dict[str, Any]:
    """A span as Node's exporter writes it: ids in hex, times as strings."""
    now_ns = time.time_ns()
    return {
        "traceId": secrets.token_hex(16),
        "spanId": secrets.token_hex(8),
        "name": name,
        "kind": 2,
        "startTimeUnixNano": str(now_ns - 5_000_000),
        "endTimeUnixNano": str(now_ns),
        **fields,
    }


def json_traces(*spans: dict[str, Any]) -> dict[str, Any]:
    service = {"key": "service.name", "value": {"stringValue": "shop-api"}}
    return {"resourceSpans": [{"resource": {"attributes": [service]}, "scopeSpans": [{"spans": list(spans)}]}]}


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "")

    def error(self) -> Status:
        """The google.rpc.Status of a protobuf error."""
        return Status.FromString(self.body)

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class HttpClient:
    """One connection to the HTTP port, kept alive between requests."""

    port: int
    connection: http.client.HTTPConnection = field(init=False)

    def __post_init__(self) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        """Send one request; header names are given with underscores. An iterator is sent chunked."""
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        self.connection.request(method, path, body, names, encode_chunked=hasattr(body, "__next__"))
        response = self.connection.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        return Reply(response.status, found, response.read())

    def post(self, path: str, body: Any, content_type: str = PROTOBUF, **headers: str) -> Reply:
        return self.request("POST", path, body, content_type=content_type, **headers)

    def post_json(self, path: str, value: Any) -> Reply:
        return self.post(path, json.dumps(value).encode(), JSON)

    def post_gzip(self, path: str, body: bytes) -> Reply:
        return self.post(path, gzip.compress(body), content_encoding="gzip")

    def close(self) -> None:
        self.connection.close()


@dataclass
class GrpcClient:
    """One channel to the gRPC port; messages are raw bytes."""

    port: int
    options: tuple[tuple[str, Any], ...] = ()

    def __post_init__(self) -> None:
        unlimited = ("grpc.max_send_message_length", -1)
        own = ("grpc.use_local_subchannel_pool", 1)
        self.channel = grpc.insecure_channel(f"127.0.0.1:{self.port}", options=[unlimited, own, *self.options])

    def export(self, service: str, payload: bytes, **options: Any) -> bytes:
        return self.channel.unary_unary(f"/{service}/Export")(payload, timeout=30, **options)

    def refusal(self, service: str, payload: bytes, **options: Any) -> grpc.RpcError:
        """The error of an export that must fail."""
        try:
            self.export(service, payload, **options)
        except grpc.RpcError as error:
            return error
        raise AssertionError("the export was accepted")

    def close(self) -> None:
        self.channel.close()


def trailer(error: grpc.RpcError, name: str) -> bytes | None:
    """A binary trailer of a failed call."""
    return next((value for key, value in error.trailing_metadata() or () if key == name), None)
