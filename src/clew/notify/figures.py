"""How fast incidents are found, taken and resolved."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from clew.control.contract import Times


@dataclass(frozen=True, slots=True)
class Figure:
    """Lengths over ``n`` incidents, in nanoseconds; None: of none."""

    n: int
    median_ns: int | None = None
    p90_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    """MTTD (began to hold to alert), MTTA (alert to acknowledgement) and MTTR (alert to resolution).

    An incident that isn't acknowledged, or not resolved, doesn't count there.
    """

    detect: Figure
    acknowledge: Figure
    resolve: Figure


def figures(incidents: Iterable[Times]) -> Figures:
    """The figures over the moments of incidents."""
    listed = list(incidents)
    return Figures(
        detect=_figure(each.fired_ns - each.since_ns for each in listed),
        acknowledge=_figure(
            each.acknowledged_ns - each.fired_ns for each in listed if each.acknowledged_ns is not None
        ),
        resolve=_figure(each.resolved_ns - each.fired_ns for each in listed if each.resolved_ns is not None),
    )


def _figure(lengths: Iterable[int]) -> Figure:
    """Clocks of machines differ: nothing is shorter than zero."""
    ordered = sorted(max(length, 0) for length in lengths)
    if not ordered:
        return Figure(0)
    return Figure(len(ordered), _quantile(ordered, 1, 2), _quantile(ordered, 9, 10))


def _quantile(ordered: list[int], part: int, of: int) -> int:
    """Between the two nearest, as R's type 7 does, in whole numbers."""
    at, rest = divmod((len(ordered) - 1) * part, of)
    if rest == 0:
        return ordered[at]
    return ordered[at] + (ordered[at + 1] - ordered[at]) * rest // of
