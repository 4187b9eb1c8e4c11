"""What is drawn of a trace: places of bars on the time axis, the map of all of it, and the flame graph."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from clew.web.pages.trace.tree import TraceTree
from clew.web.pages.trace.work import FlameNode
from clew.web.pictures.axes import Tick, Unit, scale

WIDE = 1000.0
"""Units across a lane: a browser stretches them to the width there is."""

NARROWEST = 2.0
MAP_WIDE = 300
MAP_HIGH = 40
FAILED = "failed"
_TONES = 8
_THINNEST = 1 / 800
_DEEPEST = 60


def tone_of(rank: int) -> str:
    """The class of the colour of a service: the eight of the token sheet, then from the first again."""
    return f"c{rank % _TONES + 1}"


@dataclass(frozen=True, slots=True)
class Lane:
    """Which time a lane shows, Unix nanoseconds."""

    from_ns: int
    to_ns: int

    def x(self, at_ns: int) -> float:
        """Where a moment lies, 0 to `WIDE`."""
        share = (at_ns - self.from_ns) / max(1, self.to_ns - self.from_ns)
        return round(min(max(share, 0.0), 1.0) * WIDE, 1)

    def bar(self, start_ns: int, length_ns: int) -> tuple[float, float]:
        """Left end and width of a bar; what has no length is seen all the same."""
        left = self.x(start_ns)
        width = max(self.x(start_ns + length_ns) - left, NARROWEST)
        return min(left, WIDE - NARROWEST), round(width, 1)

    def ticks(self, most: int = 6) -> tuple[Tick, ...]:
        """Round lengths of time since the beginning; places are shares of the width."""
        whole = max(1, self.to_ns - self.from_ns)
        upright = scale(whole, Unit.LENGTH, most)
        found = (Tick(tick.at * upright.top / whole, tick.text) for tick in upright.ticks)
        return tuple(Tick(round(tick.at, 4), tick.text) for tick in found if tick.at <= 1)


def map_of(tree: TraceTree, lane: Lane, tones: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """All spans in `MAP_HIGH` rows of `MAP_WIDE` units: an SVG path of strokes for each tone, failed ones the last."""
    rows = min(MAP_HIGH, len(tree.lines)) or 1
    whole = max(1, lane.to_ns - lane.from_ns)
    # Each row of a tone is a number whose bits are the units across: strokes join by an "or".
    strokes: dict[str, list[int]] = {}
    lines = tree.lines
    of_spans = zip(lines.starts, lines.durations, lines.services, lines.failed, strict=True)
    for place, (start_ns, duration_ns, service, failed) in enumerate(of_spans):
        begin_ns = start_ns - lane.from_ns
        left = begin_ns * MAP_WIDE // whole
        if left >= MAP_WIDE:
            left = MAP_WIDE - 1
        right = (begin_ns + duration_ns) * MAP_WIDE // whole
        if right <= left:
            right = left + 1
        tone = FAILED if failed else tones[service]
        of_tone = strokes.get(tone) or strokes.setdefault(tone, [0] * rows)
        of_tone[place * rows // len(lines)] |= (1 << right) - (1 << left)
    ordered = sorted(strokes, key=lambda tone: (tone == FAILED, tone))
    return tuple((tone, "".join(_strokes(strokes[tone], MAP_HIGH / rows))) for tone in ordered)


_RUN = re.compile("1+")


def _strokes(rows: Sequence[int], high: float) -> Iterator[str]:
    for row, units in enumerate(rows):
        y = f"{row * high + high / 2:.1f}"
        # Bits from the lowest on, so that places in the text are units from the left.
        for run in _RUN.finditer(f"{units:b}"[::-1]):
            yield f"M{run.start()} {y}h{run.end() - run.start()}"


@dataclass(frozen=True, slots=True)
class FlameBox:
    """A rectangle of a flame graph, for a ``node``: ``x`` and ``width`` in units of `WIDE`, ``depth`` counts rows from
    the top."""

    node: FlameNode
    x: float
    width: float
    depth: int


def flame_boxes(top: FlameNode) -> tuple[FlameBox, ...]:
    """The nodes below a root, each as wide as the self time of it and of all below; too thin ones are left out.

    Widths are work, not time on the clock: what ran side by side stands side by side.
    """
    boxes: list[FlameBox] = []
    whole = max(1, top.all_ns)
    stack = [(top, 0.0, -1)]
    while stack:
        node, left, depth = stack.pop()
        for each in sorted(node.below.values(), key=lambda child: (-child.all_ns, child.service, child.name)):
            width = each.all_ns / whole
            if width >= _THINNEST and depth + 1 < _DEEPEST:
                boxes.append(FlameBox(each, round(left * WIDE, 1), round(width * WIDE, 1), depth + 1))
                stack.append((each, left, depth + 1))
            left += width
    return tuple(boxes)
