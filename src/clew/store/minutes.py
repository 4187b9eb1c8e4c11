"""Spans by the minute: what the roll-up writes and what figures over weeks are read from.

Durations lie in buckets whose bounds grow by a sixteenth of an octave, those of OpenTelemetry's exponential histogram
at scale 4 (https://opentelemetry.io/docs/specs/otel/metrics/data-model/#exponentialhistogram): a quantile is right to
2.2 %, and buckets of any minutes and services add up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from clew.model.moments import LAST_NS
from clew.store.contract import Store
from clew.store.lookups import LOOKUP
from clew.store.marks import read_mark

MARK = "span_minutes"
"""The mark: minutes before that moment (Unix ns) are rolled up; later ones are read from the spans."""

MINUTE_NS = 60 * 10**9
BUCKETS_AN_OCTAVE = 16
# A rate of the first seconds of a slot would say more of chance than of work.
_PASSED_AT_LEAST_NS = 10 * 10**9
UP_WITH_5XX_BELOW = 0.05
"""A minute counts as up when less than this share of its answered requests failed with HTTP 5xx."""


class Work(StrEnum):
    """What a span did: a client call to a database is ``DATABASE``, any other one ``CLIENT``."""

    SERVER = "server"
    CONSUMER = "consumer"
    CLIENT = "client"
    PRODUCER = "producer"
    DATABASE = "database"
    INTERNAL = "internal"


REQUESTS = (Work.SERVER, Work.CONSUMER)
"""Work that a service was asked for."""

KIND_OF_WORK = (
    "multiIf(kind = 2, 'server', kind = 5, 'consumer', kind = 4, 'producer', "
    "mapContains(attrs, 'db.system.name') OR mapContains(attrs, 'db.system'), 'database', "
    "kind = 3, 'client', 'internal')"
)
"""The work of a span, in SQL."""
HTTP_CODE = (
    "toUInt16OrZero(if(attrs['http.response.status_code'] != '', attrs['http.response.status_code'], "
    "attrs['http.status_code']))"
)
"""The HTTP status of a span, in SQL; 0 without one."""

# A span that was sent again counts once, as its least row: all of one row and the same each time, else a roll-up done
# again could write it under a second key. `received` counts it each time, which is how the roll-up finds minutes to
# which something came late. The bucket of 0 ns is that of 1 ns.
_MINUTES = f"""
SELECT minute, service, work, sum(n) AS spans, sum(failed) AS errors, sum(of_5xx) AS http_5xx, sum(of_500) AS http_500,
    sum(again) AS retries, sum(timed_out) AS timeouts, sum(lasted) AS duration_ns,
    groupArray(bucket) AS buckets, groupArray(toUInt32(n)) AS counts, sum(seen) AS received
FROM (
    SELECT toStartOfMinute(toDateTime(at, 'UTC')) AS minute, by AS service, of AS work,
        toUInt16(floor(log2(greatest(length_ns, 1)) * 16)) AS bucket,
        count() AS n, sum(times) AS seen, countIf(ended = 2) AS failed, countIf(code BETWEEN 500 AND 599) AS of_5xx,
        countIf(code = 500) AS of_500, countIf(attempts > 0) AS again, countIf(late) AS timed_out,
        sum(length_ns) AS lasted
    FROM (
        SELECT min((ts, service, kind_of_work, status, http_code, retry_count, timeout, duration_ns)) AS told,
            told.1 AS at, told.2 AS by, told.3 AS of, told.4 AS ended, told.5 AS code, told.6 AS attempts,
            told.7 AS late, told.8 AS length_ns, count() AS times
        FROM (
            SELECT trace_id, span_id, ts, service, status, retry_count, timeout, duration_ns,
                {KIND_OF_WORK} AS kind_of_work, {HTTP_CODE} AS http_code
            FROM spans
            WHERE ts >= fromUnixTimestamp64Nano({{from:Int64}}, 'UTC')
            AND ts < fromUnixTimestamp64Nano({{to:Int64}}, 'UTC')
        )
        GROUP BY trace_id, span_id
    )
    GROUP BY minute, service, work, bucket
)
GROUP BY minute, service, work"""

_COLUMNS = (
    "minute, service, work, spans, errors, http_5xx, http_500, retries, timeouts, duration_ns, "
    "buckets, counts, received"
)

# Of both sources, in the range, of the asked service. What is rolled up ends where what is read from the spans begins.
_RANGE = f"""
SELECT minute, service, work, spans, errors, http_5xx, http_500, retries, timeouts, buckets, counts FROM (
    SELECT {_COLUMNS} FROM span_minutes FINAL
    WHERE minute >= toDateTime(intDiv({{since:Int64}}, 1000000000), 'UTC')
    AND minute < toDateTime(intDiv(least({{until:Int64}}, {{from:Int64}}), 1000000000), 'UTC')
    AND ({{service:String}} = '' OR service = {{service:String}})
    UNION ALL
    SELECT {_COLUMNS} FROM ({_MINUTES}) WHERE {{service:String}} = '' OR service = {{service:String}}
)"""

_SETTINGS = "SETTINGS do_not_merge_across_partitions_select_final = 1"

_SLOT = "toUInt32(intDiv(toInt64(toUnixTimestamp(minute)) - intDiv({since:Int64}, 1000000000), {step:Int64}))"

_COUNTS = f"""
SELECT {_SLOT} AS slot, work, toInt64(sum(n)) AS spans, toInt64(sum(failed)) AS errors,
    toInt64(sum(of_5xx)) AS http_5xx, toInt64(sum(of_500)) AS http_500,
    toInt64(sum(again)) AS retries, toInt64(sum(timed_out)) AS timeouts,
    toInt64(count()) AS minutes, toInt64(countIf(of_5xx < {UP_WITH_5XX_BELOW} * n)) AS up
