"""Places the nodes of a weighted directed graph in layers from left to right, and routes its links between them.

    links against the way turned -> layers -> order within layers -> heights -> routes

The method is that of K. Sugiyama, S. Tagawa, M. Toda, "Methods for Visual Understanding of Hierarchical System
Structures", IEEE Transactions on Systems, Man, and Cybernetics 11 (1981), 109-125: layers, then fewer crossings by
barycentres. Cycles are opened as by P. Eades, X. Lin, W. F. Smyth, "A fast and effective heuristic for the feedback arc
set problem", Information Processing Letters 47 (1993), 319-323, here with weights. Between any two layers lies one for
labels, so that no label lies on a node or on another label.

Everything is deterministic: the same graph gives the same picture; the order of the nodes breaks ties, that of the
links doesn't matter.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

Name = str
Point = tuple[float, float]

_SWEEPS = 12
_PORT = 14.0
_LOOP_HIGH = 26.0
_STRAIGHT = {0: 1.0, 1: 2.0, 2: 8.0}


@dataclass(frozen=True, slots=True)
class Node:
    """A node and the size (pixels) of its box."""

    name: Name
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Link:
    """A link from one node to another, at most one for a pair. Heavier ones rather point to the right.

    ``label_width`` and ``label_height`` (pixels) are kept free for its label.
    """

    source: Name
    target: Name
    weight: float = 1.0
    label_width: float = 0.0
    label_height: float = 0.0


@dataclass(frozen=True, slots=True)
class Box:
    """A node where it lies: ``x`` and ``y`` are its left upper corner."""

    name: Name
    layer: int
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Route:
    """A link where it lies: ``path`` (SVG) from source to target, and the middle of its label.

    ``back``: it points to the left, against most of what flows; ``loop``: from a node to itself.
    """

    source: Name
    target: Name
    path: str
    label: Point
    back: bool
    loop: bool


@dataclass(frozen=True, slots=True)
class Layout:
    """A graph in a box of ``width`` and ``height`` (pixels); boxes in the order of the nodes, routes in theirs."""

    width: float
    height: float
    boxes: tuple[Box, ...]
    routes: tuple[Route, ...]


@dataclass(frozen=True, slots=True)
class Spacing:
    """Pixels between neighbours in a layer (``upright``), between a layer and the labels beside it (``across``), and
    around everything (``margin``)."""

    upright: float = 16.0
    across: float = 22.0
    margin: float = 8.0


def layered(nodes: Sequence[Node], links: Sequence[Link], spacing: Spacing | None = None) -> Layout:
    """Where nodes and links lie. Links of unknown nodes are left out; of two links of a pair the first counts."""
    known = {node.name: number for number, node in enumerate(nodes)}
    pairs = {(link.source, link.target): link for link in reversed(links) if {link.source, link.target} <= known.keys()}
    drawn = sorted(pairs.values(), key=lambda link: (known[link.source], known[link.target]))
    order = _forward_order(list(known), drawn)
    forward = [_turned(link, order) for link in drawn if link.source != link.target]
    layers = _layers(sorted(known, key=order.__getitem__), {(link.source, link.target) for link in forward})
    return _Drawing(nodes, drawn, layers, order, spacing or Spacing()).layout()


def _turned(link: Link, order: Mapping[Name, int]) -> Link:
    if order[link.source] < order[link.target]:
        return link
    return Link(link.target, link.source, link.weight, link.label_width, link.label_height)


def _forward_order(names: Sequence[Name], links: Iterable[Link]) -> dict[Name, int]:
    """An order of the nodes in which little weight points backwards (Eades, Lin, Smyth)."""
    out: dict[Name, dict[Name, float]] = {name: {} for name in names}
    into: dict[Name, dict[Name, float]] = {name: {} for name in names}
    for link in links:
        if link.source != link.target:
            out[link.source][link.target] = into[link.target][link.source] = link.weight
    left: list[Name] = []
    right: list[Name] = []
    remaining = list(names)
    while remaining:
        sink = next((name for name in reversed(remaining) if not out[name]), None)
        source = next((name for name in remaining if not into[name]), None)
        chosen = sink or source or max(remaining, key=lambda name: sum(out[name].values()) - sum(into[name].values()))
        (right if chosen == sink else left).append(chosen)
        remaining.remove(chosen)
        for other in out.pop(chosen):
            del into[other][chosen]
        for other in into.pop(chosen):
            del out[other][chosen]
    return {name: number for number, name in enumerate([*left, *reversed(right)])}


def _layers(order: Sequence[Name], links: Iterable[tuple[Name, Name]]) -> dict[Name, int]:
    """The layer of each node: one right of its furthest predecessor; those without move to their first successor."""
    before, after = defaultdict(list), defaultdict(list)
    for source, target in sorted(links):
        before[target].append(source)
        after[source].append(target)
    layer: dict[Name, int] = {}
    for name in order:
        layer[name] = max((layer[each] + 1 for each in before[name]), default=0)
    for name in reversed(order):
        if after[name] and not before[name]:
            layer[name] = min(layer[each] for each in after[name]) - 1
    return layer


@dataclass(slots=True)
class _Vertex:
    """A node, a label, or a point at which a long link crosses a layer."""

    layer: int
    width: float
    height: float
    above: float = 0.0
    real: bool = False
    y: float = 0.0
    place: int = 0


class _Drawing:
    """The graph with a vertex wherever a link crosses a layer; nodes lie in even layers, labels in odd ones."""

    def __init__(
        self,
        nodes: Sequence[Node],
        links: Sequence[Link],
        layer: Mapping[Name, int],
        order: Mapping[Name, int],
        spacing: Spacing,
    ) -> None:
        self._nodes, self._links, self._spacing = nodes, links, spacing
        loops = {link.source for link in links if link.source == link.target}
        self._vertices = [
            _Vertex(2 * layer[node.name], node.width, node.height, _LOOP_HIGH if node.name in loops else 0.0, True)
            for node in nodes
        ]
        self._number = {node.name: number for number, node in enumerate(nodes)}
        self._chains = [self._chain(_turned(link, order)) if link.source != link.target else [] for link in links]
        self._left: dict[int, list[int]] = defaultdict(list)
        self._right: dict[int, list[int]] = defaultdict(list)
        for chain in self._chains:
            for a, b in pairwise(chain):
                self._right[a].append(b)
                self._left[b].append(a)
        last = max((vertex.layer for vertex in self._vertices), default=-1)
        self._rows: list[list[int]] = [[] for _ in range(last + 1)]
        for number in sorted(range(len(self._vertices)), key=lambda each: (self._vertices[each].layer, each)):
            self._rows[self._vertices[number].layer].append(number)

    def _chain(self, link: Link) -> list[int]:
        """The vertices of a link from left to right; the label lies in the middle."""
        first, last = self._number[link.source], self._number[link.target]
        begin, end = self._vertices[first].layer, self._vertices[last].layer
        label = begin + _label_of(begin // 2, end // 2)
        made = []
        for layer in range(begin + 1, end):
            size = (link.label_width, link.label_height) if layer == label else (0.0, 0.0)
            self._vertices.append(_Vertex(layer, *size))
            made.append(len(self._vertices) - 1)
        return [first, *made, last]

    def layout(self) -> Layout:
        """Everything in its place."""
        self._reduce_crossings()
        self._set_heights()
        left, right = self._columns()
        spacing = self._spacing
        top = min((each.y - each.height / 2 - each.above for each in self._vertices), default=0.0) - spacing.margin
        for vertex in self._vertices:
            vertex.y -= top
        bottom = max((each.y + each.height / 2 for each in self._vertices), default=0.0) + spacing.margin
        boxes = tuple(self._box(node, left, right) for node in self._nodes)
        routes = tuple(self._routes(boxes, left, right))
        return Layout(round((right[-1] if right else 0.0) + spacing.margin, 1), round(bottom, 1), boxes, routes)

    def _box(self, node: Node, left: Sequence[float], right: Sequence[float]) -> Box:
        vertex = self._vertices[self._number[node.name]]
        x = (left[vertex.layer] + right[vertex.layer] - node.width) / 2
        y = vertex.y - node.height / 2
        return Box(node.name, vertex.layer // 2, round(x, 1), round(y, 1), node.width, node.height)

    def _columns(self) -> tuple[list[float], list[float]]:
        left, right, x = [], [], self._spacing.margin
        for row in self._rows:
            width = max((self._vertices[each].width for each in row), default=0.0)
            left.append(x)
            right.append(x + width)
            x += width + self._spacing.across
        return left, right

    def _reduce_crossings(self) -> None:
        self._note_places()
        best, fewest = [list(row) for row in self._rows], self._crossings()
        for sweep in range(_SWEEPS):
            rows = range(1, len(self._rows)) if sweep % 2 == 0 else range(len(self._rows) - 2, -1, -1)
            beside = self._left if sweep % 2 == 0 else self._right
            for number in rows:
                row = self._rows[number]
                row[:] = sorted(row, key=lambda each: self._barycentre(each, beside))
                self._note_row(row)
            if (crossings := self._crossings()) < fewest:
                best, fewest = [list(row) for row in self._rows], crossings
        self._rows = best
        self._note_places()

    def _barycentre(self, number: int, beside: Mapping[int, list[int]]) -> float:
        others = beside.get(number, ())
        if not others:
            return self._share(number)
        return sum(self._share(each) for each in others) / len(others)

    def _share(self, number: int) -> float:
        vertex = self._vertices[number]
        return (vertex.place + 0.5) / len(self._rows[vertex.layer])

    def _note_places(self) -> None:
        for row in self._rows:
            self._note_row(row)

    def _note_row(self, row: Sequence[int]) -> None:
        for place, number in enumerate(row):
            self._vertices[number].place = place

    def _crossings(self) -> int:
        return sum(self._crossings_right_of(row) for row in self._rows)

    def _crossings_right_of(self, row: Sequence[int]) -> int:
        seen: list[int] = []
        crossings = 0
        for number in row:
            places = sorted(self._vertices[each].place for each in self._right.get(number, ()))
            crossings += sum(len(seen) - bisect_right(seen, place) for place in places)
            for place in places:
                insort(seen, place)
        return crossings

    def _set_heights(self) -> None:
        """Every vertex as near to its neighbours as the order allows; long links as straight as can be."""
        for row in self._rows:
            self._settle(row, lambda _: (0.0, 1.0))
        for sweep in range(_SWEEPS):
            forward = sweep % 2 == 0
            sides = [self._left if forward else self._right]
            if sweep >= _SWEEPS - 2:
                sides = [self._left, self._right]
            for row in self._rows if forward else reversed(self._rows):
                self._settle(row, lambda number, sides=sides: self._wanted(number, sides))  # type: ignore[misc]

    def _wanted(self, number: int, sides: Iterable[Mapping[int, list[int]]]) -> tuple[float, float]:
        vertex, total, weight = self._vertices[number], 0.0, 0.0
        for side in sides:
            for each in side.get(number, ()):
                other = self._vertices[each]
                pull = _STRAIGHT[(not vertex.real) + (not other.real)]
                total, weight = total + pull * other.y, weight + pull
        return (total / weight, weight) if weight else (vertex.y, 0.1)

    def _settle(self, row: Sequence[int], wanted: Callable[[int], tuple[float, float]]) -> None:
        """Move a row where it is wanted, in its order and with room between: least squares with bounds, which is
        isotonic regression by pooling neighbours that are in each other's way."""
        offsets, offset = [], 0.0
        for n, number in enumerate(row):
            vertex = self._vertices[number]
            if n:
                above = self._vertices[row[n - 1]]
                offset += above.height / 2 + self._spacing.upright + vertex.above + vertex.height / 2
            offsets.append(offset)
        pools: list[tuple[float, float, int]] = []
        for number, moved in zip(row, offsets, strict=True):
            y, weight = wanted(number)
            pool = (y - moved, weight, 1)
            while pools and pools[-1][0] > pool[0]:
                other = pools.pop()
                both = other[1] + pool[1]
                pool = ((other[0] * other[1] + pool[0] * pool[1]) / both, both, other[2] + pool[2])
            pools.append(pool)
        placed = [y for y, _, size in pools for _ in range(size)]
        for number, y, moved in zip(row, placed, offsets, strict=True):
            self._vertices[number].y = y + moved

    def _routes(self, boxes: Sequence[Box], left: Sequence[float], right: Sequence[float]) -> Iterable[Route]:
        ports = self._ports()
        for number, (link, chain) in enumerate(zip(self._links, self._chains, strict=True)):
            if not chain:
                yield _loop(link, boxes[self._number[link.source]])
                continue
            back = chain[0] != self._number[link.source]
            first, last = boxes[chain[0]], boxes[chain[-1]]
            points = [(first.x + first.width, ports[number, True]), (right[2 * first.layer], ports[number, True])]
            for each in chain[1:-1]:
                vertex = self._vertices[each]
                points += [(left[vertex.layer], vertex.y), (right[vertex.layer], vertex.y)]
            points += [(left[2 * last.layer], ports[number, False]), (last.x, ports[number, False])]
            middle = self._vertices[chain[_label_of(first.layer, last.layer)]]
            label = ((left[middle.layer] + right[middle.layer]) / 2, middle.y)
            yield Route(
                link.source, link.target, _curve(points[::-1] if back else points), _rounded(label), back, False
            )

    def _ports(self) -> dict[tuple[int, bool], float]:
        """Where each link meets its nodes: side by side, in the order of what it comes from or goes to."""
        sides: dict[tuple[int, bool], list[tuple[float, int]]] = defaultdict(list)
        for number, chain in enumerate(self._chains):
            if chain:
                sides[chain[0], True].append((self._vertices[chain[1]].y, number))
                sides[chain[-1], False].append((self._vertices[chain[-2]].y, number))
        ports = {}
        for (node, outward), met in sides.items():
            vertex = self._vertices[node]
            step = min(_PORT, vertex.height / (len(met) + 1))
            for place, (_, number) in enumerate(sorted(met)):
                ports[number, outward] = vertex.y + (place - (len(met) - 1) / 2) * step
        return ports


