"""Clew as ``clew serve`` runs it, plus a back door: a socket over which the benchmark asks SQL.

Run as ``python -m bench.serve DATA HTTP_PORT GRPC_PORT API_PORT``; the back door is ``DATA/bench.sock``. Every write to
``orders`` is noted with its moment, so that the delay from an event to its journey is known for each one.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from multiprocessing.connection import Connection, Listener
from pathlib import Path
from typing import Any

import uvloop

from clew import app
from clew.settings import load_settings
from clew.store.contract import Batch, Format, Rejected, Signal, Store

DOOR = "bench.sock"


class WatchedStore:
    """A store that notes when which version of an order was written; all else is the inner store's."""

    def __init__(self, inner: Store) -> None:
        self._inner = inner
        self.writes: list[dict[str, Any]] = []

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        self._inner.insert(table, columns, rows)
        if table == "orders":
            at = {name: place for place, name in enumerate(columns)}
            now_ns = time.time_ns()
            self.writes += [
                {"order_id": row[at["order_id"]], "version": row[at["version"]], "at_ns": now_ns} for row in rows
            ]

    def rows(self, sql: str, bind: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        return self._inner.rows(sql, bind)

    def columns(self, sql: str, bind: Mapping[str, Any] | None = None) -> dict[str, Sequence[Any]]:
        return self._inner.columns(sql, bind)

    def command(self, sql: str, bind: Mapping[str, Any] | None = None) -> None:
        self._inner.command(sql, bind)

    def ingest(self, batch: Batch) -> Mapping[int, Rejected]:
        return self._inner.ingest(batch)

    def probe(self, signal: Signal, payload: bytes) -> None:
        self._inner.probe(signal, payload)

    def import_events(self, lines: bytes, flow: str, received_ns: int, token: str) -> None:
        self._inner.import_events(lines, flow, received_ns, token)

    def stream(self, sql: str, binds: Sequence[Mapping[str, Any]], format_: Format) -> Iterator[bytes]:
        return self._inner.stream(sql, binds, format_)

    def use_rules(self, rules: str) -> None:
        self._inner.use_rules(rules)

    def close(self) -> None:
        self._inner.close()


def answer_questions(listener: Listener, store: WatchedStore) -> None:
    """Answer (what, sql, bind) with rows or with the error's text, one asker after the other."""
    while True:
        with contextlib.suppress(EOFError, OSError), listener.accept() as asker:
            while True:
                asker.send(_answer(store, asker))


def _answer(store: WatchedStore, asker: Connection[Any, Any]) -> list[dict[str, Any]] | str:
    what, sql, bind = asker.recv()
    try:
        match what:
            case "writes":
                return list(store.writes)
            case "threads":
                return list(_threads())
            case "command":
                store.command(sql, bind)
                return []
            case _:
                return store.rows(sql, bind)
    except Exception as error:
        return str(error)


def _threads() -> Iterator[dict[str, Any]]:
    """The CPU seconds of Python's threads by name, as the kernel counts them."""
    for thread in threading.enumerate():
        with contextlib.suppress(OSError):
            spent = Path(f"/proc/self/task/{thread.native_id}/schedstat").read_text().split()
            yield {"name": thread.name, "cpu_s": int(spent[0]) / 1e9}


def main(data: Path, http: str, grpc: str, api: str) -> None:
    """Serve until SIGTERM; what else may be set comes from the environment, as for ``clew serve``."""
    listen = {"data": str(data), "otlp.http": http, "otlp.grpc": grpc, "api.listen": api, "log.level": "warning"}
    settings = load_settings(None, os.environ, listen)
    store = WatchedStore(app.open_store_of(settings))
    door = data / DOOR
    door.unlink(missing_ok=True)
    listener = Listener(str(door), "AF_UNIX")
    threading.Thread(target=answer_questions, args=(listener, store), daemon=True).start()
    try:
        uvloop.run(app.serve(settings, store, print))
    finally:
        closing = threading.Thread(target=store.close)
        closing.start()
        closing.join()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:5])