FROM (
    SELECT minute, work, sum(spans) AS n, sum(errors) AS failed, sum(http_5xx) AS of_5xx, sum(http_500) AS of_500,
        sum(retries) AS again, sum(timeouts) AS timed_out
    FROM ({_RANGE}) GROUP BY minute, work
)
GROUP BY slot, work ORDER BY slot, work
{_SETTINGS}"""

_DURATIONS = f"""
SELECT {_SLOT} AS slot, bucket, toInt64(sum(n)) AS n
FROM (SELECT minute, buckets, counts FROM ({_RANGE}) WHERE work IN {{works:Array(String)}})
ARRAY JOIN buckets AS bucket, counts AS n
GROUP BY slot, bucket ORDER BY slot, bucket
{_SETTINGS}"""

_BY_SERVICE = f"""
SELECT toString(service) AS name, toInt64(sum(spans)) AS all_spans, toInt64(sum(errors)) AS all_errors,
    toInt64(sumIf(spans, work IN {{works:Array(String)}})) AS requests,
    toInt64(sumIf(errors, work IN {{works:Array(String)}})) AS failed, toInt64(sum(http_500)) AS all_500
FROM ({_RANGE}) GROUP BY name ORDER BY name
{_SETTINGS}"""

_BUCKETS_BY_SERVICE = f"""
SELECT toString(service) AS name, bucket, toInt64(sum(n)) AS n
FROM (SELECT service, buckets, counts FROM ({_RANGE}) WHERE work IN {{works:Array(String)}})
ARRAY JOIN buckets AS bucket, counts AS n
GROUP BY name, bucket ORDER BY name, bucket
{_SETTINGS}"""


_NAMES = """
SELECT DISTINCT toString(service) AS name FROM (
    SELECT service FROM span_minutes WHERE minute >= toDateTime(intDiv({since:Int64}, 1000000000), 'UTC')
    AND minute < toDateTime(intDiv({until:Int64}, 1000000000), 'UTC')
    UNION ALL
    SELECT service FROM spans
    WHERE ts >= fromUnixTimestamp64Nano({from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Nano({until:Int64}, 'UTC')
)
WHERE name != '' ORDER BY name"""


@dataclass(frozen=True, slots=True)
class Window:
    """A span of time in slots of equal length: from ``since_ns``, ``slots`` of ``step_ns`` (Unix ns, whole minutes).

    ``now_ns`` is the moment at which it is looked at: the slot that it lies in goes on, so rates divide by less.
    """

    since_ns: int
    step_ns: int
    slots: int
    now_ns: int = LAST_NS

    @property
    def until_ns(self) -> int:
        """Where the last slot ends."""
        return self.since_ns + self.slots * self.step_ns

    @property
    def minutes(self) -> float:
        """How much of it has passed."""
        return self._passed(self.since_ns, self.until_ns)

    def slot_minutes(self, slot: int) -> float:
        """How much of a slot has passed."""
        begin_ns = self.since_ns + slot * self.step_ns
        return self._passed(begin_ns, begin_ns + self.step_ns)

    def _passed(self, from_ns: int, to_ns: int) -> float:
        return max(min(to_ns, self.now_ns) - from_ns, _PASSED_AT_LEAST_NS) / MINUTE_NS

    def earlier(self, by_ns: int) -> Window:
        """The same span of time, so much earlier."""
        return Window(self.since_ns - by_ns, self.step_ns, self.slots)


@dataclass(frozen=True, slots=True)
class Counts:
    """What was counted of one kind of work in one slot.

    ``spans``, of these ``errors`` (span status), those answered ``http_5xx`` and ``http_500``, those that were repeated
    attempts (``retries``) and ``timeouts``; of the ``minutes`` in which any ran those that were ``up``.
    """

    spans: int = 0
    errors: int = 0
    http_5xx: int = 0
    http_500: int = 0
    retries: int = 0
    timeouts: int = 0
    minutes: int = 0
    up: int = 0

    def __add__(self, other: Counts) -> Counts:
        """Both together; minutes add up, so only add slots of different times."""
        return Counts(*(getattr(self, name) + getattr(other, name) for name in Counts.__slots__))


Durations = dict[int, int]
"""How many durations lie in each bucket."""


@dataclass(frozen=True, slots=True)
class ServiceMinutes:
    """A service in a span of time: all its ``spans`` and ``errors``, and of the work it was asked for the ``requests``,
    those that ``failed`` and their ``durations``; ``http_500`` are answers of its own."""

    service: str
    spans: int
    errors: int
    requests: int
    failed: int
    http_500: int
    durations: Durations


def roll_up(store: Store, from_ns: int, to_ns: int) -> None:
    """Write the minutes of a range anew; done twice it changes nothing. Durable on return."""
    # On one thread, so that whoever waits for an answer has the others.
    store.command(f"INSERT INTO span_minutes ({_COLUMNS}) {_MINUTES} {LOOKUP}", {"from": from_ns, "to": to_ns})


def read_counts(store: Store, window: Window, service: str = "") -> list[dict[Work, Counts]]:
    """What was counted in each slot by kind of work, of one service or of all; kinds without spans are left out."""
    slots: list[dict[Work, Counts]] = [{} for _ in range(window.slots)]
    for row in store.rows(_COUNTS, _bindings(store, window, service)):
        slots[row["slot"]][Work(row["work"])] = Counts(*(row[name] for name in Counts.__slots__))
    return slots


def read_durations(
    store: Store, window: Window, service: str = "", works: Iterable[Work] = REQUESTS
) -> list[Durations]:
    """The durations of these kinds of work in each slot, of one service or of all."""
    slots: list[Durations] = [{} for _ in range(window.slots)]
    found = store.columns(_DURATIONS, _bindings(store, window, service) | {"works": [each.value for each in works]})
    for slot, bucket, n in _together(found, "slot", "bucket", "n"):
        slots[slot][bucket] = n
    return slots


def read_by_service(store: Store, window: Window) -> list[ServiceMinutes]:
    """Every service that ran in the window, by name."""
    bind = _bindings(store, window, "") | {"works": [each.value for each in REQUESTS]}
    durations: dict[str, Durations] = {}
    found = store.columns(_BUCKETS_BY_SERVICE, bind)
    for name, bucket, n in _together(found, "name", "bucket", "n"):
        durations.setdefault(name, {})[bucket] = n
    return [
        ServiceMinutes(
            row["name"], row["all_spans"], row["all_errors"], row["requests"], row["failed"], row["all_500"],
            durations.get(row["name"], {}),
        )
        for row in store.rows(_BY_SERVICE, bind)
    ]  # fmt: skip


def services_between(store: Store, since_ns: int, until_ns: int) -> list[str]:
    """The names of all services that ran between two moments, sorted."""
    from_ns = max(since_ns, read_mark(store, MARK) or 0)
    return [row["name"] for row in store.rows(_NAMES, {"since": since_ns, "until": until_ns, "from": from_ns})]


def added(durations: Iterable[Durations]) -> Durations:
    """All durations together."""
    total: Durations = {}
    for each in durations:
        for bucket, n in each.items():
            total[bucket] = total.get(bucket, 0) + n
    return total


def quantile(durations: Durations, level: float) -> int | None:
    """The duration (ns) that this share doesn't exceed, to 2.2 %: the middle of the bucket it lies in. None of none."""
    total = sum(durations.values())
    reached = 0
    for bucket in sorted(durations):
        reached += durations[bucket]
        if reached >= level * total:
            return round(2 ** ((bucket + 0.5) / BUCKETS_AN_OCTAVE))
    return None


def _together(found: Mapping[str, Sequence[Any]], *names: str) -> Iterator[tuple[Any, ...]]:
    """Rows of columns; without rows there are no columns."""
    return zip(*(found.get(name, ()) for name in names), strict=True)


def _bindings(store: Store, window: Window, service: str) -> dict[str, object]:
    rolled_up = read_mark(store, MARK) or 0
    return {
        "since": window.since_ns,
        "until": window.until_ns,
        "step": window.step_ns // 10**9,
        "service": service,
        "from": max(window.since_ns, rolled_up),
        "to": window.until_ns,
    }
