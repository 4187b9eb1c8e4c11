"""The loss detector over the real store: what arrives late, twice, in any order, and over restarts."""

import itertools
import time

import pytest

from clew.flow import parse_flow
from clew.journey.in_force import FlowBook
from clew.journey.judge import judge
from clew.journey.losses import LossDetector
from clew.journey.rebuilder import Rebuilder
from clew.journey.ticker import Ticker
from clew.model.journey import VerdictKind
from clew.store.embedded import open_store
from clew.store.facts import read_losses
from clew.store.orders import read_order
from tests.builders import ingest, logs, span, stage_event, trace_hex, traces

SECOND = 10**9
LIMIT_S = 60
GRACE_S = 6
FLOW = """
flow: rings
version: 1
paths: {b2c: [ORDERED]}
stages:
  ORDERED: {service: shop, limit: 30m, next: [MADE]}
  MADE: {service: mes, terminal: closed}
transit: {"*": 60s, quick: 5s, forgotten: 1h}
"""
_numbers = itertools.count(1000)


class Bench:
    """A store and a detector whose clock stands still until told; times are seconds after the first."""

    def __init__(self, store):
        self.store = store
        self.now_ns = time.time_ns()
        self.flow = parse_flow(FLOW)
        self.restart()

    def restart(self):
        self.detector = LossDetector(self.store, lambda: [self.flow], lambda: self.now_ns, grace_ns=GRACE_S * SECOND)

    def later(self, seconds):
        self.now_ns += int(seconds * SECOND)

    def arrive(self, *spans, service="shop"):
        self.now_ns += 1_000_000
        ingest(self.store, self.now_ns, traces(service, *spans))

    def run(self):
        self.now_ns += 1_000_000
        return self.detector.run()

    def published(self, destination="orders", ago_s=0, order_id="", number=1, trace=0, **attrs):
        """A PRODUCER span that has just arrived; gives its trace's number."""
        trace = trace or next(_numbers)
        said = {"order__id": order_id} if order_id else {}
        self.arrive(self.end_of("producer", trace, number, destination, ago_s, **said, **attrs))
        return trace

    def taken(self, trace, number=2, parent=1, destination="orders:q", ago_s=0, **attrs):
        self.arrive(self.end_of("consumer", trace, number, destination, ago_s, parent=parent, **attrs), service="mes")

    def end_of(self, kind, trace, number, destination, ago_s=0, **attrs):
        start_ns = self.now_ns - int(ago_s * SECOND) - 10_000_000
        return span(trace, number, start_ns, kind=kind, messaging__destination__name=destination, **attrs)

    def known_to_be_consumed(self, destination):
        trace = self.published(destination)
        self.taken(trace, destination=f"{destination}:q")
        self.later(LIMIT_S + GRACE_S)
        self.run()

    def said(self, trace, number=1):
        """State, reason and version of what is said of one message; None when nothing is."""
        rows = self.store.rows(
            "SELECT state, reason, version FROM hop_losses FINAL WHERE hex(trace_id) = {trace:String} "
            "AND reinterpretAsUInt8(substring(span_id, 8, 1)) = {number:UInt8}",
            {"trace": trace_hex(trace).upper(), "number": number},
        )
        return tuple(rows[0].values()) if rows else None

    def first_said_lost(self, trace):
        """When a message was first said to be lost (Unix ns)."""
        rows = self.store.rows(
            "SELECT toUnixTimestamp64Nano(said_lost) AS at FROM hop_losses FINAL WHERE hex(trace_id) = {trace:String}",
            {"trace": trace_hex(trace).upper()},
        )
        return rows[0]["at"]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    opened = open_store(tmp_path_factory.mktemp("losses"))
    yield opened
    opened.close()


@pytest.fixture
def bench(store):
    store.command("TRUNCATE TABLE hops")
    store.command("TRUNCATE TABLE hop_losses")
    store.command("TRUNCATE TABLE marks")
    return Bench(store)


