import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clew.journey import judge, rebuild
from clew.model.journey import LostReason, VerdictKind
from tests.journey.test_rebuild import stories
from tests.journey.timeline import (
    FLOW,
    HAPPY,
    MINUTE,
    START,
    at,
    event,
    failed,
    hold,
    loss,
    resume,
    ring_flow,
    story,
)

LIMITED_HOLD = ring_flow(hold_limit_ns=1000 * MINUTE)


def verdict_at(minutes, *told, losses=(), flow=FLOW):
    return judge(rebuild("4711", told, flow, losses), flow, at(minutes))


@pytest.mark.parametrize(
    ("minutes", "told", "kind", "since", "reason", "owner"),
    [
        (5, [event("BASKET", 0)], "on_time", 0, "in BASKET for 5 min", "shop"),
        (10, [event("ORDERED", 0)], "on_time", 0, "in ORDERED for 10 min, allowed 30 min", "mes"),
        (20, [event("ORDERED", 0)], "in_jeopardy", 20, "in ORDERED for 20 min, allowed 30 min; waiting for mes", "mes"),
        (30, [event("ORDERED", 0)], "stuck", 30, "in ORDERED for 30 min, allowed 30 min; waiting for mes", "mes"),
        (130, [event("ORDERED", 0)], "stuck", 30, "in ORDERED for 2 h 10 min, allowed 30 min; waiting for mes", "mes"),
        (
            300,
            [event("BASKET", 0), event("ORDERED", 1), event("PRICED", 2)],
            "stuck",
            242,
            "in PRICED for 4 h 58 min, allowed 4 h; waiting for crm",
            "sales",
        ),
        (
            60,
            [event("ORDERED", 0), hold(5), resume(25)],
            "stuck",
            50,
            "in ORDERED for 40 min (20 min on hold not counted), allowed 30 min; waiting for mes",
            "mes",
        ),
        (65, [event("ORDERED", 0), hold(5)], "on_hold", 5, "on hold in ORDERED for 1 h", "mes"),
        (
            90,
            [event("ORDERED", 0), event("LOBBY", 10)],
            "stuck",
            30,
            "in ORDERED for 1 h 30 min, allowed 30 min, then LOBBY, which the flow doesn't know; waiting for mes",
            "mes",
        ),
        (
            60,
            [event("ORDERED", 0, due_at_ns=at(50)), hold(5)],
            "in_jeopardy",
            50,
            "on hold in ORDERED for 55 min; its due date passed 10 min ago",
            "mes",
        ),
        (10, [event("", 0)], "on_time", 0, "first heard of 10 min ago, no stage known yet", ""),
        (10, [event("LOBBY", 0)], "on_time", 0, "in LOBBY for 10 min, which the flow doesn't know", ""),
        (
            10,
            [event("ORDERED", 0, due_at_ns=at(8))],
            "in_jeopardy",
            8,
            "in ORDERED for 10 min, allowed 30 min; its due date passed 2 min ago; waiting for mes",
            "mes",
        ),
        (
            25,
            [event("ORDERED", 0, due_at_ns=at(85))],
            "in_jeopardy",
            20,
            "in ORDERED for 25 min, allowed 30 min; due in 1 h; waiting for mes",
            "mes",
        ),
        (
            10,
            [event("ORDERED", 0), failed("PRICED", 5, "no 3D data")],
            "failed",
            5,
            "failed in PRICED 5 min ago by mes: no 3D data; still in ORDERED",
            "mes",
        ),
        (10, [event("ORDERED", 0), failed("ORDERED", 5)], "failed", 5, "failed in ORDERED 5 min ago by shop", "shop"),
        (10, [failed("", 5, service="")], "failed", 5, "failed 5 min ago", ""),
        (10, [failed("MADE", 5, service="")], "failed", 5, "failed in MADE 5 min ago", ""),
        (70, story(*HAPPY), "closed", 60, "closed 10 min ago by crm, 1 h after it began", ""),
        (9, [event("DROPPED", 2, "")], "cancelled", 2, "cancelled 7 min ago", ""),
        (
            9,
            [event("ORDERED", 0), event("DROPPED", 2), event("MADE", 4)],
            "cancelled",
            2,
            "cancelled 7 min ago by shop, 2 min after it began; MADE came after the end",
            "",
        ),
    ],
)
def test_a_verdict_says_kind_since_reason_and_who_must_act(minutes, told, kind, since, reason, owner):
    verdict = verdict_at(minutes, *told)
    assert (str(verdict.kind), verdict.since_ns) == (kind, at(since))
    assert verdict.reason == reason
    assert verdict.owner == owner


