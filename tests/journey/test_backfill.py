"""Imported history over the real store: stored whole or not at all, rebuilt in slices, and nobody's to watch."""

import time

import orjson
import pytest

from clew.journey.backfill import Backfill
from clew.journey.in_force import FlowBook
from clew.journey.judge import judge
from clew.journey.rebuilder import Rebuilder
from clew.journey.ticker import Ticker
from clew.model.errors import MalformedHistory
from clew.model.journey import VerdictKind
from clew.store.embedded import open_store
from clew.store.facts import read_events
from clew.store.imports import Import, imported_orders, note_arrival, read_import, unfinished_imports, write_import
from clew.store.orders import OrderFilter, count_orders, find_orders, read_order
from tests.builders import ingest, logs, stage_event

FLOW = """
flow: rings
version: 1
paths: {b2c: [ORDERED]}
stages:
  ORDERED: {service: shop, limit: 30m, next: [MADE]}
  MADE: {service: mes, limit: 1h, next: [SHIPPED]}
  SHIPPED: {service: mes, terminal: closed}
"""
NOW = time.time_ns()
DAY = 86_400 * 10**9
LONG_AGO = NOW - 900 * DAY


class Bench:
    def __init__(self, store):
        self.store = store
        self.book = FlowBook(store)
        self.book.start([FLOW])
        rebuilder = Rebuilder(store, lambda: self.book.current)
        self.backfill = Backfill(store, rebuilder)
        self.ticker = Ticker(store, rebuilder, time.time_ns)

    def begin(self, flow=""):
        import_ = Import(time.time_ns(), "a file", flow)
        write_import(self.store, import_)
        return import_

    def bring(self, *rows, flow=""):
        """Import rows of (order, stage, time, attributes) whole."""
        import_ = self.begin(flow)
        self.store.import_events(lines(*rows), flow, import_.import_id, f"token-{import_.import_id}")
        return self.rebuild(import_)

    def rebuild(self, import_):
        while not (step := self.backfill.step(import_.import_id, 2)).done:
            pass
        return step

    def receive(self, import_, *rows):
        """A body of events, as the API takes it."""
        self.store.import_events(lines(*rows), import_.flow, import_.import_id, f"{import_.import_id} {rows}")
        note_arrival(self.store, read_import(self.store, import_.import_id))

    def stages(self, order_id):
        journey = read_order(self.store, order_id)
        return journey and [each.stage for each in journey.visits]


def lines(*rows):
    return b"\n".join(
        orjson.dumps([order, stage, at, "b2c", "shop", "", "anna-9931", 0, attributes[0] if attributes else {}])
        for order, stage, at, *attributes in rows
    )


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    store = open_store(tmp_path_factory.mktemp("backfill"))
    yield Bench(store)
    store.close()


def test_history_of_any_age_is_rebuilt_slice_by_slice_and_outlives_the_retention(bench):
    rows = [
        (f"old-{number}", stage, LONG_AGO + step)
        for number in range(5)
        for step, stage in enumerate(("ORDERED", "MADE", "SHIPPED"))
    ]
    done = bench.bring(*rows)
    assert (done.rebuilt, done.done) == (5, True)
    assert done.events == 15
    bench.store.command("OPTIMIZE TABLE order_events FINAL")
    bench.store.command("OPTIMIZE TABLE orders FINAL")
    assert [bench.stages(f"old-{number}") for number in range(5)] == [["ORDERED", "MADE", "SHIPPED"]] * 5
    assert read_order(bench.store, "old-1").terminal == "closed"


def test_an_open_order_of_an_import_is_never_stuck_nor_among_the_open_ones(bench):
    bench.bring(("open", "ORDERED", LONG_AGO))
    open_ones = find_orders(bench.store, OrderFilter(open_only=True), NOW).items
    assert "open" not in [each.order_id for each in open_ones]
    assert count_orders(bench.store, OrderFilter(order_prefix="open"), NOW) == {VerdictKind.ON_TIME: 1}
    journey = read_order(bench.store, "open")
    assert journey.imported
    assert judge(journey, bench.book.current[0].flow, LONG_AGO + 2 * DAY).reason == (
        "last seen in ORDERED 2 days ago, by imported history alone: nobody watches it"
    )


