"""What the engine counts is what counting one by one gives."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings

from clew.learn import read
from clew.learn.read import read_for_discovery, read_seen
from clew.report.filter import ReportFilter
from clew.store.embedded import open_store
from tests.learn.logs import Order, at, logs, plain_names, remember, seen_of


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    store = open_store(tmp_path_factory.mktemp("learn"))
    yield store
    store.close()


def rounded(seen):
    """The same with dwells in order and in milliseconds, and without what only telemetry tells."""
    fields = {name: getattr(seen, name) for name in seen.__dataclass_fields__}
    dwells = {
        key: tuple(sorted(round(each, 3) for each in part) for part in (found.finished, found.waiting))
        for key, found in seen.dwells.items()
    }
    return fields | {"dwells": dwells, "reporters": {}}


_flows = iter(range(10**6))


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(logs(names=plain_names))
def test_ways_are_counted_as_one_by_one(store, orders):
    flow = f"flow-{next(_flows)}"
    orders = [Order(f"{flow}/{each.order_id}", each.rows, each.path) for each in orders]
    remember(store, orders, flow)
    distinct = [Order(each.order_id, tuple(dict.fromkeys(each.rows)), each.path) for each in orders]
    in_tie_order = [Order(each.order_id, tuple(sorted(each.rows, key=_tie(each))), each.path) for each in distinct]
    for kept, terminals in (((), {}), (("NEW", "PAID", "DONE"), {}), ((), {"DONE": "closed", "SENT": "closed"})):
        found = read_seen(store, ReportFilter(flow), at(10**9), kept, terminals)
        expected = seen_of(in_tie_order, kept, terminals, flow=flow)
        ends = {"first_ns": found.first_ns, "last_ns": found.last_ns}
        assert rounded(found) == rounded(expected) | ends


def _tie(order):
    """Time, then stage: the rule for ties of imported history where no flow orders the stages."""
    return lambda row: (row[1], row[0])


def test_holds_and_now_count_for_watched_orders_and_aliases_for_reporters(store):
    from tests.learn.telemetry import watched

    now_ns = watched(store)
    seen = read_seen(store, ReportFilter("jeweller"), now_ns, (), {"CLOSED": "closed"}, reporters=True)
    found = seen.dwells["b2c", "SUBMITTED"]
    assert (list(found.finished), sorted(found.waiting)) == ([3600.0 - 600.0], [300.0, 1800.0])
    assert seen.reporters["PRICE_CALCULATED"] == {"mes-api": 1}


def test_dwells_come_from_a_sample_when_there_are_many_orders(store, monkeypatch):
    monkeypatch.setattr(read, "SAMPLE", 100)
    orders = [Order(f"many/{n}", (("NEW", n), ("DONE", n + 60)), "web") for n in range(1000)]
    remember(store, orders, "many")
    seen, everything, declared = read_for_discovery(store, ReportFilter("many"), at(10**6))
    assert (seen.orders, seen.sampled, declared) == (1000, 100, set())
    assert 60 < len(seen.dwells["web", "NEW"].finished) < 150
    assert seen.terminals == {"DONE": "closed"}
    assert everything.keys() == {"NEW", "DONE"}
