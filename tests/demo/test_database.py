"""SQLite and PostgreSQL behave alike behind the demo's port."""

import threading
import time

import pytest


def test_values_are_written_and_read(database):
    with database.transaction() as db:
        db.run("INSERT INTO rings VALUES (?, ?)", "r1", "it's gold; -- ?")
    with database.transaction() as db:
        assert db.run("SELECT * FROM rings WHERE id = ?", "r1") == [{"id": "r1", "metal": "it's gold; -- ?"}]


def test_an_error_takes_the_whole_transaction_back(database):
    def fail():
        with database.transaction() as db:
            db.run("INSERT INTO rings VALUES ('r1', 'gold')")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with database.transaction() as db:
        assert db.run("SELECT * FROM rings") == []


def test_a_database_can_be_slow_on_demand(database):
    began = time.monotonic()
    with database.transaction() as db:
        db.run("SELECT pg_sleep(?)", 0.2)
    assert time.monotonic() - began >= 0.2


def test_a_writer_waits_for_the_lock_of_another(database):
    with database.transaction() as db:
        db.run("INSERT INTO rings VALUES ('r1', 'gold')")
    locked, events = threading.Event(), []

    def hold():
        with database.transaction() as db:
            db.run("UPDATE rings SET metal = metal WHERE id = 'r1'")
            locked.set()
            time.sleep(0.3)
            events.append("released")

    holder = threading.Thread(target=hold)
    holder.start()
    locked.wait()
    with database.transaction() as db:
        db.run("UPDATE rings SET metal = 'silver' WHERE id = 'r1'")
        events.append("written")
    holder.join()
    assert events == ["released", "written"]


def test_the_outbox_table_of_the_sdk_is_there(database):
    with database.transaction() as db:
        assert db.run("SELECT * FROM clew_outbox") == []
