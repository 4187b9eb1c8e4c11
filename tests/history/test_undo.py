"""Imports taken back: what is left tells the journeys, whatever happened on the way."""

import contextlib
import json
import threading
import time

import orjson
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clew.api import create_api
from clew.api.deps import ApiDeps
from clew.cli import import_undo
from clew.cli.main import main
from clew.journey import undo as undo_module
from clew.journey.backfill import Backfill
from clew.journey.in_force import FlowBook
from clew.journey.rebuilder import Rebuilder
from clew.journey.ticker import Ticker
from clew.journey.undo import Undoing
from clew.model.errors import StoreError
from clew.store.embedded import open_store
from clew.store.imports import (
    Import,
    Undo,
    known_imports,
    note_arrival,
    read_import,
    repeated_events,
    storing_events,
    unfinished_imports,
    write_import,
)
from clew.store.orders import read_order
from clew.store.render import Layout, render_undo
from tests.builders import ingest, logs, stage_event
from tests.history.logs import write
from tests.serving import serving

LONG_AGO = 1_600_000_000_000_000_000
DAY = 86_400 * 10**9
STAGES = ("INITIATED", "SUBMITTED", "PRICE_CALCULATED", "CANCELLED")


class Bench:
    """A store with what rebuilds and takes back; `again` is the same after a restart."""

    def __init__(self, store):
        self.store = store
        self.again()

    def again(self):
        self.book = book = FlowBook(self.store)
        book.start([])
        rebuilder = Rebuilder(self.store, lambda: book.current)
        self.backfill = Backfill(self.store, rebuilder)
        self.ticker = Ticker(self.store, rebuilder, time.time_ns)
        self.undoing = Undoing(self.backfill, self.book)

    def bring(self, rows, name="a file"):
        import_ = Import(time.time_ns(), name, "")
        write_import(self.store, import_)
        lines = b"\n".join(
            orjson.dumps([order, stage, at, "", "", "", "", 0, {"said": said}]) for order, stage, at, said in rows
        )
        self.store.import_events(lines, "", import_.import_id, f"{import_.import_id}")
        return self.rebuild(import_.import_id)

    def rebuild(self, import_id):
        while not (step := self.backfill.step(import_id)).done:
            pass
        return step

    def undo(self, import_):
        while (step := self.undoing.step(import_.import_id, 2)).undo is not Undo.DONE:
            pass
        return step

    def told(self, prefix=""):
        """What is told of each order."""
        rows = self.store.rows(
            "SELECT order_id, stages, entered_at, stage, terminal, imported, attrs, errors, bucket FROM orders FINAL "
            "WHERE startsWith(order_id, {prefix:String}) ORDER BY order_id "
            "SETTINGS do_not_merge_across_partitions_select_final = 1",
            {"prefix": prefix},
        )
        return {row.pop("order_id").removeprefix(prefix): row for row in rows}


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    store = open_store(tmp_path_factory.mktemp("undo"))
    yield Bench(store)
    store.close()


def rows_of(prefix, *events, said=""):
    return [(f"{prefix}{order}", stage, LONG_AGO + at, said) for order, stage, at in events]


def test_orders_of_which_nothing_else_tells_are_gone_and_others_are_as_before(bench):
    bench.bring(rows_of("one ", ("a", "INITIATED", 0), ("b", "INITIATED", 0)))
    before = bench.told("one ")
    wrong = bench.bring(
        rows_of("one ", ("a", "SUBMITTED", 3_600 * 10**9), ("a", "CANCELLED", 90 * DAY), ("c", "INITIATED", 5))
    )
    assert set(bench.told("one ")) == {"a", "b", "c"}
    assert bench.told("one ") != before
    done = bench.undo(wrong)
    assert (done.events, done.orders, done.rebuilt) == (3, 2, 2)
    assert bench.told("one ") == before
    assert read_order(bench.store, "one c") is None
    bench.store.command("OPTIMIZE TABLE order_events FINAL")
    bench.store.command("OPTIMIZE TABLE orders FINAL")
    assert bench.told("one ") == before
    assert bench.store.rows("SELECT count() AS n FROM undone_orders") == [{"n": 0}]


def test_live_telemetry_of_the_same_order_and_moment_stays(bench):
    now = time.time_ns()
    ingest(bench.store, now, logs("shop", stage_event("live", "SUBMITTED", now - DAY)))
    bench.ticker.tick()
    before = bench.told("live")
    wrong = bench.bring([("live", "SUBMITTED", now - DAY, ""), ("live", "INITIATED", now - 2 * DAY, "")])
    assert bench.told("live") != before
    bench.undo(wrong)
    assert bench.told("live") == before


EVENTS = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from(STAGES), st.sampled_from([0, DAY, 40 * DAY])),
                  min_size=1, max_size=8)  # fmt: skip


