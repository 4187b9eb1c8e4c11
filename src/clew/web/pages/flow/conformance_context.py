"""Conformance: what went as declared, what didn't, what isn't decided yet, and what the flow accepts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clew.api.flows import AcceptanceModel
from clew.api.report_models import ConformanceModel, DeviationCountModel
from clew.api.times import parse_moment
from clew.web import words
from clew.web.pages.flow.filters_context import Filters
from clew.web.pages.flow.links import Href, deviation_href
from clew.web.pages.flow.table_context import Table, table_of

MEANINGS = {
    "skipped": "passed by: the order went on without it",
    "repeated": "entered again, where the flow leads nowhere back",
    "out_of_sequence": "entered from a stage from which no declared way leads there",
    "unknown_stage": "a stage that the flow doesn't know",
}


@dataclass(frozen=True, slots=True)
class DeviationRow:
    """One deviation: its ``kind`` in words, the ``stage``, and what that ``meaning`` is. It is in ``orders`` orders,
    of which ``completed`` have ended, ``count`` times in all; ``share`` is that of all orders. ``href`` lists the
    orders that left the flow so."""

    kind: str
    stage: str
    meaning: str
    orders: int
    completed: int
    count: int
    share: float
    href: str


@dataclass(frozen=True, slots=True)
class AcceptedRow:
    """A deviation that the flow accepts: its ``kind`` in words and what it is ``about``, the ``author`` of the
    acceptance, the ``reason`` and when it ends (``expires_ns``, None: never); ``expired`` says that it has.
    ``orders`` have it (None: not counted here)."""

    kind: str
    about: str
    author: str
    reason: str
    expires_ns: int | None
    expired: bool
    orders: int | None


@dataclass(frozen=True, slots=True)
class ConformanceSide:
    """Of ``orders`` orders ``completed`` have ended: ``conforming`` as declared, ``deviating`` not; ``rate`` is the
    share of the first (None: none has ended). ``incomplete`` haven't ended, ``incomplete_deviating`` of these deviate
    already. ``with_accepted`` have deviations that the flow accepts, ``undeclared`` weren't judged by any declared
    flow. ``rows`` are the deviations, the most frequent first. ``told`` says which orders these are."""

    told: str
    orders: int
    completed: int
    conforming: int
    deviating: int
    rate: float | None
    incomplete: int
    incomplete_deviating: int
    with_accepted: int
    undeclared: int
    rows: tuple[DeviationRow, ...]


@dataclass(frozen=True, slots=True)
class ConformancePage:
    """Conformance: its ``filters``, one or two ``sides``, their ``table``, and what the flow accepts (``accepted``)."""

    filters: Filters
    sides: tuple[ConformanceSide, ...]
    table: Table
    accepted: tuple[AcceptedRow, ...]


def conformance_page(
    filters: Filters, found: ConformanceModel, acceptances: Sequence[AcceptanceModel], now_ns: int
) -> ConformancePage:
    """The page of the conformance. ``acceptances`` are all that the flow declares, expired ones too."""
    both = [(filters.told, found), *([(filters.against_told, found.against)] if found.against else [])]
    report = found.model_dump(mode="json", by_alias=True)
    return ConformancePage(
        filters=filters,
        sides=tuple(_side(told, each) for told, each in both),
        table=table_of("conformance", report, "Deviations, and those that the flow accepts", {"stage": _orders(found)}),
        accepted=tuple(accepted_row(each, found.accepted, now_ns) for each in acceptances),
    )


def _side(told: str, found: ConformanceModel) -> ConformanceSide:
    return ConformanceSide(
        told=told,
        orders=found.orders,
        completed=found.completed,
        conforming=found.conforming,
        deviating=found.deviating,
        rate=found.rate,
        incomplete=found.incomplete,
        incomplete_deviating=found.incomplete_deviating,
        with_accepted=found.with_accepted,
        undeclared=found.undeclared,
        rows=tuple(_row(each, found) for each in found.deviations),
    )


def _orders(found: ConformanceModel) -> Href:
    """How a row of the table leads to its orders; of those with what is accepted there is no list."""

    def href(row: Mapping[str, Any]) -> str:
        return "" if row["accepted"] else deviation_href(found.asked.flow, found.asked.path, row["kind"], row["stage"])

    return href


def _row(each: DeviationCountModel, found: ConformanceModel) -> DeviationRow:
    return DeviationRow(
        kind=words.verdict(each.kind),
        stage=each.stage,
        meaning=MEANINGS.get(each.kind, ""),
        orders=each.orders,
        completed=each.completed,
        count=each.count,
        share=each.orders / found.orders if found.orders else 0.0,
        href=deviation_href(found.asked.flow, found.asked.path, each.kind, each.stage),
    )


def accepted_row(said: AcceptanceModel, counted: Sequence[DeviationCountModel], now_ns: int) -> AcceptedRow:
    """What the flow accepts, with how many of the counted orders have it."""
    kind, _, about = said.deviation.partition(":")
    expires_ns = parse_moment(said.expires_at, 0) if said.expires_at else None
    # A step out of sequence is accepted as FROM>TO and counted at the stage that it came to.
    stage = about.partition(">")[2] if kind == "out_of_sequence" else about
    orders = [each.orders for each in counted if (each.kind, each.stage) == (kind, stage)]
    return AcceptedRow(
        kind=words.verdict(kind),
        about=about.replace(">", " → "),
        author=said.author,
        reason=said.reason,
        expires_ns=expires_ns,
        expired=expires_ns is not None and expires_ns <= now_ns,
        orders=sum(orders) if orders else None,
    )
