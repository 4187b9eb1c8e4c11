"""The bars of a funnel: of those who reached a step, who went on, who passed it by, who is still there, who is gone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a bar: ``x`` and ``width`` in shares of the whole width; ``kind`` is ``on``, ``skipped``, ``open`` or
    ``dropped``, ``text`` the same in words."""

    x: float
    width: float
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class FunnelBar:
    """The bar of one ``stage``, in its ``parts``."""

    stage: str
    parts: tuple[Part, ...]


_WORDS = {
    "on": "went on to the next stage",
    "skipped": "came to a later stage without the next",
    "open": "still open, may go on",
    "dropped": "ended here",
}


def funnel_bars(steps: Sequence[tuple[str, int, int, int, int]], orders: int) -> tuple[FunnelBar, ...]:
    """Bars of steps given as (stage, reached, skipped, open, dropped); the widest possible one is all ``orders``."""
    return tuple(
        FunnelBar(stage, tuple(_parts(reached, skipped, open_, dropped, max(1, orders))))
        for stage, reached, skipped, open_, dropped in steps
    )


def _parts(reached: int, skipped: int, open_: int, dropped: int, orders: int) -> list[Part]:
    on = reached - skipped - open_ - dropped
    parts: list[Part] = []
    x = 0.0
    for kind, count in (("on", on), ("skipped", skipped), ("open", open_), ("dropped", dropped)):
        if count > 0:
            parts.append(Part(x, count / orders, kind, f"{count:,} {_WORDS[kind]}"))
            x += count / orders
    return parts
