"""An HTTP server that lives on the running loop, with bounds on connections and on a request's head."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Iterator
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

log = logging.getLogger(__name__)

HEADER_BYTES = 64 << 10


class HttpServer:
    """A uvicorn server that lives on the running loop and leaves signals to its owner."""

    def __init__(self, app: Any, listener: socket.socket, connections: int = 512) -> None:  # noqa: ANN401 - any ASGI app
        self.port = int(listener.getsockname()[1])
        config = uvicorn.Config(
            app,
            http=_bounded_protocol(connections),
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            date_header=False,
            timeout_keep_alive=75,
        )
        self._server = _Server(config)
        self._listener = listener
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Serve from now on."""
        self._task = asyncio.create_task(self._server.serve(sockets=[self._listener]), name="clew-http")
        await self._server.up.wait()

    async def stop(self, grace_s: float) -> None:
        """Finish running requests, at most for that long, and close the port; idempotent."""
        self._server.config.timeout_graceful_shutdown = max(1, round(grace_s))
        self._server.should_exit = True
        if self._task is not None:
            await self._task


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _bounded_protocol(connections: int) -> type[HttpToolsProtocol]:
    """uvicorn's protocol with a limit on connections and on the size of a request's head."""

    class Bounded(HttpToolsProtocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            if len(self.connections) > connections:
                log.warning("more than %d HTTP connections: closed one", connections)
                transport.abort()

        def on_message_begin(self) -> None:
            super().on_message_begin()
            self.head_bytes = 0

        def on_url(self, url: bytes) -> None:
            super().on_url(url)
            self._count(len(url))

        def on_header(self, name: bytes, value: bytes) -> None:
            super().on_header(name, value)
            self._count(len(name) + len(value) + 4)

        def _count(self, size: int) -> None:
            self.head_bytes += size
            if self.head_bytes > HEADER_BYTES:
                raise ValueError("the request's head is too large")

    return Bounded
