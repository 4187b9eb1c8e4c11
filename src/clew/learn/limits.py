"""Limits from dwells: the Kaplan-Meier quantile, rounded up to what people would write, and never below a floor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clew.flow.durations import LONGEST_NS, UNITS_NS
from clew.learn.seen import Dwells
from clew.model.flow import ANY_PATH
from clew.report.kaplan_meier import kaplan_meier

ENOUGH = 20
"""With fewer dwells that are over, a 95 % quantile is the largest of them at best, and tells nothing."""

_APART = 1.5
"""Paths have limits of their own when the largest is this many times the smallest."""

_SECOND_NS = UNITS_NS["s"]
# Up to this length, limits are whole multiples of that.
_STEPS_NS = (
    (60 * _SECOND_NS, _SECOND_NS),
    (600 * _SECOND_NS, 10 * _SECOND_NS),
    (3_600 * _SECOND_NS, 60 * _SECOND_NS),
    (6 * 3_600 * _SECOND_NS, 300 * _SECOND_NS),
    (2 * 86_400 * _SECOND_NS, 3_600 * _SECOND_NS),
    (14 * 86_400 * _SECOND_NS, 6 * 3_600 * _SECOND_NS),
)


@dataclass(frozen=True, slots=True)
class Learned:
    """A limit with what it rests on: the quantile in seconds, dwells that are over, and orders that still wait."""

    allowed_ns: int
    quantile_s: float
    finished: int
    waiting: int
    floored: bool


def learn_limits(
    dwells: Mapping[str, Dwells], paths: Sequence[str], quantile: float, floor_ns: int
) -> dict[str, Learned]:
    """Limits by path, or one for all (``ANY_PATH``) where paths hardly differ; none where too little is known.

    ``dwells`` are by path as the orders name it; those of paths that aren't in ``paths`` count for all only.
    """
    pooled = _learn(sum(dwells.values(), Dwells()), quantile, floor_ns)
    of_path = {path: _learn(dwells[path], quantile, floor_ns) for path in paths if path in dwells}
    known = {path: learned for path, learned in of_path.items() if learned is not None}
    lengths = [learned.allowed_ns for learned in known.values()]
    if len(known) < 2 or max(lengths) < _APART * min(lengths):
        return {} if pooled is None else {ANY_PATH: pooled}
    # A path too thin for a limit of its own, and orders of no known path, take the one for all.
    return known if pooled is None or set(known) == set(dwells) else {ANY_PATH: pooled, **known}


def _learn(dwells: Dwells, quantile: float, floor_ns: int) -> Learned | None:
    if len(dwells.finished) < ENOUGH:
        return None
    found = kaplan_meier(dwells.finished, dwells.waiting).quantile(quantile)
    if found is None:
        return None
    rounded_ns = round_up(round(found * _SECOND_NS))
    allowed_ns = min(LONGEST_NS, max(floor_ns, rounded_ns, 1))
    return Learned(allowed_ns, found, len(dwells.finished), len(dwells.waiting), floor_ns > rounded_ns)


def round_up(length_ns: int) -> int:
    """The next length that people would write: whole seconds up to a minute, tens of them up to ten, and so on."""
    step_ns = next((step for up_to, step in _STEPS_NS if length_ns <= up_to), 86_400 * _SECOND_NS)
    return -(-length_ns // step_ns) * step_ns
