"""A database for each service: an SQLite file, or a schema in a PostgreSQL; the same statements on both.

Every statement is a CLIENT span with the attributes of OpenTelemetry's conventions for databases.
"""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any, Protocol

import clew_sdk
import psycopg
from opentelemetry import trace
from psycopg import sql

AnyConnection = sqlite3.Connection | psycopg.Connection[Any]
tracer = trace.get_tracer("clew_demo")

LOCK_WAIT_S = 20.0
_TABLE = re.compile(r"(?:UPDATE|INTO|FROM|EXISTS) (\w+)")


class Session:
    """One transaction. ``connection`` is the driver's, for `clew_sdk.stage(connection=...)`."""

    def __init__(self, connection: AnyConnection, system: str) -> None:
        self.connection = connection
        self._system = system

    def run(self, statement: str, *values: object) -> list[dict[str, Any]]:
        """Execute a statement whose values are marked ``?`` and give the rows it answers, as dictionaries."""
        summary, attributes = _described(statement)
        attributes["db.system.name"] = self._system
        with tracer.start_as_current_span(summary, kind=trace.SpanKind.CLIENT, attributes=attributes):
            cursor = self.connection.cursor()
            cursor.execute(self._marked(statement), values)
            if cursor.description is None:
                return []
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def _marked(self, statement: str) -> str:
        return statement.replace("?", "%s") if self._system == "postgresql" else statement


def _described(statement: str) -> tuple[str, dict[str, str]]:
    """A span's name, like ``UPDATE orders``, and the attributes that tell of the statement; values aren't in it."""
    operation = statement.split(None, 1)[0]
    table = _TABLE.search(statement)
    attributes = {"db.operation.name": operation, "db.query.text": statement}
    if table is None:
        return operation, attributes
    return f"{operation} {table[1]}", {**attributes, "db.collection.name": table[1]}


class Database(Protocol):
    """What a service needs of its database; `Sqlite` and `Postgres` are the two that there are."""

    def connect(self) -> AnyConnection:
        """A new connection; the caller closes it."""

    def transaction(self) -> AbstractContextManager[Session]:
        """A `Session` that commits at its end and rolls back on an error."""


class Sqlite:
    """A file in WAL mode."""

    def __init__(self, folder: str, service: str) -> None:
        self._path = Path(folder) / f"{service}.sqlite"

    def connect(self) -> sqlite3.Connection:
        """A connection that waits for locks and knows the one PostgreSQL function that the demo uses."""
        connection = sqlite3.connect(self._path, timeout=LOCK_WAIT_S, check_same_thread=False)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.create_function("pg_sleep", 1, time.sleep)
        return connection

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Takes the file's write lock at once, so that a transaction never fails half-way for want of it."""
        with closing(self.connect()) as connection:
            session = Session(connection, "sqlite")
            session.run("BEGIN IMMEDIATE")
            with connection:
                yield session


class Postgres:
    """A schema of the service's own."""

    def __init__(self, url: str, service: str) -> None:
        self._url = url
        self._schema = service.replace("-", "_")
        with psycopg.connect(url) as connection:
            connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(self._schema)))

    def connect(self) -> psycopg.Connection[Any]:
        """A connection that sees this service's tables only."""
        return psycopg.connect(self._url, options=f"-c search_path={self._schema}")

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """One transaction on a connection of its own: a demo needs no pool."""
        with self.connect() as connection:  # psycopg commits or rolls back, then closes
            yield Session(connection, "postgresql")


def open_database(where: str, service: str, *tables: str) -> Database:
    """The database of a service, with its tables and clew-sdk's outbox table made where they are missing."""
    database: Database = Postgres(where, service) if where.startswith("postgres") else Sqlite(where, service)
    with database.transaction() as session:
        for statement in tables:
            session.run(statement)
        clew_sdk.create_outbox(session.connection)
    return database
