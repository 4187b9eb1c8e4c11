"""A query's rows are a history as well: bound values, one moment for both readings, nothing written."""

import sqlite3

import psycopg
import pytest
from sqlalchemy import make_url

from clew.history.rows import HistoryError
from clew.history.sql import open_sql, without_secrets
from clew.history.understand import Wishes
from tests.history.logs import events_of

QUERY = "SELECT id AS order_id, status AS stage, at AS time, total FROM log WHERE shop = :shop ORDER BY at"


@pytest.fixture
def sqlite_url(tmp_path):
    base = sqlite3.connect(tmp_path / "shop.db")
    base.execute("CREATE TABLE log (id INTEGER, status TEXT, at INTEGER, total REAL, shop TEXT)")
    rows = [(1, "A", 1_704_189_600, 2.5, "x"), (1, "B", 1_704_189_700, None, "x"), (2, "A", 1_704_189_600, 1, "y")]
    base.executemany("INSERT INTO log VALUES (?, ?, ?, ?, ?)", rows)
    base.commit()
    base.close()
    return f"sqlite:///{tmp_path}/shop.db"


def read(url, query=QUERY, bound=None, **wishes):
    source = open_sql(url, query, {"shop": "x"} if bound is None else bound)
    try:
        return events_of(source, Wishes(**wishes))
    finally:
        source.close()


def test_sqlite_gives_rows_with_values_bound(sqlite_url):
    events, bad, _ = read(sqlite_url)
    assert bad == []
    assert events == [
        ("1", "A", 1_704_189_600_000_000_000, "", {"total": "2.5"}),
        ("1", "B", 1_704_189_700_000_000_000, "", {}),
    ]


def test_a_bound_value_is_never_read_as_sql(sqlite_url):
    with pytest.raises(HistoryError, match="nothing in it to import"):
        read(sqlite_url, bound={"shop": "x' OR '1'='1"})


@pytest.mark.parametrize(
    ("query", "bound", "told"),
    [
        ("DELETE FROM log", {}, "refuses the query"),
        ("SELECT absent FROM log", {}, "refuses the query: no such column"),
        (QUERY, {}, "refuses the query: A value is required for bind parameter 'shop'$"),
        ("SELECT id, id FROM log", {}, "names a column twice"),
        ("SELECT id, status FROM log", {}, "no column is known to hold the order"),
    ],
)
def test_a_query_that_cannot_be_used_is_refused(sqlite_url, query, bound, told):
    with pytest.raises(HistoryError, match=told):
        read(sqlite_url, query, bound)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("shop.db", "--sql is no URL of a database: it has no ://$"),
        ("nosuch://host/db", "--sql is no URL of a database: no such kind of database is known$"),
        ("postgresql://host:port/db", "--sql is no URL of a database$"),
        ("sqlite:////nowhere/shop.db", "there is no file /nowhere/shop.db"),
        ("postgresql://ann:secret@127.0.0.1:1/db", "postgresql at 127.0.0.1:1, database db can't be opened"),
        (
            "postgresql://127.0.0.1:1/db?user=ann&password=secret",
            "postgresql at 127.0.0.1:1, database db can't be opened",
        ),
        (
            "postgresql://ann@127.0.0.1:1/db?sslmode=require&token=secret",
            "postgresql at 127.0.0.1:1, database db can't",
        ),
        ("postgresql://ann@127.0.0.1:1/db?sslkey=secret&sslcert=secret", "can't be opened"),
        ("postgresql://127.0.0.1:1/db?gssencmode=secret", r"invalid gssencmode value: \"\*\*\*\""),
        ("postgresql://ann:secret@word@127.0.0.1:1/db", "postgresql at 127.0.0.1:1, database db can't be opened"),
        ("postgresql://ann:x@secret@127.0.0.1:1/db", "postgresql at 127.0.0.1:1, database db can't be opened"),
        ("sqlite:///{file}?timeout=secret", "no URL of a database|can't be opened"),
    ],
)
def test_a_database_that_cannot_be_reached_is_told_without_the_password(sqlite_url, url, told):
    with pytest.raises(HistoryError, match=told) as raised:
        open_sql(url.replace("{file}", sqlite_url.removeprefix("sqlite:///")), "SELECT 1", {})
    assert "secret" not in f"{raised.value} {raised.value.mend}"


@pytest.mark.parametrize(
    ("url", "said", "told"),
    [
        ("mysql://ann:p%40ss@h/db", "no 'p@ss' nor p%40ss", "no '***' nor ***"),
        (
            "mssql:///?odbc_connect=Driver%3Dx%3BPWD%3D%7Bs+cret%7D",
            "login with Driver=x;PWD={s cret}",
            "login with ***",
        ),
        ("mssql:///?odbc_connect=Server%3Dy%3BPWD%3Dsecret", "for 'secret'", "for '***'"),
        ("mysql://h/db?ssl_key=a&ssl_key=b", "[b]", "[***]"),
        ("postgresql://h/db?sslmode=require", "SSL was required", "SSL was required"),
        ("postgresql://ann@h/db", "no role ann at h", "no role ann at h"),
    ],
)
def test_a_driver_s_words_lose_what_the_url_keeps_secret(url, said, told):
    assert without_secrets(said, make_url(url)) == told


def test_postgresql_streams_rows_of_one_moment_and_lets_nothing_be_written(postgres_dsn):
    query = "SELECT id AS order_id, status, changed_at, total FROM history_log WHERE shop = :shop ORDER BY changed_at"
    with psycopg.connect(postgres_dsn, autocommit=True) as base:
        base.execute("CREATE TABLE history_log (id int, status text, changed_at timestamptz, total numeric, shop text)")
        base.execute("CREATE SEQUENCE history_numbers")
        base.execute(
            "INSERT INTO history_log SELECT n / 10, 'S' || n % 10, to_timestamp(1704189600 + n), n / 4.0, 'x'"
            " FROM generate_series(0, 11999) AS n"
        )
        source = open_sql(postgres_dsn, query, {"shop": "x"})
        try:
            events, bad, _ = events_of(source, Wishes())
            assert (len(events), bad) == (12_000, [])
            assert events[3] == ("0", "S3", 1_704_189_603_000_000_000, "", {"total": "0.75000000000000000000"})
            base.execute("INSERT INTO history_log VALUES (-1, 'S', now(), 0, 'x')")
            assert events_of(source, Wishes())[0] == events
        finally:
            source.close()
        with pytest.raises(HistoryError, match="read-only"):
            read(postgres_dsn, "SELECT nextval('history_numbers')", {})
        base.execute("DROP TABLE history_log; DROP SEQUENCE history_numbers")


def test_postgresql_times_without_zone_ask_for_one(postgres_dsn):
    query = "SELECT 1 AS order_id, 'A' AS stage, timestamp '2024-01-02 10:00' AS time"
    with pytest.raises(HistoryError, match="name no zone"):
        read(postgres_dsn, query, {})
    assert read(postgres_dsn, query, {}, zone="Europe/Berlin")[0][0][2] == 1_704_186_000_000_000_000
