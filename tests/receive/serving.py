"""Receivers for tests: over the real store in a process of its own, or over a store that fails on command."""

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from clew.model.errors import MalformedTelemetry
from clew.receive.server import Receiver, ReceiveSettings
from clew.store.contract import Batch, Rejected, Signal

Got = TypeVar("Got")


class RealServer:
    """``tests/receive/serve.py`` with its ports and its store."""

    def __init__(self, data: Path, **settings: Any) -> None:
        script = Path(__file__).with_name("serve.py")
        given = json.dumps({"http_port": 0, "grpc_port": 0, **settings})
        self.process = subprocess.Popen(
            [sys.executable, script, data, given], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        ports = self.read()
        self.http: int = ports["http"]
        self.grpc: int = ports["grpc"]

    def read(self) -> dict[str, Any]:
        assert self.process.stdout
        return json.loads(self.process.stdout.readline())

    def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        assert self.process.stdin
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        return self.read()

    def waiting(self) -> int:
        """How many requests wait for the next flush."""
        return self.ask({"waiting": True})["waiting"]

    def rows(self, sql: str, **bind: Any) -> list[dict[str, Any]]:
        return self.ask({"sql": sql, "bind": bind})["rows"]

    def close(self) -> int:
        """End the process; gives its exit code."""
        assert self.process.stdin
        self.process.stdin.close()
        code = self.process.wait(30)
        assert self.process.stdout
        self.process.stdout.close()
        return code


class FakeStore:
    """A store that does what a test wants to provoke. Batches that went in are in ``batches``."""

    def __init__(self, before: Callable[[Batch], None] | None = None) -> None:
        self.before = before or (lambda batch: None)
        self.batches: list[Batch] = []
        self.tried: list[Batch] = []
        self.bad: set[bytes] = set()
        self.rejects: dict[bytes, Rejected] = {}

    def ingest(self, batch: Batch) -> dict[int, Rejected]:
        self.tried.append(batch)
        self.before(batch)
        if self.bad.intersection(batch.payloads):
            raise MalformedTelemetry("can't parse")
        self.batches.append(batch)
        return {i: self.rejects[p] for i, p in enumerate(batch.payloads) if p in self.rejects}

    def probe(self, signal: Signal, payload: bytes) -> None:
        if payload in self.bad:
            raise MalformedTelemetry("can't parse this one")

    @property
    def stored(self) -> list[bytes]:
        return [payload for batch in self.batches for payload in batch.payloads]


class FakeServer:
    """A receiver on a loop of its own thread, over a fake store."""

    def __init__(self, loop: asyncio.AbstractEventLoop, receiver: Receiver, store: FakeStore) -> None:
        self.loop = loop
        self.receiver = receiver
        self.store = store
        self.http = receiver.http_port
        self.grpc = receiver.grpc_port

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self.receiver.close(), self.loop).result(30)


@contextmanager
def fake_server(
    store: FakeStore, ready: Callable[[], str | None] = lambda: None, **settings: Any
) -> Iterator[FakeServer]:
    """Serve a fake store on free ports until the block ends."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        server = asyncio.run_coroutine_threadsafe(_started(store, ready, settings), loop).result(30)
        fake = FakeServer(loop, server, store)
        try:
            yield fake
        finally:
            fake.close()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


async def _started(store: FakeStore, ready: Callable[[], str | None], settings: dict[str, Any]) -> Receiver:
    receiver = Receiver(store, ReceiveSettings(**{"http_port": 0, "grpc_port": 0, **settings}), ready)  # type: ignore[arg-type]
    await receiver.start()
    return receiver
