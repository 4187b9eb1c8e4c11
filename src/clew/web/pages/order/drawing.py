"""What the timeline draws: frozen values with places in per cent across and in pixels down, each with its words.

``href`` leads to the span that tells of it and is empty where none does. ``text`` is what it says on hover and to those
who don't see it, one fact a line. ``tone`` is a class of the style sheet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SERVICE_HEIGHT, QUEUE_HEIGHT = 52, 30
BLOCK_AT, BLOCK_HEIGHT = 4, 28
STRIP_AT = 40
QUEUE_AT = 15


@dataclass(frozen=True, slots=True)
class Lane:
    """A service or a queue (``kind``): its ``name`` and place (``y`` from above and ``height``, pixels)."""

    name: str
    kind: Literal["service", "queue"]
    y: int
    height: int

    @property
    def line(self) -> int:
        """Where spans and messages lie in it."""
        return self.y + (STRIP_AT if self.kind == "service" else QUEUE_AT)


@dataclass(frozen=True, slots=True)
class Block:
    """A stay in a stage: ``x`` and ``width`` (per cent), ``y`` (pixels from above), ``over_x`` where it went over its
    limit (None: it didn't). ``lines`` are its name in one line or two, none where it has no room; ``tone`` its verdict
    as a class, ``href`` its span (empty: not known), ``text`` all of it in words."""

    x: float
    width: float
    y: int
    over_x: float | None
    lines: tuple[str, ...]
    tone: str
    href: str
    text: str


@dataclass(frozen=True, slots=True)
class Bar:
    """Work of a service, or a message that waits in a queue: ``x`` and ``width`` (per cent), ``y`` (pixels), its
    ``tone`` as a class, the span to which it leads (``href``), and its ``text`` in words."""

    x: float
    width: float
    y: int
    tone: str
    href: str
    text: str


@dataclass(frozen=True, slots=True)
class Arrow:
    """One half of a hop, to a queue or from it: from ``x``, ``y`` to ``to_x``, ``to_y`` (per cent across, pixels down),
    its ``tone`` as a class, the span to which it leads (``href``), and its ``text`` in words."""

    x: float
    y: int
    to_x: float
    to_y: int
    tone: str
    href: str
    text: str


@dataclass(frozen=True, slots=True)
class Sign:
    """Something to look at, of a ``kind`` that has a shape, at ``x`` (per cent) and ``y`` (pixels); ``count`` of them
    lie here. ``href`` leads to the span, ``text`` says what it is."""

    x: float
    y: int
    kind: str
    count: int
    href: str
    text: str


@dataclass(frozen=True, slots=True)
class Band:
    """A time on hold: ``x`` and ``width`` (per cent), and its ``text`` in words."""

    x: float
    width: float
    text: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment that counts for the whole order, of a ``kind``, at ``x`` (per cent). Its ``label`` hangs at ``anchor``;
    ``row`` keeps labels apart. ``text`` says what it is."""

    x: float
    kind: str
    label: str
    row: int
    anchor: Literal["start", "middle", "end"]
    text: str


@dataclass(frozen=True, slots=True)
class Fold:
    """A long time in which nothing happened: ``x`` and ``width`` (per cent), its length in words (``label``), and all
    about it (``text``)."""

    x: float
    width: float
    label: str
    text: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A time of day below the lanes: at ``x`` (per cent) the ``label``, which hangs at ``anchor``."""

    x: float
    label: str
    anchor: Literal["start", "middle", "end"]


@dataclass(frozen=True, slots=True)
class Timeline:
    """All of the picture. ``told`` says it in one paragraph, ``hops_left`` how many hops of messages it leaves out.

    ``lanes`` hold ``blocks`` (stays in stages), ``works`` (of services), ``waits`` (in queues), ``arrows`` (messages)
    and ``signs``; ``holds``, ``marks``, ``folds`` and ``ticks`` go through all of them.
    """

    told: str
    lanes: tuple[Lane, ...]
    blocks: tuple[Block, ...]
    works: tuple[Bar, ...]
    waits: tuple[Bar, ...]
    arrows: tuple[Arrow, ...]
    signs: tuple[Sign, ...]
    holds: tuple[Band, ...]
    marks: tuple[Mark, ...]
    folds: tuple[Fold, ...]
    ticks: tuple[Tick, ...]
    hops_left: int

    @property
    def top(self) -> int:
        """Where lanes begin: below the labels of the marks."""
        return self.lanes[0].y if self.lanes else 0

    @property
    def bottom(self) -> int:
        """Where lanes end."""
        return self.lanes[-1].y + self.lanes[-1].height if self.lanes else 0

    @property
    def kinds(self) -> frozenset[str]:
        """What is in the picture, for its key."""
        drawn = (
            {each.kind for each in self.signs}
            | {each.tone for each in self.arrows}
            | {each.tone for each in self.waits}
        )
        over = {"over"} if any(each.over_x is not None for each in self.blocks) else set()
        return frozenset(drawn | over | ({"hold"} if self.holds else set()) | ({"fold"} if self.folds else set()))


def span_href(trace_id: str, span_id: str) -> str:
    """The address of a span in its trace; empty when the trace isn't known."""
    if not trace_id:
        return ""
    return f"/traces/{trace_id}?span={span_id}#s{span_id}" if span_id else f"/traces/{trace_id}"
