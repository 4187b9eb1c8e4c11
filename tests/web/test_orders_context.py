"""What the page of orders shows follows from what was read, by pure functions."""

from __future__ import annotations

from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clew.api.order_line import order_line
from clew.model.flow import Flow, Limit, Stage, Terminal
from clew.model.journey import Failure, Hold, Journey, Milestone, VerdictKind
from clew.store.board import OPEN_KINDS, BoardRow, Place
from clew.store.views import SavedView
from clew.web.pages.orders.asked import Asked, read_asked
from clew.web.pages.orders.board_context import boards_of, shares_of
from clew.web.pages.orders.context import Read, orders_page, row_of
from clew.web.pages.orders.search_context import search_page

NOW = 1_795_000_000_000_000_000
MINUTE = 60 * 10**9
FLOW = Flow(
    "shop",
    1,
    (
        Stage("IN", service="api", limits={"*": Limit(30 * MINUTE, 24 * MINUTE)}),
        Stage("OUT"),
        Stage("DONE", terminal=Terminal.CLOSED),
    ),
    paths={"b2c": ("IN",), "b2b": ("OUT",)},
)
STUCK, LOST, FINE = VerdictKind.STUCK, VerdictKind.LOST, VerdictKind.ON_TIME


def journey(stage="IN", minutes=10, **facts):
    at_ns = NOW - minutes * MINUTE
    known = {"milestones": (Milestone(stage, at_ns),), "first_ns": at_ns, "last_ns": at_ns} | facts
    return Journey("4711", "shop", 1, "b2c", **known)


def place(stage="IN", place=Place.STAGE, flow="shop", **counts):
    full = {kind: (counts or {"on_time": 1}).get(kind.value, 0) for kind in OPEN_KINDS}
    strange = ("TYPO",) if place is Place.STRANGE else ()
    return BoardRow(flow, place, stage, full, sum(full.values()), NOW - 9 * MINUTE, "old", NOW - MINUTE, strange)


def read(**known):
    nothing = {
        "lines": [], "cursor": None, "after": "", "counts": {}, "board": [], "flows": [FLOW], "views": [],
        "any_order": True, "masked": True, "now_ns": NOW,
    }  # fmt: skip
    return Read(**nothing | known)


@pytest.mark.parametrize(
    ("query", "same"),
    [
        ("", Asked()),
        ("user=&alias=&ended=", Asked()),
        ("utm_source=x&after=abc", Asked()),
        ("verdict=stuck&verdict=lost&verdict=stuck", Asked(verdicts=(LOST, STUCK))),
        ("stage=+IN+&ended=on", Asked(stage="IN", ended=True)),
        ("no_stage=1", Asked(no_stage=True)),
        ("deviation=skipped", Asked(deviation="skipped")),
        ("deviation=unknown_stage:a:b", Asked(deviation="unknown_stage:a:b")),
        ("trace=" + "AB" * 16, Asked(trace="ab" * 16)),
        ("at=2h&path=b2c&flow=shop&prefix=47&user=anna&alias=D77", Asked((), "shop", "", "b2c", "anna", "D77", "", "47", "2h")),
    ],
)  # fmt: skip
def test_the_filters_are_read_from_the_address(query, same):
    assert read_asked(parse_qsl(query, keep_blank_values=True)) == same


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ("verdict=late", "there is no verdict late"),
        ("trace=12", "12 is no trace"),
        ("deviation=late:X", "there is no deviation late"),
    ],
)
def test_a_filter_that_can_not_be_is_told_with_its_mend(query, wrong):
    with pytest.raises(ValueError, match=wrong) as told:
        read_asked(parse_qsl(query))
    assert len(told.value.args) == 2


ASKED = st.builds(
    Asked,
    verdicts=st.sets(st.sampled_from(VerdictKind)).map(lambda chosen: tuple(k for k in VerdictKind if k in chosen)),
    flow=st.text(max_size=9).map(str.strip),
    stage=st.text(max_size=9).map(str.strip),
    deviation=st.sampled_from(["", "skipped", "repeated:A", "unknown_stage:b c"]),
    user=st.text(max_size=9).map(str.strip),
    no_stage=st.booleans(),
    ended=st.booleans(),
)


@given(ASKED, st.sampled_from(VerdictKind))
def test_an_address_says_the_same_filters_again(asked, kind):
    assert read_asked(parse_qsl(asked.query)) == asked
    assert asked.toggled(kind).toggled(kind) == asked


@pytest.mark.parametrize(
    ("asked", "open_only"),
    [
        (Asked(), True), (Asked(stage="IN"), True), (Asked(ended=True), False), (Asked(user="anna"), False),
        (Asked(prefix="47"), False), (Asked((STUCK,)), True), (Asked((VerdictKind.CLOSED,)), False),
    ],
)  # fmt: skip
def test_ended_orders_are_listed_when_they_are_asked_for(asked, open_only):
    assert asked.open_only is open_only
    assert asked.filter("").open_only is open_only


