"""Which open orders a rule may find: bounds that the orders table can compare with the clock alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from clew.model.flow import ANY_PATH, Flow
from clew.model.journey import VerdictKind
from clew.model.rule import (
    Deviates,
    InStage,
    Judged,
    NotReached,
    OnHold,
    OrderFilter,
    OrderShape,
    ProjectedLate,
    Rule,
    TooEarly,
)
from clew.model.watched import Candidates, Since

_ENDED = (VerdictKind.CLOSED, VerdictKind.CANCELLED)
_FAR_NS = 60 * 86_400 * 10**9
"""How far ahead a due date may lie to be projected as missed by few of the finished orders."""


def candidates_of(rule: Rule, flows: Sequence[Flow]) -> Candidates:
    """The orders that a rule of an order shape may find; every one that `finding_of` finds is among them.

    ``flows`` are those in force: shares of limits are theirs. Raises TypeError for a rule of another shape.
    """
    shape = rule.shape
    if not isinstance(shape, OrderShape):
        raise TypeError(f"{rule.name} is no rule about orders")
    asked = shape.orders
    return replace(_bound(shape, flows), flows=asked.flows, stages=asked.stages, paths=asked.paths)


def _bound(shape: OrderShape, flows: Sequence[Flow]) -> Candidates:
    match shape:
        case Judged(verdicts=verdicts, lost_reasons=reasons):
            ended = any(kind in _ENDED for kind in verdicts)
            # Reasons ask only of lost ones; where other verdicts are asked for too, judging tells them apart.
            only_lost = verdicts == (VerdictKind.LOST,)
            return Candidates(verdicts=verdicts, lost_reasons=reasons if only_lost else (), ended=ended)
        case InStage(longer_than_ns=longer_ns) if longer_ns is not None:
            return Candidates(dwell_ns=longer_ns)
        case InStage(used=used):
            return Candidates(dwell_of_ns=_shares(shape.orders, used or 0.0, flows))
        case NotReached(stage=stage, within_ns=within_ns, of=of):
            if of:
                return Candidates(not_reached=Since(stage, of, within_ns))
            return Candidates(never=stage, due_ns=-within_ns)
        case TooEarly(stage=stage, within_ns=within_ns, of=of):
            return Candidates(too_early=Since(stage, of, within_ns), ended=True)
        case OnHold(longer_than_ns=longer_ns, before_due_ns=before_ns):
            return Candidates(hold_ns=longer_ns or 0, due_ns=before_ns)
        case ProjectedLate(margin_ns=margin_ns, share=share):
            # The journey's own warning has come by then, unless fewer finished orders are to tell.
            return Candidates(warned=True) if share <= 0.5 else Candidates(due_ns=_FAR_NS - margin_ns)
        case Deviates(kinds=kinds, at=at):
            return Candidates(deviates=True, kinds=kinds, at=at, ended=True)


def _shares(orders: OrderFilter, used: float, flows: Sequence[Flow]) -> dict[tuple[str, str], int]:
    """The least dwell at which a share of the limit is used, by flow and stage; of several paths the shortest."""
    found: dict[tuple[str, str], int] = {}
    for flow in flows:
        for stage in flow.stages:
            limits = [
                limit.allowed_ns
                for path, limit in stage.limits.items()
                if not orders.paths or path in (ANY_PATH, *orders.paths)
            ]
            if limits and (not orders.stages or stage.name in orders.stages):
                found[flow.name, stage.name] = round(used * min(limits))
    # Where nothing has a limit, no order can have used a share of one; no flow is without a name.
    return found or {("", ""): 0}
