"""What rules find in spans, queues and Clew itself, from values as the store measures them."""

import pytest

from clew.detect.pipeline import in_trouble
from clew.detect.queues import waiting
from clew.detect.spans import burning, slow, spans_seen
from clew.model.rule import (
    BurnRate,
    BurnWindow,
    By,
    Pipeline,
    PipelineTrouble,
    QueueWaits,
    Slow,
    SpanCondition,
    SpansSeen,
)
from clew.model.watched import Burned, PipelineState, SpanExample, SpanGroup, WaitingQueue
from tests.detect.stories import rule

SECOND, MINUTE = 10**9, 60 * 10**9
NOW = 1_795_348_800 * SECOND
TRACE = "ab" * 16
EXAMPLE = SpanExample(TRACE, "shop-api", "POST /orders", NOW - SECOND, 2 * SECOND, "RuntimeError", 500)


def group(spans=3, quantile_ns=None, operation=""):
    return SpanGroup("shop-api", operation, spans, NOW - 4 * MINUTE, NOW - SECOND, quantile_ns, (EXAMPLE,))


HTTP_500 = SpansSeen(SpanCondition(http_from=500, http_to=599), 5 * MINUTE, 2)


def test_spans_that_should_not_be_are_found_with_their_trace():
    [found] = spans_seen(rule(HTTP_500), HTTP_500, [group()], NOW)
    assert found.reason == (
        "shop-api: 3 spans answered HTTP 500 to 599 within 5 min, the last 1 s ago: "
        f"POST /orders (HTTP 500, RuntimeError, 2.00 s), trace {TRACE}"
    )
    assert (found.subject, found.value, found.bound) == ("service:shop-api", 3.0, 2.0)
    assert found.labels == {"service": "shop-api", "error": "RuntimeError"}
    assert (found.trace_ids, found.since_ns) == ((TRACE,), NOW - 4 * MINUTE)
    assert spans_seen(rule(HTTP_500), HTTP_500, [group(1)], NOW) == []


@pytest.mark.parametrize(
    ("by", "told", "subject"),
    [
        ((By.SERVICE,), group(), "service:shop-api"),
        ((By.SERVICE, By.OPERATION), group(operation="POST /orders"), "operation:shop-api/POST /orders"),
        ((By.OPERATION,), SpanGroup("", "POST /orders", 3, 0, 0), "operation:POST /orders"),
        ((), SpanGroup("", "", 3, 0, 0), "spans:r"),
    ],
)
def test_a_subject_is_what_spans_are_told_apart_by(by, told, subject):
    shape = SpansSeen(SpanCondition(errors_only=True), 5 * MINUTE, 1, by)
    assert [each.subject for each in spans_seen(rule(shape), shape, [told], NOW)] == [subject]


SLOW = Slow(SpanCondition(work=("database",)), 0.95, SECOND, 5 * MINUTE, 3)


