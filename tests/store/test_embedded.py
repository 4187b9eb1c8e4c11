"""The embedded engine's own promises: encryption, one process, schema versions, a clean end. Each in a process of its own."""

import os
import subprocess
import sys
import textwrap

import pytest

KEY = "00112233445566778899aabbccddeeff" * 2
PLANTED = "ORDER-PLANTED-4711"


def run(body: str, *arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run code on a worker thread of a new process, with ``open_(...)`` to open the store of the directory in argv."""
    script = (
        textwrap.dedent("""
        import sys, threading
        from clew.model.errors import *
        from clew.store.contract import Batch, Signal
        from clew.store.embedded import open_store
        from tests.builders import *
        NOW = 1_795_000_000_000_000_000
        try:
            store = open_store(sys.argv[1], key=sys.argv[2] if len(sys.argv) > 2 else "")
        except ClewError as error:
            sys.exit(f"{type(error).__name__}: {error}")
        failed = []
        def work():
            try:
                body()
            except BaseException as error:
                failed.append(repr(error))
            finally:
                store.close()
        def body():
    """)
        + textwrap.indent(textwrap.dedent(body), "    ")
        + "\nt = threading.Thread(target=work); t.start(); t.join(); sys.exit(failed[0] if failed else 0)\n"
    )
    return subprocess.run(
        [sys.executable, "-c", script, *arguments],
        capture_output=True, text=True, timeout=60, check=False, env={**os.environ, **(env or {})},
    )  # fmt: skip


PLANT = f"ingest(store, NOW, logs('shop', stage_event('{PLANTED}', 'SUBMITTED', NOW)), traces('shop', span(1, 1, NOW, order__id='{PLANTED}')))"
COUNT = f"print(store.rows(\"SELECT count() AS n FROM order_events WHERE order_id = '{PLANTED}'\")[0]['n'])"


def files_with(directory, text):
    return [path for path in directory.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]


def test_without_a_key_a_planted_order_id_can_be_found_on_disk(tmp_path):
    done = run(PLANT, str(tmp_path / "data"))
    assert done.returncode == 0, done.stderr
    assert files_with(tmp_path, PLANTED)


def test_with_a_key_no_planted_order_id_is_on_disk_and_everything_can_be_read(tmp_path):
    data = str(tmp_path / "data")
    done = run(PLANT, data, KEY)
    assert done.returncode == 0, done.stderr
    assert files_with(tmp_path, PLANTED) == []
    assert files_with(tmp_path, KEY) == []
    assert run(COUNT, data, KEY).stdout.strip() == "1"


def test_with_a_key_no_query_spills_to_the_disk_that_is_not_encrypted(tmp_path):
    spilling = """
        sql = "SELECT sum(toFloat64(value)) AS share FROM system.settings WHERE name LIKE 'max_bytes%before_external_%'"
        print(store.rows(sql)[0]["share"], float(store._connection().query(sql).bytes()))
    """
    assert run(spilling, str(tmp_path / "sealed"), KEY).stdout.strip() == "0.0 0.0"
    assert run(spilling, str(tmp_path / "plain")).stdout.strip() == "2.0 2.0"


def test_a_wrong_or_missing_key_is_told_and_harms_nothing(tmp_path):
    data = str(tmp_path / "data")
    run(PLANT, data, KEY)
    wrong = run(COUNT, data, "f" * 64)
    assert wrong.returncode != 0
    assert "is encryption.key the key that this data was made with?" in wrong.stderr
    assert "Traceback" not in wrong.stderr
    missing = run(COUNT, data)
    assert "encryption.key" in missing.stderr
    assert run(COUNT, data, KEY).stdout.strip() == "1"


def test_a_key_for_data_that_was_written_in_clear_is_refused(tmp_path):
    data = str(tmp_path / "data")
    run(PLANT, data)
    assert "without encryption" in run(COUNT, data, KEY).stderr


def test_a_second_process_is_told_who_has_the_directory(tmp_path):
    data = str(tmp_path / "data")
    inner = f"import subprocess; d = subprocess.run([sys.executable, '-c', 'from clew.store.embedded import open_store; open_store(\"{data}\")'], capture_output=True, text=True); print(d.stderr)"
    done = run(inner, data)
    assert "another process (" in done.stdout


def test_data_of_a_newer_clew_is_refused(tmp_path):
    data = str(tmp_path / "data")
    run("from clew.store.marks import write_mark; write_mark(store, 'schema', 99)", data)
    assert "newer Clew (schema 99" in run(COUNT, data).stderr


def test_a_directory_that_the_engine_can_not_name_is_refused(tmp_path):
    assert "can't use a data directory" in run(COUNT, str(tmp_path / "it's")).stderr


def test_data_is_private_to_its_owner(tmp_path):
    run(PLANT, str(tmp_path / "data"))
    assert (tmp_path / "data").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("told_before", ["", "1"])
def test_a_crash_of_the_engine_ends_the_process_and_says_where(tmp_path, told_before):
    crash = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"
    done = run(crash, str(tmp_path / "data"), env={"PYTHONFAULTHANDLER": told_before})
    assert done.returncode == -11
    assert "Fatal Python error" in done.stderr


SCHEMA = """
    for row in store.rows("SELECT table, name, type, compression_codec FROM system.columns "
                          "WHERE database = 'clew' ORDER BY table, position"):
        print(row)
    for row in store.rows("SELECT name, engine_full FROM system.tables WHERE database = 'clew' ORDER BY name"):
        print(row)
    for row in store.rows("SELECT table, name, expr FROM system.data_skipping_indices WHERE database = 'clew' ORDER BY ALL"):
        print(row)
"""


def test_the_chain_of_migrations_ends_in_the_same_schema_as_a_fresh_database(tmp_path):
    fresh = run(textwrap.dedent(SCHEMA), str(tmp_path / "fresh"))
    assert fresh.returncode == 0, fresh.stderr
    older = """
        from clew.store.migrate import migrations
        from clew.store.marks import write_mark
        from clew.store.render import Layout, render_schema
        for row in store.rows("SELECT name FROM system.tables WHERE database = 'clew'"):
            store.command(f"DROP TABLE {row['name']} SYNC")
        for statement in render_schema(migrations()[1], Layout()):
            store.command(statement)
        write_mark(store, 'schema', 1)
    """
    made = run(older, str(tmp_path / "older"))
    assert made.returncode == 0, made.stderr
    upgraded = run(textwrap.dedent(SCHEMA), str(tmp_path / "older"))
    assert upgraded.stdout == fresh.stdout
    assert "lost_from" in fresh.stdout


def test_what_an_older_version_stored_is_still_there_after_the_migration(tmp_path):
    data = str(tmp_path / "data")
    planted = (
        PLANT
        + """
from clew.store.marks import write_mark
store.command("ALTER TABLE orders DROP COLUMN lost_from")
store.command("DROP TABLE orders_swap SYNC")
write_mark(store, 'schema', 1)
"""
    )
    assert run(planted, data).returncode == 0
    assert run(COUNT, data).stdout.strip() == "1"
    assert "lost_from" in run(SCHEMA, data).stdout


def test_a_migration_that_was_killed_before_its_mark_is_done_again(tmp_path):
    data = str(tmp_path / "data")
    planted = PLANT + "\nfrom clew.store.marks import write_mark\nwrite_mark(store, 'schema', 1)\n"
    assert run(planted, data).returncode == 0
    again = run(COUNT, data)
    assert (again.stdout.strip(), again.stderr) == ("1", "")


def test_a_changed_retention_applies_to_data_that_is_there(tmp_path):
    body = """
        from dataclasses import replace
        from clew.store.migrate import migrate
        from clew.store.render import Layout
        now = __import__('time').time_ns()
        ingest(store, now, traces('old', span(1, 1, now - 5 * 86_400 * 10**9)), traces('new', span(2, 1, now)))
        def kept(days):
            migrate(store, Layout(span_days=days))
            store.command("OPTIMIZE TABLE spans FINAL")
            return [row["service"] for row in store.rows("SELECT service FROM spans ORDER BY service")]
        print(kept(0), kept(30), kept(2))
        print(store.rows("SELECT uniqExact(partition) AS n FROM system.parts WHERE table = 'spans' AND active AND rows > 0"))
    """
    done = run(body, str(tmp_path / "data"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["['new', 'old'] ['new', 'old'] ['new']", "[{'n': 1}]"]
