"""The ticker over the real store: what arrives, in whatever way, becomes one true row an order."""

import random
import time
import types
from dataclasses import dataclass, field

import pytest

from clew.flow import parse_flow
from clew.journey import rebuilder
from clew.journey import ticker as ticker_module
from clew.journey.in_force import FlowBook, LastFlow
from clew.journey.judge import judge
from clew.journey.rebuilder import Rebuilder, choose_flow
from clew.journey.ticker import Ticker
from clew.model.journey import VerdictKind
from clew.store.contract import Batch, Signal
from clew.store.embedded import open_store
from clew.store.marks import write_mark
from clew.store.order_spans import order_spans
from clew.store.orders import OrderFilter, count_orders, find_orders, read_order, sweep_open_orders
from tests.builders import ingest, logs, span, span_hex, stage_event, traces

NOW = time.time_ns()  # arrivals are forgotten after hours, so these can't lie in the past
MINUTE = 60_000_000_000
FLOW = """
flow: rings
version: 1
paths: {b2c: [ORDERED]}
stages:
  ORDERED: {service: shop, limit: 30m, next: [MADE, CANCELLED]}
  MADE: {service: mes, limit: 1h, next: [SHIPPED]}
  SHIPPED: {service: mes, terminal: closed}
  CANCELLED: {terminal: cancelled}
"""


@dataclass
class Bench:
    """A store with a flow in force and a ticker whose clock stands at the last arrival."""

    store: object
    now_ns: int = NOW
    book: FlowBook = field(init=False)
    ticker: Ticker = field(init=False)

    def __post_init__(self):
        self.book = FlowBook(self.store)
        self.book.start([FLOW])
        self.restart()

    def restart(self):
        self.ticker = Ticker(self.store, Rebuilder(self.store, lambda: self.book.current), lambda: self.now_ns)

    def settle(self):
        """Rebuild what other tests left behind, such as orders of a flow that one dropped without a tick."""
        self.ticker.tick()

    def arrive(self, *requests):
        self.now_ns += 1_000_000
        ingest(self.store, self.now_ns, *requests)

    def verdict(self, order_id, now_ns=NOW):
        journey = read_order(self.store, order_id)
        return judge(journey, self.book.current[0].flow, now_ns)

    def stages(self, order_id):
        journey = read_order(self.store, order_id)
        return [each.stage for each in journey.milestones] if journey else None


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    store = open_store(tmp_path_factory.mktemp("ticker"))
    yield Bench(store)
    store.close()


def event(order_id, stage, ago_min, service="shop", **attrs):
    return logs(service, stage_event(order_id, stage, NOW - ago_min * MINUTE, **attrs))


def test_an_order_is_rebuilt_once_for_what_arrived(bench):
    bench.settle()
    bench.arrive(event("once", "ORDERED", 50))
    assert bench.ticker.tick() == 1
    assert bench.ticker.tick() == 0
    assert bench.verdict("once").kind is VerdictKind.STUCK
    assert "in ORDERED for 50 min, allowed 30 min" in bench.verdict("once").reason


def test_what_arrives_while_a_batch_is_uncommitted_is_not_overtaken(bench):
    bench.settle()
    early_ns = bench.now_ns
    bench.arrive(event("late-commit-a", "ORDERED", 5))
    settled, bench.ticker.settled_ns = bench.ticker.settled_ns, lambda: early_ns
    assert bench.ticker.tick() == 1
    ingest(bench.store, early_ns, event("late-commit-b", "ORDERED", 5))  # stamped earlier, committed later
    assert bench.ticker.tick() == 1
    bench.ticker.settled_ns = settled
    assert bench.stages("late-commit-b") == ["ORDERED"]


def test_an_alias_that_becomes_visible_after_its_event_joins_the_journeys(bench):
    bench.arrive(event("D88", "MADE", 40, "mes"))
    bench.arrive(event("4788", "ORDERED", 80, order__alias__crm_deal="D88"))
    bench.store.command("DELETE FROM trace_orders WHERE ref = 'D88'")  # as if the batch were still being written
    whole, bench.ticker.whole_ns = bench.ticker.whole_ns, lambda: bench.now_ns - 1
    bench.ticker.tick()
    assert bench.stages("4788") == ["ORDERED"]
    columns = ("relation", "ref", "target", "first_ts", "last_ts")
    bench.store.insert("trace_orders", columns, [("alias", "D88", "4788", bench.now_ns, bench.now_ns)])
    bench.ticker.whole_ns = whole
    bench.ticker.tick()
    assert bench.stages("4788") == ["ORDERED", "MADE"]
    assert bench.ticker.tick() == 0


