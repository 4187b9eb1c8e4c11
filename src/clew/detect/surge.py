"""Surges: counts far above what the same hours of past weeks and the last hours let expect.

    minutes of past weeks --baseline, what was flagged left out--> expected count, its noise
    the last minutes ------tails of 5, 15 and 30 minutes---------> Surging, or None

A count surges when it is large (``at_least``), a multiple of what is expected (``times``), and hardly chance: by the
tail of a negative binomial distribution, for the whole window and for the window without its largest minute, so that a
blip of one minute is none. How good that is, and what else was tried: docs/decisions/0111-surges.md.

Minutes are whole minutes since 1970 (UTC). A series is a mapping from minute to count; a minute that isn't in it
counted nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, exp, lgamma, log, sqrt
from statistics import median

DAY = 24 * 60
WEEK = 7 * DAY
BEFORE = 180
"""How many minutes up to a moment are looked at, in this week and in past ones."""
AFTER = 30
"""How many minutes after the same moment of past weeks are looked at."""
WEEKS = 4
"""How many past weeks are looked at."""

Flagged = Sequence[tuple[int, int]]
"""Minutes that never enter a baseline: (from, until), from included, until not."""

_SLOT = 5
_AROUND = 34
_SLOTS_NEEDED = 7
_LEVEL_ENDS = 30
_LEVEL_NEEDS = 60
_LEVEL = (0.7, 2.0)
# So many events are mixed into the level of the last hours: a few more or less of rare events say nothing.
_LEVEL_CALM = 10.0
# What a rate of the same hour of other weeks may differ by, as a variance relative to its square: 20 %.
_DRIFT = 0.04
# A week may differ by so many standard deviations from the median of all; beyond, it is cut.
_WEEK_SPREAD = 2.0
# So many series of a rule alarm falsely no more often than a rule may.
_ALONE = 2
_SURELY_COUNT = 4
# How much stricter it is while less than a week is known.
_COLD_CHANCE, _COLD_TIMES = 0.1, 1.5
_COLDEST_NEEDS, _COLDEST_TIMES = 30, 10.0


@dataclass(frozen=True, slots=True)
class SurgeParams:
    """What counts as a surge: at least ``at_least`` events, ``times`` what is expected, and by chance no more often
    than in a share ``chance`` of looks; ``chance_without_peak`` bounds the same without the largest minute, but of what
    is ``blip_times`` what is expected.

    ``windows`` are the lengths (minutes) that are judged. A surge goes on while the count of 15 minutes is at least
    ``recover_times`` what is expected.
    """

    at_least: int = 5
    times: float = 2.0
    chance: float = 3e-6
    chance_without_peak: float = 1e-3
    windows: tuple[int, ...] = (5, 15, 30)
    recover_times: float = 1.4
    blip_times: float = 10.0


@dataclass(frozen=True, slots=True)
class Baseline:
    """What is expected now: events ``per_minute``; ``noise`` is variance over mean of counts (1: pure chance), and
    ``unsure`` the variance of the expectation relative to its square. ``weeks`` tell of it (0: the last hours)."""

    per_minute: float
    noise: float
    unsure: float
    weeks: int

    def variance(self, expected: float) -> float:
        """Of the count of a window in which so much is expected."""
        return expected * self.noise + self.unsure * expected * expected


@dataclass(frozen=True, slots=True)
class Surging:
    """A surge: ``value`` events in the ``window`` minutes up to and with ``minute``, ``expected`` ones.

    ``bound`` is the least count that would have been one, ``recover_below`` the count of this window below which it
    ends. ``since_minute`` is when it began. ``weeks`` tell what is expected (0: the last hours).
    """

    minute: int
    window: int
    value: int
    expected: float
    bound: int
    recover_below: float
    since_minute: int
    weeks: int


def judge(
    counts: Mapping[int, int],
    minute: int,
    flagged: Flagged = (),
    *,
    known_since: int = 0,
    params: SurgeParams = SurgeParams(),
    since_minute: int | None = None,
) -> Surging | None:
    """Whether a series surges at a minute, the last whole one; None when it doesn't, or too little is known.

    ``known_since`` is the first minute from which on the source is known: before, nothing counted means nothing.
    ``since_minute`` is given while it surges: then it goes on until it has recovered. Only minutes from `BEFORE`
    before to `AFTER` after the same moment of this week and of `WEEKS` past ones are looked at.
    """
    last = [counts.get(each, 0) for each in range(minute - max(params.windows) + 1, minute + 1)]
    if sum(last) < params.at_least and since_minute is None:
        return None
    weeks = _weeks(counts, minute, flagged, known_since)
    if since_minute is None and _ordinary(last, weeks, params):
        return None
    found = _baseline(weeks, counts, minute, flagged, known_since)
    if found is None:
        return None
    if not weeks:
        params = _colder(params, minute - known_since)
    for window in params.windows:
        surging = _surging(last[-window:], found, minute, params)
        if surging is not None:
            since = _began(counts, minute, found.per_minute * params.times)
            return _since(surging, since if since_minute is None else since_minute)
    return None if since_minute is None else _goes_on(last, found, minute, since_minute, params)


def shared(params: SurgeParams, series: int) -> SurgeParams:
    """The same for each of so many series that are `sharing`, so that all of them alarm falsely no more often than one
    rule may: measured up to 20.

    By Bonferroni's inequality what is allowed is divided among them; squared, as counts have heavier tails than their
    model: with half the chance they alarm three quarters as often. `_ALONE` series need no share.
    """
    if series <= _ALONE:
        return params
    share = _ALONE / series
    return replace(
        params,
        chance=params.chance * share * share,
        chance_without_peak=params.chance_without_peak * share * share,
        blip_times=params.blip_times / share,
    )


def sharing(series: Iterable[Mapping[int, int]], minute: int, params: SurgeParams) -> int:
    """How many series share what a rule may alarm falsely: those that counted ``at_least`` in the last hours.

    Names come with telemetry, so there may be any number of them. Those that were seen a few times can't surge, and
    take nothing from others. It isn't the windows that are judged that tell: rare series would share only while chance
    brings many of their events, which is just when they alarm falsely.
    """
    span = range(minute - BEFORE + 1, minute + 1)
    return sum(sum(map(counts.get, span, (0,) * BEFORE)) >= params.at_least for counts in series)


def looked_at(minute: int, ahead: int = 0, known_since: int = 0) -> list[tuple[int, int]]:
    """The spans of time (from, until), oldest first, that are looked at to judge a minute and ``ahead`` more: parts of
    past weeks, and, while less than one is known, of the days before."""
    after = AFTER + 1 + ahead
    weeks = [(minute - week * WEEK - BEFORE + 1, minute - week * WEEK + after) for week in range(WEEKS, 0, -1)]
    now = (minute - BEFORE + 1, minute + 1 + ahead)
    if minute - known_since >= WEEK + BEFORE:
        return [*weeks, now]
    days = [(minute - day * DAY - _AROUND, minute - day * DAY + after) for day in range(6, 0, -1)]
    return [weeks[-1], *days, now]


def baseline(counts: Mapping[int, int], minute: int, flagged: Flagged = (), known_since: int = 0) -> Baseline | None:
    """What is expected at a minute, by past weeks or, before there is one, by the last hours; None: nothing known."""
    return _baseline(_weeks(counts, minute, flagged, known_since), counts, minute, flagged, known_since)


def _baseline(
    weeks: Sequence[Sequence[int]], counts: Mapping[int, int], minute: int, flagged: Flagged, known_since: int
) -> Baseline | None:
    if not weeks:
        return _of_last_hours(counts, minute, flagged, known_since)
    noise = max(1.0, median(_noise(week) for week in weeks))
    rate = _of_weeks(weeks, noise)
    slots = sum(map(len, weeks))
    # Half an event more than were seen: nothing seen is not the same as never.
    rate += 0.5 / slots
    level = _level(counts, minute, flagged, known_since, noise)
    few = 1.0 if len(weeks) > 2 else 2.0
    return Baseline(rate * level / _SLOT, noise, _DRIFT * few + noise / (rate * slots), len(weeks))


def tail(count: int, mean: float, variance: float) -> float:
    """The probability of at least so many events: negative binomial, or Poisson where the variance is no larger than
    the mean. ``mean`` is above 0."""
    if count <= 0:
        return 1.0
    variance = max(variance, mean * 1.0001)
    size = mean * mean / (variance - mean)
    odds = mean / variance
    at = lgamma(count + size) - lgamma(size) - lgamma(count + 1) + size * log(odds) + count * log(1.0 - odds)
    if count <= mean:
        return max(0.0, 1.0 - _sum_below(count, size, odds))
    term = total = exp(at)
    while term > total * 1e-9:
        term *= (1 - odds) * (size + count) / (count + 1)
        total += term
        count += 1
    return min(1.0, total)


def _sum_below(count: int, size: float, odds: float) -> float:
    term = total = exp(size * log(odds))
    for below in range(count - 1):
        term *= (1 - odds) * (size + below) / (below + 1)
        total += term
    return total


def _surging(last: Sequence[int], known: Baseline, minute: int, params: SurgeParams) -> Surging | None:
    """A surge in these minutes, its begin not yet known."""
    window, value = len(last), sum(last)
    expected = known.per_minute * window
    variance = known.variance(expected)
    if value < params.at_least or value < params.times * expected or value < expected + 1.5 * sqrt(variance):
        return None
    if tail(value, expected, variance) >= params.chance:
        return None
    surely = value >= _SURELY_COUNT * params.at_least and value >= params.blip_times * expected
    if not surely and tail(value - max(last), expected, variance) >= params.chance_without_peak:
        return None
    bound = _least(value, expected, variance, params)
    return Surging(minute, window, value, expected, bound, params.recover_times * expected, minute, known.weeks)


def _least(value: int, expected: float, variance: float, params: SurgeParams) -> int:
    """The least count up to this one that surges, blips aside."""
    low, high = max(params.at_least, ceil(params.times * expected)), value
    while low < high:
        middle = (low + high) // 2
        if tail(middle, expected, variance) < params.chance:
            high = middle
        else:
            low = middle + 1
    return low


def _goes_on(last: Sequence[int], known: Baseline, minute: int, since: int, params: SurgeParams) -> Surging | None:
    window = min(15, len(last))
    value, expected = sum(last[-window:]), known.per_minute * window
    recover_below = max(params.recover_times * expected, params.at_least / 2)
    if value < recover_below:
        return None
    return Surging(minute, window, value, expected, ceil(recover_below), recover_below, since, known.weeks)


def _since(surging: Surging, since: int) -> Surging:
    return Surging(
        surging.minute, surging.window, surging.value, surging.expected, surging.bound, surging.recover_below, since,
        surging.weeks,
    )  # fmt: skip


def _began(counts: Mapping[int, int], minute: int, bound: float) -> int:
    """The first minute of a surge: from it on, more lies above the bound than from any other."""
    best, total, began = 0.0, 0.0, minute
    for each in range(minute, minute - 60, -1):
        total += counts.get(each, 0) - bound
        if total > best:
            best, began = total, each
    return began


def _weeks(counts: Mapping[int, int], minute: int, flagged: Flagged, known_since: int) -> list[list[int]]:
    """The slots around the same moment of past weeks, newest first; weeks that aren't known are left out."""
    backs = [back for back in range(WEEK, WEEKS * WEEK + 1, WEEK) if minute - back - BEFORE >= known_since]
    return _same_time(counts, minute, flagged, known_since, backs)


