"""Counts minute by minute, told apart by path or service: what surges are judged from.

Minutes are whole minutes since 1970 (UTC); a minute that isn't there counted nothing. Only the spans of time that a
detector looks at are read. Most of them lie weeks back and don't change: a `SeriesBook` reads them once, and each time
the last minutes alone.

Imported history tells what is usual, and never that something happens now: a `SeriesBook` leaves out what imports alone
tell of the last day.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from clew.model.rule import SeriesKind, SpanCondition, Surge
from clew.store.contract import Store
from clew.store.marks import read_mark
from clew.store.minutes import MARK
from clew.store.orders import OPEN_BUCKET
from clew.store.span_condition import CONDITION, bind_condition

Minutes = dict[int, int]
"""Counts by minute."""
Ranges = Sequence[tuple[int, int]]
"""Spans of time in minutes: (from, until), from included, until not."""

MOST_RANGES = 5
"""How many of them one statement reads."""
_LATE_MINUTES, _LATER_MINUTES = 12, 60
# A little less than a day, so that what is read of the same hour of yesterday stays the same as the book goes on.
_WATCHED_MINUTES = 22 * 60
_ALL = 2**27
_ALL_EVERY_MINUTES = 30
_MINUTE_NS = 60 * 10**9
# What is said of a message comes at the latest so long after it was published.
_LOST_LATER = timedelta(days=8)

_SETTINGS = "SETTINGS do_not_merge_across_partitions_select_final = 1"


# One comparison a range, so that the primary key is used.
_IN_RANGES = """(
    (moment >= toDateTime({from_0:Int64} * 60, 'UTC') AND moment < toDateTime({until_0:Int64} * 60, 'UTC'))
    OR (moment >= toDateTime({from_1:Int64} * 60, 'UTC') AND moment < toDateTime({until_1:Int64} * 60, 'UTC'))
    OR (moment >= toDateTime({from_2:Int64} * 60, 'UTC') AND moment < toDateTime({until_2:Int64} * 60, 'UTC'))
    OR (moment >= toDateTime({from_3:Int64} * 60, 'UTC') AND moment < toDateTime({until_3:Int64} * 60, 'UTC'))
    OR (moment >= toDateTime({from_4:Int64} * 60, 'UTC') AND moment < toDateTime({until_4:Int64} * 60, 'UTC'))
)"""

# Failed attempts and lost messages need no such condition: imports tell of neither.
_NOT_BY_IMPORT = "(imported = 0 OR toUnixTimestamp64Nano(moment) < {watched_from:Int64} * 60000000000)"

_CANCELLED = f"""
WITH entered AS moment
SELECT toString(path) AS series, toInt64(intDiv(toUnixTimestamp(moment), 60)) AS at, toInt64(count()) AS n
FROM orders FINAL
WHERE terminal = 'cancelled' AND bucket >= {{bucket:Date}} AND {_IN_RANGES} AND {_NOT_BY_IMPORT}
GROUP BY series, at
{_SETTINGS}"""

# An order that nothing happened to since can have entered nothing.
_ENTERED = f"""
SELECT toString(path) AS series, toInt64(intDiv(toUnixTimestamp(moment), 60)) AS at, toInt64(count()) AS n
FROM (
    SELECT path, imported, arrayJoin(arrayFilter((t, s) -> s = {{stage:String}}, entered_at, stages)) AS moment
    FROM orders FINAL
    WHERE (bucket = toDate(0) OR bucket >= {{bucket:Date}}) AND has(stages, {{stage:String}})
    AND last_seen >= toDateTime({{from_0:Int64}} * 60, 'UTC')
)
WHERE {_IN_RANGES} AND {_NOT_BY_IMPORT}
GROUP BY series, at
{_SETTINGS}"""

# Events tell failed attempts for good, while an order's row forgets one that was healed. The path is that of the order,
# under whatever id the attempt was told.
_FAILED = f"""
WITH failed AS (
    SELECT DISTINCT order_id, stage, ts AS moment FROM order_events WHERE outcome = 'failed' AND {_IN_RANGES}
), known_as AS (
    SELECT ref, any(target) AS order_id FROM trace_orders
    WHERE relation = 'alias' AND ref GLOBAL IN (SELECT order_id FROM failed) GROUP BY ref
), named AS (
    SELECT if(known_as.order_id != '', known_as.order_id, failed.order_id) AS order_id, stage, moment
    FROM failed GLOBAL LEFT JOIN known_as ON failed.order_id = known_as.ref
)
SELECT toString(of_orders.path) AS series, toInt64(intDiv(toUnixTimestamp(moment), 60)) AS at,
    toInt64(uniqExact(order_id, stage, moment)) AS n
