"""The durable outbox of a service: a SQLite file of its own, written before stage() returns."""

from __future__ import annotations

import errno
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from clew_sdk.table import create_outbox, insert

_BUSY_S = 30.0


class OutboxFull(Exception):
    """The outbox has reached its size limit: the backend was away for longer than the limit allows."""


def open_private(path: str, synchronous: str = "FULL") -> sqlite3.Connection:
    """A connection in autocommit mode to an outbox file that only this user can read.

    With ``synchronous`` FULL a commit survives loss of power, with NORMAL only a crash of the process.
    """
    _make_private(Path(path))
    connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("SELECT 1 FROM sqlite_master LIMIT 1")  # no other program's file is touched: this would fail
        _keep_private(Path(path))
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(f"PRAGMA synchronous={synchronous}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _make_private(path: Path) -> None:
    # SQLite gives its -wal and -shm files the mode of the main file, so this covers all three. The file is never opened
    # when it exists: closing it would end the locks that SQLite has on it in this process, and lose rows.
    path.resolve().parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        if path.is_symlink():
            raise OSError(errno.ELOOP, "an outbox must not be a symbolic link", str(path)) from None


def _keep_private(path: Path) -> None:
    if path.stat().st_mode & 0o077:
        path.chmod(0o600)


@contextmanager
def immediate(connection: sqlite3.Connection) -> Iterator[None]:
    """A write transaction on an autocommit connection: all or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


class _Ticket:
    """The rows of one caller who waits for a commit."""

    __slots__ = ("done", "error", "requests")

    def __init__(self, requests: Sequence[bytes]) -> None:
        self.requests = requests
        self.done = False
        self.error: Exception | None = None


class Outbox:
    """Appends rows durably. Safe for threads, for several processes on one file, and across fork.

    Threads that arrive during a commit share the next one, so the disk's flush is paid once for all of them.
    """

    def __init__(self, path: str, limit_bytes: int) -> None:
        self.path = path
        self._limit = limit_bytes
        self._waiting: list[_Ticket] = []
        self._renew_locks()
        self._connection: sqlite3.Connection | None = self._open()

    def append(self, requests: Sequence[bytes]) -> None:
        """Write the rows; they survive loss of power when this returns.

        Raises OutboxFull at the size limit, and sqlite3.Error or OSError when the disk fails; then no row was written.
        """
        ticket = _Ticket(requests)
        with self._waiting_lock:
            self._waiting.append(ticket)
        with self._writing:
            if not ticket.done:
                self._commit_all()
        if ticket.error is not None:
            raise ticket.error

    def close(self) -> None:
        """Close the file; a later append opens it again."""
        with self._writing:
            self._disconnect()

    def before_fork(self) -> None:
        """Close the file until the fork is over: SQLite's locks don't survive a fork, and would fail to protect it."""
        self._writing.acquire()
        self._disconnect()

    def after_fork_in_parent(self) -> None:
        """Go on."""
        self._writing.release()

    def after_fork_in_child(self) -> None:
        """Start anew: who waits here waits in the parent."""
        self._waiting = []
        self._renew_locks()

    def _renew_locks(self) -> None:
        self._writing = threading.Lock()
        self._waiting_lock = threading.Lock()

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> sqlite3.Connection:
        connection = open_private(self.path)
        create_outbox(connection)
        page = connection.execute("PRAGMA page_size").fetchone()[0]
        # SQLite itself refuses to grow beyond this, at no cost per row.
        connection.execute(f"PRAGMA max_page_count={self._limit // page}")
        return connection

    def _commit_all(self) -> None:
        with self._waiting_lock:
            group, self._waiting = self._waiting, []
        # Until the commit is known to be done, nobody of the group may believe that it is.
        error: Exception | None = OSError(errno.EINTR, "the commit was interrupted", self.path)
        try:
            self._write([request for ticket in group for request in ticket.requests])
            error = None
        except (sqlite3.Error, OSError) as cause:
            error = self._explained(cause)
        finally:
            for ticket in group:
                ticket.done, ticket.error = True, error

    def _write(self, requests: Sequence[bytes]) -> None:
        if self._connection is None:
            self._connection = self._open()
        if len(requests) == 1:
            insert(self._connection, requests)
            return
        with immediate(self._connection):
            insert(self._connection, requests)

    def _explained(self, cause: Exception) -> Exception:
        if getattr(cause, "sqlite_errorcode", 0) != sqlite3.SQLITE_FULL:
            return cause
        return OutboxFull(
            f"the outbox {self.path} is full (limit {self._limit} bytes, or the disk): bring the backend back, "
            "free the disk, or raise outbox_limit"
        )
