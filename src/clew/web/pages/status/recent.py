"""The last minutes of Clew's own counters, kept in memory: a ring of samples, and the rates between them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from threading import Lock

_SECOND_NS = 10**9
SLOTS = 60
SLOT_NS = 5 * _SECOND_NS
"""What a sparkline shows: five minutes."""

_KEPT = SLOTS * 5 + 10
_APART_NS = 20 * _SECOND_NS


@dataclass(frozen=True, slots=True)
class Sample:
    """Clew's counters at a moment: since the start ``requests``, ``bytes``, ``refused`` and ``orders`` rebuilt; at that
    moment ``waiting`` bytes and ``lag_ns``, how far journeys are behind."""

    at_ns: int
    requests: int = 0
    bytes: int = 0
    refused: int = 0
    orders: int = 0
    waiting: int = 0
    lag_ns: int = 0


@dataclass(slots=True)
class Recent:
    """A ring of the latest samples, at most one a second. Any thread."""

    _samples: deque[Sample] = field(default_factory=lambda: deque(maxlen=_KEPT))
    _adding: Lock = field(default_factory=Lock)

    def add(self, sample: Sample) -> None:
        """Keep a sample, unless one was kept within the last second."""
        with self._adding:
            if not self._samples or sample.at_ns - self._samples[-1].at_ns >= _SECOND_NS:
                self._samples.append(sample)

    @property
    def samples(self) -> tuple[Sample, ...]:
        """The samples, the oldest first."""
        with self._adding:
            return tuple(self._samples)


def rates(samples: Sequence[Sample], read: Callable[[Sample], int], now_ns: int) -> list[float | None]:
    """How much a counter grew a second, in each slot up to now. None where nothing was sampled for a while."""
    slots: list[float | None] = []
    for before, after in _slots(samples, now_ns):
        if before is None or after is None or not 0 < after.at_ns - before.at_ns <= _APART_NS:
            slots.append(None)
        else:
            slots.append(max(0, read(after) - read(before)) * _SECOND_NS / (after.at_ns - before.at_ns))
    return slots


def levels(samples: Sequence[Sample], read: Callable[[Sample], int], now_ns: int) -> list[float | None]:
    """The last value in each slot up to now; None where none was sampled."""
    return [
        None if after is None or before is after else float(read(after)) for before, after in _slots(samples, now_ns)
    ]


def _slots(samples: Sequence[Sample], now_ns: int) -> list[tuple[Sample | None, Sample | None]]:
    """For each slot the last sample before it and the last one up to its end."""
    found: list[Sample | None] = []
    at = -1
    for border in range(SLOTS, -1, -1):
        while at + 1 < len(samples) and samples[at + 1].at_ns <= now_ns - border * SLOT_NS:
            at += 1
        found.append(samples[at] if at >= 0 else None)
    return list(pairwise(found))
