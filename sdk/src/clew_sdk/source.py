"""Where the sender takes rows from: claims them so that no other sender has them, then settles them."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from clew_sdk.delivery import Delivery
from clew_sdk.outbox import immediate
from clew_sdk.table import Connection, Row, dialect_of

Connect = Callable[[], Connection]


class Source(Protocol):
    """Rows to send. Used by one thread; claim and settle may raise any error of the database driver."""

    def claim(self, limit: int) -> list[Row]:
        """Up to ``limit`` oldest rows that nobody else is sending; empty when there are none or another has them."""

    def settle(self, delivery: Delivery, now_ns: int) -> None:
        """Delete what was sent, set aside what was rejected, give up the claim on the rest."""

    def close(self) -> None:
        """Give up claims and connection."""


def open_source(connect: Connect) -> Source:
    """The source that fits the database behind ``connect``; TypeError when it is neither SQLite nor PostgreSQL."""
    connection = connect()
    if dialect_of(connection) == "postgresql":
        return PostgresSource(connection)
    with _no_fork:
        path = _path_of(connection)
        connection.close()
    return SqliteSource(path, connect)


class SqliteSource:
    """Rows of a SQLite file. One process sends at a time; the operating system frees the claim of one that dies.

    The file is open only while it is read or written, and no fork happens in between: SQLite's locks don't survive one.
    """

    def __init__(self, path: str, connect: Connect) -> None:
        self._connect = connect
        self._lock = _FileLock(path)

    def claim(self, limit: int) -> list[Row]:
        """Up to ``limit`` oldest rows."""
        if not self._lock.held():
            return []
        with self._opened() as connection:
            found = connection.execute("SELECT id, request FROM clew_outbox ORDER BY id LIMIT ?", (limit,))
            return [Row(number, bytes(request)) for number, request in found]

    def settle(self, delivery: Delivery, now_ns: int) -> None:
        """Delete and set aside in one transaction."""
        gone = _gone(delivery)
        if not gone:
            return
        with self._opened() as connection, immediate(connection):
            connection.executemany(
                "INSERT OR REPLACE INTO clew_rejected (id, request, reason, rejected_at_ns) VALUES (?, ?, ?, ?)",
                _rejections(delivery, now_ns),
            )
            connection.executemany("DELETE FROM clew_outbox WHERE id = ?", [(number,) for number in gone])

    def close(self) -> None:
        """Free the claim."""
        self._lock.free()

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        with _no_fork:
            connection = self._connect()
            assert isinstance(connection, sqlite3.Connection)
            try:
                _autocommit(connection)
                # A delete lost with the power sends a row twice, which readers fold: no flush to disk needed here.
                connection.execute("PRAGMA synchronous=NORMAL")
                yield connection
            finally:
                connection.close()


class PostgresSource:
    """Rows of a PostgreSQL table. Senders skip each other's rows; a claim lasts as long as its transaction."""

    def __init__(self, connection: Any) -> None:  # noqa: ANN401 - a driver's connection, with its autocommit switch
        connection.autocommit = False
        self._connection = connection

    def claim(self, limit: int) -> list[Row]:
        """Up to ``limit`` oldest rows that no other transaction has claimed."""
        cursor = self._connection.cursor()
        try:
            cursor.execute("SELECT id, request FROM clew_outbox ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED", (limit,))
            rows = [Row(number, bytes(request)) for number, request in cursor.fetchall()]
        finally:
            cursor.close()
        if not rows:
            self._connection.rollback()
        return rows

    def settle(self, delivery: Delivery, now_ns: int) -> None:
        """Delete and set aside, then commit, which ends the claim."""
        cursor = self._connection.cursor()
        try:
            rejections = _rejections(delivery, now_ns)
            if rejections:
                cursor.executemany(
                    "INSERT INTO clew_rejected (id, request, reason, rejected_at_ns) VALUES (%s, %s, %s, %s)",
                    rejections,
                )
            cursor.execute("DELETE FROM clew_outbox WHERE id = ANY(%s)", (_gone(delivery),))
        finally:
            cursor.close()
        self._connection.commit()

    def close(self) -> None:
        """Close the connection; the server ends the transaction."""
        self._connection.close()


def _gone(delivery: Delivery) -> list[int]:
    return [row.id for row in delivery.sent] + [row.id for row, _ in delivery.rejected]


def _rejections(delivery: Delivery, now_ns: int) -> Sequence[tuple[Any, ...]]:
    return [(row.id, row.request, reason, now_ns) for row, reason in delivery.rejected]


def _autocommit(connection: sqlite3.Connection) -> None:
    connection.isolation_level = None
    if sys.version_info >= (3, 12):
        connection.autocommit = True


def _path_of(connection: Connection) -> str:
    cursor = connection.cursor()
    cursor.execute("SELECT file FROM pragma_database_list WHERE name = 'main'")
    path = cursor.fetchone()[0]
    cursor.close()
    if not path:
        raise TypeError("an outbox in a memory database can't be relayed: no other connection sees its rows")
    return str(path)


class _FileLock:
    """An exclusive lock beside a file. The operating system frees it when the process ends, however it ends."""

    def __init__(self, path: str) -> None:
        self._path = f"{path}.sender"
        self._descriptor: int | None = None

    def held(self) -> bool:
        """Whether this process has the lock, taking it if it is free."""
        if self._descriptor is not None:
            return True
        with _no_fork:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            _descriptors.add(descriptor)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def free(self) -> None:
        """Give the lock up."""
        if self._descriptor is not None:
            _close(self._descriptor)
            self._descriptor = None


def _close(descriptor: int) -> None:
    _descriptors.discard(descriptor)
    os.close(descriptor)


def _after_fork_in_child() -> None:
    # A lock lives as long as any copy of its descriptor: the child's would hold it after the parent's death.
    for descriptor in tuple(_descriptors):
        _close(descriptor)
    _no_fork.release()


_descriptors: set[int] = set()
_no_fork = threading.Lock()
os.register_at_fork(before=_no_fork.acquire, after_in_parent=_no_fork.release, after_in_child=_after_fork_in_child)
