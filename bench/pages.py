"""Web pages over the large store: how long the server takes, how heavy they are, and how soon one can use them.

Each page is asked for some times over loopback, compressed as a browser asks. The CPU of an answer counts all threads
of the server. What a page weighs is everything that a first visit loads: the page, its styles and scripts.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.request import Request, urlopen

from playwright.sync_api import Browser
from playwright.sync_api import Page as Viewer

from bench.figures import Figure, percentile
from bench.process import Clew, running
from tests.services.browser import browser

_ASSET = re.compile(r'(?:href|src)="(/static/[^"]+)"')
_READY = "performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"
_IMPORT = re.compile(r'from "\./([\w.-]+)"')


@dataclass(frozen=True, slots=True)
class Page:
    """A page: its name, its path, and what it promises: milliseconds of the server (p95) and to use it, kB to load."""

    name: str
    path: str
    server_ms: float | None = None
    usable_ms: float | None = None
    weight_kb: float | None = 100


PAGES = (
    Page("orders", "/", server_ms=300, usable_ms=1_000),
    Page("stuck orders of a stage", "/?verdict=stuck&stage=PACKAGING", server_ms=300),
    Page("orders by a prefix", "/?prefix=archive-00001", server_ms=300),
    Page("ended orders", "/?ended=1&verdict=closed"),
    Page("traces of the last 400 days", "/traces?since=400d"),
    Page("failed traces of a service", "/traces?since=400d&service=mes-api&status=error"),
    Page("traces with an attribute", "/traces?since=400d&attribute=http.route%3D/orders"),
    Page("process map, 30 days", "/flow/map?from=30d", server_ms=1_000),
    Page("process map, all", "/flow/map?from=all", server_ms=3_000),
    Page("funnel, 30 days", "/flow/funnel?from=30d", server_ms=1_000),
    Page("funnel, all", "/flow/funnel?from=all", server_ms=3_000),
    Page("dwell, all", "/flow/dwell?from=all", server_ms=3_000),
    Page("dotted chart, 30 days", "/flow/dots?from=30d&spread=1", server_ms=1_000),
    Page("declared and real, 30 days", "/flow/diff?from=30d", server_ms=1_000),
    Page("declared and real, all", "/flow/diff?from=all", server_ms=3_000),
    Page("services, an hour", "/services"),
    Page("services, a day", "/services?range=24h", server_ms=1_000),
    Page("a service, a day", "/services/mes-api?range=24h", server_ms=1_000),
    Page("services, 7 days", "/services?range=7d"),
    Page("a service, 7 days", "/services/mes-api?range=7d"),
    Page("key figures, 7 days", "/figures?range=7d"),
    Page("status", "/status"),
)
"""Every page that is measured; a room that adds a page adds it here."""


def measure(data: Path, repeats: int) -> Iterator[Figure]:
    """Every page over a store that is there."""
    with running(data) as clew:
        clew.settle()
        count = clew.rows("SELECT count() AS n FROM orders FINAL WHERE bucket = toDate(0)")[0]
        yield Figure("open orders", int(count["n"]), "orders")
        for page in PAGES:
            yield from _served(clew, page, repeats)
        yield from _used(clew, repeats)


def _served(clew: Clew, page: Page, repeats: int) -> Iterator[Figure]:
    url = f"http://127.0.0.1:{clew.api}{page.path}"
    for _ in range(3):
        _get(url)
    before_s, times_ms = clew.cpu_s(), []
    for _ in range(repeats):
        began = time.perf_counter()
        _get(url)
        times_ms.append((time.perf_counter() - began) * 1000)
    cpu_ms = (clew.cpu_s() - before_s) / repeats * 1000
    yield Figure(f"{page.name}: server, p50", percentile(times_ms, 50), "ms")
    yield Figure(f"{page.name}: server, p95", percentile(times_ms, 95), "ms", at_most=page.server_ms)
    yield Figure(f"{page.name}: CPU of an answer", cpu_ms, "ms")
    yield Figure(f"{page.name}: to load at the first visit", _weight(url) / 1000, "kB", at_most=page.weight_kb)


def _used(clew: Clew, repeats: int) -> Iterator[Figure]:
    """How long until a page has run its scripts in a browser, which keeps its assets and zone after the first visit."""
    with browser() as chromium:
        for page in PAGES:
            if page.usable_ms is None:
                continue
            viewer = chromium.new_page()
            times_ms = [_usable_ms(viewer, clew, page) for _ in range(repeats + 1)][1:]
            viewer.close()
            yield Figure(f"{page.name}: to interactive, best", min(times_ms), "ms")
            yield Figure(f"{page.name}: to interactive, p50", percentile(times_ms, 50), "ms")
            yield Figure(f"{page.name}: to interactive, p95", percentile(times_ms, 95), "ms", at_most=page.usable_ms)
            first_ms = [_first_visit_ms(chromium, clew, page) for _ in range(min(repeats, 10))]
            yield Figure(f"{page.name}: to interactive at a first visit, best", min(first_ms), "ms")
            yield Figure(f"{page.name}: to interactive at a first visit, p50", percentile(first_ms, 50), "ms")


def _usable_ms(viewer: Viewer, clew: Clew, page: Page) -> float:
    viewer.goto(f"http://127.0.0.1:{clew.api}{page.path}")
    return float(viewer.evaluate(_READY))


def _first_visit_ms(chromium: Browser, clew: Clew, page: Page) -> float:
    """Of a browser without assets and cookies in another time zone: the page is loaded once more with it."""
    with chromium.new_context(timezone_id="Europe/Berlin") as fresh:
        viewer = fresh.new_page()
        began = time.perf_counter()
        viewer.goto(f"http://127.0.0.1:{clew.api}{page.path}")
        viewer.wait_for_function(f"document.getElementById('judged')?.textContent.includes('Berlin') && {_READY} > 0")
        return (time.perf_counter() - began) * 1000


def _get(url: str) -> bytes:
    """The body as it goes over the wire."""
    with urlopen(Request(url, headers={"Accept-Encoding": "gzip"}), timeout=60) as answer:
        body: bytes = answer.read()
        return body


def _weight(url: str) -> int:
    """Bytes over the wire of a page with its styles and scripts."""
    with urlopen(url, timeout=60) as answer:
        text = answer.read().decode()
    site = "/".join(url.split("/")[:3])
    waiting, seen = set(_ASSET.findall(text)), set[str]()
    total = len(_get(url))
    while waiting:
        path = waiting.pop()
        seen.add(path)
        total += len(_get(site + path))
        if path.endswith(".js"):
            with urlopen(site + path, timeout=60) as answer:
                imported = _IMPORT.findall(answer.read().decode())
            waiting |= {f"{path.rpartition('/')[0]}/{name}" for name in imported} - seen
    return total
