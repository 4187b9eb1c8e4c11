"""Entries into stages by hour of the week: a bar in each hour, whose height and depth both say how many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

HOURS = 168
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
CELL = 6.0
"""Pixels across of one hour."""
HIGH = 22.0
"""Pixels upright of one stage."""
LEVELS = 5


@dataclass(frozen=True, slots=True)
class Cell:
    """An hour in which something began: its bar (``x``, ``y``, ``height``), its ``level`` (1 to 5), and the number in
    words (``text``)."""

    x: float
    y: float
    height: float
    level: int
    text: str


@dataclass(frozen=True, slots=True)
class HeatRow:
    """A stage (``label``) at ``y`` with the bars of its hours (``cells``) and all its ``entries``; ``most`` is its
    largest number, to which its bars are drawn."""

    label: str
    y: float
    entries: int
    most: int
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class HeatPicture:
    """``rows`` of stages over one week, ``width`` by ``height`` pixels."""

    width: float
    height: float
    rows: tuple[HeatRow, ...]


def heat_picture(stages: Sequence[tuple[str, Sequence[int]]]) -> HeatPicture:
    """Stages with their 168 counts from Monday 00:00 on. Each row has its own scale: pauses of rare stages show,
    too."""
    rows = tuple(_row(label, hours, index * (HIGH + 4)) for index, (label, hours) in enumerate(stages))
    return HeatPicture(HOURS * CELL, len(rows) * (HIGH + 4), rows)


def _row(label: str, hours: Sequence[int], y: float) -> HeatRow:
    most = max(hours, default=0)
    cells = tuple(
        Cell(
            x=hour * CELL,
            y=round(y + HIGH - max(2.0, count / most * HIGH), 1),
            height=round(max(2.0, count / most * HIGH), 1),
            level=max(1, -(-count * LEVELS // most)),
            text=f"{label}, {DAYS[hour // 24]} {hour % 24:02d}:00: {count:,}",
        )
        for hour, count in enumerate(hours)
        if count
    )
    return HeatRow(label, y, sum(hours), most, cells)
