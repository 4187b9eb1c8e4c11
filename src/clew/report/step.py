"""One step: which orders went from one stage straight to another, and how long each took."""

from __future__ import annotations

from dataclasses import dataclass

from clew.report.filter import ReportFilter
from clew.report.query import read_rows, seconds
from clew.store.contract import Store


@dataclass(frozen=True, slots=True)
class Taken:
    """One order took the step at a moment (Unix ns), ``dwell`` seconds after it had entered the stage before."""

    order_id: str
    path: str
    ended: str
    dwell: float
    at_ns: int


@dataclass(frozen=True, slots=True)
class StepOrders:
    """The slowest times that a step was taken; ``count`` is how often in all, in ``orders`` orders."""

    before: str
    after: str
    count: int
    orders: int
    taken: tuple[Taken, ...]


def step_orders(store: Store, filter_: ReportFilter, before: str, after: str, limit: int = 100) -> StepOrders:
    """The picked orders that went from one stage straight to another: an edge of the process map, order by order."""
    rows = read_rows(store, "step", filter_, {"before": before, "after": after, "limit": limit})
    return StepOrders(
        before=before,
        after=after,
        count=int(rows[0]["everything"]) if rows else 0,
        orders=int(rows[0]["orders"]) if rows else 0,
        taken=tuple(
            Taken(row["order_id"], row["path"], row["terminal"], seconds(row["dwell"]), int(row["at"])) for row in rows
        ),
    )
