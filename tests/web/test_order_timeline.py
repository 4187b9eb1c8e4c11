"""The picture of an order, as geometry: what is drawn where, and in what words."""

from __future__ import annotations

from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clew.journey.rebuild import rebuild
from clew.journey.visits import stage_visits, visits_after_end
from clew.model.flow import ANY_PATH, Flow, Stage, Terminal
from clew.model.message import Delivery, Message, Settlement
from clew.store.order_notes import Notable
from clew.store.order_spans import OrderLines, OrderScope, SpanLine, summaries
from clew.store.spans import SpanKind, SpanStatus
from clew.store.whole_order import WholeOrder
from clew.web.pages.order.hops import HOPS_DRAWN
from clew.web.pages.order.lanes import MOST_LANES
from clew.web.pages.order.scale import time_scale
from clew.web.pages.order.timeline import Drawn, timeline_of
from tests.journey.timeline import DAY, SECOND, at, event, failed, hold, limit, loss, resume

TRACE, OTHER = "t" * 32, "b" * 32
FLOW = Flow(
    "shop",
    1,
    (
        Stage("BASKET", next=("ORDERED",)),
        Stage("ORDERED", service="crm", next=("DONE",), limits={ANY_PATH: limit(30, 20)}),
        Stage("DONE", terminal=Terminal.CLOSED),
    ),
    paths={"b2c": ("BASKET",)},
)


def line(number, minutes, service="shop", parent=0, lasts_ms=100, error=""):
    return SpanLine(
        TRACE, f"{number:016x}", f"{parent:016x}" if parent else "", service, f"work {number}", SpanKind.SERVER,
        SpanStatus.ERROR if error else SpanStatus.UNSET, at(minutes), lasts_ms * 10**6, error,
    )  # fmt: skip


def message(minutes, *deliveries, error="", destination="orders", queue=""):
    return Message(
        TRACE, "a" * 16, at(minutes), "shop", destination, queue, error=error, deliveries=tuple(deliveries)
    )  # fmt: skip


def delivery(minutes, queue="q.orders", settlement=Settlement.ACK, **more):
    return Delivery(
        OTHER, "d" * 16, at(minutes), at(minutes) + SECOND, "mes", queue=queue, settlement=settlement, **more
    )


def drawn(*events, lines=(), messages=(), losses=(), retries=(), now=100, folding=False):
    journey = rebuild("4711", events, FLOW, losses)
    scope = OrderScope(("4711",), (TRACE,), {}, frozenset(), 0, 0)
    found = OrderLines(tuple(lines), True)
    order = WholeOrder(journey, scope, found, summaries(found.lines, scope), tuple(messages))
    visits = stage_visits(journey, FLOW, at(now)) + visits_after_end(journey, FLOW)
    return timeline_of(Drawn(order, visits, tuple(retries), "stuck", at(now), ZoneInfo("UTC")), folding=folding)


def named(lanes):
    return [f"{lane.kind} {lane.name}" for lane in lanes]


def test_lanes_are_the_services_and_queues_in_the_order_in_which_the_order_came_to_them():
    picture = drawn(
        event("BASKET", 0, "shop"), event("ORDERED", 30, "crm"), lines=[line(1, 0), line(2, 20, "mail", 1)],
        messages=[message(10, delivery(11))],
    )  # fmt: skip
    assert named(picture.lanes) == ["service shop", "queue q.orders", "service mes", "service mail", "service crm"]
    assert [lane.y for lane in picture.lanes] == sorted(lane.y for lane in picture.lanes)


def test_a_queue_stands_before_its_consumer_even_when_the_consumer_s_clock_is_ahead():
    picture = drawn(event("BASKET", 0, "shop"), messages=[message(10, delivery(9))])
    assert named(picture.lanes) == ["service shop", "queue q.orders", "service mes"]
    assert all(arrow.x == arrow.to_x for arrow in picture.arrows)


def test_very_many_services_share_the_last_lane():
    picture = drawn(event("BASKET", 0), lines=[line(number, number, f"s{number}") for number in range(1, 60)])
    assert len(picture.lanes) == MOST_LANES
    assert picture.lanes[-1].name == f"{60 - (MOST_LANES - 1)} others"