def _same_time(
    counts: Mapping[int, int], minute: int, flagged: Flagged, known_since: int, backs: Iterable[int]
) -> list[list[int]]:
    """The slots around a moment so many minutes ago each; those of which too little is known are left out."""
    spans = (range(minute - back - _AROUND, minute - back + AFTER + 1) for back in backs)
    around = (_slots(counts, span, flagged) for span in spans if span.start >= known_since)
    return [slots for slots in around if len(slots) >= _SLOTS_NEEDED]


def _ordinary(last: Sequence[int], weeks: Sequence[Sequence[int]], params: SurgeParams) -> bool:
    """Whether even the least that may be expected is too much for a surge: spares most series the rest."""
    least = min(map(_mean, weeks), default=0.0) * _LEVEL[0] / _SLOT
    return all(sum(last[-window:]) < params.times * least * window for window in params.windows)


def _slots(counts: Mapping[int, int], span: range, flagged: Flagged) -> list[int]:
    """Counts of five minutes each, those that touch a flagged window left out."""
    near = [(begin, until) for begin, until in flagged if begin < span.stop and until > span.start]
    each = list(map(counts.get, span, (0,) * len(span)))
    return [
        sum(each[at : at + _SLOT])
        for at in range(0, len(span) - _SLOT + 1, _SLOT)
        if not near or _free(span[at], span[at] + _SLOT, near)
    ]


