"""What a service does in a span of time: its operations, its database statements, and the queues around it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from clew.model.moments import LAST_NS
from clew.store.contract import Store
from clew.store.sampling import SAMPLED_BLOCKS, Sample
from clew.store.spans import SpanKind

SLOW_NS = 10**9
"""A database statement that takes longer is slow."""
MOST = 100
"""How many operations, statements or queues are told at most."""

_WHEN = "ts >= fromUnixTimestamp64Nano({since:Int64}, 'UTC') AND ts < fromUnixTimestamp64Nano({until:Int64}, 'UTC')"
_BY = "({service:String} = '' OR service = {service:String})"
_IS = "uniqCombined(trace_id, span_id)"
_IS_IF = "uniqCombinedIf((trace_id, span_id), "

_OPERATIONS = f"""
SELECT toString(name) AS title, kind AS of_kind, {_IS} AS spans, {_IS_IF} status = 2) AS errors,
    quantilesTDigest(0.5, 0.95)(duration_ns) AS quantiles
FROM spans WHERE {_WHEN} AND {_BY}
AND ({{one_in:UInt32}} = 1 OR toStartOfFiveMinutes(ts) IN ({SAMPLED_BLOCKS}))
GROUP BY title, of_kind
ORDER BY of_kind IN (2, 5) DESC, spans DESC, title, of_kind LIMIT {MOST}"""

# Attributes are read of slow spans alone where only these are wanted.
_STATEMENTS = f"""
SELECT toString(service) AS by, told.1 AS key, told.2 AS statement,
    if(attrs['db.system.name'] != '', attrs['db.system.name'], attrs['db.system']) AS engine,
    {_IS} AS spans, {_IS_IF} duration_ns > {SLOW_NS}) AS slow, {_IS_IF} status = 2) AS errors,
    quantileTDigest(0.95)(duration_ns) AS p95, max(duration_ns) AS longest
FROM (
    SELECT trace_id, span_id, service, status, duration_ns, attrs,
        arrayFirst(each -> each.2 != '', [('db.query.summary', attrs['db.query.summary']),
            ('db.query.text', attrs['db.query.text']), ('db.statement', attrs['db.statement']),
            ('name', toString(name))]) AS told
    FROM spans PREWHERE {_WHEN} AND kind IN (1, 3) AND {_BY} AND duration_ns >= {{least:UInt64}}
    WHERE mapContains(attrs, 'db.system.name') OR mapContains(attrs, 'db.system')
)
GROUP BY by, key, statement, engine
ORDER BY slow DESC, p95 DESC, statement LIMIT {MOST}"""

_HOPS = """t >= toDateTime(intDiv({since:Int64}, 1000000000), 'UTC')
    AND t < toDateTime(intDiv({until:Int64}, 1000000000), 'UTC')"""

# A message belongs to the queue that its publisher names. What was taken may have been taken after the span of time.
_QUEUES = f"""
SELECT toString(destination) AS queue, arraySort(groupUniqArray(toString(service))) AS publishers,
    arraySort(arrayDistinct(arrayFlatten(groupArray(consumers)))) AS takers,
    count() AS published, countIf(taken = 0 AND error = '') AS waiting, countIf(error != '') AS refused,
    countIf(again > 0) AS redelivered, min(if(taken = 0 AND error = '', sent_ns, {LAST_NS})) AS oldest_ns,
    quantilesTDigestIf(0.5, 0.95)(greatest(first_ns - sent_ns, 0), taken > 0) AS quantiles
