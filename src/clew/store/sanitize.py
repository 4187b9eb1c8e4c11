"""Takes out of a request what can never be stored, and counts it.

Runs only when the engine refused a batch, so its cost (about 2 us a span) falls on senders of bad data. The rules are
those of ``schema/intake.sql``: trace ids of 16 bytes and span ids of 8, neither all zero (OTLP trace.proto), and a
time between 400 days ago and one day ahead.
"""

from __future__ import annotations

from collections.abc import MutableSequence, Sequence
from typing import TypeVar, assert_never

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from clew.model.errors import MalformedTelemetry
from clew.store.contract import Rejected, Signal
from clew.store.render import MAX_AGE_NS, MAX_AHEAD_NS

_Item = TypeVar("_Item")


def sanitize(signal: Signal, payload: bytes, received_ns: int) -> tuple[bytes, Rejected | None]:
    """The request without its unstorable items, and what was left out (None when all of it is good)."""
    try:
        match signal:
            case Signal.TRACES:
                traces = ExportTraceServiceRequest.FromString(payload)
                reasons, cleaned = _clean_spans(traces, received_ns), traces.SerializeToString
            case Signal.LOGS:
                logs = ExportLogsServiceRequest.FromString(payload)
                reasons, cleaned = _clean_logs(logs, received_ns), logs.SerializeToString
            case _:
                assert_never(signal)
    except DecodeError as error:
        raise MalformedTelemetry(f"not an OTLP protobuf message: {error}") from error
    return (cleaned(), Rejected(len(reasons), _summary(reasons))) if reasons else (payload, None)


def _clean_spans(request: ExportTraceServiceRequest, received_ns: int) -> list[str]:
    reasons: list[str] = []
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            reasons += _take_out(scope.spans, [_span_fault(span, received_ns) for span in scope.spans])
    return reasons


def _clean_logs(request: ExportLogsServiceRequest, received_ns: int) -> list[str]:
    reasons: list[str] = []
    for resource in request.resource_logs:
        for scope in resource.scope_logs:
            reasons += _take_out(scope.log_records, [_log_fault(record, received_ns) for record in scope.log_records])
    return reasons


def _take_out(items: MutableSequence[_Item], faults: Sequence[str]) -> list[str]:
    """Remove the items that have a fault; gives the faults."""
    if any(faults):
        kept = [item for item, fault in zip(items, faults, strict=True) if not fault]
        del items[:]
        items.extend(kept)
    return [fault for fault in faults if fault]


def _span_fault(span: Span, received_ns: int) -> str:
    if len(span.trace_id) != 16 or not any(span.trace_id):
        return "trace_id must be 16 bytes and not all zero"
    if len(span.span_id) != 8 or not any(span.span_id):
        return "span_id must be 8 bytes and not all zero"
    return _time_fault(span.start_time_unix_nano or span.end_time_unix_nano or received_ns, received_ns)


def _log_fault(record: LogRecord, received_ns: int) -> str:
    return _time_fault(record.time_unix_nano or record.observed_time_unix_nano or received_ns, received_ns)


def _time_fault(at_ns: int, received_ns: int) -> str:
    if at_ns < received_ns - MAX_AGE_NS:
        return "time is more than 400 days ago"
    return "time is more than a day ahead" if at_ns > received_ns + MAX_AHEAD_NS else ""


def _summary(reasons: list[str]) -> str:
    kinds = dict.fromkeys(reasons)
    return "; ".join(f"{reasons.count(kind)} rejected: {kind}" for kind in kinds)
