"""OTLP/JSON to OTLP protobuf by our own walk.

protobuf's ``json_format`` takes 15 times as long and reads hex ids as base64 without a word; so the
messages are declared here as tables of fields, and one walk writes their bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import orjson

from clew.model.errors import MalformedTelemetry
from clew.receive.json_fields import (
    LENGTH,
    Emit,
    WrongValue,
    base64_bytes,
    bool_bytes,
    double_bytes,
    element,
    enum,
    fixed32,
    fixed64,
    identifier,
    int64_bytes,
    kind_of,
    size,
    tag,
    text,
    uint32,
    utf8,
)
from clew.store.contract import Signal

Fields = Mapping[str, Emit]

DEPTH_LIMIT = 30
"""Levels of arrays and key-value lists inside each other; protobuf parsers stop at about that depth."""


REMEMBERED = 8192
REMEMBERED_LENGTH = 96
"""How many short values are remembered a kind of message, and what is short, in characters."""


def request_from_json(signal: Signal, body: bytes) -> bytes:
    """The ``Export*ServiceRequest`` in protobuf that a JSON body says.

    Unknown and snake_case keys are ignored and null means unset, as the specification asks. Raises
    MalformedTelemetry with the JSON path of what is wrong.
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise MalformedTelemetry(f"the body is not JSON: {error}") from None
    try:
        return _message(_REQUESTS[signal], value)
    except WrongValue as wrong:
        raise MalformedTelemetry(str(wrong)) from None


def _message(fields: Fields, value: object) -> bytes:
    if type(value) is not dict:
        raise WrongValue(f"expected an object, not {kind_of(value)}")
    out = []
    name = ""
    try:
        for name, item in value.items():
            emit = fields.get(name)
            if emit is not None and item is not None:
                out.append(emit(item))
    except WrongValue as wrong:
        wrong.path.append(name)
        raise
    return b"".join(out)


def _submessage(number: int, fields: Fields) -> Emit:
    head = tag(number, LENGTH)

    def emit(value: object) -> bytes:
        data = _message(fields, value)
        return head + size(len(data)) + data

    return emit


def _repeated(one: Emit) -> Emit:
    """A repeated field from the encoder of one element."""

    def emit(value: object) -> bytes:
        if type(value) is not list:
            raise WrongValue(f"expected an array, not {kind_of(value)}")
        out: list[bytes] = []
        try:
            for item in value:
                out.append(one(item))
        except WrongValue as wrong:
            wrong.path.append(len(out))
            raise
        return b"".join(out)

    return emit


def _messages(number: int, fields: Fields) -> Emit:
    return _repeated(_submessage(number, fields))


def _array(value: object, depth: int) -> bytes:
    return _message({"values": _repeated(_any_value(1, depth))}, value)


def _kvlist(value: object, depth: int) -> bytes:
    return _message({"values": _repeated(_key_value(1, depth))}, value)


_SCALARS: Mapping[str, tuple[bytes, Emit]] = {
    "boolValue": (b"\x10", bool_bytes),
    "intValue": (b"\x18", int64_bytes),
    "doubleValue": (b"\x21", double_bytes),
}
_SIZED: Mapping[str, tuple[bytes, Emit]] = {
    "stringValue": (b"\x0a", utf8),
    "bytesValue": (b"\x3a", base64_bytes),
}
_NESTED = {"arrayValue": (b"\x2a", _array), "kvlistValue": (b"\x32", _kvlist)}


def _any(value: object, depth: int) -> bytes:
    """An AnyValue's bytes: at most one member, kept also when it is 0, false or empty."""
    if type(value) is not dict:
        raise WrongValue(f"expected an object, not {kind_of(value)}")
    out = b""
    name = ""
    try:
        for name, item in value.items():
            if item is not None and (data := _member(name, item, depth)):
                if out:
                    raise WrongValue("a value can't be of two kinds")
                out = data
    except WrongValue as wrong:
        wrong.path.append(name)
        raise
    return out


def _member(name: str, item: object, depth: int) -> bytes:
    if name in _SIZED:
        head, convert = _SIZED[name]
        data = convert(item)
        return head + size(len(data)) + data
    if name in _SCALARS:
        head, convert = _SCALARS[name]
        return head + convert(item)
    if name in _NESTED:
        if depth >= DEPTH_LIMIT:
            raise WrongValue(f"values are nested more than {DEPTH_LIMIT} deep")
        head, nested = _NESTED[name]
        data = nested(item, depth + 1)
        return head + size(len(data)) + data
    return b""


