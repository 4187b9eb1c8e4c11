"""Labels along the timeline: times of day that people count in, and marks whose labels stay apart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from clew.web.pages.order.drawing import Mark, Tick
from clew.web.pages.order.scale import Stretch, TimeScale

_MS, _S = 10**6, 10**9
_STEPS = (
    1 * _MS, 2 * _MS, 5 * _MS, 10 * _MS, 20 * _MS, 50 * _MS, 100 * _MS, 200 * _MS, 500 * _MS,
    1 * _S, 2 * _S, 5 * _S, 10 * _S, 15 * _S, 30 * _S, 60 * _S, 120 * _S, 300 * _S, 600 * _S, 900 * _S, 1800 * _S,
    3600 * _S, 7200 * _S, 10_800 * _S, 21_600 * _S, 43_200 * _S, 86_400 * _S, 172_800 * _S, 604_800 * _S,
)  # fmt: skip
_TICK_WIDTH = 11.0
_CHAR_WIDTH = 0.75
_PAD = 1.0
_MARGIN = 6.0


def ticks_of(scale: TimeScale, zone: ZoneInfo) -> tuple[Tick, ...]:
    """Times of day in the parts that aren't folded, in a zone; a day is told where it begins to be another one."""
    ticks: list[Tick] = []
    day = ""
    for part in scale.stretches:
        if part.folded or part.width < _TICK_WIDTH:
            continue
        step = _step(part)
        for at_ns in _moments(part, step, zone):
            local = datetime.fromtimestamp(at_ns // _S, UTC).astimezone(zone)
            label = _label(local, at_ns, step, day)
            day = f"{local:%Y-%m-%d}"
            x = scale.x(at_ns)
            ticks.append(Tick(x, label, "start" if x < _TICK_WIDTH / 2 else "middle"))
    return tuple(ticks)


def _step(part: Stretch) -> int:
    most = max(1, int(part.width / _TICK_WIDTH))
    return next((step for step in _STEPS if part.length_ns / step <= most), _STEPS[-1] * 4)


def _moments(part: Stretch, step: int, zone: ZoneInfo) -> Iterator[int]:
    """Multiples of the step in local time, not so near to the borders that labels are cut."""
    offset = datetime.fromtimestamp(part.from_ns // _S, UTC).astimezone(zone).utcoffset() or timedelta()
    shift = int(offset.total_seconds()) * _S
    margin = part.length_ns * min(0.4, _MARGIN / part.width)
    at_ns = -(-(part.from_ns + shift) // step) * step - shift
    while at_ns <= part.until_ns - margin:
        if at_ns >= part.from_ns + margin:
            yield at_ns
        at_ns += step


def _label(local: datetime, at_ns: int, step: int, day: str) -> str:
    if step >= 86_400 * _S:
        return f"{local.day} {local:%b}"
    if step < _S:
        time = f"{local:%H:%M:%S}.{at_ns % _S // _MS:03d}"
    else:
        time = f"{local:%H:%M:%S}" if step < 60 * _S else f"{local:%H:%M}"
    return time if f"{local:%Y-%m-%d}" == day else f"{local.day} {local:%b} {time}"


def placed_marks(marks: Iterable[Mark]) -> tuple[Mark, ...]:
    """The marks from left to right, each label in the first row where it has room."""
    free: list[float] = []
    placed = []
    for mark in sorted(marks, key=lambda each: each.x):
        width = len(mark.label) * _CHAR_WIDTH + _PAD
        anchor: Literal["start", "middle", "end"] = "middle"
        left = mark.x - width / 2
        if left < 0:
            anchor, left = "start", mark.x
        elif mark.x + width / 2 > 100:
            anchor, left = "end", mark.x - width
        row = next((row for row, until in enumerate(free) if until <= left), len(free))
        free[row:] = [left + width, *free[row + 1 :]]
        placed.append(replace(mark, row=row, anchor=anchor))
    return tuple(placed)
