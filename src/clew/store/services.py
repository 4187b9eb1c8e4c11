"""The service graph: who calls whom, through which queues, and which databases, with counts and times."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from clew.model.moments import LAST_NS
from clew.store.contract import Store
from clew.store.sampling import BLOCK_NS, SAMPLED_AND_BEFORE, SAMPLED_BLOCKS, Sample
from clew.store.spans import NO_SPAN


class NodeKind(StrEnum):
    """What stands at an end of an edge."""

    SERVICE = "service"
    QUEUE = "queue"
    DATABASE = "database"


@dataclass(frozen=True, slots=True)
class ServiceSummary:
    """A service in a span of time. ``p95_ns`` is of the work it was asked for (server and consumer spans), or of all
    its spans when it has none of these. ``requests`` counts that work."""

    service: str
    spans: int
    errors: int
    requests: int
    p95_ns: int
    last_ns: int


@dataclass(frozen=True, slots=True)
class Edge:
    """Calls from one node to another. ``p95_ns`` is the time of a call, for a taken message its transit time."""

    caller: str
    caller_kind: NodeKind
    callee: str
    callee_kind: NodeKind
    calls: int
    errors: int
    p95_ns: int


@dataclass(frozen=True, slots=True)
class ServiceGraph:
    """Services by name, and the edges between them, their queues and their databases."""

    services: tuple[ServiceSummary, ...]
    edges: tuple[Edge, ...]


# uniqCombined: a repeated span counts once; exact for small numbers, within 0.5 % for large ones.
_SERVICES = """
SELECT service, uniqCombined(trace_id, span_id) AS spans, uniqCombinedIf((trace_id, span_id), status = 2) AS errors,
    uniqCombinedIf((trace_id, span_id), kind IN (2, 5)) AS requests,
    toUInt64(if(requests > 0, ifNotFinite(quantileTDigestIf(0.95)(duration_ns, kind IN (2, 5)), 0),
        quantileTDigest(0.95)(duration_ns))) AS p95_ns, max(toUnixTimestamp64Nano(ts)) AS last_ns
FROM spans WHERE ts >= fromUnixTimestamp64Nano({since:Int64}, 'UTC')
GROUP BY service ORDER BY service"""

# Some blocks of five minutes: spans are sorted by these, so the others aren't read at all. The caller may have begun
# earlier than its call, in the block before.
_SPANS = f"""ts >= fromUnixTimestamp64Nano({{since:Int64}}, 'UTC')
    AND ts < fromUnixTimestamp64Nano({{until:Int64}}, 'UTC')
    AND ({{one_in:UInt32}} = 1 OR toStartOfFiveMinutes(ts) IN ({SAMPLED_BLOCKS}))"""
_CALLERS = f"""ts >= fromUnixTimestamp64Nano({{since:Int64}} - {BLOCK_NS}, 'UTC')
    AND ts < fromUnixTimestamp64Nano({{until:Int64}}, 'UTC')
    AND ({{one_in:UInt32}} = 1 OR toStartOfFiveMinutes(ts) IN ({SAMPLED_AND_BEFORE}))"""
# Messages lie for any time before they are taken: some of all traces are read, whenever that was.
_HOPS = """t >= toDateTime(intDiv({since:Int64}, 1000000000), 'UTC')
    AND t < toDateTime(least(intDiv({until:Int64}, 1000000000), 4294967295), 'UTC')
    AND ({one_in:UInt32} = 1 OR cityHash64(origin_trace_id) % {one_in:UInt32} = 0)"""

# A call is a span whose parent belongs to another service; those over a queue are read from the hops instead. A caller
# that was received twice joins once (semi); of the calls only few are left where they are counted once each.
_CALLS = f"""
SELECT parent.service AS caller, child.service AS callee, uniqCombined(child.trace_id, child.span_id) AS calls,
    uniqCombinedIf((child.trace_id, child.span_id), child.status = 2) AS errors,
    toUInt64(quantileTDigest(0.95)(child.duration_ns)) AS p95_ns
FROM (SELECT trace_id, span_id, parent_span_id, service, status, duration_ns FROM spans
    WHERE {_SPANS} AND kind != 5 AND parent_span_id != unhex({{none:String}})) AS child
GLOBAL SEMI LEFT JOIN (SELECT trace_id, span_id, service FROM spans WHERE {_CALLERS} AND kind != 4) AS parent
ON child.trace_id = parent.trace_id AND child.parent_span_id = parent.span_id
WHERE parent.service != child.service
GROUP BY caller, callee ORDER BY caller, callee"""

_PUBLISHED = f"""
SELECT service AS caller, destination AS callee, uniqCombined(trace_id, span_id) AS calls,
    uniqCombinedIf((trace_id, span_id), error != '') AS errors,
    toUInt64(quantileTDigest(0.95)(greatest(toUnixTimestamp64Nano(end_ts) - toUnixTimestamp64Nano(ts), 0))) AS p95_ns
