"""One trace of ten thousand spans in a browser: how soon its first bar is seen, and whether scrolling stays smooth.

The first bar counts from the begin of the navigation to the frame after the one in which the document has a bar. While
scrolling, the waterfall moves by twenty rows with every frame, so that each frame fills twenty rows anew.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

from playwright.sync_api import Browser, Page

from bench.figures import Figure, percentile
from bench.process import Clew, running
from tests.builders import span, trace_hex, traces
from tests.services.browser import browser

SPANS = 10_000
TRACE = 77
FRAMES = 240

_SERVICES = ("shop-api", "crm-api", "mes-api", "mes", "billing", "stock")
_NAMES = ("GET /orders", "SELECT orders", "POST /deals", "calculate price", "send orders", "process orders", "render")

_WATCH = """
new MutationObserver((_, watcher) => {
  if (!document.querySelector(".span-bar")) return;
  watcher.disconnect();
  requestAnimationFrame(() => requestAnimationFrame(() => {
    performance.mark("first-bar");
    document.documentElement.classList.add("first-bar");
  }));
}).observe(document, { childList: true, subtree: true });
"""

_SCROLL = """(frames) => new Promise((done) => {
  const rows = document.getElementById("rows");
  const times = [];
  let last = 0;
  const step = (now) => {
    if (last) times.push(now - last);
    last = now;
    rows.scrollTop += 20 * 26;
    if (times.length < frames) requestAnimationFrame(step);
    else done(times);
  };
  requestAnimationFrame(step);
})"""


def measure(data: Path, repeats: int) -> Iterator[Figure]:
    """A trace that is sent to a fresh server, asked for and looked at."""
    with running(data) as clew:
        _send(clew)
        clew.settle()
        yield from _served(clew, "page of the trace", f"/traces/{trace_hex(TRACE)}", repeats)
        yield from _served(clew, "all its spans in lines", f"/traces/{trace_hex(TRACE)}/lines", repeats)
        with browser() as chromium:
            yield from _seen(clew, chromium, min(repeats, 20))


def _send(clew: Clew) -> None:
    """A root, sixty operations one after the other, and all else somewhere below these."""
    chance = random.Random(4)
    start_ns = time.time_ns() - 60 * 10**9
    times = [(start_ns, 30 * 10**9)]
    spans = [span(TRACE, 256, start_ns, lasts_ms=30_000, name="POST /orders", order__id="4711")]
    for number in range(1, SPANS):
        parent = 0 if number <= 60 else chance.randrange(1, min(number, 3_000))
        above_ns, length_ns = times[parent]
        offset = (number - 1) / 60 if parent == 0 else chance.random() * 0.8
        begin_ns = above_ns + int(length_ns * offset)
        lasts_ns = int(4e8 if parent == 0 else (above_ns + length_ns - begin_ns) * chance.random())
        times.append((begin_ns, lasts_ns))
        spans.append(
            span(
                TRACE, 256 + number, begin_ns, lasts_ms=lasts_ns / 1e6, name=chance.choice(_NAMES), parent=256 + parent,
                status="error" if chance.random() < 0.005 else "unset", http__route="/orders/{id}", n=number,
            )
        )  # fmt: skip
    for place, service in enumerate(_SERVICES):
        body = traces(service, *spans[place :: len(_SERVICES)]).SerializeToString()
        headers = {"Content-Type": "application/x-protobuf"}
        with urlopen(Request(f"http://127.0.0.1:{clew.http}/v1/traces", body, headers), timeout=60) as answer:
            answer.read()


def _served(clew: Clew, name: str, path: str, repeats: int) -> Iterator[Figure]:
    times_ms, size = [], 0
    before_s = clew.cpu_s()
    for _ in range(repeats):
        began = time.perf_counter()
        asked = Request(f"http://127.0.0.1:{clew.api}{path}", headers={"Accept-Encoding": "gzip"})
        with urlopen(asked, timeout=60) as answer:
            size = len(answer.read())
        times_ms.append((time.perf_counter() - began) * 1000)
    yield Figure(f"{name}: server, p50", percentile(times_ms, 50), "ms")
    yield Figure(f"{name}: server, p95", percentile(times_ms, 95), "ms")
    yield Figure(f"{name}: CPU of an answer", (clew.cpu_s() - before_s) / repeats * 1000, "ms")
    yield Figure(f"{name}: over the wire", size / 1000, "kB")


def _seen(clew: Clew, chromium: Browser, repeats: int) -> Iterator[Figure]:
    viewer = chromium.new_page(viewport={"width": 1440, "height": 900})
    viewer.add_init_script(_WATCH)
    bars_ms, drawn_ms = [], []
    for _ in range(repeats + 1):
        viewer.goto(f"http://127.0.0.1:{clew.api}/traces/{trace_hex(TRACE)}")
        viewer.wait_for_selector(".first-bar .tools.ready")
        bars_ms.append(_mark(viewer, "first-bar"))
        drawn_ms.append(_mark(viewer, "clew-waterfall"))
    yield Figure("to the first bar, p50", percentile(bars_ms[1:], 50), "ms", at_most=300)
    yield Figure("to the first bar, p95", percentile(bars_ms[1:], 95), "ms")
    yield Figure("until all spans can be scrolled, p50", percentile(drawn_ms[1:], 50), "ms")
    frames_ms: list[float] = viewer.evaluate(_SCROLL, FRAMES)
    yield Figure("a frame while scrolling, p50", percentile(frames_ms, 50), "ms", at_most=17)
    yield Figure("a frame while scrolling, p95", percentile(frames_ms, 95), "ms")
    yield Figure("a frame while scrolling, longest", max(frames_ms), "ms")
    yield Figure("rows in the document", viewer.locator(".row").count(), "rows")


def _mark(viewer: Page, name: str) -> float:
    """When the page marked something, in milliseconds since its navigation began."""
    return float(viewer.evaluate(f"performance.getEntriesByName('{name}')[0].startTime"))