def test_a_closed_order_leaves_the_open_ones(bench):
    bench.arrive(event("closes", "ORDERED", 90))
    bench.ticker.tick()
    assert "closes" in open_ids(bench)
    bench.arrive(event("closes", "MADE", 60, "mes"), event("closes", "SHIPPED", 30, "mes"))
    bench.ticker.tick()
    assert "closes" not in open_ids(bench)
    assert bench.verdict("closes").kind is VerdictKind.CLOSED
    assert rows_of(bench, "closes") == 1


def test_a_late_fact_moves_a_closed_order_to_the_week_in_which_it_really_ended(bench):
    week = 7 * 24 * 60
    bench.arrive(event("moves", "ORDERED", 3 * week), event("moves", "SHIPPED", 10, "mes"))
    bench.ticker.tick()
    bench.arrive(event("moves", "CANCELLED", 2 * week))
    bench.ticker.tick()
    assert bench.verdict("moves").kind is VerdictKind.CANCELLED
    assert rows_of(bench, "moves") == 1


@pytest.mark.parametrize(
    "later",
    [
        pytest.param([("SHIPPED", 30, "mes", {})], id="the end again"),
        pytest.param([("SHIPPED", 31, "crm", {})], id="the end, told by another service as well"),
        pytest.param([("ORDERED", 90, "shop", {})], id="what was before it again"),
        pytest.param([("MADE", 60, "mes", {})], id="what was before it"),
        pytest.param([("MADE", 10, "mes", {})], id="what came after it"),
        pytest.param([("", 10, "crm", {"order__hold": True})], id="a hold"),
        pytest.param([("", 10, "crm", {"order__alias__crm_deal": "D-{}"})], id="an alias"),
        pytest.param([("ORDERED", 80, "crm", {"order__id": "0-{}", "order__alias__shop": "{}"})], id="its first id"),
    ],
)
def test_when_an_end_arrived_first_is_not_changed_by_what_arrives_later(bench, later, request):
    order_id = request.node.callspec.id
    bench.arrive(event(order_id, "ORDERED", 90), event(order_id, "SHIPPED", 30, "mes"))
    told_ns = bench.now_ns
    bench.ticker.tick()
    for stage, ago_min, service, attrs in later:
        named = {key: value.format(order_id) if isinstance(value, str) else value for key, value in attrs.items()}
        bench.arrive(event(named.pop("order__id", order_id), stage, ago_min, service, **named))
    assert bench.ticker.tick() >= 1
    assert bench.verdict(order_id).kind is VerdictKind.CLOSED
    assert told_of(bench, order_id) == told_ns


def test_an_end_that_was_not_known_before_arrived_when_it_did(bench):
    bench.arrive(event("ends", "ORDERED", 90))
    bench.ticker.tick()
    bench.arrive(event("ends", "MADE", 60, "mes"))
    bench.ticker.tick()
    assert told_of(bench, "ends") == 0
    bench.arrive(event("ends", "SHIPPED", 30, "mes"))
    bench.ticker.tick()
    assert told_of(bench, "ends") == bench.now_ns
    bench.arrive(event("ends", "CANCELLED", 40))
    bench.ticker.tick()
    assert bench.verdict("ends").kind is VerdictKind.CANCELLED
    assert told_of(bench, "ends") == bench.now_ns


