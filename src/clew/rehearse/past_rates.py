"""What rules about spans, counts and silence would have found over a range of the past, minute by minute."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from clew.detect.rate_rules import RateRules, Window, told_before
from clew.detect.silence import Activity
from clew.detect.spans import burning, slow, spans_seen
from clew.detect.surge import looked_at
from clew.model.alert import Finding
from clew.model.rule import BurnRate, Rule, SeriesKind, Silence, Slow, SpansSeen, Surge
from clew.model.watched import SpanGroup
from clew.store.activity import WEEKS_READ, Heard, read_heard
from clew.store.contract import Store
from clew.store.minutes import MINUTE_NS, Durations, quantile
from clew.store.rule_history import spans_by_minute
from clew.store.rule_spans import bad_of, burned_of
from clew.store.series import known_since, read_series

_WEEK = 7 * 24 * 60
SILENCE_EVERY = 5
"""Silence is judged every five minutes only."""

Moment = tuple[int, list[Finding]]
"""A moment (Unix ns), and what a look then would have found."""
Windows = Mapping[str, Sequence[Window]]
"""Windows that were told while Clew watched, by series, in minutes."""


def found_in_spans(store: Store, rule: Rule, from_ns: int, until_ns: int) -> Iterator[Moment]:
    """What a rule about spans would have found at each minute in which anything had ended within its window."""
    shape = rule.shape
    assert isinstance(shape, SpansSeen | Slow), "the caller knows the shape"
    window = -(-shape.window_ns // MINUTE_NS)
    lengths = isinstance(shape, Slow)
    by_minute: dict[int, dict[tuple[str, str], Durations]] = defaultdict(dict)
    begin_ns = from_ns - window * MINUTE_NS
    for service, doing, minute, bucket, n in spans_by_minute(
        store, shape.spans, shape.by, begin_ns, until_ns, lengths=lengths
    ):
        by_minute[minute].setdefault((service, doing), {})[bucket] = n
    within: dict[tuple[str, str], Durations] = defaultdict(dict)
    for minute in range(begin_ns // MINUTE_NS, until_ns // MINUTE_NS):
        _add(within, by_minute.get(minute, {}), 1)
        _add(within, by_minute.get(minute - window, {}), -1)
        now_ns = (minute + 1) * MINUTE_NS
        if now_ns < from_ns:
            continue
        groups = [_group(key, durations, shape, minute) for key, durations in within.items() if durations]
        yield now_ns, slow(rule, shape, groups) if isinstance(shape, Slow) else spans_seen(rule, shape, groups, now_ns)


def _add(within: dict[tuple[str, str], Durations], groups: Mapping[tuple[str, str], Durations], sign: int) -> None:
    for key, durations in groups.items():
        total = within[key]
        for bucket, n in durations.items():
            left = total.get(bucket, 0) + sign * n
            if left:
                total[bucket] = left
            else:
                del total[bucket]


def _group(key: tuple[str, str], durations: Durations, shape: SpansSeen | Slow, minute: int) -> SpanGroup:
    level = shape.quantile if isinstance(shape, Slow) else None
    now_ns = (minute + 1) * MINUTE_NS
    lasted = None if level is None else quantile(durations, level)
    return SpanGroup(*key, sum(durations.values()), now_ns - MINUTE_NS, now_ns, lasted)


def found_burning(store: Store, rule: Rule, shape: BurnRate, from_ns: int, until_ns: int) -> Iterator[Moment]:
    """When a goal would have been missed too fast."""
    longest = max(window.long_ns for window in shape.windows) // MINUTE_NS
    first, last = from_ns // MINUTE_NS, until_ns // MINUTE_NS
    spans, bad = (
        read_series(store, Surge(SeriesKind.SPANS, spans=each), [(first - longest, last)])
        for each in (shape.spans, bad_of(shape))
    )
    # Without a bad span within a short window nothing burns.
    short = max(window.short_ns for window in shape.windows) // MINUTE_NS
    burnt = sorted({minute for counts in bad.values() for minute in counts})
    for minute in range(first, last):
        now_ns = (minute + 1) * MINUTE_NS
        recent = bisect_right(burnt, minute) > bisect_right(burnt, minute - short)
        yield now_ns, burning(rule, shape, burned_of(shape, spans, bad, minute), now_ns) if recent else []


def found_surging(
    store: Store, rule: Rule, shape: Surge, from_ns: int, until_ns: int, windows: Windows
) -> Iterator[Moment]:
    """When a series would have surged; ``windows`` are those that were told by then, of any series."""
    first, last = from_ns // MINUTE_NS, until_ns // MINUTE_NS
    series = read_series(store, shape, [(looked_at(first)[0][0], last)])
    since = known_since(store, shape.series) or 0
    rates = RateRules(told_before(windows, first))
    for minute in range(first, last):
        yield (minute + 1) * MINUTE_NS, rates.surges(rule.name, shape, series, minute, since)


def found_silent(
    store: Store, rule: Rule, shape: Silence, from_ns: int, until_ns: int, windows: Windows
) -> Iterator[Moment]:
    """Who would have been silent, judged every `SILENCE_EVERY` minutes by what was known then."""
    first, last = from_ns // MINUTE_NS, until_ns // MINUTE_NS
    sources: dict[str, Heard] = {}
    weeks = WEEKS_READ[shape.source] * _WEEK
    for name, service, minute, last_ns in read_heard(store, shape.source, first - weeks, last):
        sources.setdefault(name, Heard(service)).add(minute, last_ns)
    rates = RateRules(told_before(windows, first))
    for minute in range(first, last, SILENCE_EVERY):
        known = {name: _known_at(heard, minute, weeks) for name, heard in sources.items()}
        known = {name: each for name, each in known.items() if each.minutes}
        since = min((each.minutes[0] for each in known.values()), default=minute)
        yield (minute + 1) * MINUTE_NS, rates.silences(rule.name, shape, known, minute, since)


def _known_at(heard: Heard, minute: int, weeks: int) -> Activity:
    """What was known of a source at a minute, of the ``weeks`` (in minutes) before it; maybe nothing."""
    begin = bisect_left(heard.minutes, minute - weeks)
    minutes: Sequence[int] = heard.minutes[begin : bisect_right(heard.minutes, minute)]
    return Activity(minutes, (minutes[-1] + 1) * MINUTE_NS - 1 if minutes else 0, heard.service)
