"""SIGKILL at random moments under load: nothing that was acknowledged is missing, nothing is there twice.

senders --request--> Clew --200--> ledger (fsync)          a request without an answer is sent again, unchanged
chaos   --SIGKILL--> Clew, started again on the same data
at the end: ledger against what the product's own readers give
"""

from __future__ import annotations

import json
import os
import random
import secrets
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from bench.figures import Figure
from bench.process import Clew
from bench.sender import HttpConnection
from bench.shop import STAGES, attributes_of, request_of
from bench.stages import stage_request
from clew.model.journey import Journey
from clew.store.orders import OrderFilter, find_orders
from clew.store.spans import read_trace

_SPANS_A_TRACE = 4
_TRACES_A_REQUEST = 25
_ORDERS_A_REQUEST = 20
_CATCH_UP_S = 60.0


@dataclass(slots=True)
class KillReport:
    """What was acknowledged over all kills, and what a reader finds of it.

    ``doubled`` counts spans that a reader gets twice and milestones or facts too many; ``repeated_rows`` are rows that
    lie twice in the table, from requests that were stored but not answered, and that no reader shows.
    """

    kills: int = 0
    spans: int = 0
    stage_events: int = 0
    missing_spans: int = 0
    missing_stage_events: int = 0
    incomplete_journeys: int = 0
    doubled: int = 0
    repeated_rows: int = 0
    sent_again: int = 0
    restarts_s: list[float] = field(default_factory=list)