def test_an_end_that_is_derived_again_is_no_news(bench):
    ends = "SHIPPED: {service: mes, terminal: closed, rules: [{service: till, span: "
    ruled = FLOW.replace("SHIPPED: {service: mes, terminal: closed", ends + "'ship'}]")
    bench.arrive(event("derived-1", "ORDERED", 90), event("derived-2", "ORDERED", 90))
    bench.arrive(traces("till", span(50, 1, NOW - 50 * MINUTE, name="ship", order__id="derived-1")))
    bench.ticker.tick()
    bench.book.apply(ruled)
    bench.arrive(traces("till", span(51, 1, NOW - 50 * MINUTE, name="ship", order__id="derived-2")))
    told_ns = bench.now_ns
    bench.ticker.tick()
    assert (bench.stages("derived-1"), told_of(bench, "derived-2")) == (["ORDERED"], told_ns)
    bench.book.apply(ruled.replace("limit: 30m", "limit: 31m"), since_ns=NOW - 60 * MINUTE)
    bench.ticker.tick()
    assert bench.stages("derived-1") == bench.stages("derived-2") == ["ORDERED", "SHIPPED"]
    assert (told_of(bench, "derived-1"), told_of(bench, "derived-2")) == (0, told_ns)
    bench.book.apply(FLOW, since_ns=NOW - 60 * MINUTE)
    bench.ticker.tick()


def told_of(bench, order_id):
    """When the end of an order arrived first, as its row tells (Unix ns)."""
    (row,) = bench.store.rows(
        "SELECT toUnixTimestamp64Nano(told) AS at FROM orders FINAL WHERE order_id = {id:String}",
        {"id": read_order(bench.store, order_id).order_id},
    )
    return row["at"]


def test_an_alias_that_is_learned_late_joins_two_journeys_into_one(bench):
    bench.arrive(event("D77", "MADE", 40, "mes"))
    bench.ticker.tick()
    assert bench.stages("D77") == ["MADE"]
    bench.arrive(event("4711", "ORDERED", 80, order__alias__crm_deal="D77"))
    bench.ticker.tick()
    assert bench.stages("4711") == ["ORDERED", "MADE"]
    assert read_order(bench.store, "D77").order_id == "4711"
    assert "D77" not in open_ids(bench)
    bench.arrive(event("D77", "SHIPPED", 1, "mes"))
    bench.ticker.tick()
    assert bench.verdict("4711").kind is VerdictKind.CLOSED


def test_shuffled_late_and_repeated_events_give_the_same_row(bench):
    steps = [("ORDERED", 100, "shop"), ("MADE", 70, "mes"), ("ORDERED", 60, "shop"), ("MADE", 50, "mes")]
    for seed in range(4):
        mixed = random.Random(seed)
        events = [event(f"mix-{seed}", *step) for step in steps] * 2
        mixed.shuffle(events)
        while events:
            part = mixed.randint(1, len(events))
            bench.arrive(*events[:part])
            del events[:part]
            bench.ticker.tick()
        assert bench.stages(f"mix-{seed}") == ["ORDERED", "MADE", "ORDERED", "MADE"]


def test_a_new_ticker_after_a_crash_repeats_and_changes_nothing(bench):
    bench.arrive(event("crash", "ORDERED", 10))
    bench.ticker.tick()
    before = find_orders(bench.store, OrderFilter(), NOW, limit=500).items
    bench.arrive(event("crash-unseen", "ORDERED", 10))
    bench.restart()
    assert bench.ticker.tick() >= 2
    after = [
        each
        for each in find_orders(bench.store, OrderFilter(), NOW, limit=500).items
        if each.order_id != "crash-unseen"
    ]
    assert after == list(before)
    assert bench.stages("crash-unseen") == ["ORDERED"]


def test_a_clock_that_was_set_back_hides_nothing_from_a_new_ticker(bench):
    write_mark(bench.store, "ticker", NOW + 60 * MINUTE)
    bench.arrive(event("set-back", "ORDERED", 10))
    bench.restart()
    bench.ticker.tick()
    write_mark(bench.store, "ticker", 0)
    assert bench.stages("set-back") == ["ORDERED"]


def test_sweeping_removes_tombstones_and_no_order(bench):
    open_before = open_ids(bench)
    sweep_open_orders(bench.store)
    assert open_ids(bench) == open_before
    assert bench.store.rows("SELECT count() AS n FROM orders WHERE bucket = toDate(0) AND gone = 1") == [{"n": 0}]


