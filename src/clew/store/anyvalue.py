"""AnyValue texts back to typed values: the inverse of what the intake's views write.

The tables keep each attribute as a text beside its kind. Scalars are their plain text; arrays, key-value lists and
bytes are the base64 of their raw protobuf, so nothing is lost.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence

from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import AnyValue as WireValue
from opentelemetry.proto.common.v1.common_pb2 import ArrayValue, KeyValueList

Scalar = str | bool | int | float | bytes | None
Value = Scalar | list["Value"] | dict[str, "Value"]
Attributes = tuple[tuple[str, Value], ...]
"""Attributes in the order in which they were sent; a key that was sent twice is there twice."""


def decode_attributes(keys: Sequence[str], texts: Sequence[str], kinds: Sequence[str]) -> Attributes:
    """Typed attributes from the three columns that hold them."""
    return tuple((key, decode_value(text, kind)) for key, text, kind in zip(keys, texts, kinds, strict=True))


def decode_value(text: str, kind: str) -> Value:
    """One value by its AnyValue kind (``int_value``, ...); ``unset`` is None.

    A text that doesn't fit its kind was masked on the way in, and is given as it stands.
    """
    decode = _DECODERS.get(kind)
    if decode is None:
        return text
    try:
        return decode(text)
    except (ValueError, DecodeError):
        return text


def _bool(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(text)
    return text == "true"


def _array(text: str) -> Value:
    return [_from_wire(each) for each in ArrayValue.FromString(b64decode(text, validate=True)).values]


def _key_values(text: str) -> Value:
    return _fields(KeyValueList.FromString(b64decode(text, validate=True)))


def _fields(wire: KeyValueList) -> dict[str, Value]:
    return {each.key: _from_wire(each.value) for each in wire.values}


def _from_wire(wire: WireValue) -> Value:
    match wire.WhichOneof("value"):
        case None:
            return None
        case "array_value":
            return [_from_wire(each) for each in wire.array_value.values]
        case "kvlist_value":
            return _fields(wire.kvlist_value)
        case name:
            scalar: Scalar = getattr(wire, name)
            return scalar


_DECODERS: Mapping[str, Callable[[str], Value]] = {
    "unset": lambda _: None,
    "bool_value": _bool,
    "int_value": int,
    "double_value": float,
    "array_value": _array,
    "kvlist_value": _key_values,
    "bytes_value": lambda text: b64decode(text, validate=True),
}
