"""Exports of a million orders and their events, asked of a running server and thrown away as they come.

The orders are those of `bench.reports`, each with an event for every entry into a stage, told as if it had arrived long
ago, so that no journey is rebuilt. Every export is made once.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

from bench.figures import Figure
from bench.process import Clew, Memory, running
from bench.reports import fill
from clew.store.contract import Format

_PIECE = 1 << 20
_FORMATS = (Format.CSV, Format.PARQUET)
_WEEKS = "SELECT DISTINCT bucket FROM orders ORDER BY bucket"
_EVENTS = """
INSERT INTO order_events (order_id, flow, stage, ts, service, path, trace_id, span_id, attrs, source, received)
SELECT order_id, flow, stage, at, 'shop-api', path, unhex(hex(sipHash128(order_id, at))), unhex(hex(sipHash64(at))),
    attrs, 'log', toDateTime64('2020-01-01 00:00:00', 9, 'UTC')
FROM orders FINAL ARRAY JOIN stages AS stage, entered_at AS at
WHERE bucket = {bucket:Date}
SETTINGS max_partitions_per_insert_block = 0
"""


def measure(data: Path, orders: int) -> Iterator[Figure]:
    """Orders and their events as CSV and Parquet; rows are of the store, so both formats have the same."""
    with running(data) as clew:
        fill(clew, orders)
        for week in clew.rows(_WEEKS):
            clew.command(_EVENTS, week)
        clew.settle()
        size = clew.rows("SELECT count() AS orders, sum(length(stages)) AS events FROM orders FINAL")[0]
        for what in ("orders", "events"):
            yield Figure(what, int(size[what]), what)
        for what in ("orders", "events"):
            for format_ in _FORMATS:
                yield from _export(clew, what, format_, int(size[what]))


def _export(clew: Clew, what: str, format_: Format, rows: int) -> Iterator[Figure]:
    told = f"{what} as {format_.value}"
    before_mb, before_s, began = clew.rss_mb(), clew.cpu_s(), time.monotonic()
    with Memory(clew, 0.1) as memory:
        received = _received(f"http://127.0.0.1:{clew.api}/api/v1/export/{what}?format={format_.value}")
    took_s, cpu_s = time.monotonic() - began, clew.cpu_s() - before_s
    yield Figure(f"{told}, size", received / 1e6, "MB")
    yield Figure(f"{told}, rows/s", rows / took_s, "1/s")
    yield Figure(f"{told}, rows a CPU second", rows / cpu_s, "1/s")
    yield Figure(f"{told}, resident memory of the server, most", memory.most_mb, "MB")
    yield Figure(f"{told}, more than before it", max(0.0, memory.most_mb - before_mb), "MB")


def _received(url: str) -> int:
    """Bytes of the answer, read to its end."""
    with urlopen(url, timeout=600) as answer:
        return sum(len(piece) for piece in iter(lambda: answer.read(_PIECE), b""))