def _free(begin: int, until: int, flagged: Iterable[tuple[int, int]]) -> bool:
    return not any(from_ < until and to > begin for from_, to in flagged)


def _mean(slots: Sequence[int]) -> float:
    return sum(slots) / len(slots)


def _noise(slots: Sequence[int]) -> float:
    """Variance over mean: 1 by chance alone."""
    mean = _mean(slots)
    return sum((each - mean) ** 2 for each in slots) / (len(slots) - 1) / mean if mean else 1.0


def _of_weeks(weeks: Sequence[Sequence[int]], noise: float) -> float:
    """The mean of all weeks in slots, in which none may stand out; of one or two weeks the higher one."""
    means = list(map(_mean, weeks))
    if len(means) < 3:
        return max(means)
    middle, slots = median(means), min(map(len, weeks))
    spread = _WEEK_SPREAD * sqrt(noise * max(middle, 0.5 / slots) / slots + _DRIFT * middle * middle)
    return sum(min(max(each, middle - spread), middle + spread) for each in means) / len(means)


def _level(counts: Mapping[int, int], minute: int, flagged: Flagged, known_since: int, noise: float) -> float:
    """How the last hours compare with the same hours of past weeks."""
    now, minutes = _total(counts, range(minute - BEFORE + 1, minute - _LEVEL_ENDS + 1), flagged)
    if minutes < _LEVEL_NEEDS:
        return 1.0
    past = []
    for back in range(WEEK, WEEKS * WEEK + 1, WEEK):
        if minute - back - BEFORE >= known_since:
            span = range(minute - back - BEFORE + 1, minute - back - _LEVEL_ENDS + 1)
            total, of = _total(counts, span, flagged)
            past += [total / of * minutes] if of >= _LEVEL_NEEDS else []
    if not past:
        return 1.0
    calm = _LEVEL_CALM * noise
    return min(max((now + calm) / (median(past) + calm), _LEVEL[0]), _LEVEL[1])


