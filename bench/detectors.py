"""How often surge detectors alarm for nothing, what they find, and how soon; the same for telemetry silence."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice

import numpy as np

from bench.detector_methods import METHODS, Alarms, Seen
from bench.detector_series import DAY, RATES, TIMES, Series, Whole, suite
from bench.detector_silence import measure_silence
from bench.figures import Figure, percentile
from clew.detect.surge import judge

_APART = 30
"""Minutes without alarm that end an alarm: so long an incident stays open."""
_SOON = 15
"""Three windows of five minutes."""
_BOUNDS = (0.2, 1.0, 5.0, 20.0)
_USUAL = ("below 0.2", "0.2 to 1", "1 to 5", "5 to 20", "above 20")
"""Usual events a minute, as they are told apart."""
_SERIES_OF_A_RULE = (1, 2, 5, 10, 20)


@dataclass(slots=True)
class Score:
    """What a method did at one rate."""

    days: float = 0.0
    false: int = 0
    planted: dict[int, int] = field(default_factory=lambda: dict.fromkeys(TIMES, 0))
    delays: dict[int, list[int]] = field(default_factory=lambda: {times: [] for times in TIMES})

    def add(self, other: Score) -> None:
        """Count the other one, too."""
        self.days += other.days
        self.false += other.false
        for times in TIMES:
            self.planted[times] += other.planted[times]
            self.delays[times] += other.delays[times]

    def found(self, times: int) -> float:
        """The share of surges that was found while they lasted."""
        return len(self.delays[times]) / max(1, self.planted[times])

    def delay(self, times: int) -> float:
        """The median of minutes until a surge was found; those that weren't don't count."""
        return percentile([float(each) for each in self.delays[times]], 50)

    @property
    def per_month(self) -> float:
        """False alarms of a series in 30 days."""
        return self.false / max(self.days, 1e-9) * 30


def measure(seconds: float) -> Iterator[Figure]:
    """All methods over all series, judged minute by minute: a week of each with surges for each ten minutes that it may
    take, twice as long without. With less time, one series in eight."""
    weeks, one_in = max(1, round(seconds / 600)), 1 if seconds >= 600 else 8
    scores: dict[str, dict[str, Score]] = {name: {usual: Score() for usual in _USUAL} for name in METHODS}
    for surges in (False, True):
        for series in islice(suite(weeks if surges else 2 * weeks, surges), None, None, one_in):
            seen = Seen(series.counts)
            for name, method in METHODS.items():
                _count(scores[name], series, seen.minutes, method(seen))
    for name, by_usual in scores.items():
        yield from _figures(name, by_usual)
    yield from _cost()
    yield from measure_silence(2 * weeks)


def measure_by_rule(seconds: float) -> Iterator[Figure]:
    """What a rule of so many series does, on other series: they share the rule's false alarms. Two weeks of each with
    surges for each ten minutes, four times as long without, and as long of rules of which all series count rarely; with
    less time, one series in eight."""
    weeks, one_in = max(1, round(seconds / 600)), 1 if seconds >= 600 else 8
    quiet = partial(suite, 8 * weeks, surges=False)
    suites = {
        "": (quiet(seed=2), suite(2 * weeks, surges=True, seed=2)),
        f" {_USUAL[0]} a minute": (quiet(seed=3, rates=RATES[:1] * 3),),
    }
    for which, made in suites.items():
        scores = {number: Score() for number in _SERIES_OF_A_RULE}
        for each in made:
            _in_rules(list(islice(each, None, None, one_in)), scores)
        for number, score in scores.items():
            yield from _by_rule(f"a rule of {number} series{which}", number, score)


def _in_rules(those: Sequence[Series], scores: dict[int, Score]) -> None:
    """Count what each series does in a rule with those that come next in an order by chance."""
    those = [those[at] for at in np.random.default_rng(1).permutation(len(those))]
    shares = [Seen(each.counts).sharing() for each in those]
    for at, series in enumerate(those):
        seen = Seen(series.counts)
        for number, score in scores.items():
            sharing = np.sum([shares[(at + other) % len(shares)] for other in range(number)], axis=0)
            by_usual = {usual: Score() for usual in _USUAL}
            _count(by_usual, series, seen.minutes, seen.judged_among(sharing))
            score.add(_whole(by_usual))


def _by_rule(name: str, number: int, score: Score) -> Iterator[Figure]:
    yield Figure(f"{name}: false alarms, rule and month", number * score.per_month, "alarms", at_most=1)
    yield Figure(f"{name}: false alarms seen in {score.days:g} days of series", score.false, "alarms")
    if any(score.planted.values()):
        yield from _found(name, score)


def _count(scores: dict[str, Score], series: Series, minutes: Whole, alarms: Alarms) -> None:
    """Surges count where the usual rate is at that time of the week, false alarms where it is on average."""
    first = int(minutes[0])
    if not series.surges:
        score = scores[_usual(series.rate)]
        score.days += len(minutes) / DAY
        score.false += _alarms(minutes[alarms])
    for surge in series.surges:
        begin = surge.begin - first
        found = np.nonzero(alarms[begin : begin + surge.minutes])[0]
        score = scores[_usual(surge.usual)]
        score.planted[surge.times] += 1
        score.delays[surge.times] += [int(found[0]) + 1] if len(found) else []


def _usual(rate: float) -> str:
    return _USUAL[bisect_right(_BOUNDS, rate)]


def _alarms(minutes: Whole) -> int:
    return int(np.count_nonzero(np.diff(minutes) > _APART)) + 1 if len(minutes) else 0


def _figures(name: str, by_usual: dict[str, Score]) -> Iterator[Figure]:
    whole = _whole(by_usual)
    yield _false_alarms(name, whole)
    yield from _found(name, whole)
    if name == "Clew":
        for usual, score in by_usual.items():
            yield from _by_usual(f"{name}, {usual} a minute", score)


def _whole(by_usual: dict[str, Score]) -> Score:
    whole = Score()
    for score in by_usual.values():
        whole.add(score)
    return whole


def _found(name: str, score: Score) -> Iterator[Figure]:
    for times in TIMES:
        yield Figure(f"{name}: found, x{times}", 100 * score.found(times), "%")
        yield Figure(f"{name}: delay, x{times}", score.delay(times), "min")


def _by_usual(name: str, score: Score) -> Iterator[Figure]:
    if score.days:
        yield _false_alarms(name, score)
    for times in TIMES:
        soon = sum(each <= _SOON for each in score.delays[times])
        yield Figure(f"{name}: found, x{times}", 100 * score.found(times), "%")
        yield Figure(f"{name}: … within {_SOON} min", 100 * soon / max(1, score.planted[times]), "%")


def _false_alarms(name: str, score: Score) -> Figure:
    target = 1.0 if name.startswith("Clew") else None
    return Figure(f"{name}: false alarms, series and month", score.per_month, "alarms", at_most=target)


def _cost() -> Iterator[Figure]:
    """CPU of one look at 1,000 series."""
    for rate in RATES:
        series = next(each for each in suite(1, False) if each.rate == rate)
        counts = {at: int(count) for at, count in enumerate(series.counts) if count}
        looks = range(len(series.counts) - 1_000, len(series.counts))
        began = time.process_time()
        for minute in looks:
            judge(counts, minute)
        yield Figure(f"a look at 1 000 series, {rate:g} a minute", (time.process_time() - began) * 1000, "ms")
