"""Conformance: what the flow accepts lowers no rate, and what hasn't ended is judged apart."""

import pytest

from clew.model.event import StageEvent
from clew.report.conformance import DeviationCount, conformance
from clew.report.filter import ReportFilter
from clew.store.embedded import open_store
from tests.report.histories import BEGIN, HOUR, Log, shop_flow, write

WAYS = {
    "as declared": "ABCDZ",
    "accepted": "ACDZ",
    "deviates twice": "ABCCBCBCDZ",
    "accepted and not": "ACDCDZ",
    "cancelled": "ABQ",
    "open": "ABC",
    "open and deviates": "AD",
}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    store = open_store(tmp_path_factory.mktemp("conformance"))
    flow = shop_flow("conform", accepted=["skipped:B"])
    events = tuple(
        StageEvent(name, stage, BEGIN + hours * HOUR, path="p")
        for name, way in WAYS.items()
        for hours, stage in enumerate(way)
    )
    write(store, Log(flow, events, imported=False))
    yield conformance(store, ReportFilter("conform"))
    store.close()


def test_accepted_deviations_lower_no_rate_and_are_counted_apart(found):
    assert (found.completed, found.conforming, found.deviating, found.rate) == (5, 3, 2, 0.6)
    assert found.with_accepted == 3
    assert found.accepted == (DeviationCount("skipped", "B", 3, 2, 3),)


def test_what_has_not_ended_is_apart_whether_it_deviates_or_not(found):
    assert (found.orders, found.incomplete, found.incomplete_deviating) == (7, 2, 1)


def test_deviations_are_counted_by_orders_and_by_times(found):
    assert set(found.deviations) == {
        DeviationCount("repeated", "B", 1, 1, 2),
        DeviationCount("repeated", "C", 1, 1, 1),
        DeviationCount("skipped", "C", 1, 0, 1),
    }
