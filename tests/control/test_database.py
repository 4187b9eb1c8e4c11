"""The control database: made, upgraded and refused; what is kept and what is taken back."""

import re
import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import func, select, text

import clew.control.database
from clew.control import tables
from clew.control.database import FILE, REVISION, open_database
from clew.model.errors import ControlAway, ControlError

VALUE = {"name": "a", "value": {"b": [1, None]}, "written_ns": 2**62}


def names(database):
    with database.reading() as connection:
        return connection.scalars(select(tables.values.c.name).order_by(tables.values.c.name)).all()


def add(database, **changed):
    with database.writing() as connection:
        connection.execute(database.insert(tables.values).values(**(VALUE | changed)))


def test_what_is_taken_for_the_newest_migration_is_the_newest():
    folder = Path(clew.control.database.__file__).parent / "migrations/versions"
    assert max(each.name.partition("_")[0] for each in folder.glob("[0-9]*.py")) == REVISION


def test_the_chain_of_migrations_makes_the_tables_that_the_code_knows(database):
    with database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, tables.META) == []


def test_partial_indexes_are_those_that_the_code_knows(database):
    column = "sql FROM sqlite_master" if database.dialect == "sqlite" else "indexdef FROM pg_indexes"
    with database.reading() as connection:
        made = [sql for sql in connection.scalars(text(f"SELECT {column}")) if sql and "WHERE" in sql]
    assert {re.search(r"uq_\w+", sql)[0] for sql in made} == {"uq_incidents_unresolved_key", "uq_alerts_active_subject"}


def test_it_opens_again_with_what_was_written(place):
    first = open_database(*place)
    add(first)
    first.close()
    again = open_database(*place)
    with again.reading() as connection:
        assert dict(connection.execute(select(tables.values)).one()._mapping) == VALUE
    again.close()


def test_what_a_block_wrote_is_taken_back_when_it_raises(database):
    def write_and_fail():
        with database.writing() as connection:
            connection.execute(database.insert(tables.values).values(**VALUE))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_and_fail()
    assert names(database) == []


def test_two_processes_that_start_at_once_share_one_database(place):
    script = (
        "import sys, pathlib; from clew.control.database import open_database;"
        "sys.stdin.readline(); open_database(pathlib.Path(sys.argv[1]), sys.argv[2]).close()"
    )
    command = [sys.executable, "-c", script, str(place[0]), place[1]]
    started = [subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    assert [(process.communicate("go\n")[1], process.returncode) for process in started] == [("", 0)] * 2


def test_threads_that_start_at_once_share_one_database(place):
    opened, failed = [], []

    def begin():
        try:
            opened.append(open_database(*place))
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=begin) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for each in opened:
        each.close()
    assert (failed, len(opened)) == ([], 4)


def test_writers_in_many_threads_wait_for_each_other(database):
    def count_up():
        for _ in range(10):
            with database.writing() as connection:
                last = connection.scalar(select(func.max(tables.flagged_windows.c.from_ns))) or 0
                wanted = database.insert(tables.flagged_windows).values(series="s", from_ns=last + 1, until_ns=0)
                connection.execute(wanted.on_conflict_do_nothing())

    threads = [threading.Thread(target=count_up) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.reading() as connection:
        highest = connection.scalar(select(func.max(tables.flagged_windows.c.from_ns)))
    assert highest == 40 if database.dialect == "sqlite" else 10 <= highest <= 40


def test_a_database_of_an_older_clew_is_upgraded_with_what_it_holds(place):
    first = open_database(*place)
    add(first)
    with first.writing() as connection:
        connection.execute(text("DROP TABLE done_requests"))
        connection.execute(text("DROP INDEX ix_outbox_channel_state_incident_id"))
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    first.close()
    again = open_database(*place)
    with again.reading() as connection:
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == REVISION
        assert compare_metadata(MigrationContext.configure(connection), tables.META) == []
    assert names(again) == ["a"]
    again.close()


def test_a_database_of_a_newer_clew_is_refused(place):
    first = open_database(*place)
    with first.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    first.close()
    with pytest.raises(ControlError, match=rf"newer Clew \(to 9999, this one knows {REVISION}\); upgrade Clew"):
        open_database(*place)


def test_sqlite_syncs_each_commit_keeps_foreign_keys_and_is_the_owners_alone(tmp_path):
    (tmp_path / FILE).touch(mode=0o644)
    database = open_database(tmp_path)
    with database.writing() as connection:
        asked = [connection.scalar(text(f"PRAGMA {name}")) for name in ("journal_mode", "synchronous", "foreign_keys")]
        assert asked == ["wal", 2, 1]
        assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}
    database.close()


