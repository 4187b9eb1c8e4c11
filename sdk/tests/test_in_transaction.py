"""stage(connection=...): the event and the business change happen together, in SQLite and PostgreSQL."""

import sqlite3
import threading
import types
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import clew_sdk
import psycopg
import pytest
from clew_sdk.delivery import Delivery
from clew_sdk.source import PostgresSource
from clew_sdk.table import insert

from sdk.tests.backend import OK, Backend, Reply, events_of
from sdk.tests.fresh import Handles
from sdk.tests.spans import wait_for


@dataclass
class Database:
    """A caller's own database with an orders table and the outbox tables."""

    connect: Callable[[], Any]

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        connection = self.connect()
        try:
            return connection.cursor().execute(statement).fetchall()
        finally:
            connection.close()

    @property
    def waiting(self) -> int:
        return self.rows("SELECT count(*) FROM clew_outbox")[0][0]


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    if request.param == "sqlite":
        path = tmp_path / "shop.sqlite"
        made = Database(lambda: sqlite3.connect(path))
    else:
        dsn = request.getfixturevalue("postgres_database")
        made = Database(lambda: psycopg.connect(dsn))
    connection = made.connect()
    clew_sdk.create_outbox(connection)
    clew_sdk.create_outbox(connection)
    connection.cursor().execute("CREATE TABLE orders (id TEXT)")
    connection.commit()
    connection.close()
    return made


@pytest.fixture
def connection(database: Database) -> Iterator[Any]:
    connection = database.connect()
    yield connection
    connection.close()


@pytest.fixture
def relay(handles: Handles, backend: Backend, database: Database) -> Callable[[], None]:
    """Begins to relay the database."""
    handle = handles.make(backend, None)
    return lambda: handle.relay(database.connect, poll_s=0.05)


def submit(connection: Any, order_id: str) -> None:
    with clew_sdk.order(order_id):
        connection.cursor().execute(f"INSERT INTO orders VALUES ('{order_id}')")
        assert clew_sdk.stage("SUBMITTED", connection=connection) is True
        clew_sdk.hold(connection=connection)
        clew_sdk.resume(connection=connection)


def test_the_event_comes_with_the_commit(relay, connection, backend: Backend, database: Database) -> None:
    relay()
    submit(connection, "4711")
    assert database.waiting == 0
    connection.commit()
    wait_for(lambda: len(backend.events) == 3)
    wait_for(lambda: database.waiting == 0)
    assert backend.stages == {("4711", "SUBMITTED"): 1, ("4711", ""): 2}


def test_the_event_goes_with_a_rollback(relay, connection, backend: Backend, database: Database) -> None:
    submit(connection, "4711")
    connection.rollback()
    submit(connection, "4712")
    connection.commit()
    relay()
    wait_for(lambda: len(backend.events) == 3)
    assert {order for order, _ in backend.stages} == {"4712"}
    assert database.rows("SELECT id FROM orders") == [("4712",)]


def test_rows_wait_out_a_dead_backend(relay, connection, backend: Backend, database: Database) -> None:
    backend.down()
    relay()
    submit(connection, "4711")
    connection.commit()
    assert database.waiting == 3
    backend.up()
    wait_for(lambda: len(backend.events) == 3)
    wait_for(lambda: database.waiting == 0)


def test_a_bad_row_is_set_aside(relay, connection, backend: Backend, database: Database) -> None:
    backend.decide = lambda request: (
        Reply(400, body=b"odd") if any(event.attributes.get("odd") for event in events_of(request)) else OK
    )
    for number in range(6):
        clew_sdk.stage("SUBMITTED", order_id=str(number), attributes={"odd": number == 3}, connection=connection)
    connection.commit()
    relay()
    wait_for(lambda: database.waiting == 0)
    assert {order for order, _ in backend.stages} == {"0", "1", "2", "4", "5"}
    assert database.rows("SELECT reason FROM clew_rejected") == [("400: odd",)]


def test_an_error_of_the_database_reaches_the_caller(handles: Handles, backend: Backend, database: Database) -> None:
    handles.make(backend, None)
    connection = database.connect()
    connection.cursor().execute("DROP TABLE clew_outbox")
    with pytest.raises((sqlite3.Error, psycopg.Error)):
        clew_sdk.stage("SUBMITTED", order_id="4711", connection=connection)
    connection.close()