def test_importing_again_doubles_nothing(bench):
    rows = [
        ("again", "ORDERED", LONG_AGO, {"metal": "tin"}),
        ("again", "ORDERED", LONG_AGO + 1),
        ("again", "MADE", LONG_AGO + 2),
    ]
    bench.bring(*rows)
    bench.bring(*rows)
    assert bench.stages("again") == ["ORDERED", "ORDERED", "MADE"]
    assert read_order(bench.store, "again").attributes == {"metal": "tin"}
    row = bench.store.rows("SELECT count() AS n, any(stages) AS s FROM orders FINAL WHERE order_id = 'again'")[0]
    assert row == {"n": 1, "s": ["ORDERED", "ORDERED", "MADE"]}


def test_nobody_has_no_facts(bench):
    assert read_events(bench.store, ["nobody"]) == {}


def test_names_and_values_of_attributes_come_back_as_they_were(bench):
    told = {'quo"te': "back\\slash/ and \n line", "größe": "—", "": "no name", "empty": ""}
    bench.bring(("odd attributes", "ORDERED", LONG_AGO, told), ("odd attributes", "MADE", LONG_AGO + 1))
    assert read_order(bench.store, "odd attributes").attributes == dict(sorted(told.items()))


def test_attributes_that_are_no_utf8_are_shown_with_marks(bench):
    import_ = bench.begin()
    line = lines(("no utf-8", "ORDERED", LONG_AGO, {"metal": "tin"})).replace(b'"tin"', b'"t\xffn"')
    bench.store.import_events(line, "", import_.import_id, "no utf-8")
    bench.rebuild(import_)
    assert read_order(bench.store, "no utf-8").attributes == {"metal": "t\ufffdn"}


def test_telemetry_of_an_imported_order_makes_it_one_to_watch(bench):
    bench.bring(("goes-on", "ORDERED", NOW - 3 * DAY))
    ingest(bench.store, time.time_ns(), logs("mes", stage_event("goes-on", "MADE", NOW - DAY)))
    bench.ticker.tick()
    journey = read_order(bench.store, "goes-on")
    assert (journey.stage, journey.imported, journey.deadline_at_ns) == ("MADE", False, NOW - DAY + 3600 * 10**9)
    assert bench.store.rows("SELECT count() AS n FROM orders FINAL WHERE order_id = 'goes-on'") == [{"n": 1}]


def test_history_may_follow_a_flow_that_is_declared_later(bench):
    bench.bring(("loan", "APPLIED", LONG_AGO), ("loan", "PAID", LONG_AGO + 1), flow="loans")
    assert (read_order(bench.store, "loan").flow, read_order(bench.store, "loan").terminal) == ("loans", None)
    bench.book.apply(
        "flow: loans\nversion: 1\npaths: {any: [APPLIED]}\nstages:\n  APPLIED: {next: [PAID]}\n  PAID: {terminal: closed}\n"
    )
    again = [each for each in unfinished_imports(bench.store) if each.flow == "loans"]
    assert len(again) == 1
    bench.rebuild(again[0])
    assert read_order(bench.store, "loan").terminal == "closed"


@pytest.mark.parametrize(
    "wrong",
    [
        lines(("", "ORDERED", LONG_AGO)),
        lines(("x", "", LONG_AGO)),
        lines(("x", "ORDERED", 0)),
        lines(("x", "ORDERED", 1 << 62 | 1)),
        lines(("x" * 1001, "ORDERED", LONG_AGO)),
        lines(("x", "x" * 1001, LONG_AGO)),
        lines(("x", "ORDERED", LONG_AGO)).replace(b",0,{", b",-5,{"),
        lines(("x", "ORDERED", LONG_AGO)).replace(b'"x"', b'"\\ud800"'),
        b'["x", "ORDERED"]',
        b'["x", "ORDERED", "yesterday", "", "", "", "", 0, {}]',
        b"{}",
        b"no json",
    ],
    ids=range(12),
)
def test_of_a_request_with_a_wrong_line_nothing_is_stored(bench, wrong):
    import_ = bench.begin()
    with pytest.raises(MalformedHistory):
        bench.store.import_events(lines(("good", "ORDERED", LONG_AGO)) + b"\n" + wrong, "", import_.import_id, "t")
    assert imported_orders(bench.store, import_.import_id, "", 10) == []


def test_user_ids_of_an_import_are_masked_like_all_others(bench):
    bench.bring(("masked", "ORDERED", LONG_AGO, {"user.email": "anna@example.com", "url.full": "http://x/y?token=1"}))
    row = bench.store.rows("SELECT user_id, attrs FROM order_events WHERE order_id = 'masked'")[0]
    assert row == {"user_id": "…9931", "attrs": {"user.email": "….com", "url.full": "http://x/y"}}