def test_a_message_is_lost_when_its_limit_and_the_grace_are_over(bench):
    trace = bench.published()
    bench.later(LIMIT_S + GRACE_S - 1)
    assert (bench.run(), bench.said(trace)) == (0, None)
    bench.later(1)
    assert (bench.run(), bench.said(trace)) == (1, ("lost", "unknown", 1))
    bench.later(3600)
    assert bench.run() == 0


@pytest.mark.parametrize("ahead_s", [3, 20])
def test_on_a_quiet_bus_a_message_of_a_producer_whose_clock_is_ahead_is_lost_too(bench, ahead_s):
    trace = bench.published("forgotten", ago_s=-ahead_s)
    bench.later(3600 - 10)
    for _ in range(25):
        bench.later(2)
        bench.run()
    assert bench.said(trace) == ("lost", "unknown", 1)


def test_where_somebody_takes_messages_an_untaken_one_waits_in_the_queue(bench):
    bench.known_to_be_consumed("known")
    trace, other = bench.published("known"), bench.published("known2")
    bench.later(LIMIT_S + GRACE_S)
    bench.run()
    assert bench.said(trace)[1] == "in_queue"
    assert bench.said(other)[1] == "unknown"


def test_what_is_known_of_consumers_survives_a_restart(bench):
    bench.known_to_be_consumed("remembered")
    bench.later(3 * 3600)
    bench.restart()
    trace = bench.published("remembered")
    bench.later(LIMIT_S + GRACE_S)
    bench.run()
    assert bench.said(trace)[1] == "in_queue"


def test_a_message_taken_in_time_is_never_spoken_of(bench):
    trace = bench.published()
    bench.run()
    bench.later(30)
    bench.taken(trace)
    for _ in range(5):
        bench.later(30)
        bench.run()
    assert bench.said(trace) is None


def test_a_late_consumer_takes_the_loss_back_and_only_once(bench):
    trace = bench.published()
    bench.later(LIMIT_S + GRACE_S)
    bench.run()
    lost_ns = bench.now_ns
    bench.later(600)
    bench.taken(trace)
    said_ns = bench.first_said_lost(trace)
    assert (bench.run(), bench.said(trace)) == (1, ("found", "", 2))
    assert bench.first_said_lost(trace) == said_ns == lost_ns
    bench.later(10)
    assert bench.run() == 0


def test_a_consumer_by_link_from_another_trace_takes_it_as_well(bench):
    first, second = bench.published(), bench.published()
    bench.later(LIMIT_S + GRACE_S)
    assert bench.run() == 2
    at_ns = bench.now_ns
    bench.arrive(span(next(_numbers), 5, at_ns, kind="consumer", links=[(first, 1)]), service="mes")
    assert bench.run() == 1
    assert (bench.said(first)[0], bench.said(second)[0]) == ("found", "lost")


def test_a_consumer_of_a_batch_takes_all_that_it_links_to(bench):
    published = [next(_numbers) for _ in range(101)]
    bench.arrive(*(bench.end_of("producer", each, 1, "orders") for each in published))
    bench.arrive(
        span(next(_numbers), 5, bench.now_ns, kind="consumer", links=[(each, 1) for each in published]), service="mes"
    )
    left = bench.published()
    bench.later(LIMIT_S + GRACE_S)
    assert bench.run() == 1
    assert bench.said(left)[0] == "lost"


def test_a_producer_that_arrives_long_after_its_consumer_is_not_spoken_of(bench):
    trace = next(_numbers)
    bench.taken(trace, ago_s=900)
    bench.run()
    bench.published(trace=trace, ago_s=901)
    for _ in range(5):
        bench.run()
        bench.later(30)
    assert bench.said(trace) is None


def test_after_an_outage_both_ends_may_come_in_any_order_within_the_grace(bench):
    trace = bench.published(ago_s=900)
    bench.later(2)
    assert bench.run() == 0
    bench.taken(trace, ago_s=899)
    bench.later(30)
    assert bench.run() == 0