def test_a_relay_waits_for_a_table_that_is_not_there_yet(handles: Handles, backend: Backend, tmp_path: Path) -> None:
    path = tmp_path / "late.sqlite"
    handle = handles.make(backend, None)
    handle.relay(lambda: sqlite3.connect(path), poll_s=0.05)
    wait_for(lambda: handle._senders[-1]._failures > 0)
    connection = sqlite3.connect(path)
    clew_sdk.create_outbox(connection)
    clew_sdk.stage("SUBMITTED", order_id="4711", connection=connection)
    connection.commit()
    connection.close()
    wait_for(lambda: len(backend.events) == 1)


def test_several_relays_of_one_table_send_each_row_once(
    handles: Handles, backend: Backend, postgres_database: str
) -> None:
    def connect() -> psycopg.Connection[Any]:
        return psycopg.connect(postgres_database)

    with connect() as connection:
        clew_sdk.create_outbox(connection)
    handle = handles.make(backend, None)

    def write(number: int) -> None:
        with connect() as mine:
            clew_sdk.stage("SUBMITTED", order_id=str(number), connection=mine)

    for _ in range(3):
        handle.relay(connect, poll_s=0.02)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(60)))
    wait_for(lambda: len(backend.stages) == 60)
    handle.shutdown(5.0)
    assert len(backend.events) == 60


def test_rows_claimed_by_a_relay_that_dies_are_free_again(handles, backend: Backend, postgres_database: str) -> None:
    handles.make(backend, None)
    with psycopg.connect(postgres_database) as connection:
        clew_sdk.create_outbox(connection)
        clew_sdk.stage("SUBMITTED", order_id="4711", connection=connection)
    with closing(PostgresSource(psycopg.connect(postgres_database))) as other:
        with closing(PostgresSource(psycopg.connect(postgres_database, autocommit=True))) as dying:
            [row] = dying.claim(10)
            assert other.claim(10) == []
        wait_for(lambda: other.claim(10) == [row])
        other.settle(Delivery(sent=[row]), now_ns=1)
        assert other.claim(10) == []


@pytest.mark.parametrize(
    ("paramstyle", "statement"),
    [
        ("qmark", "INSERT INTO clew_outbox (request) VALUES (?)"),
        ("format", "INSERT INTO clew_outbox (request) VALUES (%s)"),
        ("pyformat", "INSERT INTO clew_outbox (request) VALUES (%s)"),
        ("numeric", "INSERT INTO clew_outbox (request) VALUES (:1)"),
        ("named", "INSERT INTO clew_outbox (request) VALUES (:request)"),
    ],
)
def test_any_driver_is_spoken_to_in_its_own_style(monkeypatch, paramstyle: str, statement: str) -> None:
    said: list[tuple[str, object]] = []

    class Connection:
        def cursor(self) -> Any:
            return types.SimpleNamespace(execute=lambda text, values: said.append((text, values)), close=lambda: None)

    driver = types.ModuleType("some_driver")
    driver.paramstyle = paramstyle  # type: ignore[attr-defined]
    monkeypatch.setitem(__import__("sys").modules, "some_driver", driver)
    Connection.__module__ = "some_driver.connection"
    insert(Connection(), [b"1"])  # type: ignore[arg-type]
    assert said == [(statement, {"request": b"1"} if paramstyle == "named" else (b"1",))]


@pytest.mark.parametrize("thing", [object(), threading.Lock(), "shop.sqlite"])
def test_a_thing_that_is_no_connection_is_named(handles: Handles, backend: Backend, thing: Any) -> None:
    handles.make(backend, None)
    with pytest.raises(TypeError, match="PEP 249 connection"):
        clew_sdk.stage("SUBMITTED", order_id="4711", connection=thing)


async def test_an_asynchronous_connection_is_named(handles: Handles, backend: Backend, postgres_dsn: str) -> None:
    handles.make(backend, None)
    async with await psycopg.AsyncConnection.connect(postgres_dsn) as connection:
        with pytest.raises(TypeError, match="PEP 249 connection"):
            clew_sdk.stage("SUBMITTED", order_id="4711", connection=connection)  # type: ignore[arg-type]


def test_the_ddl_for_a_migration_makes_the_same_tables(postgres_database: str) -> None:
    with psycopg.connect(postgres_database) as connection:
        connection.execute(clew_sdk.outbox_ddl("postgresql"))
        clew_sdk.create_outbox(connection)
    memory = sqlite3.connect(":memory:")
    memory.executescript(clew_sdk.outbox_ddl("sqlite"))
    clew_sdk.create_outbox(memory)
    memory.close()


def test_a_dialect_that_is_not_known_is_named() -> None:
    with pytest.raises(ValueError, match="'oracle' is not one of postgresql, sqlite"):
        clew_sdk.outbox_ddl("oracle")
