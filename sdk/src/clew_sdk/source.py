"""Where the sender takes rows from: claims them so that no other sender has them, then settles them."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from clew_sdk.delivery import Delivery
from clew_sdk.table import Connection, Row, dialect_of

CONNECT = Callable[[], Connection]


class Source(Protocol):
    """Rows to send. Used by one thread; any method may raise an error of the database driver."""

    def claim(self, limit: int) -> list[Row]:
        """Up to ``limit`` oldest rows that nobody else is sending; empty when there are none or another has them."""

    def settle(self, delivery: Delivery, now_ns: int) -> None:
        """Delete what was sent, set aside what was rejected, give up the claim on the rest."""

    def close(self) -> None:
        """Give up claims and connection; claim() may be called again later."""


def open_source(connect: CONNECT) -> Source:
    """The source that fits the connection's database. Raises TypeError when it is neither SQLite nor PostgreSQL."""
    connection = connect()
    if dialect_of(connection) == "sqlite":
        assert isinstance(connection, sqlite3.Connection)
        return SqliteSource(connection)
    return PostgresSource(connection)


class SqliteSource:
    """Rows of a SQLite file. One process sends at a time; the operating system frees the claim of one that dies."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        # A lost delete after loss of power sends a row twice, which readers fold: no flush to disk needed here.
        connection.execute("PRAGMA synchronous=NORMAL")
        self._lock = _FileLock(_path_of(connection))

    def claim(self, limit: int) -> list[Row]:
        """Up to ``limit`` oldest rows."""
        if not self._lock.held():
            return []
        found = self._connection.execute("SELECT id, request FROM clew_outbox ORDER BY id LIMIT ?", (limit,))
        return [Row(number, bytes(request)) for number, request in found]

    def settle(self, delivery: Delivery, now_ns: int) -> None:
        """Delete and set aside in one transaction."""
        gone = _gone(delivery)
        if not gone:
            return
        with self._connection:
            self._connection.executemany(
                "INSERT OR REPLACE INTO clew_rejected (id, request, reason, rejected_at_ns) VALUES (?, ?, ?, ?)",
                _rejections(delivery, now_ns),
            )
            self._connection.executemany("DELETE FROM clew_outbox WHERE id = ?", gone)
        if not self._connection.in_transaction:
            return
        self._connection.commit()

    def close(self) -> None:
        """Close the connection and free the claim."""
        self._connection.close()
        self._lock.free()


class PostgresSource:
    """Rows of a PostgreSQL table. Senders skip each other's rows; a claim lasts as long as its transaction."""

    def __init__(self, connection: Connection) -> None:
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
            gone = [number for (number,) in _gone(delivery)]
            if gone:
                cursor.execute("DELETE FROM clew_outbox WHERE id = ANY(%s)", (gone,))
        finally:
            cursor.close()
        self._connection.commit()

    def close(self) -> None:
        """Close the connection; the server ends the transaction."""
        self._connection.close()


def _gone(delivery: Delivery) -> list[tuple[int]]:
    return [(row.id,) for row in delivery.sent] + [(row.id,) for row, _ in delivery.rejected]


def _rejections(delivery: Delivery, now_ns: int) -> Sequence[tuple[Any, ...]]:
    return [(row.id, row.request, reason, now_ns) for row, reason in delivery.rejected]


def _path_of(connection: sqlite3.Connection) -> str:
    path = connection.execute("SELECT file FROM pragma_database_list WHERE name = 'main'").fetchone()[0]
    if not path:
        raise TypeError("an outbox in a memory database can't be sent from: nobody else sees its rows")
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
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def free(self) -> None:
        """Give the lock up."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
