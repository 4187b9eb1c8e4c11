"""One vendor on a port: it notes and says what it was told, and is at times busy, broken, slow or gone."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Protocol

SLOW_S = 1.5
BUSY, BROKEN, SLOW, GONE = "busy: 429", "broken: 500", "slow", "gone: the connection broke"
# By the number of the request. A second later each of them is over.
BAD_MOMENTS = {1: BUSY, 4: BROKEN, 6: SLOW, 9: GONE}


@dataclass(frozen=True, slots=True)
class Told:
    """Something a vendor took, or refused. ``key`` is the vendor's own name of the incident, ``words`` are for people.

    ``act`` is opened, updated, replied, acknowledged, resolved or refused.
    """

    act: str
    key: str
    words: str


@dataclass(frozen=True, slots=True)
class Answer:
    """The status and body of an answer, and what was told, if anything was."""

    status: int
    body: Mapping[str, Any]
    told: Told | None = None


class Vendor(Protocol):
    """Judges requests by the rules of a vendor, one at a time."""

    def answer(self, path: str, headers: Mapping[str, str], body: Any) -> Answer:  # noqa: ANN401 - whatever JSON came
        """What the vendor says to a POST; header names are in small letters."""
        ...


class Server(ThreadingHTTPServer):
    """A vendor on a port of loopback; everything told is a line of JSON in ``book``."""

    daemon_threads = True

    def __init__(self, port: int, vendor: Vendor, book: Path) -> None:
        """Listens, and answers once `serve_forever` runs."""
        super().__init__(("127.0.0.1", port), _Handler)
        self._vendor, self._book = vendor, book
        self._turn = threading.Lock()
        self._requests = 0

    def mood(self) -> str:
        """How the vendor feels about the next request; empty: well."""
        with self._turn:
            self._requests += 1
            return BAD_MOMENTS.get(self._requests, "")

    def take(self, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Let the vendor judge, and note what it took."""
        with self._turn:
            try:
                answer = self._vendor.answer(path, headers, json.loads(body))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                answer = Answer(400, {"error": repr(error)}, Told("refused", "", f"{path}: {error!r}"))
            if answer.told is not None:
                with self._book.open("a", encoding="utf-8") as book:
                    book.write(json.dumps(asdict(answer.told)) + "\n")
                print(f"{answer.told.act}: {answer.told.words}", flush=True)
            return answer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        mood = self.server.mood()
        if mood:
            print(f"({mood})", flush=True)
        if mood == GONE:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        elif mood == BUSY:
            self._say(429, {"error": "slow down"}, {"retry-after": "1"})
        elif mood == BROKEN:
            self._say(500, {"error": "oops"})
        else:
            time.sleep(SLOW_S if mood == SLOW else 0.0)
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = self.server.take(self.path, headers, body)
            self._say(answer.status, answer.body)

    def _say(self, status: int, said: Mapping[str, Any], more: Mapping[str, str] | None = None) -> None:
        body = json.dumps(said).encode()
        self.send_response(status)
        for name, value in {
            "content-type": "application/json",
            "content-length": str(len(body)),
            **(more or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: ANN401 - as the base class names them
        """Nothing: what was told is on the screen."""


def read_book(book: Path) -> list[Told]:
    """Everything that a vendor was told so far."""
    if not book.exists():
        return []
    return [Told(**json.loads(line)) for line in book.read_text(encoding="utf-8").splitlines()]
