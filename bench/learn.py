"""Projections on orders that nobody learned from, and what learning from history takes.

Simulated orders go through six stages; how long they stay is heavy-tailed and has a slow cause of its own for each
order (a busy workshop, a hard ring), so that stages are late together, as they are in life. Half of them is imported
and learned from, the others are looked at once, at a random moment while they are under way.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson

from bench.figures import Figure
from clew.journey.in_force import FlowBook
from clew.journey.rebuilder import Rebuilder
from clew.learn.as_of import orders_at
from clew.learn.discover import Wishes, discover
from clew.learn.projection import RemainingTimes, late_from_ns, projected_end_ns, remaining_of
from clew.learn.read import read_for_comparison, read_for_discovery
from clew.learn.remaining import read_remaining
from clew.learn.replay import replay
from clew.report.filter import ReportFilter
from clew.store.contract import Store
from clew.store.embedded import open_store
from clew.store.orders import OrderFilter

HOUR_NS = 3600 * 10**9
DAY_NS = 24 * HOUR_NS
STAGES = ("SUBMITTED", "PRICE_CALCULATED", "MANUFACTURING_APPROVED", "MANUFACTURING_STARTED", "PACKAGING", "SHIPPED")
MEDIAN_H = {"b2c": (1, 6, 20, 30, 4, 40), "b2b": (1, 24, 40, 60, 6, 20)}
_AT_ONCE = 5_000

Way = list[tuple[str, int]]


def measure(folder: Path, orders: int) -> Iterator[Figure]:
    """How often a projection comes true, and how long the questions to history take."""
    figures: list[Figure] = []
    store = open_store(folder)
    try:
        worker = threading.Thread(target=lambda: figures.extend(_measure(store, orders)))
        worker.start()
        worker.join()
    finally:
        store.close()
    yield from figures


def _measure(store: Store, orders: int) -> Iterator[Figure]:
    chance = random.Random(11)
    now_ns = time.time_ns()
    book = FlowBook(store)
    book.start([])
    began_ns = [now_ns - round(chance.uniform(30, 85) * DAY_NS) for _ in range(orders)]
    paths = [chance.choice(["b2c", "b2b"]) for _ in range(orders)]
    ways = [_way(chance, begin, path) for begin, path in zip(began_ns, paths, strict=True)]
    _import(store, Rebuilder(store, lambda: book.current), ways, paths)
    yield from _calibration(read_remaining(store, now_ns), chance, orders)
    asked = ReportFilter("jeweller")
    flow = book.current[0].flow
    middle_ns = now_ns - 50 * DAY_NS
    for name, question in (
        ("clew flow discover", lambda: discover(*read_for_discovery(store, asked, now_ns), Wishes())),
        ("clew flow diff", lambda: read_for_comparison(store, asked, now_ns, flow)),
        ("clew replay, one flow", lambda: replay(store, asked, now_ns, flow)),
        ("remaining times, as learned hourly", lambda: read_remaining(store, now_ns)),
        ("clew orders --at", lambda: orders_at(store, book.current, OrderFilter(open_only=True), middle_ns)),
    ):
        yield Figure(f"{name}, {orders:,} orders", _seconds(question), "s")
    under_way = sum(orders_at(store, book.current, OrderFilter(open_only=True), middle_ns).counts.values())
    yield Figure("orders under way at that moment", under_way, "orders")


def _seconds(question: Callable[[], object]) -> float:
    began = time.perf_counter()
    question()
    return time.perf_counter() - began


def _way(chance: random.Random, begin_ns: int, path: str) -> Way:
    """An order's stages and moments, the last is its end."""
    slow = chance.lognormvariate(0, 0.5)
    way, at_ns = [], begin_ns
    for stage, median_h in zip(STAGES, MEDIAN_H[path], strict=True):
        way.append((stage, at_ns))
        at_ns += round(median_h * slow * chance.lognormvariate(0, 0.7) * HOUR_NS)
    return [*way, ("CLOSED", at_ns)]


def _import(store: Store, rebuilder: Rebuilder, ways: list[Way], paths: list[str]) -> None:
    received_ns = time.time_ns()
    for start in range(0, len(ways), _AT_ONCE):
        ids = range(start, min(start + _AT_ONCE, len(ways)))
        rows = [
            orjson.dumps([f"o{number}", stage, at_ns, paths[number], "", "", "", 0, {}])
            for number in ids
            for stage, at_ns in ways[number]
        ]
        store.import_events(b"\n".join(rows) + b"\n", "", received_ns, f"bench-{start}")
        rebuilder.rebuild_whole(sorted(f"o{number}" for number in ids))


def _calibration(times: RemainingTimes, chance: random.Random, orders: int) -> Iterator[Figure]:
    """Each order is promised a date and looked at once before it."""
    late = {True: 0, False: 0}
    seen = {True: 0, False: 0}
    by_then = compared = 0
    for _ in range(orders):
        path = chance.choice(["b2c", "b2b"])
        way = _way(chance, 0, path)
        due_ns = round(chance.uniform(0.6, 2.2) * sum(MEDIAN_H[path]) * HOUR_NS)
        at_ns = round(chance.uniform(0, min(due_ns, way[-1][1])))
        stage, entered_ns = next(visit for visit in reversed(way) if visit[1] <= at_ns)
        remaining = remaining_of(times, "jeweller", path, stage)
        from_ns = late_from_ns(remaining.quantiles_ns, entered_ns, due_ns) if remaining else None
        projected = from_ns is not None and from_ns <= at_ns
        if remaining:
            compared += 1
            by_then += way[-1][1] <= projected_end_ns(remaining.quantiles_ns, entered_ns, at_ns)
        seen[projected] += 1
        late[projected] += way[-1][1] > due_ns
    yield Figure("orders projected late that came late", 100 * late[True] / max(1, seen[True]), "%", at_least=50)
    yield Figure("orders that ended by their projected end (half should)", 100 * by_then / max(1, compared), "%")
    yield Figure("other orders that came late", 100 * late[False] / max(1, seen[False]), "%")
    yield Figure("late orders that were projected late when seen", 100 * late[True] / max(1, sum(late.values())), "%")
    yield Figure("orders projected late, of those seen", 100 * seen[True] / orders, "%")
