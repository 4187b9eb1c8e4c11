"""A look at the outermost fields of an export request, at a cost that does not grow with its spans.

The engine's parser takes bytes that happen to read as unknown fields, such as a run of the letter x,
for an empty request. A request that names no field of its own is not one.
"""

from __future__ import annotations

from clew.model.errors import MalformedTelemetry

RESERVED_FIELD = 1000
FIELDS_LOOKED_AT = 4096
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5


def check_request(payload: bytes) -> None:
    """Check the frame of an ``Export*ServiceRequest``; its only field is 1, repeated messages.

    Raises MalformedTelemetry when a field is cut off or of an impossible type, when no field is 1,
    or when a field number from 1000 on is used: Clew adds such fields itself. Looks at the first
    ``FIELDS_LOOKED_AT`` fields only, so that no request can make it slow.
    """
    at, end = 0, len(payload)
    own_fields = 0
    for _ in range(FIELDS_LOOKED_AT):
        if at == end:
            break
        tag, at = _varint(payload, at)
        number, wire_type = tag >> 3, tag & 7
        if number == 1:
            if wire_type != _LENGTH:
                raise MalformedTelemetry(f"field 1 of the request has wire type {wire_type} at byte {at}")
            own_fields += 1
        elif not 0 < number < RESERVED_FIELD:
            raise MalformedTelemetry(f"field number {number} can't be in an OTLP request, at byte {at}")
        at = _skip(payload, at, wire_type)
        if at > end:
            raise MalformedTelemetry("the request ends inside a field")
    if end and not own_fields:
        raise MalformedTelemetry("the request has no field that OTLP knows")


def _skip(payload: bytes, at: int, wire_type: int) -> int:
    if wire_type == _LENGTH:
        size, at = _varint(payload, at)
        return at + size
    if wire_type == _VARINT:
        return _varint(payload, at)[1]
    if wire_type in (_FIXED64, _FIXED32):
        return at + (8 if wire_type == _FIXED64 else 4)
    raise MalformedTelemetry(f"wire type {wire_type} at byte {at} is not protobuf 3")


def _varint(payload: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    try:
        while True:
            byte = payload[at]
            at += 1
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                return number, at
            shift += 7
            if shift > 63:
                raise MalformedTelemetry(f"a number at byte {at} has more than ten bytes")
    except IndexError:
        raise MalformedTelemetry("the request ends inside a number") from None
