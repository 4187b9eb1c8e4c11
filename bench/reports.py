"""Reports over a million orders and more, asked of a running server.

The orders are made by SQL, as rows of ``orders``: over 180 days up to now, about ten visits each, random ids, 30 % by
the second path, 5 % cancelled, 3 % with rework, 1.2 % left where they were; what would be later than now hasn't
happened. Each question is asked some times; only the very first one is left out and told apart.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

from bench.figures import Figure, percentile
from bench.process import Clew, Memory, running

REPORTS = ("map", "variants", "funnel", "dwell", "throughput", "rework", "heatmap", "arrivals", "wip", "conformance")
_DAYS = 180
_AT_ONCE = 50_000
_USUAL = 1_000_000

FILL = """
INSERT INTO orders (bucket, order_id, version, gone, flow, flow_version, path, stage, entered, first_seen, last_seen,
    terminal, deviations, attrs, stages, entered_at, journey)
WITH
    ['INITIATED', 'FILE_UPLOADED', 'SUBMITTED', 'PRICE_CALCULATED', 'MANUFACTURING_APPROVED', 'MANUFACTURING_STARTED',
        'MANUFACTURING_COMPLETED', 'PACKAGING', 'SHIPPED', 'CLOSED'] AS way,
    [600, 900, 1200, 7200, 14400, 43200, 86400, 10800, 3600, 172800] AS mean_s,
    sipHash64(number, 1) AS h,
    {now:Int64} - intDiv({days:Int64} * 86400000, {total:Int64}) * 1000000 * ({total:Int64} - toInt64(number)) AS begin,
    h % 1000 < 12 AS left_open,
    bitShiftRight(h, 10) % 100 < 5 AS cancelled,
    bitShiftRight(h, 20) % 100 < 3 AS rework,
    bitShiftRight(h, 30) % 100 < 30 AS b2b,
    1 + bitShiftRight(h, 40) % 8 AS cut,
    arraySlice(way, if(b2b, 2, 1)) AS own,
    multiIf(
        left_open, arraySlice(own, 1, cut),
        cancelled, arrayConcat(arraySlice(own, 1, cut), ['CANCELLED']),
        rework, arrayConcat(arraySlice(own, 1, indexOf(own, 'MANUFACTURING_COMPLETED')),
            arraySlice(own, indexOf(own, 'MANUFACTURING_STARTED'))),
        own
    ) AS planned,
    arrayCumSum(arrayMap((s, i) -> if(i = 1, 0, toInt64(
        -log((sipHash64(number, i) % 1000000 + 1) / 1000001.) * mean_s[greatest(1, indexOf(way, s))] * 1e9
    )), planned, arrayEnumerate(planned))) AS offsets,
    greatest(1, arrayCount(x -> begin + x < {now:Int64}, offsets)) AS n,
    arraySlice(planned, 1, n) AS st,
    arrayMap(x -> fromUnixTimestamp64Nano(begin + x, 'UTC'), arraySlice(offsets, 1, n)) AS at,
    multiIf(st[-1] = 'CLOSED', 'closed', st[-1] = 'CANCELLED', 'cancelled', '') AS ended
SELECT if(ended = '', toDate(0), toMonday(at[-1])), lower(hex(sipHash64(number, 7))), 1 + 2 * n, 0, 'jeweller', 1,
    if(b2b, 'b2b', 'b2c'), st[-1], at[-1], at[1], at[-1], ended,
    if(countEqual(st, 'MANUFACTURING_STARTED') > 1, ['repeated:MANUFACTURING_STARTED'], []),
    map('country', ['de', 'nl', 'fr', 'it'][1 + number % 4]), st, at, ''
FROM numbers({first:UInt64}, {count:UInt64})
SETTINGS max_partitions_per_insert_block = 0
"""


def measure(data: Path, orders: int, repeats: int) -> Iterator[Figure]:
    """Every report over the last 30 days, and over all orders."""
    with running(data) as clew:
        fill(clew, orders)
        clew.settle()
        size = clew.rows("SELECT count() AS orders, sum(length(stages)) AS visits FROM orders FINAL")[0]
        yield Figure("orders", int(size["orders"]), "orders")
        yield Figure("their visits", int(size["visits"]), "visits")
        with Memory(clew, 0.1) as memory:
            first_s = _asked(f"http://127.0.0.1:{clew.api}/api/v1/reports/map?from=30d", 1)
            yield Figure("the first answer after the start, a map over 30 days", max(first_s, default=0), "s")
            yield from _over(clew, "30 days", "?from=30d", repeats, 1.0 if orders <= _USUAL else 5.0)
            # A larger store is asked for all its orders, too, but nothing is promised of that.
            yield from _over(clew, "all", "", repeats if orders <= _USUAL else 2, 3.0 if orders <= _USUAL else None)
        yield Figure("resident memory of the server, most", memory.most_mb, "MB")


def fill(clew: Clew, orders: int) -> None:
    """Write the orders, oldest first."""
    now_ns = time.time_ns()
    for first in range(0, orders, _AT_ONCE):
        count = min(_AT_ONCE, orders - first)
        clew.command(FILL, {"now": now_ns, "days": _DAYS, "total": orders, "first": first, "count": count})


def _over(clew: Clew, span: str, query: str, repeats: int, target_s: float | None) -> Iterator[Figure]:
    for name in REPORTS:
        before_s = clew.cpu_s()
        times_s = _asked(f"http://127.0.0.1:{clew.api}/api/v1/reports/{name}{query}", repeats)
        if times_s:
            yield Figure(f"{name} over {span}, p50", percentile(times_s, 50), "s")
            yield Figure(f"{name} over {span}, p95", percentile(times_s, 95), "s", at_most=target_s)
            yield Figure(f"{name} over {span}, CPU", (clew.cpu_s() - before_s) / len(times_s), "s")
        else:
            yield Figure(f"{name} over {span}: needs more memory than the engine has", 0, "answers")


def _asked(url: str, repeats: int) -> list[float]:
    """Seconds of each answer; nothing when the engine's memory doesn't suffice."""
    times_s = []
    for _ in range(repeats):
        began = time.perf_counter()
        try:
            with urlopen(url, timeout=120) as answer:
                answer.read()
        except HTTPError as error:
            if error.code == 503:
                return []
            raise
        times_s.append(time.perf_counter() - began)
    return times_s