@pytest.mark.parametrize("ago_s", [20, 70, 900, 20 * 3600])
def test_a_late_producer_that_nobody_took_is_found_after_the_grace(bench, ago_s):
    bench.run()
    trace = bench.published("quick", ago_s=ago_s)
    for _ in range(GRACE_S):
        bench.run()
        bench.later(1)
    bench.later(1)
    bench.run()
    assert bench.said(trace)[0] == "lost"


def test_of_two_nested_producer_spans_only_the_inner_one_is_the_message(bench):
    trace = next(_numbers)
    bench.arrive(bench.end_of("producer", trace, 1, "shop"), bench.end_of("producer", trace, 2, "shop", parent=1))
    bench.taken(trace, number=3, parent=2)
    lost = next(_numbers)
    bench.arrive(bench.end_of("producer", lost, 1, "shop"), bench.end_of("producer", lost, 2, "shop", parent=1))
    bench.later(LIMIT_S + GRACE_S)
    assert bench.run() == 1
    assert (bench.said(trace, 1), bench.said(trace, 2)) == (None, None)
    assert (bench.said(lost, 1), bench.said(lost, 2)[0]) == (None, "lost")


@pytest.mark.parametrize("inner_first", [True, False])
@pytest.mark.parametrize("taken", [True, False])
@pytest.mark.parametrize("apart_s", [1, 600])
def test_nested_producer_spans_of_two_batches_come_to_the_same_end(bench, inner_first, taken, apart_s):
    trace = next(_numbers)
    outer, inner = bench.end_of("producer", trace, 1, "shop"), bench.end_of("producer", trace, 2, "shop", parent=1)
    for each in (inner, outer) if inner_first else (outer, inner):
        bench.arrive(each)
        bench.run()
        bench.later(apart_s)
    if taken:
        bench.taken(trace, number=3, parent=2)
    for _ in range(4):
        bench.later(LIMIT_S)
        bench.run()
    assert (bench.said(trace, 1) or ("found",))[0] == "found"
    assert (bench.said(trace, 2) or ("found",))[0] == ("found" if taken else "lost")


def test_an_error_of_the_wrapping_span_tells_of_the_message_at_once(bench):
    trace = next(_numbers)
    raised = ("exception", bench.now_ns, {"exception.type": "pika.exceptions.UnroutableError"})
    outer = bench.end_of("producer", trace, 1, "shop", status="error", events=[raised])
    bench.arrive(outer, bench.end_of("producer", trace, 2, "shop", parent=1))
    bench.later(1)
    assert bench.run() == 1
    assert bench.said(trace, 2) == ("lost", "unroutable", 1)


@pytest.mark.parametrize(
    ("told", "after_s", "expected"),
    [
        ({"clew__message__settlement": "ack"}, LIMIT_S + 2 * GRACE_S, None),
        ({"clew__message__settlement": "reject"}, 0, "rejected"),
        ({"clew__message__settlement": "requeue"}, LIMIT_S, None),
        ({"clew__message__settlement": "requeue"}, LIMIT_S + GRACE_S, "in_queue"),
        ({"clew__message__settlement": "none"}, LIMIT_S + GRACE_S, "in_queue"),
        ({"status": "error", "error__type": "ValueError"}, LIMIT_S + GRACE_S, "unknown"),
        ({"clew__message__death__reason": "rejected", "clew__message__death__queue": "q"}, 0, "dead_lettered"),
    ],
)
def test_what_a_consumer_says_of_its_delivery_counts(bench, told, after_s, expected):
    trace = bench.published()
    bench.later(20)
    bench.taken(trace, **{"clew__message__queue": "work"} | told)
    bench.later(after_s)
    bench.run()
    assert (bench.said(trace) or (None, None))[1] == expected