def test_pages_are_worst_first_and_hold_every_order_once(bench):
    bench.arrive(*(event(f"page-{n:03}", "ORDERED", 5 + n, order__path="pages") for n in range(45)))
    bench.ticker.tick()
    seen, after = [], None
    while True:
        page = find_orders(bench.store, OrderFilter(path="pages"), NOW, limit=10, after=after)
        seen += page.items
        after = page.next
        if after is None:
            break
    ids = [each.order_id for each in seen]
    assert len(ids) == len(set(ids)) == 45
    kinds = [judge(each, bench.book.current[0].flow, NOW).kind for each in seen]
    assert kinds == sorted(kinds, key=list(VerdictKind).index)
    assert ids[0] == "page-044"
    assert count_orders(bench.store, OrderFilter(path="pages"), NOW) == {kind: kinds.count(kind) for kind in set(kinds)}


def test_the_list_and_the_judge_agree_at_any_moment(bench):
    for ahead_min in (-5, 0, 7, 25, 31, 120):
        now_ns = NOW + ahead_min * MINUTE
        for kind in VerdictKind:
            found = find_orders(bench.store, OrderFilter(verdicts=(kind,)), now_ns, limit=500).items
            assert {judge(each, bench.book.current[0].flow, now_ns).kind for each in found} <= {kind}


@pytest.mark.parametrize(
    ("filter_", "expected"),
    [
        (OrderFilter(user_id="…9999"), {"find-1"}),
        (OrderFilter(alias="JOB-1"), {"find-2"}),
        (OrderFilter(trace_id=f"{3:02x}" + "00" * 14 + "03"), {"find-3"}),
        (OrderFilter(order_prefix="find-"), {"find-1", "find-2", "find-3"}),
        (OrderFilter(stage="MADE", order_prefix="find-"), {"find-2"}),
        (OrderFilter(order_prefix="' OR 1=1"), set()),
    ],
)
def test_orders_are_found_by_user_alias_trace_stage_and_prefix(bench, filter_, expected):
    bench.arrive(
        event("find-1", "ORDERED", 3, user__id="user-9999"),
        event("find-2", "MADE", 3, order__alias__job="JOB-1"),
        event("find-3", "ORDERED", 3),
        traces("shop", span(3, 1, NOW, order__id="find-3")),
    )
    bench.ticker.tick()
    assert {each.order_id for each in find_orders(bench.store, filter_, NOW).items} == expected


def test_a_changed_limit_judges_open_orders_at_once(bench):
    bench.arrive(event("limits", "ORDERED", 20))
    bench.ticker.tick()
    assert bench.verdict("limits").kind is VerdictKind.ON_TIME
    bench.book.apply(FLOW.replace("limit: 30m", "limit: 10m"))
    bench.ticker.tick()
    assert bench.verdict("limits").kind is VerdictKind.STUCK
    bench.book.apply(FLOW)
    bench.ticker.tick()
    assert bench.verdict("limits").kind is VerdictKind.ON_TIME


def test_a_rule_applies_from_then_on_and_to_the_past_only_when_asked(bench):
    pay = traces("till", span(40, 1, NOW - 9 * MINUTE, name="POST /pay", order__id="rules-1"))
    bench.arrive(pay)
    ruled = FLOW.replace(
        "ORDERED: {service: shop,", "ORDERED: {service: shop, rules: [{service: till, span: 'POST /pay'}],"
    )
    bench.book.apply(ruled)
    bench.arrive(traces("till", span(41, 1, NOW - 8 * MINUTE, name="POST /pay", order__id="rules-2")))
    bench.ticker.tick()
    assert bench.stages("rules-2") == ["ORDERED"]
    assert bench.stages("rules-1") is None
    bench.book.apply(ruled, since_ns=NOW - 60 * MINUTE)
    bench.ticker.tick()
    assert bench.stages("rules-1") == ["ORDERED"]
    assert bench.stages("rules-2") == ["ORDERED"]
    bench.book.apply(FLOW, since_ns=NOW - 60 * MINUTE)
    bench.ticker.tick()
    assert bench.stages("rules-1") is None


