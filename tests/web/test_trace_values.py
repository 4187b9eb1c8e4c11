"""What is worked out of a trace: its tree, its critical path, where its time went, and what is drawn."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clew.web.pages.trace.compare_context import compare_page
from clew.web.pages.trace.context import ROWS, TraceAsked, TraceParts, trace_page
from clew.web.pages.trace.critical_path import WAITING, critical_path, on_path
from clew.web.pages.trace.drawing import MAP_WIDE, WIDE, Lane, flame_boxes, map_of
from clew.web.pages.trace.lines import lines_json
from clew.web.pages.trace.notes import notes_on
from clew.web.pages.trace.tree import NO_PARENT, tree_of
from clew.web.pages.trace.work import differences, flame_of, operations_of, self_times
from tests.builders import span_hex
from tests.web.spans import START, line, names, tree

TRACE = "ab" * 16


@st.composite
def traces(draw, most=14):
    """Any spans whatever: lost parents, several roots, circles, children before parents, no length at all."""
    count = draw(st.integers(1, most))
    moments, lengths = st.integers(0, 60), st.integers(0, 40)
    return [
        line(
            number,
            draw(moments),
            draw(lengths),
            parent=draw(st.integers(0, count + 1)),
            service=draw(st.sampled_from(["a", "b"])),
            name=draw(st.sampled_from(["x", "y", "z"])),
            failed=draw(st.booleans()),
        )
        for number in range(1, count + 1)
    ]


def test_spans_stand_below_their_parents_and_siblings_by_start():
    found = tree(line(4, 30, 5, parent=2), line(3, 50, 5, parent=1), line(1, 0, 100), line(2, 10, 30, parent=1))
    assert names(found, range(4)) == ["span 1", "span 2", "span 4", "span 3"]
    assert found.parents == (NO_PARENT, 0, 1, 0)
    assert found.depths == (0, 1, 2, 1)
    assert found.sizes == (4, 2, 1, 1)


def test_spans_whose_parent_is_lost_stand_at_the_top():
    found = tree(line(1, 0, 100), line(2, 10, 5, parent=77), line(3, 11, 1, parent=2))
    assert names(found, found.roots) == ["span 1", "span 2"]
    assert names(found, found.orphans) == ["span 2"]
    assert found.depths == (0, 0, 1)


@pytest.mark.parametrize(
    ("spans", "opened_at"),
    [
        pytest.param([line(1, 5, 1, parent=1)], "span 1", id="its own parent"),
        pytest.param([line(1, 5, 1, parent=2), line(2, 3, 1, parent=1)], "span 2", id="two"),
        pytest.param(
            [line(1, 5, 1, parent=3), line(2, 6, 1, parent=1), line(3, 7, 1, parent=2), line(4, 1, 1, parent=2)],
            "span 1",
            id="three, and one that hangs on them",
        ),
    ],
)
def test_a_circle_of_parents_is_opened_at_its_earliest_span(spans, opened_at):
    found = tree(*spans)
    assert names(found, found.looped) == names(found, found.roots) == [opened_at]
    assert len(found.lines) == len(spans)
    assert not found.orphans


def test_a_chain_of_ten_thousand_spans_is_a_tree_too():
    chain = [line(number + 256, number, 20_000 - 2 * number, parent=number + 255) for number in range(10_000)]
    found = tree_of(reversed(chain))
    assert max(found.depths) == 9_999
    assert sum(part.length_ns for part in critical_path(found)) == found.end_ns - found.start_ns


@given(traces(), st.randoms(use_true_random=False))
def test_the_order_in_which_spans_come_changes_nothing(spans, chance):
    shuffled = list(spans)
    chance.shuffle(shuffled)
    assert tree_of(shuffled) == tree_of(spans)


@given(traces())
def test_every_span_is_in_the_tree_once_within_the_subtree_of_its_parent(spans):
    found = tree_of(spans)
    assert sorted(each.span_id for each in found.lines) == sorted(each.span_id for each in spans)
    for place, parent in enumerate(found.parents):
        if parent == NO_PARENT:
            assert found.depths[place] == 0
        else:
            assert parent < place < parent + found.sizes[parent]
            assert found.depths[place] == found.depths[parent] + 1
            assert found.lines[place].parent_span_id == found.lines[parent].span_id
    assert sum(found.sizes[place] for place in found.roots) == len(spans)


def parts(of_tree):
    """The path as (name, from, to), counted from the start."""
    return [
        (
            "waiting" if part.place == WAITING else of_tree.lines[part.place].name,
            part.from_ns - START,
            part.to_ns - START,
        )
        for part in critical_path(of_tree)
    ]


PATHS = [
    pytest.param([line(1, 0, 10)], [("span 1", 0, 10)], id="one span"),
    pytest.param(
        [line(1, 0, 100), line(2, 10, 30, parent=1), line(3, 50, 40, parent=1)],
        [("span 1", 0, 10), ("span 2", 10, 40), ("span 1", 40, 50), ("span 3", 50, 90), ("span 1", 90, 100)],
        id="one after the other",
    ),
    pytest.param(
        [line(1, 0, 100), line(2, 10, 80, parent=1), line(3, 20, 30, parent=1)],
        [("span 1", 0, 10), ("span 2", 10, 90), ("span 1", 90, 100)],
        id="what ran beside the longer one is not on it",
    ),
    pytest.param(
        [line(1, 0, 10), line(2, 5, 1, parent=1), line(3, 40, 20, parent=2)],
        [("span 1", 0, 5), ("span 2", 5, 6), ("waiting", 6, 40), ("span 3", 40, 60)],
        id="a message that waited in a queue",
    ),
    pytest.param(
        [line(1, 0, 10), line(2, 30, 10)],
        [("span 1", 0, 10), ("waiting", 10, 30), ("span 2", 30, 40)],
        id="two roots",
    ),
    pytest.param(
        [line(1, 20, 50), line(2, 0, 30, parent=1)],
        [("waiting", 0, 20), ("span 2", 20, 30), ("span 1", 30, 70)],
        id="what a child did before its parent began is not on it",
    ),
    pytest.param(
        [line(1, 0, 10), line(2, 5, 0, parent=1)],
        [("span 1", 0, 5), ("span 1", 5, 10)],
        id="a span without length divides its parent",
    ),
    pytest.param([line(1, 5, 0)], [], id="no time passed"),
]


@pytest.mark.parametrize(("spans", "expected"), PATHS)
def test_the_critical_path_of(spans, expected):
    assert parts(tree(*spans)) == expected


@given(traces())
def test_the_critical_path_leaves_nothing_out_and_never_overlaps(spans):
    found = tree_of(spans)
    path = critical_path(found)
    borders = [(part.from_ns, part.to_ns) for part in path]
    assert all(begin < end for begin, end in borders)
    assert [end for _, end in borders[:-1]] == [begin for begin, _ in borders[1:]]
    assert sum(end - begin for begin, end in borders) == found.end_ns - found.start_ns
    assert sum(on_path(path).values()) == found.end_ns - found.start_ns
    if borders:
        assert (borders[0][0], borders[-1][1]) == (found.start_ns, found.end_ns)


@given(traces())
def test_a_span_is_on_the_path_only_while_it_runs(spans):
    found = tree_of(spans)
    for part in critical_path(found):
        if part.place != WAITING:
            each = found.lines[part.place]
            assert each.start_ns <= part.from_ns
            assert part.to_ns <= each.start_ns + each.duration_ns


@given(traces(), st.integers(1, 30))
def test_a_trace_that_ends_later_because_of_its_last_span_has_it_on_its_path(spans, longer):
    found = tree_of(spans)
    last = line(99, found.end_ns - START, longer, parent=1)
    path = critical_path(tree_of([*spans, last]))
    assert (path[-1].from_ns, path[-1].to_ns) == (found.end_ns, found.end_ns + longer)


def test_self_time_is_what_children_do_not_cover():
    found = tree(
        line(1, 0, 100), line(2, 10, 30, parent=1), line(3, 20, 40, parent=1), line(4, 90, 50, parent=1),
        line(5, 30, 5, parent=3),
    )  # fmt: skip
    assert dict(zip((each.name for each in found.lines), self_times(found), strict=True)) == {
        "span 1": 40, "span 2": 30, "span 3": 35, "span 5": 5, "span 4": 50,
    }  # fmt: skip


@given(traces())
def test_self_times_lie_between_nothing_and_the_duration(spans):
    found = tree_of(spans)
    assert all(0 <= own <= each.duration_ns for own, each in zip(self_times(found), found.lines, strict=True))
    top = flame_of(found)
    assert top.all_ns == sum(self_times(found))
    assert sum(each.own_ns for each in operations_of(found)) == top.all_ns
    assert sum(each.count for each in operations_of(found)) == len(spans)


@given(traces())
def test_boxes_of_a_flame_graph_lie_within_the_box_below_them(spans):
    boxes = flame_boxes(flame_of(tree_of(spans)))
    by_node = {id(box.node): box for box in boxes}
    for box in boxes:
        assert -0.2 <= box.x <= box.x + box.width <= WIDE + 0.2
        for child in box.node.below.values():
            if id(child) in by_node:
                inner = by_node[id(child)]
                assert box.x - 0.2 <= inner.x
                assert inner.x + inner.width <= box.x + box.width + 0.2
                assert inner.depth == box.depth + 1


def test_spans_of_one_operation_reached_the_same_way_are_one_box():
    found = tree(
        line(1, 0, 100, name="root"),
        *(line(number, number * 5, 4, parent=1, name="query", failed=number == 3) for number in (2, 3, 4)),
        line(5, 50, 10, parent=1, name="query", service="crm-api"),
    )
    (root,) = flame_of(found).below.values()
    query = root.below["shop-api", "query"]
    assert (query.count, query.failed, query.own_ns, root.own_ns, root.all_ns) == (3, 1, 12, 78, 100)
    assert root.below["crm-api", "query"].count == 1


def test_failed_spans_below_which_nothing_failed_come_first():
    found = tree(
        line(1, 0, 100, failed=True),
        line(2, 10, 50, parent=1, failed=True),
        line(3, 20, 5, parent=2, failed=True),
        line(4, 5, 1, parent=1, failed=True),
        line(5, 1, 1, parent=1),
    )
    assert names(found, found.failed()) == ["span 4", "span 3", "span 1", "span 2"]
    assert [found.begins_error(place) for place in found.failed()] == [True, True, False, False]


ODD = [
    pytest.param([line(1, 0, 10), line(2, 1, 2, parent=1)], True, [], id="nothing odd"),
    pytest.param([line(1, 0, 10), line(2, 1, 2)], True, ["This trace has 2 roots"], id="two roots"),
    pytest.param([line(1, 0, 10, parent=9)], True, ["1 span names a parent that is not stored"], id="a lost parent"),
    pytest.param([line(1, 0, 10, parent=1)], True, ["The parents of 1 span lead back"], id="a circle"),
    pytest.param(
        [line(1, 5_000_000, 10), line(2, 0, 2, parent=1, service="crm-api")],
        True,
        ["1 span of crm-api begins up to 5.0 ms before its parent in shop-api: the clocks differ"],
        id="clocks that differ",
    ),
    pytest.param([line(1, 0, 10)], False, ["This trace has more than 1 spans"], id="cut"),
]


@pytest.mark.parametrize(("spans", "complete", "said"), ODD)
def test_what_is_odd_about_a_trace_is_said(spans, complete, said):
    notes = notes_on(tree(*spans), complete=complete)
    assert len(notes) == len(said)
    assert all(note.startswith(begin) for note, begin in zip(notes, said, strict=True))


def page_of(spans, **asked):
    return trace_page(TRACE, TraceParts(tree_of(spans), True), TraceAsked(**asked))


def test_the_page_has_the_first_rows_and_leads_to_the_others():
    spans = [line(1, 0, 1000), *(line(number + 256, number, 1, parent=1) for number in range(2 * ROWS + 5))]
    first, last = page_of(spans), page_of(spans, first=2 * ROWS)
    assert (len(first.rows), first.before, first.after) == (ROWS, None, ROWS)
    assert (len(last.rows), last.before, last.after) == (6, ROWS, None)
    asked = page_of(spans, selected=(ROWS + 20 + 256).to_bytes(8).hex())
    assert asked.first == ROWS
    assert any(row.span_id == asked.selected for row in asked.rows)


def test_bars_lie_where_and_as_long_as_their_spans_ran():
    rows = page_of([line(1, 0, 1000), line(2, 250, 500, parent=1), line(3, 1000, 0, parent=1)]).rows
    assert [(row.x, row.width) for row in rows] == [(0, WIDE), (250, 500), (998, 2)]
    assert rows[0].critical == ((0, 250), (750, 250))


@given(traces())
def test_the_map_holds_no_more_than_its_box(spans):
    found = tree_of(spans)
    tones = dict.fromkeys((name for name, _ in found.services()), "c1")
    for tone, path in map_of(found, Lane(found.start_ns, found.end_ns), tones):
        assert tone in ("c1", "failed")
        for stroke in path.split("M")[1:]:
            place, length = stroke.split("h")
            assert 0 <= int(place.split()[0]) <= MAP_WIDE - int(length)


@given(traces())
def test_lines_for_the_browser_tell_the_same_as_the_tree(spans):
    found = tree_of(spans)
    sent = orjson.loads(lines_json(found))
    columns = sent["columns"]
    assert {len(each) for each in columns.values()} == {len(spans)}
    assert [sent["names"][each] for each in columns["name"]] == [each.name for each in found.lines]
    assert [sent["services"][each] for each in columns["service"]] == [each.service for each in found.lines]
    assert int(sent["start_ns"]) == found.start_ns
    assert sum(end - begin for _, begin, end in sent["path"]) == sent["duration"]


def test_very_long_names_are_cut_in_rows_and_lines():
    spans = [line(1, 0, 5, name="x" * 10_000)]
    assert len(page_of(spans).rows[0].name) == 300
    assert len(lines_json(tree_of(spans))) < 1_500


def test_two_traces_are_compared_by_operation():
    first = tree(
        line(1, 0, 100, name="root"), line(2, 10, 20, parent=1, name="query"), line(3, 40, 5, parent=1, name="gone")
    )
    second = tree(line(1, 0, 300, name="root"), *(line(n, n * 50, 40, parent=1, name="query") for n in (2, 3, 4)),
                  line(9, 290, 5, parent=1, name="new"))  # fmt: skip
    page = compare_page("aa" * 16, first, "bb" * 16, second)
    rows = {row.difference.name: row for row in page.rows}
    assert (rows["query"].difference.count, rows["query"].difference.own_ns) == (2, 100)
    assert (rows["gone"].only, rows["new"].only, rows["root"].only) == ("first", "second", "")
    assert (page.only_first, page.only_second, page.longer_ns) == (1, 1, 200)
    assert next((row.less, row.more) for row in page.rows) == (0.0, 1.0)
    assert rows["gone"].less == pytest.approx(5 / 100, abs=0.01)


@given(traces(), traces())
def test_a_comparison_the_other_way_round_says_the_opposite(spans, others):
    a, b = operations_of(tree_of(spans)), operations_of(tree_of(others))
    there = {(each.service, each.name): each.own_ns for each in differences(a, b)}
    back = {(each.service, each.name): -each.own_ns for each in differences(b, a)}
    assert there == back
    assert all(each.own_ns == each.count == 0 for each in differences(a, a))


def test_ids_of_rows_are_those_of_the_spans():
    assert [row.span_id for row in page_of([line(1, 0, 5), line(2, 1, 1, parent=1)]).rows] == [span_hex(1), span_hex(2)]
