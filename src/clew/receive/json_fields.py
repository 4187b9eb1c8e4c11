"""Fields of OTLP/JSON as protobuf: each function here takes a JSON value and gives a field's bytes.

Source: OTLP specification, "JSON Protobuf Encoding", and the proto3 JSON mapping: 64-bit integers
as decimal strings or numbers, ids as hex, enums as integers only, other bytes as base64.
"""

from __future__ import annotations

import base64
import binascii
import math
import struct
from collections.abc import Callable

from clew.receive.status import varint

Emit = Callable[[object], bytes]

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
_SHORT = [varint(n) for n in range(1 << 14)]
_SHORT_COUNT = len(_SHORT)
_MOST_32 = (1 << 32) - 1
_MOST_64 = (1 << 64) - 1
_U64 = struct.Struct("<Q").pack
_U32 = struct.Struct("<I").pack
_F64 = struct.Struct("<d").pack
_DOUBLE_NAMES = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


class WrongValue(Exception):
    """A JSON value that the field can't hold; ``path`` grows on the way up, innermost first."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.path: list[str | int] = []

    def __str__(self) -> str:
        """The JSON path of the value and what is wrong with it."""
        steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in reversed(self.path))
        return f"{''.join(steps).lstrip('.') or 'request'}: {self.args[0]}"


def tag(number: int, wire_type: int) -> bytes:
    """The bytes before a field's value."""
    return varint(number << 3 | wire_type)


def size(length: int) -> bytes:
    """A varint, such as the one that says how long a field is; short ones come from a table."""
    return _SHORT[length] if length < _SHORT_COUNT else varint(length)


def text(number: int) -> Emit:
    """A string field; the empty string is the default and takes no bytes."""
    head = tag(number, LENGTH)

    def emit(value: object) -> bytes:
        data = utf8(value)
        return head + size(len(data)) + data if data else b""

    return emit


def element(number: int) -> Emit:
    """One of a list of strings, where the empty string counts too."""
    head = tag(number, LENGTH)

    def emit(value: object) -> bytes:
        data = utf8(value)
        return head + size(len(data)) + data

    return emit


def identifier(number: int) -> Emit:
    """A trace or span id: hex digits of either case, not base64."""
    head = tag(number, LENGTH)

    def emit(value: object) -> bytes:
        if type(value) is not str:
            raise WrongValue(f"expected hex digits, not {kind_of(value)}")
        try:
            data = binascii.unhexlify(value)
        except ValueError:
            raise WrongValue("expected an even number of hex digits") from None
        return head + size(len(data)) + data if data else b""

    return emit


def fixed64(number: int) -> Emit:
    """A time: unsigned, 64 bits, as a decimal string or a number."""
    head = tag(number, FIXED64)

    def emit(value: object) -> bytes:
        count = integer(value, 0, _MOST_64)
        return head + _U64(count) if count else b""

    return emit


def fixed32(number: int) -> Emit:
    """A set of flags: unsigned, 32 bits."""
    head = tag(number, FIXED32)

    def emit(value: object) -> bytes:
        count = integer(value, 0, _MOST_32)
        return head + _U32(count) if count else b""

    return emit


def uint32(number: int) -> Emit:
    """A count: unsigned, 32 bits."""
    head = tag(number, VARINT)

    def emit(value: object) -> bytes:
        count = integer(value, 0, _MOST_32)
        return head + size(count) if count else b""

    return emit


def enum(number: int) -> Emit:
    """An enum: an integer, also one that nobody has named yet; names are not OTLP/JSON."""
    head = tag(number, VARINT)

    def emit(value: object) -> bytes:
        if type(value) is not int:
            raise WrongValue(f"expected the number of an enum value, not {kind_of(value)}")
        count = integer(value, -(1 << 31), (1 << 31) - 1)
        return head + size(count & _MOST_64) if count else b""

    return emit


def integer(value: object, least: int, most: int) -> int:
    """An integer from a number or a decimal string, within its range."""
    if type(value) is int:
        count = value
    elif type(value) is str:
        count = _decimal(value)
    elif type(value) is float and value.is_integer():
        count = int(value)
    else:
        raise WrongValue(f"expected an integer, not {kind_of(value)}")
    if not least <= count <= most:
        raise WrongValue(f"{count} is outside of {least} to {most}")
    return count


def _decimal(digits: str) -> int:
    unsigned = digits.removeprefix("-")
    if len(unsigned) > 20 or not (unsigned.isdigit() and unsigned.isascii()):
        raise WrongValue("expected a decimal integer")
    return int(digits)


def utf8(value: object) -> bytes:
    """A string's bytes."""
    if type(value) is not str:
        raise WrongValue(f"expected a string, not {kind_of(value)}")
    return value.encode()


def int64_bytes(value: object) -> bytes:
    """A signed integer as a varint of ten bytes when negative."""
    return size(integer(value, -(1 << 63), (1 << 63) - 1) & _MOST_64)


def bool_bytes(value: object) -> bytes:
    """true or false."""
    if type(value) is not bool:
        raise WrongValue(f"expected true or false, not {kind_of(value)}")
    return b"\x01" if value else b"\x00"


def double_bytes(value: object) -> bytes:
    """A number, a number in a string, or "NaN", "Infinity", "-Infinity"."""
    if type(value) is str:
        value = _double_from(value)
    if type(value) not in (float, int):
        raise WrongValue(f"expected a number, not {kind_of(value)}")
    return _F64(value)


def _double_from(name: str) -> float:
    if name in _DOUBLE_NAMES:
        return _DOUBLE_NAMES[name]
    try:
        number = float(name)
    except ValueError:
        raise WrongValue("expected a number") from None
    if not math.isfinite(number) or "_" in name or name != name.strip():
        raise WrongValue("expected a number")
    return number


def base64_bytes(value: object) -> bytes:
    """Bytes in base64 of either alphabet, padded or not."""
    if type(value) is not str:
        raise WrongValue(f"expected base64, not {kind_of(value)}")
    standard = value.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except ValueError:
        raise WrongValue("expected base64") from None


def kind_of(value: object) -> str:
    """What JSON calls a value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, str):
        return "a string"
    if isinstance(value, int | float):
        return "a number"
    return "an array" if isinstance(value, list) else "an object"
