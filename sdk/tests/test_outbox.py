"""The outbox file: private, durable, shared, bounded."""

import logging
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import clew_sdk
import pytest
from clew_sdk.delivery import Delivery
from clew_sdk.outbox import Outbox, OutboxFull, open_private
from clew_sdk.settings import GIB
from clew_sdk.source import SqliteSource

from sdk.tests.backend import Backend
from sdk.tests.fresh import Handles


def source(outbox: Path) -> SqliteSource:
    return SqliteSource(str(outbox), lambda: open_private(str(outbox), "NORMAL"))


def rows_in(outbox: Path, table: str = "clew_outbox") -> list[bytes]:
    connection = sqlite3.connect(outbox)
    try:
        return [request for (request,) in connection.execute(f"SELECT request FROM {table} ORDER BY id")]
    finally:
        connection.close()


def test_only_its_owner_can_read_it(outbox: Path) -> None:
    box = Outbox(str(outbox.parent / "new" / "outbox.sqlite"), GIB)
    box.append([b"1"])
    folder = outbox.parent / "new"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {
        "outbox.sqlite": 0o600,
        "outbox.sqlite-wal": 0o600,
        "outbox.sqlite-shm": 0o600,
    }
    box.close()


def test_a_file_others_could_read_is_closed_to_them(outbox: Path) -> None:
    outbox.touch(mode=0o644)
    Outbox(str(outbox), GIB).close()
    assert stat.S_IMODE(outbox.stat().st_mode) == 0o600


def test_a_link_to_elsewhere_is_refused(outbox: Path) -> None:
    outbox.symlink_to(outbox.with_name("elsewhere"))
    with pytest.raises(OSError, match="symbolic"):
        Outbox(str(outbox), GIB)


def test_a_commit_is_flushed_to_disk_before_append_returns(outbox: Path) -> None:
    box = Outbox(str(outbox), GIB)
    assert box._connection is not None
    assert box._connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert box._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    box.close()


def test_many_threads_write_all_their_rows_once(outbox: Path) -> None:
    box = Outbox(str(outbox), GIB)
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda number: box.append([b"%d" % number]), range(200)))
    box.close()
    assert sorted(rows_in(outbox), key=int) == [b"%d" % number for number in range(200)]


def test_a_caller_with_several_rows_writes_all_or_none(outbox: Path) -> None:
    box = Outbox(str(outbox), 64 * 1024)
    with pytest.raises(OutboxFull):
        box.append([b"1", b"x" * 1_000_000])
    box.append([b"2"])
    box.close()
    assert rows_in(outbox) == [b"2"]


def test_a_full_outbox_refuses_loudly_and_takes_rows_again_when_there_is_room(
    handles: Handles, backend: Backend, outbox: Path, caplog
) -> None:
    backend.down()
    handles.make(backend, outbox, outbox_limit=128 * 1024)
    big = {"note": "x" * 10_000}
    with caplog.at_level(logging.ERROR):
        recorded = [clew_sdk.stage("SUBMITTED", order_id=str(number), attributes=big) for number in range(20)]
    assert recorded[0] is True
    assert recorded[-1] is False
    refused = [record.getMessage() for record in caplog.records if "NOT recorded" in record.getMessage()]
    assert len(refused) == recorded.count(False)
    assert "is full" in refused[0]

    taken = source(outbox)
    handles.made[0].shutdown(0.5)
    taken.settle(Delivery(sent=taken.claim(20)), now_ns=1)
    taken.close()
    assert clew_sdk.stage("SUBMITTED", order_id="99", attributes=big) is True
    backend.up()


def test_one_process_sends_at_a_time_and_the_next_takes_over(outbox: Path) -> None:
    box = Outbox(str(outbox), GIB)
    box.append([b"1"])
    first, second = source(outbox), source(outbox)
    assert [row.request for row in first.claim(10)] == [b"1"]
    assert second.claim(10) == []
    first.close()
    assert [row.request for row in second.claim(10)] == [b"1"]
    second.close()
    box.close()