def test_the_flow_that_events_name_judges_them(bench):
    other = parse_flow(FLOW.replace("flow: rings", "flow: watches"))
    flows = [bench.book.current[0], type(bench.book.current[0])(other, 1, "")]
    named = _stage_events("watches")
    assert choose_flow(flows, named).name == "watches"
    assert choose_flow(flows, _stage_events("")).name == "rings"
    assert choose_flow(flows, _stage_events("unheard of")).name == "rings"


def test_an_order_moves_to_the_flow_that_a_later_event_names_however_often_each_was_applied(bench):
    bench.book.apply(FLOW.replace("flow: rings", "flow: watches"))
    bench.book.apply(FLOW.replace("limit: 30m", "limit: 45m"))
    bench.book.apply(FLOW)
    bench.arrive(event("moved", "ORDERED", 20))
    bench.ticker.tick()
    bench.arrive(event("moved", "MADE", 10, "mes", order__flow="watches"))
    bench.ticker.tick()
    assert read_order(bench.store, "moved").flow == "watches"
    assert bench.stages("moved") == ["ORDERED", "MADE"]


def test_a_flow_that_is_dropped_judges_nobody_until_it_is_applied_again(bench):
    bench.book.apply(FLOW.replace("flow: rings", "flow: brooches").replace("limit: 30m", "limit: 10m"))
    bench.arrive(event("dropped", "ORDERED", 20, order__flow="brooches"))
    bench.ticker.tick()
    assert (read_order(bench.store, "dropped").flow, bench.verdict("dropped").kind) == ("brooches", VerdictKind.STUCK)
    kept = [each.flow.name for each in bench.book.current if each.flow.name != "brooches"]
    bench.book.drop("brooches")
    bench.ticker.tick()
    assert read_order(bench.store, "dropped").flow in kept
    assert bench.verdict("dropped").kind is VerdictKind.ON_TIME
    started = FlowBook(bench.store)
    started.start([])
    assert sorted(each.flow.name for each in started.current) == sorted(kept)
    applied = bench.book.apply(FLOW.replace("flow: rings", "flow: brooches").replace("limit: 30m", "limit: 10m"))
    bench.ticker.tick()
    assert (applied.revision, read_order(bench.store, "dropped").flow) == (3, "brooches")
    bench.book.drop("brooches")
    bench.book.drop("nobody's")
    bench.ticker.tick()
    assert [each.flow.name for each in bench.book.current] == kept


def test_the_last_flow_is_not_dropped(bench):
    for name in [each.flow.name for each in bench.book.current if each.flow.name != "rings"]:
        bench.book.drop(name)
    with pytest.raises(LastFlow, match="rings"):
        bench.book.drop("rings")
    assert [each.flow.name for each in bench.book.current] == ["rings"]


def _stage_events(flow):
    from clew.model.event import StageEvent

    return [StageEvent("x", "ORDERED", NOW, flow=flow)]


def test_a_batch_of_the_same_bytes_under_new_tokens_changes_nothing_that_a_reader_sees(bench):
    request = event("repeat", "ORDERED", 15).SerializeToString()
    for number in range(3):
        bench.now_ns += 1_000_000
        bench.store.ingest(Batch(Signal.LOGS, (request,), f"repeat-{number}", bench.now_ns))
        bench.ticker.tick()
    journey = read_order(bench.store, "repeat")
    assert (journey.facts, len(journey.milestones)) == (1, 1)


def open_ids(bench):
    return {each.order_id for each in find_orders(bench.store, OrderFilter(open_only=True), NOW, limit=1000).items}


def rows_of(bench, order_id):
    return bench.store.rows(
        "SELECT count() AS n FROM orders FINAL WHERE order_id = {id:String} "
        "SETTINGS do_not_merge_across_partitions_select_final = 1",
        {"id": order_id},
    )[0]["n"]


def test_an_alias_that_an_ordinary_span_tells_joins_journeys(bench):
    bench.arrive(event("J-9", "MADE", 40, "mes"), event("glued", "ORDERED", 80))
    bench.ticker.tick()
    assert bench.stages("glued") == ["ORDERED"]
    bench.arrive(traces("crm", span(60, 1, NOW, order__id="glued", order__alias__job="J-9")))
    bench.ticker.tick()
    assert bench.stages("glued") == ["ORDERED", "MADE"]


