"""What rules about spans, counts and silence would have found over a range of the past, minute by minute."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from clew.detect import surge as surging
from clew.detect.rates import silence_findings, surge_finding
from clew.detect.silence import WEEKS, Activity, SilenceParams, judge_senders, judge_services
from clew.detect.spans import burning, slow, spans_seen
from clew.model.alert import Finding
from clew.model.rule import BurnRate, Rule, SeriesKind, Silence, Slow, SourceKind, SpansSeen, Surge
from clew.model.watched import SpanGroup
from clew.store.activity import Heard, read_heard
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


def found_surging(store: Store, rule: Rule, shape: Surge, from_ns: int, until_ns: int) -> Iterator[Moment]:
    """When a series would have surged; a surge never enters what is expected later."""
    first, last = from_ns // MINUTE_NS, until_ns // MINUTE_NS
    begin = surging.looked_at(first)[0][0]
    series = read_series(store, shape, [(begin, last)])
    since = known_since(store, shape.series) or 0
    params = surging.SurgeParams(at_least=shape.at_least, times=shape.times)
    flagged: dict[str, list[tuple[int, int]]] = defaultdict(list)
    going_on: dict[str, int] = {}
    for minute in range(first, last):
        found = []
        for name, counts in series.items():
            told = surging.judge(
                counts, minute, flagged[name], known_since=since, params=params, since_minute=going_on.get(name)
            )
            if told is None:
                begun = going_on.pop(name, None)
                if begun is not None:
                    flagged[name].append((begun, minute))
                continue
            going_on[name] = told.since_minute
            found.append(surge_finding(rule.name, shape, name, told))
        yield (minute + 1) * MINUTE_NS, found


def found_silent(store: Store, rule: Rule, shape: Silence, from_ns: int, until_ns: int) -> Iterator[Moment]:
    """Who would have been silent, judged every `SILENCE_EVERY` minutes by what was known then."""
    first, last = from_ns // MINUTE_NS, until_ns // MINUTE_NS
    sources: dict[str, Heard] = {}
    for name, service, minute, last_ns in read_heard(store, shape.source, first - WEEKS * _WEEK, last):
        if (not shape.only or name in shape.only) and name not in shape.except_:
            sources.setdefault(name, Heard(service)).add(minute, last_ns)
    judging = judge_services if shape.source is SourceKind.SERVICE else judge_senders
    params = SilenceParams(shape.times, max(1, shape.at_least_ns // MINUTE_NS))
    for minute in range(first, last, SILENCE_EVERY):
        known = {name: _known_at(heard, minute) for name, heard in sources.items() if heard.minutes[0] <= minute}
        quiet = any(minute - each.minutes[-1] >= params.at_least for each in known.values())
        since = min((each.minutes[0] for each in known.values()), default=minute)
        silent = judging(known, minute, known_since=since, params=params) if quiet else {}
        found = silence_findings(rule.name, shape.source, silent, known, len(known)) if silent else []
        yield (minute + 1) * MINUTE_NS, found


def _known_at(heard: Heard, minute: int) -> Activity:
    """What was known of a source at a minute, of the weeks before it."""
    begin = bisect_left(heard.minutes, minute - WEEKS * _WEEK)
    minutes: Sequence[int] = heard.minutes[begin : bisect_right(heard.minutes, minute)]
    minutes = minutes or heard.minutes[:1]
    return Activity(minutes, (minutes[-1] + 1) * MINUTE_NS - 1, heard.service)
