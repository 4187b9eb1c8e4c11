"""Lines, stacked bars and sparklines as geometry for SVG.

Across, a picture is `WIDE` units that a browser stretches to the width there is; upright it is pixels. Texts stand
outside of the stretched part, at shares of the width, so that they keep their size on any screen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from zoneinfo import ZoneInfo

from clew.web.pictures.axes import SECOND_NS, Scale, Tick, Unit, moment_ticks, scale, written

WIDE = 1000.0
HIGH = 140.0
"""Pixels of a picture without its texts."""

_DASHES = ("", "6 3", "2 3", "8 3 2 3", "1 5")
_GAP = 0.12

Value = float | None


@dataclass(frozen=True, slots=True)
class Series:
    """Values under one name, one for each slot of the axis; None is a gap. ``tone`` is a class of charts.css."""

    name: str
    values: tuple[Value, ...]
    tone: str = "c1"


@dataclass(frozen=True, slots=True)
class Axis:
    """The axis across: slots side by side, named by ``title``.

    ``borders`` are shares of the width, one more than slots; ``labels`` name the slots; ``ticks`` are what is written
    below. ``borders_ns`` are the moments (Unix ns) of the borders of an axis of time, else empty.
    """

    borders: tuple[float, ...]
    labels: tuple[str, ...]
    ticks: tuple[Tick, ...]
    title: str
    borders_ns: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """The line ``name``: a ``path`` in a ``tone``, and the ``dots`` of values between two gaps.

    ``dash`` is a stroke-dasharray that tells the line apart without its colour, empty for the first.
    """

    name: str
    tone: str
    dash: str
    path: str
    dots: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle (``x``, ``y``, ``width``, ``height``) in a ``tone``."""

    x: float
    y: float
    width: float
    height: float
    tone: str


