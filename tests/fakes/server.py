"""A small HTTP server that records, judges, and fails on demand."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Request:
    """What came in; header names are in small letters."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """What goes back. ``slow_s`` waits before it, ``gone`` breaks the connection instead."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    slow_s: float = 0.0
    gone: bool = False


def reply(status: int, said: Any, **headers: str) -> Reply:
    """JSON as an answer."""
    return Reply(status, json.dumps(said).encode(), {"content-type": "application/json", **headers})


BUSY = Reply(429, b"slow down", {"retry-after": "7"})
BROKEN = Reply(500, b"oops")
GONE = Reply(gone=True)


class FakeServer:
    """Answers by `answer`, after the replies in ``faults`` were used up. ``wrong`` lists broken rules of the vendor."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.faults: list[Reply] = []
        self.always: Reply | None = None
        self.wrong: list[str] = []
        self.closing = threading.Event()
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), name=type(self).__name__)

    def answer(self, request: Request) -> Reply:
        """What a healthy vendor says."""
        raise NotImplementedError

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def encrypt(self, context: ssl.SSLContext) -> None:
        """Speak TLS with whoever connects from now on."""
        self._server.tls = context

    def stop(self) -> None:
        """Stop, also slow answers, and close the port."""
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def handle(self, request: Request) -> Reply:
        """A fault that was asked for, else the vendor's answer."""
        self.requests.append(request)
        if self.always is not None:
            return self.always
        return self.faults.pop(0) if self.faults else self.answer(request)


@contextlib.contextmanager
def running(make: Callable[[], Any]) -> Iterator[Any]:
    """A fake for as long as the block runs."""
    fake = make()
    fake.start()
    try:
        yield fake
    finally:
        fake.stop()


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True

    def __init__(self, fake: FakeServer) -> None:
        self.fake = fake
        self.tls: ssl.SSLContext | None = None
        super().__init__(("127.0.0.1", 0), _Handler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """In the request's own thread, so that a handshake holds up no other."""
        if self.tls is None:
            super().finish_request(request, client_address)
            return
        with self.tls.wrap_socket(request, server_side=True) as encrypted:
            super().finish_request(encrypted, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is nothing to tell."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        headers = {name.lower(): value for name, value in self.headers.items()}
        said = self.server.fake.handle(Request(self.command, self.path, headers, body))
        if said.slow_s:
            self.server.fake.closing.wait(said.slow_s)
        if said.gone:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.send_response(said.status)
        for name, value in said.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(said.body)))
        self.end_headers()
        self.wfile.write(said.body)

    do_GET = do_PUT = do_PATCH = do_POST

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: requests are kept."""
