"""The page of one order with 2,000 spans: how long the server takes, what it costs, and what it weighs.

The order is that of tests.web.order_story: forty traces over four days, with messages, failures, a hold and logs.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bench.figures import Figure, percentile
from bench.process import Clew, running
from tests.web.order_story import BUSY, busy_order

_PICTURE = re.compile(rb'<svg class="tl-picture.*?\n</svg>', re.DOTALL)
_KNOWN_WITHIN_S = 60.0


def measure(data: Path, repeats: int) -> Iterator[Figure]:
    """An order that is sent to a fresh server, and its page."""
    with running(data) as clew:
        _send(clew)
        page = f"http://127.0.0.1:{clew.api}/orders/{BUSY}"
        _known(clew)
        clew.settle()
        yield from _served(clew, page, repeats)


def _send(clew: Clew) -> None:
    for request in busy_order(time.time_ns()):
        signal = "traces" if isinstance(request, ExportTraceServiceRequest) else "logs"
        headers = {"Content-Type": "application/x-protobuf"}
        asked = Request(f"http://127.0.0.1:{clew.http}/v1/{signal}", request.SerializeToString(), headers)
        with urlopen(asked, timeout=60) as answer:
            answer.read()


def _known(clew: Clew) -> None:
    """Wait until the order's journey is there."""
    until = time.monotonic() + _KNOWN_WITHIN_S
    while not clew.rows("SELECT 1 FROM orders WHERE order_id = {id:String}", {"id": BUSY}):
        if time.monotonic() > until:
            raise TimeoutError(f"no order {BUSY} after {_KNOWN_WITHIN_S:g} s")
        time.sleep(0.2)


def _served(clew: Clew, page: str, repeats: int) -> Iterator[Figure]:
    for _ in range(3):
        _get(page)
    before_s, times_ms = clew.cpu_s(), []
    for _ in range(repeats):
        began = time.perf_counter()
        wire = _get(page)
        times_ms.append((time.perf_counter() - began) * 1000)
    cpu_ms = (clew.cpu_s() - before_s) / repeats * 1000
    with urlopen(page, timeout=60) as answer:
        html: bytes = answer.read()
    yield Figure("2,000 spans: server, p50", percentile(times_ms, 50), "ms")
    yield Figure("2,000 spans: server, p95", percentile(times_ms, 95), "ms", at_most=500)
    yield Figure("2,000 spans: CPU of an answer", cpu_ms, "ms")
    yield Figure("2,000 spans: over the wire", len(wire) / 1000, "kB")
    yield Figure("2,000 spans: without its picture", len(_PICTURE.sub(b"", html)) / 1000, "kB", at_most=100)


def _get(url: str) -> bytes:
    with urlopen(Request(url, headers={"Accept-Encoding": "gzip"}), timeout=60) as answer:
        body: bytes = answer.read()
        return body
