"""Synthetic series with known surges: several rates, weekly rhythms, growth, drift, noise, blips, outages.

Every series is made of its number alone, so that a measurement can be repeated. Times are minutes since the begin of
the series; week 0 to 3 are there to learn from and have surges of their own, the rest is judged.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Whole = npt.NDArray[np.int64]
Real = npt.NDArray[np.float64]

DAY = 24 * 60
WEEK = 7 * DAY
LEARN = 4
RATES = (0.05, 0.5, 5.0, 50.0)
TIMES = (3, 5, 10)
_RHYTHMS = (("flat", 0.0), ("day and night", 0.0), ("evenings", 0.1), ("office hours", 0.0))
_DRIFT, _DRIFT_LASTS_H = 0.15, 8.0
_BLIP = 20.0


@dataclass(frozen=True, slots=True)
class Planted:
    """A surge: from a minute on, so many minutes long, so many times the ``usual`` events a minute."""

    begin: int
    minutes: int
    times: int
    usual: float


@dataclass(frozen=True, slots=True)
class Series:
    """Counts minute by minute, and the surges that are to be found in them, oldest first."""

    rate: float
    counts: Whole
    surges: tuple[Planted, ...]


def suite(weeks: int, surges: bool, seed: int = 1, rates: Sequence[float] = RATES) -> Iterator[Series]:
    """One of each rate, rhythm and kind of noise (chance alone; and over-dispersed), with all rates 32 series: `LEARN`
    weeks and ``weeks`` more. With ``surges``, one a day is planted in these; without, any alarm in them is false."""
    number = 0
    for rate in rates:
        for bursty in (False, True):
            for rhythm, growth in _RHYTHMS:
                number += 1
                chance = np.random.default_rng([seed, number, int(surges)])
                yield _series(rate, rhythm, growth, bursty, LEARN + weeks, surges, chance)


def _series(
    rate: float, rhythm: str, growth: float, bursty: bool, weeks: int, surges: bool, chance: np.random.Generator
) -> Series:
    n = weeks * WEEK
    expected = rate * np.tile(_profile(rhythm), weeks) * np.exp(np.log1p(growth) * np.arange(n) / WEEK)
    expected *= np.exp(_DRIFT * _wander(n, chance))
    for _ in range(weeks // 2):
        begin = int(chance.integers(n))
        expected[begin : begin + int(chance.integers(20, 240))] = 0.0
    usual = expected.copy()
    for week in range(LEARN):
        for _ in range(3):
            _plant(expected, week * WEEK + int(chance.integers(WEEK - 60)), chance)
    planted = []
    if surges:
        for day in range(LEARN * 7, weeks * 7):
            planted.append(_plant(expected, day * DAY + int(chance.integers(60, DAY - 60)), chance))
    drawn = chance.poisson(expected * chance.gamma(5, 1 / 5, size=n) if bursty else expected)
    for day in range(weeks * 7):
        at = day * DAY + int(chance.integers(DAY))
        drawn[at] += chance.poisson(_BLIP * usual[at])
    return Series(rate, drawn.astype(np.int64), tuple(planted))


def _plant(expected: Real, begin: int, chance: np.random.Generator) -> Planted:
    minutes, times = int(chance.integers(20, 46)), int(chance.choice(TIMES))
    usual = float(expected[begin : begin + minutes].mean())
    expected[begin : begin + minutes] *= times
    return Planted(begin, minutes, times, usual)


def _profile(rhythm: str) -> Real:
    """The share of each minute of a week, 1 on average."""
    minute = np.arange(WEEK)
    hour, day = (minute % DAY) / 60, minute // DAY
    if rhythm == "flat":
        return np.ones(WEEK)
    if rhythm == "office hours":
        shape = np.where((hour >= 8) & (hour < 18) & (day < 5), 1.0, 0.05)
    elif rhythm == "evenings":
        shape = 0.15 + 1.4 * np.exp(-(((hour - 11) / 3) ** 2)) + 1.6 * np.exp(-(((hour - 20) / 2) ** 2))
    else:
        shape = 1 + 0.6 * np.sin((hour - 8) / 24 * 2 * np.pi)
    if rhythm != "office hours":
        shape = shape * np.where(day >= 5, 1.4, 1.0)
    return np.asarray(shape / shape.mean(), dtype=np.float64)


def _wander(n: int, chance: np.random.Generator) -> Real:
    """Slow drift of variance 1, correlated over hours."""
    steps = n // 30 + 2
    keep = np.exp(-0.5 / _DRIFT_LASTS_H)
    noise = chance.normal(size=steps)
    walk = np.empty(steps)
    walk[0] = noise[0]
    for step in range(1, steps):
        walk[step] = keep * walk[step - 1] + noise[step] * np.sqrt(1 - keep * keep)
    return np.interp(np.arange(n), np.arange(steps) * 30, walk)
