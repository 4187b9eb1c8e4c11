"""The pictures of the flow page as numbers: where marks, bars and steps lie."""

from __future__ import annotations

import re
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clew.web.pictures.dots import dot_picture
from clew.web.pictures.flowmap import Step, flow_map, turned_path
from clew.web.pictures.funnel import funnel_bars
from clew.web.pictures.heatmap import HIGH, heat_picture
from clew.web.pictures.ranges import ranges

UTC = ZoneInfo("UTC")
SECOND = 10**9
MINUTE = 60 * SECOND


def step(before, after, weight=1.0, kind=""):
    return Step(before, after, weight, f"{weight:g}", "", kind, "", 1.0)


def test_a_map_goes_from_top_to_bottom_in_the_flows_order():
    picture = flow_map(
        ["A", "B", "C"], {"A": "entered 1"}, frozenset("C"), [step("A", "B", 9), step("B", "C", 5), step("C", "B", 90)]
    )
    places = {node.stage: (node.y, node.known, node.line) for node in picture.nodes}
    assert places["A"][0] < places["B"][0] < places["C"][0]
    assert (places["A"][1:], places["C"][1]) == ((True, "entered 1"), False)
    assert {(edge.step.before, edge.step.after) for edge in picture.edges} == {("A", "B"), ("B", "C"), ("C", "B")}


def test_the_widest_step_of_a_map_is_the_heaviest_and_none_vanishes():
    picture = flow_map(
        ["A", "B", "C"], {}, frozenset(), [step("A", "B", 1_000), step("B", "C", 1), step("C", "C", 500)]
    )
    widths = {edge.step.after: edge.width for edge in picture.edges}
    assert widths["B"] > widths["C"] >= 1


def test_nothing_of_a_map_lies_outside_of_it():
    stages = [f"S{n}" for n in range(6)]
    picture = flow_map(stages, {}, frozenset(), [step(a, b, n + 1) for n, a in enumerate(stages) for b in stages])
    for node in picture.nodes:
        assert 0 <= node.x <= picture.width - 216
        assert 0 <= node.y <= picture.height - 46
    assert all(0 <= edge.x <= picture.width and 0 <= edge.y <= picture.height for edge in picture.edges)
    assert not any("nan" in edge.path for edge in picture.edges)


def test_a_long_name_is_cut_in_the_picture():
    (node,) = flow_map(["x" * 100], {}, frozenset(), []).nodes
    assert (len(node.label), node.stage) == (25, "x" * 100)


@pytest.mark.parametrize(
    ("path", "turned"),
    [
        ("M1 2C3 4 5 6 7 8", "M2 1C4 3 6 5 8 7"),
        ("M1 2H9", "M2 1V9"),
        ("M1.5 -2H0C0 1 2 3 4 5", "M-2 1.5V0C1 0 3 2 5 4"),
    ],
)
def test_a_path_is_turned_by_exchanging_its_axes(path, turned):
    assert turned_path(path) == turned


def test_marks_lie_in_the_order_of_their_lengths():
    picture = ranges(
        [("A", {"median": SECOND, "p90": MINUTE, "p99": None, "limit": 30 * MINUTE}), ("B", {"median": None})]
    )
    first, second = picture.rows
    assert [mark.kind for mark in first.marks] == ["median", "p90", "limit"]
    assert 0 <= first.marks[0].at < first.marks[1].at < first.marks[2].at <= 1
    assert (first.begin, first.end) == (first.marks[0].at, first.marks[1].at)
    assert (second.marks, second.begin, second.told) == ((), None, "too few to tell")
    assert [tick.text for tick in picture.ticks] == ["1 s", "10 s", "1 min", "10 min", "1 h"]


def test_two_pictures_that_are_compared_have_one_axis():
    short, long = [("A", {"median": SECOND})], [("A", {"median": 1_000 * MINUTE})]
    assert ranges(short, long).ticks == ranges(long, short).ticks


@given(st.lists(st.dictionaries(st.sampled_from(["median", "p90"]), st.none() | st.integers(0, 1 << 62)), max_size=5))
def test_no_mark_leaves_its_axis(rows):
    picture = ranges([(f"{n}", values) for n, values in enumerate(rows)])
    assert all(0 <= mark.at <= 1 for row in picture.rows for mark in row.marks)
    assert len(picture.ticks) <= 8


def test_the_parts_of_a_bar_add_up_to_those_who_reached_it():
    (bar,) = funnel_bars([("A", 80, 10, 5, 25)], 100)
    assert [(part.kind, round(part.x, 2), round(part.width, 2)) for part in bar.parts] == [
        ("on", 0, 0.4), ("skipped", 0.4, 0.1), ("open", 0.5, 0.05), ("dropped", 0.55, 0.25),
    ]  # fmt: skip
    assert bar.parts[3].text == "25 ended here"
    assert funnel_bars([("A", 0, 0, 0, 0)], 0)[0].parts == ()


def test_hours_without_entries_have_no_bar_and_the_fullest_hour_the_highest():
    hours = [0] * 168
    hours[0], hours[25], hours[167] = 1, 10, 5
    (row,) = heat_picture([("A", hours)]).rows
    assert [(cell.level, cell.text) for cell in row.cells] == [
        (1, "A, Mon 00:00: 1"), (5, "A, Tue 01:00: 10"), (3, "A, Sun 23:00: 5"),
    ]  # fmt: skip
    assert (row.cells[1].height, row.cells[1].y) == (HIGH, 0.0)
    assert (row.entries, row.most) == (16, 10)


def test_every_visit_has_a_mark_in_the_row_of_its_order():
    orders = [("two", [("A", 10 * SECOND), ("B", 20 * SECOND)]), ("one", [("A", 0)])]
    picture = dot_picture(orders, ["A", "B"], UTC)
    assert [(row.text, row.y) for row in picture.rows] == [("two", 0.0), ("one", 14.0)]
    assert [(marks.stage, marks.count, marks.tone) for marks in picture.marks] == [("A", 2, "c1"), ("B", 1, "c2")]
    assert re.findall(r"M[\d.]+ [\d.]+", picture.marks[0].path) == ["M500 7", "M8 21"]
    assert picture.marks[0].sign != picture.marks[1].sign
    assert (picture.rows[0].left, picture.rows[0].right) == (500.0, 992.0)


def test_no_orders_make_no_dots():
    assert dot_picture([], ["A"], UTC).rows == ()
