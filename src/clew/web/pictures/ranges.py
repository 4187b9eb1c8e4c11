"""Quantiles as marks on a common axis of time: one row a stage, so that long and short ones can be compared."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from clew.web import words
from clew.web.pictures.axes import Tick

_UNITS = ((86_400 * 10**9, "d"), (3_600 * 10**9, "h"), (60 * 10**9, "min"), (10**9, "s"), (10**6, "ms"), (1, "ns"))
_STEPS_NS = (
    *(10**n for n in range(0, 9)),
    *(n * 10**9 for n in (1, 10, 60, 600, 3_600, 6 * 3_600, 86_400)),
    *(n * 86_400 * 10**9 for n in (7, 30, 90, 365, 3_650)),
)
_MOST_TICKS = 7


Rows = Sequence[tuple[str, Mapping[str, int | None]]]


@dataclass(frozen=True, slots=True)
class Mark:
    """A mark on a row: its place (``at``, 0 to 1), its ``kind`` (median, p90, p95, p99 or limit), its length in words
    (``text``)."""

    at: float
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its ``label``, its ``marks`` from the left, the same in words (``told``).

    ``begin`` and ``end`` are the shares of the axis of the first and the last quantile, None where none can be told.
    """

    label: str
    marks: tuple[Mark, ...]
    begin: float | None
    end: float | None
    told: str


@dataclass(frozen=True, slots=True)
class Ranges:
    """``rows`` on a logarithmic axis of time with its ``ticks``."""

    ticks: tuple[Tick, ...]
    rows: tuple[Row, ...]


def ranges(rows: Rows, beside: Rows = ()) -> Ranges:
    """Rows of lengths (ns) by their kind; None is one that can't be told.

    The axis has room for those ``beside``, too, so that two pictures can be compared.
    """
    both = (*rows, *beside)
    known = [max(1, value) for _, values in both for value in values.values() if value is not None]
    if not known:
        return Ranges((), tuple(Row(label, (), None, None, "too few to tell") for label, _ in rows))
    low = max((each for each in _STEPS_NS if each <= min(known)), default=1)
    high = next((each for each in _STEPS_NS if each >= max(known) and each > low), max(known))
    width = math.log(high / low) or 1.0

    def place(value: int) -> float:
        return math.log(max(value, low) / low) / width

    steps = [each for each in _STEPS_NS if low <= each <= high]
    every = -(-len(steps) // _MOST_TICKS)
    ticks = tuple(Tick(place(each), _tick(each)) for each in steps[::every])
    return Ranges(ticks, tuple(_row(label, values, place) for label, values in rows))


def _row(label: str, values: Mapping[str, int | None], place: Callable[[int], float]) -> Row:
    marks = tuple(Mark(place(value), kind, words.spell(value)) for kind, value in values.items() if value is not None)
    quantiles = [mark.at for mark in marks if mark.kind != "limit"]
    told = ", ".join(f"{mark.kind} {mark.text}" for mark in marks) or "too few to tell"
    return Row(label, marks, min(quantiles, default=None), max(quantiles, default=None), told)


def _tick(length_ns: int) -> str:
    size, unit = next(each for each in _UNITS if length_ns >= each[0])
    return f"{length_ns // size} {unit}"
