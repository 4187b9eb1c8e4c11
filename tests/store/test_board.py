"""The stage board counts what the list of orders shows, stage by stage."""

from __future__ import annotations

import pytest

from clew.model.flow import Flow, Stage, Terminal
from clew.model.journey import Failure, Hold, Journey, Milestone, VerdictKind
from clew.store.board import OPEN_KINDS, STRANGE_NAMES, Place, read_board
from clew.store.codec import journey_to_json
from clew.store.embedded import open_store
from clew.store.orders import OrderFilter, OrderRow, count_orders, encode_order, write_encoded

NOW = 1_795_000_000_000_000_000
MINUTE = 60 * 10**9
FLOW = Flow("shop", 1, (Stage("IN"), Stage("OUT"), Stage("END", terminal=Terminal.CLOSED)))


def order(order_id, stage, minutes, *, flow="shop", path="b2c", **facts):
    """An order that entered its stage so many minutes ago."""
    at_ns = NOW - minutes * MINUTE
    milestones = (Milestone(stage, at_ns),) if stage else ()
    journey = Journey(order_id, flow, 1, path, milestones, first_ns=at_ns, last_ns=at_ns, facts=1, **facts)
    return OrderRow(journey, journey_to_json(journey), 1, ())


ORDERS = [
    order("late", "IN", 50, deadline_at_ns=NOW - MINUTE, warn_at_ns=NOW - 2 * MINUTE),
    order("soon", "IN", 40, deadline_at_ns=NOW + MINUTE, warn_at_ns=NOW - MINUTE),
    order("fine", "IN", 10, deadline_at_ns=NOW + MINUTE),
    order("paused", "IN", 20, path="b2b", holds=(Hold(NOW - MINUTE, None),)),
    order("broken", "OUT", 5, failure=Failure("OUT", NOW)),
    order("ended", "END", 5, terminal=Terminal.CLOSED),
    order("nowhere", "", 3),
    order("odd-1", "TYPO", 9),
    order("odd-2", "Ünïcode'\\", 8),
    *(order(f"odder-{n}", f"X{n:02}", 7, flow="strange-only") for n in range(3)),
    *(order(f"many-{n}", f"M{n:02}", 7, flow="many") for n in range(STRANGE_NAMES + 5)),
]
MANY = Flow("many", 1, (Stage("KNOWN"),))


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    opened = open_store(tmp_path_factory.mktemp("board"))
    write_encoded(opened, [encode_order(each) for each in ORDERS], [])
    yield opened
    opened.close()


def board(store, *flows, **asked):
    return {(row.flow, row.place, row.stage): row for row in read_board(store, flows or (FLOW, MANY), NOW, **asked)}


def test_a_stage_counts_its_open_orders_by_verdict(store):
    row = board(store)["shop", Place.STAGE, "IN"]
    counted = {kind.value: count for kind, count in row.counts.items() if count}
    assert counted == {"stuck": 1, "in_jeopardy": 1, "on_hold": 1, "on_time": 1}
    assert (row.open, set(row.counts)) == (4, set(OPEN_KINDS))


def test_a_stage_tells_its_oldest_order_and_the_median_entry(store):
    row = board(store)["shop", Place.STAGE, "IN"]
    assert (row.oldest_id, row.oldest_ns) == ("late", NOW - 50 * MINUTE)
    assert row.median_ns in (NOW - 40 * MINUTE, NOW - 20 * MINUTE)


def test_ended_orders_are_in_no_stage(store):
    assert ("shop", Place.STAGE, "END") not in board(store)


def test_orders_without_a_stage_and_stages_that_the_flow_does_not_know_have_places_of_their_own(store):
    rows = board(store)
    assert rows["shop", Place.NO_STAGE, ""].oldest_id == "nowhere"
    assert rows["shop", Place.STRANGE, ""].strange == ("TYPO", "Ünïcode'\\")
    assert rows["shop", Place.STRANGE, ""].open == 2


def test_of_strange_stages_one_more_than_is_shown_is_named(store):
    assert len(board(store)["many", Place.STRANGE, ""].strange) == STRANGE_NAMES + 1


def test_of_a_flow_that_nobody_declared_every_stage_counts(store):
    assert [key[2] for key in board(store) if key[0] == "strange-only"] == ["X00", "X01", "X02"]


@pytest.mark.parametrize(
    ("asked", "places"),
    [({"flow": "strange-only"}, 3), ({"path": "b2b"}, 1), ({"flow": "none"}, 0), ({"flow": "shop", "path": "b2c"}, 4)],
)
def test_the_board_can_be_of_one_flow_and_one_path(store, asked, places):
    assert len(board(store, **asked)) == places


def test_the_board_and_the_list_count_the_same(store):
    listed = count_orders(store, OrderFilter(open_only=True), NOW)
    rows = board(store).values()
    assert {kind: n for kind in OPEN_KINDS if (n := sum(row.counts[kind] for row in rows))} == listed
    assert listed[VerdictKind.FAILED] == 1