@dataclass(frozen=True, slots=True)
class Band:
    """A slot from top to bottom (``x``, ``width``), with all its values in words (``text``)."""

    x: float
    width: float
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture called ``title``, with its axes (``axis`` across, ticks ``upright``), ``legend`` and table, and
    ``told`` in words for those who don't see it. ``high`` is its height in pixels; ``lines``, ``bars`` and ``bands``
    are drawn.

    ``legend`` is (name, tone, dash, last value or ""); ``head`` and ``rows`` are the table. ``bound`` is a value to
    hold against: its share of the height and its text. ``empty``: there is not one value.
    """

    title: str
    told: str
    high: float
    axis: Axis
    upright: tuple[Tick, ...]
    lines: tuple[Line, ...]
    bars: tuple[Bar, ...]
    bands: tuple[Band, ...]
    legend: tuple[tuple[str, str, str, str], ...]
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    bound: Tick | None
    empty: bool


@dataclass(frozen=True, slots=True)
class Spark:
    """A line without axes, ``width`` by ``height``: ``path`` with the ``area`` below it, and ``dots``: lone values and
    the last one. ``told`` is the same in words.

    ``earlier`` is the path of what it is compared with, on the same scale; empty without.
    """

    width: float
    height: float
    path: str
    area: str
    dots: str
    earlier: str
    told: str


def time_axis(borders_ns: Sequence[int], zone: ZoneInfo, title: str = "time") -> Axis:
    """Slots of time between the given moments (Unix ns, one more than slots)."""
    first, span = borders_ns[0], max(1, borders_ns[-1] - borders_ns[0])
    form = "%H:%M:%S" if any(each % (60 * SECOND_NS) for each in borders_ns) else "%H:%M"
    days = len({_local(each, zone).date() for each in borders_ns[:-1]}) > 1
    form = f"%Y-%m-%d {form}" if days else form
    return Axis(
        borders=tuple((each - first) / span for each in borders_ns),
        labels=tuple(f"{_local(each, zone):{form}}" for each in borders_ns[:-1]),
        ticks=moment_ticks(first, borders_ns[-1], zone, most=6),
        title=title,
        borders_ns=tuple(borders_ns),
    )


def name_axis(names: Sequence[str], title: str, most: int = 12) -> Axis:
    """Slots of equal width with names; when there are more than ``most``, not every one is written below."""
    number = max(1, len(names))
    every = -(-number // most)
    return Axis(
        borders=tuple(each / number for each in range(number + 1)),
        labels=tuple(names),
        ticks=tuple(Tick((each + 0.5) / number, names[each]) for each in range(0, len(names), every)),
        title=title,
    )


def lines(
    title: str,
    axis: Axis,
    series: Sequence[Series],
    unit: Unit,
    *,
    high: float = HIGH,
    bound: tuple[float, str] | None = None,
) -> Chart:
    """Lines through the middles of the slots, interrupted where values are missing; a lone value is a dot."""
    upright = scale(max([*_known(series), *([bound[0]] if bound else [])], default=0.0), unit)
    middles = [(a + b) / 2 * WIDE for a, b in zip(axis.borders, axis.borders[1:], strict=False)]
    drawn = tuple(
        Line(each.name, each.tone, dash, *paths(middles, each.values, lambda value: _y(upright, value, high)))
        for each, dash in zip(series, _dashes(), strict=False)
    )
    return _chart(title, axis, series, unit, high, upright, drawn, (), bound)


def stacked(title: str, axis: Axis, series: Sequence[Series], unit: Unit, *, high: float = HIGH) -> Chart:
    """Bars of one slot each, the series stacked upon each other from the first on; a histogram when there is one."""
    sums = [sum(value or 0.0 for value in slot) for slot in zip(*(each.values for each in series), strict=True)]
    upright = scale(max(sums, default=0.0), unit)
    return _chart(title, axis, series, unit, high, upright, (), tuple(_bars(axis, series, upright, high)), None)


def _bars(axis: Axis, series: Sequence[Series], upright: Scale, high: float) -> Iterator[Bar]:
    for slot, (left, right) in enumerate(zip(axis.borders, axis.borders[1:], strict=False)):
        gap = (right - left) * _GAP
        below = 0.0
        for each in series:
            value = each.values[slot] or 0.0
            if value <= 0:
                continue
            bottom, top = _y(upright, below, high), _y(upright, below + value, high)
            height = max(bottom - top, 1.0)  # what is there is seen, however little
            x, width = (left + gap) * WIDE, (right - left - 2 * gap) * WIDE
            yield Bar(_r(x), _r(max(bottom - height, 0.0)), _r(width), _r(height), each.tone)
            below += value


def sparkline(
    values: Sequence[Value], unit: Unit, earlier: Sequence[Value] = (), *, width: float = 120.0, height: float = 32.0
) -> Spark:
    """A line from the first value to the last that fills its box, on a ground line of 0."""
    known = [value for value in [*values, *earlier] if value is not None]
    top = max([*known, 0.0]) or 1.0
    step = width / max(1, len(values) - 1)
    places = [step * n for n in range(len(values))]

    def y(value: float) -> float:
        return height - 1.5 - max(value, 0.0) / top * (height - 3.0)

    drawn, dots = paths(places, values, y)
    at = max((n for n, value in enumerate(values) if value is not None), default=None)
    if at is not None:
        dots += f"M{_n(places[at])} {_n(y(values[at] or 0.0))}h0"
    before, _ = paths(places, earlier[: len(places)], y)
    return Spark(width, height, drawn, _area(places, values, y, height), dots, before, _told(values, unit))


def paths(places: Sequence[float], values: Sequence[Value], y: Callable[[float], float]) -> tuple[str, str]:
    """SVG paths: lines through neighbouring known values, and the values between two gaps as points.

    A point has no length; it is seen with round line ends.
    """
    drawn, dots = [], []
    for run in _runs(values):
        points = [f"{_n(places[n])} {_n(y(value))}" for n, value in run]
        if len(points) > 1:
            drawn.append("M" + "L".join(points))
        else:
            dots.append(f"M{points[0]}h0")
    return "".join(drawn), "".join(dots)


def _area(places: Sequence[float], values: Sequence[Value], y: Callable[[float], float], ground: float) -> str:
    parts = []
    for run in _runs(values):
        points = "L".join(f"{_n(places[n])} {_n(y(value))}" for n, value in run)
        parts.append(f"M{_n(places[run[0][0]])} {_n(ground)}L{points}L{_n(places[run[-1][0]])} {_n(ground)}z")
    return "".join(parts)


def _runs(values: Sequence[Value]) -> Iterator[list[tuple[int, float]]]:
    """Neighbouring known values with their places."""
    for known, group in groupby(enumerate(values), lambda each: each[1] is not None):
        if known:
            yield [(n, value) for n, value in group if value is not None]


def _chart(
    title: str,
    axis: Axis,
    series: Sequence[Series],
    unit: Unit,
    high: float,
    upright: Scale,
    drawn: tuple[Line, ...],
    bars: tuple[Bar, ...],
    bound: tuple[float, str] | None,
) -> Chart:
    rows = tuple(
        (label, *("-" if each.values[n] is None else written(each.values[n] or 0.0, unit) for each in series))
        for n, label in enumerate(axis.labels)
    )
    dashes = _dashes() if drawn else iter([""] * len(series))
    return Chart(
        title=title,
        told="; ".join(f"{each.name}: {_told(each.values, unit)}" for each in series),
        high=high,
        axis=axis,
        upright=upright.ticks,
        lines=drawn,
        bars=bars,
        bands=tuple(_bands(axis, series, rows)),
        legend=tuple(
            (each.name, each.tone, dash, _last(each, unit)) for each, dash in zip(series, dashes, strict=False)
        ),
        head=(axis.title, *(each.name for each in series)),
        rows=rows,
        bound=Tick(upright.share(bound[0]), bound[1]) if bound else None,
        empty=not any(True for _ in _known(series)),
    )


def _bands(axis: Axis, series: Sequence[Series], rows: Iterable[tuple[str, ...]]) -> Iterator[Band]:
    for n, row in enumerate(rows):
        left, right = axis.borders[n], axis.borders[n + 1]
        values = ", ".join(f"{each.name} {text}" for each, text in zip(series, row[1:], strict=True))
        yield Band(_r(left * WIDE), _r((right - left) * WIDE), f"{row[0]}: {values}")


def _told(values: Sequence[Value], unit: Unit) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return "no data"
    low, top, last = written(min(known), unit), written(max(known), unit), written(known[-1], unit)
    return f"always {low}" if low == top else f"from {low} to {top}, last {last}"


def _last(series: Series, unit: Unit) -> str:
    known = [value for value in series.values if value is not None]
    return written(known[-1], unit) if known else ""


def _known(series: Iterable[Series]) -> Iterator[float]:
    return (value for each in series for value in each.values if value is not None)


def _dashes() -> Iterator[str]:
    yield from _DASHES
    while True:
        yield _DASHES[-1]


def _y(upright: Scale, value: float, high: float) -> float:
    return (1 - upright.share(value)) * high


def _local(at_ns: int, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(at_ns // SECOND_NS, UTC).astimezone(zone)


def _r(number: float) -> float:
    return round(number, 1)


def _n(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")
