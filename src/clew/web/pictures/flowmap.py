"""The process map as geometry: stages from top to bottom in the flow's order, steps between them as wide as they are
usual."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clew.web.pictures.layers import Layout, Link, Node, Spacing, layered

NODE_WIDE, NODE_HIGH = 216.0, 46.0
_LABEL_WIDE, _LABEL_HIGH = 116.0, 32.0
_THIN, _THICK = 1.25, 6.5
_SPACING = Spacing(upright=12.0, across=15.0, margin=10.0)
_BACKWARD = 1e-6
_LETTERS = 25


@dataclass(frozen=True, slots=True)
class Step:
    """One step to draw, from the stage ``before`` to the stage ``after``.

    Its ``weight`` makes its width, ``strong`` and ``weak`` are the two lines of its label. ``kind`` says how it leaves
    the flow (empty: not at all), ``told`` is all about it in words, ``share`` that of the orders that took it.
    """

    before: str
    after: str
    weight: float
    strong: str
    weak: str
    kind: str
    told: str
    share: float


@dataclass(frozen=True, slots=True)
class MapNode:
    """A ``stage`` where it lies: left upper corner (``x``, ``y``: pixels), its name cut to the room there is
    (``label``), and a ``line`` about it. ``known`` says that the flow declares it."""

    stage: str
    label: str
    line: str
    x: float
    y: float
    known: bool


@dataclass(frozen=True, slots=True)
class MapEdge:
    """A ``step`` where it lies: its ``path``, the ``width`` of its line, and the middle of its label (``x``, ``y``)."""

    step: Step
    path: str
    width: float
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class FlowMap:
    """A map of ``width`` and ``height`` pixels: its ``nodes`` and ``edges``."""

    width: float
    height: float
    nodes: tuple[MapNode, ...]
    edges: tuple[MapEdge, ...]


def flow_map(
    stages: Sequence[str], lines: Mapping[str, str], unknown: frozenset[str], steps: Sequence[Step]
) -> FlowMap:
    """The map of stages, given in their order, with what is written below each name.

    Steps against that order weigh next to nothing when the direction of the map is chosen, however usual they are.
    """
    place = {stage: number for number, stage in enumerate(stages)}
    nodes = [Node(stage, NODE_HIGH, NODE_WIDE) for stage in stages]
    links = [
        Link(
            step.before,
            step.after,
            step.weight + 1 if place[step.before] < place[step.after] else _BACKWARD,
            _LABEL_HIGH,
            _LABEL_WIDE,
        )
        for step in steps
    ]
    return _turned(layered(nodes, links, _SPACING), lines, unknown, {(step.before, step.after): step for step in steps})


def _turned(
    layout: Layout, lines: Mapping[str, str], unknown: frozenset[str], steps: Mapping[tuple[str, str], Step]
) -> FlowMap:
    """What was laid out from left to right, from top to bottom."""
    heaviest = max((step.weight for step in steps.values()), default=0.0) or 1.0
    return FlowMap(
        width=layout.height,
        height=layout.width,
        nodes=tuple(
            MapNode(box.name, _cut(box.name), lines.get(box.name, ""), box.y, box.x, box.name not in unknown)
            for box in layout.boxes
        ),
        edges=tuple(
            MapEdge(
                step=(step := steps[route.source, route.target]),
                path=turned_path(route.path),
                width=round(_THIN + (_THICK - _THIN) * step.weight / heaviest, 2),
                x=route.label[1],
                y=route.label[0],
            )
            for route in layout.routes
        ),
    )


def _cut(name: str) -> str:
    return name if len(name) <= _LETTERS else name[: _LETTERS - 1] + "…"


def turned_path(path: str) -> str:
    """An SVG path of the commands M, C and H with both axes exchanged."""
    out = []
    for command, numbers in re.findall(r"([MCH])([^MCH]*)", path):
        values = numbers.split()
        if command == "H":
            out.append(f"V{values[0]}")
            continue
        pairs = [f"{y} {x}" for x, y in zip(values[::2], values[1::2], strict=True)]
        out.append(command + " ".join(pairs))
    return "".join(out)
