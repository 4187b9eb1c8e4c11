"""``clew import`` over a real server and over a directory: what it tells, what it stores, and that twice is once."""

import contextlib
import json
import os
import random
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from clew.api import create_api
from clew.api.deps import ApiDeps
from clew.cli import import_ as import_module
from clew.cli.client import Client, CommandError
from clew.cli.main import main
from clew.history import csv_lines, transfer
from clew.history.survey import check
from clew.journey.backfill import Backfill
from clew.journey.in_force import FlowBook
from clew.journey.rebuilder import Rebuilder
from clew.journey.ticker import Ticker
from clew.store.embedded import open_store
from tests.history.logs import ROWS, as_csv, as_json_lines, as_ocel, as_xes, write
from tests.serving import serving

CLEW = str(Path(sys.executable).with_name("clew"))


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    store = open_store(tmp_path_factory.mktemp("history"))
    yield store
    store.close()


@pytest.fixture(scope="module")
def url(store):
    book = FlowBook(store)
    book.start([])
    rebuilder = Rebuilder(store, lambda: book.current)
    ticker = Ticker(store, rebuilder, time.time_ns)
    with serving(create_api(ApiDeps(store, book, Backfill(store, rebuilder), None, ticker))) as url:
        yield url


@pytest.fixture
def clew(url):
    def run(*arguments, code=0):
        done = CliRunner().invoke(main, list(map(str, arguments)), env={"CLEW_URL": url})
        assert done.exit_code == code, done.output + repr(done.exception)
        return done.output

    return run


@pytest.fixture
def visits(store):
    """Stages of each order whose id begins so, in the order of its journey."""

    def read(prefix):
        rows = store.rows(
            "SELECT order_id, stages, imported, terminal FROM orders FINAL WHERE startsWith(order_id, {prefix:String})"
            " SETTINGS do_not_merge_across_partitions_select_final = 1",
            {"prefix": prefix},
        )
        assert all(row["imported"] for row in rows)
        return {row["order_id"].removeprefix(prefix): (row["stages"], row["terminal"]) for row in rows}

    return read


def renamed(prefix, rows=ROWS):
    return [{**row, "order_id": prefix + row["order_id"]} for row in rows]


def test_a_file_becomes_journeys_and_the_same_file_again_doubles_nothing(clew, visits, store, tmp_path):
    path = write(tmp_path, "orders.csv", as_csv(renamed("twice ") + renamed("twice ")[:1]))
    for _ in range(2):
        told = json.loads(clew("import", path, "--json"))
        assert (told["sent"], told["orders"], told["distinct"], told["repeats"]) == (True, 2, 3, 1)
        assert visits("twice ") == {"4711": (["SUBMITTED", "SHIPPED"], ""), "Ä 12": (["SUBMITTED"], "")}
        query = "SELECT count() AS n, groupArray(attrs) AS kept FROM order_events FINAL WHERE startsWith(order_id, 'twice ')"
        (row,) = store.rows(query)
        assert row["n"] == 3
        assert {"amount": "12.5"} in row["kept"]
    page = json.loads(clew("orders", "--all", "--prefix", "twice ", "--json"))
    assert {each["order_id"]: each["verdict"]["kind"] for each in page["items"]} == {
        "twice 4711": "on_time", "twice Ä 12": "on_time",
    }  # fmt: skip


def test_columns_without_a_role_are_told_as_attributes_in_their_order(clew, tmp_path):
    path = write(tmp_path, "orders.csv", b"b,order_id,a,stage,time\n1,2,3,A,2024-01-02T10:00:00Z\n")
    assert json.loads(clew("import", path, "--dry-run", "--json"))["attributes"] == ["b", "a"]


def test_a_dry_run_shows_what_was_understood_and_sends_nothing(clew, visits, tmp_path):
    path = write(tmp_path, "orders.csv", as_csv(renamed("dry ")) + b"dry 3,SUBMITTED,soon,b2c,1\n")
    output = clew("import", path, "--dry-run", code=1)
    for told in (
        "orders.csv: csv, 3 events from 2024-01-02", "order  order_id  guessed", "ISO 8601, zone as each time says", "amount",
        "2  SUBMITTED", "dry 4711", "SHIPPED", "BAD: 1", "line 5  time 'soon'", "a dry run: nothing was sent",
        "clew: 1 bad line: nothing would be sent\nmend: mend the lines, or leave them out with --max-errors 1",
    ):  # fmt: skip
        assert told in output, output
    assert "BAD: 1" in clew("import", path, "--dry-run", "--max-errors", "1")
    assert visits("dry ") == {}