FROM hops WHERE side = 'sent' AND {_HOPS} AND destination != ''
GROUP BY caller, callee ORDER BY caller, callee"""

# The queue is called as its publisher called it, so that both edges meet at one node.
_TAKEN = f"""
SELECT if(sent.destination != '', sent.destination, taken.destination) AS caller, taken.service AS callee,
    uniqCombined(taken.trace_id, taken.span_id) AS calls,
    uniqCombinedIf((taken.trace_id, taken.span_id), taken.error != '') AS errors,
    toUInt64(ifNotFinite(quantileTDigestIf(0.95)(greatest(toUnixTimestamp64Nano(taken.ts)
        - toUnixTimestamp64Nano(sent.end_ts), 0), sent.destination != ''), 0)) AS p95_ns
FROM (SELECT * FROM hops WHERE side = 'taken' AND {_HOPS}) AS taken
GLOBAL LEFT JOIN (SELECT origin_trace_id, origin_span_id, destination, end_ts FROM hops
    WHERE side = 'sent' AND {_HOPS}
    LIMIT 1 BY origin_trace_id, origin_span_id) AS sent
ON taken.origin_trace_id = sent.origin_trace_id AND taken.origin_span_id = sent.origin_span_id
WHERE caller != ''
GROUP BY caller, callee ORDER BY caller, callee"""

_DATABASES = f"""
SELECT service AS caller,
    if(attrs['db.system.name'] != '', attrs['db.system.name'], attrs['db.system']) AS engine,
    multiIf(attrs['db.namespace'] != '', attrs['db.namespace'], attrs['db.name'] != '', attrs['db.name'],
        attrs['server.address']) AS place,
    if(place = '', engine, concat(engine, ' ', place)) AS callee,
    uniqCombined(trace_id, span_id) AS calls, uniqCombinedIf((trace_id, span_id), status = 2) AS errors,
    toUInt64(quantileTDigest(0.95)(duration_ns)) AS p95_ns
FROM spans PREWHERE {_SPANS} AND kind IN (1, 3) AND ({{service:String}} = '' OR service = {{service:String}})
WHERE (mapContains(attrs, 'db.system.name') OR mapContains(attrs, 'db.system'))
GROUP BY caller, engine, place, callee ORDER BY caller, callee"""


def services(store: Store, since_ns: int) -> ServiceGraph:
    """What ran since a moment and who called whom; the cost grows with the spans since then."""
    rows = store.rows(_SERVICES, {"since": since_ns})
    return ServiceGraph(tuple(_service_of(row) for row in rows), edges(store, since_ns))


def edges(store: Store, since_ns: int, until_ns: int = LAST_NS, one_in: int = 1, service: str = "") -> tuple[Edge, ...]:
    """Who called whom between two moments; ``service`` is at one end (empty: whichever). The cost grows with the spans.

    With ``one_in`` calls are read in one of so many blocks of five minutes, and messages in one of so many traces; what
    is counted is multiplied, which is right as far as these are like the others.
    """
    sample = Sample.of(since_ns, until_ns, one_in)
    bind = {"since": since_ns, "until": until_ns, "none": NO_SPAN, "service": service, **sample.bindings()}
    calls = _edges(store.rows(_CALLS, bind), NodeKind.SERVICE, NodeKind.SERVICE)
    messages = [
        *_edges(store.rows(_PUBLISHED, bind), NodeKind.SERVICE, NodeKind.QUEUE),
        *_edges(store.rows(_TAKEN, bind), NodeKind.QUEUE, NodeKind.SERVICE),
    ]
    databases = _edges(store.rows(_DATABASES, bind), NodeKind.SERVICE, NodeKind.DATABASE)
    found = (
        *_scaled(calls, sample.of_all),
        *_scaled(messages, lambda count: count * one_in),
        *_scaled(databases, sample.of_all),
    )
    return tuple(edge for edge in found if not service or _has(edge, service))


def _has(edge: Edge, service: str) -> bool:
    ends = (edge.caller_kind, edge.caller), (edge.callee_kind, edge.callee)
    return (NodeKind.SERVICE, service) in ends


def _scaled(edges: list[Edge], whole: Callable[[int], int]) -> list[Edge]:
    return [replace(edge, calls=whole(edge.calls), errors=whole(edge.errors)) for edge in edges]


def _service_of(row: Mapping[str, Any]) -> ServiceSummary:
    numbers = (int(row[name]) for name in ("spans", "errors", "requests", "p95_ns", "last_ns"))
    return ServiceSummary(row["service"], *numbers)


def _edges(rows: list[dict[str, Any]], caller: NodeKind, callee: NodeKind) -> list[Edge]:
    return [
        Edge(row["caller"], caller, row["callee"], callee, int(row["calls"]), int(row["errors"]), int(row["p95_ns"]))
        for row in rows
    ]
