"""The process map: which stage follows which, how often, and how long that takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from clew.model.flow import Flow
from clew.report.declared import deviation_of_edge
from clew.report.filter import ReportFilter
from clew.report.query import read_rows, seconds
from clew.store.contract import Store


@dataclass(frozen=True, slots=True)
class Edge:
    """One stage directly followed by another; times are seconds between the two visits.

    ``count`` is how often, ``orders`` in how many orders. ``deviation`` says how the flow in force sees the step: empty
    when it is a declared one. ``accepted``: it deviates, and the flow accepts that.
    """

    before: str
    after: str
    count: int
    orders: int
    median: float
    p90: float
    p95: float
    mean: float
    deviation: str = ""
    accepted: bool = False


@dataclass(frozen=True, slots=True)
class ProcessMap:
    """A directly-follows graph; ``hidden_edges`` are those rarer than asked for, ``hidden_count`` their occurrences."""

    orders: int
    events: int
    open: int
    edges: tuple[Edge, ...]
    starts: Mapping[str, int]
    ends: Mapping[str, int]
    hidden_edges: int
    hidden_count: int


def process_map(store: Store, filter_: ReportFilter, flow: Flow | None = None, min_share: float = 0.0) -> ProcessMap:
    """The directly-follows graph of the picked orders, its edges by how often they occur.

    An edge joins two consecutive visits of an order, a stage with itself too. ``starts`` counts first visits, ``ends``
    last ones, whether the order has ended or not; ``open`` counts the orders that haven't. Edges in a smaller share of
    the orders than ``min_share`` are hidden; all other numbers stay as they are. Quantiles are exact and interpolate
    linearly between the two nearest values (Hyndman and Fan's type 7, Excel's PERCENTILE.INC).

    Source: directly-follows graph, W. van der Aalst, "Process Mining: Data Science in Action" (2016), 5.2.
    """
    counted = read_rows(store, "ways", filter_)
    orders_of = {(row["before"], row["after"]): int(row["orders"]) for row in counted if row["what"] == "edge"}
    starts = {row["before"]: int(row["orders"]) for row in counted if row["what"] == "start"}
    orders = sum(starts.values())
    names = sorted(starts.keys() | {stage for edge in orders_of for stage in edge})
    numbered = {"names": names, "numbers": list(range(1, len(names) + 1))}
    edges = [
        _edge(row, orders_of.get((row["before_stage"], row["after_stage"]), 0), flow)
        for row in (read_rows(store, "edges", filter_, numbered) if orders_of else ())
        if row["before_stage"] and row["after_stage"]
    ]
    shown = tuple(edge for edge in edges if edge.orders >= min_share * orders)
    return ProcessMap(
        orders=orders,
        events=orders + sum(edge.count for edge in edges),
        open=sum(int(row["orders"]) for row in counted if row["what"] == "open"),
        edges=shown,
        starts=starts,
        ends={row["before"]: int(row["orders"]) for row in counted if row["what"] == "end"},
        hidden_edges=len(edges) - len(shown),
        hidden_count=sum(edge.count for edge in edges) - sum(edge.count for edge in shown),
    )


def _edge(row: Mapping[str, Any], orders: int, flow: Flow | None) -> Edge:
    before, after = row["before_stage"], row["after_stage"]
    median, p90, p95 = (seconds(each) for each in row["quantiles"])
    deviation, accepted = deviation_of_edge(flow, before, after) if flow else ("", False)
    return Edge(
        before=before,
        after=after,
        count=int(row["visits"]),
        orders=orders,
        median=median,
        p90=p90,
        p95=p95,
        mean=seconds(row["mean"]),
        deviation=deviation,
        accepted=accepted,
    )