def test_a_stage_is_a_block_in_the_lane_of_the_service_that_told_it_from_entry_to_the_next():
    picture = drawn(event("BASKET", 0, "shop"), event("ORDERED", 25, "crm", trace_id=TRACE), now=100)
    basket, ordered = picture.blocks
    scale = time_scale([(at(0), at(0)), (at(100), at(100))], folding=False)
    assert (basket.x, ordered.x) == (pytest.approx(scale.x(at(0))), pytest.approx(scale.x(at(25))))
    assert basket.x + basket.width == pytest.approx(ordered.x)
    assert ordered.over_x == pytest.approx(scale.x(at(55)))
    assert (basket.tone, ordered.tone) == ("left", "verdict-stuck")
    assert (basket.href, ordered.href.split("?")[0]) == ("", f"/traces/{TRACE}")
    assert "1 h 15 min of 30 min, 45 min over" in ordered.text
    assert [mark.kind for mark in picture.marks] == ["limit", "now"]


@pytest.mark.parametrize(
    ("stage", "lines"),
    [
        ("ORDERED", ("ORDERED",)),
        ("MANUFACTURING_STARTED", ("MANUFACTURING_", "STARTED")),
        ("READY TO BE SHIPPED", ("READY TO ", "BE SHIPPED")),
        ("UNPARTABLENAME", ("UNPARTABLENAME",)),
    ],
)
def test_a_long_name_stands_in_two_lines(stage, lines):
    assert drawn(event(stage, 0)).blocks[0].lines == lines


def test_a_stage_too_short_to_be_named_is_seen_all_the_same():
    first, _ = drawn(event("BASKET", 0), event("ORDERED", 0.001)).blocks
    assert first.lines == ()
    assert first.width > 0


@pytest.mark.parametrize(
    ("sent", "lost", "arrows", "waits", "signs"),
    [
        pytest.param(message(10, delivery(20)), [], ["hop", "hop"], ["transit"], [], id="taken"),
        pytest.param(message(10), [], ["hop"], ["waiting"], [], id="not taken yet"),
        pytest.param(message(10), [loss(10)], ["lost"], ["lost"], ["lost"], id="lost"),
        pytest.param(message(10, error="unroutable"), [], ["hop"], [], ["failed"], id="not published"),
        pytest.param(
            message(10, delivery(20, settlement=Settlement.REJECT)), [], ["hop", "back"], ["transit"], ["rejected"],
            id="given back",
        ),
        pytest.param(
            message(10, delivery(20, redelivered=True)), [], ["hop", "hop"], ["transit"], ["redelivered"], id="again"
        ),
        pytest.param(
            message(10, delivery(20, settlement=Settlement.REJECT), delivery(21, "dead", death_reason="rejected")),
            [loss(10)], ["lost", "lost", "back", "hop"], ["transit", "transit", "lost"], ["lost", "rejected", "dead"],
            id="dead-lettered",
        ),
    ],
)  # fmt: skip
def test_a_message_is_drawn_with_its_fate(sent, lost, arrows, waits, signs):
    picture = drawn(event("ORDERED", 0, "shop"), messages=[sent], losses=lost)
    assert [each.tone for each in picture.arrows] == arrows
    assert [each.tone for each in picture.waits] == waits
    assert [each.kind for each in picture.signs] == signs


def test_a_message_that_nobody_is_known_to_have_taken_waits_no_longer_when_the_order_went_on():
    picture = drawn(event("BASKET", 0, "shop"), event("ORDERED", 20, "crm"), messages=[message(10)])
    assert [each.tone for each in picture.waits] == []
    assert "the order went on" in picture.arrows[0].text


def test_of_very_many_messages_the_lost_and_the_latest_are_drawn():
    sent = [replace(message(minutes, delivery(minutes + 1)), span_id=f"{minutes:016x}") for minutes in range(1, 1_001)]
    sent[0] = message(1)
    picture = drawn(event("BASKET", 0, "shop"), messages=sent, losses=[loss(1)], now=2_000)
    assert HOPS_DRAWN <= len(picture.arrows) <= HOPS_DRAWN + 1
    assert picture.hops_left == 1 + 2 * 999 - len(picture.arrows)
    assert [each.kind for each in picture.signs] == ["lost"]
    assert "1,000 messages" in picture.told


def test_of_a_message_that_was_given_out_very_often_the_latest_deliveries_are_drawn():
    again = [delivery(minutes, redelivered=True) for minutes in range(2, 1_002)]
    picture = drawn(event("BASKET", 0, "shop"), messages=[message(1, *again)], now=2_000)
    assert (len(picture.signs), picture.hops_left) == (HOPS_DRAWN, 700)


