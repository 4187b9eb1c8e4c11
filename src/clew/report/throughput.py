"""Throughput time: how long finished orders took from their first milestone to their end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from clew.report.dwell import THIN
from clew.report.filter import ReportFilter
from clew.report.query import read_rows, seconds
from clew.store.contract import Store


@dataclass(frozen=True, slots=True)
class Throughput:
    """How long ``n`` orders took, in seconds. An empty ``path`` is all paths, an empty ``ended`` both kinds of end."""

    path: str
    ended: str
    n: int
    median: float
    p90: float
    p95: float
    p99: float
    mean: float
    thin: bool


@dataclass(frozen=True, slots=True)
class Throughputs:
    """All finished orders first (none: no rows), then by kind of end, then by path and kind of end."""

    orders: int
    finished: int
    open: int
    groups: tuple[Throughput, ...]


def throughput(store: Store, filter_: ReportFilter) -> Throughputs:
    """The time from an order's first milestone to its end (its first terminal stage), of orders that have ended.

    Orders that haven't ended have no throughput time yet and are counted apart: over a range of recent starts this
    favours the quick ones, so prefer ``by`` = ended there. Time on hold counts. Quantiles are exact and interpolate
    linearly.

    """
    rows = read_rows(store, "throughput", filter_)
    orders = int(rows[0]["orders"]) if rows else 0
    groups = tuple(_group(row) for row in rows if row["n"] and (row["terminal"] or row["any_end"]))
    finished = groups[0].n if groups else 0
    return Throughputs(orders, finished, orders - finished, groups)


def _group(row: Mapping[str, Any]) -> Throughput:
    median, p90, p95, p99 = map(seconds, row["quantiles"])
    n = int(row["n"])
    return Throughput(row["path"], row["terminal"], n, median, p90, p95, p99, seconds(row["mean"]), n < THIN)