@settings(deadline=None, max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=EVENTS, second=EVENTS, merged=st.booleans(), number=st.uuids())
def test_the_second_of_two_imports_taken_back_leaves_what_the_first_alone_tells(bench, first, second, merged, number):
    """For events that both told it is so once the first is imported again: an event is one row, of its last teller."""
    prefix = f"{number} "
    told_first = rows_of(prefix, *first, said="first")
    kept = bench.bring(told_first)
    alone = bench.told(prefix)
    wrong = bench.bring(rows_of(prefix, *second, said="second"))
    if merged:
        bench.store.command("OPTIMIZE TABLE order_events FINAL")
    done = bench.undo(wrong)
    both = len(set(first) & set(second))
    shared = dict.fromkeys(each.import_id for each, _ in repeated_events(bench.store, done))
    if both == 0:
        assert bench.told(prefix) == alone
        assert kept.import_id not in shared
    else:
        assert merged <= (kept.import_id in shared)
        again = bench.bring(told_first)
        assert bench.told(prefix) == alone
        bench.undo(again)
    bench.undo(kept)
    assert bench.told(prefix) == {}


def test_what_may_have_gone_with_an_import_is_told_of_earlier_ones_with_its_number(bench):
    first = bench.bring(rows_of("rep ", ("a", "INITIATED", 1), ("b", "INITIATED", 1), ("c", "INITIATED", 1)), "first")
    apart = bench.bring(rows_of("rep ", ("d", "INITIATED", 1)), "apart")
    second = bench.bring(rows_of("rep ", ("a", "INITIATED", 1), ("b", "INITIATED", 1), ("e", "INITIATED", 1)), "second")
    bench.store.command("OPTIMIZE TABLE order_events FINAL")
    done = bench.undo(second)
    told = {each.import_id: events for each, events in repeated_events(bench.store, done)}
    assert told[first.import_id] == 2
    assert apart.import_id not in told
    assert set(bench.told("rep ")) == {"c", "d"}


@pytest.mark.parametrize("killed_at", range(8))
def test_an_undo_that_a_crash_ended_anywhere_is_finished_by_asking_again(bench, monkeypatch, killed_at):
    """Every statement that writes may be the last one of a process."""
    prefix = f"kill {killed_at} "
    bench.bring(rows_of(prefix, ("a", "INITIATED", 0), ("b", "INITIATED", 0), ("c", "INITIATED", 0)))
    before = bench.told(prefix)
    wrong = bench.bring(rows_of(prefix, *((order, "SUBMITTED", DAY) for order in "abcdef")))
    left = killed_at

    def dying(real):
        def call(*arguments):
            nonlocal left
            if left == 0:
                raise StoreError("killed")
            left -= 1
            return real(*arguments)

        return call

    with monkeypatch.context() as patch:
        for each in ("insert", "command"):
            patch.setattr(bench.store, each, dying(getattr(bench.store, each)))
        with pytest.raises(StoreError):
            bench.undo(wrong)
    bench.again()
    bench.undo(wrong)
    assert bench.told(prefix) == before


def test_an_undo_that_nobody_goes_on_with_is_finished_by_the_server_after_a_minute(bench, monkeypatch):
    wrong = bench.bring(rows_of("left ", ("a", "INITIATED", 0)))
    bench.undoing.step(wrong.import_id)
    assert not bench.undoing.step_forsaken()
    bench.again()
    later = time.time_ns() + 120 * 10**9
    monkeypatch.setattr(undo_module.time, "time_ns", lambda: later)
    while bench.undoing.step_forsaken():
        pass
    assert read_import(bench.store, wrong.import_id).undo is Undo.DONE
    assert bench.told("left ") == {}


def test_events_that_were_being_stored_when_the_undo_began_go_too(bench):
    wrong = bench.bring(rows_of("late ", ("a", "INITIATED", 0)))
    storing, noted = threading.Event(), threading.Event()

    def store():
        with storing_events(bench.store, wrong.import_id) as known:
            storing.set()
            noted.wait(20)
            line = orjson.dumps(["late b", "INITIATED", LONG_AGO, "", "", "", "", 0, {}])
            bench.store.import_events(line, "", known.import_id, "late")
            note_arrival(bench.store, known)

    arriving = threading.Thread(target=store)
    arriving.start()
    storing.wait(20)
    undoing = threading.Thread(target=bench.undo, args=(wrong,))
    undoing.start()
    while read_import(bench.store, wrong.import_id).undo is Undo.NONE:
        time.sleep(0.01)
    noted.set()
    arriving.join()
    undoing.join()
    assert bench.told("late ") == {}
    assert not [each for each in unfinished_imports(bench.store) if each.import_id == wrong.import_id]
    left = bench.store.rows("SELECT count() AS n FROM order_events WHERE startsWith(order_id, 'late ')")
    assert left == [{"n": 0}]