class _Ledger:
    """What was acknowledged, on disk before the next request goes out."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("ab", buffering=0)
        self._lock = threading.Lock()

    def write(self, entry: object) -> None:
        with self._lock:
            self._file.write(json.dumps(entry).encode() + b"\n")
            os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()


class _Sender(threading.Thread):
    """Sends a request of spans, then one of stage events; repeats each until it is acknowledged."""

    def __init__(self, clew: Clew, ledger: _Ledger, number: int, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self._traces = HttpConnection(clew.http)
        self._logs = HttpConnection(clew.http, "/v1/logs")
        self._ledger = ledger
        self._number = number
        self._over = stop
        self.sent_again = 0

    def run(self) -> None:
        turn = 0
        while not self._over.is_set():
            body, spans = _spans_request()
            self._deliver(self._traces, body)
            self._ledger.write({"spans": spans})
            generation, step = divmod(turn, len(STAGES))
            orders = [f"k{self._number}-{generation}-{each}" for each in range(_ORDERS_A_REQUEST)]
            now_ns = time.time_ns()
            self._deliver(self._logs, stage_request([(order_id, STAGES[step], now_ns) for order_id in orders]))
            self._ledger.write({"orders": orders, "stage": STAGES[step]})
            turn += 1
        self._traces.close()
        self._logs.close()

    def _deliver(self, connection: HttpConnection, body: bytes) -> None:
        while True:
            try:
                if connection.post(body) == 200:
                    return
            except OSError:
                pass
            self.sent_again += 1
            time.sleep(0.05)


def _spans_request() -> tuple[bytes, list[tuple[str, str]]]:
    now_ns = time.time_ns()
    spans = []
    for _ in range(_TRACES_A_REQUEST):
        trace_id, parent = secrets.token_bytes(16), b""
        for depth in range(_SPANS_A_TRACE):
            span = Span(
                trace_id=trace_id,
                span_id=secrets.token_bytes(8),
                parent_span_id=parent,
                name="POST /orders",
                kind=Span.SPAN_KIND_SERVER,
                start_time_unix_nano=now_ns + depth * 1000,
                end_time_unix_nano=now_ns + 10_000,
                attributes=attributes_of({"http.request.method": "POST", "depth": depth}),
            )
            spans.append(span)
            parent = span.span_id
    return request_of("shop-api", spans).SerializeToString(), [(s.trace_id.hex(), s.span_id.hex()) for s in spans]


def run_kills(folder: Path, kills: int, seed: int = 1, senders: int = 8, checked_traces: int = 300) -> KillReport:
    """Kill Clew that often at random moments of its work, then compare what was acknowledged with what is read."""
    chance, stop = random.Random(seed), threading.Event()
    clew, ledger = Clew(folder / "data"), _Ledger(folder / "ledger")
    report = KillReport(kills=kills)
    threads = [_Sender(clew, ledger, number, stop) for number in range(senders)]
    try:
        clew.start()
        for thread in threads:
            thread.start()
        for _ in range(kills):
            time.sleep(chance.uniform(0.2, 1.8))
            clew.kill()
            clew.start()
            report.restarts_s.append(clew.start_s)
        time.sleep(0.5)
        stop.set()
        for thread in threads:
            thread.join(_CATCH_UP_S)
        ledger.close()
        report.sent_again = sum(thread.sent_again for thread in threads)
        _compare(clew, ledger.path, report, chance, checked_traces)
    finally:
        stop.set()
        clew.stop()
    return report


def _compare(clew: Clew, ledger: Path, report: KillReport, chance: random.Random, checked_traces: int) -> None:
    entries = [json.loads(line) for line in ledger.read_text().splitlines()]
    spans = {(trace, span) for entry in entries for trace, span in entry.get("spans", ())}
    stages: dict[str, list[str]] = {}
    for entry in entries:
        for order_id in entry.get("orders", ()):
            stages.setdefault(order_id, []).append(entry["stage"])
    report.spans, report.stage_events = len(spans), sum(map(len, stages.values()))
    _compare_spans(clew, spans, report)
    _compare_traces(clew, spans, report, chance, checked_traces)
    _compare_journeys(stages, _journeys_caught_up(clew, stages), report)


def _compare_spans(clew: Clew, spans: set[tuple[str, str]], report: KillReport) -> None:
    stored = Counter(
        (row["trace"], row["span"])
        for row in clew.rows("SELECT lower(hex(trace_id)) AS trace, lower(hex(span_id)) AS span FROM spans")
    )
    report.missing_spans = len(spans - stored.keys())
    report.repeated_rows = stored.total() - len(stored)


def _compare_traces(
    clew: Clew, spans: set[tuple[str, str]], report: KillReport, chance: random.Random, most: int
) -> None:
    """Read some traces as everybody reads them: each of their spans once."""
    by_trace: dict[str, set[str]] = {}
    for trace, span in spans:
        by_trace.setdefault(trace, set()).add(span)
    for trace in chance.sample(sorted(by_trace), min(most, len(by_trace))):
        found = read_trace(clew.store, trace)
        ids = [span.span_id for span in found.spans] if found else []
        report.doubled += len(ids) - len(set(ids))
        report.missing_spans += len(by_trace[trace] - set(ids))


def _journeys_caught_up(clew: Clew, stages: dict[str, list[str]]) -> dict[str, Journey]:
    """All journeys, as soon as they hold every acknowledged event, or after a minute as they are then."""
    deadline = time.monotonic() + _CATCH_UP_S
    while True:
        journeys = {each.order_id: each for each in _all_orders(clew)}
        behind = [each for each in stages if each not in journeys or journeys[each].facts < len(stages[each])]
        if not behind or time.monotonic() > deadline:
            return journeys
        time.sleep(0.5)


def _all_orders(clew: Clew) -> Iterator[Journey]:
    cursor, now_ns = None, time.time_ns()
    while True:
        page = find_orders(clew.store, OrderFilter(), now_ns, limit=1000, after=cursor)
        yield from page.items
        if (cursor := page.next) is None:
            return


def _compare_journeys(stages: dict[str, list[str]], journeys: dict[str, Journey], report: KillReport) -> None:
    for order_id, expected in stages.items():
        journey = journeys.get(order_id)
        found = [each.stage for each in journey.milestones] if journey else []
        report.missing_stage_events += len(set(expected) - set(found))
        report.incomplete_journeys += found != expected
        report.doubled += len(found) - len(set(found)) + max(0, (journey.facts if journey else 0) - len(expected))


def measure(folder: Path, kills: int) -> Iterator[Figure]:
    """The figures of so many kills."""
    report = run_kills(folder, kills)
    yield Figure("kills", report.kills, "SIGKILLs")
    yield Figure("acknowledged spans", report.spans, "spans")
    yield Figure("acknowledged stage events", report.stage_events, "events")
    yield Figure("requests sent again", report.sent_again, "requests")
    yield Figure("acknowledged spans missing", report.missing_spans, "spans", at_most=0)
    yield Figure("acknowledged stage events missing", report.missing_stage_events, "events", at_most=0)
    yield Figure("journeys incomplete or in another order", report.incomplete_journeys, "journeys", at_most=0)
    yield Figure("doubled as a reader sees it", report.doubled, "spans or events", at_most=0)
    yield Figure("rows twice in the table, unseen by readers", report.repeated_rows, "rows")
    yield Figure("start-up after a kill, longest", max(report.restarts_s), "s", at_most=5)