def test_failures_and_retries_that_lie_on_each_other_are_one_sign_with_their_number():
    lines = [line(number, 50 + number / 1_000, error="Timeout") for number in range(1, 8)] + [line(9, 90, error="Late")]
    retries = [Notable(TRACE, "9" * 16, "shop", "POST", at(70), False, "", "", 1, True)]
    picture = drawn(event("BASKET", 0), lines=lines, retries=retries)
    assert [(each.kind, each.count) for each in picture.signs] == [("retried", 1), ("failed", 7), ("failed", 1)]
    assert picture.signs[1].text.endswith("and 2 more")
    assert picture.signs[0].text == "shop: POST after 1 failed try and ran into a time-out"


def test_a_failed_attempt_is_a_sign_in_the_lane_of_the_service_that_told_it():
    picture = drawn(event("BASKET", 0, "shop"), failed("ORDERED", 50, "no 3D data", service="mes"))
    assert named(picture.lanes) == ["service shop", "service mes"]
    (sign,) = picture.signs
    assert (sign.kind, sign.y, sign.text) == ("failed", picture.lanes[1].line, "mes: ORDERED failed: no 3D data")


def test_work_that_lies_close_is_one_bar_and_only_what_begins_it_counts():
    lines = [line(1, 0), line(2, 0.01, parent=1), line(3, 0.02), line(4, 50)]
    first, second = drawn(event("BASKET", 0), lines=lines).works
    assert "work 2" not in first.text
    assert "work 3" in first.text
    assert second.href == f"/traces/{TRACE}?span={4:016x}#s{4:016x}"


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param([line(1, 0, "odd", parent=1, error="Timeout")], id="its own parent"),
        pytest.param(
            [line(1, 0, "odd", parent=2), line(2, 1, "odd", parent=1, error="Timeout")], id="a circle of a service"
        ),
    ],
)
def test_a_service_whose_spans_are_their_own_ancestors_has_a_lane_for_what_failed_and_was_tried_again(lines):
    retries = [Notable(TRACE, "1" * 16, "odd", "POST", at(50), False, "", "", 1, True)]
    picture = drawn(event("BASKET", 0, "shop"), lines=lines, retries=retries)
    assert named(picture.lanes) == ["service shop", "service odd"]
    assert [(each.kind, each.y) for each in picture.signs] == [
        ("retried", picture.lanes[1].line),
        ("failed", picture.lanes[1].line),
    ]


@given(
    st.lists(
        st.builds(
            line, st.integers(1, 6), st.integers(-(10**6), 10**6), st.sampled_from(["", "a", "b"]), st.integers(0, 6),
            st.integers(0, 10**9), st.sampled_from(["", "Timeout"]),
        ),
        max_size=12,
    ),
    st.booleans(),
)  # fmt: skip
def test_whatever_spans_call_each_other_their_parents_an_order_has_a_picture(lines, folding):
    picture = drawn(event("BASKET", 0, "shop"), lines=lines, folding=folding)
    failed = sum(each.count for each in picture.signs if each.kind == "failed")
    assert failed == sum(each.failed for each in lines)
    assert {each.service or "(service not told)" for each in lines} <= {each.name for each in picture.lanes}


def test_holds_are_bands_and_long_empty_times_are_folded_with_their_length():
    events = (event("BASKET", 0), hold(1), resume(2), event("ORDERED", 3), event("ORDERED", 3))
    picture = drawn(*events, now=4 * 24 * 60, folding=True)
    (band,) = picture.holds
    assert "on hold for 1 min" in band.text
    assert [fold.label for fold in picture.folds] == ["30 min", "3 days 23 h"]
    assert all(0 <= mark.x <= 100 for mark in picture.marks)
    assert {"hold", "fold", "over"} <= picture.kinds
    assert drawn(*events, now=4 * 24 * 60, folding=False).folds == ()


def test_an_ended_order_ends_where_it_ended_and_what_came_later_is_there():
    picture = drawn(event("BASKET", 0), event("DONE", 10, due_at_ns=at(0) + DAY), event("ORDERED", 20), now=9_000)
    assert sorted(mark.kind for mark in picture.marks) == ["due", "end"]
    assert [block.text.splitlines()[0] for block in picture.blocks] == ["BASKET", "DONE", "ORDERED"]
    assert "told by" in picture.blocks[1].text


def test_an_order_of_which_nothing_but_a_fact_is_known_has_a_picture():
    picture = drawn(hold(0), now=1)
    assert picture.lanes == ()
    assert (picture.top, picture.bottom) == (0, 0)
    assert "0 stages" in picture.told


def test_words_of_telemetry_neither_turn_what_follows_nor_run_on():
    picture = drawn(event("BASKET", 0, actor="\u202eanna\n" + "z" * 500))
    assert "\u202e" not in picture.blocks[0].text
    assert max(map(len, picture.blocks[0].text.splitlines())) <= 160
