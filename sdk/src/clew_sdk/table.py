"""The outbox table, in a SQLite file of our own or in the caller's database.

    clew_outbox    one row per stage event, a complete OTLP request, until the backend has it
    clew_rejected  rows the backend will never take, with its reason, for a person to look at

Statements exist for SQLite and PostgreSQL; the INSERT works with any PEP 249 driver.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

Dialect = str

_SQLITE_DDL = (
    "CREATE TABLE IF NOT EXISTS clew_outbox (id INTEGER PRIMARY KEY AUTOINCREMENT, request BLOB NOT NULL)",
    "CREATE TABLE IF NOT EXISTS clew_rejected (id INTEGER PRIMARY KEY, request BLOB NOT NULL, "
    "reason TEXT NOT NULL, rejected_at_ns INTEGER NOT NULL)",
)
_POSTGRESQL_DDL = (
    "CREATE TABLE IF NOT EXISTS clew_outbox (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "
    "request BYTEA NOT NULL)",
    "CREATE TABLE IF NOT EXISTS clew_rejected (id BIGINT PRIMARY KEY, request BYTEA NOT NULL, "
    "reason TEXT NOT NULL, rejected_at_ns BIGINT NOT NULL)",
)
_DDL: Mapping[Dialect, tuple[str, ...]] = {"sqlite": _SQLITE_DDL, "postgresql": _POSTGRESQL_DDL}

_INSERT = {
    "qmark": "INSERT INTO clew_outbox (request) VALUES (?)",
    "format": "INSERT INTO clew_outbox (request) VALUES (%s)",
    "numeric": "INSERT INTO clew_outbox (request) VALUES (:1)",
    "named": "INSERT INTO clew_outbox (request) VALUES (:request)",
}
_SAME_AS = {"pyformat": "format"}


class Cursor(Protocol):
    """What we use of a PEP 249 cursor."""

    def execute(self, statement: str, parameters: Sequence[Any] = ..., /) -> object: ...  # noqa: D102
    def executemany(self, statement: str, parameters: Sequence[Sequence[Any]], /) -> object: ...  # noqa: D102
    def fetchall(self) -> Sequence[Any]: ...  # noqa: D102
    def close(self) -> None: ...  # noqa: D102


class Connection(Protocol):
    """What we use of a PEP 249 connection: ``sqlite3``, psycopg and most others fit."""

    def cursor(self) -> Any: ...  # noqa: D102, ANN401 - drivers' cursor types share no base
    def commit(self) -> None: ...  # noqa: D102
    def rollback(self) -> None: ...  # noqa: D102
    def close(self) -> None: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Row:
    """One stage event waiting to be sent; ``request`` is a complete OTLP request."""

    id: int
    request: bytes


def outbox_ddl(dialect: Dialect = "postgresql") -> str:
    """The statements that create the outbox tables, for a migration; ``dialect`` is ``sqlite`` or ``postgresql``.

    Raises ValueError for another dialect.
    """
    if dialect not in _DDL:
        raise ValueError(f"dialect {dialect!r} is not one of {', '.join(sorted(_DDL))}")
    return ";\n".join(_DDL[dialect]) + ";\n"


def create_outbox(connection: Connection) -> None:
    """Create the outbox tables where they don't exist, in the caller's transaction; the caller commits."""
    statements = _DDL[dialect_of(connection)]
    cursor = connection.cursor()
    try:
        for statement in statements:
            cursor.execute(statement)
    finally:
        cursor.close()


def insert(connection: Connection, requests: Sequence[bytes]) -> None:
    """Write the rows in the caller's transaction; errors of the driver pass through unchanged."""
    if isinstance(connection, sqlite3.Connection):
        for request in requests:
            connection.execute(_INSERT["qmark"], (request,))
        return
    style = paramstyle_of(connection)
    cursor = connection.cursor()
    try:
        for request in requests:
            cursor.execute(_INSERT[style], {"request": request} if style == "named" else (request,))
    finally:
        cursor.close()


def paramstyle_of(connection: Connection) -> str:
    """How the connection's driver marks parameters: ``qmark``, ``format``, ``numeric`` or ``named``.

    Raises TypeError when the object is no PEP 249 connection or its driver is asynchronous.
    """
    module = _driver_of(connection)
    style = str(getattr(module, "paramstyle", ""))
    style = _SAME_AS.get(style, style)
    if style not in _INSERT or "async" in type(connection).__name__.lower():
        raise TypeError(
            f"stage(connection=...) needs a PEP 249 connection (sqlite3, psycopg, ...), not {type(connection)!r}; "
            "from SQLAlchemy pass session.connection().connection.dbapi_connection"
        )
    return style


def dialect_of(connection: Connection) -> Dialect:
    """``sqlite`` or ``postgresql``. Raises TypeError for other databases."""
    if isinstance(connection, sqlite3.Connection):
        return "sqlite"
    if type(connection).__module__.partition(".")[0] in ("psycopg", "psycopg2", "pg8000"):
        return "postgresql"
    raise TypeError(f"the outbox knows sqlite3 and PostgreSQL connections, not {type(connection)!r}")


def _driver_of(connection: Connection) -> object | None:
    # PEP 249 puts paramstyle on the driver's module, and says nothing of how to get there from a connection.
    for base in type(connection).__mro__:
        module = sys.modules.get(base.__module__.partition(".")[0])
        if hasattr(module, "paramstyle"):
            return module
    return None
