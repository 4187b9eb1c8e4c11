"""An ASGI application on a real socket, in a thread of its own; and `clew serve` as a process."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from clew.receive.http_server import HttpServer


@contextlib.contextmanager
def serving(app: Any) -> Iterator[str]:
    """The application's URL on a free port, while the block runs."""
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    up, stop, loop = threading.Event(), asyncio.Event(), asyncio.new_event_loop()

    async def serve() -> None:
        server = HttpServer(app, listener)
        await server.start()
        up.set()
        await stop.wait()
        await server.stop(1.0)
        # Here and not by who stops: a browser's loop may run in that thread.
        await loop.shutdown_default_executor()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        assert up.wait(30)
        yield url
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(30)
        loop.close()


@contextlib.contextmanager
def clew_serve(data: Path) -> Iterator[str]:
    """The address of a real server over a data directory, while the block runs."""
    listen, http, grpc = (f"127.0.0.1:{_free_port()}" for _ in range(3))
    program = str(Path(sys.executable).with_name("clew"))
    command = [program, "serve", "--data", str(data), "--listen", listen, "--otlp-http", http, "--otlp-grpc", grpc]
    server = subprocess.Popen(command)
    try:
        _wait_until_ready(f"http://{listen}/readyz", server)
        yield f"http://{listen}"
    finally:
        server.terminate()
        server.wait(30)


def _wait_until_ready(address: str, server: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 60
    while server.poll() is None and time.monotonic() < until:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(address).is_success:
                return
        time.sleep(0.1)
    raise AssertionError("clew serve is not ready")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