def test_a_flow_that_is_applied_or_dropped_later_leaves_what_was_taken_back_alone(bench):
    wrong = bench.bring(rows_of("flow ", ("a", "SPRING", 0)))
    bench.undo(wrong)
    bench.book.apply("flow: seasons\nversion: 1\npaths: {any: [SPRING]}\nstages:\n  SPRING: {terminal: closed}\n")
    assert wrong.import_id not in {
        each.import_id for each in (*unfinished_imports(bench.store), *known_imports(bench.store))
    }
    bench.book.drop("seasons")
    assert bench.told("flow ") == {}


def test_a_second_undo_while_one_takes_long_is_told_how_far_that_is(bench, monkeypatch):
    wrong = bench.bring(rows_of("busy ", ("a", "INITIATED", 0)))
    monkeypatch.setattr(undo_module, "_BUSY_S", 0.05)
    with undo_module._stepping:
        assert bench.undoing.step(wrong.import_id).undo is Undo.EVENTS
    assert bench.undo(wrong).undo is Undo.DONE


def test_a_cluster_deletes_on_every_node():
    alone, everywhere = render_undo(Layout()), render_undo(Layout(cluster="shop"))
    assert [each.replace("_local ON CLUSTER 'shop'", "") for each in everywhere] == list(alone)
    assert [each.count("_local ON CLUSTER 'shop'") for each in everywhere] == [0, 1, 1]


@pytest.fixture
def clew(bench):
    deps = ApiDeps(bench.store, bench.book, bench.backfill, None, bench.ticker)
    with serving(create_api(deps)) as url:

        def run(*arguments, code=0, **more):
            done = CliRunner().invoke(main, ["import", *map(str, arguments)], env={"CLEW_URL": url}, **more)
            assert done.exit_code == code, done.output + repr(done.exception)
            return done.output

        yield run


def csv_of(prefix):
    return f"order_id,stage,time\n{prefix}1,INITIATED,2024-01-02T10:00:00Z\n{prefix}1,SUBMITTED,2024-01-02T11:00:00Z\n".encode()


def test_imports_are_listed_and_taken_back_on_the_command_line(clew, bench, tmp_path):
    import_id = json.loads(clew(write(tmp_path, "wrong.csv", csv_of("cli ")), "--json"))["import_id"]
    listed = clew("--list")
    assert import_id in listed
    assert "wrong.csv" in listed
    assert "2 events of 1 order" in listed
    mine = next(each for each in json.loads(clew("--list", "--json")) if each["import_id"] == import_id)
    assert (mine["events"], mine["orders"], mine["done"], mine["undoing"]) == (2, 1, True, False)
    told = clew("--undo", import_id, "--yes")
    assert "wrong.csv is taken back: 2 events; 1 order rebuilt from what is left" in told
    assert bench.told("cli ") == {}
    assert import_id not in clew("--list")
    again = json.loads(clew("--undo", import_id, "--yes", "--json"))
    assert (again["done"], again["already"]) == (True, True)
    assert "wrong.csv was taken back already: 2 events; 1 order" in clew("--undo", import_id, "--yes")


def test_what_was_told_again_is_said_with_what_to_do(clew, bench, tmp_path):
    path = write(tmp_path, "nightly.csv", csv_of("again "))
    ids = [json.loads(clew(path, "--json"))["import_id"] for _ in range(2)]
    bench.store.command("OPTIMIZE TABLE order_events FINAL")
    told = clew("--undo", ids[1], "--yes")
    assert f"up to 2 events that nightly.csv (import {ids[0]}) told may have gone with it" in told
    assert "import that once more" in told
    clew(path)
    assert set(bench.told("again ")) == {"1"}


@contextlib.contextmanager
def a_person_there(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(import_undo, "_somebody_there", lambda: True)
        yield


def test_somebody_is_asked_unless_yes_was_said(clew, bench, tmp_path, monkeypatch):
    import_id = json.loads(clew(write(tmp_path, "asked.csv", csv_of("asked ")), "--json"))["import_id"]
    assert "nobody is there to ask whether that is meant\nmend: say --yes" in clew("--undo", import_id, code=2)
    with a_person_there(monkeypatch):
        assert "nothing was taken back" in clew("--undo", import_id, code=1, input="n\n")
        assert set(bench.told("asked ")) == {"1"}
        asked = clew("--undo", import_id, input="y\n")
    assert "take back asked.csv, imported 2" in asked
    assert "2 events of 1 order? [y/N]" in asked
    assert bench.told("asked ") == {}


@pytest.mark.parametrize(
    ("arguments", "told", "code"),
    [
        (["--undo", "7", "--yes"], "no import 7\nmend: see `clew import --list`", 3),
        (["--undo", "seven"], "'seven' is not a valid integer", 2),
        (["--list", "--undo", "7"], "--list and --undo stand alone", 2),
        (["--list", "--zone", "UTC"], "--list and --undo stand alone", 2),
        (["--yes"], "give a FILE", 2),
    ],
)
def test_what_is_wrong_is_said_in_plain_words(clew, arguments, told, code):
    assert told in clew(*arguments, code=code)
