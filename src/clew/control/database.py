"""The control database: SQLite in the data directory, or PostgreSQL; made and upgraded when it is opened.

What was answered is on disk: SQLite syncs each commit (WAL, synchronous=FULL), PostgreSQL does by default.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
from sqlalchemy import Connection, Engine, Table, create_engine, event, inspect, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

from clew.model.errors import ControlAway, ControlError

log = logging.getLogger(__name__)

FILE = "control.sqlite"
"""Its name in the data directory."""

BUSY_S = 10.0
"""How long a writer waits for another one before it gives up."""

REVISION = "0003"
"""The newest of the migrations: what the tables of this Clew are."""

_WRITES = "clew_writes"
_TRIES_AGAIN_AFTER_S = 2.0

Insert = sqlite.Insert | postgresql.Insert
"""Either of them has `on_conflict_do_update` and `on_conflict_do_nothing`."""


class Database:
    """A control database. Any thread may use it; each call takes a connection of its own.

    Its tables are made or upgraded before it is used first: `prepare` says whether that works, and a server that is
    away at the start is used as soon as it is there.
    """

    def __init__(self, engine: Engine, name: str) -> None:
        self._engine = engine
        self.name = name
        self._prepared = self._preparing = False
        self._turn = threading.RLock()  # preparing reads and writes itself
        self._failed: tuple[float, ControlError] | None = None

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self._engine.dialect.name

    def prepare(self) -> None:
        """Make or upgrade the tables, once. Raises ControlError, ControlAway when trying again may help."""
        if self._prepared:
            return
        failed = self._failed
        # Who comes while another one tries again must not wait for the network as well.
        if not self._turn.acquire(blocking=failed is None) and failed is not None:
            raise type(failed[1])(str(failed[1]))
        try:
            self._prepare_in_turn()
        finally:
            self._turn.release()

    def _prepare_in_turn(self) -> None:
        if self._prepared or self._preparing:
            return
        if self._failed and time.monotonic() - self._failed[0] < _TRIES_AGAIN_AFTER_S:
            raise type(self._failed[1])(str(self._failed[1]))
        self._preparing = True
        try:
            _upgrade(self)
            self._prepared = True
        except ControlError as error:
            self._failed = (time.monotonic(), error)
            raise
        finally:
            self._preparing = False

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that only reads; what it reads belongs together. Raises ControlError."""
        self.prepare()
        with self._told(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that is kept when the block ends, and taken back when it raises. Raises ControlError.

        On SQLite there is one writer at a time; others wait for it.
        """
        self.prepare()
        with self._told(), self._engine.connect().execution_options(**{_WRITES: True}) as connection:
            yield connection
            connection.commit()

    def insert(self, table: Table) -> Insert:
        """An INSERT that can say what happens on a conflict."""
        return sqlite.insert(table) if self.dialect == "sqlite" else postgresql.insert(table)

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            away = isinstance(error, OperationalError) and self.dialect == "postgresql"
            kind = ControlAway if away else ControlError
            raise kind(f"{self.name} failed: {_cause(error)}") from error


def open_database(data: Path, url: str = "", *, patient: bool = False) -> Database:
    """The control database at ``url`` (``postgresql://…``), without one ``control.sqlite`` in the data directory.

    It is made or upgraded first; of several processes that start at once, one does it and the others wait. Raises
    ControlError when it can't be reached, or when a newer Clew upgraded it. A URL is never shown. ``patient``: a server
    that can't be reached now may come later; until then whoever asks it is told so.
    """
    database = _postgres(url) if url else _sqlite(data / FILE)
    try:
        database.prepare()
    except ControlAway as error:
        if not patient:
            database.close()
            raise
        log.warning("%s; trying again", error)
    except BaseException:
        database.close()
        raise
    return database


def _upgrade(database: Database) -> None:
    """Change the tables where they are of another Clew. Alembic is loaded only then: it takes 11 MB."""
    with database.reading() as connection:
        made = inspect(connection).has_table("alembic_version")
        revision = connection.scalar(text("SELECT version_num FROM alembic_version")) if made else None
    if revision != REVISION:
        # What Alembic says of each of its steps is of no use to who starts Clew.
        logging.getLogger("alembic").setLevel(logging.WARNING)
        from clew.control.migrate import migrate

        migrate(database)


def _postgres(url: str) -> Database:
    from clew.control.postgres import connect  # its driver is loaded only where it is used

    return Database(connect(url, dumps), "the control database (PostgreSQL)")


def _sqlite(path: Path) -> Database:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        path.chmod(0o600)  # SQLite makes its other files with the mode of this one
    except OSError as error:
        raise ControlError(f"the control database {path} can't be opened: {error.strerror}") from error
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        connect_args={"timeout": BUSY_S, "isolation_level": None},
        hide_parameters=True,
        json_serializer=dumps,
        json_deserializer=orjson.loads,
    )
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return Database(engine, f"the control database {path}")


def dumps(value: object) -> str:
    """JSON as it is kept in columns."""
    return orjson.dumps(value).decode()


def _set_up_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys = ON")
    _switch_to_wal(cursor)
    cursor.execute("PRAGMA synchronous = FULL")


def _switch_to_wal(cursor: sqlite3.Cursor) -> None:
    """Once for a file. SQLite doesn't wait for others here, so we do."""
    give_up = time.monotonic() + BUSY_S
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
            cursor.fetchone()
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > give_up:
                raise
            time.sleep(0.02)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    """A writer takes its turn at once: one that began as a reader couldn't wait for it."""
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _cause(error: SQLAlchemyError) -> str:
    """The first line of what the driver said: no statement, no values."""
    said = str(error.orig if isinstance(error, DBAPIError) else error).strip()
    return said.splitlines()[0] if said else type(error).__name__
