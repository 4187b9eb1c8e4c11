"""When services and senders were heard: what telemetry silence is judged from.

A sender is an instance of a service: its `service.instance.id`, else its pod, else its host. A book reads the past
weeks once; from then on each look reads the last minutes alone, and adds them.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, insort
from collections.abc import Iterable
from dataclasses import dataclass, field

from clew.model.rule import SourceKind
from clew.store.contract import Store
from clew.store.marks import read_mark
from clew.store.minutes import MARK

WEEKS_READ = {SourceKind.SERVICE: 4, SourceKind.SENDER: 1}
"""How many past weeks are known of services and of senders."""

_MINUTE_NS = 60 * 10**9
_WEEK = 7 * 24 * 60
_LATE_MINUTES = 12
_FORGET_EVERY = 60

_SETTINGS = "SETTINGS do_not_merge_across_partitions_select_final = 1"

# Logs are sorted by service, spans by time; both columns compress to next to nothing.
_SERVICES = f"""
SELECT source, source AS service, toInt64(intDiv(toUnixTimestamp(minute), 60)) AS at, max(last_ns) AS last
FROM (
    SELECT toString(service) AS source, minute, toInt64(toUnixTimestamp(minute)) * 1000000000 AS last_ns
    FROM span_minutes
    WHERE minute >= toDateTime({{since:Int64}} * 60, 'UTC') AND minute < toDateTime({{rolled_up:Int64}} * 60, 'UTC')
    UNION ALL
    SELECT toString(service) AS source, toStartOfMinute(toDateTime(ts, 'UTC')) AS minute,
        max(toUnixTimestamp64Nano(ts)) AS last_ns FROM spans
    WHERE ts >= toDateTime(greatest({{since:Int64}}, {{rolled_up:Int64}}) * 60, 'UTC')
    AND ts < toDateTime({{until:Int64}} * 60, 'UTC')
    GROUP BY source, minute
    UNION ALL
    SELECT toString(service) AS source, toStartOfMinute(toDateTime(ts, 'UTC')) AS minute,
        max(toUnixTimestamp64Nano(ts)) AS last_ns FROM logs
    WHERE ts >= toDateTime({{since:Int64}} * 60, 'UTC') AND ts < toDateTime({{until:Int64}} * 60, 'UTC')
    GROUP BY source, minute
)
WHERE source != ''
GROUP BY source, at ORDER BY at
{_SETTINGS}"""

_SENDERS = """
SELECT named.sender AS source, any(named.of) AS service, toInt64(intDiv(toUnixTimestamp(minute), 60)) AS at,
    max(last_ns) AS last
FROM (
    SELECT origin_id, toStartOfMinute(toDateTime(ts, 'UTC')) AS minute, max(toUnixTimestamp64Nano(ts)) AS last_ns
    FROM spans
    WHERE ts >= toDateTime({since:Int64} * 60, 'UTC') AND ts < toDateTime({until:Int64} * 60, 'UTC')
    GROUP BY origin_id, minute
    UNION ALL
    SELECT origin_id, toStartOfMinute(toDateTime(ts, 'UTC')) AS minute, max(toUnixTimestamp64Nano(ts)) AS last_ns
    FROM logs
    WHERE ts >= toDateTime({since:Int64} * 60, 'UTC') AND ts < toDateTime({until:Int64} * 60, 'UTC')
    GROUP BY origin_id, minute
) AS heard
GLOBAL INNER JOIN (
    SELECT origin_id, any(toString(service)) AS of,
        any(multiIf(resource_attrs['service.instance.id'] != '', resource_attrs['service.instance.id'],
            resource_attrs['k8s.pod.name'] != '', resource_attrs['k8s.pod.name'], resource_attrs['host.name']))
            AS instance,
        concat(of, '/', instance) AS sender
    FROM origins WHERE day >= toDate(toDateTime({since:Int64} * 60, 'UTC')) - 2
    GROUP BY origin_id HAVING of != '' AND instance != ''
) AS named ON heard.origin_id = named.origin_id
GROUP BY source, at ORDER BY at"""


@dataclass(slots=True)
class Heard:
    """The minutes in which a source was heard, ascending (whole minutes since 1970), when it was last heard, and the
    service that it is or belongs to. A sender's name is service/instance. Of minutes that are rolled up the begin is
    known alone."""

    service: str
    minutes: array[int] = field(default_factory=lambda: array("q"))
    last_ns: int = 0

    def add(self, minute: int, last_ns: int) -> None:
        """It was heard in this minute."""
        self.last_ns = max(self.last_ns, last_ns)
        if not self.minutes or minute > self.minutes[-1]:
            self.minutes.append(minute)
        elif (at := bisect_left(self.minutes, minute)) == len(self.minutes) or self.minutes[at] != minute:
            insort(self.minutes, minute)

    def forget_before(self, minute: int) -> None:
        """Let go of older minutes."""
        del self.minutes[: bisect_left(self.minutes, minute)]


@dataclass(slots=True)
class ActivityBook:
    """Who was heard when, kept up to date. One thread at a time. ``since_minute`` is the first one that is known."""

    store: Store
    source: SourceKind = SourceKind.SERVICE
    since_minute: int = 0
    _sources: dict[str, Heard] = field(default_factory=dict)
    _read_until: int | None = None
    _forgot_at: int = 0

    def at(self, minute: int) -> dict[str, Heard]:
        """All sources heard in the past weeks, up to and with a minute. They belong to the book and change with the
        next call. Raises StoreError."""
        begin = minute - WEEKS_READ[self.source] * _WEEK
        since = begin if self._read_until is None else max(begin, self._read_until - _LATE_MINUTES)
        for source, service, at, last_ns in read_heard(self.store, self.source, since, minute + 1):
            self._sources.setdefault(source, Heard(service)).add(at, last_ns)
        self._read_until = minute + 1
        if minute - self._forgot_at >= _FORGET_EVERY:
            self._forget(begin)
            self._forgot_at = minute
        return self._sources

    def _forget(self, begin: int) -> None:
        for source in self._sources.values():
            source.forget_before(begin)
        self._sources = {name: source for name, source in self._sources.items() if source.minutes}
        self.since_minute = min((source.minutes[0] for source in self._sources.values()), default=begin)


def read_heard(store: Store, source: SourceKind, since: int, until: int) -> Iterable[tuple[str, str, int, int]]:
    """Name, service, minute and last moment (Unix ns) for each minute from ``since`` until ``until`` in which a source
    was heard, by time. Raises StoreError."""
    rolled_up = min(until, (read_mark(store, MARK) or 0) // _MINUTE_NS)
    query = _SERVICES if source is SourceKind.SERVICE else _SENDERS
    found = store.columns(query, {"since": since, "until": until, "rolled_up": rolled_up})
    if not found:
        return []
    return zip(found["source"], found["service"], map(int, found["at"]), map(int, found["last"]), strict=True)
