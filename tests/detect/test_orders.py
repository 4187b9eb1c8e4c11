"""What rules find in one order: a table of every shape, and the same findings however its events came."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clew.detect.orders import finding_of
from clew.journey.rebuild import rebuild
from clew.learn.projection import Remaining, project
from clew.model.event import Source
from clew.model.journey import DeviationKind, LostReason, VerdictKind
from clew.model.rule import (
    Deviates,
    InStage,
    Judged,
    NotReached,
    OnHold,
    OrderFilter,
    Pipeline,
    ProjectedLate,
    TooEarly,
)
from tests.detect.stories import EVENTS, LOSSES, MOMENTS, rule
from tests.journey.timeline import FLOW, HOUR, MINUTE, at, event, failed, hold, loss, resume, ring_flow, story

STUCK = Judged((VerdictKind.STUCK,))
LOST = Judged((VerdictKind.LOST,), (LostReason.IN_QUEUE,))
SHIPPED_BY_DUE = NotReached("SHIPPED", -60 * MINUTE)
ORDERED = story("BASKET", "ORDERED")
DUE = event("", 0, due_at_ns=at(120))


def find(shape, events, minutes, losses=(), flow=FLOW):
    journey = rebuild("4711", events, flow, losses)
    return finding_of(rule(shape), journey, flow, at(minutes))


CASES = [
    # shape, events, minutes at which it begins to be found, words of the sentence, labels that it has
    pytest.param(STUCK, ORDERED, 40, "is stuck in ORDERED for 30 min, allowed 30 min; waiting for mes; mes must act",
                 {"service": "mes", "stage": "ORDERED", "verdict": "stuck", "path": "web", "flow": "rings"}, id="stuck"),
    pytest.param(STUCK, [*ORDERED, hold(20), resume(50)], 70, "(30 min on hold not counted)", {}, id="stuck after a hold"),
    pytest.param(Judged((VerdictKind.IN_JEOPARDY,)), ORDERED, 30, "is in jeopardy in ORDERED for 20 min", {}, id="jeopardy"),
    pytest.param(Judged((VerdictKind.FAILED,)), [*ORDERED, failed("PRICED", 15, "no 3D data")], 15,
                 "failed in PRICED just now by mes: no 3D data; still in ORDERED; mes must act",
                 {"service": "mes", "stage": "PRICED", "error": "no 3D data"}, id="failed"),
    pytest.param(InStage(longer_than_ns=15 * MINUTE), ORDERED, 25, "is in ORDERED for 15 min, over 15 min", {}, id="in stage"),
    pytest.param(InStage(used=0.5), ORDERED, 25, "is in ORDERED for 15 min of 30 min allowed", {}, id="share of the limit"),
    pytest.param(InStage(longer_than_ns=15 * MINUTE), [*ORDERED, hold(12), resume(32)], 45, "15 min", {}, id="holds don't count"),
    pytest.param(InStage(used=0.5), [*ORDERED, failed("PRICED", 12, "no 3D data")], 25, "is in ORDERED for 15 min",
                 {"stage": "ORDERED", "verdict": "failed"}, id="in its stage still, after a try to leave it failed"),
    pytest.param(NotReached("MADE", 2 * HOUR, "ORDERED"), story("BASKET", "ORDERED", "PRICED"), 130,
                 "has not reached MADE 2 h after ORDERED, allowed 2 h; it is still in PRICED; sales must act",
                 {"stage": "PRICED"}, id="not reached"),
    pytest.param(NotReached("MADE", 2 * HOUR, "ORDERED"), story("ORDERED", "PRICED", "ORDERED"), 120, "2 h after", {},
                 id="coming back begins no time anew"),
    pytest.param(SHIPPED_BY_DUE, [*ORDERED, DUE], 60, "has not reached SHIPPED, due in 1 h; it is still in ORDERED", {},
                 id="not reached before the due date"),
    pytest.param(NotReached("DONE", 0), [*ORDERED, DUE], 120, "has not reached DONE, due just now", {}, id="due date passed"),
    pytest.param(OnHold(longer_than_ns=HOUR), [*ORDERED, hold(15)], 75, "is on hold in ORDERED for 1 h, over 1 h", {}, id="hold"),
    pytest.param(OnHold(before_due_ns=90 * MINUTE), [*ORDERED, DUE, hold(15)], 30, "for 15 min, and due in 1 h 30 min", {},
                 id="hold near the due date"),
    pytest.param(TooEarly("PRICED", 20 * MINUTE, "ORDERED"), story("BASKET", "ORDERED", "PRICED"), 20,
                 "reached PRICED just now, 10 min after ORDERED, sooner than 20 min is right (by mes); sales must act",
                 {"stage": "PRICED"}, id="too early"),
    pytest.param(TooEarly("ORDERED", 100 * MINUTE), [*ORDERED, DUE], 10, "1 h 50 min before it is due", {}, id="before due"),
    pytest.param(Deviates((DeviationKind.SKIPPED,), ("PRICED",)), story("BASKET", "ORDERED", "APPROVED"), 20,
                 "left its flow (skipped: PRICED): it came to APPROVED after ORDERED just now, by crm; mes must act",
                 {"stage": "PRICED"}, id="skipped"),
    pytest.param(Deviates((DeviationKind.UNKNOWN_STAGE,)), story("BASKET", "GLUED"), 10, "unknown stage: GLUED",
                 {"stage": "GLUED"}, id="unknown stage"),
]  # fmt: skip


@pytest.mark.parametrize(("shape", "events", "begins", "words", "labels"), CASES)
def test_a_finding_begins_when_the_shape_says_and_tells_who_must_act(shape, events, begins, words, labels):
    seen = [each for each in events if each.at_ns <= at(begins)]
    before = [each for each in events if each.at_ns < at(begins)]
    found = find(shape, seen, begins)
    assert found is not None
    assert words in found.reason
    assert found.since_ns == at(begins)
    assert (found.rule, found.subject, found.order_id) == ("r", "order:4711", "4711")
    assert labels.items() <= found.labels.items()
    assert found.reason.endswith(f"; {found.owner} must act") is bool(found.owner)
    assert find(shape, before, begins - 1 / MINUTE) is None


@pytest.mark.parametrize(("shape", "events", "begins", "words", "labels"), CASES)
def test_an_order_of_imported_history_is_never_found(shape, events, begins, words, labels):
    seen = [each._replace(source=Source.IMPORT) for each in events]
    assert find(shape, seen, begins) is None


def test_a_lost_order_is_found_by_its_reason_with_its_queue_and_trace():
    found = find(LOST, ORDERED, 30, [loss(12, queue="mes.orders")])
    assert found is not None
    assert "is lost, published to mes.orders 18 min ago by shop, nobody consumed it; mes must act" in found.reason
    assert {"lost_reason": "in_queue", "queue": "mes.orders", "service": "mes"}.items() <= found.labels.items()
    assert (found.trace_ids[0], found.since_ns) == ("t" * 32, at(12))
    rejected = find(Judged((VerdictKind.LOST,)), ORDERED, 30, [loss(12, reason=LostReason.REJECTED, queue="q")])
    assert rejected is not None
    assert rejected.labels["queue"] == "q"
    assert find(LOST, ORDERED, 30, [loss(12, reason=LostReason.REJECTED)]) is None


@pytest.mark.parametrize(
    ("orders", "found"),
    [
        (OrderFilter(), True),
        (OrderFilter(("rings",), ("ORDERED",), ("web",)), True),
        (OrderFilter(flows=("other",)), False),
        (OrderFilter(stages=("PRICED",)), False),
        (OrderFilter(paths=("partner",)), False),
    ],
)
def test_only_the_orders_that_a_rule_picks_are_judged(orders, found):
    assert (find(Judged((VerdictKind.STUCK,), (), orders), ORDERED, 90) is not None) is found


@pytest.mark.parametrize(
    ("shape", "events", "minutes"),
    [
        pytest.param(STUCK, [*ORDERED, event("PRICED", 30)], 90, id="it moved on"),
        pytest.param(InStage(longer_than_ns=1), story("BASKET", "DROPPED"), 90, id="cancelled"),
        pytest.param(InStage(used=0.1), story("BASKET"), 900, id="no limit to use"),
        pytest.param(NotReached("MADE", 1, "ORDERED"), story("ORDERED", "MADE"), 90, id="reached"),
        pytest.param(NotReached("MADE", 1, "ORDERED"), story("BASKET"), 90, id="nothing to count from"),
        pytest.param(SHIPPED_BY_DUE, ORDERED, 90, id="no due date"),
        pytest.param(
            TooEarly("PRICED", HOUR, "ORDERED"), story("BASKET", "PRICED"), 90, id="what it follows is skipped"
        ),
        pytest.param(TooEarly("PRICED", 10 * MINUTE, "ORDERED"), story("ORDERED", "PRICED"), 90, id="just in time"),
        pytest.param(OnHold(longer_than_ns=1), [*ORDERED, hold(15), resume(16)], 90, id="the hold is over"),
        pytest.param(ProjectedLate(), [*ORDERED, DUE], 90, id="nothing to project by"),
    ],
)
def test_nothing_is_found(shape, events, minutes):
    assert find(shape, events, minutes) is None


def test_an_accepted_deviation_is_none():
    flow = ring_flow(accepted=frozenset({"skipped:PRICED"}))
    assert find(Deviates(), story("BASKET", "ORDERED", "APPROVED"), 30, flow=flow) is None


def test_a_projected_order_is_found_when_too_few_like_it_end_in_time():
    times = {("rings", "", "ORDERED"): Remaining(100, tuple(round(share * 12 * MINUTE) for share in range(21)))}
    journey = project(rebuild("4711", [*ORDERED, event("", 10, due_at_ns=at(190))], FLOW), times)
    found = finding_of(rule(ProjectedLate()), journey, FLOW, at(130))
    assert found is not None
    assert found.since_ns == journey.late_from_ns
    assert "will probably be" in found.reason
    assert "late: due in 1 h" in found.reason
    assert finding_of(rule(ProjectedLate(margin_ns=3 * HOUR)), journey, FLOW, at(130)) is None
    few = finding_of(rule(ProjectedLate(share=0.9)), journey, FLOW, at(130))
    assert few is not None
    assert few.since_ns < found.since_ns


def test_a_rule_about_something_else_judges_no_order():
    with pytest.raises(TypeError):
        find(Pipeline(), ORDERED, 30)


SHAPES = [case.values[0] for case in CASES] + [LOST]


@settings(max_examples=60, deadline=None)
@given(EVENTS, LOSSES, st.data(), st.sampled_from(SHAPES), MOMENTS)
def test_late_shuffled_and_repeated_events_give_the_same_finding(events, losses, data, shape, minutes):
    shuffled = data.draw(st.permutations(events)) + data.draw(st.lists(st.sampled_from(events), max_size=3))
    assert find(shape, events, minutes, losses) == find(shape, shuffled, minutes, losses)


@settings(max_examples=60, deadline=None)
@given(EVENTS, LOSSES, st.sampled_from(SHAPES), MOMENTS)
def test_a_finding_holds_since_a_moment_that_is_not_in_the_future(events, losses, shape, minutes):
    found = find(shape, events, minutes, losses)
    last = max(each.at_ns for each in events)
    if found is not None and last <= at(minutes):
        assert found.since_ns <= max(at(minutes), last)