def test_a_hold_over_its_limit_is_stuck():
    verdict = verdict_at(1010, event("ORDERED", 0), hold(5), flow=LIMITED_HOLD)
    assert verdict.kind is VerdictKind.STUCK
    assert verdict.reason == "on hold in ORDERED for 16 h 45 min, allowed 16 h 40 min"
    assert verdict.since_ns == at(1005)


@pytest.mark.parametrize(
    ("reason", "fields", "sentence", "owner"),
    [
        ("in_queue", {}, "published to mes.orders 42 min ago by shop, nobody consumed it", "mes"),
        (
            "in_queue",
            {"queue": "mes.in"},
            "published to mes.orders 42 min ago by shop, waits in mes.in, nobody consumed it",
            "mes",
        ),
        (
            "unroutable",
            {},
            "published to mes.orders 42 min ago by shop, but no queue is bound there, so the broker returned it",
            "shop",
        ),
        (
            "expired",
            {"queue": "mes.in"},
            "published to mes.orders 42 min ago by shop, expired in mes.in before anybody took it",
            "mes",
        ),
        (
            "rejected",
            {"queue": "mes.in", "detail": "by mes-worker"},
            "published to mes.orders 42 min ago by shop, rejected from mes.in and not seen since (by mes-worker)",
            "mes",
        ),
        (
            "dead_lettered",
            {"queue": "mes.in"},
            "published to mes.orders 42 min ago by shop, dead-lettered from mes.in",
            "mes",
        ),
        (
            "consumed_without_effect",
            {},
            "published to mes.orders 42 min ago by shop, consumed, but the order never moved on",
            "mes",
        ),
        ("unknown", {}, "published to mes.orders 42 min ago by shop, and no trace of it since", "mes"),
        (
            "in_queue",
            {"destination": "", "service": ""},
            "published to an unnamed destination 42 min ago by an unnamed service, nobody consumed it",
            "mes",
        ),
    ],
)
def test_each_way_to_lose_a_message_has_its_sentence(reason, fields, sentence, owner):
    lost = loss(1, reason=LostReason(reason), **fields)
    verdict = verdict_at(43, event("ORDERED", 0), losses=[lost])
    assert (verdict.kind, verdict.since_ns, verdict.reason) == (VerdictKind.LOST, at(1), sentence)
    assert verdict.owner == owner
    assert (verdict.trace_id, verdict.span_id) == (lost.trace_id, lost.span_id)


def test_every_reason_of_a_loss_is_told():
    sentences = {verdict_at(43, event("ORDERED", 0), losses=[loss(1, reason=each)]).reason for each in LostReason}
    assert len(sentences) == len(LostReason) == 7


HANDED_OVER = [event("BASKET", 0), event("ORDERED", 1)]


@pytest.mark.parametrize(
    ("told", "lost"),
    [
        ([], True),
        ([event("PRICED", 5)], False),
        ([event("PRICED", 2)], True),
        ([event("PRICED", 1.5)], True),
        ([event("PRICED", 5, "shop")], True),
        ([failed("PRICED", 5)], True),
        ([event("", 5, "mes")], True),
        ([hold(5)], True),
        ([event("ORDERED", 5, "mes")], False),
    ],
)
def test_a_loss_counts_until_another_service_moves_the_order_on(told, lost):
    journey = rebuild("4711", [*HANDED_OVER, *told], FLOW, [loss(2)])
    assert bool(journey.losses) == lost


@pytest.mark.parametrize(
    ("told", "minutes", "kind"),
    [
        ([event("ORDERED", 0)], 25, VerdictKind.IN_JEOPARDY),
        ([event("ORDERED", 0)], 30, VerdictKind.LOST),
        ([event("BASKET", 0)], 9999, VerdictKind.ON_TIME),
        ([event("ORDERED", 0), hold(3)], 9999, VerdictKind.ON_HOLD),
    ],
)
def test_silence_about_a_message_alone_is_a_loss_only_of_an_order_that_is_late(told, minutes, kind):
    unknown = loss(1, reason=LostReason.UNKNOWN)
    assert verdict_at(minutes, *told, losses=[unknown]).kind is kind