NODE = "@opentelemetry/instrumentation-amqplib"


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("", None),
        ("nack called on message without requeue", "rejected"),
        ("reject called on message without requeue", "rejected"),
        ("nack called on message with requeue", "in_queue"),
        ("nack called on message", "in_queue"),
        ("channel closed", "in_queue"),
        ("channel error", "in_queue"),
        ("instrumentation timeout called on message with requeue", None),
    ],
)
def test_the_status_of_nodes_instrumentation_tells_the_settlement(bench, status, expected):
    trace = bench.published()
    taken = bench.end_of("consumer", trace, 2, "orders", parent=1, status="error" if status else "unset")
    taken.status.message = status
    request = traces("mes", taken)
    request.resource_spans[0].scope_spans[0].scope.name = NODE
    bench.now_ns += 1_000_000
    ingest(bench.store, bench.now_ns, request)
    bench.later(LIMIT_S + GRACE_S + 1)
    bench.run()
    assert (bench.said(trace) or (None, None))[1] == expected


def test_each_destination_has_its_own_limit_and_gives_it_to_its_keys(bench):
    quick, keyed, usual = bench.published("quick"), bench.published("quick:key"), bench.published("quicker")
    long = bench.published("forgotten,key")
    bench.later(5 + GRACE_S)
    assert bench.run() == 2
    assert bench.said(quick)
    assert bench.said(keyed)
    bench.later(LIMIT_S)
    assert bench.run() == 1
    assert bench.said(usual)
    bench.later(3600)
    assert bench.run() == 1
    assert bench.said(long)


def test_a_message_without_an_order_id_belongs_to_the_orders_of_its_trace(bench):
    trace = next(_numbers)
    bench.arrive(span(trace, 9, bench.now_ns, kind="server", order__id="of-the-trace"))
    bench.published(trace=trace, parent=9)
    named = bench.published(order_id="its-own")
    bench.later(LIMIT_S + GRACE_S)
    bench.run()
    assert {trace_hex(trace), trace_hex(named)} == {
        said.loss.trace_id for each in read_losses(bench.store, ["of-the-trace", "its-own"]).values() for said in each
    }


def test_an_order_that_becomes_known_after_the_loss_gets_it_as_well(bench):
    trace = bench.published()
    bench.later(LIMIT_S + GRACE_S)
    bench.run()
    bench.arrive(span(trace, 9, bench.now_ns, kind="server", order__id="known-later"))
    assert bench.run() == 1
    assert [each.loss.trace_id for each in read_losses(bench.store, ["known-later"])["known-later"]] == [
        trace_hex(trace)
    ]
    assert bench.run() == 0
    bench.taken(trace)
    bench.run()
    assert [each.loss for each in read_losses(bench.store, ["known-later"])["known-later"]] == [None]


def test_a_restart_repeats_nothing_and_forgets_nothing(bench):
    lost, waiting = bench.published("quick"), bench.published()
    bench.later(5 + GRACE_S)
    assert bench.run() == 1
    bench.restart()
    assert bench.run() == 0
    assert bench.said(lost) == ("lost", "unknown", 1)
    bench.later(3 * 3600)  # nobody looked for hours
    bench.restart()
    assert bench.run() == 1
    assert bench.said(waiting) == ("lost", "unknown", 1)


def test_spans_that_come_twice_change_nothing(bench):
    trace, lost = next(_numbers), next(_numbers)
    sent, taken = bench.end_of("producer", trace, 1, "orders"), bench.end_of("consumer", trace, 2, "orders:q", parent=1)
    gone = bench.end_of("producer", lost, 1, "orders")
    for _ in range(3):
        bench.arrive(sent, taken, gone)
        bench.later(1)
        bench.run()
    bench.later(LIMIT_S + GRACE_S)
    assert bench.run() == 1
    bench.arrive(sent, taken, gone)
    bench.later(GRACE_S)
    assert bench.run() == 0
    assert (bench.said(trace), bench.said(lost)) == (None, ("lost", "in_queue", 1))


