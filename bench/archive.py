"""A large store: millions of spans over a day, a million orders; reading it, and starting on it after a kill.

It is filled without a server, through the store's own ingest, so that no ticker works on orders of yesterday.
Run as ``python -m bench.archive DATA SPANS ORDERS``.
"""

from __future__ import annotations

import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from bench.figures import Figure, percentile
from bench.holes import Ids, Template, templates
from bench.process import Clew, running
from bench.shop import STAGES, Round, make_round
from clew.journey.in_force import FlowBook
from clew.journey.rebuilder import Rebuilder
from clew.journey.ticker import Ticker
from clew.model.flow import Terminal
from clew.model.journey import Journey, Milestone, VerdictKind
from clew.store.codec import journey_to_json
from clew.store.contract import Batch, Signal, Store
from clew.store.embedded import open_store
from clew.store.facts import Touch
from clew.store.orders import OrderFilter, OrderRow, encode_order, find_orders, write_encoded
from clew.store.spans import read_trace
from clew.store.whole_order import read_whole_order

_DAY_NS = 86_400 * 10**9
_REQUESTS_A_BATCH = 64
_ORDERS_A_WRITE = 10_000
_OPEN_SHARE, _STUCK_SHARE = 0.1, 0.2
_JOURNEYS = 2_000


def fill(data: Path, spans: int, orders: int) -> None:
    """Make the store, unless it is there already."""
    if (data / "filled").exists():
        return
    store = open_store(data)
    work = threading.Thread(target=_fill, args=(store, spans, orders))
    work.start()
    work.join()
    (data / "filled").touch()


def _fill(store: Store, spans: int, orders: int) -> None:
    try:
        _fill_spans(store, spans)
        _fold_some(store)
        chance = random.Random(5)
        now_ns = time.time_ns()
        for first in range(0, orders, _ORDERS_A_WRITE):
            numbers = range(first, min(orders, first + _ORDERS_A_WRITE))
            write_encoded(store, [encode_order(_order(number, now_ns, chance)) for number in numbers], [])
    finally:
        store.close()