FROM named GLOBAL LEFT JOIN (
    SELECT order_id, any(path) AS path FROM orders FINAL WHERE order_id GLOBAL IN (SELECT order_id FROM named)
    GROUP BY order_id
) AS of_orders ON named.order_id = of_orders.order_id
GROUP BY series, at
{_SETTINGS}"""

_LOST = f"""
SELECT toString(service) AS series, toInt64(intDiv(toUnixTimestamp(moment), 60)) AS at, toInt64(count()) AS n
FROM (
    SELECT service, if(toUnixTimestamp64Nano(said_lost) > 0, said_lost, published) AS moment
    FROM hop_losses FINAL
    WHERE published >= toDateTime({{oldest:Int64}}, 'UTC') AND (state = 'lost' OR toUnixTimestamp64Nano(said_lost) > 0)
)
WHERE {_IN_RANGES}
GROUP BY series, at
{_SETTINGS}"""

_ROLLED_UP = f"""
WITH minute AS moment
SELECT toString(service) AS series, toInt64(intDiv(toUnixTimestamp(minute), 60)) AS at,
    toInt64(sum(multiIf({{count:String}} = 'errors', errors, {{count:String}} = 'http_5xx', http_5xx,
        {{count:String}} = 'http_500', http_500, spans))) AS n
FROM span_minutes FINAL
WHERE {_IN_RANGES} AND minute < toDateTime({{rolled_up:Int64}} * 60, 'UTC')
AND ({{any_service:Bool}} OR service IN {{services:Array(String)}})
AND ({{any_work:Bool}} OR work IN {{work:Array(String)}})
GROUP BY series, at HAVING n > 0
{_SETTINGS}"""

# A span that was sent again counts once.
_SPANS = f"""
WITH ts AS moment
SELECT toString(service) AS series, toInt64(intDiv(toUnixTimestamp(ts), 60)) AS at,
    toInt64(uniqExact(trace_id, span_id)) AS n
