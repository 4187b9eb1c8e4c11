"""The dotted chart: single orders with each of their visits, so that pauses and batches show."""

from __future__ import annotations

from dataclasses import dataclass

from clew.report.filter import ReportFilter
from clew.report.query import read_rows
from clew.store.contract import Store

MOST_DOTS = 2_000
"""How many visits are told at most, so that a picture of them stays one that a browser draws at once."""


@dataclass(frozen=True, slots=True)
class Visit:
    """An order entered a stage at a moment (Unix ns)."""

    stage: str
    at_ns: int


@dataclass(frozen=True, slots=True)
class DottedOrder:
    """One order with its visits in journey order; ``ended`` says how it ended, empty when it hasn't."""

    order_id: str
    path: str
    ended: str
    visits: tuple[Visit, ...]


@dataclass(frozen=True, slots=True)
class Dots:
    """Some of the picked orders, the one that began last first; ``orders`` counts all that were picked."""

    orders: int
    spread: bool
    rows: tuple[DottedOrder, ...]


def dots(store: Store, filter_: ReportFilter, most: int, *, spread: bool = False) -> Dots:
    """At most ``most`` of the picked orders with their visits: those that began last, or a spread of all of them.

    A spread is chosen by a hash of the order's id: the same each time, and all times of the range alike. At most
    `MOST_DOTS` visits are told; orders for which there is no more room are left out, the first one is cut instead.

    Source: dotted chart, M. Song, W. van der Aalst, "Supporting process mining by showing events at a glance" (2007).
    """
    everyone = sum(int(row["orders"]) for row in read_rows(store, "paths", filter_))
    bind = {"orders": most, "visits": MOST_DOTS, "spread": int(spread)}
    rows: list[DottedOrder] = []
    room = MOST_DOTS
    for row in read_rows(store, "dots", filter_, bind):
        room -= len(row["moments"])
        if room < 0:
            break
        visits = tuple(Visit(stage, int(at)) for stage, at in zip(row["visited"], row["moments"], strict=True))
        rows.append(DottedOrder(row["order_id"], row["path"], row["terminal"], visits))
    return Dots(everyone, spread, tuple(sorted(rows, key=lambda each: (-each.visits[0].at_ns, each.order_id))))
