"""What a sender is told: one table turns errors into HTTP and gRPC statuses, with their bodies.

Sources: OTLP specification ("Failures", "OTLP/HTTP Response") and what exporters do. Clients drop a batch on every
status but 429, 502, 503 and 504, so whatever may work later is 503 or UNAVAILABLE, never 500.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from enum import IntEnum

import orjson
from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import MessageToDict
from google.rpc.error_details_pb2 import BadRequest, RetryInfo  # type: ignore[import-untyped]
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]

from clew.model.errors import (
    IngestError,
    MalformedTelemetry,
    Overloaded,
    TelemetryTooLarge,
    UnsupportedEncoding,
)
from clew.store.contract import Rejected

log = logging.getLogger(__name__)

MESSAGE_LIMIT = 1000
PROTOBUF = "application/x-protobuf"
JSON = "application/json"


class Code(IntEnum):
    """The codes of google.rpc.Code that Clew answers."""

    OK = 0
    INVALID_ARGUMENT = 3
    NOT_FOUND = 5
    RESOURCE_EXHAUSTED = 8
    UNIMPLEMENTED = 12
    UNAVAILABLE = 14


@dataclass(frozen=True, slots=True)
class Answer:
    """A refusal in both languages. ``retry_after_s`` is None when sending again can't help."""

    http: int
    code: Code
    message: str
    retry_after_s: int | None = None


class HttpRefusal(Exception):
    """A request that only HTTP can get wrong: an unknown path, another method."""

    def __init__(self, answer: Answer, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        super().__init__(answer.message)
        self.answer = answer
        self.headers = headers


TABLE: tuple[tuple[type[Exception], int, Code], ...] = (
    (MalformedTelemetry, 400, Code.INVALID_ARGUMENT),
    (TelemetryTooLarge, 413, Code.RESOURCE_EXHAUSTED),
    (UnsupportedEncoding, 415, Code.INVALID_ARGUMENT),
)


def answer_to(error: Exception) -> Answer:
    """The answer to an error. What no row of the table names may work later, so it is retryable."""
    if isinstance(error, HttpRefusal):
        return error.answer
    for kind, http, code in TABLE:
        if isinstance(error, kind):
            return Answer(http, code, _short(str(error)))
    if isinstance(error, Overloaded):
        return Answer(503, Code.UNAVAILABLE, _short(str(error)), error.retry_after_s)
    return Answer(503, Code.UNAVAILABLE, "Clew could not take this now", 1)


def report_surprise(error: Exception) -> None:
    """Log what nobody foresaw; refusals are everyday business and would flood the log under load."""
    if not isinstance(error, IngestError | HttpRefusal):
        log.error("a request met an error that Clew does not know", exc_info=error)


def status_of(answer: Answer) -> Status:
    """The ``google.rpc.Status`` of an answer, with BadRequest or RetryInfo among its details."""
    status = Status(code=answer.code, message=answer.message)
    if answer.code is Code.INVALID_ARGUMENT:
        violation = BadRequest.FieldViolation(description=answer.message)
        status.details.add().Pack(BadRequest(field_violations=[violation]))
    if answer.retry_after_s is not None:
        status.details.add().Pack(retry_info(answer.retry_after_s))
    return status


def retry_info(seconds: int) -> RetryInfo:
    """``google.rpc.RetryInfo`` with that delay."""
    return RetryInfo(retry_delay=Duration(seconds=seconds))


def status_body(answer: Answer, content_type: str) -> bytes:
    """The body of an HTTP error: a Status in the encoding of the request."""
    status = status_of(answer)
    return status.SerializeToString() if content_type == PROTOBUF else orjson.dumps(MessageToDict(status))


def success_body(rejected: Rejected | None, signal_field: str, content_type: str) -> bytes:
    """The body of a success: empty, or with ``partial_success`` when items were left out.

    ``signal_field`` is the JSON name of the count: ``rejectedSpans`` or ``rejectedLogRecords``; in
    protobuf both are field 1 of ``partial_success``, which is field 1 of the response.
    """
    if content_type == JSON:
        if rejected is None:
            return b"{}"
        partial = {signal_field: str(rejected.items), "errorMessage": _short(rejected.reason)}
        return orjson.dumps({"partialSuccess": partial})
    return success_message(rejected)


def success_message(rejected: Rejected | None) -> bytes:
    """``Export*ServiceResponse`` in protobuf; the responses of all signals have the same shape."""
    if rejected is None:
        return b""
    reason = _short(rejected.reason).encode()
    partial = b"".join(
        (b"\x08" + varint(rejected.items) if rejected.items else b"", b"\x12", varint(len(reason)), reason)
    )
    return b"\x0a" + varint(len(partial)) + partial


def varint(number: int) -> bytes:
    """A non-negative integer as a protobuf varint."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _short(text: str) -> str:
    return text if len(text) <= MESSAGE_LIMIT else text[: MESSAGE_LIMIT - 1] + "…"
