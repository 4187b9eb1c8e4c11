"""Dwell quantiles over thousands of orders, with ties and many that wait, against the estimator over values."""

import random

import pytest

from clew.model.event import Source, StageEvent
from clew.report.dwell import dwells
from clew.report.filter import ReportFilter
from clew.report.kaplan_meier import kaplan_meier
from clew.store.embedded import open_store
from tests.report.histories import BEGIN, DAY, Log, flow_without_stages, write

SECOND = 10**9
NOW = BEGIN + 2 * DAY


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    opened = open_store(tmp_path_factory.mktemp("dwell"))
    yield opened
    opened.close()


@pytest.mark.parametrize(("share_waiting", "spread"), [(0.0, 50), (0.02, 5000), (0.4, 50), (0.4, 5000), (0.97, 300)])
def test_quantiles_of_many_dwells_are_those_of_the_estimator(store, share_waiting, spread):
    chance = random.Random(f"{share_waiting} {spread}")
    name = f"flow {share_waiting} {spread}"
    finished, waiting, events = [], [], []
    for number in range(3000):
        length = chance.randrange(spread)
        waits = chance.random() < share_waiting
        (waiting if waits else finished).append(length)
        entered = NOW - length * SECOND if waits else BEGIN
        stages = [("A", entered)] + ([] if waits else [("B", entered + length * SECOND)])
        events += [StageEvent(f"{name} {number}", stage, at, flow=name, source=Source.LOG) for stage, at in stages]
    write(store, Log(flow_without_stages(name), tuple(events), imported=False))
    found = next(each for each in dwells(store, ReportFilter(name), NOW).stages if each.stage == "A")
    expected = kaplan_meier([float(each) for each in finished], [float(each) for each in waiting])
    assert (found.n, found.waiting) == (len(finished), len(waiting))
    assert (found.median, found.p90, found.p95, found.p99) == tuple(map(expected.quantile, (0.5, 0.9, 0.95, 0.99)))
