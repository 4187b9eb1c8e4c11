"""An order of stages in which few steps lead back."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence


def in_order(steps: Mapping[tuple[str, str], int], stages: Sequence[str], last: Collection[str]) -> list[str]:
    """The stages so that the steps that lead back weigh little; ``last`` ones come at the end, as they are.

    The greedy rule of Eades, Lin and Smyth ("A fast and effective heuristic for the feedback arc set problem", Inf.
    Proc. Letters 47, 1993): take a stage that nothing left leads to; else the one that leads on the most, more than it
    is led to. Of equals the first in ``stages``.
    """
    left = [stage for stage in stages if stage not in last]
    weights = {step: number for step, number in steps.items() if set(step) <= set(left)}
    order: list[str] = []
    while left:
        into = dict.fromkeys(left, 0)
        out = dict.fromkeys(left, 0)
        for (before, after), number in weights.items():
            if before in into and after in into:
                out[before] += number
                into[after] += number
        first = next((stage for stage in left if not into[stage] and out[stage]), None)
        chosen = first or max(left, key=lambda stage: out[stage] - into[stage])
        order.append(chosen)
        left.remove(chosen)
    return order + [stage for stage in stages if stage in last]
