"""How long something takes, when some of it isn't over yet: the Kaplan-Meier estimator.

Kaplan and Meier, "Nonparametric Estimation from Incomplete Observations", J. Amer. Statist. Assoc. 53 (1958), 457-481.
At each length of time t at which d of the n that lasted at least that long came to their end, the share that lasts
longer falls by the factor 1 - d / n. One that still waits counts among the n up to its present length and never among
the d: leaving it out, or counting it as ended, would make everything look quicker than it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class Survival:
    """The share that lasts longer than each of the lengths at which something ended.

    ``lengths`` ascend, ``shares`` (one for each) descend from below 1. ``finished`` and ``waiting`` are the numbers of
    what was observed.
    """

    lengths: tuple[float, ...]
    shares: tuple[float, ...]
    finished: int
    waiting: int

    def quantile(self, p: float) -> float | None:
        """The shortest length within which at least the share ``p`` has ended; always one that was observed.

        None when too many still wait to tell: the estimate never comes down to ``1 - p``.
        """
        enough = 1 - p + _ROUNDING
        return next(
            (length for length, left in zip(self.lengths, self.shares, strict=True) if left <= enough),
            None,
        )


def kaplan_meier(finished: Sequence[float], waiting: Sequence[float]) -> Survival:
    """The estimate from lengths that are over and from present lengths of what still waits, in any unit and order.

    What waits exactly as long as something lasted counts as having lasted that long (the usual convention).
    """
    ended = Counter(finished)
    left = len(finished) + len(waiting)
    still = sorted(waiting, reverse=True)
    share = 1.0
    lengths: list[float] = []
    shares: list[float] = []
    for length in sorted(ended):
        while still and still[-1] < length:
            still.pop()
            left -= 1
        share *= 1 - ended[length] / left
        left -= ended[length]
        lengths.append(length)
        shares.append(share)
    return Survival(tuple(lengths), tuple(shares), len(finished), len(waiting))
