"""All that is stored of one order, as a page of it needs: the journey, its spans in lines, its traces and messages."""

from __future__ import annotations

from dataclasses import dataclass

from clew.model.journey import Journey
from clew.model.message import Message
from clew.store.contract import Store
from clew.store.hops import order_messages
from clew.store.lookups import both
from clew.store.order_spans import OrderLines, OrderScope, TraceSummary, order_lines, order_scope, summaries
from clew.store.orders import read_order


@dataclass(frozen=True, slots=True)
class WholeOrder:
    """One order; ``spans`` by start, ``traces`` the earliest first, ``messages`` the oldest first."""

    journey: Journey
    scope: OrderScope
    spans: OrderLines
    traces: tuple[TraceSummary, ...]
    messages: tuple[Message, ...]


def read_whole_order(store: Store, order_id: str) -> WholeOrder | None:
    """An order by any of its ids; None when it is unknown."""
    journey, scope = both(lambda: read_order(store, order_id), lambda: order_scope(store, order_id))
    if journey is None:
        return None
    own = [trace for trace in scope.traces if trace not in scope.linked]
    spans, messages = both(lambda: order_lines(store, scope), lambda: order_messages(store, scope.ids, own))
    return WholeOrder(journey, scope, spans, summaries(spans.lines, scope), tuple(messages))
