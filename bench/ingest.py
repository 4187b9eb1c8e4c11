"""Ingest: spans acknowledged a CPU second of the server, merges included, and the memory it takes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from bench.figures import Figure, percentile
from bench.process import Memory, running
from bench.sender import Load, send

_TARGETS = {"http": 75_000, "grpc": 50_000}


def measure(data: Path, protocol: str, seconds: float, senders: int) -> Iterator[Figure]:
    """Load a fresh server, wait until its merges settle, and count what it stored."""
    with running(data) as clew:
        idle_mb = clew.rss_mb()
        time.sleep(1.0)
        before = clew.cpu_s()
        port = clew.http if protocol == "http" else clew.grpc
        with Memory(clew) as memory:
            sent = send(Load(port, protocol, senders, seconds))
            loaded = clew.cpu_s() - before
        clew.settle()
        spent = clew.cpu_s() - before
        stored = int(clew.rows("SELECT count() AS n FROM spans")[0]["n"])
        named = f"{protocol}, {senders} senders"
        yield Figure(f"spans a CPU second ({named})", sent.spans / spent, "spans", at_least=_TARGETS[protocol])
        yield Figure(f"… without merges after the load ({named})", sent.spans / loaded, "spans")
        yield Figure(f"spans a second of clock ({named})", sent.spans / sent.seconds, "spans")
        yield Figure(f"acknowledged minus stored ({named})", sent.spans - stored, "spans", at_most=0)
        yield Figure(f"refused and sent again ({named})", sent.refused, "requests")
        yield Figure(f"latency p50 ({named})", percentile(sent.latencies_ms, 50), "ms")
        yield Figure(f"latency p95 ({named})", percentile(sent.latencies_ms, 95), "ms")
        yield Figure(f"CPU of the senders, per span ({named})", sent.sender_cpu_s / sent.spans * 1e6, "µs")
        yield Figure(f"memory at the start ({named})", idle_mb, "MB", at_most=400)
        yield Figure(f"memory at most ({named})", memory.most_mb, "MB", at_most=1200)
        yield Figure(f"memory growth in the second half ({named})", memory.growth_mb_a_minute, "MB/min")