def _fill_spans(store: Store, spans: int) -> None:
    """Rounds spread evenly over the last day; an order's steps lie a twentieth of the day apart."""
    round_ = make_round(requests=max(2, min(24, spans // 20_000)))
    chance, holes = np.random.default_rng(9), templates(round_)
    rounds = max(1, spans // round_.spans)
    waiting: list[bytes] = []
    for number, request in _requests(round_, holes, rounds, chance):
        waiting.append(request)
        if len(waiting) == _REQUESTS_A_BATCH:
            store.ingest(Batch(Signal.TRACES, tuple(waiting), f"archive-{number}-{time.time_ns()}", time.time_ns()))
            waiting.clear()
    if waiting:
        store.ingest(Batch(Signal.TRACES, tuple(waiting), "archive-last", time.time_ns()))


def _requests(
    round_: Round, holes: list[Template], rounds: int, chance: np.random.Generator
) -> Iterator[tuple[int, bytes]]:
    begin_ns = time.time_ns() - _DAY_NS
    for number in range(rounds):
        ids = Ids.new(round_, number, chance, 0, lag=max(1, rounds // 20))
        for template in holes:
            yield number, template.fill(ids, begin_ns + _DAY_NS * number // rounds, chance)


def _fold_some(store: Store) -> None:
    """Journeys of the orders that the spans tell of, as the ticker makes them."""
    book = FlowBook(store)
    book.start([])
    ticker = Ticker(store, Rebuilder(store, lambda: book.current), time.time_ns)
    rows = store.rows(
        "SELECT order_id, min(ts) AS ts FROM order_touch GROUP BY order_id LIMIT {n:UInt32}", {"n": _JOURNEYS}
    )
    ticker.rebuild_touched([Touch(row["order_id"], time.time_ns(), time.time_ns() - _DAY_NS) for row in rows])


def _order(number: int, now_ns: int, chance: random.Random) -> OrderRow:
    """An order as the ticker writes it: one in ten is open, one in five of these is over its limit."""
    is_open = number % round(1 / _OPEN_SHARE) == 0
    steps = chance.randint(2, len(STAGES)) if is_open else len(STAGES)
    first_ns = now_ns - chance.randrange(2 * _DAY_NS if is_open else 90 * _DAY_NS) - _DAY_NS
    moments = [first_ns + step * chance.randrange(1, 2 * 3600 * 10**9) for step in range(steps)]
    moments.sort()
    milestones = [
        Milestone(stage, at_ns, "shop-api", f"{chance.getrandbits(128):032x}", f"{chance.getrandbits(64):016x}")
        for stage, at_ns in zip(STAGES, moments, strict=False)
    ]
    if not is_open:
        milestones.append(Milestone("CLOSED", moments[-1] + 3600 * 10**9, "crm-api"))
    late = chance.random() < _STUCK_SHARE
    limit_ns = chance.randrange(3600 * 10**9)
    journey = Journey(
        order_id=f"archive-{number:08d}",
        flow="jeweller",
        flow_version=1,
        path="b2c",
        milestones=tuple(milestones),
        terminal=None if is_open else Terminal.CLOSED,
        warn_at_ns=now_ns - 2 * limit_ns if is_open and late else None,
        deadline_at_ns=now_ns + (-limit_ns if late else _DAY_NS + limit_ns) if is_open else None,
        user_id=f"…{number % 9973:04d}",
        aliases={"crm_deal": f"D{number}"},
        first_ns=first_ns,
        last_ns=milestones[-1].at_ns,
        traces=tuple(each.trace_id for each in milestones if each.trace_id),
        facts=len(milestones),
    )
    return OrderRow(journey, journey_to_json(journey), 1 << 44 | journey.facts << 24, (f"D{number}",))


def measure_traces(data: Path, repeats: int) -> Iterator[Figure]:
    """Single traces and whole journeys out of the large store, each another one."""
    with running(data) as clew:
        clew.settle()
        spans = int(clew.rows("SELECT count() AS n FROM spans")[0]["n"])
        every = max(1, spans // repeats // 2)
        traces = clew.rows(
            "SELECT DISTINCT lower(hex(trace_id)) AS id FROM spans WHERE cityHash64(span_id) % {every:UInt64} = 0 "
            "LIMIT {n:UInt32}",
            {"every": every, "n": repeats},
        )
        orders = clew.rows(
            "SELECT order_id AS id FROM orders FINAL WHERE NOT startsWith(order_id, 'archive') "
            "ORDER BY cityHash64(order_id) LIMIT {n:UInt32}",
            {"n": repeats},
        )
        read_ms, sizes = _timed(lambda trace: len(_trace_spans(clew, trace)), [row["id"] for row in traces])
        journey_ms, shown = _timed(lambda order: _journey(clew, order), [row["id"] for row in orders])
    yield Figure("spans in the store", spans, "spans")
    yield Figure("a trace by its id, p50", percentile(read_ms, 50), "ms")
    yield Figure("a trace by its id, p95", percentile(read_ms, 95), "ms", at_most=30)
    yield Figure("its spans, mean", sum(sizes) / len(sizes), "spans")
    yield Figure("an order's full journey, p50", percentile(journey_ms, 50), "ms")
    yield Figure("an order's full journey, p95", percentile(journey_ms, 95), "ms", at_most=50)
    yield Figure("its spans, mean over orders", sum(shown) / len(shown), "spans")


def _trace_spans(clew: Clew, trace_id: str) -> tuple[object, ...]:
    trace = read_trace(clew.store, trace_id)
    if trace is None:
        raise RuntimeError(f"trace {trace_id} is not found")
    return trace.spans


def _journey(clew: Clew, order_id: str) -> int:
    """What a page of one order reads; gives how many spans it has."""
    order = read_whole_order(clew.store, order_id)
    if order is None:
        raise RuntimeError(f"order {order_id} is not found")
    return len(order.spans.lines)


def _timed(ask: Callable[[str], int], ids: list[str]) -> tuple[list[float], list[int]]:
    """Milliseconds and answer of each call; the first three only warm up."""
    for each in ids[:3]:
        ask(each)
    times_ms, answers = [], []
    for each in ids[3:]:
        began = time.perf_counter()
        answers.append(ask(each))
        times_ms.append((time.perf_counter() - began) * 1000)
    return times_ms, answers


def measure_orders(data: Path, repeats: int) -> Iterator[Figure]:
    """The first page of stuck orders, as people and the watcher ask for it."""
    stuck = OrderFilter(verdicts=(VerdictKind.STUCK,))
    with running(data) as clew:
        clew.settle()
        count = clew.rows("SELECT count() AS n, countIf(bucket = toDate(0)) AS open FROM orders FINAL")[0]
        times_ms, sizes = _timed(
            lambda _: len(find_orders(clew.store, stuck, time.time_ns(), limit=50).items), [""] * (repeats + 3)
        )
    if min(sizes) == 0:
        raise RuntimeError("no order is stuck")
    yield Figure("orders", int(count["n"]), "orders")
    yield Figure("open ones", int(count["open"]), "orders")
    yield Figure("50 stuck orders, p50", percentile(times_ms, 50), "ms")
    yield Figure("50 stuck orders, p95", percentile(times_ms, 95), "ms", at_most=100)


def measure_restart(data: Path, times: int) -> Iterator[Figure]:
    """From the start of the process to its first ``ready``, each time after a SIGKILL."""
    clew = Clew(data)
    starts_s = []
    for _ in range(times + 1):
        clew.start()
        starts_s.append(clew.start_s)
        time.sleep(1.0)
        clew.kill()
    yield Figure("start-up after a kill, median", percentile(starts_s[1:], 50), "s")
    yield Figure("start-up after a kill, longest", max(starts_s[1:]), "s", at_most=5)


def measure_disk(data: Path) -> Iterator[Figure]:
    """Bytes a span, everything merged: in the spans table, and by column and index."""
    with running(data) as clew:
        clew.settle()
        clew.command("OPTIMIZE TABLE spans FINAL")
        part = "database = currentDatabase() AND table = 'spans' AND active"
        total = clew.rows(f"SELECT sum(rows) AS n, sum(bytes_on_disk) AS size FROM system.parts WHERE {part}")[0]
        rows = int(total["n"])
        yield Figure("spans on disk", rows, "spans")
        yield Figure("a span on disk, indexes included", int(total["size"]) / rows, "B", at_most=48)
        yield from _shares(clew, rows)


def _shares(clew: Clew, rows: int) -> Iterator[Figure]:
    indexes = clew.rows(
        "SELECT sum(secondary_indices_compressed_bytes) AS size FROM system.parts "
        "WHERE database = currentDatabase() AND table = 'spans' AND active"
    )
    yield Figure("… its skip indexes", int(indexes[0]["size"]) / rows, "B")
    columns = clew.rows(
        "SELECT name, data_compressed_bytes AS size FROM system.columns "
        "WHERE database = currentDatabase() AND table = 'spans' AND size * 10 > {rows:UInt64} ORDER BY size DESC",
        {"rows": rows},
    )
    for column in columns:
        yield Figure(f"… its column {column['name']}", int(column["size"]) / rows, "B")
    others = clew.rows(
        "SELECT table, sum(bytes_on_disk) AS size FROM system.parts WHERE database = currentDatabase() AND active "
        "AND table IN ('trace_orders', 'hops', 'origins', 'order_events') GROUP BY table ORDER BY size DESC"
    )
    for other in others:
        yield Figure(f"beside it, {other['table']}", int(other["size"]) / rows, "B a span")


if __name__ == "__main__":
    fill(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
