"""A query's result as a file that flows out of the embedded engine, whatever its size.

    bindings --query, one after the other--> rows --pipe--> file in the format --pipe--> pieces

Two statements run at once. The first writes rows in the engine's own format, once for each binding, so that a caller
can cut a large result into slices that fit in memory. The second makes one file of them, which also serves formats
that have a head or an end. Pipes hold both back until somebody reads: neither runs ahead.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from clickhouse_connect.driver.client import Client

from clew.model.errors import StoreUnavailable
from clew.store.contract import Format

MOST_STREAMS = 2
"""How many streams are open at a time: each holds two connections and up to a slice of rows in memory."""

PIECE_BYTES = 1 << 20
_FORMATS = {Format.CSV: "CSVWithNames", Format.JSON_LINES: "JSONEachRow", Format.PARQUET: "Parquet"}
_ROWS_INTO = "INSERT INTO FUNCTION file({rows_pipe:String}, 'Native')"
_FILE_INTO = (
    "INSERT INTO FUNCTION file({file_pipe:String}, {format:String}) "
    "SELECT * FROM file({rows_pipe:String}, 'Native', {structure:String}) "
    # A pipe can't be read from a place, and a row group is what Parquet holds in memory.
    "SETTINGS storage_file_read_method = 'read', max_threads = 1, output_format_parquet_row_group_size = 50000, "
    "output_format_json_quote_64bit_integers = 0, output_format_json_escape_forward_slashes = 0, "
    "format_csv_null_representation = ''"
)


class Streams:
    """The streams of one engine. ``connect`` opens a connection; ``errors`` turns the engine's errors into Clew's."""

    def __init__(
        self, connect: Callable[[], Client], errors: Callable[[], contextlib.AbstractContextManager[None]]
    ) -> None:
        self._connect = connect
        self._errors = errors
        self._slots = threading.Semaphore(MOST_STREAMS)
        self._lock = threading.Lock()
        self._idle: list[tuple[Client, Client]] = []
        self._running: set[_Stream] = set()
        self._closed = False

    def open(self, sql: str, binds: Sequence[Mapping[str, Any]], format_: Format) -> Iterator[bytes]:
        """The pieces of the file; see the contract."""
        if not self._slots.acquire(blocking=False):
            raise StoreUnavailable(f"{MOST_STREAMS} exports run already; try again when one of them has ended")
        try:
            with self._errors():
                clients = self._clients()
            try:
                yield from self._pieces(_Stream(clients, self._errors, sql, binds, format_))
            finally:
                self._give_back(clients)
        finally:
            self._slots.release()

    def _clients(self) -> tuple[Client, Client]:
        with self._lock:
            if self._closed:
                raise StoreUnavailable("the store is closing")
            if self._idle:
                return self._idle.pop()
        return self._connect(), self._connect()

    def _give_back(self, clients: tuple[Client, Client]) -> None:
        with self._lock:
            if not self._closed:
                self._idle.append(clients)
                return
        _close(clients)

    def _pieces(self, stream: _Stream) -> Iterator[bytes]:
        with self._lock:
            if self._closed:
                raise StoreUnavailable("the store is closing")
            stream.start()
            self._running.add(stream)
        try:
            yield from stream.pieces()
        finally:
            with self._lock:
                self._running.discard(stream)
            stream.end()

    def close(self) -> None:
        """End every stream, also one that nobody reads, and close the connections that rest."""
        with self._lock:
            self._closed = True
            running, idle = [*self._running], self._idle
            self._idle = []
            rests = [stream.interrupt() for stream in running]
        for stream, rest in zip(running, rests, strict=True):
            stream.join(rest)
        for clients in idle:
            _close(clients)


def _close(clients: tuple[Client, Client]) -> None:
    for client in clients:
        client.close()


class _Stream:
    """One stream: two statements on threads of their own, and the two pipes behind them."""

    def __init__(
        self,
        clients: tuple[Client, Client],
        errors: Callable[[], contextlib.AbstractContextManager[None]],
        sql: str,
        binds: Sequence[Mapping[str, Any]],
        format_: Format,
    ) -> None:
        self._rows_client, self._file_client = clients
        self._errors = errors
        self._sql = sql
        self._binds = binds
        self._format = format_
        self._stop = threading.Event()
        self._failed: list[Exception] = []
        with errors():
            self._structure = self._structure_of()

    def _structure_of(self) -> str:
        columns = self._rows_client.query(f"DESCRIBE TABLE ({self._sql})", parameters=dict(self._binds[0]))
        return ", ".join(f"`{row['name']}` {row['type']}" for row in columns.named_results())

    def start(self) -> None:
        """Run both statements from now on; `end` must follow."""
        self._rows_out, self._rows_in = _pipe()
        self._file_out, self._file_in = _pipe()
        self._threads = [
            threading.Thread(target=self._write_rows, name="clew-stream-rows", daemon=True),
            threading.Thread(target=self._write_file, name="clew-stream-file", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def pieces(self) -> Iterator[bytes]:
        """What the file holds. Raises StoreError, StoreUnavailable after pieces that are no whole file then."""
        while piece := os.read(self._file_out, PIECE_BYTES):
            yield piece
        for thread in self._threads:
            thread.join()
        if self._failed:
            raise self._failed[0]

    def end(self) -> None:
        """Stop both statements, if they run still: what a slice has left is read and thrown away."""
        self._stop.set()
        _drain(self._file_out)
        for thread in self._threads:
            thread.join()
        os.close(self._file_out)

    def interrupt(self) -> int:
        """Let it fail soon; gives a way to read what nobody else may read, for `join`."""
        self._stop.set()
        return os.dup(self._file_out)

    def join(self, rest: int) -> None:
        """Wait until both statements have ended."""
        _drain(rest)
        for thread in self._threads:
            thread.join()
        os.close(rest)

    def _write_rows(self) -> None:
        statement = f"{_ROWS_INTO} {self._sql}"
        try:
            for bind in self._binds:
                if self._stop.is_set():
                    raise StoreUnavailable("the store is closing")
                with self._errors():
                    self._rows_client.command(statement, parameters={**bind, "rows_pipe": _path(self._rows_in)})
        except Exception as error:  # whatever it is, the reader must know that the file is not whole
            self._failed.append(error)
        finally:
            os.close(self._rows_in)

    def _write_file(self) -> None:
        bind = {
            "file_pipe": _path(self._file_in), "rows_pipe": _path(self._rows_out), "format": _FORMATS[self._format],
            "structure": self._structure,
        }  # fmt: skip
        try:
            with self._errors():
                self._file_client.command(_FILE_INTO, parameters=bind)
        except Exception as error:  # as above
            self._failed.append(error)
        finally:
            self._stop.set()
            _drain(self._rows_out)
            os.close(self._rows_out)
            os.close(self._file_in)


def _pipe() -> tuple[int, int]:
    ends = os.pipe()
    with contextlib.suppress(OSError):  # beyond what this user may have the usual size will do
        fcntl.fcntl(ends[1], fcntl.F_SETPIPE_SZ, PIECE_BYTES)
    return ends


def _path(descriptor: int) -> str:
    return f"/proc/self/fd/{descriptor}"


def _drain(descriptor: int) -> None:
    while os.read(descriptor, PIECE_BYTES):
        pass