@given(st.fixed_dictionaries({kind: st.integers(0, 10**6) for kind in OPEN_KINDS}))
def test_the_shares_of_a_stage_fill_its_bar_worst_first(counts):
    shares = shares_of(counts)
    assert [share.kind for share in shares] == [kind.value for kind in OPEN_KINDS if counts[kind]]
    assert sum(share.count for share in shares) == sum(counts.values())
    if shares:
        assert sum(share.width for share in shares) == pytest.approx(100, abs=0.1)


def test_a_board_has_the_stages_of_the_flow_in_its_order_with_their_worst_verdict():
    (board,) = boards_of([place("OUT", lost=1, stuck=2, on_time=9)], [FLOW], Asked(), NOW)
    assert [(tile.name, tile.worst, tile.open) for tile in board.tiles] == [("IN", "", 0), ("OUT", "lost", 12)]
    out = board.tiles[1]
    assert [(share.kind, share.count) for share in out.telling] == [("lost", 1), ("stuck", 2)]
    assert (out.oldest_ns, out.oldest_href, out.median_ns) == (9 * MINUTE, "/orders/old", MINUTE)
    assert [(end.label, end.href) for end in board.ends] == [("DONE", "/?stage=DONE&ended=1")]


def test_a_stage_without_orders_has_no_verdict_and_no_ages():
    (board,) = boards_of([], [FLOW], Asked(), NOW)
    assert {(tile.worst, tile.oldest_ns, tile.median_ns) for tile in board.tiles} == {("", None, None)}


def test_a_tile_filters_by_its_stage_and_takes_the_filter_back():
    asked = Asked(verdicts=(STUCK,), stage="IN")
    (board,) = boards_of([place()], [FLOW], asked, NOW)
    assert [(tile.href, tile.chosen) for tile in board.tiles] == [
        ("/?verdict=stuck", True),
        ("/?verdict=stuck&stage=OUT", False),
    ]


def test_what_the_flow_does_not_know_stands_beside_its_stages():
    rows = [place("", Place.NO_STAGE, on_time=1), place("", Place.STRANGE, stuck=1)]
    (board,) = boards_of(rows, [FLOW], Asked(), NOW)
    assert [tile.name for tile in board.tiles] == ["No stage known yet", "IN", "OUT", "Not in the flow"]
    assert [(link.name, link.href) for link in board.tiles[-1].strange] == [("TYPO", "/?stage=TYPO")]
    assert board.tiles[0].href == "/?no_stage=1"
    (chosen,) = boards_of(rows, [FLOW], Asked(no_stage=True), NOW)
    assert [(tile.href, tile.chosen) for tile in chosen.tiles[:2]] == [("/", True), ("/?stage=IN", False)]


def test_each_flow_has_a_board_and_an_undeclared_one_its_stages_as_they_come():
    rows = [place("A", flow="wild", on_time=1), place(on_time=1)]
    shop, wild = boards_of(rows, [FLOW], Asked(), NOW)
    assert (shop.flow, shop.declared, wild.flow, wild.declared) == ("shop", True, "wild", False)
    assert [tile.name for tile in wild.tiles] == ["A"]
    (alone,) = boards_of(rows, [FLOW], Asked(flow="wild"), NOW)
    assert alone.flow == "wild"
    assert len(boards_of([place(flow=f"f{n}") for n in range(9)], [FLOW], Asked(), NOW)) == 3


@pytest.mark.parametrize(
    ("facts", "kind", "dwell_min", "counting", "used"),
    [
        ({"minutes": 40, "deadline_at_ns": NOW - 10 * MINUTE}, "stuck", 40, True, 40 / 30),
        ({"minutes": 15}, "on_time", 15, True, 0.5),
        ({"minutes": 15, "holds": (Hold(NOW - 5 * MINUTE, None),)}, "on_hold", 10, False, 10 / 30),
        ({"stage": "OUT", "minutes": 5}, "on_time", 5, True, None),
        ({"stage": "DONE", "minutes": 5, "terminal": Terminal.CLOSED}, "closed", None, False, None),
        ({"minutes": 5, "imported": True}, "on_time", None, False, None),
    ],
)
def test_a_row_tells_the_age_against_the_limit(facts, kind, dwell_min, counting, used):
    row = row_of(order_line(journey(**facts), FLOW, NOW), NOW)
    assert (row.kind, row.counting) == (kind, counting)
    assert row.dwell_ns == (None if dwell_min is None else dwell_min * MINUTE)
    assert row.used == (None if used is None else pytest.approx(used))


