"""Variants: the distinct sequences of stages, how many orders take each, and which one an order took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clew.report.filter import ReportFilter
from clew.report.query import FINAL, read_rows, seconds
from clew.store.contract import Store


@dataclass(frozen=True, slots=True)
class Variant:
    """One sequence of visits: its orders, their share of all, and the median of first to last visit in seconds.

    ``closed`` and ``open`` count orders of it that ended well, and that haven't ended.
    """

    stages: tuple[str, ...]
    orders: int
    share: float
    median_throughput: float
    closed: int
    open: int


@dataclass(frozen=True, slots=True)
class Variants:
    """The most frequent variants; ``variants_total`` counts all. ``happy_path`` is None when no order ended well."""

    orders: int
    variants_total: int
    happy_path: tuple[str, ...] | None
    variants: tuple[Variant, ...]


@dataclass(frozen=True, slots=True)
class VariantOfOrder:
    """The variant of one order: its place among all (1 is the most frequent; 0 when no picked order takes it).

    Times are seconds; ``throughput`` is the order's own time from its first to its last visit.
    """

    order_id: str
    flow: str
    path: str
    stages: tuple[str, ...]
    at_ns: tuple[int, ...]
    ended: bool
    throughput: float
    orders: int
    share: float | None
    rank: int
    variants_total: int
    median_throughput: float | None
    happy_path: tuple[str, ...] | None


def variants(store: Store, filter_: ReportFilter, limit: int = 10_000) -> Variants:
    """The distinct sequences of stages of the picked orders, the most frequent first (then by their stages).

    Every visit counts, those after the end too. ``median_throughput`` is from the first to the last visit: of an order
    that hasn't ended, so far. The happy path is the most frequent sequence among orders that closed, of equally
    frequent ones the shortest.

    Source: trace variants, W. van der Aalst, "Process Mining: Data Science in Action" (2016), 5.2.
    """
    rows = read_rows(store, "variants", filter_, {"limit": limit})
    total = int(rows[0]["all_orders"]) if rows else 0
    return Variants(
        orders=total,
        variants_total=int(rows[0]["all_variants"]) if rows else 0,
        happy_path=_happy_path_of(rows) or happy_path(store, filter_),
        variants=tuple(_variant(row, total) for row in rows),
    )


def _variant(row: Mapping[str, Any], total: int) -> Variant:
    return Variant(
        stages=tuple(row["stages"]),
        orders=int(row["orders"]),
        share=int(row["orders"]) / total,
        median_throughput=seconds(row["median"]),
        closed=int(row["closed"]),
        open=int(row["waiting"]),
    )


def _happy_path_of(rows: Sequence[Mapping[str, Any]]) -> tuple[str, ...] | None:
    """The happy path, when it is certain that it is among these first variants."""
    best = min(rows, key=lambda row: (-row["closed"], len(row["stages"]), row["stages"]), default=None)
    # A variant that was cut off has at most as many orders as the last one here.
    whole = best is not None and (rows[0]["all_variants"] == len(rows) or best["closed"] > rows[-1]["orders"])
    return tuple(best["stages"]) if best is not None and whole and best["closed"] else None


def happy_path(store: Store, filter_: ReportFilter) -> tuple[str, ...] | None:
    """The most frequent sequence of stages among orders that closed; None when none did."""
    rows = read_rows(store, "happy_path", filter_)
    return tuple(rows[0]["stages"]) if rows else None


_ORDER = (
    "SELECT order_id, flow, path, stages, terminal, arrayMap(x -> toUnixTimestamp64Nano(x), entered_at) AS times "
    "FROM orders FINAL"
)


def visits_of_order(store: Store, order_id: str) -> dict[str, Any] | None:
    """The row of one order, by its id or by any id it also goes by; None when there is no such order."""
    rows = store.rows(f"{_ORDER} WHERE order_id = {{id:String}} LIMIT 1 {FINAL}", {"id": order_id}) or store.rows(
        f"{_ORDER} WHERE has(alias_values, {{id:String}}) LIMIT 1 {FINAL}", {"id": order_id}
    )
    return rows[0] if rows else None


def variant_of_order(store: Store, order: Mapping[str, Any], filter_: ReportFilter) -> VariantOfOrder:
    """The variant of an order (of `visits_of_order`) among those of the picked orders."""
    row = read_rows(store, "variant", filter_, {"stages": list(order["stages"])})[0]
    own, total, times = int(row["own_orders"]), int(row["all_orders"]), order["times"]
    return VariantOfOrder(
        order_id=order["order_id"],
        flow=order["flow"],
        path=order["path"],
        stages=tuple(order["stages"]),
        at_ns=tuple(times),
        ended=order["terminal"] != "",
        throughput=seconds(max(0, times[-1] - times[0])) if times else 0.0,
        orders=own,
        share=own / total if total else None,
        rank=int(row["commoner"]) + 1 if own else 0,
        variants_total=int(row["all_variants"]),
        median_throughput=seconds(row["own_median"]) if own else None,
        happy_path=happy_path(store, filter_),
    )