@pytest.mark.parametrize(
    ("quantile_ns", "spans", "recover_below", "found"),
    [
        pytest.param(SECOND + 1, 3, None, True, id="above"),
        pytest.param(SECOND, 3, None, False, id="at the bound"),
        pytest.param(SECOND + 1, 2, None, False, id="too few to tell"),
        pytest.param(SECOND * 9 // 10, 3, 0.8, True, id="between the bounds it keeps an alert firing"),
        pytest.param(SECOND * 7 // 10, 3, 0.8, False, id="below the recovery bound"),
    ],
)
def test_slow_ones_are_found_by_their_quantile(quantile_ns, spans, recover_below, found):
    said = slow(rule(SLOW, recover_below=recover_below), SLOW, [group(spans, quantile_ns)])
    assert bool(said) is found


def test_a_slow_service_is_told_in_a_sentence():
    [found] = slow(rule(SLOW), SLOW, [group(40, 1_300_000_000)])
    assert found.reason.startswith(
        "shop-api: 5 % of 40 spans took over 1.30 s within 5 min, allowed 1.00 s: POST /orders"
    )
    assert (found.value, found.bound) == (1.3, 1.0)


BURN = BurnRate(SpanCondition(), SpanCondition(http_from=500, http_to=599), 0.99,
                (BurnWindow(60 * MINUTE, 5 * MINUTE, 14.4), BurnWindow(360 * MINUTE, 30 * MINUTE, 6.0)), 5)  # fmt: skip


@pytest.mark.parametrize(
    ("spans", "bad", "rate"),
    [
        pytest.param((1000, 100, 6000, 500), (150, 15, 150, 15), 15.0, id="the fast pair"),
        pytest.param((1000, 100, 6000, 500), (150, 14, 150, 15), None, id="it has stopped: the short window is calm"),
        pytest.param((1000, 100, 6000, 500), (100, 20, 400, 30), 400 / 60, id="the slow pair"),
        pytest.param((10, 2, 10, 2), (4, 2, 4, 2), None, id="too few bad ones"),
        pytest.param((0, 0, 0, 0), (0, 0, 0, 0), None, id="nothing ran"),
    ],
)
def test_a_budget_burns_when_both_windows_of_any_pair_do(spans, bad, rate):
    found = burning(rule(BURN), BURN, [Burned("shop-api", spans, bad, (EXAMPLE,))], NOW)
    assert [pytest.approx(rate)] * len(found) == [each.value for each in found]
    assert bool(found) is (rate is not None)


def test_a_burning_budget_is_told_in_a_sentence():
    [found] = burning(rule(BURN), BURN, [Burned("shop-api", (1000, 100, 0, 0), (150, 15, 0, 0), (EXAMPLE,))], NOW)
    assert found.reason.startswith(
        "shop-api: 150 of 1,000 spans within 1 h answered HTTP 500 to 599, 15.0 times what the goal of 99 % allows"
    )
    assert (found.subject, found.bound, found.trace_ids) == ("service:shop-api", 14.4, (TRACE,))


QUEUE = QueueWaits(10 * MINUTE, 2)


@pytest.mark.parametrize(
    ("waits", "minutes", "queues", "found"),
    [
        pytest.param(2, 11, (), True, id="dead"),
        pytest.param(2, 9, (), False, id="not for long enough"),
        pytest.param(1, 11, (), False, id="too few"),
        pytest.param(2, 11, ("crm.orders",), True, id="by its own name"),
        pytest.param(2, 11, ("shop:order.submitted",), True, id="by its publishers' name"),
        pytest.param(2, 11, ("other",), False, id="another queue"),
    ],
)
def test_a_queue_is_found_when_enough_wait_for_too_long(waits, minutes, queues, found):
    shape = QueueWaits(QUEUE.longer_than_ns, QUEUE.at_least, queues)
    queue = WaitingQueue(
        "shop:order.submitted", waits, NOW - minutes * MINUTE, "crm.orders", "crm-api", NOW - 20 * MINUTE
    )
    said = waiting(rule(shape), shape, [queue], NOW)
    assert bool(said) is found
    if said:
        assert said[0].reason == (
            "shop:order.submitted (queue crm.orders): 2 messages wait, the oldest for 11 min, allowed 10 min; "
            "crm-api took the last one 20 min ago; crm-api must act"
        )
        assert said[0].labels == {"queue": "shop:order.submitted", "service": "crm-api"}
        assert said[0].since_ns == NOW - MINUTE


def test_clew_says_what_is_wrong_with_itself():
    shape = Pipeline()
    fine = PipelineState(NOW - 5 * SECOND)
    assert in_trouble(rule(shape), shape, fine, NOW) == []
    bad = PipelineState(NOW - 3 * MINUTE, NOW - MINUTE, "the disk is full", NOW - MINUTE, 12)
    found = in_trouble(rule(shape), shape, bad, NOW)
    assert [each.subject for each in found] == ["clew:not_ready", "clew:refusing", "clew:behind"]
    assert [each.since_ns for each in found] == [NOW - MINUTE, NOW - MINUTE, NOW - 2 * MINUTE]
    assert found[0].reason == "Clew has not been ready for 1 min: the disk is full"
    assert "12 requests" in found[1].reason
    assert "journeys are 3 min behind" in found[2].reason
    only = Pipeline((PipelineTrouble.REFUSING,))
    assert [each.labels["trouble"] for each in in_trouble(rule(only), only, bad, NOW)] == ["refusing"]
