"""Every report on generated logs against the plain-Python count of the same log."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from clew.model.event import Source, StageEvent
from clew.report.conformance import conformance
from clew.report.dots import MOST_DOTS, dots
from clew.report.dwell import LEVELS, dwells
from clew.report.filter import By, ReportFilter
from clew.report.funnel import funnel
from clew.report.heat_map import heat_map
from clew.report.histogram import histogram
from clew.report.per_day import arrivals, work_in_progress
from clew.report.process_map import process_map
from clew.report.rework import rework
from clew.report.step import step_orders
from clew.report.throughput import throughput
from clew.report.variants import variant_of_order, variants, visits_of_order
from clew.store.embedded import open_store
from tests.report import oracle
from tests.report.histories import BEGIN, DAY, HOUR, Log, flow_without_stages, logs, told, write

NOW = BEGIN + 40 * DAY
ZONE = "Europe/Berlin"
STEPS = ("A", "B", "C", "D", "Z")
near = pytest.approx


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    opened = open_store(tmp_path_factory.mktemp("reports"))
    yield opened
    opened.close()


@st.composite
def asked(draw):
    """A log, and what a report may ask of it."""
    log = draw(logs())
    bounds = sorted(draw(st.lists(st.integers(0, 20 * 24), min_size=2, max_size=2)))
    from_ns, to_ns = (BEGIN + hours * HOUR if draw(st.booleans()) else None for hours in (bounds[0], bounds[1] + 1))
    return log, ReportFilter(
        flow=log.flow.name,
        from_ns=from_ns,
        to_ns=to_ns,
        path=draw(st.sampled_from(["", "", "", "p"])),
        attributes=draw(st.sampled_from([(), (), (("country", "de"),)])),
        flow_version=draw(st.sampled_from([None, None, log.flow.version, 99])),
        by=draw(st.sampled_from(By)),
    )


def matching(log, filter_, *, any_time=False):
    """The orders that the filter picks."""
    lower = filter_.from_ns or 0
    upper = filter_.to_ns or 1 << 62
    found = []
    for order in told(log):
        moments = {
            By.STARTED: [order.visits[0].at_ns],
            By.ENDED: [order.end.at_ns] if order.end else [],
            By.ACTIVE: [visit.at_ns for visit in order.visits],
        }[filter_.by]
        if (
            (any_time or any(lower <= each < upper for each in moments))
            and filter_.path in ("", order.path)
            and all(order.attributes.get(key) == value for key, value in filter_.attributes)
            and filter_.flow_version in (None, log.flow.version)
        ):
            found.append(order)
    return found


# A log is written and asked for some twenty times: looking for a smaller one that fails would take minutes.
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), phases=(Phase.reuse, Phase.generate))
@given(asked=asked())
def test_every_report_counts_what_the_oracle_counts(store, asked):
    log, filter_ = asked
    write(store, log)
    orders = matching(log, filter_)
    check_map(store, filter_, orders)
    check_variants(store, filter_, orders)
    check_dwells(store, log, filter_, orders)
    check_throughput(store, filter_, orders)
    check_histogram(store, filter_, orders)
    check_steps(store, filter_, orders)
    check_dots(store, filter_, orders)
    check_rework(store, filter_, orders)
    check_heat_map(store, filter_, orders)
    check_funnel(store, filter_, orders)
    check_conformance(store, filter_, orders)
    check_days(store, filter_, matching(log, filter_, any_time=True))


def check_map(store, filter_, orders):
    found = process_map(store, filter_)
    assert (found.orders, found.events) == (len(orders), sum(len(order.visits) for order in orders))
    assert found.open == sum(not order.terminal for order in orders)
    assert (found.starts, found.ends) == (oracle.starts(orders), oracle.ends(orders))
    expected = oracle.edges(orders)
    assert {(edge.before, edge.after) for edge in found.edges} == expected.keys()
    for edge in found.edges:
        times = (edge.median, edge.p90, edge.p95, edge.mean)
        assert (edge.count, edge.orders, *times) == near(expected[edge.before, edge.after], abs=1e-6)


def check_variants(store, filter_, orders):
    found = variants(store, filter_)
    expected = oracle.variants(orders)
    assert [(each.stages, each.orders) for each in found.variants] == [each[:2] for each in expected]
    assert [each.median_throughput for each in found.variants] == near([each[2] for each in expected], abs=1e-6)
    assert [each.share for each in found.variants] == near([each[1] / len(orders) for each in expected])
    assert (found.orders, found.variants_total) == (len(orders), len(expected))
    assert found.happy_path == oracle.happy_path(orders)
    assert variants(store, filter_, limit=1).variants == found.variants[:1]
    for order in orders[:1]:
        own = variant_of_order(store, visits_of_order(store, order.order_id), filter_)
        same = next(each for each in expected if each[0] == order.stages)
        assert (own.stages, own.orders, own.median_throughput) == (order.stages, same[1], near(same[2], abs=1e-6))
        assert own.rank == 1 + sum(each[1] > same[1] for each in expected)


def check_dwells(store, log, filter_, orders):
    whole = told(log)
    last = max((order.visits[-1].at_ns for order in whole), default=0)
    until = last if log.imported else min(NOW, filter_.to_ns or NOW)
    expected = oracle.dwells(orders, until)
    found = dwells(store, filter_, NOW)
    assert found.orders == len(orders)
    assert {(each.stage, each.n, each.waiting) for each in found.stages} == {
        (stage, len(finished), len(waiting)) for stage, (finished, waiting) in expected.items()
    }
    for each in found.stages:
        finished, waiting = expected[each.stage]
        for level, value in zip(LEVELS, (each.median, each.p90, each.p95, each.p99), strict=True):
            assert value == oracle.kaplan_meier(finished, waiting, level)
        assert each.thin == (len(finished) < 20)


def check_throughput(store, filter_, orders):
    found = throughput(store, filter_)
    times = oracle.throughput(orders)
    assert (found.orders, found.finished, found.open) == (len(orders), len(times), len(orders) - len(times))
    assert bool(found.groups) == bool(times)
    for group in found.groups:
        own = oracle.throughput(
            order for order in orders
            if group.path in ("", order.path) and group.ended in ("", order.terminal)
        )  # fmt: skip
        quantiles = [oracle.quantile(own, p) for p in LEVELS]
        assert group.n == len(own)
        assert [group.median, group.p90, group.p95, group.p99] == near(quantiles, abs=1e-6)
        assert group.mean == near(oracle.mean(own))


def check_histogram(store, filter_, orders):
    found = histogram(store, filter_)
    ended = [order for order in orders if order.end]
    assert (found.finished, bool(found.bins)) == (len(ended), bool(ended))
    assert [each.low for each in found.bins] == near([i * found.width for i in range(len(found.bins))])
    assert all(each.high is not None for each in found.bins[:-1])
    for kind in ("closed", "cancelled"):
        lasted = [oracle.throughput([order])[0] / 1e9 for order in ended if order.terminal == kind]
        expected = [sum(each.low <= length < (each.high or 1e18) for length in lasted) for each in found.bins]
        assert [getattr(each, kind) for each in found.bins] == expected


def check_steps(store, filter_, orders):
    for before, after in list(oracle.edges(orders))[:2]:
        taken = oracle.taken(orders, before, after)
        found = step_orders(store, filter_, before, after, limit=3)
        assert (found.count, found.orders) == (len(taken), len({order_id for _, order_id, _ in taken}))
        assert [(-round(each.dwell * 1e9), each.order_id, each.at_ns) for each in found.taken] == taken[:3]


def check_dots(store, filter_, orders):
    by_begin = sorted(orders, key=lambda order: (-order.visits[0].at_ns, order.order_id))
    found = dots(store, filter_, 2)
    assert (found.orders, len(found.rows)) == (len(orders), min(2, len(orders)))
    assert sum(len(each.visits) for each in found.rows) <= MOST_DOTS
    for own, expected in zip(found.rows, by_begin, strict=False):
        assert (own.order_id, own.path, own.ended) == (expected.order_id, expected.path, expected.terminal)
        assert [(visit.stage, visit.at_ns) for visit in own.visits] == [
            (visit.stage, visit.at_ns) for visit in expected.visits
        ]
    some = dots(store, filter_, 2, spread=True)
    assert some == dots(store, filter_, 2, spread=True)
    assert {each.order_id for each in some.rows} <= {order.order_id for order in orders}


def check_rework(store, filter_, orders):
    found = rework(store, filter_)
    expected = oracle.rework(orders)
    assert {
        each.stage: (each.orders, each.reworked, each.again, each.direct, each.most) for each in found.stages
    } == expected
    assert found.reworked == sum(len(set(order.stages)) < len(order.stages) for order in orders)
    assert (found.orders, found.again) == (len(orders), sum(each[2] for each in expected.values()))


def check_heat_map(store, filter_, orders):
    found = heat_map(store, filter_, ZONE)
    told = {(each.stage, hour): n for each in found.stages for hour, n in enumerate(each.hours) if n}
    assert told == oracle.hours(orders, ZONE)
    assert all(each.entries == sum(each.hours) for each in found.stages)


def check_funnel(store, filter_, orders):
    found = funnel(store, filter_, steps=STEPS)
    assert sum(each.orders for each in found.paths) == found.orders == len(orders)
    for each in found.paths:
        own = [order for order in orders if order.path == each.path]
        counts, since = oracle.funnel(own, STEPS)
        for step, count, times in zip(each.steps, counts, since, strict=True):
            assert (step.reached, step.dropped, step.open, step.skipped) == (
                count["reached"], count["dropped"], count["open"], count["skipped"],
            )  # fmt: skip
            assert step.median == (near(oracle.quantile(times, 0.5), abs=1e-6) if times else None)
            assert step.p90 == (near(oracle.quantile(times, 0.9), abs=1e-6) if times else None)
        whole = [times for order in own if len(times := oracle.reached(order, STEPS)) == len(STEPS)]
        lasted = [times[-1].at_ns - times[0].at_ns for times in whole]
        assert (each.orders, each.converted) == (len(own), len(whole))
        assert each.outside == sum(not oracle.reached(order, STEPS) for order in own)
        assert each.median == (near(oracle.quantile(lasted, 0.5), abs=1e-6) if lasted else None)


def check_conformance(store, filter_, orders):
    found = conformance(store, filter_)
    ended = sum(bool(order.terminal) for order in orders)
    assert (found.orders, found.completed, found.incomplete) == (len(orders), ended, len(orders) - ended)
    assert found.conforming + found.deviating == found.completed
    unknown = sum("X" in order.stages for order in orders if order.terminal)
    assert sum(each.completed for each in found.deviations if each.kind == "unknown_stage") == unknown


def check_days(store, filter_, orders):
    first, to = filter_.from_ns or 0, filter_.to_ns or 1 << 62
    expected = oracle.days(orders, ZONE, first, to)
    found = arrivals(store, filter_by_start(filter_), NOW, ZONE)
    told = {each.day: (each.arrived, each.closed, each.cancelled) for each in found.days}
    assert {day: each for day, each in told.items() if any(each)} == {
        day: (each["arrived"], each["closed"], each["cancelled"]) for day, each in expected.items()
    }
    assert all(b - a == timedelta(days=1) for a, b in zip(told, list(told)[1:], strict=False))
    for end in work_in_progress(store, filter_by_start(filter_), NOW, ZONE).days:
        assert end.stages == oracle.open_at(orders, min(to, oracle.day_after(end.day, ZONE)))
        assert end.open == sum(end.stages.values())


def filter_by_start(filter_):
    return ReportFilter(
        filter_.flow, filter_.from_ns, filter_.to_ns, filter_.path, filter_.attributes, filter_.flow_version
    )


def test_the_steps_of_an_undeclared_flow_are_those_of_each_path(store):
    ways = {"shop": ["ABD"] * 2 + ["A"], "branch": ["CD", "C", "C"], "none": ["A", "B", "C"]}
    events = [
        StageEvent(f"{path}-{number}", stage, BEGIN + place * HOUR, path=path, source=Source.IMPORT)
        for path, orders in ways.items()
        for number, way in enumerate(orders)
        for place, stage in enumerate(way)
    ]
    log = Log(flow_without_stages("of-two-paths"), tuple(events), imported=True)
    write(store, log)
    found = {each.path: each for each in funnel(store, ReportFilter(log.flow.name)).paths}
    steps = {path: [(step.stage, step.reached) for step in each.steps] for path, each in found.items()}
    assert steps == {"shop": [("A", 3), ("B", 2), ("D", 2)], "branch": [("C", 3)], "none": []}