def test_a_loss_that_somebody_stated_is_told_before_one_that_nobody_can_tell():
    unknown, stated = loss(1, reason=LostReason.UNKNOWN), loss(5, span_id="b" * 16)
    journey = rebuild("4711", [event("ORDERED", 0)], FLOW, [unknown, stated])
    assert journey.losses == (stated, unknown)
    assert journey.lost_from_ns == at(5)


def test_the_oldest_loss_is_the_one_told_and_repeats_count_once():
    losses = [loss(9, span_id="b" * 16), loss(2), loss(2)]
    journey = rebuild("4711", HANDED_OVER, FLOW, losses)
    assert journey.losses == (loss(2), loss(9, span_id="b" * 16))
    assert judge(journey, FLOW, at(43)).since_ns == at(2)


@pytest.mark.parametrize(
    ("kind", "told", "losses"),
    [
        (VerdictKind.CANCELLED, [failed("PRICED", 3), event("DROPPED", 4)], [loss(5)]),
        (VerdictKind.LOST, [failed("PRICED", 3), hold(3.5)], [loss(5)]),
        (VerdictKind.FAILED, [failed("PRICED", 3), hold(3.5)], []),
        (VerdictKind.FAILED, [failed("PRICED", 3)], []),
        (VerdictKind.STUCK, [], []),
        (VerdictKind.IN_JEOPARDY, [event("", 3, due_at_ns=at(90)), hold(4)], []),
        (VerdictKind.ON_HOLD, [hold(4)], []),
    ],
)
def test_the_worse_verdict_is_said_and_an_end_ends_all(kind, told, losses):
    assert verdict_at(100, event("ORDERED", 0), *told, losses=losses).kind is kind


def columns_verdict(journey, now_ns):
    """The comparison of the judge module's docstring, spelt out again as the store's query has it."""
    rows = [
        (journey.terminal == "closed", "closed"),
        (journey.terminal == "cancelled", "cancelled"),
        (journey.lost_from_ns is not None and journey.lost_from_ns <= now_ns, "lost"),
        (journey.failure is not None, "failed"),
        (journey.deadline_at_ns is not None and journey.deadline_at_ns <= now_ns, "stuck"),
        (journey.warn_at_ns is not None and journey.warn_at_ns <= now_ns, "in_jeopardy"),
        (journey.on_hold, "on_hold"),
    ]
    return next((kind for holds, kind in rows if holds), "on_time")


moments = st.integers(-10, 3000).map(lambda minutes: START + minutes * MINUTE)
losses = st.lists(st.integers(0, 10).map(loss), max_size=2)


@given(stories, losses, moments, st.sampled_from([FLOW, LIMITED_HOLD]))
def test_the_kind_follows_from_a_comparison_of_columns_alone(told, lost, now_ns, flow):
    journey = rebuild("4711", told, flow, lost)
    verdict = judge(journey, flow, now_ns)
    assert verdict.kind == columns_verdict(journey, now_ns)
    assert verdict.reason
    if verdict.kind in (VerdictKind.STUCK, VerdictKind.IN_JEOPARDY):
        assert verdict.since_ns <= now_ns


WORSE_WITH_TIME = [VerdictKind.ON_TIME, VerdictKind.ON_HOLD, VerdictKind.IN_JEOPARDY, VerdictKind.STUCK]


@given(stories, moments, moments, st.sampled_from([FLOW, LIMITED_HOLD]))
def test_without_new_facts_time_alone_never_betters_a_verdict(told, one, other, flow):
    journey = rebuild("4711", told, flow)
    before, after = (judge(journey, flow, now_ns).kind for now_ns in sorted((one, other)))
    if before in WORSE_WITH_TIME:
        assert WORSE_WITH_TIME.index(after) >= WORSE_WITH_TIME.index(before)
    else:
        assert after is before


@given(stories, losses)
def test_a_loss_is_only_taken_back_by_facts(told, lost):
    journey = rebuild("4711", told, FLOW, lost)
    assert set(journey.losses) <= set(lost)
    assert journey.facts == rebuild("4711", told, FLOW).facts


def test_the_evidence_of_a_waiting_order_is_its_last_milestone():
    verdict = verdict_at(60, event("ORDERED", 0, trace_id="1" * 32))
    assert (verdict.trace_id, verdict.span_id) == ("1" * 32, event("ORDERED", 0).span_id)


def test_no_stage_is_strange_where_nobody_declared_a_flow():
    undeclared = dataclasses.replace(FLOW, version=0, stages=(), paths={})
    assert verdict_at(10, event("LOBBY", 0), flow=undeclared).reason == "in LOBBY for 10 min"
