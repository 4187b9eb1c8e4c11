"""Rework: stages that orders entered again."""

from __future__ import annotations

from dataclasses import dataclass

from clew.report.filter import ReportFilter
from clew.report.query import read_rows
from clew.store.contract import Store


@dataclass(frozen=True, slots=True)
class StageRework:
    """``orders`` entered the stage, ``reworked`` of them more than once, ``share`` is the quotient.

    ``again`` counts the entries beyond the first of each order, ``direct`` those of them that came straight from the
    stage itself. ``most`` is the largest number of entries of one order.
    """

    stage: str
    orders: int
    reworked: int
    share: float
    again: int
    direct: int
    most: int


@dataclass(frozen=True, slots=True)
class Rework:
    """``reworked`` orders entered some stage again, in all ``again`` times; stages with the most of it first."""

    orders: int
    reworked: int
    share: float | None
    again: int
    stages: tuple[StageRework, ...]


def rework(store: Store, filter_: ReportFilter) -> Rework:
    """How often the picked orders entered a stage that they had been in before, whether the flow allows it or not."""
    rows = read_rows(store, "rework", filter_)
    whole = next((row for row in rows if row["stage"] == ""), None)
    orders, reworked = (int(whole["orders"]), int(whole["reworked"])) if whole else (0, 0)
    return Rework(
        orders=orders,
        reworked=reworked,
        share=reworked / orders if orders else None,
        again=int(whole["again"]) if whole else 0,
        stages=tuple(
            StageRework(
                stage=row["stage"],
                orders=int(row["orders"]),
                reworked=int(row["reworked"]),
                share=int(row["reworked"]) / int(row["orders"]),
                again=int(row["again"]),
                direct=int(row["direct"]),
                most=int(row["most"]),
            )
            for row in rows
            if row["stage"]
        ),
    )
