"""An ASGI application on a real socket, in a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

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
