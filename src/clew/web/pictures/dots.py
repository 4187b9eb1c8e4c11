"""The dotted chart: a row for each order, a mark for each visit; every stage has a shape and a colour of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from clew.web.pictures.axes import Tick, moment_ticks

WIDE = 1000.0
_EDGE = 8.0
_LEAST, _MOST = 5.0, 14.0
_ROOM = 620.0
TONES = 8
_SHAPES = (
    "m-{r} 0a{r} {r} 0 1 0 {d} 0a{r} {r} 0 1 0-{d} 0z",  # disc
    "m-{r}-{r}h{d}v{d}h-{d}z",  # square
    "m0-{r}l{r} {d}h-{d}z",  # triangle
    "m0-{r}l{r} {r}-{r} {r}-{r}-{r}z",  # diamond
    "m-{r}-{r}h{d}l-{r} {d}z",  # triangle upside down
    "m-{r}-{h}h{d}v{r}h-{d}z",  # lying bar
    "m-{h}-{r}h{r}v{d}h-{r}z",  # standing bar
    "m-{r} 0l{r}-{r}v{d}z",  # pointing left
    "m{r} 0l-{r}-{r}v{d}z",  # pointing right
    "m-{h}-{r}h{r}v{h}h{h}v{r}h-{h}v{h}h-{r}v-{h}h-{h}v-{r}h{h}z",  # plus
)


@dataclass(frozen=True, slots=True)
class DottedRow:
    """An order: where its row lies and how high it is (``y``, ``height``: pixels), from its first mark (``left``) to
    its last (``right``), and its id and visits in words (``text``)."""

    y: float
    height: float
    left: float
    right: float
    text: str


@dataclass(frozen=True, slots=True)
class Marks:
    """All marks of one ``stage`` as one ``path``, ``count`` of them; ``tone`` is a class, ``sign`` the shape alone for
    the legend."""

    stage: str
    tone: str
    path: str
    sign: str
    count: int


@dataclass(frozen=True, slots=True)
class DotPicture:
    """``rows`` and ``marks`` over an axis of time with its ``ticks``, ``width`` by ``height`` pixels."""

    width: float
    height: float
    rows: tuple[DottedRow, ...]
    marks: tuple[Marks, ...]
    ticks: tuple[Tick, ...]


Visits = Sequence[tuple[str, int]]


def dot_picture(orders: Sequence[tuple[str, Visits]], stages: Sequence[str], zone: ZoneInfo) -> DotPicture:
    """Orders (words, visits as stage and Unix ns) from top to bottom; stages take shapes in their order."""
    moments = [at for _, visits in orders for _, at in visits]
    if not moments:
        return DotPicture(WIDE, 0.0, (), (), ())
    first, span = min(moments), max(1, max(moments) - min(moments))
    pitch = min(_MOST, max(_LEAST, _ROOM / len(orders)))

    def x(at_ns: int) -> float:
        return round(_EDGE + (at_ns - first) / span * (WIDE - 2 * _EDGE), 1)

    rows = tuple(
        DottedRow(round(pitch * n, 2), pitch, min(x(at) for _, at in visits), max(x(at) for _, at in visits), text)
        for n, (text, visits) in enumerate(orders)
    )
    return DotPicture(
        width=WIDE,
        height=round(pitch * len(rows), 1),
        rows=rows,
        marks=_marks(orders, stages, x, pitch),
        ticks=tuple(
            Tick((_EDGE + tick.at * (WIDE - 2 * _EDGE)) / WIDE, tick.text)
            for tick in moment_ticks(first, first + span, zone, 9)
        ),
    )


def _marks(
    orders: Sequence[tuple[str, Visits]], stages: Sequence[str], x: Callable[[int], float], pitch: float
) -> tuple[Marks, ...]:
    radius = min(4.0, max(2.2, pitch / 2 - 0.4))
    places: dict[str, list[str]] = {stage: [] for stage in stages}
    for n, (_, visits) in enumerate(orders):
        y = round(pitch * (n + 0.5), 1)
        for stage, at in visits:
            places.setdefault(stage, []).append(f"M{x(at):g} {y:g}")
    return tuple(
        Marks(
            stage=stage,
            tone=f"c{index % TONES + 1}",
            path="".join(place + _shape(index, radius) for place in found),
            sign="M7 7" + _shape(index, 5.0),
            count=len(found),
        )
        for index, (stage, found) in enumerate(places.items())
        if found
    )


def _shape(index: int, radius: float) -> str:
    return _SHAPES[index % len(_SHAPES)].format(r=f"{radius:g}", d=f"{2 * radius:g}", h=f"{radius / 2:g}")
