"""The real exporters of Python and Node.js as clients."""

import json
import logging
import os
import secrets
import subprocess
import time
from pathlib import Path

import pytest
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogs
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpans
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogs
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpans
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExportResult
from opentelemetry.trace import SpanKind

from clew.model.errors import StoreUnavailable
from clew.receive.policy import MS, FlushPolicy
from tests.receive.serving import FakeStore, fake_server

NODE = Path(__file__).parent.parent / "node"
# An exporter gives up after ten seconds by itself, and a start of Node.js on a busy machine takes some of them.
PATIENT = os.environ | dict.fromkeys(
    ("OTEL_EXPORTER_OTLP_TIMEOUT", "OTEL_BSP_EXPORT_TIMEOUT", "OTEL_BLRP_EXPORT_TIMEOUT"), "60000"
)
HASTY = FlushPolicy(quiet_linger_ns=1 * MS, thrift_linger_ns=1 * MS)


def exporters(protocol, server):
    base = f"http://127.0.0.1:{server.http}"
    if protocol == "grpc":
        address = f"http://127.0.0.1:{server.grpc}"
        return GrpcSpans(address, insecure=True), GrpcLogs(address, insecure=True)
    compression = {
        "http": Compression.NoCompression,
        "http gzip": Compression.Gzip,
        "http deflate": Compression.Deflate,
    }
    return (
        HttpSpans(f"{base}/v1/traces", compression=compression[protocol]),
        HttpLogs(f"{base}/v1/logs", compression=compression[protocol]),
    )


def told_of(server, order_id):
    """What the store knows of an order: its spans and its log records."""
    bind = {"o": order_id}
    columns = "name, service, kind, lower(hex(trace_id)) AS trace, lower(hex(parent_span_id)) AS parent"
    own = "SELECT trace_id FROM spans WHERE has(order_ids, {o:String})"
    spans = server.rows(f"SELECT {columns} FROM spans WHERE trace_id IN ({own}) ORDER BY name", **bind)
    columns = "event_name, body, service, lower(hex(trace_id)) AS trace"
    return spans, server.rows(f"SELECT {columns} FROM logs WHERE has(order_ids, {{o:String}})", **bind)


def assert_complete(server, order_id, service):
    spans, records = told_of(server, order_id)
    assert [(span["name"], span["service"], span["kind"]) for span in spans] == [
        ("INSERT orders", service, 3),
        ("POST /orders", service, 2),
    ]
    assert [(record["event_name"], record["body"], record["service"]) for record in records] == [
        ("order.stage", "submitted", service)
    ]
    assert len({row["trace"] for row in (*spans, *records)}) == 1


@pytest.mark.parametrize("protocol", ["grpc", "http", "http gzip", "http deflate"])
def test_spans_and_events_of_the_python_sdk_arrive(server, protocol):
    order_id, service = secrets.token_hex(6), f"python-{protocol}"
    to_spans, to_logs = exporters(protocol, server)
    resource = Resource.create({"service.name": service})
    tracers, loggers = TracerProvider(resource=resource), LoggerProvider(resource=resource)
    tracers.add_span_processor(BatchSpanProcessor(to_spans))
    loggers.add_log_record_processor(BatchLogRecordProcessor(to_logs))
    tracer = tracers.get_tracer("clew-test")
    with tracer.start_as_current_span("POST /orders", kind=SpanKind.SERVER, attributes={"order.id": order_id}):
        with tracer.start_as_current_span("INSERT orders", kind=SpanKind.CLIENT, attributes={"rows": 3}):
            pass
        loggers.get_logger("clew-test").emit(
            timestamp=time.time_ns(),
            event_name="order.stage",
            body="submitted",
            attributes={"order.id": order_id, "order.stage": "SUBMITTED"},
        )
    tracers.shutdown()
    loggers.shutdown()
    assert_complete(server, order_id, service)


@pytest.mark.parametrize("protocol", ["http-json", "http-protobuf", "grpc"])
def test_spans_and_events_of_the_node_sdk_arrive(server, node_modules, protocol):
    assert node_modules.exists()
    order_id = secrets.token_hex(6)
    port = server.grpc if protocol == "grpc" else server.http
    command = ["node", "export.mjs", protocol, f"http://127.0.0.1:{port}", order_id]
    done = subprocess.run(command, cwd=NODE, env=PATIENT, capture_output=True, text=True, timeout=150, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["answers"] == {"traces": {"code": 0}, "logs": {"code": 0}}
    assert_complete(server, order_id, f"node-{protocol}")
    trace_id = json.loads(done.stdout)["traceId"]
    assert {span["trace"] for span in told_of(server, order_id)[0]} == {trace_id}


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_the_python_sdk_comes_back_to_a_store_that_was_busy_and_nothing_is_lost(protocol):
    tries = []

    def busy_at_first(batch):
        tries.append(batch)
        if len(tries) <= 3:
            raise StoreUnavailable("merging")

    store = FakeStore(before=busy_at_first)
    with fake_server(store, policy=HASTY) as server:
        to_spans, _ = exporters(protocol, server)
        results = []
        tracers = TracerProvider()
        tracers.add_span_processor(SimpleSpanProcessor(_observed(to_spans, results)))
        began = time.monotonic()
        tracers.get_tracer("clew-test").start_span("POST /orders").end()
        tracers.shutdown()
    assert results == [SpanExportResult.SUCCESS]
    assert len(store.stored) == 1
    assert time.monotonic() - began < 9, "within the ten seconds that the exporter gives itself"


def _observed(exporter, results):
    export = exporter.export

    def observed(spans):
        results.append(export(spans))
        return results[-1]

    exporter.export = observed
    return exporter


@pytest.fixture(autouse=True)
def _quiet_sdk(caplog):
    caplog.set_level(logging.CRITICAL, "opentelemetry")