def test_what_was_written_survives_a_kill(place):
    script = (
        "import os, pathlib, signal, sys; from clew.control.database import open_database;"
        "from clew.control import tables; d = open_database(pathlib.Path(sys.argv[1]), sys.argv[2]);\n"
        "with d.writing() as c: c.execute(d.insert(tables.values).values(name='kept', value=1, written_ns=1))\n"
        "with d.writing() as c:\n"
        "    c.execute(d.insert(tables.values).values(name='half', value=1, written_ns=1))\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    command = [sys.executable, "-c", script, str(place[0]), place[1]]
    assert subprocess.run(command, check=False, cwd=place[0]).returncode == -9
    database = open_database(*place)
    assert names(database) == ["kept"]
    database.close()


def test_a_text_with_a_nul_holds_nothing_up(database):
    add(database, name="order\0 4711", value={"id": "a\0b"})
    with database.reading() as connection:
        name, value = connection.execute(select(tables.values.c.name, tables.values.c.value)).one()
    assert name in ("order\0 4711", "order\ufffd 4711")
    assert value in ({"id": "a\0b"}, {"id": "a\ufffdb"})


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://ann:s3cret@127.0.0.1:1/clew", "failed: connection failed"),
        ("mysql://ann:s3cret@127.0.0.1/clew", "needs an address that begins with postgresql://"),
        ("s3cret", "has no address of the form"),
        ("postgresql://ann:s3cret@127.0.0.1:port/clew", "has no address of the form"),
    ],
)
def test_what_cannot_be_reached_is_told_without_the_address(tmp_path, url, said):
    with pytest.raises(ControlError) as told:
        open_database(tmp_path, url)
    assert said in str(told.value)
    assert "s3cret" not in str(told.value) + repr(told.value.__cause__)


def test_a_server_that_is_away_at_the_start_is_used_when_it_is_there(
    tmp_path, postgres, postgres_database, monkeypatch
):
    monkeypatch.setattr("clew.control.database._TRIES_AGAIN_AFTER_S", 0.0)
    name = postgres_database.rpartition("/")[2]
    postgres.drop_database(name)
    with pytest.raises(ControlAway, match="does not exist"):
        open_database(tmp_path, postgres_database)
    database = open_database(tmp_path, postgres_database, patient=True)
    with pytest.raises(ControlAway, match="does not exist"):
        names(database)
    postgres.create_database(name)
    add(database)
    assert names(database) == ["a"]
    database.close()


def test_who_asks_soon_after_a_server_was_away_waits_for_no_network(tmp_path, monkeypatch):
    tries = []

    def away(_database):
        tries.append(1)
        raise ControlAway("away")

    monkeypatch.setattr("clew.control.database._upgrade", away)
    database = open_database(tmp_path, "postgresql://ann@127.0.0.1:1/clew", patient=True)
    for _ in range(3):
        with pytest.raises(ControlAway, match="away"):
            names(database)
    assert len(tries) == 1
    database.close()


def test_a_failed_statement_is_told_without_its_values(database):
    add(database)
    with pytest.raises(ControlError) as told:
        add(database, value="customer")
    assert "customer" not in str(told.value)
    assert re.search("(?i)unique", str(told.value))


def test_a_file_that_is_no_database_is_refused(tmp_path):
    (tmp_path / FILE).write_bytes(b"nothing of SQLite's" * 100)
    with pytest.raises(ControlError, match="file is not a database"):
        open_database(tmp_path)


def test_a_place_where_nothing_can_be_made_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ControlError, match="can't be opened"):
        open_database(tmp_path / "file" / "data")


def test_a_writer_that_waits_too_long_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr("clew.control.database.BUSY_S", 0.05)
    database = open_database(tmp_path)
    other = sqlite3.connect(tmp_path / FILE, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(ControlError, match="database is locked"):
        add(database)
    other.execute("ROLLBACK")
    other.close()
    add(database)
    assert names(database) == ["a"]
    database.close()
