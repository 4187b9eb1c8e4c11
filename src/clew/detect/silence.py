"""Telemetry silence: sources that should send and don't, by the minutes in which they are expected to be active.

    active minutes of past weeks --> how active a source is in each hour of the week (its profile)
    the profile, summed up over time --> its clock, which stands still while the source usually sleeps
    the clock since it was last heard, against the longest such gap so far --> Silent, or None

Minutes with anything at all are counted, not spans, so that bursts and jobs that run by the hour look as regular as
they are. Minutes are whole minutes since 1970 (UTC), weeks begin on Mondays.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, pairwise
from types import MappingProxyType

HOUR, DAY, WEEK = 60, 24 * 60, 7 * 24 * 60
WEEKS = 4
"""How many past weeks are looked at."""

Spans = Sequence[tuple[int, int]]
"""Spans of time in minutes: (from, until), from included, until not."""

# An hour of the week has 240 minutes in four weeks; the same hour of other days weighs as 4 of them: more would let the
# clock of a service with office hours run on over the weekend.
_SAME_HOUR, _SAME_HOUR_OF_DAY, _ANY_HOUR = 240.0, 4.0, 0.5
_MONDAY = 4 * DAY
_NEW_FOR = DAY
_TAKES_OVER = 30
_STILL_HEARD = 10
_GONE_AFTER = WEEK

EVERYBODY = ""
"""The name of all sources together."""


@dataclass(frozen=True, slots=True)
class SilenceParams:
    """Silent: for ``times`` the longest gap of the past weeks, and at least ``at_least`` minutes."""

    times: float = 1.5
    at_least: int = 3


@dataclass(frozen=True, slots=True)
class Activity:
    """The minutes in which a source was heard, ascending, each once; ``last_ns`` is when it was last heard, and
    ``service`` which service it belongs to (itself, where it is one)."""

    minutes: Sequence[int]
    last_ns: int
    service: str = ""


@dataclass(frozen=True, slots=True)
class Silent:
    """A source that was last heard at ``last_ns``. ``missed`` minutes it would have been active in since, as it usually
    is; ``bound`` of these are too many. ``minutes`` is how long that is on the clock."""

    last_ns: int
    minutes: int
    missed: float
    bound: float


class Clock:
    """Expected active minutes of a source: how many there usually are between two moments."""

    def __init__(self, active: Sequence[int], begin: int, until: int, outages: Spans = ()) -> None:
        """Learns from the ``active`` minutes in the whole hours from ``begin`` until ``until``, outages left out."""
        hours = _shares(active, begin, until, outages)
        self._sums = [0.0, *accumulate(hours[hour] * HOUR for hour in range(WEEK // HOUR))]
        self._hours = hours

    def between(self, begin: int, until: int) -> float:
        """The expected active minutes from one minute to a later one."""
        return self._at(until) - self._at(begin)

    def _at(self, minute: int) -> float:
        weeks, rest = divmod(minute - _MONDAY, WEEK)
        hour, over = divmod(rest, HOUR)
        return weeks * self._sums[-1] + self._sums[hour] + self._hours[hour] * over


def judge(
    activity: Activity, now: int, *, known_since: int, outages: Spans = (), params: SilenceParams = SilenceParams()
) -> Silent | None:
    """Whether a source is silent at a minute, up to which all is known; None: it isn't, or is too new to tell.

    ``known_since`` is the first minute of what is known of all sources. A source is new, and isn't judged, until a day
    after it was first heard. ``outages`` are spans of time in which nothing was heard of anybody: they count neither as
    gaps nor as silence.
    """
    last = _minute(activity.last_ns)
    if not activity.minutes or now - last < params.at_least or judged_from(activity) > now:
        return None
    # Whole hours, and none of the silence that is judged: a part of an hour would tilt its share.
    begin = -(-max(known_since, activity.minutes[0], now - WEEKS * WEEK) // HOUR) * HOUR
    clock = Clock(activity.minutes, begin, last // HOUR * HOUR, outages)
    missed = _gap(clock, last, now, outages)
    bound = params.times * _longest_gap(clock, activity.minutes, outages)
    # A source that was heard every minute so far has no gap to compare with.
    bound = max(bound, 1.0)
    return Silent(activity.last_ns, now - last, missed, bound) if missed > bound else None


def judged_from(activity: Activity) -> int:
    """The minute from which on a source is judged: a day after it was first heard."""
    return activity.minutes[0] + _NEW_FOR if activity.minutes else 0


def replaced(name: str, senders: Mapping[str, Activity], now: int) -> bool:
    """Whether another sender of the same service took over when this one fell silent: one that was first heard no
    earlier than a while before and is heard still, as when instances are replaced one by one."""
    mine = senders[name]
    last = _minute(mine.last_ns)
    return any(
        each != name
        and other.service == mine.service
        and bool(other.minutes)
        and other.minutes[0] > last - _TAKES_OVER
        and now - _minute(other.last_ns) <= _STILL_HEARD
        for each, other in senders.items()
    )


def judge_services(
    services: Mapping[str, Activity],
    now: int,
    *,
    known_since: int,
    outages: Mapping[str, Spans] = MappingProxyType({}),
    params: SilenceParams = SilenceParams(),
) -> dict[str, Silent]:
    """The silent services by name. Where nobody is heard that usually is, that is one silence, of `EVERYBODY`.

    ``outages`` are by service, those of all under `EVERYBODY`.
    """
    last_ns = max((each.last_ns for each in services.values()), default=0)
    if len(services) > 1 and now - _minute(last_ns) >= params.at_least:
        minutes = sorted(set(chain.from_iterable(each.minutes for each in services.values())))
        of_all = outages.get(EVERYBODY, ())
        silent = judge(Activity(minutes, last_ns), now, known_since=known_since, outages=of_all, params=params)
        if silent is not None:
            return {EVERYBODY: silent}
    return _judge_each(services, now, known_since, outages, params)


def judge_senders(
    senders: Mapping[str, Activity],
    now: int,
    *,
    known_since: int,
    outages: Mapping[str, Spans] = MappingProxyType({}),
    params: SilenceParams = SilenceParams(),
) -> dict[str, Silent]:
    """The silent senders by name: instances of services that are heard still by others, and that nobody replaced.

    A service of which no sender is heard any more is the service's matter.
    """
    heard = {each.service for each in senders.values() if now - _minute(each.last_ns) <= _STILL_HEARD}
    found = _judge_each(senders, now, known_since, outages, params)
    return {
        name: silent
        for name, silent in found.items()
        if senders[name].service in heard and silent.minutes <= _GONE_AFTER and not replaced(name, senders, now)
    }


def _judge_each(
    sources: Mapping[str, Activity], now: int, known_since: int, outages: Mapping[str, Spans], params: SilenceParams
) -> dict[str, Silent]:
    of_all = outages.get(EVERYBODY, ())
    judged = {
        name: judge(
            activity, now, known_since=known_since, outages=[*of_all, *outages.get(name, ())], params=params
        )
        for name, activity in sources.items()
    }  # fmt: skip
    return {name: silent for name, silent in judged.items() if silent is not None}


def _minute(at_ns: int) -> int:
    return at_ns // (60 * 10**9)


def _shares(active: Sequence[int], begin: int, until: int, outages: Spans) -> list[float]:
    """The share of minutes in which a source is active, for each hour of the week."""
    seen, known = [0.0] * (WEEK // HOUR), [0.0] * (WEEK // HOUR)
    for minute in active[bisect_left(active, begin) : bisect_left(active, until)]:
        seen[(minute - _MONDAY) % WEEK // HOUR] += 1
    for hour in range(begin, until, HOUR):
        known[(hour - _MONDAY) % WEEK // HOUR] += HOUR
    for from_, to in outages:
        for minute in range(max(from_, begin), min(to, until)):
            known[(minute - _MONDAY) % WEEK // HOUR] -= 1
    overall = _share(sum(seen), sum(known))
    of_day = [_share(sum(seen[hour::24]), sum(known[hour::24]), overall) for hour in range(24)]
    weight = _SAME_HOUR + _SAME_HOUR_OF_DAY + _ANY_HOUR
    return [
        (_SAME_HOUR * _share(seen[hour], known[hour], of_day[hour % 24]) + _SAME_HOUR_OF_DAY * of_day[hour % 24]
            + _ANY_HOUR * overall) / weight
        for hour in range(WEEK // HOUR)
    ]  # fmt: skip


def _share(seen: float, known: float, else_: float = 0.0) -> float:
    return min(1.0, seen / known) if known > 0 else else_


def _longest_gap(clock: Clock, active: Sequence[int], outages: Spans) -> float:
    """The longest gap between active minutes, in expected active minutes."""
    return max((_gap(clock, one, other, outages) for one, other in pairwise(active) if other - one > 1), default=0.0)


def _gap(clock: Clock, begin: int, until: int, outages: Spans) -> float:
    """The expected active minutes between two minutes, outages left out."""
    gap = clock.between(begin + 1, until)
    for from_, to in outages:
        if from_ < until and to > begin:
            gap -= max(0.0, clock.between(max(from_, begin + 1), min(to, until)))
    return max(0.0, gap)
