"""What the key figures are, worked out of what was counted, and how two spans of time compare.

Success and availability follow the definitions of B. Beyer et al., "Site Reliability Engineering" (2016), chapter 3: of
requests the share that succeeded, and of the time the share in which the service was up. A minute is up when less than
5 % of the requests answered in it failed with HTTP 5xx; minutes without any aren't counted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from clew.store.minutes import (
    REQUESTS,
    UP_WITH_5XX_BELOW,
    Counts,
    Durations,
    Window,
    Work,
    added,
    quantile,
)
from clew.web.pictures.axes import Unit, written

NOTABLE = 2.0
"""A difference of counts is told from chance when it is larger than so many standard deviations."""
_FEW = 20
_FEW_BEYOND = 5
_ALIKE = 0.05

Slot = dict[Work, Counts]


@dataclass(frozen=True, slots=True)
class Minutes:
    """What was counted in a window: counts and durations of the requests, slot by slot."""

    window: Window
    counts: Sequence[Slot]
    durations: Sequence[Durations]


@dataclass(frozen=True, slots=True)
class Value:
    """A figure of a span of time: None is no data. ``n`` is how many it was worked out of, ``hits`` how many of these
    it counts."""

    value: float | None
    n: int = 0
    hits: int = 0


@dataclass(frozen=True, slots=True)
class Measure:
    """A key figure: how it is worked out of a minute or more, and which way is better (0: neither).

    ``level`` is that of a quantile. ``of`` takes slots, their durations and the minutes they last.
    """

    key: str
    title: str
    unit: Unit
    better: int
    said: str
    of: Callable[[Sequence[Slot], Sequence[Durations], float], Value]
    level: float | None = None

    def whole(self, told: Minutes) -> Value:
        """The figure of all of a window."""
        return self.of(told.counts, told.durations, told.window.minutes)

    def by_slot(self, told: Minutes) -> list[float | None]:
        """The figure of each slot."""
        return [
            self.of([counts], [durations], told.window.slot_minutes(slot)).value
            for slot, (counts, durations) in enumerate(zip(told.counts, told.durations, strict=True))
        ]


def total(slots: Sequence[Slot], works: Sequence[Work] = tuple(Work)) -> Counts:
    """Everything of these kinds of work together."""
    return sum((slot.get(work, Counts()) for slot in slots for work in works), Counts())


def _throughput(slots: Sequence[Slot], _: Sequence[Durations], minutes: float) -> Value:
    requests = total(slots, REQUESTS).spans
    return Value(requests / minutes, requests, requests) if any(slots) else Value(None)


def _success(slots: Sequence[Slot], _: Sequence[Durations], __: float) -> Value:
    counts = total(slots, REQUESTS)
    well = counts.spans - counts.errors
    return Value(well / counts.spans, counts.spans, well) if counts.spans else Value(None)


def _availability(slots: Sequence[Slot], _: Sequence[Durations], __: float) -> Value:
    counts = total(slots, [Work.SERVER])
    return Value(counts.up / counts.minutes, counts.minutes, counts.up) if counts.minutes else Value(None)


def _count(read: Callable[[Counts], int], works: Sequence[Work] = tuple(Work)) -> Callable[..., Value]:
    def of(slots: Sequence[Slot], _: Sequence[Durations], __: float) -> Value:
        counts = total(slots, works)
        return Value(read(counts), counts.spans, read(counts)) if any(slots) else Value(None)

    return of


def _latency(level: float) -> Callable[..., Value]:
    def of(_: Sequence[Slot], durations: Sequence[Durations], __: float) -> Value:
        together = added(durations)
        return Value(quantile(together, level), sum(together.values()))

    return of


MEASURES = (
    Measure("throughput", "Requests a minute", Unit.NUMBER, 0,
            "what services were asked for: server and consumer spans", _throughput),
    Measure("success", "Success rate", Unit.SHARE, 1,
            "requests that didn't end with an error; the link finds server spans that did, not consumer spans",
            _success),
    Measure("availability", "Availability", Unit.SHARE, 1,
            f"minutes in which less than {UP_WITH_5XX_BELOW:.0%} of the requests got HTTP 5xx, of minutes with any",
            _availability),
    Measure("http_500", "HTTP 500", Unit.COUNT, -1,
            "requests answered with status 500; the link finds http.response.status_code, not http.status_code",
            _count(lambda counts: counts.http_500, [Work.SERVER])),
    Measure("p50", "Latency p50", Unit.LENGTH, -1, "half of the requests take no longer", _latency(0.5), 0.5),
    Measure("p95", "Latency p95", Unit.LENGTH, -1,
            "19 of 20 requests take no longer; the link finds server spans that do", _latency(0.95), 0.95),
    Measure("p99", "Latency p99", Unit.LENGTH, -1,
            "99 of 100 requests take no longer; the link finds server spans that do", _latency(0.99), 0.99),
    Measure("retries", "Retries", Unit.COUNT, -1, "attempts after the first one, of any work",
            _count(lambda counts: counts.retries)),
    Measure("timeouts", "Timeouts", Unit.COUNT, -1, "work of any kind that ended by time-out",
            _count(lambda counts: counts.timeouts)),
)  # fmt: skip
"""The key figures of requests. Quantiles are right to 2.2 %."""

Tone = str
"""``better``, ``worse``, ``alike`` (the difference may be chance, or is neither) or ``none`` (nothing to compare)."""


@dataclass(frozen=True, slots=True)
class Change:
    """How a figure changed: in words, with its tone."""

    text: str
    tone: Tone


def change(measure: Measure, now: Value, before: Value) -> Change:
    """How a figure compares with what it was.

    Counts and shares are compared by their standard deviations, those of Poisson's and the binomial distribution:
    what is within two of them is called alike. Quantiles need some values beyond them, else they are too thin.
    """
    if before.value is None:
        return Change("no data then", "none")
    if now.value is None:
        return Change("no data now", "none")
    if thin := _too_thin(measure, now, before):
        return Change(thin, "none")
    if not _notable(measure, now, before):
        return Change("about the same", "alike")
    more = now.value > before.value
    tone = "alike" if not measure.better else "better" if more == (measure.better > 0) else "worse"
    return Change(_difference(measure.unit, now.value, before.value), tone)


def _too_thin(measure: Measure, now: Value, before: Value) -> str:
    if measure.unit is Unit.COUNT or measure.unit is Unit.NUMBER:
        return ""
    needed = _FEW if measure.level is None else max(_FEW, math.ceil(_FEW_BEYOND / (1 - measure.level)))
    fewer = min(now.n, before.n)
    return f"too few to compare ({fewer} of {needed})" if fewer < needed else ""


def _notable(measure: Measure, now: Value, before: Value) -> bool:
    if measure.unit is Unit.LENGTH:
        high, low = max(now.value or 0, before.value or 0), min(now.value or 0, before.value or 0)
        return high - low > _ALIKE * high
    if measure.unit is Unit.SHARE:
        together = (now.hits + before.hits) / (now.n + before.n)
        deviation = math.sqrt(together * (1 - together) * (1 / now.n + 1 / before.n))
        return abs((now.value or 0) - (before.value or 0)) > NOTABLE * deviation
    return abs(now.hits - before.hits) > NOTABLE * math.sqrt(now.hits + before.hits)


def _difference(unit: Unit, now: float, before: float) -> str:
    sign = "+" if now > before else "-"
    if unit is Unit.SHARE:
        points = abs(now - before) * 100
        return f"{sign}{points:.1f} points" if points >= 0.1 else f"{sign}{points:.2g} points"
    if not before:
        return f"+{written(now, unit)}"
    if now / before >= 10:
        return f"{now / before:,.0f} times"
    return f"{sign}{abs(now / before - 1):.0%}"
