"""The process map and the page of one step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from clew.api.report_models import AskedModel, MapEdgeModel, MapModel, StepOrdersModel
from clew.api.times import parse_moment
from clew.model.flow import Flow
from clew.report.declared import in_flow_order
from clew.web import words
from clew.web.pages.flow.asked import Pairs
from clew.web.pages.flow.filters_context import Filters
from clew.web.pages.flow.links import pairs_of, stage_href, step_href
from clew.web.pages.flow.table_context import Cell, Head, Table, table_of
from clew.web.pictures.flowmap import FlowMap, Step, flow_map

MEASURES = (("orders", "Orders"), ("events", "Times taken"), ("time", "Median time"))
_MOST_EDGES = 80


@dataclass(frozen=True, slots=True)
class MapSide:
    """A map: ``picture`` is its geometry, ``orders``, ``events`` and ``open`` what was counted, ``hidden_edges`` rarer
    steps that aren't drawn and ``hidden_count`` how often these were taken; ``crowded`` is how many more there was no
    room for. ``deviating`` counts the drawn steps that the flow doesn't allow. ``hrefs`` are the addresses of stages,
    ``step_hrefs`` those of steps, in their order."""

    picture: FlowMap
    orders: int
    events: int
    open: int
    hidden_edges: int
    hidden_count: int
    crowded: int
    deviating: int
    hrefs: tuple[str, ...]
    step_hrefs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MapPage:
    """The process map: its ``filters``, one or two ``sides`` to compare, their ``table``; ``show`` is what the widths
    say, ``measures`` what they could say (value, label), and ``min_share`` the least share of orders of a step that is
    shown."""

    filters: Filters
    sides: tuple[MapSide, ...]
    table: Table
    show: str
    measures: tuple[tuple[str, str], ...]
    min_share: float


@dataclass(frozen=True, slots=True)
class StepPage:
    """The orders that went from stage ``before`` straight to ``after``: ``count`` times, in ``orders`` orders, the
    slowest of them in the ``table``; ``back`` leads to the map. ``filters`` say which orders count."""

    filters: Filters
    before: str
    after: str
    count: int
    orders: int
    table: Table
    back: str


def map_page(
    filters: Filters, found: MapModel, flow: Flow | None, pairs: Pairs, show: str, min_share: float
) -> MapPage:
    """The page of a process map."""
    kept = list(pairs)
    sides = [_side(found, flow, kept, show)]
    sides += [_side(found.against, flow, pairs_of(found.against.asked), show)] if found.against else []

    def step(row: Any) -> str:  # noqa: ANN401 - a row of the table
        return step_href(kept, row["from"], row["to"])

    return MapPage(
        filters=filters,
        sides=tuple(sides),
        table=table_of("map", found.model_dump(mode="json", by_alias=True), "Steps", {"from": step, "to": step}),
        show=show,
        measures=MEASURES,
        min_share=min_share,
    )


def step_page(filters: Filters, found: StepOrdersModel, zone: ZoneInfo, back: str) -> StepPage:
    """The page of one step; moments are those of clocks in ``zone``."""
    heads = (
        Head("Order", False), Head("Path", False), Head("Ended", False), Head(f"Went on ({zone.key})", False),
        Head(f"Time in {found.before}", True),
    )  # fmt: skip
    rows = tuple(
        (
            Cell(each.order_id, False, words.order_href(each.order_id)),
            Cell(each.path, False),
            Cell(each.ended or "open", False),
            Cell(words.clock(parse_moment(each.at, 0), zone), False),
            Cell(words.spell(round(each.dwell * 1e9)), True),
        )
        for each in found.taken
    )
    table = Table("Orders, the slowest first", heads, rows, 1, 0)
    return StepPage(filters, found.before, found.after, found.count, found.orders, table, back)


def _side(found: MapModel, flow: Flow | None, pairs: Pairs, show: str) -> MapSide:
    drawn = found.edges[:_MOST_EDGES]
    stages = _stages(found, drawn, flow)
    declared = {stage.name for stage in flow.stages} if flow else set(stages)
    steps = [_step(edge, found.orders, show) for edge in drawn]
    picture = flow_map(stages, _lines(found), frozenset(stages) - declared, steps)
    return MapSide(
        picture=picture,
        orders=found.orders,
        events=found.events,
        open=found.open,
        hidden_edges=found.hidden_edges,
        hidden_count=found.hidden_count,
        crowded=len(found.edges) - len(drawn),
        deviating=sum(bool(edge.deviation) and not edge.accepted for edge in drawn),
        hrefs=tuple(_stage_href(found.asked, node.stage, flow) for node in picture.nodes),
        step_hrefs=tuple(step_href(pairs, edge.step.before, edge.step.after) for edge in picture.edges),
    )


def _stage_href(asked: AskedModel, name: str, flow: Flow | None) -> str:
    stage = flow.stage(name) if flow else None
    return stage_href(asked.flow, asked.path, name, ended=bool(stage and stage.terminal))


def _stages(found: MapModel, drawn: Sequence[MapEdgeModel], flow: Flow | None) -> list[str]:
    """The stages of the map in the flow's order; without a flow as orders mostly come to them."""
    seen = dict.fromkeys([*sorted(found.starts, key=lambda stage: -found.starts[stage])])
    seen |= dict.fromkeys(stage for edge in drawn for stage in (edge.from_, edge.to))
    seen |= dict.fromkeys(found.ends)
    linked = {stage for edge in drawn for stage in (edge.from_, edge.to)}
    shown = [stage for stage in seen if stage in linked or not found.edges or _weighs(found, stage)]
    return in_flow_order(flow, shown)


