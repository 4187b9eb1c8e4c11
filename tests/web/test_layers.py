"""Graphs in layers: everything is placed, nothing lies on anything else, and the same graph gives the same picture."""

from __future__ import annotations

import random
import re
from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clew.web.pictures.layers import Layout, Link, Node, layered

NAMES = "abcdefgh"
LABEL = (60.0, 18.0)


def drawn(links: str, nodes: str = NAMES, weights: dict[str, float] | None = None) -> Layout:
    """The layout of links such as ``ab bc``."""
    made = [Link(link[0], link[1], (weights or {}).get(link, 1.0), *LABEL) for link in links.split()]
    return layered([Node(name, 80.0, 40.0) for name in nodes], made)


def layers_of(layout: Layout) -> dict[str, int]:
    return {box.name: box.layer for box in layout.boxes}


@pytest.mark.parametrize(
    ("links", "nodes", "layers", "back"),
    [
        ("ab bc", "abc", {"a": 0, "b": 1, "c": 2}, set()),
        ("ab bc ac", "abc", {"a": 0, "b": 1, "c": 2}, set()),
        ("ab cb bd", "abcd", {"a": 0, "b": 1, "c": 0, "d": 2}, set()),
        ("ab bc dc", "abcd", {"a": 0, "b": 1, "c": 2, "d": 1}, set()),
        ("ab ba", "ab", {"a": 0, "b": 1}, {"ba"}),
        ("ab bc ca", "abc", {"a": 0, "b": 1, "c": 2}, {"ca"}),
        ("aa ab", "ab", {"a": 0, "b": 1}, set()),
        ("", "abc", {"a": 0, "b": 0, "c": 0}, set()),
    ],
)
def test_what_is_called_stands_right_of_its_caller(links, nodes, layers, back):
    layout = drawn(links, nodes)
    assert layers_of(layout) == layers
    assert {route.source + route.target for route in layout.routes if route.back} == back


def test_heavy_links_point_to_the_right_and_light_ones_back():
    layout = drawn("ab bc ca", "abc", weights={"ab": 1.0, "bc": 50.0, "ca": 50.0})
    assert {route.source + route.target for route in layout.routes if route.back} == {"ab"}


def test_links_of_unknown_nodes_are_left_out():
    assert [route.target for route in drawn("ab ax xb", "ab").routes] == ["b"]


def test_a_graph_without_nodes_is_a_picture_without_boxes():
    layout = drawn("", "")
    assert (layout.boxes, layout.routes) == ((), ())


def test_a_chain_is_straight_and_what_joins_it_stands_beside_it():
    layout = drawn("ad db be ec fc", "fabcde")
    y = {box.name: box.y for box in layout.boxes}
    assert y["a"] == y["d"] == y["b"] == y["e"] != y["f"]
    assert min(y["e"], y["f"]) < y["c"] < max(y["e"], y["f"])


def test_crossings_are_taken_apart():
    """a to f, b to e, c to d: in the order of the names all would cross."""
    layout = drawn("af be cd", "abcdef")
    y = {box.name: box.y for box in layout.boxes}
    assert (y["a"], y["b"], y["c"]) == (y["f"], y["e"], y["d"])


def test_routes_begin_and_end_at_their_boxes():
    layout = drawn("ab bc ca ac aa", "abc")
    boxes = {box.name: box for box in layout.boxes}
    for route in layout.routes:
        numbers = [float(number) for number in re.findall(r"-?[\d.]+", route.path)]
        source, target = boxes[route.source], boxes[route.target]
        assert source.x <= numbers[0] <= source.x + source.width
        assert source.y <= numbers[1] <= source.y + source.height
        end_x = numbers[-1] if route.path.rfind("H") > route.path.rfind("C") else numbers[-2]
        assert target.x <= end_x <= target.x + target.width


links = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES), st.floats(0.1, 100)), max_size=24)


@given(links, st.integers(0, len(NAMES)))
def test_nothing_lies_on_anything_else(links, number):
    nodes = [Node(name, 60.0 + 9 * n, 30.0 + 7 * n) for n, name in enumerate(NAMES[:number])]
    layout = layered(nodes, [Link(*link, *LABEL) for link in links])
    assert [box.name for box in layout.boxes] == [node.name for node in nodes]
    pairs = {(source, target) for source, target, _ in links if {source, target} <= set(NAMES[:number])}
    assert {(route.source, route.target) for route in layout.routes} == pairs
    areas = [(box.x, box.y, box.width, box.height) for box in layout.boxes]
    areas += [
        (route.label[0] - LABEL[0] / 2, route.label[1] - LABEL[1] / 2, *LABEL)
        for route in layout.routes
        if not route.loop
    ]
    for a, b in combinations(areas, 2):
        apart = a[0] + a[2] <= b[0] or b[0] + b[2] <= a[0] or a[1] + a[3] <= b[1] + 0.2 or b[1] + b[3] <= a[1] + 0.2
        assert apart, (a, b)
    assert all(
        x >= 0 and y >= 0 and x + width <= layout.width and y + height <= layout.height + 0.2
        for x, y, width, height in areas
    )


@given(links, st.randoms())
def test_the_order_of_the_links_changes_nothing(links, chance):
    unique = list({(link[0], link[1]): link for link in links}.values())
    nodes = [Node(name, 80.0, 40.0) for name in NAMES]
    shuffled = list(unique)
    chance.shuffle(shuffled)
    assert layered(nodes, [Link(*each) for each in unique]) == layered(nodes, [Link(*each) for each in shuffled])


@given(links)
def test_every_link_that_is_not_back_points_to_the_right(links):
    layout = layered([Node(name, 80.0, 40.0) for name in NAMES], [Link(*link) for link in links])
    layers = layers_of(layout)
    for route in layout.routes:
        if not route.loop:
            assert route.back == (layers[route.source] > layers[route.target])


def test_a_graph_as_large_as_a_page_shows_is_placed_whole():
    chance = random.Random(7)
    names = [f"n{n}" for n in range(80)]
    made = [Link(a, b, chance.random(), *LABEL) for a, b in pairwise(names)]
    made += [Link(*chance.sample(names, 2), chance.random(), *LABEL) for _ in range(120)]
    layout = layered([Node(name, 120.0, 40.0) for name in names], made)
    assert len(layout.boxes) == 80
