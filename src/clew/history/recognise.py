"""Rows to stage events: strictly by the roles and the clock that were found, with every row accounted for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import compress, repeat
from typing import Any

import orjson

from clew.history.columns import Roles
from clew.history.rows import BadLine, Batch
from clew.history.times import Clock
from clew.history.zones import BadTime

LONGEST_NAME = 1_000
"""Characters of an order id or a stage; anything longer is a text, and the column the wrong one."""

_READ = ("order", "stage", "time", "due")
_OTHERS = ("path", "service", "actor", "user")
Fields = Mapping[str, list[str]]
"""The texts of the roles that are read, row by row, without spaces around them."""

LARGEST_EVENT = 1024 * 1024
"""Bytes of one event as it is sent."""

_MOST_BYTES = 6
"""A character is six bytes of JSON at most: ``\\u001f``."""


@dataclass(frozen=True, slots=True)
class Events:
    """Recognised rows: lists of equal length, and the batch's other columns cut to the same rows.

    ``others`` are the columns of roles that need no reading, ``attributes`` those without a role.
    """

    lines: Sequence[int]
    orders: Sequence[str]
    stages: Sequence[str]
    at_ns: Sequence[int]
    due_ns: Sequence[int]
    others: Mapping[str, Sequence[Any]]
    attributes: Mapping[str, Sequence[Any]]

    def __len__(self) -> int:
        return len(self.orders)

    def encoded(self) -> list[bytes]:
        """Each event as a line of JSON as the API takes it."""
        dump, append = orjson.dumps, orjson.OPT_APPEND_NEWLINE
        path, service, actor, user = (_stripped(self.others.get(role)) or repeat("") for role in _OTHERS)
        wanted = zip(
            self.orders, self.stages, self.at_ns, path, service, actor, user, self.due_ns, self._attributes_of_each(),
            strict=False,
        )  # fmt: skip
        return [dump(event, option=append) for event in wanted]

    def without_large(self) -> tuple[Events, list[BadLine]]:
        """The events that can be sent, and the lines of those that are too large for it."""
        rest = [*self.others.values(), *self.attributes.values()]
        longest = sum(max(map(len, texts_of(column)), default=0) for column in rest) + sum(map(len, self.attributes))
        if (longest + 3 * LONGEST_NAME) * _MOST_BYTES <= LARGEST_EVENT:
            return self, []
        fits = [len(line) <= LARGEST_EVENT for line in self.encoded()]
        told = f"it would be an event of more than {LARGEST_EVENT // 1024} KiB"
        bad = [BadLine(number, told) for number, fit in zip(self.lines, fits, strict=True) if not fit]
        return (self._cut(fits), bad) if bad else (self, [])

    def _cut(self, good: Sequence[bool]) -> Events:
        def cut(values: Sequence[Any]) -> list[Any]:
            return list(compress(values, good))

        others, attributes = (
            {name: cut(values) for name, values in held.items()} for held in (self.others, self.attributes)
        )
        return Events(
            cut(self.lines), cut(self.orders), cut(self.stages), cut(self.at_ns), cut(self.due_ns), others, attributes
        )

    def _attributes_of_each(self) -> Iterator[dict[str, str]]:
        """Attributes of each row, without those that are empty."""
        names = tuple(self.attributes)
        if not names:
            return repeat({}, len(self))
        columns = [texts_of(column) for column in self.attributes.values()]
        rows = zip(*columns, strict=True)
        if all(map(all, columns)):
            return (dict(zip(names, row)) for row in rows)  # noqa: B905 - as long as each other, and asked a million times
        return ({name: value for name, value in zip(names, row, strict=True) if value} for row in rows)


def _stripped(column: Sequence[Any] | None) -> list[str]:
    """Values as texts without spaces around them."""
    return list(map(str.strip, texts_of(column))) if column is not None else []


def texts_of(values: Sequence[Any]) -> Sequence[str]:
    """Values as texts: what is no text as JSON, and nothing as an empty text."""
    if set(map(type, values)) <= {str}:
        return values
    return [value if type(value) is str else text_of(value) for value in values]


def text_of(value: object) -> str:
    """One value as text."""
    match value:
        case None:
            return ""
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case datetime() | date():
            return value.isoformat()
        case bytes() | bytearray() | memoryview():
            return bytes(value).hex()
        case float():
            return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
        case list() | dict() | tuple():
            return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
        case _:
            return str(value)


class Recogniser:
    """Turns batches into events."""

    def __init__(self, roles: Roles, clock: Clock, due: Clock | None) -> None:
        self.roles = roles
        self.clock = clock
        self.due = due

    def recognise(self, batch: Batch) -> tuple[Events, list[BadLine]]:
        """The events of a batch, and its bad lines: those that the reader found and those without order, stage or time.

        Every row of the batch is either an event or a bad line.
        """
        of, nothing = self.roles.of, [""] * len(batch.lines)
        fields = {role: _stripped(batch.columns[of[role]]) for role in _READ if of.get(role) in batch.columns}
        fields = {role: fields.get(role, nothing) for role in _READ}
        read = self._read_all(fields)
        if read is not None:
            events, large = self._events(batch, fields, *read).without_large()
            return events, [*batch.bad, *large]
        rows = [self._read(*row) for row in zip(*(fields[role] for role in _READ), strict=True)]
        good = [not isinstance(row, str) for row in rows]
        bad = [BadLine(line, row) for line, row in zip(batch.lines, rows, strict=True) if isinstance(row, str)]
        read_rows = [row for row in rows if not isinstance(row, str)]
        columns, attributes = (
            {name: list(compress(values, good)) for name, values in held.items()}
            for held in (batch.columns, batch.attributes)
        )
        kept = Batch(list(compress(batch.lines, good)), columns, attributes=attributes)
        fields = {role: list(compress(values, good)) for role, values in fields.items()}
        at_ns, due_ns = [at for at, _ in read_rows], [due for _, due in read_rows]
        events, large = self._events(kept, fields, at_ns, due_ns).without_large()
        return events, [*batch.bad, *bad, *large]

    def _events(self, batch: Batch, fields: Fields, at_ns: Sequence[int], due_ns: Sequence[int]) -> Events:
        of, columns = self.roles.of, batch.columns
        others = {role: columns[of[role]] for role in _OTHERS if of.get(role) in columns}
        taken = set(of.values())
        attributes = {name: values for name, values in columns.items() if name not in taken} | dict(batch.attributes)
        return Events(batch.lines, fields["order"], fields["stage"], at_ns, due_ns, others, attributes)

    def _read_all(self, fields: Fields) -> tuple[list[int], list[int]] | None:
        """Moments and due dates of all rows; None when one of them is wrong."""
        orders, stages = fields["order"], fields["stage"]
        if not (all(orders) and all(stages)):
            return None
        if orders and max(len(max(orders, key=len)), len(max(stages, key=len))) > LONGEST_NAME:
            return None
        try:
            due = self.due
            dues = [due.read(text) if text else 0 for text in fields["due"]] if due else [0] * len(orders)
            return self.clock.read_all(fields["time"]), dues
        except ValueError:
            return None

    def _read(self, order: str, stage: str, time: str, due: str) -> tuple[int, int] | str:
        """Moment and due date of a row, or what is wrong with it."""
        of = self.roles.of
        for role, text in (("order", order), ("stage", stage), ("time", time)):
            if not text:
                return f"no {role}: column {of[role]} is empty"
            if len(text) > LONGEST_NAME:
                return f"column {of[role]} holds a text of {len(text)} characters, which is no {role}"
        role, text, clock = "time", time, self.clock
        try:
            at_ns = clock.read(text)
            if not due or self.due is None:
                return at_ns, 0
            role, text, clock = "due date", due, self.due
            return at_ns, clock.read(text)
        except BadTime as error:
            return f"{role} {text[:60]!r}: {error}"
