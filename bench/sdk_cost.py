"""What clew-sdk costs a traced service, in the request path: python bench/sdk_cost.py [--json]

Each figure is the CPU time of the calling thread (time.thread_time_ns) per call, the median of rounds that alternate
between all cases, so that other load on the machine meets all of them. Wall time is added where a disk is waited for.
"""

from __future__ import annotations

import argparse
import json
import logging
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import clew_sdk
from clew_sdk import sdk as handle_module
from clew_sdk.outbox import open_private
from clew_sdk.settings import read_settings
from clew_sdk.table import create_outbox
from clew_sdk.tracing import OrderSampler
from opentelemetry.context import attach, detach, get_current
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

TEN = {f"shop.attribute.{number}": f"value {number}" for number in range(10)}
ORDER = {"order.id": "4711", "order.path": "b2c", "user.id": "…0931"}


class Nowhere(SpanExporter):
    """Throws spans away: the export thread's cost is not the request's."""

    def export(self, _: Sequence[ReadableSpan]) -> SpanExportResult:
        return SpanExportResult.SUCCESS


@dataclass
class Case:
    """One thing to measure; ``calls`` per round."""

    name: str
    call: Callable[[], object]
    calls: int = 2000
    after_round: Callable[[], object] = lambda: None
    cpu_us: list[float] = field(default_factory=list)
    wall_us: list[float] = field(default_factory=list)

    def round(self) -> None:
        """Measure once."""
        call = self.call
        wall, cpu = time.perf_counter_ns(), time.thread_time_ns()
        for _ in range(self.calls):
            call()
        self.cpu_us.append((time.thread_time_ns() - cpu) / self.calls / 1000)
        self.wall_us.append((time.perf_counter_ns() - wall) / self.calls / 1000)
        self.after_round()


def span_cases() -> list[Case]:
    """A span of the plain SDK and ours, outside and inside an order."""
    plain, ours = TracerProvider(), TracerProvider(sampler=OrderSampler(ALWAYS_ON))
    for provider in (plain, ours):
        provider.add_span_processor(BatchSpanProcessor(Nowhere(), max_queue_size=100_000))
    plain_tracer, our_tracer = plain.get_tracer("bench"), ours.get_tracer("bench")

    def plain_in_order() -> None:
        plain_tracer.start_span("work", attributes={**TEN, **ORDER}).end()

    def ours_in_order() -> None:
        our_tracer.start_span("work", attributes=TEN).end()

    return [
        Case("span, plain SDK, 10 attributes", lambda: plain_tracer.start_span("work", attributes=TEN).end()),
        Case("span, clew-sdk, 10 attributes, no order", lambda: our_tracer.start_span("work", attributes=TEN).end()),
        Case("span, plain SDK, 10 attributes + the order's 3 by hand", plain_in_order),
        Case("span, clew-sdk, 10 attributes inside order()", in_order(ours_in_order)),
    ]


def in_order(call: Callable[[], object]) -> Callable[[], object]:
    """The call, with an order at work; entering it is not part of the cost of each call by a tenth of a percent."""
    context = clew_sdk.order("4711", path="b2c", user_id="user-20931")
    context.__enter__()
    inside = get_current()
    context.__exit__(None, None, None)

    def run() -> None:
        token = attach(inside)
        call()
        detach(token)

    return run


def stage_cases(folder: Path) -> list[Case]:
    """stage() in its two forms, on SQLite."""
    handle_module._handle = clew_sdk.Sdk(
        read_settings(
            "bench", "http://127.0.0.1:9", folder / "outbox.sqlite", None, ("order.id",), ("user.id",), 1 << 30, {}
        )
    )
    database = sqlite3.connect(folder / "shop.sqlite", isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    create_outbox(database)
    database.execute("BEGIN")

    def emptied() -> None:
        database.execute("ROLLBACK")
        database.execute("BEGIN")

    normal = open_private(str(folder / "normal.sqlite"), "NORMAL")
    create_outbox(normal)
    return [
        Case("order(): enter and leave", enter_and_leave),
        Case(
            "stage(connection=sqlite3), in the caller's transaction",
            in_order(lambda: clew_sdk.stage("SUBMITTED", connection=database)),
            after_round=emptied,
        ),
        Case("stage(), own outbox (FULL: flushed to disk)", in_order(lambda: clew_sdk.stage("SUBMITTED")), calls=100),
        Case(
            "the same with synchronous=NORMAL, for comparison",
            in_order(lambda: clew_sdk.stage("SUBMITTED", connection=normal)),
            calls=100,
        ),
    ]


def enter_and_leave() -> None:
    """What a request pays once."""
    with clew_sdk.order("4711", path="b2c", user_id="user-20931"):
        pass


def main() -> None:
    """Measure all cases and print a table, or JSON."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=15)
    options.add_argument("--json", action="store_true")
    chosen = options.parse_args()
    logging.disable()
    with tempfile.TemporaryDirectory() as folder:
        cases = [*span_cases(), *stage_cases(Path(folder))]
        for _ in range(chosen.rounds):
            for case in cases:
                case.round()
    figures = [
        {
            "case": case.name,
            "cpu_us": round(statistics.median(case.cpu_us), 1),
            "best_cpu_us": round(min(case.cpu_us), 1),
            "wall_us": round(statistics.median(case.wall_us), 1),
        }
        for case in cases
    ]
    if chosen.json:
        print(json.dumps(figures))
        return
    print(f"{'µs per call':60} {'CPU median':>11} {'CPU best':>9} {'wall':>9}")
    for figure in figures:
        print(f"{figure['case']:60} {figure['cpu_us']:>11} {figure['best_cpu_us']:>9} {figure['wall_us']:>9}")


if __name__ == "__main__":
    main()
