"""Ways to tell a surge, each from the counts of a series to the minutes at which it would alarm."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from bench.detector_series import DAY, LEARN, WEEK, Real, Whole
from clew.detect.surge import BEFORE, SurgeParams, judge, shared, tail

Alarms = npt.NDArray[np.bool_]
_LEAST = 5


class Seen:
    """A series as the plain methods see it: sums of windows, and five-minute slots of the same hour of past weeks."""

    def __init__(self, counts: Whole) -> None:
        self.counts = counts
        self._judged: Alarms | None = None
        self.minutes = np.arange(LEARN * WEEK, len(counts))
        self._running = np.concatenate([[0], np.cumsum(counts)])
        ends = [self.minutes + 5 * slot for slot in range(-6, 7)]
        self.past = np.array([[self.sums(5, end - week * WEEK) for end in ends] for week in range(1, LEARN + 1)])
        self.usual = np.median(self.past.mean(axis=1), axis=0)
        noise = self.past.var(axis=1) / np.maximum(self.past.mean(axis=1), 1e-9)
        self.noise = np.maximum(np.median(noise, axis=0), 1.0)

    def sums(self, window: int, ends: Whole | None = None) -> Whole:
        """Counts of the windows that end with these minutes (all judged ones)."""
        ends = self.minutes if ends is None else ends
        return np.asarray(self._running[ends + 1] - self._running[np.maximum(ends + 1 - window, 0)])

    def without_peak(self, window: int) -> Whole:
        """The same of the judged minutes, without the largest minute."""
        peaks = np.lib.stride_tricks.sliding_window_view(self.counts, window).max(axis=1)
        return np.asarray(self.sums(window) - peaks[self.minutes - window + 1])

    def judged(self) -> Alarms:
        """What Clew says of each minute."""
        if self._judged is None:
            self._judged = self._of(self._likely(), np.ones_like(self.minutes))
        return self._judged

    def judged_among(self, sharing: Whole) -> Alarms:
        """The same in a rule of which so many series share its false alarms minute by minute: it only gets stricter."""
        return self._of(self.judged(), sharing)

    def sharing(self) -> Whole:
        """1 at each minute at which the series shares the false alarms of its rule: clew.detect.surge.sharing."""
        return (self.sums(BEFORE) >= SurgeParams().at_least).astype(np.int64)

    def _of(self, asked: Alarms, sharing: Whole) -> Alarms:
        counts = {at: int(count) for at, count in enumerate(self.counts) if count}
        alarms = np.zeros(len(self.minutes), dtype=bool)
        for at in np.nonzero(asked)[0]:
            params = shared(SurgeParams(), int(sharing[at]))
            alarms[at] = judge(counts, int(self.minutes[at]), params=params) is not None
        return alarms

    def _likely(self) -> Alarms:
        """Minutes with more in a window than in the quietest of the past weeks: in no other one anything surges."""
        least = self.past.mean(axis=1).min(axis=0) / 5
        return np.asarray(np.any([self.sums(window) > window * least for window in SurgeParams().windows], axis=0))

    def level(self) -> Real:
        """How the last three hours compare with those of past weeks."""
        now = self.sums(150, self.minutes - 30)
        past = np.median([self.sums(150, self.minutes - 30 - week * WEEK) for week in range(1, LEARN + 1)], axis=0)
        return np.where(past < 1, 1.0, np.clip(now / np.maximum(past, 1e-9), 0.5, 2.0))


def fixed(seen: Seen) -> Alarms:
    """The count of five minutes above the 99.9 % quantile of the weeks learned from."""
    return seen.sums(5) > max(_LEAST, float(np.quantile(seen.sums(5, np.arange(5, LEARN * WEEK)), 0.999)))


def poisson(seen: Seen) -> Alarms:
    """Unlikely by chance alone, by the mean of the same hour of past weeks."""
    mean = np.maximum(seen.past.mean(axis=(0, 1)), 0.05)
    return _unlikely(seen.sums(5), mean, mean, seen.usual, 1e-6)


def robust_z(seen: Seen) -> Alarms:
    """Six robust standard deviations (median absolute deviation) above the median of the same hour of past weeks."""
    slots = seen.past.reshape(-1, len(seen.minutes))
    middle = np.median(slots, axis=0)
    spread = np.maximum(np.median(np.abs(slots - middle), axis=0) * 1.4826, np.sqrt(np.maximum(middle, 0.25)))
    now = seen.sums(5)
    return np.asarray((now >= _LEAST) & (now >= 2 * middle) & (now > middle + 6 * spread))


def tukey(seen: Seen) -> Alarms:
    """Above Tukey's fence (k = 3, between the 10 % and the 90 % quantile) of the slots of the last four hours."""
    slots = np.array([seen.sums(5, seen.minutes - 5 * back) for back in range(1, 49)])
    low, high = np.quantile(slots, (0.1, 0.9), axis=0)
    now = seen.sums(5)
    return np.asarray((now >= _LEAST) & (now > high + 3 * (high - low)))