def test_what_is_received_but_not_yet_committed_is_not_overtaken(bench):
    early_ns = bench.now_ns
    settled_ns = [early_ns]
    detector = LossDetector(
        bench.store,
        lambda: [bench.flow],
        lambda: bench.now_ns,
        settled_ns=lambda: settled_ns[0],
        grace_ns=GRACE_S * SECOND,
    )
    trace = next(_numbers)
    sent = bench.end_of("producer", trace, 1, "quick", error__type="unroutable", status="error")
    silent = bench.end_of("producer", trace + 10_000, 1, "quick")
    bench.later(60)
    assert detector.run() == 0
    ingest(bench.store, early_ns + 1, traces("shop", sent, silent))  # stamped before that run, committed after it
    settled_ns[0] = bench.now_ns
    assert detector.run() == 2


def test_thousands_in_one_run_cost_a_bounded_number_of_statements(bench, monkeypatch):
    asked = []
    rows = bench.store.rows
    at_ns = bench.now_ns - 10_000_000
    base = 1 << 20
    sent = [span(base + n, 1, at_ns, kind="producer", messaging__destination__name="many") for n in range(5_000)]
    taken = [span(base + n, 2, at_ns, kind="consumer", parent=1) for n in range(0, 5_000, 2)]
    bench.arrive(*sent)
    bench.arrive(*taken, service="mes")
    bench.later(LIMIT_S + GRACE_S)
    monkeypatch.setattr(bench.store, "rows", lambda sql, bind=None: asked.append(sql) or rows(sql, bind or {}))
    assert bench.run() == 2_500
    assert len(asked) < 20
    asked.clear()
    bench.later(2)
    assert bench.run() == 0
    assert len(asked) < 12


def test_a_run_asks_one_thing_while_nothing_arrives_or_can_become_due(bench, monkeypatch):
    asked = []
    rows = bench.store.rows
    monkeypatch.setattr(bench.store, "rows", lambda sql, bind=None: asked.append(sql) or rows(sql, bind or {}))
    trace = bench.published(order_id="4711")
    bench.later(LIMIT_S)
    bench.run()
    assert len(asked) > 3  # its limit is over, its grace is not
    bench.later(GRACE_S)
    assert (bench.run(), bench.said(trace)) == (1, ("lost", "unknown", 1))
    bench.later(3 * 3600)  # longer than the longest limit; the first run after it still looks at all of that time
    bench.run()
    asked.clear()
    bench.later(60)
    assert (bench.run(), len(asked)) == (0, 1)
    again = bench.published(order_id="4712")
    bench.later(LIMIT_S + GRACE_S)
    assert (bench.run(), bench.said(again)) == (1, ("lost", "unknown", 1))


def test_the_journey_shows_the_loss_and_loses_it_again(bench):
    book = FlowBook(bench.store)
    book.start([FLOW])
    ticker = Ticker(bench.store, Rebuilder(bench.store, lambda: book.current), time.time_ns)
    bench.known_to_be_consumed("orders")
    event = stage_event("4711", "ORDERED", bench.now_ns)
    ingest(bench.store, bench.now_ns, logs("shop", event))
    trace = bench.published(order_id="4711")
    ticker.tick()
    bench.later(LIMIT_S + GRACE_S)
    assert bench.run() == 1
    ticker.tick()
    verdict = judge(read_order(bench.store, "4711"), book.current[0].flow, bench.now_ns)
    assert verdict.kind is VerdictKind.LOST
    assert verdict.reason == "published to orders 1 min 6 s ago by shop, nobody consumed it"
    bench.taken(trace)
    assert bench.run() == 1
    ticker.tick()
    verdict = judge(read_order(bench.store, "4711"), book.current[0].flow, bench.now_ns)
    assert verdict.kind is VerdictKind.ON_TIME