def test_spans_of_an_order_that_only_a_rule_names_are_found(bench):
    ruled = FLOW.replace(
        "ORDERED: {service: shop,",
        "ORDERED: {service: shop, rules: [{service: till, order_url: '/pay/([0-9]+)'}],",
    )
    bench.book.apply(ruled)
    bench.arrive(traces("till", span(61, 1, NOW - MINUTE, name="POST /pay/{id}", url__path="/pay/77001")))
    bench.ticker.tick()
    assert bench.stages("77001") == ["ORDERED"]
    assert [each.span_id for each in order_spans(bench.store, "77001").spans] == [span_hex(1)]
    bench.book.apply(FLOW)
    bench.ticker.tick()


def test_after_a_long_absence_arrivals_are_read_in_slices(bench, monkeypatch):
    monkeypatch.setattr("clew.store.facts.TOUCHES_AT_ONCE", 3)
    monkeypatch.setattr("clew.journey.ticker.TOUCHES_AT_ONCE", 3)
    bench.restart()
    bench.ticker._mark_ns = bench.now_ns + 1
    for number in range(10):
        bench.arrive(event(f"slice-{number}", "ORDERED", 5))
    seen = [bench.ticker.tick() for _ in range(12)]
    assert len([rebuilt for rebuilt in seen if rebuilt]) > 2  # in one look it would be one
    assert all(bench.stages(f"slice-{number}") == ["ORDERED"] for number in range(10))


def test_a_large_order_rests_between_two_rebuildings_and_loses_nothing(bench, monkeypatch):
    monkeypatch.setattr(rebuilder, "LARGE_FACTS", 3)
    bench.restart()
    for ago_min in range(30, 26, -1):
        bench.arrive(event("large", "ORDERED", ago_min))
    bench.arrive(event("small", "ORDERED", 30))
    bench.ticker.tick()
    bench.arrive(event("large", "MADE", 20, "mes"), event("small", "MADE", 20, "mes"))
    for _ in range(2):
        bench.ticker.tick()
        assert (bench.stages("large"), bench.stages("small")) == (["ORDERED"], ["ORDERED", "MADE"])
    bench.restart()
    bench.ticker.tick()
    assert bench.stages("large") == ["ORDERED", "MADE"]
    monkeypatch.setattr(ticker_module, "REST_NS", 0)
    bench.restart()
    bench.ticker.tick()
    bench.arrive(event("large", "SHIPPED", 10, "mes"))
    bench.ticker.tick()
    assert bench.stages("large") == ["ORDERED", "MADE", "SHIPPED"]


def test_what_was_put_off_is_done_without_further_news(bench, monkeypatch):
    clock = types.SimpleNamespace(monotonic_ns=lambda: 0, time_ns=time.time_ns)
    monkeypatch.setattr(ticker_module, "time", clock)
    monkeypatch.setattr(rebuilder, "LARGE_FACTS", 1)
    bench.restart()
    bench.arrive(event("patient", "ORDERED", 30), event("patient", "ORDERED", 29))
    bench.ticker.tick()
    bench.arrive(event("patient", "MADE", 20, "mes"))
    for at_ns, stages in ((ticker_module.REST_NS - 1, ["ORDERED"]), (ticker_module.REST_NS, ["ORDERED", "MADE"])):
        clock.monotonic_ns = lambda at_ns=at_ns: at_ns
        bench.ticker.tick()
        assert bench.stages("patient") == stages


@pytest.mark.parametrize(
    "at_ns",
    [0, NOW - 500 * 24 * 60 * MINUTE, NOW + 3 * 24 * 60 * MINUTE, 2**63 + 5],
    ids=["none", "long ago", "soon", "no moment"],
)
def test_a_stage_with_a_moment_out_of_range_in_a_span_event_is_no_fact(bench, at_ns):
    order_id = f"odd-{at_ns}"
    told = span(62, 1, NOW, order__id=order_id, events=[("order.stage", at_ns, {"order.stage": "ORDERED"})])
    bench.arrive(traces("shop", told))
    bench.ticker.tick()
    assert bench.stages(order_id) == (["ORDERED"] if at_ns == 0 else None)
