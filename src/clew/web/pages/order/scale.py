"""Maps moments to places on the timeline; long times in which nothing happens are folded.

    moments and spells --union--> busy times --between them--> gaps --longest first--> folded or to scale

An order lives for days, and what matters happens within seconds. A gap is folded when it takes more than `FOLD_SHARE`
of the time that isn't folded yet and something is left to see beside it; a fold has one width however long it is, and
all the rest has one scale. So lengths can be compared, and no moment is hidden.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

FOLD_SHARE = 0.6
"""A gap must take more than this share of the unfolded time to be folded."""

FOLD_WIDTH = 9.0
"""The width of a fold, in per cent of the timeline."""

MOST_FOLDS = 5
LEFT, RIGHT = 0.6, 99.4
"""Where the first and the last moment are, in per cent: marks at the borders need some room."""

Spell = tuple[int, int]
"""A time in which something happens: begin and end in Unix nanoseconds, the same for a moment."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of the timeline: moments (Unix ns), place and width (per cent), and whether its time is folded."""

    from_ns: int
    until_ns: int
    x: float
    width: float
    folded: bool

    @property
    def length_ns(self) -> int:
        """How much time it stands for."""
        return self.until_ns - self.from_ns


@dataclass(frozen=True, slots=True)
class TimeScale:
    """Where moments are on the timeline; ``stretches`` follow each other without a gap."""

    stretches: tuple[Stretch, ...]

    def x(self, at_ns: int) -> float:
        """The place of a moment in per cent, never decreasing with time; what lies outside is at the border."""
        index = bisect_right(self.stretches, at_ns, key=lambda each: each.from_ns) - 1
        part = self.stretches[max(0, index)]
        share = min(1.0, max(0.0, (at_ns - part.from_ns) / part.length_ns))
        return part.x + part.width * share

    @property
    def folds(self) -> tuple[Stretch, ...]:
        """The folded parts."""
        return tuple(each for each in self.stretches if each.folded)


def time_scale(spells: Iterable[Spell], *, folding: bool = True) -> TimeScale:
    """The scale that shows all of these times; there is at least one. Without ``folding`` it is linear."""
    busy = _union(spells)
    first, last = busy[0][0], max(busy[-1][1], busy[0][0] + 1)
    gaps = [(before[1], after[0]) for before, after in pairwise(busy)]
    others = sum(end > begin for begin, end in busy)
    folds = _folded(gaps, others, last - first) if folding else []
    return TimeScale(_laid_out(first, last, folds))


def _union(spells: Iterable[Spell]) -> list[Spell]:
    busy: list[Spell] = []
    for begin, end in sorted(spells):
        if busy and begin <= busy[-1][1]:
            busy[-1] = (busy[-1][0], max(busy[-1][1], end))
        else:
            busy.append((begin, max(begin, end)))
    return busy


def _folded(gaps: list[Spell], others: int, whole_ns: int) -> list[Spell]:
    """The gaps to fold, in time order. At least two gaps or other times stay: there would be nothing to see else."""
    chosen: list[Spell] = []
    left_ns = whole_ns
    for gap in sorted(gaps, key=lambda each: each[0] - each[1]):
        length_ns = gap[1] - gap[0]
        enough = len(gaps) + others - len(chosen) > 2 and len(chosen) < MOST_FOLDS
        if not enough or length_ns <= FOLD_SHARE * left_ns or length_ns >= left_ns:
            break
        chosen.append(gap)
        left_ns -= length_ns
    return sorted(chosen)


def _laid_out(first: int, last: int, folds: list[Spell]) -> tuple[Stretch, ...]:
    open_ns = last - first - sum(end - begin for begin, end in folds)
    per_ns = (RIGHT - LEFT - FOLD_WIDTH * len(folds)) / open_ns
    stretches: list[Stretch] = []
    x, at = LEFT, first
    for begin, end in [*folds, (last, last)]:
        for from_ns, until_ns, folded in ((at, begin, False), (begin, end, True)):
            if until_ns > from_ns:
                width = FOLD_WIDTH if folded else (until_ns - from_ns) * per_ns
                stretches.append(Stretch(from_ns, until_ns, x, width, folded))
                x += width
        at = end
    return tuple(stretches)
