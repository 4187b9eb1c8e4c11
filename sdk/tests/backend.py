"""A receiver of OTLP/HTTP that answers as told and keeps what it took."""

from __future__ import annotations

import gzip
import ssl
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsPartialSuccess,
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue


@dataclass(frozen=True)
class Reply:
    """One answer; ``store`` says whether the backend keeps the request all the same."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    store: bool = False


OK = Reply(store=True)


def partial(rejected: int, why: str) -> Reply:
    """A success that tells of rejected records."""
    told = ExportLogsPartialSuccess(rejected_log_records=rejected, error_message=why)
    return Reply(body=ExportLogsServiceResponse(partial_success=told).SerializeToString())


@dataclass(frozen=True)
class Event:
    """A stage event as a reader sees it."""

    name: str
    attributes: dict[str, Any]
    resource: dict[str, Any]
    trace_id: str
    span_id: str
    severity: int
    time_unix_nano: int


class Backend:
    """Listens on a free port. ``decide`` answers each log request; by default all are stored."""

    def __init__(self) -> None:
        self.requests: list[ExportLogsServiceRequest] = []
        self.traces: list[ExportTraceServiceRequest] = []
        self.headers: list[dict[str, str]] = []
        self.times: list[float] = []
        self.script: deque[Reply] = deque()
        self.decide: Callable[[ExportLogsServiceRequest], Reply] = lambda _: OK
        self._lock = threading.Lock()
        self._port = 0
        self.up()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def up(self, certificate: Path | None = None) -> None:
        """Listen, on the port of before; with a certificate (and key) over TLS."""
        backend = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                backend._answer(self)

            def log_message(self, *_: object) -> None:
                """Tests print nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), Handler)
        self._port = self._server.server_port
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def down(self) -> None:
        """Refuse connections."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Backend:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.down()

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        if handler.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        reply = self._reply(handler, body)
        handler.send_response(reply.status)
        for name, value in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(reply.body)

    def _reply(self, handler: BaseHTTPRequestHandler, body: bytes) -> Reply:
        with self._lock:
            self.headers.append({key.lower(): value for key, value in handler.headers.items()})
            if handler.path == "/v1/traces":
                self.traces.append(ExportTraceServiceRequest.FromString(body))
                return OK
            request = ExportLogsServiceRequest.FromString(body)
            self.times.append(time.monotonic())
            reply = self.script.popleft() if self.script else self.decide(request)
            if reply.store:
                self.requests.append(request)
            return reply

    @property
    def events(self) -> list[Event]:
        """Everything stored, repeats included."""
        with self._lock:
            return [event for request in self.requests for event in events_of(request)]

    @property
    def stages(self) -> Counter[tuple[str, str]]:
        """(order, stage) counted as a reader counts: once per uid."""
        once = {event.attributes["log.record.uid"]: event.attributes for event in self.events}
        return Counter((said["order.id"], said.get("order.stage", "")) for said in once.values())

    @property
    def spans(self) -> list[Any]:
        with self._lock:
            return [
                span
                for request in self.traces
                for resource in request.resource_spans
                for scope in resource.scope_spans
                for span in scope.spans
            ]


def events_of(request: ExportLogsServiceRequest) -> list[Event]:
    """The events of a request."""
    return [
        Event(
            name=record.event_name,
            attributes=attributes_of(record.attributes),
            resource=attributes_of(resource.resource.attributes),
            trace_id=record.trace_id.hex(),
            span_id=record.span_id.hex(),
            severity=record.severity_number,
            time_unix_nano=record.time_unix_nano,
        )
        for resource in request.resource_logs
        for scope in resource.scope_logs
        for record in scope.log_records
    ]


def attributes_of(pairs: Any) -> dict[str, Any]:
    """Attributes as plain values; a key told twice is a mistake of the sender."""
    told: dict[str, Any] = {}
    pair: KeyValue
    for pair in pairs:
        assert pair.key not in told, f"{pair.key} told twice"
        told[pair.key] = _plain(pair.value)
    return told


def _plain(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_plain(item) for item in value.array_value.values]
    return getattr(value, kind) if kind else None