def test_a_bad_line_stops_the_import_before_anything_is_sent_unless_it_is_allowed(clew, visits, tmp_path):
    path = write(tmp_path, "orders.csv", as_csv(renamed("bad ")) + b"bad 3,SUBMITTED,soon,b2c,1\n")
    list_ = tmp_path / "bad.csv"
    output = clew("import", path, "--bad-lines", list_, code=1)
    assert "clew: 1 bad line: nothing was sent\nmend: mend the lines, or leave them out with --max-errors 1" in output
    assert output.count("nothing was sent") == 1
    reason = "time 'soon': it isn't written as ISO 8601, 2026-11-22T08:15:00Z"
    assert list_.read_text().splitlines() == ["line,reason", f'5,"{reason}"']
    assert visits("bad ") == {}
    output = clew("import", path, "--max-errors", "1")
    assert "BAD: 1" in output
    assert "2 orders over 3 days, 3 events" in output
    assert re.search(r"stored as import (\d+); `clew import --undo \1` takes it back", output)
    assert set(visits("bad ")) == {"4711", "Ä 12"}


@pytest.mark.parametrize(
    ("arguments", "told", "mend", "code"),
    [
        (["--stage", "Phase"], "--stage Phase: there is no such column", "there are order_id, stage, at", 2),
        (["--zone", "Nowhere"], "'Nowhere' is no time zone", "--zone Europe/Berlin", 2),
        (["--time-format", "%H:%M"], "year, month and day", "%d/%m/%Y", 2),
        (["--time", "channel"], "not understood as times: 'b2c' in line 2", "--time-format", 1),
        (["--object-type", "order"], "--object-type is for OCEL", "leave it out", 2),
        (["--delimiter", "::"], "no single character", "--delimiter", 2),
        (["--encoding", "klingon"], "--encoding klingon", "cp1252", 2),
        (["--format", "xes"], "no whole XES log", "copy the file", 1),
        (["--bad-lines", "/nowhere/bad.csv"], "--bad-lines /nowhere/bad.csv can't be written", "name another file", 1),
        (["--query", "SELECT 1"], "give either a FILE, or --sql and --query", "", 2),
    ],
)
def test_what_cannot_be_understood_is_told_in_two_lines(clew, tmp_path, arguments, told, mend, code):
    output = clew("import", write(tmp_path, "orders.csv", as_csv(ROWS)), *arguments, code=code)
    assert told in output
    assert mend in output


def test_neither_a_file_nor_a_query_is_no_import(clew):
    assert "give a FILE, or --sql URL and --query SELECT" in clew("import", code=2)
    assert "--bind takes NAME=VALUE" in clew(
        "import", "--sql", "sqlite:///x", "--query", "SELECT 1", "--bind", "x", code=2
    )


def test_a_file_that_changes_while_it_is_read_is_told(clew, tmp_path, monkeypatch):
    path = write(tmp_path, "orders.csv", as_csv(renamed("change ")))

    def checked(*arguments):
        survey = check(*arguments)
        path.write_bytes(as_csv(renamed("change ")[:1]))
        return survey

    monkeypatch.setattr(import_module, "check", checked)
    assert "orders.csv changed while it was read: 3 events were checked, 1 sent" in clew("import", path, code=1)


def test_an_import_that_was_broken_off_is_mended_by_the_same_again(clew, visits, store, tmp_path, monkeypatch):
    path = write(tmp_path, "orders.csv", as_csv(renamed("broken ")))
    post, posts = Client.post, []

    def failing(self, place, body, params=None):
        posts.append(place)
        if len(posts) == 3:
            raise CommandError("the line is cut")
        return post(self, place, body, params)

    monkeypatch.setattr(transfer, "EVENTS_A_BODY", 1)
    monkeypatch.setattr(csv_lines, "BATCH_ROWS", 1)
    monkeypatch.setattr(Client, "post", failing)
    assert "the line is cut" in clew("import", path, code=1)
    assert posts[1].endswith("/events")
    monkeypatch.setattr(Client, "post", post)
    clew("import", path)
    assert visits("broken ") == {"4711": (["SUBMITTED", "SHIPPED"], ""), "Ä 12": (["SUBMITTED"], "")}
    stored = store.rows("SELECT count() AS n FROM order_events FINAL WHERE startsWith(order_id, 'broken ')")
    assert stored == [{"n": 3}]


def test_without_a_server_nothing_is_checked_for_nothing(tmp_path):
    path = write(tmp_path, "orders.csv", as_csv(ROWS))
    done = CliRunner().invoke(main, ["import", str(path), "--url", "http://127.0.0.1:9"])
    assert (done.exit_code, "no Clew answers at" in done.output) == (1, True)


