"""A quiet server: how long one small request waits, and what five idle services cost."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bench.figures import Figure, percentile
from bench.holes import Ids, templates
from bench.process import running
from bench.sender import HttpConnection
from bench.shop import make_round

EXPORT_EVERY_S = 5.0


class SmallRequests:
    """Requests of a few spans, each unique."""

    def __init__(self, spans: int, seed: int) -> None:
        self._round = make_round(seed, requests=12, spans_a_request=spans)
        self._templates = templates(self._round)
        self._chance = np.random.default_rng(seed)
        self._sent = 0

    def next(self) -> bytes:
        """The next request."""
        round_, place = divmod(self._sent, len(self._templates))
        self._sent += 1
        ids = Ids.new(self._round, round_, self._chance, 0, lag=1)
        return self._templates[place].fill(ids, time.time_ns() - 300_000_000, self._chance)


def measure_latency(data: Path, requests: int) -> Iterator[Figure]:
    """Single requests of three spans with random pauses, each from send to answer."""
    chance, small = random.Random(3), SmallRequests(spans=3, seed=3)
    latencies_ms: list[float] = []
    with running(data) as clew:
        connection = HttpConnection(clew.http)
        for _ in range(requests):
            time.sleep(chance.uniform(0.5, 2.5))
            began = time.monotonic()
            if connection.post(small.next()) != 200:
                raise RuntimeError("a small request was refused")
            latencies_ms.append((time.monotonic() - began) * 1000)
        connection.close()
    yield Figure("answer to a small request, p50", percentile(latencies_ms, 50), "ms", at_most=600)
    yield Figure("answer to a small request, p95", percentile(latencies_ms, 95), "ms")


def measure_idle(data: Path, seconds: float, services: int = 5) -> Iterator[Figure]:
    """Five services that export ten spans every five seconds, staggered: the server's share of a core.

    The first half of that time again is not counted: a fresh server has savings for quick flushes.
    """
    with running(data) as clew:
        time.sleep(2.0)
        nothing_s, idle_s = clew.cpu_s(), min(10.0, seconds / 2)
        time.sleep(idle_s)
        nothing_s = clew.cpu_s() - nothing_s
        stop = threading.Event()
        threads = [
            threading.Thread(target=_export, args=(clew.http, number, services, stop)) for number in range(services)
        ]
        for thread in threads:
            thread.start()
        time.sleep(EXPORT_EVERY_S + seconds / 2)
        before, began = clew.cpu_s(), time.monotonic()
        time.sleep(seconds)
        share = (clew.cpu_s() - before) / (time.monotonic() - began)
        stop.set()
        for thread in threads:
            thread.join()
        yield Figure("five services exporting every 5 s: share of a core", share * 100, "%", at_most=10)
        yield Figure("nobody exports: share of a core", nothing_s / idle_s * 100, "%")
        yield Figure("memory, idle", clew.rss_mb(), "MB", at_most=400)
        yield Figure("… of it mapped from files: the engine's own code", clew.file_mb(), "MB")


def _export(port: int, number: int, services: int, stop: threading.Event) -> None:
    small, connection = SmallRequests(spans=10, seed=number), HttpConnection(port)
    pause_s = EXPORT_EVERY_S * number / services
    while not stop.wait(pause_s):
        connection.post(small.next())
        pause_s = EXPORT_EVERY_S
    connection.close()