def _label_of(first: int, last: int) -> int:
    """How many vertices after its first the label of a link lies that goes from one layer to another."""
    return (last - first) | 1


def _loop(link: Link, box: Box) -> Route:
    x, y = box.x + box.width / 2, box.y
    path = f"M{_n(x - 14)} {_n(y)}C{_n(x - 26)} {_n(y - 24)} {_n(x + 26)} {_n(y - 24)} {_n(x + 14)} {_n(y)}"
    return Route(link.source, link.target, path, _rounded((x, y - _LOOP_HIGH + 6)), False, True)


def _curve(points: Sequence[Point]) -> str:
    """A path that is level at every point, so that pieces meet smoothly."""
    parts = [f"M{_n(points[0][0])} {_n(points[0][1])}"]
    for (x, y), (to_x, to_y) in pairwise(points):
        middle = (x + to_x) / 2
        if x == to_x and y == to_y:
            continue
        if y == to_y:
            parts.append(f"H{_n(to_x)}")
        else:
            parts.append(f"C{_n(middle)} {_n(y)} {_n(middle)} {_n(to_y)} {_n(to_x)} {_n(to_y)}")
    return "".join(parts)


def _rounded(point: Point) -> Point:
    return round(point[0], 1), round(point[1], 1)


def _n(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")