def _any_value(number: int, depth: int = 0) -> Emit:
    head = tag(number, LENGTH)

    def emit(value: object) -> bytes:
        data = _any(value, depth)
        return head + size(len(data)) + data

    return emit


def _key_value(number: int, depth: int = 0) -> Emit:
    return _submessage(number, {"key": text(1), "value": _any_value(2, depth)})


_PLAIN = {"stringValue": str, "intValue": int}


def _attributes(number: int) -> Emit:
    """Attributes. Most of a request consists of them and most repeat, so short texts are remembered."""
    write = _key_value(number)

    @lru_cache(maxsize=REMEMBERED)
    def remember(key: str, member: str, plain: str | int) -> bytes:
        return write({"key": key, "value": {member: plain}})

    def emit(value: object) -> bytes:
        if type(value) is dict and len(value) == 2:
            key, inner = value.get("key"), value.get("value")
            if type(inner) is dict and len(inner) == 1 and type(key) is str:
                ((member, plain),) = inner.items()
                if _PLAIN.get(member) is type(plain) and (type(plain) is not str or len(plain) <= REMEMBERED_LENGTH):
                    return remember(key, member, plain)
        return write(value)

    return _repeated(emit)


_ENTITY: Fields = {
    "schemaUrl": text(1),
    "type": text(2),
    "idKeys": _repeated(element(3)),
    "descriptionKeys": _repeated(element(4)),
}
_RESOURCE: Fields = {
    "attributes": _attributes(1),
    "droppedAttributesCount": uint32(2),
    "entityRefs": _messages(3, _ENTITY),
}
_SCOPE: Fields = {
    "name": text(1),
    "version": text(2),
    "attributes": _attributes(3),
    "droppedAttributesCount": uint32(4),
}
_EVENT: Fields = {
    "timeUnixNano": fixed64(1),
    "name": text(2),
    "attributes": _attributes(3),
    "droppedAttributesCount": uint32(4),
}
_LINK: Fields = {
    "traceId": identifier(1),
    "spanId": identifier(2),
    "traceState": text(3),
    "attributes": _attributes(4),
    "droppedAttributesCount": uint32(5),
    "flags": fixed32(6),
}
_STATUS: Fields = {"message": text(2), "code": enum(3)}
_SPAN: Fields = {
    "traceId": identifier(1),
    "spanId": identifier(2),
    "traceState": text(3),
    "parentSpanId": identifier(4),
    "name": text(5),
    "kind": enum(6),
    "startTimeUnixNano": fixed64(7),
    "endTimeUnixNano": fixed64(8),
    "attributes": _attributes(9),
    "droppedAttributesCount": uint32(10),
    "events": _messages(11, _EVENT),
    "droppedEventsCount": uint32(12),
    "links": _messages(13, _LINK),
    "droppedLinksCount": uint32(14),
    "status": _submessage(15, _STATUS),
    "flags": fixed32(16),
}
_LOG_RECORD: Fields = {
    "timeUnixNano": fixed64(1),
    "severityNumber": enum(2),
    "severityText": text(3),
    "body": _any_value(5),
    "attributes": _attributes(6),
    "droppedAttributesCount": uint32(7),
    "flags": fixed32(8),
    "traceId": identifier(9),
    "spanId": identifier(10),
    "observedTimeUnixNano": fixed64(11),
    "eventName": text(12),
}
_SCOPE_SPANS: Fields = {"scope": _submessage(1, _SCOPE), "spans": _messages(2, _SPAN), "schemaUrl": text(3)}
_SCOPE_LOGS: Fields = {"scope": _submessage(1, _SCOPE), "logRecords": _messages(2, _LOG_RECORD), "schemaUrl": text(3)}
_RESOURCE_SPANS: Fields = {
    "resource": _submessage(1, _RESOURCE),
    "scopeSpans": _messages(2, _SCOPE_SPANS),
    "schemaUrl": text(3),
}
_RESOURCE_LOGS: Fields = {
    "resource": _submessage(1, _RESOURCE),
    "scopeLogs": _messages(2, _SCOPE_LOGS),
    "schemaUrl": text(3),
}
_REQUESTS: Mapping[Signal, Fields] = {
    Signal.TRACES: {"resourceSpans": _messages(1, _RESOURCE_SPANS)},
    Signal.LOGS: {"resourceLogs": _messages(1, _RESOURCE_LOGS)},
}
