"""All that is stored of one order, as a page of it needs: the journey, its spans in lines, its traces and messages."""

from __future__ import annotations

from dataclasses import dataclass

from clew.model.journey import Journey
from clew.model.message import Message
from clew.store.contract import Store
from clew.store.hops import order_messages
from clew.store.lookups import both
from clew.store.order_spans import (
    OrderLines,
    OrderScope,
    TraceSummary,
    order_lines,
    order_scope,
    order_spans,
    summaries,
)
from clew.store.orders import read_order
from clew.store.spans import Span


@dataclass(frozen=True, slots=True)
class WholeOrder:
    """One order; ``spans`` by start, ``traces`` the earliest first, ``messages`` the oldest first."""

    journey: Journey
    scope: OrderScope
    spans: OrderLines
    traces: tuple[TraceSummary, ...]
    messages: tuple[Message, ...]

    @property
    def services(self) -> tuple[str, ...]:
        """Every service that told of it, by name."""
        milestones = (*self.journey.milestones, *self.journey.after_end)
        told = {milestone.service for milestone in milestones}
        return tuple(sorted(told.union(*(trace.services for trace in self.traces)) - {""}))

    @property
    def traces_gone(self) -> tuple[str, ...]:
        """Traces of its stage events whose spans aren't stored (no longer, or never)."""
        return tuple(sorted(set(self.journey.traces) - {trace.trace_id for trace in self.traces}))


def losses_by_message(journey: Journey) -> dict[tuple[str, str], str]:
    """Why messages of an order count as lost now, by trace and span id of their publish."""
    return {(loss.trace_id, loss.span_id): loss.reason.value for loss in journey.losses}


def read_whole_order(store: Store, order_id: str) -> WholeOrder | None:
    """An order by any of its ids; None when it is unknown."""
    journey, scope = both(lambda: read_order(store, order_id), lambda: order_scope(store, order_id))
    if journey is None:
        return None
    own = [trace for trace in scope.traces if trace not in scope.linked]
    spans, messages = both(lambda: order_lines(store, scope), lambda: order_messages(store, scope.ids, own))
    return WholeOrder(journey, scope, spans, summaries(spans.lines, scope), tuple(messages))


def failed_spans(store: Store, order: WholeOrder, most: int = 20) -> tuple[Span, ...]:
    """The latest failed spans of an order, by start."""
    if not any(trace.errors for trace in order.traces):
        return ()
    return order_spans(store, order.journey.order_id, most, scope=order.scope, failed_only=True).spans
