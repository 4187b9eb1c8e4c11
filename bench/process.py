"""A Clew process under measurement: started, watched from outside, asked by SQL, stopped or killed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.connection import Client
from pathlib import Path
from typing import Any, cast
from urllib.error import URLError
from urllib.request import urlopen

import numpy as np

from bench.serve import DOOR
from clew.store.contract import Store

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_START_S = 60.0


def free_ports(count: int) -> list[int]:
    """Loopback ports that nothing listens on."""
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports


class Clew:
    """One data directory and the process that serves it; the ports stay the same over restarts."""

    def __init__(self, data: Path, environ: Mapping[str, str] | None = None) -> None:
        """``environ`` are settings beside those of this process, such as ``CLEW_FLOW``."""
        self.data = data
        self._environ = {**os.environ, **(environ or {})}
        self.http, self.grpc, self.api = free_ports(3)
        self._process: subprocess.Popen[bytes] | None = None
        self._asking = threading.Lock()
        self._door: Any = None
        self.start_s = 0.0
        data.mkdir(parents=True, exist_ok=True)

    def start(self) -> None:
        """Start, and return when it says that it is ready; ``start_s`` is how long that took."""
        began = time.monotonic()
        ports = [str(port) for port in (self.http, self.grpc, self.api)]
        command = [sys.executable, "-m", "bench.serve", str(self.data), *ports]
        with (self.data / "bench.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env=self._environ)
        while not self._ready():
            if self._process.poll() is not None or time.monotonic() - began > _START_S:
                raise RuntimeError(f"Clew did not start, see {self.data / 'bench.log'}")
            time.sleep(0.02)
        self.start_s = time.monotonic() - began

    def _ready(self) -> bool:
        try:
            with urlopen(f"http://127.0.0.1:{self.http}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except (URLError, OSError):
            return False

    @property
    def pid(self) -> int:
        """The process that runs now."""
        assert self._process is not None
        return self._process.pid

    @property
    def store(self) -> Store:
        """This process for the store's readers, which ask for rows alone."""
        return cast(Store, self)

    def rows(self, sql: str, bind: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Rows of a query, as a Store gives them."""
        return self._ask("rows", sql, bind)

    def command(self, sql: str, bind: Mapping[str, Any] | None = None) -> None:
        """Run a statement without result."""
        self._ask("command", sql, bind)

    def order_writes(self) -> list[dict[str, Any]]:
        """Every write to ``orders`` since the start: order_id, version, at_ns."""
        return self._ask("writes", "", None)

    def thread_s(self) -> dict[str, float]:
        """CPU seconds since the start of Clew's own threads, by name; the engine works in threads of its own."""
        return {row["name"]: row["cpu_s"] for row in self._ask("threads", "", None)}

    def _ask(self, what: str, sql: str, bind: Mapping[str, Any] | None) -> list[dict[str, Any]]:
        with self._asking:
            if self._door is None:
                self._door = Client(str(self.data / DOOR), "AF_UNIX")
            self._door.send((what, sql, dict(bind or {})))
            answer = self._door.recv()
        if isinstance(answer, str):
            raise RuntimeError(answer)
        rows: list[dict[str, Any]] = answer
        return rows

    def cpu_s(self) -> float:
        """CPU seconds of all threads since the start, merges in the background included."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def rss_mb(self) -> float:
        """Resident memory in megabytes."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * _PAGE / 1e6

    def file_mb(self) -> float:
        """The part of the resident memory that is mapped from files, in megabytes; the kernel may drop it."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[2]) * _PAGE / 1e6

    def settle(self, quiet_share: float = 0.2, longest_s: float = 90.0) -> None:
        """Wait until merges are done: no merge runs, and the process uses less than that share of a core."""
        deadline = time.monotonic() + longest_s
        while time.monotonic() < deadline:
            before = self.cpu_s()
            time.sleep(2.0)
            if self.cpu_s() - before < 2.0 * quiet_share and not self.rows("SELECT 1 FROM system.merges LIMIT 1"):
                return

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """SIGTERM, and wait until it has finished what it received; idempotent."""
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(number)
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise
        finally:
            self._process = None
            if self._door is not None:
                self._door.close()
                self._door = None


@contextmanager
def running(data: Path, environ: Mapping[str, str] | None = None) -> Iterator[Clew]:
    """Clew on that data directory until the block ends; ``environ`` are settings."""
    clew = Clew(data, environ)
    clew.start()
    try:
        yield clew
    finally:
        clew.stop()


class Memory:
    """Samples resident memory in the background."""

    def __init__(self, clew: Clew, every_s: float = 0.5) -> None:
        self._clew = clew
        self._every_s = every_s
        self._samples: list[tuple[float, float]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Memory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._every_s):
            self._samples.append((time.monotonic(), self._clew.rss_mb()))

    @property
    def most_mb(self) -> float:
        """The largest sample."""
        return max((mb for _, mb in self._samples), default=0.0)

    @property
    def growth_mb_a_minute(self) -> float:
        """The slope over the second half of the run, when caches are warm."""
        late = self._samples[len(self._samples) // 2 :]
        if len(late) < 4:
            return 0.0
        times, sizes = np.array(late).T
        return float(np.polyfit(times - times[0], sizes, 1)[0] * 60)
