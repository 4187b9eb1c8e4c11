"""The list as it stood at a past moment is the list that was shown then."""

from __future__ import annotations

import time
from dataclasses import replace

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clew.api import ApiDeps, create_api
from clew.api.times import moment
from clew.journey.in_force import FlowBook
from clew.journey.judge import judge, verdict_kind
from clew.journey.rebuild import rebuild
from clew.journey.rebuilder import Rebuilder
from clew.journey.ticker import Ticker
from clew.learn import as_of
from clew.learn.as_of import TooManyOrders, orders_at
from clew.model.event import Source, StageEvent
from clew.model.flow import Flow
from clew.model.journey import VerdictKind
from clew.store.embedded import open_store
from clew.store.orders import OrderFilter, count_orders, find_orders
from tests.builders import ingest, logs, stage_event
from tests.learn.logs import Order, at, remember
from tests.serving import serving
from tests.story import tell

MINUTE = 60 * 10**9
STAGES = ("INITIATED", "FILE_UPLOADED", "SUBMITTED", "PRICE_CALCULATED", "MANUFACTURING_APPROVED", "CANCELLED", "LOBBY")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    store = open_store(tmp_path_factory.mktemp("as-of"))
    yield store
    store.close()


@pytest.fixture(scope="module")
def book(store):
    book = FlowBook(store)
    book.start([])
    return book


def told(page):
    """What of a journey the list shows."""
    return [
        (each.order_id, each.stage, each.path, each.entered_ns, each.deadline_at_ns, each.warn_at_ns, each.terminal)
        for each in page.items
    ]


_runs = iter(range(10**6))
facts = st.tuples(st.sampled_from(STAGES), st.integers(0, 3000), st.sampled_from(["", "hold", "resume", "failed"]))
stories = st.lists(st.lists(facts, min_size=1, max_size=6), min_size=1, max_size=12)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    stories, st.integers(0, 3000), st.booleans(), st.sampled_from([(), (VerdictKind.STUCK,), (VerdictKind.CANCELLED,)]),
    st.sampled_from(["", "", "skipped", "repeated", "out_of_sequence:CANCELLED"]),
)  # fmt: skip
def test_the_list_at_a_moment_is_what_was_shown_then(store, book, orders, minute, open_only, verdicts, deviation):
    run = f"run{next(_runs)}/"
    begin = time.time_ns() - 4000 * MINUTE
    at_ns = begin + minute * MINUTE
    early, late = [], []
    for number, said in enumerate(orders):
        for index, (stage, minutes, what) in enumerate(said):
            fields = {"order__hold": what == "hold"} if what in ("hold", "resume") else {}
            fields |= {"order__outcome": "failed"} if what == "failed" else {}
            named = "" if what in ("hold", "resume") else stage
            event = stage_event(
                f"{run}{number}", named, begin + minutes * MINUTE, trace=1 + number, span=1 + index, **fields
            )
            (early if minutes <= minute else late).append(event)
    filter_ = OrderFilter(verdicts=verdicts, order_prefix=run, open_only=open_only, deviation=deviation)
    ticker = Ticker(store, Rebuilder(store, lambda: book.current), time.time_ns)
    if early:
        ingest(store, time.time_ns(), logs("mes", *early))
    ticker.tick()
    then, counted_then = find_orders(store, filter_, at_ns), count_orders(store, filter_, at_ns)
    if late:
        ingest(store, time.time_ns(), logs("mes", *late))
    ticker.tick()
    past = orders_at(store, book.current, filter_, at_ns)
    assert told(past.page) == told(then)
    assert past.counts == counted_then
    paged, after = [], None
    while True:
        part = orders_at(store, book.current, filter_, at_ns, 2, after)
        paged += told(part.page)
        after = part.page.next
        if after is None:
            break
    assert paged == told(then)


def test_imported_orders_are_judged_as_if_they_had_been_watched(store, book):
    orders = [
        Order("imp/open", (("INITIATED", 0), ("SUBMITTED", 600)), "b2c"),
        Order("imp/later", (("INITIATED", 0), ("SUBMITTED", 600), ("PRICE_CALCULATED", 9000), ("CLOSED", 9500)), "b2c"),
        Order("imp/done", (("INITIATED", 0), ("CLOSED", 700)), "b2c"),
        Order("imp/unborn", (("INITIATED", 90_000),), "b2c"),
    ]
    remember(store, orders)
    listed = OrderFilter(order_prefix="imp/")
    page = orders_at(store, book.current, listed, at(3000)).page
    assert [(each.order_id, verdict_kind(each, at(3000))) for each in page.items] == [
        ("imp/later", VerdictKind.STUCK), ("imp/open", VerdictKind.STUCK), ("imp/done", VerdictKind.CLOSED),
    ]  # fmt: skip
    assert page.items[0].deadline_at_ns == at(600) + 30 * MINUTE
    still = orders_at(store, book.current, replace(listed, open_only=True), at(10_000)).page
    assert [each.order_id for each in still.items] == ["imp/open"]
    before = orders_at(store, book.current, listed, at(300)).page
    assert [(each.order_id, each.stage) for each in before.items] == [
        (f"imp/{n}", "INITIATED") for n in ("done", "later", "open")
    ]


