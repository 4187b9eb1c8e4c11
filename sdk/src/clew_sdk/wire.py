"""OTLP log requests, encoded by hand.

The generated protobuf classes cost several times the request-path budget of a stage event, and this needs one message
only. A useful property of protobuf: the concatenation of two encoded requests is one request with the content of both,
so a row of the outbox is a complete request and a batch is a plain join of rows.

Field numbers: opentelemetry/proto/{collector/logs,logs,common,resource}/v1 of opentelemetry-proto 1.x.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from struct import Struct

Value = str | bool | int | float | Sequence["Value"]

LOG_ATTRIBUTE = 0x32
SEVERITY_INFO = 9
SEVERITY_ERROR = 17

_SHORT = 0x80 - 6
_DOUBLE = Struct("<d").pack
_FIXED64 = Struct("<Q").pack


def varint(number: int) -> bytes:
    """A number as a base-128 varint; negative numbers as their 64-bit two's complement."""
    if 0 <= number < 0x80:
        return bytes((number,))
    number &= 0xFFFFFFFFFFFFFFFF
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def block(tag: int, content: bytes) -> bytes:
    """A length-delimited field; ``tag`` is the whole tag byte, field number and wire type."""
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    return bytes((tag,)) + varint(size) + content


def any_value(value: Value) -> bytes:
    """An AnyValue. False, 0 and "" stay distinguishable from a missing value.

    Raises TypeError for a type OTLP has no value for.
    """
    if isinstance(value, str):
        return block(0x0A, value.encode("utf-8", "replace"))
    if isinstance(value, bool):
        return b"\x10\x01" if value else b"\x10\x00"
    if isinstance(value, int):
        return b"\x18" + varint(value)
    if isinstance(value, float):
        return b"\x21" + _DOUBLE(value)
    if isinstance(value, Sequence):
        return block(0x2A, b"".join([block(0x0A, any_value(item)) for item in value]))
    raise TypeError(f"an attribute value can't be a {type(value).__name__}: {value!r}")


def key_values(tag: int, attributes: Mapping[str, Value]) -> bytes:
    """Attributes as repeated KeyValue fields under ``tag``."""
    return b"".join([_key_value(tag, key, value) for key, value in attributes.items()])


def _key_value(tag: int, key: str, value: Value) -> bytes:
    if isinstance(value, str):
        name, text = key.encode("utf-8", "replace"), value.encode("utf-8", "replace")
        named, size = len(name), len(text)
        if named + size < _SHORT:  # each length fits one byte: nearly always so, and most of an event's cost
            return bytes((tag, named + size + 6, 0x0A, named)) + name + bytes((0x12, size + 2, 0x0A, size)) + text
    return block(tag, block(0x0A, key.encode("utf-8", "replace")) + block(0x12, any_value(value)))


def log_record(
    at_ns: int, event_name: str, severity: int, attributes: bytes, trace_id: int = 0, span_id: int = 0
) -> bytes:
    """An OTLP LogRecord that is an Event; ``attributes`` are encoded under LOG_ATTRIBUTE, ids 0 mean no span."""
    time = _FIXED64(at_ns)
    place = b""
    if trace_id and span_id:
        place = b"\x4a\x10" + trace_id.to_bytes(16, "big") + b"\x52\x08" + span_id.to_bytes(8, "big")
    return b"".join(
        (b"\x09", time, b"\x59", time, bytes((0x10, severity)), attributes, place, block(0x62, event_name.encode()))
    )


class Envelope:
    """Wraps log records of one resource and scope into complete ExportLogsServiceRequests."""

    def __init__(self, resource: Mapping[str, Value], scope: str, version: str) -> None:
        self._resource = block(0x0A, key_values(0x0A, resource))
        self._scope = block(0x0A, block(0x0A, scope.encode()) + block(0x12, version.encode()))

    def request(self, record: bytes) -> bytes:
        """One ExportLogsServiceRequest that holds the record."""
        scope_logs = block(0x12, self._scope + block(0x12, record))
        return block(0x0A, self._resource + scope_logs)


def batch(requests: Iterable[bytes]) -> bytes:
    """One request with the content of all."""
    return b"".join(requests)
