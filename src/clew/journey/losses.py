"""The loss detector: which messages to look at, what to say of them, what to take back.

Each run looks only at messages whose transit limit was reached since the last run, and at those that something arrived
for: the cost follows the traffic, not the history.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from clew.journey.hops import judge_message
from clew.model.flow import Flow
from clew.model.message import Message
from clew.store.contract import Store
from clew.store.hops import (
    LossRow,
    MessageKey,
    Statement,
    TransitLimits,
    consumed_destinations,
    due_messages,
    orders_of_traces,
    read_loss_rows,
    read_messages,
    told_messages,
    write_statements,
)
from clew.store.marks import read_mark, write_mark

_MARK = "losses"
_MARK_EVERY_NS = 10 * 10**9
_FIRST_LOOK_NS = 24 * 3600 * 10**9
_OVERLAP_NS = 10 * 10**9
_EXPORT_GRACE_NS = 6 * 10**9
_CONSUMERS_WINDOW_NS = 7 * 86_400 * 10**9
_CONSUMERS_EVERY_NS = 60 * 10**9
_AT_ONCE = 2_000


def transit_limits(flows: Iterable[Flow]) -> TransitLimits:
    """The limits that all flows declare together, with the grace in which exporters still send a consumer's span.

    Where several flows name a destination the longest limit counts, so that none sees a false loss.
    """
    named: dict[str, int] = {}
    for flow in flows:
        for destination, limit_ns in flow.transit_limits.items():
            named[destination] = max(limit_ns + _EXPORT_GRACE_NS, named.get(destination, 0))
    default = named.pop("*", None)
    return TransitLimits(named, default)


def consumed_before(destination: str, consumed: Iterable[str]) -> bool:
    """Whether some consumer's destination is this one; consumers add the queue behind a colon (semconv, RabbitMQ)."""
    return any(each == destination or each.startswith(f"{destination}:") for each in consumed)


class LossDetector:
    """Says which messages are lost, and takes it back when they turn up. One at a time; not for the main thread."""

    def __init__(
        self, store: Store, flows: Callable[[], Iterable[Flow]], clock: Callable[[], int] = time.time_ns
    ) -> None:
        self._store = store
        self._flows = flows
        self._clock = clock
        self._mark = read_mark(store, _MARK)
        self._written_ns = 0
        self._consumed: set[str] = set()
        self._consumed_at_ns = 0

    def run(self) -> int:
        """Look at what became due or arrived since the last run; returns how many statements changed."""
        now_ns = self._clock()
        after_ns = self._mark if self._mark is not None else now_ns - _FIRST_LOOK_NS
        limits = transit_limits(self._flows())
        keys = due_messages(self._store, limits, after_ns, now_ns) | told_messages(self._store, after_ns - _OVERLAP_NS)
        ordered = sorted(keys)
        changed = sum(self._say(ordered[at : at + _AT_ONCE], limits, now_ns) for at in range(0, len(ordered), _AT_ONCE))
        self._mark = now_ns
        if now_ns - self._written_ns > _MARK_EVERY_NS:
            write_mark(self._store, _MARK, now_ns)
            self._written_ns = now_ns
        return changed

    def _say(self, keys: list[MessageKey], limits: TransitLimits, now_ns: int) -> int:
        messages = read_messages(self._store, keys)
        if not messages:
            return 0
        said = read_loss_rows(self._store, keys)
        traces = orders_of_traces(self._store, [each.trace_id for each in messages if not each.order_ids])
        statements = [
            statement
            for message in messages
            if (statement := self._statement(message, said, traces, limits, now_ns)) is not None
        ]
        if statements:
            write_statements(self._store, statements)
        return len(statements)

    def _statement(
        self,
        message: Message,
        said: dict[MessageKey, LossRow],
        traces: dict[str, list[str]],
        limits: TransitLimits,
        now_ns: int,
    ) -> Statement | None:
        before = consumed_before(message.destination, self._consumers(now_ns))
        loss = judge_message(message, now_ns, limits.of(message.destination), before)
        last = said.get((message.trace_id, message.span_id))
        if loss is None and (last is None or last.state == "found"):
            return None
        if loss and last and (last.state, last.reason, last.detail) == ("lost", loss.reason, loss.detail):
            return None
        order_ids = message.order_ids or tuple(traces.get(message.trace_id, ()))
        return Statement(message, loss, order_ids, last.version + 1 if last else 1)

    def _consumers(self, now_ns: int) -> set[str]:
        if now_ns - self._consumed_at_ns > _CONSUMERS_EVERY_NS:
            self._consumed = consumed_destinations(self._store, now_ns - _CONSUMERS_WINDOW_NS)
            self._consumed_at_ns = now_ns
        return self._consumed
