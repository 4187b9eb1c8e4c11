"""The same commands without a server, over the directory that one left behind, some of them as processes."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from clew.cli.main import main
from clew.store.embedded import open_store
from clew.store.render import Layout
from tests.builders import ingest, logs, span, stage_event, traces
from tests.story import MINUTE, tell

CLEW = str(Path(sys.executable).with_name("clew"))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A directory with a day in it, and one order that the ticker never came to."""
    directory = tmp_path_factory.mktemp("idle")
    store = open_store(directory)
    try:
        now = tell(store).now_ns()
        ingest(store, now, logs("shop-api", stage_event("4719", "SUBMITTED", now - MINUTE, order__path="b2c")))
    finally:
        store.close()
    return directory


def process(*arguments):
    command = [CLEW, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, "COLUMNS": "80"}, check=False)


def clew(*arguments):
    """The same in this process, which spares starting one."""
    return CliRunner().invoke(main, list(map(str, arguments)), env={"COLUMNS": "80"})


def test_a_directory_is_read_through_the_same_api_up_to_what_arrived_last(data):
    done = clew("orders", "--data", data, "--json")
    assert done.exit_code == 0, done.stderr
    assert [each["order_id"] for each in json.loads(done.stdout)["items"]] == [
        "4712", "4715", "4711", "4714", "4719", "b/16",
    ]  # fmt: skip


def test_reading_drops_nothing_though_the_reader_has_no_settings(tmp_path):
    forever = Layout(span_days=0)
    store = open_store(tmp_path, layout=forever)
    now = time.time_ns()
    ingest(store, now, traces("shop-api", span(1, 1, now - 90 * 24 * 60 * MINUTE)))
    store.close()
    assert clew("orders", "--data", tmp_path).exit_code == 0
    store = open_store(tmp_path, keep_retention=True)
    store.command("OPTIMIZE TABLE spans FINAL")
    kept = store.rows("SELECT count() AS n FROM spans")
    store.close()
    assert kept == [{"n": 1}]


def test_a_directory_without_data_is_not_made(tmp_path):
    done = clew("orders", "--data", tmp_path / "nothing")
    assert (done.exit_code, "holds no data of Clew" in done.stderr) == (1, True)
    assert not (tmp_path / "nothing").exists()


def test_a_directory_that_cannot_be_made_is_told_with_what_fits(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "log.csv").write_text("order_id,stage,time\n1,A,2026-01-01T00:00:00Z\n")
    done = clew("import", tmp_path / "log.csv", "--data", tmp_path / "file" / "data")
    assert done.exit_code == 1
    assert done.stderr.startswith("clew: can't use the data directory ")
    assert done.stderr.endswith("; choose another with --data\n")


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (("orders",), "Read this idle data directory instead of asking a server."),
        (("import",), "Work on this data directory without a server."),
        (("flow", "apply"), "Work on this data directory without a server."),
        (("flow", "drop"), "Work on this data directory without a server."),
    ],
)
def test_data_says_whether_a_command_reads_or_writes(command, told):
    assert told in " ".join(clew(*command, "--help").stdout.split())


def test_a_program_reads_plain_text_and_exit_codes(data):
    shown = process("order", "4711", "--data", data)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.startswith("order 4711: stuck")
    assert "\x1b" not in shown.stdout
    assert max(map(len, shown.stdout.splitlines())) <= 80
    missing = process("order", "nobody", "--data", data)
    assert (missing.returncode, missing.stdout) == (3, "")
    assert missing.stderr.startswith("clew: no order nobody\nmend: ")


def test_a_directory_is_exported_without_a_server(data, tmp_path):
    file = tmp_path / "orders.jsonl"
    done = clew("export", "orders", "--open", "--data", data, "-o", file)
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "")
    assert [json.loads(line)["order_id"] for line in file.read_text().splitlines()] == [
        "4711", "4712", "4714", "4715", "4719", "b/16",
    ]  # fmt: skip
    wrong = clew("export", "spans", "--since", "soon", "--data", data)
    assert (wrong.exit_code, wrong.stdout) == (2, "")
    assert wrong.stderr.startswith("clew: --since: 'soon' is no moment")
