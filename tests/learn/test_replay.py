"""What limits would have said is what judging each order at each moment says."""

from __future__ import annotations

from statistics import quantiles

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clew.flow import parse_flow
from clew.journey.judge import verdict_kind
from clew.learn.as_of import fold_at
from clew.learn.diff import difference
from clew.learn.read import read_for_comparison
from clew.learn.replay import Grace, replay
from clew.model.event import Source, StageEvent
from clew.model.journey import VerdictKind
from clew.report.filter import ReportFilter
from clew.store.embedded import open_store
from clew.store.hops import TransitLimits
from tests.learn.logs import Order, at, logs, plain_names, remember, way_of
from tests.learn.telemetry import watched

FLOW = """
flow: rings
paths: {web: [NEW], default: [PAID]}
stages:
  NEW: {limit: {web: 10m, "*": 20m}, next: [PAID]}
  PAID: {limit: {web: 5m}, next: [MADE, CANCELLED]}
  MADE: {limit: 30m, warn: 15m, next: [SENT]}
  SENT: {next: [DONE]}
  DONE: {terminal: closed}
  CANCELLED: {terminal: cancelled}
accept: [out_of_sequence:SENT>NEW]
"""
_runs = iter(range(10**6))


class InForce:
    def __init__(self, flow):
        self.flow = flow


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    store = open_store(tmp_path_factory.mktemp("replay"))
    yield store
    store.close()


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(logs(names=plain_names, paths=st.sampled_from(["web", "", "other"])))
def test_limits_say_of_history_what_the_verdicts_would_have_been(store, orders):
    flow, run = parse_flow(FLOW), f"rings-{next(_runs)}"
    orders = [Order(f"{run}/{each.order_id}", tuple(dict.fromkeys(each.rows)), each.path) for each in orders]
    remember(store, orders, run)
    found = {(each.stage, each.path): each for each in replay(store, ReportFilter(run), at(10**9), flow)}
    expected = {key: [0, 0] for key in found}
    until = max(seconds for each in orders for _, seconds in each.rows)
    for order in orders:
        events = [
            StageEvent(order.order_id, stage, at(seconds), path=order.path, flow="rings", source=Source.IMPORT)
            for stage, seconds in order.rows
        ]
        whole = fold_at(order.order_id, events, [], [InForce(flow)], TransitLimits({}, None), at(10**9))
        for index, milestone in enumerate(whole.milestones):
            stage = flow.stage(milestone.stage)
            if stage is None:
                continue
            later = [each.at_ns for each in whole.milestones[index + 1 :] if flow.stage(each.stage)]
            end_ns = later[0] - 1 if later else at(until)
            then = fold_at(order.order_id, events, [], [InForce(flow)], TransitLimits({}, None), end_ns)
            stuck = verdict_kind(then, end_ns) is VerdictKind.STUCK
            path = whole.path if whole.path in stage.limits else "*"
            if (stage.name, path) in expected and (later or whole.terminal is None):
                expected[stage.name, path][0] += 1
                expected[stage.name, path][1] += stuck
    # Where stages tie, the flow that judged the rows orders them otherwise than the one that is tried.
    if all(len({seconds for _, seconds in each.rows}) == len(each.rows) for each in orders):
        assert {key: [each.visits, each.stuck] for key, each in found.items()} == expected


def test_how_long_after_the_limit_they_moved_and_which_alarms_were_false(store):
    lengths = [300, 301, 330, 331, 900, 1800]
    orders = [
        Order(f"late/{n}", (("PAID", n * 86_400), ("MADE", n * 86_400 + s)), "web") for n, s in enumerate(lengths)
    ]
    orders.append(Order("late/waits", (("PAID", 0),), "web"))
    orders.append(Order("late/end", (("SENT", 0), ("DONE", 10 * 86_400)), "web"))
    remember(store, orders, "late")
    paid = next(each for each in replay(store, ReportFilter("late"), 0, parse_flow(FLOW)) if each.stage == "PAID")
    assert (paid.allowed_ns, paid.visits, paid.stuck, paid.waiting, paid.passing) == (300 * 10**9, 7, 6, 1, 2)
    over = [1, 30, 31, 600, 1500]
    cuts = quantiles(over, n=10, method="inclusive")
    assert paid.moved_after_s == pytest.approx((cuts[4], cuts[8]))
    assert (paid.first_ns, paid.last_ns) == (at(300), at(5 * 86_400 + 300))
    assert list(paid.days.values()) == [1] * 6
    wider = replay(store, ReportFilter("late"), 0, parse_flow(FLOW), Grace(0.0, 600 * 10**9))
    assert next(each for each in wider if each.stage == "PAID").passing == 4


def test_a_warning_that_no_limit_followed_is_counted_apart(store):
    orders = [
        Order(f"warn/{n}", (("MADE", 0), ("SENT", minutes * 60)), "web") for n, minutes in enumerate((10, 20, 31))
    ]
    remember(store, orders, "warn")
    made = next(each for each in replay(store, ReportFilter("warn"), 0, parse_flow(FLOW)) if each.stage == "MADE")
    assert (made.visits, made.warned, made.stuck) == (3, 1, 1)


def test_a_hold_stops_the_clock(store):
    now_ns = watched(store)
    flow = parse_flow("flow: f\nstages: {SUBMITTED: {limit: 55m, next: [END]}, PRICE_CALCULATED: {next: [END]}, END: "
                      "{terminal: closed}}\npaths: {b2c: [SUBMITTED, PRICE_CALCULATED]}")  # fmt: skip
    (found,) = replay(store, ReportFilter("jeweller"), now_ns, flow)
    assert (found.visits, found.stuck) == (3, 0)


def test_a_flow_is_compared_with_what_happens(store):
    orders = [Order(f"diff/{n}", (("NEW", 0), ("PAID", 700), ("LOBBY", 750), ("MADE", 800)), "web") for n in range(30)]
    orders += [Order("diff/back", (("PAID", 0), ("SENT", 5), ("NEW", 9), ("DONE", 10), ("NEW", 20)), "web")]
    remember(store, orders, "diff")
    flow = parse_flow(FLOW)
    found = difference(flow, *read_for_comparison(store, ReportFilter("diff"), at(10**6), flow))
    assert found.orders == 31
    assert [(each.stage, each.orders) for each in found.undeclared_stages] == [("LOBBY", 30)]
    assert [each.stage for each in found.unseen_stages] == ["CANCELLED"]
    assert [(each.path, each.stage, each.orders) for each in found.undeclared_entries] == [("web", "PAID", 1)]
    assert [(each.path, each.stage) for each in found.unseen_entries] == [("default", "PAID")]
    assert [(each.before, each.after, each.count, each.deviation, each.accepted) for each in found.undeclared_steps] == [
        ("NEW", "DONE", 1, "skipped", False), ("PAID", "SENT", 1, "skipped", False), ("SENT", "NEW", 1, "repeated", False),
    ]  # fmt: skip
    assert ("MADE", "SENT") in {(each.before, each.after) for each in found.unseen_steps}
    new = next(each for each in found.limits if (each.stage, each.path) == ("NEW", "web"))
    assert (new.allowed_ns, new.learned_s, new.finished, new.waiting, new.thin) == (600 * 10**9, 700.0, 31, 0, False)
    assert new.over == pytest.approx(30 / 31)
    made = next(each for each in found.limits if each.stage == "MADE")
    assert (made.learned_s, made.waiting, made.thin) == (None, 30, True)
    assert way_of((("A", 1), ("A", 2)), (), ()) == [("A", 1)]
