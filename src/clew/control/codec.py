"""Frozen dataclasses to JSON and back, strictly: what can't have been written by us is refused, with the place.

Text, numbers, truth values, enums, None, tuples (lists in JSON), mappings with text keys, and dataclasses of these.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from clew.model.errors import ControlError

Json = Any
# A type as typing describes it, and a value of one.
_Kind = Any
_Any = Any
_Value = TypeVar("_Value")
_Write = Callable[[Any], Json]
_Read = Callable[[Json, str], Any]

_PLAIN = (str, int, float, bool, NoneType)


def to_json(value: object) -> Json:
    """A dataclass as a dict with all its fields. Raises TypeError for a type that isn't listed above."""
    return _writer(cast("Hashable", type(value)))(value)


def from_json(kind: type[_Value], data: Json) -> _Value:
    """The dataclass that `to_json` made this of; fields that have a default may be missing.

    Raises ControlError that names the place for anything else.
    """
    value: _Value = _reader(cast("Hashable", kind))(data, kind.__name__)
    return value


@cache
def _writer(kind: _Kind) -> _Write:
    if kind in _PLAIN:
        return _same
    if is_dataclass(kind):
        writers = [(name, _writer(hint)) for name, hint in get_type_hints(kind).items()]
        return lambda value: {name: write(getattr(value, name)) for name, write in writers}
    if isinstance(kind, type) and issubclass(kind, Enum):
        return lambda value: value.value
    origin: _Kind = get_origin(kind)
    if origin in (Union, UnionType):
        return _optional_writer(kind)
    if origin is tuple:
        items = get_args(kind)
        if items[-1] is Ellipsis:
            write = _writer(items[0])
            return list if write is _same else lambda value: [write(item) for item in value]
        return lambda value: [_writer(item)(each) for item, each in zip(items, value, strict=True)]
    if origin is Mapping and get_args(kind)[0] is str:
        write_one = _writer(get_args(kind)[1])
        return lambda value: {key: write_one(item) for key, item in value.items()}
    raise TypeError(f"{kind} has no JSON form")


def _same(value: _Any) -> Json:
    return value


def _inner(kind: _Kind) -> _Kind:
    """What a value is unless it is None."""
    found = [each for each in get_args(kind) if each is not NoneType]
    if len(found) != 1:
        raise TypeError(f"{kind} has no JSON form")
    return found[0]


def _optional_writer(kind: _Kind) -> _Write:
    write = _writer(_inner(kind))
    return lambda value: None if value is None else write(value)


@cache
def _reader(kind: _Kind) -> _Read:
    if kind in _PLAIN:
        return _plain_reader(kind)
    if is_dataclass(kind):
        return _dataclass_reader(kind)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _enum_reader(kind)
    origin: _Kind = get_origin(kind)
    if origin in (Union, UnionType):
        read = _reader(_inner(kind))
        return lambda data, place: None if data is None else read(data, place)
    if origin is tuple:
        return _tuple_reader(get_args(kind))
    if origin is Mapping and get_args(kind)[0] is str:
        return _mapping_reader(_reader(get_args(kind)[1]))
    raise TypeError(f"{kind} has no JSON form")


def _plain_reader(kind: type) -> _Read:
    def read(data: Json, place: str) -> _Any:
        if type(data) is kind:
            return data
        if kind is float and type(data) is int:
            return float(data)
        raise _wrong(place, kind.__name__, data)

    return read


def _enum_reader(kind: type[Enum]) -> _Read:
    members = {member.value: member for member in kind}

    def read(data: Json, place: str) -> Enum:
        if isinstance(data, str) and data in members:
            return members[data]
        raise _wrong(place, kind.__name__, data)

    return read


def _tuple_reader(items: tuple[Any, ...]) -> _Read:
    readers = [_reader(item) for item in items if item is not Ellipsis]
    many = items[-1] is Ellipsis

    def read(data: Json, place: str) -> tuple[Any, ...]:
        if not isinstance(data, list) or not (many or len(data) == len(readers)):
            raise _wrong(place, "a list", data)
        each = readers * len(data) if many else readers
        return tuple(one(item, f"{place}[{at}]") for at, (one, item) in enumerate(zip(each, data, strict=True)))

    return read


def _mapping_reader(read_one: _Read) -> _Read:
    def read(data: Json, place: str) -> dict[str, Any]:
        if not isinstance(data, dict):
            raise _wrong(place, "a mapping", data)
        return {key: read_one(item, f"{place}.{key}") for key, item in data.items()}

    return read


def _dataclass_reader(kind: _Kind) -> _Read:
    hints = get_type_hints(kind)
    readers = {each.name: _reader(hints[each.name]) for each in fields(kind)}
    needed = {each.name for each in fields(kind) if not _has_default(each)}

    def read(data: Json, place: str) -> _Any:
        if not isinstance(data, dict) or data.keys() - readers.keys() or needed - data.keys():
            raise _wrong(place, kind.__name__, data)
        return kind(**{name: readers[name](item, f"{place}.{name}") for name, item in data.items()})

    return read


def _has_default(field: Field[Any]) -> bool:
    return field.default is not MISSING or field.default_factory is not MISSING


def _wrong(place: str, wanted: str, data: Json) -> ControlError:
    found = sorted(data) if isinstance(data, dict) else data
    return ControlError(f"the control database has something else than {wanted} at {place}: {str(found)[:100]!r}")
