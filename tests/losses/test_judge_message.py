"""Whether a message was lost, as a pure decision over both its ends."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clew.flow import parse_flow
from clew.journey.hops import Known, judge_message, retried_queues
from clew.journey.losses import transit_limits
from clew.model.journey import LostReason
from clew.model.message import Delivery, Message, Settlement
from clew.store.hops import TransitLimits

SECOND = 10**9
PUBLISHED = 1_000 * SECOND
LIMIT = 60 * SECOND
GRACE = 6 * SECOND
DUE = PUBLISHED + LIMIT + GRACE
ACK, REJECT, REQUEUE, NONE, UNSEEN = (
    Settlement.ACK,
    Settlement.REJECT,
    Settlement.REQUEUE,
    Settlement.NONE,
    Settlement.UNSEEN,
)


def delivery(number=1, settlement=ACK, queue="work", **told):
    at_ns = PUBLISHED + number * SECOND
    return Delivery("t", f"{number:016x}", at_ns, at_ns + SECOND // 2, "mes", "ex:key", queue, settlement, **told)


def message(*deliveries, **told):
    return Message("t", "s", PUBLISHED, "shop", "ex:key", deliveries=tuple(deliveries), **told)


def said(told, now_ns=DUE, **known):
    loss = judge_message(told, now_ns, Known(**{"limit_ns": LIMIT, "grace_ns": GRACE} | known))
    return loss and (loss.reason.value, loss.queue, loss.detail)


def dead(number, reason, from_queue, settlement=ACK, queue="graves"):
    return delivery(number, settlement, queue, death_reason=reason, death_queue=from_queue)


@pytest.mark.parametrize(
    ("told", "now_ns", "known", "expected"),
    [
        (message(), DUE - 1, {"consumed_before": True}, None),
        (message(), DUE, {"consumed_before": True}, ("in_queue", "", "")),
        (message(), DUE, {}, ("unknown", "", "")),
        (message(), DUE, {"limit_ns": None}, None),
        (message(queue="work"), DUE, {"consumed_before": True}, ("in_queue", "work", "")),
        (message(received_ns=DUE), DUE, {}, None),
        (message(received_ns=DUE), DUE + GRACE, {}, ("unknown", "", "")),
        (message(wrapped=True), DUE, {}, None),
        (message(wrapped=True, error="unroutable"), DUE, {}, None),
        (message(error="unroutable"), PUBLISHED, {}, ("unroutable", "", "")),
        (message(error="pika.exceptions.UnroutableError"), PUBLISHED, {"limit_ns": None}, ("unroutable", "", "")),
        (message(error="nack"), DUE - 1, {}, None),
        (message(error="nack"), DUE, {}, ("unknown", "", "publishing it ended with nack")),
    ],
)
def test_a_message_that_nobody_took(told, now_ns, known, expected):
    assert said(told, now_ns, **known) == expected


@pytest.mark.parametrize(
    ("deliveries", "expected"),
    [
        ([delivery()], None),
        ([delivery(settlement=UNSEEN)], None),
        ([delivery(settlement=REQUEUE), delivery(2)], None),
        ([delivery(settlement=NONE), delivery(2, redelivered=True)], None),
        ([delivery(settlement=UNSEEN, error="ValueError"), delivery(2, settlement=UNSEEN)], None),
        ([delivery(settlement=REJECT, queue=""), delivery(2, queue="")], None),
        ([delivery(settlement=REQUEUE)], ("in_queue", "work", "mes gave it back")),
        ([delivery(settlement=NONE)], ("in_queue", "work", "mes broke off while it had it")),
        ([delivery(settlement=UNSEEN, error="ValueError")], ("unknown", "work", "mes failed on it: ValueError")),
        (
            [delivery(error="no oven")],
            ("consumed_without_effect", "work", "mes acknowledged it, but failed on it: no oven"),
        ),
        ([delivery(error="no oven"), delivery(2)], None),
        ([delivery(settlement=REJECT)], ("rejected", "work", "by mes")),
        ([delivery(settlement=REJECT, error="no 3D data")], ("rejected", "work", "by mes: no 3D data")),
        # every bound queue has a copy of its own
        ([delivery(settlement=REJECT), delivery(2, queue="audit")], ("rejected", "work", "by mes")),
        ([delivery(settlement=REJECT), delivery(2, queue="", settlement=UNSEEN)], None),
        ([delivery(settlement=REJECT, queue=""), delivery(2, queue="audit")], None),
    ],
)
def test_a_message_that_was_delivered(deliveries, expected):
    assert said(message(*deliveries), DUE + 60 * SECOND) == expected


BURIED = "taken from the dead-letter queue by mes"


@pytest.mark.parametrize(
    ("deliveries", "worked", "expected"),
    [
        (
            [delivery(settlement=REJECT), dead(2, "rejected", "work")],
            (),
            ("dead_lettered", "work", f"rejected there; {BURIED}"),
        ),
        ([dead(2, "rejected", "work")], (), ("dead_lettered", "work", f"rejected there; {BURIED}")),
        ([dead(2, "maxlen", "work")], (), ("dead_lettered", "work", f"the queue was full; {BURIED}")),
        ([dead(2, "delivery_limit", "work")], (), ("dead_lettered", "work", f"delivered too often; {BURIED}")),
        ([dead(2, "new reason", "work")], (), ("dead_lettered", "work", f"new reason; {BURIED}")),
        ([dead(2, "expired", "work")], ("work",), ("expired", "work", BURIED)),
        ([delivery(settlement=REQUEUE), dead(2, "expired", "work")], (), ("expired", "work", BURIED)),
        # a queue that nobody works on only delays
        ([dead(2, "expired", "wait", queue="work")], (), None),
        # delayed retries
        ([delivery(settlement=REJECT), dead(2, "expired", "wait", queue="work")], ("work",), None),
        ([delivery(settlement=REJECT), dead(2, "rejected", "work", queue="work")], (), None),
        (
            [delivery(settlement=REJECT), dead(2, "expired", "wait", REJECT, "work")],
            (),
            ("rejected", "work", "by mes"),
        ),
        # one copy was worked on, the other one buried
        (
            [delivery(1, queue="audit"), dead(2, "rejected", "work")],
            (),
            ("dead_lettered", "work", f"rejected there; {BURIED}"),
        ),
        # the dead letter was put back by hand
        ([delivery(settlement=REJECT), dead(2, "rejected", "work"), delivery(3)], (), None),
    ],
)
def test_a_message_that_died(deliveries, worked, expected):
    assert said(message(*deliveries), DUE, worked_queues=worked) == expected


def test_a_reject_waits_where_rejected_messages_are_known_to_come_back():
    told = message(delivery(settlement=REJECT))
    ended_ns = told.deliveries[0].ended_ns
    assert said(told, ended_ns) == ("rejected", "work", "by mes")
    assert said(told, ended_ns + LIMIT + GRACE - 1, retried_queues={"work"}) is None
    assert said(told, ended_ns + LIMIT + GRACE, retried_queues={"work"}) == ("rejected", "work", "by mes")
    assert said(told, ended_ns + LIMIT + GRACE, retried_queues={"work"}, limit_ns=None) is None


def test_a_queue_whose_rejected_message_came_back_is_retried():
    back = message(delivery(settlement=REJECT), dead(2, "expired", "wait", queue="work"))
    assert retried_queues(back) == {"work"}
    assert retried_queues(message(delivery(settlement=REJECT), dead(2, "rejected", "work"))) == set()
    assert retried_queues(message(delivery(settlement=REQUEUE), delivery(2))) == set()


deliveries_drawn = st.builds(
    delivery,
    number=st.integers(1, 9),
    settlement=st.sampled_from(Settlement),
    queue=st.sampled_from(["", "work", "audit", "graves"]),
    error=st.sampled_from(["", "ValueError"]),
    redelivered=st.booleans(),
    death_reason=st.sampled_from(["", "", "expired", "rejected"]),
    death_queue=st.sampled_from(["work", "wait"]),
).map(lambda each: each if each.death_reason else delivery_without_death(each))
knowledge = st.builds(
    Known,
    limit_ns=st.one_of(st.none(), st.just(LIMIT)),
    grace_ns=st.sampled_from([0, GRACE]),
    consumed_before=st.booleans(),
    worked_queues=st.sets(st.sampled_from(["work", "wait"])),
    retried_queues=st.sets(st.sampled_from(["work", "audit"])),
)
moments = st.integers(PUBLISHED, PUBLISHED + 300 * SECOND)


def delivery_without_death(each):
    number = (each.started_ns - PUBLISHED) // SECOND
    return delivery(number, each.settlement, each.queue, error=each.error, redelivered=each.redelivered)


@given(st.lists(deliveries_drawn, max_size=5, unique_by=lambda each: each.span_id), knowledge, moments, st.data())
def test_the_order_in_which_deliveries_are_known_changes_nothing(deliveries, known, now_ns, data):
    shuffled = data.draw(st.permutations(deliveries))
    assert judge_message(message(*deliveries), now_ns, known) == judge_message(message(*shuffled), now_ns, known)


@given(st.lists(deliveries_drawn, max_size=4, unique_by=lambda each: each.span_id), knowledge, moments, moments)
def test_what_is_lost_stays_lost_while_nothing_more_is_known(deliveries, known, one_ns, other_ns):
    early_ns, late_ns = sorted((one_ns, other_ns))
    told = message(*deliveries)
    if judge_message(told, early_ns, known):
        assert judge_message(told, late_ns, known)


@given(
    st.lists(
        deliveries_drawn.filter(lambda each: each.queue in ("", "work")),
        max_size=4,
        unique_by=lambda each: each.span_id,
    ),
    knowledge,
    moments,
)
def test_a_message_that_its_queue_acknowledged_is_never_lost(deliveries, known, now_ns):
    fresh = [each for each in deliveries if not each.death_reason]
    assert judge_message(message(*fresh, delivery(10)), now_ns, known) is None


@given(knowledge, moments)
def test_a_message_without_deliveries_is_lost_by_silence_alone(known, now_ns):
    loss = judge_message(message(), now_ns, known)
    assert loss is None or loss.reason in (LostReason.IN_QUEUE, LostReason.UNKNOWN)


def flow(name, transit):
    return parse_flow(
        f"flow: {name}\nversion: 1\npaths: {{p: [A]}}\nstages:\n  A: {{limit: 1h, next: [B]}}\n  B: {{terminal: closed}}\n"
        f"transit: {transit}\n"
    )


def test_the_longest_limit_counts_where_flows_differ():
    limits = transit_limits([flow("one", '{"*": 5m, orders: 10s}'), flow("two", "{orders: 20s, mail: 1h}")])
    assert limits.default == 300 * SECOND
    assert limits.by_destination == {"orders": 20 * SECOND, "mail": 3600 * SECOND}
    assert limits.lengths == [20 * SECOND, 300 * SECOND, 3600 * SECOND]


def test_without_a_limit_nothing_is_late():
    limits = transit_limits([])
    assert (limits.of("orders"), limits.lengths) == (None, [])


@pytest.mark.parametrize(
    ("destination", "expected"),
    [
        ("orders", 10),
        ("orders:created", 10),
        ("orders,created", 10),
        ("orders:urgent", 1),
        ("orders:urgent:queue", 1),
        ("orders2", 60),
        ("", 60),
    ],
)
def test_the_longest_name_that_a_destination_begins_with_gives_its_limit(destination, expected):
    assert TransitLimits({"orders": 10, "orders:urgent": 1}, 60).of(destination) == expected
