"""What readers hand on: batches of columns, and the lines they could not read."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, Protocol

from clew.model.errors import ClewError

BATCH_ROWS = 5_000
"""Rows that are read, recognised and encoded at once: few enough for the caches, many enough to amortise the calls."""

LONGEST_LINE = 4 * 1024 * 1024
"""Bytes of a line of text; a longer one is no line of a log, and would be held in memory whole."""


class HistoryError(ClewError):
    """A history can't be read or isn't understood; ``mend`` says what to do, ``of_call`` that an option is wrong."""

    def __init__(self, message: str, mend: str, *, of_call: bool = False) -> None:
        super().__init__(message)
        self.mend = mend
        self.of_call = of_call


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that gives no event: its number, counted from 1, and why."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows as columns, all as long as ``lines``, which holds the number of each row; a missing value is None.

    Values are texts, numbers, bools, or lists and mappings of those. ``attributes`` are columns that can have no role.
    """

    lines: Sequence[int]
    columns: Mapping[str, Sequence[Any]]
    bad: Sequence[BadLine] = ()
    attributes: Mapping[str, Sequence[Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Names:
    """Columns that a format itself says what they are for, first choice first; they go before common names.

    ``prescribed``: the format leaves no doubt, so nothing is guessed.
    """

    order: tuple[str, ...] = ()
    stage: tuple[str, ...] = ()
    time: tuple[str, ...] = ()
    service: tuple[str, ...] = ()
    prescribed: bool = False


@dataclass(slots=True)
class Progress:
    """How far a reading is, in whatever the source counts; ``total`` is 0 when nobody knows."""

    done: int = 0
    total: int = 0


@dataclass(slots=True)
class Remarks:
    """What a reading found worth telling, by a fixed wording: counts, not lines."""

    counts: dict[str, int] = field(default_factory=dict)

    def add(self, wording: str, number: int = 1) -> None:
        """Count something; the wording has a place ``{n}`` for the number."""
        self.counts[wording] = self.counts.get(wording, 0) + number

    def told(self) -> list[str]:
        """Each remark in words."""
        return [wording.replace("{n}", str(number)) for wording, number in self.counts.items() if number]


class Source(Protocol):
    """A history that can be read again and again, each time from the start.

    ``unit`` is what its lines are called: line, row, event. ``zone`` is the zone that the format itself prescribes
    for times without one, or empty.
    """

    @property
    def format(self) -> str: ...  # noqa: D102
    @property
    def unit(self) -> str: ...  # noqa: D102
    @property
    def zone(self) -> str: ...  # noqa: D102
    @property
    def names(self) -> Names: ...  # noqa: D102
    @property
    def progress(self) -> Progress: ...  # noqa: D102
    @property
    def remarks(self) -> Remarks: ...  # noqa: D102

    def batches(self) -> Iterator[Batch]:
        """The rows in their order. Raises HistoryError when the source can't be read on."""
        ...

    def close(self) -> None:
        """Give back what is open."""
        ...


@dataclass(slots=True)
class BaseSource:
    """What every source has."""

    format: str
    unit: str = "line"
    zone: str = ""
    names: Names = field(default_factory=Names)
    progress: Progress = field(default_factory=Progress)
    remarks: Remarks = field(default_factory=Remarks)

    def close(self) -> None:
        """Nothing stays open between two readings."""


def gathered(rows: Sequence[Mapping[str, Any]], lines: Sequence[int], bad: Sequence[BadLine]) -> Batch:
    """Rows that each name their fields as a batch; a field that some rows lack is None there, a nested one has dots."""
    columns = _columns(rows)
    if any(dict in set(map(type, values)) for values in columns.values()):
        columns = _columns([flattened(row) for row in rows])
    return Batch(lines, columns, bad)


def _columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, Sequence[Any]]:
    names = tuple(rows[0]) if rows else ()
    if len(names) > 1 and set(map(len, rows)) == {len(names)}:
        # As many fields as the first row has, and all of its: the same fields.
        with contextlib.suppress(KeyError):
            values = zip(*map(itemgetter(*names), rows), strict=True)
            return dict(zip(names, values, strict=True))
    every = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in every}


def flattened(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row without nested mappings: ``{"order": {"id": 1}}`` becomes ``{"order.id": 1}``."""
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, dict):
            flat |= {f"{name}.{inner}": each for inner, each in flattened(value).items()}
        else:
            flat[name] = value
    return flat
