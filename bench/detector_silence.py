"""How often telemetry silence is told for nothing, and how soon a dead service is found: twelve kinds of services."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from bench.detector_series import DAY, WEEK
from bench.figures import Figure, percentile
from clew.detect.silence import Activity, Clock, judge

_KINDS = (
    "1,000 a minute", "10 a minute", "0.5 a minute", "0.05 a minute", "0.005 a minute", "office hours",
    "day and night", "every 15 minutes", "every hour", "every night", "sessions", "weekends off, 2 a minute",
)  # fmt: skip
_SEEDS = 2
_DEATHS = 4
_FOUND_WITHIN = 4 * DAY
_LEARN = 4 * WEEK
# Minute 0 is a Monday for those who ask which hour of the week it is.
_BEGIN = 4 * DAY + 2_000 * WEEK


def measure_silence(weeks: int) -> Iterator[Figure]:
    """Each kind of service alone: weeks that are learned from, then weeks in which it lives, or dies at times."""
    for number, kind in enumerate(_KINDS):
        false, days, delays, died = 0, 0.0, [], 0
        for seed in range(_SEEDS):
            chance = np.random.default_rng([number, seed])
            active = _active(kind, 4 + weeks, chance)
            false += _false_alarms(active)
            days += weeks * 7
            for _ in range(_DEATHS):
                death = int(chance.choice([each for each in active if each > _BEGIN + _LEARN]))
                found = _found_after(active, death)
                died += 1
                delays += [] if found is None else [float(found)]
        yield Figure(f"silence, {kind}: false alarms, service and month", false / days * 30, "alarms", at_most=1)
        yield Figure(f"silence, {kind}: found within 4 days", 100 * len(delays) / died, "%")
        yield Figure(f"silence, {kind}: delay", percentile(delays, 50), "min")
        yield Figure(f"silence, {kind}: delay at most", max(delays, default=0.0), "min")


def _active(kind: str, weeks: int, chance: np.random.Generator) -> list[int]:
    minute = np.arange(weeks * WEEK)
    hour, day = minute % DAY / 60, minute // DAY % 7
    rate = np.zeros(len(minute))
    every = {"every 15 minutes": 15, "every hour": 60, "every night": DAY}.get(kind)
    if every:
        rate[(minute % every) == (150 if every == DAY else 3)] = 99.0
    elif kind == "office hours":
        rate = np.where((hour >= 8) & (hour < 18) & (day < 5), 2.0, 0.0)
    elif kind == "weekends off, 2 a minute":
        rate = np.where(day < 5, 2.0, 0.0)
    elif kind == "day and night":
        rate = 0.02 + 2.0 * np.exp(-(((hour - 14) / 4) ** 2))
    elif kind == "sessions":
        rate = np.zeros(len(minute))
        for begin in np.nonzero(chance.random(len(minute)) < 6 / DAY)[0]:
            rate[begin : begin + int(chance.exponential(20)) + 1] = 1.0
    else:
        rate[:] = float(kind.split()[0].replace(",", ""))
    return [int(each) + _BEGIN for each in np.nonzero(chance.poisson(rate))[0]]


def _false_alarms(active: Sequence[int]) -> int:
    """Gaps in which it would have been called silent: those that are long for its clock are judged at their end."""
    first = bisect_left(active, _BEGIN + _LEARN)
    known = active[:first]
    clock = Clock(known, _BEGIN, _BEGIN + _LEARN)
    longest = max(clock.between(one + 1, other) for one, other in pairwise(known))
    found = 0
    for at in range(first + 1, len(active)):
        if active[at] - active[at - 1] > 2 and clock.between(active[at - 1] + 1, active[at]) > longest:
            found += _silent(active[:at], active[at])
    return found


def _found_after(active: Sequence[int], death: int) -> int | None:
    """Minutes from the last sign of life until it is called silent; None: not within days."""
    lived = active[: bisect_left(active, death) + 1]
    low, high = 1, _FOUND_WITHIN
    if not _silent(lived, death + high):
        return None
    while low < high:
        middle = (low + high) // 2
        if _silent(lived, death + middle):
            high = middle
        else:
            low = middle + 1
    return low


def _silent(active: Sequence[int], now: int) -> bool:
    seen = active[bisect_left(active, now - _LEARN) :]
    activity = Activity(seen, seen[-1] * 60 * 10**9 if seen else 0)
    return judge(activity, now, known_since=now - _LEARN) is not None