FROM (
    SELECT origin_trace_id, origin_span_id, destination, service, error, toUnixTimestamp64Nano(end_ts) AS sent_ns
    FROM hops WHERE side = 'sent' AND {_HOPS} AND destination != '' LIMIT 1 BY origin_trace_id, origin_span_id
) AS sent
GLOBAL LEFT JOIN (
    SELECT origin_trace_id, origin_span_id, min(toUnixTimestamp64Nano(ts)) AS first_ns, max(redelivered) AS again,
        groupUniqArray(toString(service)) AS consumers, count() AS taken
    FROM hops WHERE side = 'taken' AND t >= toDateTime(intDiv({{since:Int64}}, 1000000000), 'UTC')
    GROUP BY origin_trace_id, origin_span_id
) AS delivered
ON sent.origin_trace_id = delivered.origin_trace_id AND sent.origin_span_id = delivered.origin_span_id
GROUP BY queue
HAVING {{service:String}} = '' OR has(publishers, {{service:String}}) OR has(takers, {{service:String}})
ORDER BY waiting DESC, published DESC, queue LIMIT {MOST}"""


@dataclass(frozen=True, slots=True)
class Operation:
    """Spans of one name and kind; durations in nanoseconds."""

    name: str
    kind: SpanKind
    spans: int
    errors: int
    p50_ns: int
    p95_ns: int


@dataclass(frozen=True, slots=True)
class Statement:
    """A database statement of a service: ``key`` is the attribute that tells it, or ``name`` for the span's name.

    Of ``spans``, ``slow`` took longer than a second; durations in nanoseconds.
    """

    service: str
    key: str
    statement: str
    engine: str
    spans: int
    slow: int
    errors: int
    p95_ns: int
    longest_ns: int


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue, called as its publishers call it.

    Of the ``published`` messages ``waiting`` were taken by nobody so far, the oldest since ``oldest_ns`` (Unix ns, 0:
    none), ``refused`` never reached a queue, ``redelivered`` were delivered more than once. Transit times are those
    from the end of publishing to the first delivery (None: nothing was taken).
    """

    name: str
    publishers: tuple[str, ...]
    consumers: tuple[str, ...]
    published: int
    waiting: int
    refused: int
    redelivered: int
    oldest_ns: int
    p50_ns: int | None
    p95_ns: int | None


_KINDS = tuple(SpanKind)


def operations(store: Store, since_ns: int, until_ns: int, service: str, one_in: int = 1) -> list[Operation]:
    """What a service did, by name: first what it was asked for, the most frequent first.

    With ``one_in`` it is read from a sample; see `clew.store.services.edges`.
    """
    sample = Sample.of(since_ns, until_ns, one_in)
    bind = {"since": since_ns, "until": until_ns, "service": service, **sample.bindings()}
    return [
        Operation(
            row["title"], _kind(row["of_kind"]), sample.of_all(row["spans"]), sample.of_all(row["errors"]),
            *map(round, row["quantiles"]),
        )
        for row in store.rows(_OPERATIONS, bind)
    ]  # fmt: skip


def statements(
    store: Store, since_ns: int, until_ns: int, service: str = "", *, slow_only: bool = False
) -> list[Statement]:
    """Database statements of a service (empty: of all), those with the most slow spans first.

    ``slow_only`` looks at slow spans alone, so that nothing is said of the others; it costs little.
    """
    least = SLOW_NS + 1 if slow_only else 0
    bind = {"since": since_ns, "until": until_ns, "service": service, "least": least}
    return [
        Statement(
            row["by"], row["key"], row["statement"], row["engine"], row["spans"], row["slow"], row["errors"],
            round(row["p95"]), row["longest"],
        )
        for row in store.rows(_STATEMENTS, bind)
    ]  # fmt: skip


def queues(store: Store, since_ns: int, until_ns: int, service: str = "") -> list[Queue]:
    """Queues that something was published to, of a service that publishes or takes (empty: of all)."""
    bind = {"since": since_ns, "until": until_ns, "service": service}
    return [_queue(row) for row in store.rows(_QUEUES, bind)]


def _queue(row: dict[str, Any]) -> Queue:
    p50, p95 = (None if each != each else round(each) for each in row["quantiles"])
    return Queue(
        name=row["queue"],
        publishers=tuple(row["publishers"]),
        consumers=tuple(row["takers"]),
        published=int(row["published"]),
        waiting=int(row["waiting"]),
        refused=int(row["refused"]),
        redelivered=int(row["redelivered"]),
        oldest_ns=int(row["oldest_ns"]) if row["waiting"] else 0,
        p50_ns=p50,
        p95_ns=p95,
    )


def _kind(number: int) -> SpanKind:
    return _KINDS[number] if 0 <= number < len(_KINDS) else SpanKind.UNSPECIFIED