def test_an_import_that_its_client_left_is_finished_by_the_server(bench, monkeypatch):
    import_ = bench.begin()
    bench.store.import_events(lines(("left", "ORDERED", LONG_AGO)), "", import_.import_id, "left")
    mine = lambda: read_import(bench.store, import_.import_id).done  # noqa: E731
    bench.backfill.step_forsaken()
    assert not mine()
    later = time.time_ns() + 120 * 10**9
    monkeypatch.setattr("clew.journey.backfill.time.time_ns", lambda: later)
    while bench.backfill.step_forsaken():
        pass
    assert mine()
    assert bench.stages("left") == ["ORDERED"]


def test_events_that_come_after_the_server_took_an_import_over_become_journeys_too(bench, monkeypatch):
    import_ = bench.begin()
    bench.receive(import_, ("m-0", "ORDERED", LONG_AGO), ("m-1", "ORDERED", LONG_AGO))
    later = time.time_ns() + 120 * 10**9
    with monkeypatch.context() as patch:
        patch.setattr("clew.journey.backfill.time.time_ns", lambda: later)
        while bench.backfill.step_forsaken():
            pass
    assert read_import(bench.store, import_.import_id).done
    bench.receive(import_, ("a-1", "ORDERED", LONG_AGO), ("m-0", "MADE", LONG_AGO + 1))
    done = bench.rebuild(import_)
    assert (done.events, done.rebuilt) == (4, 3)
    assert (bench.stages("a-1"), bench.stages("m-0")) == (["ORDERED"], ["ORDERED", "MADE"])


def test_a_flow_that_is_applied_during_a_slice_judges_that_slice_too(bench, monkeypatch):
    import_ = bench.begin("seasons")
    bench.receive(import_, *((f"s-{number}", "SPRING", LONG_AGO) for number in range(4)))
    flow = "flow: seasons\nversion: {}\npaths: {{any: [SPRING]}}\nstages:\n  SPRING: {{terminal: closed}}\n"
    whole = bench.backfill.rebuilder.rebuild_whole

    def meanwhile(ids):
        done = whole(ids)
        monkeypatch.undo()
        bench.book.apply(flow.format(7))
        return done

    monkeypatch.setattr(Rebuilder, "rebuild_whole", lambda _, ids: meanwhile(ids))
    bench.rebuild(import_)
    assert {read_order(bench.store, f"s-{number}").flow_version for number in range(4)} == {7}


def test_an_import_may_correct_an_earlier_one(bench):
    for flow, metal in (("first", "tin"), ("second", "gold"), ("third", "iron")):
        bench.bring(("corrected", "ORDERED", LONG_AGO, {"metal": metal}), flow=flow)
        journey = read_order(bench.store, "corrected")
        assert (journey.flow, journey.attributes) == (flow, {"metal": metal})


def test_a_journey_outlives_the_telemetry_it_was_made_of(bench):
    bench.bring(("outlives", "ORDERED", NOW - 3 * DAY))
    ingest(
        bench.store, time.time_ns(),
        logs("mes", stage_event("outlives", "MADE", NOW - 2 * DAY), stage_event("outlives", "SHIPPED", NOW - DAY)),
    )  # fmt: skip
    bench.ticker.tick()
    bench.store.command("DELETE FROM order_events WHERE order_id = 'outlives' AND source != 'import'")
    bench.book.apply(FLOW)
    for each in unfinished_imports(bench.store):
        bench.rebuild(each)
    journey = read_order(bench.store, "outlives")
    assert ([each.stage for each in journey.visits], journey.terminal) == (["ORDERED", "MADE", "SHIPPED"], "closed")


def test_history_that_came_again_is_judged_anew_once(bench):
    rows = [(f"nightly-{number}", "DUSK", LONG_AGO) for number in range(3)]
    for _ in range(3):
        bench.bring(*rows, flow="nights")
    bench.book.apply("flow: nights\nversion: 1\npaths: {any: [DUSK]}\nstages:\n  DUSK: {terminal: closed}\n")
    again = [each for each in unfinished_imports(bench.store) if each.flow == "nights"]
    assert len(again) == 3
    assert sum(bench.rebuild(each).rebuilt for each in again) == 3
    assert read_order(bench.store, "nightly-1").terminal == "closed"
