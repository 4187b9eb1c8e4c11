"""Where the ticks of an axis stand and what is written there: numbers, lengths of time, and moments in a zone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from clew.web import words

SECOND_NS = 10**9
MINUTE_NS = 60 * SECOND_NS
HOUR_NS = 60 * MINUTE_NS
DAY_NS = 24 * HOUR_NS

_LENGTHS = (
    *(number * scale for scale in (10**3, 10**6) for number in (1, 2, 5, 10, 20, 50, 100, 200, 500)),
    *(number * SECOND_NS for number in (1, 2, 5, 10, 15, 30)),
    *(number * MINUTE_NS for number in (1, 2, 5, 10, 15, 30)),
    *(number * HOUR_NS for number in (1, 2, 3, 6, 12)),
    *(number * DAY_NS for number in (1, 2, 5, 7, 14, 28, 56, 140, 365, 730)),
)
_LENGTH_UNITS = (
    (DAY_NS, "d"), (HOUR_NS, "h"), (MINUTE_NS, "min"), (SECOND_NS, "s"), (10**6, "ms"), (10**3, "µs"), (1, "ns"),
)  # fmt: skip
_WITHIN_AN_HOUR = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800)
_WITHIN_A_DAY = (1, 2, 3, 6, 12)
_DAYS = (1, 2, 7, 14)
_MONTHS = (1, 2, 3, 6, 12, 24, 60, 120)


class Unit(StrEnum):
    """What the numbers of a picture are: ``LENGTH`` is nanoseconds, ``SHARE`` 0 to 1, ``SIZE`` bytes."""

    COUNT = "count"
    NUMBER = "number"
    LENGTH = "length"
    SHARE = "share"
    SIZE = "size"


@dataclass(frozen=True, slots=True)
class Tick:
    """A place on an axis: ``at`` is its share of the axis from the beginning (0 to 1), ``text`` is written there."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Scale:
    """An upright axis from 0 to ``top``, with its ticks."""

    top: float
    ticks: tuple[Tick, ...]

    def share(self, value: float) -> float:
        """How far up a value lies, 0 to 1; what is above the top lies at the top."""
        return min(max(value / self.top, 0.0), 1.0)


def written(value: float, unit: Unit) -> str:
    """A value for people."""
    if unit is Unit.LENGTH:
        return words.brief(round(value))
    if unit is Unit.SHARE:
        return words.share(value)
    return words.size(round(value)) if unit is Unit.SIZE else words.number(value)


def scale(highest: float, unit: Unit, most: int = 5) -> Scale:
    """An axis from 0 that reaches the highest value with its last tick, on round numbers, with up to ``most`` steps."""
    step = _step(highest, unit, most)
    number = max(1, math.ceil(highest / step - 1e-9))
    top = step * number
    return Scale(top, tuple(Tick(n / number, _tick_text(step * n, unit)) for n in range(number + 1)))


def _step(highest: float, unit: Unit, most: int) -> float:
    wanted = highest / most
    if unit is Unit.LENGTH:
        years = 365 * DAY_NS
        return next((each for each in _LENGTHS if each >= wanted), math.ceil(wanted / years) * years)
    if wanted <= 0:
        return 1.0
    if unit is Unit.COUNT and wanted <= 1:
        return 1.0
    power = 10.0 ** math.floor(math.log10(wanted))
    return next(number * power for number in (1, 2, 2.5, 5, 10) if number * power >= wanted * (1 - 1e-9))


def _tick_text(value: float, unit: Unit) -> str:
    if unit is not Unit.LENGTH:
        return "0" if not value else written(float(f"{value:.12g}"), unit)
    if not value:
        return "0"
    size, name = next((each for each in _LENGTH_UNITS if value >= each[0]), _LENGTH_UNITS[-1])
    return f"{value / size:.4g} {name}"


def moment_ticks(from_ns: int, to_ns: int, zone: ZoneInfo, most: int = 7) -> tuple[Tick, ...]:
    """Ticks at round moments of a zone's clocks, at most ``most``; days begin at local midnight, also where a clock is
    changed.

    Steps of at least an hour are counted on the wall clock, shorter ones are real time.
    """
    span = to_ns - from_ns
    if span <= 0:
        return ()
    for moments, form in _candidates(from_ns, to_ns, zone, most):
        if len(moments) <= most:
            return tuple(Tick((at - from_ns) / span, _moment_text(at, zone, form)) for at in moments)
    return ()


def _candidates(from_ns: int, to_ns: int, zone: ZoneInfo, most: int) -> Iterator[tuple[Sequence[int], str]]:
    """Sequences of moments with ever longer steps, none longer than about twice ``most``."""
    span = to_ns - from_ns
    offset = _offset_ns(from_ns, zone)
    for seconds in _WITHIN_AN_HOUR:
        step = seconds * SECOND_NS
        if span / step <= most + 1:
            first = -(-(from_ns + offset) // step) * step - offset
            yield range(first, to_ns + 1, step), "%H:%M:%S" if seconds < 60 else "%H:%M"
    for hours in _WITHIN_A_DAY:
        if span / (hours * HOUR_NS) <= 2 * most:
            yield _within(_wall_clock(from_ns, to_ns, zone, timedelta(hours=hours)), from_ns, to_ns, zone), "%H:%M"
    for days in _DAYS:
        if span / (days * DAY_NS) <= 2 * most:
            yield _within(_wall_clock(from_ns, to_ns, zone, timedelta(days=days)), from_ns, to_ns, zone), "%d %b"
    for months in _MONTHS:
        if span / (months * 30 * DAY_NS) <= 2 * most:
            yield _within(_firsts(from_ns, to_ns, zone, months), from_ns, to_ns, zone), "%b %Y"


def _wall_clock(from_ns: int, to_ns: int, zone: ZoneInfo, step: timedelta) -> Iterator[datetime]:
    """Moments of a wall clock, counted from the first midnight, or from a Monday for weeks."""
    at = _local(from_ns, zone).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    if step.days >= 7:
        at -= timedelta(days=at.weekday())
    last = _local(to_ns, zone).replace(tzinfo=None)
    while at <= last:
        yield at
        at += step


def _firsts(from_ns: int, to_ns: int, zone: ZoneInfo, months: int) -> Iterator[datetime]:
    first, last = _local(from_ns, zone), _local(to_ns, zone).replace(tzinfo=None)
    number = (first.year * 12 + first.month - 1) // months * months
    while (at := datetime(number // 12, number % 12 + 1, 1)) <= last:
        yield at
        number += months


def _within(walls: Iterable[datetime], from_ns: int, to_ns: int, zone: ZoneInfo) -> list[int]:
    # An hour that a clock leaves out has two names for one moment.
    moments = {int(wall.replace(tzinfo=zone).timestamp()) * SECOND_NS for wall in walls}
    return sorted(at for at in moments if from_ns <= at <= to_ns)


def _moment_text(at_ns: int, zone: ZoneInfo, form: str) -> str:
    at = _local(at_ns, zone)
    if form.startswith("%H") and (at.hour, at.minute, at.second) == (0, 0, 0):
        form = "%d %b"
    return f"{at:{form}}".removeprefix("0") if form == "%d %b" else f"{at:{form}}"


def _local(at_ns: int, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(at_ns // SECOND_NS, UTC).astimezone(zone)


def _offset_ns(at_ns: int, zone: ZoneInfo) -> int:
    return round((_local(at_ns, zone).utcoffset() or timedelta()).total_seconds()) * SECOND_NS