def test_the_claim_of_a_killed_process_is_free_at_once(outbox: Path) -> None:
    Outbox(str(outbox), GIB).close()
    script = (
        "import sys; from clew_sdk.source import SqliteSource; from clew_sdk.outbox import open_private\n"
        "source = SqliteSource(sys.argv[1], lambda: open_private(sys.argv[1])); source.claim(1)\n"
        "print('claimed', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(outbox)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"claimed\n"
        mine = source(outbox)
        box = Outbox(str(outbox), GIB)
        box.append([b"1"])
        assert mine.claim(1) == []
        holder.kill()
        holder.wait()
        assert len(mine.claim(1)) == 1
    mine.close()
    box.close()


def test_rejected_rows_are_kept_with_the_reason(outbox: Path) -> None:
    box = Outbox(str(outbox), GIB)
    box.append([b"good", b"bad", b"later"])
    taken = source(outbox)
    good, bad, _ = taken.claim(10)
    taken.settle(Delivery(sent=[good], rejected=[(bad, "400: no")]), now_ns=7)
    taken.close()
    box.close()

    assert rows_in(outbox) == [b"later"]
    connection = sqlite3.connect(outbox)
    kept = connection.execute("SELECT request, reason, rejected_at_ns FROM clew_rejected").fetchall()
    connection.close()
    assert kept == [(b"bad", "400: no", 7)]


def test_rows_survive_the_close_of_everything(outbox: Path) -> None:
    box = Outbox(str(outbox), GIB)
    box.append([b"1"])
    box.close()
    box.append([b"2"])
    box.close()
    assert rows_in(outbox) == [b"1", b"2"]
    assert list(outbox.parent.iterdir()) == [outbox]


def test_a_neighbour_that_comes_and_goes_takes_no_rows_along(outbox: Path) -> None:
    """Closing any descriptor of a file ends all locks a process has on it: ours must be SQLite's own only."""
    count = "SELECT count(*) FROM clew_outbox"
    look = f"import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute('{count}').fetchone()[0])"

    def seen_by_a_neighbour() -> int:
        return int(subprocess.run([sys.executable, "-c", look, outbox], check=True, capture_output=True).stdout)

    box = Outbox(str(outbox), GIB)
    box.append([b"1"])
    taken = source(outbox)
    taken.claim(10)
    assert seen_by_a_neighbour() == 1
    box.append([b"2"])
    assert seen_by_a_neighbour() == 2
    taken.close()
    box.close()
    assert rows_in(outbox) == [b"1", b"2"]


def test_who_shares_a_commit_that_is_interrupted_is_told(outbox: Path, monkeypatch) -> None:
    box = Outbox(str(outbox), GIB)
    outcomes: list[object] = []

    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    def append(request: bytes) -> None:
        try:
            box.append([request])
            outcomes.append("recorded")
        except (OSError, KeyboardInterrupt) as error:
            outcomes.append(type(error))

    monkeypatch.setattr(box, "_write", interrupted)
    box._writing.acquire()
    threads = [threading.Thread(target=append, args=(b"%d" % number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    while len(box._waiting) < 2:
        time.sleep(0.001)
    box._writing.release()
    for thread in threads:
        thread.join()
    assert set(outcomes) == {KeyboardInterrupt, InterruptedError}
    box.close()


def test_a_disk_that_fails_costs_the_event_and_not_the_order(
    handles: Handles, backend: Backend, outbox: Path, monkeypatch, caplog
) -> None:
    handle = handles.make(backend, outbox)

    def fails(_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(handle._outbox, "_write", fails)
    assert clew_sdk.stage("SUBMITTED", order_id="4711") is False
    assert "stage event 'SUBMITTED' of order 4711 was NOT recorded: [Errno 5]" in caplog.text


def test_an_outbox_that_cannot_be_opened_stops_the_start_and_leaves_nothing_behind(
    handles: Handles, backend: Backend, outbox: Path, monkeypatch
) -> None:
    installed: list[object] = []
    monkeypatch.setattr("clew_sdk.sdk.install_tracing", installed.append)
    outbox.write_bytes(b"this is no database" * 100)
    with pytest.raises(sqlite3.DatabaseError, match="not a database"):
        handles.make(backend, outbox)
    assert installed == []


def test_a_file_that_is_no_outbox_is_refused_and_left_as_it_is(tmp_path) -> None:
    other = tmp_path / "notes.txt"
    other.write_text("not a database, but somebody's notes, and long enough to be read as the head of one\n" * 3)
    other.chmod(0o644)
    with pytest.raises(sqlite3.DatabaseError):
        open_private(str(other))
    assert other.stat().st_mode & 0o777 == 0o644
