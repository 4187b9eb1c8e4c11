"""Conformance: how many orders went the way that their flow declares, and how the others left it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from clew.report.filter import ReportFilter
from clew.report.query import read_rows
from clew.store.contract import Store


@dataclass(frozen=True, slots=True)
class DeviationCount:
    """One kind of deviation at one stage: in how many orders, how many of these have ended, how often in all."""

    kind: str
    stage: str
    orders: int
    completed: int
    count: int


@dataclass(frozen=True, slots=True)
class Conformance:
    """Completed orders are conforming or deviating; ``rate`` is the conforming share, None where none is completed.

    ``incomplete`` orders haven't ended and may still go any way; those of them that deviate already are counted in
    ``incomplete_deviating``. What the flow accepts is in ``accepted`` and lowers no rate; ``with_accepted`` counts the
    orders that have such a deviation. ``undeclared`` orders follow a flow that nobody has declared: they can't deviate.
    """

    orders: int
    completed: int
    conforming: int
    deviating: int
    rate: float | None
    incomplete: int
    incomplete_deviating: int
    with_accepted: int
    undeclared: int
    deviations: tuple[DeviationCount, ...]
    accepted: tuple[DeviationCount, ...]


def conformance(store: Store, filter_: ReportFilter) -> Conformance:
    """How the picked orders keep to their flow, as judged when they were last looked at (clew.journey.deviations).

    A deviation is a ``skipped`` stage, one ``repeated`` although the flow leads nowhere back, a step
    ``out_of_sequence``, or an ``unknown_stage``. An order is completed when it reached a terminal stage: a log without
    any has no completed orders, and no rate. Deviations of incomplete orders are counted in ``deviations`` too.
    """
    row = read_rows(store, "conformance", filter_)[0]
    completed, conforming, incomplete = (int(row[name]) for name in ("completed", "conforming", "incomplete"))
    counted = read_rows(store, "deviations", filter_)
    return Conformance(
        orders=completed + incomplete,
        completed=completed,
        conforming=conforming,
        deviating=completed - conforming,
        rate=conforming / completed if completed else None,
        incomplete=incomplete,
        incomplete_deviating=int(row["incomplete_deviating"]),
        with_accepted=int(row["with_accepted"]),
        undeclared=int(row["undeclared"]),
        deviations=tuple(_count(each) for each in counted if not each["tolerated"]),
        accepted=tuple(_count(each) for each in counted if each["tolerated"]),
    )


def _count(row: Mapping[str, Any]) -> DeviationCount:
    kind, _, stage = row["deviation"].partition(":")
    return DeviationCount(kind, stage, int(row["orders"]), int(row["completed"]), int(row["times"]))
