"""How long finished orders took, as a histogram."""

from __future__ import annotations

from dataclasses import dataclass

from clew.report.filter import ReportFilter
from clew.report.query import read_rows
from clew.report.throughput import throughput
from clew.store.contract import Store

_MOST_BINS = 40
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_WIDTHS_S = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30),
    *(_MINUTE, 2 * _MINUTE, 5 * _MINUTE, 10 * _MINUTE, 15 * _MINUTE, 30 * _MINUTE),
    *(_HOUR, 2 * _HOUR, 3 * _HOUR, 6 * _HOUR, 12 * _HOUR),
    *(_DAY, 2 * _DAY, 5 * _DAY, 7 * _DAY, 14 * _DAY, 28 * _DAY, 56 * _DAY, 182 * _DAY, 364 * _DAY, 3640 * _DAY),
)


@dataclass(frozen=True, slots=True)
class Bin:
    """Orders that took at least ``low`` and less than ``high`` seconds (None: however long), by how they ended."""

    low: float
    high: float | None
    closed: int
    cancelled: int


@dataclass(frozen=True, slots=True)
class Histogram:
    """Every bin from 0 on, each ``width`` seconds wide; the last one has all that took longer."""

    finished: int
    width: float
    bins: tuple[Bin, ...]


def histogram(store: Store, filter_: ReportFilter, width: float | None = None) -> Histogram:
    """How many of the picked orders that have ended took how long, from their first milestone to their end.

    Bins reach to the p99, so that a few endless orders don't press all others into one; the last has the rest. Without
    a ``width`` (seconds) it is a round one with which there are at most 40.
    """
    groups = throughput(store, filter_).groups
    if not groups:
        return Histogram(0, width or _WIDTHS_S[0], ())
    reach = groups[0].p99
    wide = width or next((each for each in _WIDTHS_S if reach < each * _MOST_BINS), _WIDTHS_S[-1])
    number = min(int(reach // wide) + 1, 4 * _MOST_BINS)
    rows = read_rows(store, "histogram", filter_, {"width": round(wide * 1e9), "bins": number})
    found = {int(row["bin"]): (int(row["closed"]), int(row["cancelled"])) for row in rows}
    last = number if number in found else number - 1
    bins = (Bin(i * wide, None if i == number else (i + 1) * wide, *found.get(i, (0, 0))) for i in range(last + 1))
    return Histogram(groups[0].n, wide, tuple(bins))