def _weighs(found: MapModel, stage: str) -> bool:
    """Whether enough orders begin or end in a stage to draw it although no step of it is drawn."""
    return found.starts.get(stage, 0) + found.ends.get(stage, 0) >= 0.01 * found.orders


def _lines(found: MapModel) -> dict[str, str]:
    entered = dict(found.starts)
    for edge in found.edges:
        entered[edge.to] = entered.get(edge.to, 0) + edge.count
    lines = {}
    for stage in {*entered, *found.ends}:
        parts = [f"entered {entered.get(stage, 0):,}"]
        parts += [f"▶ {found.starts[stage]:,}"] if stage in found.starts else []
        parts += [f"■ {found.ends[stage]:,}"] if stage in found.ends else []
        lines[stage] = "  ".join(parts)
    return lines


def _step(edge: MapEdgeModel, orders: int, show: str) -> Step:
    median, p95 = (words.spell(round(each * 1e9)) for each in (edge.median, edge.p95))
    word = words.verdict(edge.deviation)
    kind = f"{word}, accepted" if edge.accepted else word
    number = {"orders": edge.orders, "events": edge.count}.get(show)
    told = (
        f"{edge.from_} to {edge.to}: {words.counted(edge.count, 'time')} in {words.counted(edge.orders, 'order')}, "
        f"median {median}, p95 {p95}{f'; {kind}' if kind else ''}"
    )
    return Step(
        before=edge.from_,
        after=edge.to,
        weight=edge.median if number is None else float(number),
        strong=f"{edge.count if number is None else number:,}",
        weak=f"{_short(edge.median)} · p95 {_short(edge.p95)}",
        kind=kind,
        told=told,
        share=edge.orders / orders if orders else 0.0,
    )


def _short(length_s: float) -> str:
    """A length of time in one unit: ``13 min``, ``2.5 d``."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        if length_s >= size:
            value = length_s / size
            return f"{value:.0f} {unit}" if value >= 10 or value == int(value) else f"{value:.1f} {unit}"
    return "0 s" if not length_s else f"{length_s * 1000:.0f} ms"
