"""Dwell in each stage, with the orders that still wait in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from clew.model.flow import Flow
from clew.report.declared import in_flow_order
from clew.report.filter import ReportFilter
from clew.report.query import read_rows, seconds
from clew.store.contract import Store

ESTIMATOR = (
    "Kaplan-Meier: orders that still wait count as lasting at least as long as they have waited; "
    "a quantile is the shortest dwell within which at least that share of orders has left the stage"
)
THIN = 20
"""With fewer finished dwells than this a quantile says little: one order moves a p95 by its whole dwell."""

LEVELS = (0.5, 0.9, 0.95, 0.99)
# Sums of logarithms are right to some 1e-13; two levels of n orders lie 1 / n apart.
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class StageDwell:
    """How long orders dwell in a stage: ``n`` finished dwells and ``waiting`` that haven't.

    Quantiles are seconds, None where too many wait to tell. ``thin``: fewer than 20 finished, so that they say little.
    """

    stage: str
    n: int
    waiting: int
    median: float | None
    p90: float | None
    p95: float | None
    p99: float | None
    thin: bool


@dataclass(frozen=True, slots=True)
class Dwells:
    """The dwell of each stage that some order left or waits in, and how it was estimated."""

    orders: int
    estimator: str
    stages: tuple[StageDwell, ...]


def dwells(store: Store, filter_: ReportFilter, now_ns: int, flow: Flow | None = None) -> Dwells:
    """Dwell quantiles of each stage by Kaplan and Meier's estimator, so that waiting orders make nothing look quicker.

    A dwell lasts from one visit to the next; time on hold is part of it. The last visit of an order that hasn't ended
    is a dwell that isn't over (right-censored): a watched order has waited until now, or until the end of the range
    when that is earlier; an imported one until the last event that is known of any import into its flow, since nothing
    is known of it after that. The last visit of an ended order is no dwell. A quantile is the shortest observed dwell
    at which the estimated share that stays longer comes down to ``1 - level``; None when it never does.

    Source: E. Kaplan, P. Meier, "Nonparametric Estimation from Incomplete Observations", J. Amer. Statist. Assoc. 53
    (1958), 457-481. The same rules as functions over values are in clew.report.kaplan_meier.
    """
    until_ns = now_ns if filter_.to_ns is None else min(now_ns, filter_.to_ns)
    bind = {
        "now": until_ns,
        "import_ns": last_import_ns(store, filter_.flow),
        "levels": [1 - level for level in LEVELS],
        "rounding": _ROUNDING,
    }
    found = read_rows(store, "dwell", filter_, bind)
    rows = {row["stage"]: row for row in found if row["stage"]}
    return Dwells(
        orders=sum(int(row["orders"]) for row in found),
        estimator=ESTIMATOR,
        stages=tuple(_stage(rows[stage]) for stage in in_flow_order(flow, rows)),
    )


def last_import_ns(store: Store, flow: str) -> int:
    """When the last imported event of a flow happened; 0 without imports."""
    # Facts don't go away, so rows that were written anew since tell nothing wrong.
    rows = store.rows(
        "SELECT max(toUnixTimestamp64Nano(last_seen)) AS at FROM orders "
        "WHERE imported = 1 AND gone = 0 AND flow = {flow:String}",
        {"flow": flow},
    )
    return max(0, int(rows[0]["at"]))


def _stage(row: Mapping[str, Any]) -> StageDwell:
    median, p90, p95, p99 = (None if each is None else seconds(each) for each in row["quantiles"])
    n = int(row["finished"])
    return StageDwell(row["stage"], n, int(row["waiting"]), median, p90, p95, p99, n < THIN)
