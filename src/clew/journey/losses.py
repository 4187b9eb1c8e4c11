"""The loss detector: which messages to look at, what to say of them, what to take back.

    due since the last run --not taken--\\
    told outright, due again ------------> both ends --judge--> statements --> their orders are rebuilt
    said to be lost, and now turned up --/

Each run looks only at messages whose transit limit was reached since the last run, and at those that something arrived
for: the cost follows the traffic, not the history.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator

from clew.journey.hops import Known, judge_message, retried_queues
from clew.model.flow import Flow
from clew.model.journey import Loss
from clew.model.message import Message
from clew.store.contract import Store
from clew.store.evidence import RETRIED, TAKEN, WORKED, Evidence
from clew.store.hops import (
    LossRow,
    MessageKey,
    Statement,
    TransitLimits,
    any_news,
    due_again,
    due_messages,
    first_arrival,
    orders_of_traces,
    read_loss_rows,
    read_messages,
    taken_messages,
    told_messages,
    turned_up,
    worked_queues,
    write_statements,
)
from clew.store.marks import read_mark, write_mark

EXPORT_GRACE_NS = 6 * 10**9
"""How long exporters hold back a span: five seconds by default, and the way here."""

_MARK = "losses"
_SECOND_NS = 10**9
_MARK_EVERY_NS = 10 * _SECOND_NS
_QUIET_MARK_EVERY_NS = 600 * _SECOND_NS
_FIRST_LOOK_NS = 24 * 3600 * _SECOND_NS
_STEP_NS = 1800 * _SECOND_NS
_NEWS_OF_NS = 3 * 86_400 * _SECOND_NS
_HOMELESS_NS = 3600 * _SECOND_NS
_AT_ONCE = 2_000


def transit_limits(flows: Iterable[Flow]) -> TransitLimits:
    """The limits that all flows declare together.

    Where several flows name a destination the longest limit counts, so that none sees a false loss.
    """
    named: dict[str, int] = {}
    for flow in flows:
        for destination, limit_ns in flow.transit_limits.items():
            named[destination] = max(limit_ns, named.get(destination, 0))
    default = named.pop("*", None)
    return TransitLimits(named, default)


class LossDetector:
    """Says which messages are lost, and takes it back when they turn up. One at a time; not for the main thread.

    ``settled_ns`` answers the moment before which everything received is also committed; ``grace_ns`` is how long a
    consumer's span may be under way.
    """

    def __init__(
        self,
        store: Store,
        flows: Callable[[], Iterable[Flow]],
        clock: Callable[[], int] = time.time_ns,
        *,
        settled_ns: Callable[[], int] | None = None,
        grace_ns: int = EXPORT_GRACE_NS,
    ) -> None:
        self._store = store
        self._flows = flows
        self._clock = clock
        self._settled = settled_ns or clock
        self._grace_ns = grace_ns
        mark_ns = read_mark(store, _MARK)
        self._told_ns = first_arrival(store, clock() - _FIRST_LOOK_NS, clock()) if mark_ns is None else mark_ns
        self._due_ns = self._told_ns
        self._written_ns = 0
        self._evidence = Evidence(store)
        self._homeless: dict[MessageKey, tuple[int, int]] = {}

    def run(self) -> int:
        """Look at what became due or arrived since the last run; returns how many statements changed."""
        now_ns = self._clock()
        settled_ns = max(self._told_ns, min(now_ns, self._settled()))
        # What is due was received a grace ago: up to here, all of that is committed.
        until_ns = min(now_ns, settled_ns + self._grace_ns)
        limits = transit_limits(self._flows())
        quiet = not self._homeless and not any_news(self._store, limits, self._grace_ns, self._due_ns, self._told_ns)
        changed = 0 if quiet else self._look(limits, settled_ns, until_ns, now_ns)
        self._due_ns, self._told_ns = max(self._due_ns, until_ns), settled_ns
        if now_ns - self._written_ns > (_QUIET_MARK_EVERY_NS if quiet else _MARK_EVERY_NS):
            write_mark(self._store, _MARK, settled_ns)
            self._written_ns = now_ns
        return changed

    def _look(self, limits: TransitLimits, settled_ns: int, until_ns: int, now_ns: int) -> int:
        changed = self._look_at_news(limits, settled_ns, now_ns)
        for after_ns, step_ns in _steps(self._due_ns, until_ns):
            changed += self._look_at_due(limits, after_ns, step_ns, now_ns)
        return changed

    def _look_at_news(self, limits: TransitLimits, settled_ns: int, now_ns: int) -> int:
        self._evidence.learn(WORKED, worked_queues(self._store, self._told_ns, settled_ns), now_ns)
        told = told_messages(self._store, self._told_ns, settled_ns)
        changed = self._say_all(told, self._told_ns - _NEWS_OF_NS, limits, now_ns)
        back = turned_up(self._store, self._told_ns, settled_ns)
        self._homeless = {key: known for key, known in self._homeless.items() if known[1] > now_ns}
        back |= {key: published_ns for key, (published_ns, _) in self._homeless.items()}
        return changed + self._say_all(back, min(back.values(), default=0), limits, now_ns)

    def _look_at_due(self, limits: TransitLimits, after_ns: int, until_ns: int, now_ns: int) -> int:
        due = due_messages(self._store, limits, self._grace_ns, after_ns, until_ns)
        oldest_ns = min((each.published_ns for each in due), default=0)
        taken = taken_messages(self._store, [each.key for each in due], oldest_ns)
        self._evidence.learn(TAKEN, {each.destination for each in due if each.key in taken}, now_ns)
        untaken = {each.key for each in due} - taken
        changed = self._say_all(untaken, oldest_ns, limits, now_ns)
        again = due_again(self._store, limits, self._grace_ns, after_ns, until_ns)
        return changed + self._say_all(again, after_ns - _NEWS_OF_NS, limits, now_ns)

    def _say_all(self, keys: Collection[MessageKey], since_ns: int, limits: TransitLimits, now_ns: int) -> int:
        return sum(self._say(part, since_ns, limits, now_ns) for part in _parts(keys))

    def _say(self, keys: tuple[MessageKey, ...], since_ns: int, limits: TransitLimits, now_ns: int) -> int:
        messages = read_messages(self._store, keys, since_ns)
        if not messages:
            return 0
        self._evidence.learn(RETRIED, {queue for each in messages for queue in retried_queues(each)}, now_ns)
        said = read_loss_rows(self._store, [(each.trace_id, each.span_id) for each in messages])
        judged = [(each, self._judge(each, limits, now_ns)) for each in messages]
        traces = orders_of_traces(self._store, [each.trace_id for each, _ in judged if not each.order_ids])
        statements = [
            statement
            for message, loss in judged
            if (statement := self._statement(message, loss, said, traces, now_ns)) is not None
        ]
        if statements:
            write_statements(self._store, statements)
        return len(statements)

    def _judge(self, message: Message, limits: TransitLimits, now_ns: int) -> Loss | None:
        known = Known(
            limits.of(message.destination),
            self._grace_ns,
            self._evidence.knows(TAKEN, message.destination, now_ns),
            self._evidence.known(WORKED, now_ns),
            self._evidence.known(RETRIED, now_ns),
        )
        return judge_message(message, now_ns, known)

    def _statement(
        self,
        message: Message,
        loss: Loss | None,
        said: dict[MessageKey, LossRow],
        traces: dict[str, list[str]],
        now_ns: int,
    ) -> Statement | None:
        key = (message.trace_id, message.span_id)
        last = said.get(key)
        order_ids = message.order_ids or tuple(sorted(traces.get(message.trace_id, ())))
        if loss is None:
            self._homeless.pop(key, None)
            if last is None or last.state == "found":
                return None
            return Statement(message, None, last.order_ids or order_ids, last.version + 1, last.said_lost_ns)
        if not order_ids and len(self._homeless) < _AT_ONCE:
            # Its order may become known later, by a span that ends after it.
            self._homeless.setdefault(key, (message.published_ns, now_ns + _HOMELESS_NS))
        elif order_ids:
            self._homeless.pop(key, None)
        since_ns = last.said_lost_ns if last else now_ns
        if last and last == LossRow(last.version, "lost", loss.reason, loss.detail, order_ids, since_ns):
            return None
        return Statement(message, loss, order_ids, last.version + 1 if last else 1, since_ns)


def _steps(after_ns: int, until_ns: int) -> Iterator[tuple[int, int]]:
    while after_ns < until_ns:
        step_ns = min(after_ns + _STEP_NS, until_ns)
        yield after_ns, step_ns
        after_ns = step_ns


def _parts(keys: Iterable[MessageKey]) -> Iterator[tuple[MessageKey, ...]]:
    ordered = sorted(keys)
    return (tuple(ordered[at : at + _AT_ONCE]) for at in range(0, len(ordered), _AT_ONCE))