def test_a_row_says_its_verdict_once():
    failed = journey(failure=Failure("IN", NOW - MINUTE, "no 3D data", "api"))
    row = row_of(order_line(failed, FLOW, NOW), NOW)
    assert (row.kind, row.reason) == ("failed", "in IN 1 min ago by api: no 3D data")


@pytest.mark.parametrize(
    ("due_min", "rest_min", "late_end_min"), [(60, 120, 120), (600, 120, None), (-60, 120, 120), (60, None, None)]
)
def test_a_projected_end_is_told_when_it_is_later_than_due(due_min, rest_min, late_end_min):
    remaining = () if rest_min is None else tuple([(rest_min + 10) * MINUTE] * 21)
    known = journey(minutes=10, due_at_ns=NOW + due_min * MINUTE, remaining_ns=remaining)
    row = row_of(order_line(known, FLOW, NOW), NOW)
    assert row.due_ns == NOW + due_min * MINUTE
    assert row.late_end_ns == (None if late_end_min is None else NOW + late_end_min * MINUTE)


def test_texts_of_others_are_cut_to_what_a_list_can_show():
    long = Journey("x" * 10_000, "shop", 1, "p" * 999, (Milestone("S" * 999, NOW),), user_id="u" * 999, first_ns=NOW)
    row = row_of(order_line(long, FLOW, NOW), NOW)
    assert row.href == "/orders/" + "x" * 10_000
    assert max(map(len, (row.order_id, row.path, row.stage, row.user_id, row.flow))) == 64


def test_chips_count_what_each_verdict_would_show():
    page = orders_page(Asked(verdicts=(STUCK,), stage="IN"), read(counts={STUCK: 2, FINE: 7}))
    told = {chip.kind: (chip.count, chip.chosen, chip.href) for chip in page.chips}
    assert told["stuck"] == (2, True, "/?stage=IN")
    assert told["on_time"] == (7, False, "/?verdict=stuck&verdict=on_time&stage=IN")
    assert "closed" not in told
    assert page.total == 2


def test_the_page_sums_up_its_board():
    page = orders_page(Asked(), read(board=[place(lost=1, stuck=2, in_jeopardy=4, on_time=8), place("OUT", failed=1)]))
    assert (page.open, page.bad, page.jeopardy) == (16, 4, 4)


@pytest.mark.parametrize(
    ("asked", "known", "empty"),
    [
        (Asked(), {"any_order": False}, "nothing"),
        (Asked(stage="IN"), {"any_order": False}, "nothing"),
        (Asked(), {}, "ended"),
        (Asked(stage="IN"), {}, "filters"),
        (Asked(), {"lines": [order_line(journey(), FLOW, NOW)]}, ""),
    ],
)
def test_an_empty_list_says_why(asked, known, empty):
    assert orders_page(asked, read(**known)).empty == empty


@pytest.mark.parametrize(
    ("asked", "known", "live"),
    [(Asked(), {}, True), (Asked(at="2h"), {}, False), (Asked(), {"after": "cursor"}, False)],
)
def test_only_the_first_page_of_now_keeps_itself_up_to_date(asked, known, live):
    page = orders_page(asked, read(**known))
    assert page.live is live
    assert (page.past_ns is None) is (not asked.at)


def test_pages_keep_the_filters():
    page = orders_page(Asked(stage="IN"), read(cursor="c2", after="c1"))
    assert (page.next, page.first) == ("/?stage=IN&after=c2", "/?stage=IN")


def test_the_view_that_is_shown_is_marked():
    views = [SavedView("all", ""), SavedView("stuck ones", "verdict=stuck")]
    page = orders_page(Asked(verdicts=(STUCK,)), read(views=views))
    assert [(view.name, view.href, view.chosen) for view in page.views] == [
        ("all", "/", False),
        ("stuck ones", "/?verdict=stuck", True),
    ]


def test_every_filter_but_the_verdict_has_a_tag_to_leave_it_out():
    page = orders_page(Asked((STUCK,), stage="IN", user="anna", ended=True), read())
    assert [(tag.name, tag.value) for tag in page.tags] == [("stage", "IN"), ("user", "anna"), ("ended", "shown")]
    assert page.tags[1].href == "/?verdict=stuck&stage=IN&ended=1"


def test_a_search_that_found_nothing_tells_where_it_looked():
    page = search_page(
        "x" * 900, 0, 0, as_trace=True, as_user=True, users_masked=True, spans_href="/traces?order=x"
    )  # fmt: skip
    assert page.meanings == ()
    assert {"traces", "user ids, of which only the last characters are kept"} <= set(page.looked)
    assert len(page.text) == 64


def test_a_search_with_two_meanings_leads_to_both():
    page = search_page("4711", 2, 1, as_trace=False, as_user=True, users_masked=False, spans_href="")
    assert [(each.orders, each.href) for each in page.meanings] == [(2, "/?user=4711"), (1, "/?prefix=4711")]