def _total(counts: Mapping[int, int], span: range, flagged: Flagged) -> tuple[int, int]:
    """The count of a span of minutes without flagged ones, and how many minutes that are."""
    near = [(begin, until) for begin, until in flagged if begin < span.stop and until > span.start]
    if not near:
        return sum(map(counts.get, span, (0,) * len(span))), len(span)
    kept = [each for each in span if _free(each, each + 1, near)]
    return sum(counts.get(each, 0) for each in kept), len(kept)


def _of_last_hours(counts: Mapping[int, int], minute: int, flagged: Flagged, known_since: int) -> Baseline | None:
    """By what came before the windows that are judged, or the same hour of a day before, whichever was more; before an
    hour is known, by all but the last window."""
    ends = minute - _LEVEL_ENDS if minute - _LEVEL_ENDS - known_since >= _LEVEL_NEEDS else minute - _SLOT
    begins = max(known_since, minute - BEFORE)
    if ends - begins < _COLDEST_NEEDS:
        return None
    slots = _slots(counts, range(begins + 1, ends + 1), flagged)
    if len(slots) < _COLDEST_NEEDS // _SLOT - 1:
        return None
    days = _same_time(counts, minute, flagged, known_since, range(DAY, WEEK, DAY))
    highest = max([slots, *days], key=_mean)
    noise = max(1.0, *map(_noise, (slots, highest)))
    rate = _mean(highest) + 0.5 / len(highest)
    return Baseline(rate / _SLOT, noise, 2 * _DRIFT + noise / (rate * len(highest)), 0)


def _colder(params: SurgeParams, known: int) -> SurgeParams:
    """Stricter, as hours of a day differ; with less than an hour to compare with, ten times as many are asked for,
    however many series a rule has."""
    coldest = known < _LEVEL_NEEDS + _LEVEL_ENDS
    return replace(
        params,
        at_least=params.at_least * (_SURELY_COUNT if coldest else 1),
        times=max(params.times, _COLDEST_TIMES) if coldest else params.times * _COLD_TIMES,
        chance=params.chance * _COLD_CHANCE,
        chance_without_peak=params.chance_without_peak * _COLD_CHANCE,
        windows=params.windows[:1] if coldest else params.windows,
        recover_times=params.recover_times * _COLD_TIMES,
    )