FROM spans
WHERE {_IN_RANGES} AND ts >= toDateTime({{rolled_up:Int64}} * 60, 'UTC') AND {CONDITION}
GROUP BY series, at"""

_FIRST_ORDER = "SELECT toUnixTimestamp64Nano(min(first_seen)) AS first, count() AS n FROM orders WHERE gone = 0"
_FIRST_SPAN = "SELECT toUnixTimestamp(minute) * 1000000000 AS first, 1 AS n FROM span_minutes ORDER BY minute LIMIT 1"


def read_series(store: Store, surge: Surge, ranges: Ranges, watched_from: int = _ALL) -> dict[str, Minutes]:
    """The counts of these spans of time of each series of a rule: by path of cancelled, failed and entering orders, by
    service of lost messages (that published it) and spans. The oldest span of time comes first. Orders that imported
    history alone tells of count before the minute ``watched_from``. Raises StoreError."""
    if surge.series is SeriesKind.SPANS:
        return _read_spans(store, surge.spans, ranges)
    series: dict[str, Minutes] = {}
    for begin in range(0, len(ranges), MOST_RANGES):
        bind = _bindings(ranges[begin : begin + MOST_RANGES]) | {"watched_from": watched_from}
        _add(series, _read_orders(store, surge, bind))
    return series


def _read_orders(store: Store, surge: Surge, bind: Mapping[str, object]) -> dict[str, Minutes]:
    match surge.series:
        case SeriesKind.CANCELLED:
            return _read(store, _CANCELLED, bind)
        case SeriesKind.FAILED:
            return _read(store, _FAILED, bind)
        case SeriesKind.LOST:
            return _read(store, _LOST, bind)
        case _:
            return _read(store, _ENTERED, {**bind, "stage": surge.stage})


def known_since(store: Store, kind: SeriesKind) -> int | None:
    """The first minute from which on orders or spans are known; None: nothing is."""
    rows = store.rows(_FIRST_SPAN if kind is SeriesKind.SPANS else _FIRST_ORDER)
    return int(rows[0]["first"]) // _MINUTE_NS if rows and rows[0]["n"] else None


@dataclass(slots=True)
class SeriesBook:
    """The series of one rule as they go on. One thread at a time.

    ``ranges`` answers which spans of time are looked at to judge a minute and so many after it, oldest first, by the
    first minute of which anything is known: clew.detect.surge.looked_at. ``since_minute`` is that minute.
    """

    store: Store
    surge: Surge
    ranges: Callable[[int, int, int], Ranges]
    since_minute: int | None = None
    _series: dict[str, Minutes] = field(default_factory=dict)
    _ranges: Ranges = ()
    _read_at: int = 0

    def at(self, minute: int) -> Mapping[str, Minutes]:
        """The counts by series as they are needed to judge a minute; what came late by more than a few minutes shows
        within half an hour, by more than an hour not at all. They belong to the book, and change with the next call.
        Raises StoreError."""
        if self._ranges and 0 <= minute - self._read_at < _ALL_EVERY_MINUTES:
            self._renew(minute, [(minute - _LATE_MINUTES, minute + 1)])
            return self._series
        self.since_minute = known_since(self.store, self.surge.series)
        since = minute if self.since_minute is None else self.since_minute
        ranges = self.ranges(minute, _ALL_EVERY_MINUTES, since)
        if len(ranges) == len(self._ranges) and 0 <= minute - self._read_at <= 2 * _ALL_EVERY_MINUTES:
            # Past weeks don't change: what is new is what their spans of time have moved on by.
            moved = [(old[1], new[1]) for old, new in zip(self._ranges[:-1], ranges[:-1], strict=True)]
            self._renew(minute, [*moved, (minute - _LATER_MINUTES, ranges[-1][1])])
        else:
            self._series = self._read(minute, ranges)
        self._forget(ranges)
        self._ranges, self._read_at = ranges, minute
        return self._series

    def _read(self, minute: int, ranges: Ranges) -> dict[str, Minutes]:
        return read_series(self.store, self.surge, ranges, minute - _WATCHED_MINUTES)

    def _renew(self, minute: int, parts: Ranges) -> None:
        fresh = self._read(minute, parts)
        for name in fresh.keys() - self._series.keys():
            self._series[name] = {}
        for name, known in self._series.items():
            for begin, until in parts:
                for each in range(begin, until):
                    known.pop(each, None)
            known.update(fresh.get(name, {}))

    def _forget(self, ranges: Ranges) -> None:
        """Let go of what is looked at no more."""
        kept = {
            name: {at: n for at, n in counts.items() if any(begin <= at < until for begin, until in ranges)}
            for name, counts in self._series.items()
        }
        self._series = {name: counts for name, counts in kept.items() if counts}


def _read_spans(store: Store, condition: SpanCondition, ranges: Ranges) -> dict[str, Minutes]:
    """One range in each statement, as spans are many."""
    count = _rolled_up_as(condition)
    # What is rolled up ends where what is read from the spans begins.
    rolled_up = (read_mark(store, MARK) or 0) // _MINUTE_NS if count else 0
    series: dict[str, Minutes] = {}
    for each in ranges:
        bind = _bindings([each]) | bind_condition(condition) | {"rolled_up": rolled_up, "count": count or ""}
        if count and each[0] < rolled_up:
            _add(series, _read(store, _ROLLED_UP, bind))
        if each[1] > rolled_up:
            _add(series, _read(store, _SPANS, bind))
    return series


def _add(series: dict[str, Minutes], more: Mapping[str, Minutes]) -> None:
    for name, counts in more.items():
        series.setdefault(name, {}).update(counts)


def _rolled_up_as(condition: SpanCondition) -> str | None:
    """The count of span_minutes that counts what meets the condition; None: there is none."""
    if condition.operations or condition.longer_than_ns or condition.where:
        return None
    http = condition.http_from, condition.http_to
    counts = {(0, 0): "errors" if condition.errors_only else "spans"}
    if not condition.errors_only:
        counts |= {(500, 500): "http_500", (500, 599): "http_5xx"}
    return counts.get(http)


def _read(store: Store, query: str, bind: Mapping[str, object]) -> dict[str, Minutes]:
    found = store.columns(query, bind)
    series: dict[str, Minutes] = {}
    if found:
        for name, at, n in zip(found["series"], found["at"], found["n"], strict=True):
            series.setdefault(name, {})[int(at)] = int(n)
    return series


def _bindings(ranges: Ranges) -> dict[str, object]:
    padded = [*ranges, *[(0, 0)] * (MOST_RANGES - len(ranges))]
    first = datetime.fromtimestamp(padded[0][0] * 60, UTC)
    day = first.date()
    return {
        **{f"from_{each}": begin for each, (begin, _) in enumerate(padded)},
        **{f"until_{each}": until for each, (_, until) in enumerate(padded)},
        "bucket": max(OPEN_BUCKET + timedelta(days=1), day - timedelta(days=day.weekday())),
        "oldest": int((first - _LOST_LATER).timestamp()),
    }