def test_a_flow_may_be_named_that_nobody_declared(clew, store, tmp_path):
    path = write(tmp_path, "loans.jsonl", as_json_lines(renamed("loan ")))
    clew("import", path, "--flow", "loans")
    rows = store.rows("SELECT DISTINCT flow, flow_version FROM orders FINAL WHERE startsWith(order_id, 'loan ')")
    assert rows == [{"flow": "loans", "flow_version": 0}]


def test_rows_of_one_moment_give_one_journey_in_whatever_order_they_come(clew, visits, tmp_path):
    """Traps of real logs: unsorted rows, equal times; a declared flow's order of stages decides among those."""
    at = "2024-01-02T10:00:00Z"
    stages = ["INITIATED", "SUBMITTED", "PRICE_CALCULATED", "CLOSED"]
    rows = [{"order_id": "tie", "stage": stage, "at": at, "channel": "", "amount": ""} for stage in stages]
    for number in range(3):
        mixed = random.Random(number).sample(renamed(f"{number} ", rows), len(rows))
        clew("import", write(tmp_path, "ties.csv", as_csv(mixed)))
        assert visits(f"{number} ") == {"tie": (stages, "closed")}


def test_a_log_without_an_end_has_no_closed_orders(clew, visits, tmp_path):
    rows = [row for row in renamed("open ") if row["stage"] == "SUBMITTED"]
    clew("import", write(tmp_path, "open.xes", as_xes(rows)))
    assert {terminal for _, terminal in visits("open ").values()} == {""}


def test_traces_of_one_name_in_a_xes_log_are_one_order_loudly(clew, visits, tmp_path):
    rows = renamed("xes ", [ROWS[0], ROWS[2], ROWS[1]])
    output = clew("import", write(tmp_path, "log.xes.gz", as_xes(rows)))
    assert "1 traces carry the name of an earlier one: their events are merged into one order" in output
    assert visits("xes ") == {"4711": (["SUBMITTED", "SHIPPED"], ""), "Ä 12": (["SUBMITTED"], "")}


def test_orders_of_an_object_log_together_hold_more_events_than_the_log(clew, visits, tmp_path):
    log = as_ocel(renamed("ocel "))
    log["events"][0]["relationships"].append({"objectId": "ocel Ä 12", "qualifier": ""})
    path = write(tmp_path, "log.json", json.dumps(log).encode())
    assert "holds objects of several types: order (2), box (1)" in clew("import", path, code=1)
    told = json.loads(clew("import", path, "--object-type", "order", "--json"))
    assert told["distinct"] == 4 > len(log["events"])
    assert sum(len(stages) for stages, _ in visits("ocel ").values()) == 4


class Server:
    """Takes all, and remembers the size of what it got."""

    def __init__(self):
        self.bodies, self.slices = [], []

    def ready(self):
        return None

    def get(self, path):
        return []

    def post(self, path, body, params=None):
        if path.endswith("/events"):
            self.bodies.append(len(body))
        elif path.endswith("/rebuild"):
            self.slices.append(params["limit"])
        return {"import_id": "1", "rebuilt": 1, "orders": 1, "distinct": 1, "done": True}


@pytest.mark.parametrize(("where", "most_bytes", "orders"), [("--url", 12 << 20, 0), ("--data", 3 << 20, 1_000)])
def test_beside_the_engine_less_is_stored_at_once_so_that_one_process_stays_small(
    tmp_path, monkeypatch, where, most_bytes, orders
):
    rows = [{"order_id": f"{n}", "stage": "A", "at": "2024-01-02T10:00:00Z", "note": "x" * 900} for n in range(20_000)]
    path, server = write(tmp_path, "large.csv", as_csv(rows)), Server()
    monkeypatch.setattr(import_module, "open_client", lambda *_, **__: contextlib.nullcontext(server))
    done = CliRunner().invoke(main, ["import", str(path), where, str(tmp_path / "data")])
    assert done.exit_code == 0, done.output + repr(done.exception)
    assert most_bytes / 2 < max(server.bodies) <= most_bytes
    assert server.slices == [orders]


def test_history_is_taken_in_without_a_server_and_read_from_the_directory(tmp_path):
    path, data = write(tmp_path, "orders.csv", as_csv(ROWS)), tmp_path / "data"
    environment = {**os.environ, "CLEW_URL": "http://127.0.0.1:9"}

    def run(*arguments):
        command = [CLEW, *map(str, arguments), "--data", str(data), "--json"]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    assert run("import", path)["orders"] == 2
    page = run("orders", "--all")
    assert {each["order_id"] for each in page["items"]} == {"4711", "Ä 12"}
    assert {each["verdict"]["kind"] for each in page["items"]} == {"on_time"}
