"""Rows of a SQL query, streamed, from any database that SQLAlchemy has a driver for.

Both readings see the database at one moment where it can do that (PostgreSQL, SQLite), and nothing is written to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, make_url, text
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from clew.history.rows import BATCH_ROWS, BaseSource, Batch, HistoryError

_OPEN = frozenset(
    (
        "application_name",
        "charset",
        "connect_timeout",
        "driver",
        "host",
        "mode",
        "options",
        "port",
        "sslmode",
        "timeout",
    )
)
"""Options of a URL that hold no secret, so that a driver's words about them may be shown."""
_BACKGROUND = re.compile(r"\(Background on this error at: \S+\)")
_DRIVERS = {"postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}


@dataclass(slots=True)
class SqlSource(BaseSource):
    """What a query gives; its progress counts rows, of a number that nobody knows before."""

    connection: Connection | None = None
    query: str = ""
    bound: Mapping[str, str] = field(default_factory=dict)

    def batches(self) -> Iterator[Batch]:
        """The rows in the query's order. Raises HistoryError when the database refuses."""
        assert self.connection is not None
        self.progress.done = 0
        try:
            streamed = self.connection.execution_options(stream_results=True, max_row_buffer=BATCH_ROWS)
            with streamed.execute(text(self.query), dict(self.bound)) as result:
                yield from self._parts(result)
        except SQLAlchemyError as error:
            told = without_secrets(told_by(error), self.connection.engine.url)
            raise HistoryError(f"the database refuses the query: {told}", "mend --query or --bind") from None

    def _parts(self, result: Any) -> Iterator[Batch]:  # noqa: ANN401 - a CursorResult of any columns
        if not result.returns_rows:
            raise HistoryError("the query gives no rows", "write a SELECT", of_call=True)
        names = list(result.keys())
        if len(set(names)) < len(names):
            raise HistoryError(
                f"the query names a column twice: {', '.join(names)}", "give names with AS", of_call=True
            )
        for part in result.partitions(BATCH_ROWS):
            first = self.progress.done + 1
            self.progress.done += len(part)
            yield Batch(range(first, first + len(part)), dict(zip(names, zip(*part, strict=True), strict=True)))

    def close(self) -> None:
        """The connection ends, and with it the moment that it saw."""
        if self.connection is not None:
            engine = self.connection.engine
            self.connection.close()
            engine.dispose()


def open_sql(url: str, query: str, bound: Mapping[str, str]) -> SqlSource:
    """The rows of a query at one moment. Raises HistoryError when the database can't be reached."""
    engine = _engine(url)
    try:
        return SqlSource("sql", unit="row", connection=_reading(engine), query=query, bound=bound)
    except (SQLAlchemyError, TypeError, ValueError) as error:  # drivers meet an option that they don't know with any
        told = without_secrets(told_by(error), engine.url)
        engine.dispose()
        raise HistoryError(f"{shown(engine.url)} can't be opened: {told}", "check --sql") from None


def _engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
        parsed = parsed.set(drivername=_DRIVERS.get(parsed.drivername, parsed.drivername))
        _check_file(parsed)
        return create_engine(parsed)
    except (ArgumentError, NoSuchModuleError, ValueError) as error:
        mend = "write postgresql://user@host/database or sqlite:///file.db"
        # The text itself may hold a password, so it isn't repeated.
        unknown = isinstance(error, NoSuchModuleError)
        why = ": no such kind of database is known" if unknown else "" if "://" in url else ": it has no ://"
        raise HistoryError(f"--sql is no URL of a database{why}", mend, of_call=True) from None
    except ModuleNotFoundError as error:
        raise HistoryError(f"there is no driver for this database: {error}", "install it beside clew") from error


def _check_file(url: URL) -> None:
    # SQLite makes a file that isn't there.
    if url.get_backend_name() == "sqlite" and not (url.database and Path(url.database).is_file()):
        raise HistoryError(f"--sql: there is no file {url.database}", "check the path", of_call=True)


def _reading(engine: Engine) -> Connection:
    """A connection that only reads, and sees one moment."""
    connection = engine.connect()
    if engine.dialect.name == "postgresql":
        return connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    if engine.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA query_only = ON")
        connection.exec_driver_sql("BEGIN")
    return connection


def shown(url: URL) -> str:
    """What may be told of a database's URL: backend, host, port and database; a password may hide in all else."""
    host = _host(url)[1]
    place = f" at {host}{f':{url.port}' if url.port else ''}" if host else ""
    return f"{url.get_backend_name()}{place}{f', database {url.database}' if url.database else ''}"


def _host(url: URL) -> tuple[str, str]:
    """What a host was taken for that a password with an @ went before, and the host."""
    before, _, host = (url.host or "").rpartition("@")
    return before, host


def without_secrets(told: str, url: URL) -> str:
    """A driver's words without what the URL says beside backend, host, port, user and database."""
    said = [str(url.password or ""), _host(url)[0]]
    for name, value in url.query.items():
        if name.lower() not in _OPEN:
            said += [value] if isinstance(value, str) else value
    # One option may hold several: "Driver=x;PWD=secret", "user=ann password=secret".
    said += [
        part.partition("=")[2].strip("{}'\" ") for each in said for part in re.split(r"[;&\s]", each) if "=" in part
    ]
    secrets = sorted({form for each in said if each for form in (each, quote(each, safe=""))}, key=len, reverse=True)
    return re.sub("|".join(map(re.escape, secrets)), "***", told) if secrets else told


def told_by(error: Exception) -> str:
    """What the database said, in one line, without SQLAlchemy's link to its own pages."""
    told = _BACKGROUND.sub("", str(getattr(error, "orig", None) or error))
    return " ".join(told.split())[:300]
