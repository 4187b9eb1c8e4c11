"""The graph of services, queues and databases as boxes and routes with their words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from clew.store.services import Edge, NodeKind
from clew.web.pictures.axes import Unit, written
from clew.web.pictures.layers import Box, Link, Node, Route, Spacing, layered
from clew.web.words import rate as rate_of

WIDE, HIGH = 176.0, 44.0
_LABEL = (92.0, 32.0)
_LONGEST = 22
_WARN_FROM, _BAD_FROM = 0.01, 0.05

Key = tuple[NodeKind, str]


@dataclass(frozen=True, slots=True)
class DrawnNode:
    """A node at ``x``, ``y`` with ``width`` and ``height`` (pixels).

    ``kind`` is service, queue or database; ``name`` its name and ``short`` as much of it as fits; ``note`` a second
    line; ``tone`` a class by its errors; ``told`` all of it in words; ``href`` where it leads.
    """

    kind: str
    name: str
    short: str
    note: str
    tone: str
    told: str
    href: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class DrawnEdge:
    """A call along ``path`` with its label at ``x``, ``y``: ``rate`` and ``time``.

    ``weight`` is 1 to 4 by how often it happens, ``bad`` says that many calls fail, ``told`` all of it in words,
    ``href`` where it leads (empty: nowhere).
    """

    path: str
    x: float
    y: float
    rate: str
    time: str
    weight: int
    bad: bool
    told: str
    href: str


@dataclass(frozen=True, slots=True)
class Graph:
    """The picture, ``width`` by ``height`` pixels: its ``nodes`` and ``edges``."""

    width: float
    height: float
    nodes: tuple[DrawnNode, ...]
    edges: tuple[DrawnEdge, ...]


@dataclass(frozen=True, slots=True)
class Words:
    """What a node says beside its name: a note, the share of errors (None: unknown), and where it leads."""

    note: str
    errors: float | None
    href: str


def graph(
    edges: Sequence[Edge],
    words: Callable[[Key], Words],
    href: Callable[[Edge], str],
    minutes: float,
    alone: Sequence[str],
) -> Graph:
    """The picture of calls in so many minutes; ``alone`` are services that may call nobody."""
    keys = list(dict.fromkeys([*((NodeKind.SERVICE, name) for name in alone), *_ends(edges)]))
    keys.sort(key=lambda key: (key[0] != NodeKind.SERVICE, key[1]))
    names = {key: f"{key[0].value}\0{key[1]}" for key in keys}
    laid = layered(
        [Node(names[key], WIDE, HIGH) for key in keys],
        [
            Link(names[caller], names[callee], float(edge.calls), *_LABEL)
            for edge in edges
            for caller, callee in [_both(edge)]
        ],
        Spacing(upright=14.0, across=14.0),
    )
    routes = {(route.source, route.target): route for route in laid.routes}
    most = max((edge.calls for edge in edges), default=1)
    return Graph(
        laid.width,
        laid.height,
        tuple(_node(key, box, words(key)) for key, box in zip(keys, laid.boxes, strict=True)),
        tuple(
            _edge(edge, routes[names[_both(edge)[0]], names[_both(edge)[1]]], href(edge), minutes, most)
            for edge in edges
        ),
    )


def _both(edge: Edge) -> tuple[Key, Key]:
    return (edge.caller_kind, edge.caller), (edge.callee_kind, edge.callee)


def _ends(edges: Sequence[Edge]) -> list[Key]:
    return [end for edge in edges for end in _both(edge)]


def _node(key: Key, box: Box, words: Words) -> DrawnNode:
    kind, name = key
    return DrawnNode(
        kind=kind.value,
        name=name,
        short=shortened(name),
        note=words.note,
        tone=tone_of(words.errors),
        told=", ".join(filter(None, (f"{kind.value} {name}", words.note, errors_told(words.errors)))),
        href=words.href,
        x=box.x,
        y=box.y,
        width=box.width,
        height=box.height,
    )


def _edge(edge: Edge, route: Route, href: str, minutes: float, most: int) -> DrawnEdge:
    errors = edge.errors / edge.calls if edge.calls else 0.0
    rate = rate_of(edge.calls / minutes)
    time = written(edge.p95_ns, Unit.LENGTH) if edge.p95_ns else ""
    what = "transit p95" if edge.caller_kind is NodeKind.QUEUE else "p95"
    failing = errors_told(errors)
    told = f"{edge.caller} to {edge.callee}: {rate}" + (f", {what} {time}" if time else "")
    return DrawnEdge(
        path=route.path,
        x=route.label[0],
        y=route.label[1],
        rate=rate,
        time=f"{failing.removesuffix(' errors')} err" if errors >= _WARN_FROM else f"p95 {time}" if time else "",
        weight=1 + min(3, int(4 * (edge.calls / most) ** 0.5)),
        bad=errors >= _BAD_FROM,
        told=told + (f", {failing}" if failing else ""),
        href=href,
    )


def tone_of(errors: float | None) -> str:
    """A class by the share of errors: grey where nothing is known."""
    if errors is None:
        return "tone-none"
    return "tone-bad" if errors >= _BAD_FROM else "tone-warn" if errors >= _WARN_FROM else "tone-fine"


def errors_told(errors: float | None) -> str:
    """The share of errors in words; empty without any."""
    return f"{written(errors, Unit.SHARE)} errors" if errors else ""


def shortened(name: str) -> str:
    """As much of a name as a box has room for."""
    return name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…"