def test_orders_of_a_flow_that_nobody_declared_wait_without_a_limit(store, book):
    remember(store, [Order("loan/1", (("ASKED", 0), ("LENT", 100)))], "loans")
    for seconds, stage in ((50, "ASKED"), (10**6, "LENT")):
        (found,) = orders_at(store, book.current, OrderFilter(flow="loans"), at(seconds)).page.items
        assert (found.stage, found.flow_version, verdict_kind(found, at(seconds))) == (stage, 0, VerdictKind.ON_TIME)
        assert judge(found, Flow("loans", 0, ()), at(seconds)).reason.startswith(f"in {stage} for ")


def test_facts_under_any_id_of_an_order_count_and_what_came_after_its_end_does_not(store, book):
    begin = time.time_ns() - 1000 * MINUTE
    told = [
        ("g1", "INITIATED", 0, {"order__alias__deal": "G9", "order__path": "b2c"}),
        ("G9", "SUBMITTED", 10, {}),
        ("g1", "", 20, {"order__hold": True}),
        ("G9", "", 100, {"order__hold": False}),
        ("g1", "CLOSED", 200, {}),
        ("G9", "SHIPPED", 300, {}),
    ]
    events = [stage_event(name, stage, begin + minutes * MINUTE, **more) for name, stage, minutes, more in told]
    ingest(store, time.time_ns(), logs("crm", *events))
    Ticker(store, Rebuilder(store, lambda: book.current), time.time_ns).tick()

    def then(minutes):
        moment = begin + minutes * MINUTE
        (found,) = orders_at(store, book.current, OrderFilter(order_prefix="g1"), moment).page.items
        return found.stage, verdict_kind(found, moment).value, len(found.after_end)

    assert then(5) == ("INITIATED", "on_time", 0)
    assert then(50) == ("SUBMITTED", "on_hold", 0)
    assert then(150) == ("SUBMITTED", "stuck", 0)
    assert then(250) == ("CLOSED", "closed", 0)
    assert then(350) == ("CLOSED", "closed", 1)


def test_too_many_orders_are_refused_and_not_half_told(store, book, monkeypatch):
    remember(store, [Order(f"crowd/{n}", (("INITIATED", 0), ("CLOSED", 999))) for n in range(5)])
    monkeypatch.setattr(as_of, "MOST", 4)
    with pytest.raises(TooManyOrders, match="more than 4 orders"):
        orders_at(store, book.current, OrderFilter(order_prefix="crowd/"), at(500))
    assert len(orders_at(store, book.current, OrderFilter(order_prefix="crowd/"), at(1000)).page.items) == 5


def test_over_http_too_many_orders_are_refused_with_what_narrows_them(store, book, monkeypatch):
    remember(store, [Order(f"throng/{n}", (("INITIATED", 0), ("CLOSED", 999))) for n in range(5)])
    monkeypatch.setattr(as_of, "MOST", 4)
    deps = ApiDeps(store, book, None)
    with serving(create_api(deps)) as url, httpx.Client(base_url=f"{url}/api/v1") as client:
        refused = client.get("/orders", params={"at": moment(at(500)), "stage": "INITIATED", "prefix": "throng/"})
        narrowed = client.get("/orders", params={"at": moment(at(500)), "prefix": "throng/1"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "invalid_request")
    assert "at: more than 4 orders have changed since that moment" in refused.json()["error"]["message"]
    assert "narrow it by flow, user, alias, trace or prefix" in refused.json()["error"]["mend"]
    assert [each["order_id"] for each in narrowed.json()["items"]] == ["throng/1"]


def test_the_fold_of_imported_facts_runs_a_clock_when_they_are_taken_as_watched():
    from clew.flow import default_flow

    event = StageEvent("1", "SUBMITTED", at(0), source=Source.IMPORT)
    assert rebuild("1", [event], default_flow()).deadline_at_ns is None


def test_over_http_a_past_moment_is_a_parameter_and_the_future_a_mistake(store):
    with serving(create_api(tell(store))) as url, httpx.Client(base_url=f"{url}/api/v1") as client:
        past = client.get("/orders", params={"at": "45m", "open": "true", "prefix": "47"}).json()
        assert [(each["order_id"], each["verdict"]["kind"]) for each in past["items"]] == [("4711", "on_time")]
        assert past["items"][0]["verdict"]["reason"] == "in SUBMITTED for 5 min, allowed 30 min"
        assert past["counts"]["on_time"] == 1
        for params, cause in (({"at": "2200-01-01"}, "lies ahead"), ({"at": "then"}, "no moment")):
            answer = client.get("/orders", params=params)
            assert (answer.status_code, cause in answer.json()["error"]["message"]) == (422, True)