def negative_binomial(seen: Seen) -> Alarms:
    """Unlikely by a negative binomial of the noise of past weeks and their median."""
    mean = np.maximum(seen.usual * seen.level(), 0.05)
    return _unlikely(seen.sums(5), mean, mean * seen.noise + 0.04 * mean**2, seen.usual, 1e-5)


def trimmed(seen: Seen, windows: tuple[int, ...] = (5,)) -> Alarms:
    """The same, and the sum without its largest minute unlikely, too."""
    alarms = np.zeros(len(seen.minutes), dtype=bool)
    for window in windows:
        share = window / 5
        mean = np.maximum(seen.usual * seen.level() * share, 0.05)
        spread = mean * seen.noise + 0.04 * mean**2
        found = _unlikely(seen.sums(window), mean, spread, seen.usual * share, 1e-5)
        rest = seen.without_peak(window)
        for at in np.nonzero(found)[0]:
            found[at] = tail(int(rest[at]), 0.8 * mean[at], 0.64 * spread[at]) < 1e-3
        alarms |= found
    return alarms


def ours(seen: Seen) -> Alarms:
    """What Clew does (clew.detect.surge), judged every minute."""
    return seen.judged()


def ours_thrice(seen: Seen) -> Alarms:
    """The same, where a rule asks for three of the last five looks."""
    looks = np.convolve(seen.judged(), np.ones(5), "full")[: len(seen.minutes)]
    return np.asarray(seen.judged() & (looks >= 3))


def ours_new(seen: Seen) -> Alarms:
    """What Clew does on the fourth day."""
    counts = {at: int(count) for at, count in enumerate(seen.counts) if count}
    since = seen.minutes - 3 * DAY
    return np.array(
        [
            judge(counts, int(minute), known_since=int(at)) is not None
            for minute, at in zip(seen.minutes, since, strict=True)
        ]
    )


def burn_rate(seen: Seen) -> Alarms:
    """A goal of 99 % for a service of which one in 200 answers usually fails: 1 h and 5 min at 14.4, 6 h and 30 min at
    6. The series counts failed answers; of all answers there are always as many as usual."""
    total = max(float(seen.counts[: LEARN * WEEK].mean()) * 200, 1e-9)
    alarms = np.zeros(len(seen.minutes), dtype=bool)
    for long, short, rate in ((60, 5, 14.4), (360, 30, 6.0)):
        burns = [seen.sums(window) / (total * window) / 0.01 > rate for window in (long, short)]
        alarms |= burns[0] & burns[1] & (seen.sums(long) >= _LEAST)
    return alarms


METHODS: Mapping[str, Callable[[Seen], Alarms]] = {
    "fixed threshold (99.9 %)": fixed,
    "Poisson": poisson,
    "robust z (MAD)": robust_z,
    "Tukey, 4 h": tukey,
    "negative binomial": negative_binomial,
    "… and trimmed": trimmed,
    "… and 30 minutes": lambda seen: trimmed(seen, (5, 30)),
    "Clew": ours,
    "Clew, 3 of 5 looks": ours_thrice,
    "Clew, three days known": ours_new,
    "burn rate of a 99 % goal": burn_rate,
}


def _unlikely(now: Whole, mean: Real, spread: Real, usual: Real, chance: float) -> Alarms:
    """At least five, twice the usual, and so unlikely."""
    found = np.asarray((now >= _LEAST) & (now >= 2 * usual) & (now > mean + 1.5 * np.sqrt(spread)))
    for at in np.nonzero(found)[0]:
        found[at] = tail(int(now[at]), float(mean[at]), float(spread[at])) < chance
    return found
