"""The ticker: rebuilds the journeys of orders that something arrived for, about once a second.

    touches since the mark --> ids --aliases--> groups --facts, losses--> rebuild --> rows and tombstones --> mark

Every step may be repeated: the fold is a function of the facts, and a row's version grows only with knowledge. So a
crash at any point costs nothing but doing it again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from clew.journey.identity import same_orders
from clew.journey.in_force import FlowInForce
from clew.journey.rebuild import rebuild
from clew.model.event import StageEvent
from clew.model.journey import Journey
from clew.store.codec import journey_to_json
from clew.store.contract import Store
from clew.store.facts import TOUCHES_AT_ONCE, LossSaid, Touch, read_alias_edges, read_events, read_losses, read_touches
from clew.store.marks import read_mark, write_mark
from clew.store.orders import OrderRow, StoredOrder, bucket_of, read_stored_orders, sweep_open_orders, write_orders

_MARK = "ticker"
_MARK_EVERY_NS = 10 * 10**9
_RESTART_OVERLAP_NS = 60 * 10**9
_AT_ONCE = 2_000
_SWEEP_AFTER = 20_000
_RECENT_NS = 7 * 86_400 * 10**9


@dataclass(slots=True)
class TickCounts:
    """What the ticker did since the start; ``left``: rows that became untrue since the last sweep.

    Everything that arrived before ``horizon_ns`` is in the journeys.
    """

    ticks: int = 0
    left: int = 0
    orders: int = 0
    busy_ns: int = 0
    horizon_ns: int = 0


@dataclass(slots=True)
class Ticker:
    """Keeps ``orders`` up to date. One at a time; not for the main thread.

    ``settled_ns`` answers the moment before which everything received is also committed, ``whole_ns`` the moment up to
    which nothing is half written (default: nothing ever is).
    """

    store: Store
    flows: Callable[[], Sequence[FlowInForce]]
    settled_ns: Callable[[], int]
    counts: TickCounts = field(default_factory=TickCounts)
    whole_ns: Callable[[], int] = time.time_ns
    _mark_ns: int | None = None
    _written_ns: int = 0
    _seen: set[Touch] = field(default_factory=set)

    def tick(self) -> int:
        """Rebuild what was touched since the last tick; returns how many orders."""
        began_ns = time.monotonic_ns()
        horizon_ns, whole_ns = self.settled_ns(), self.whole_ns()
        if self._mark_ns is None:
            # A clock that was set back since must not hide what arrives by it.
            known_ns = min(read_mark(self.store, _MARK) or 0, horizon_ns)
            self._mark_ns = max(0, known_ns - _RESTART_OVERLAP_NS)
        touches = read_touches(self.store, self._mark_ns)
        if len(touches) >= TOUCHES_AT_ONCE:
            horizon_ns = min(horizon_ns, touches[-1].received_ns)
        fresh = [touch for touch in touches if touch not in self._seen]
        rebuilt = self.rebuild_touched(fresh)
        # Of a batch that is being written the touch may be there and the alias not yet: it is looked at again.
        parts_until_ns = time.time_ns()
        self._seen = {
            touch
            for touch in touches
            if touch.received_ns >= horizon_ns
            and (touch in self._seen or not whole_ns < touch.received_ns <= parts_until_ns)
        }
        self._mark_ns = max(self._mark_ns, horizon_ns)
        self._remember(began_ns, rebuilt)
        self.counts.ticks += 1
        self.counts.orders += rebuilt
        self.counts.busy_ns += time.monotonic_ns() - began_ns
        self.counts.horizon_ns = horizon_ns
        return rebuilt

    def _remember(self, now_ns: int, rebuilt: int) -> None:
        if rebuilt and now_ns - self._written_ns > _MARK_EVERY_NS and self._mark_ns is not None:
            write_mark(self.store, _MARK, self._mark_ns)
            self._written_ns = now_ns

    def sweep(self) -> None:
        """Clear the open partition of what has left it, when enough has."""
        if self.counts.left >= _SWEEP_AFTER:
            sweep_open_orders(self.store)
            self.counts.left = 0

    def rebuild_touched(self, touches: Iterable[Touch]) -> int:
        """Rebuild the orders of these touches; returns how many."""
        first_ns: dict[str, int] = {}
        for touch in touches:
            first_ns[touch.order_id] = min(touch.ts_ns, first_ns.get(touch.order_id, touch.ts_ns))
        ids = sorted(first_ns)
        return sum(
            self._rebuild({each: first_ns[each] for each in ids[at : at + _AT_ONCE]})
            for at in range(0, len(ids), _AT_ONCE)
        )

    def _rebuild(self, first_ns: Mapping[str, int]) -> int:
        groups = same_orders(first_ns, read_alias_edges(self.store, first_ns))
        everyone = sorted({each for group in groups.values() for each in group})
        stored = read_stored_orders(self.store, everyone)
        known_ns = dict(first_ns)
        for row in stored:
            known_ns[row.order_id] = min(row.first_ns, known_ns.get(row.order_id, row.first_ns))
        # An id that only an alias led to has no touch of its own; its facts may be of any age.
        since_ns = {
            speaker: min(known_ns[each] for each in group) if group <= known_ns.keys() else 0
            for speaker, group in groups.items()
        }
        events = self._events(groups, since_ns)
        said = read_losses(self.store, everyone)
        made = [
            self._row(speaker, group, [e for each in group for e in events.get(each, ())], said)
            for speaker, group in groups.items()
        ]
        live = [row for row in made if row is not None]
        left = _left(live, groups, stored)
        write_orders(self.store, live, left)
        self.counts.left += len(left)
        return len(live)

    def _events(self, groups: Mapping[str, frozenset[str]], since_ns: Mapping[str, int]) -> dict[str, list[StageEvent]]:
        """Facts of all groups. Old orders are read by a statement of their own, else one would open every partition."""
        split_ns = time.time_ns() - _RECENT_NS
        recent = [speaker for speaker in groups if since_ns[speaker] >= split_ns]
        old = [speaker for speaker in groups if since_ns[speaker] < split_ns]
        events: dict[str, list[StageEvent]] = {}
        for speakers in (recent, old):
            ids = sorted({each for speaker in speakers for each in groups[speaker]})
            if ids:
                events |= read_events(self.store, ids, min(since_ns[speaker] for speaker in speakers))
        return events

    def _row(
        self, speaker: str, group: frozenset[str], events: list[StageEvent], said: Mapping[str, list[LossSaid]]
    ) -> OrderRow | None:
        if not events:
            return None
        flows = self.flows()
        in_force = choose_flow(flows, events)
        of_group = [each for order_id in sorted(group) for each in said.get(order_id, ())]
        journey = rebuild(speaker, events, in_force.flow, [each.loss for each in of_group if each.loss])
        version = _version(max(each.epoch for each in flows), journey, of_group)
        return OrderRow(journey, journey_to_json(journey), version, _other_ids(journey, group))


def choose_flow(flows: Sequence[FlowInForce], events: Iterable[StageEvent]) -> FlowInForce:
    """The flow that the events name, else the one that declares most of their stages, of equals the first."""
    by_name = {each.flow.name: each for each in flows}
    facts = sorted(events, key=lambda event: event.at_ns)
    for event in facts:
        if event.flow in by_name:
            return by_name[event.flow]
    stages = {event.stage for event in facts}
    return max(flows, key=lambda each: len(stages & {stage.name for stage in each.flow.stages}))


def _other_ids(journey: Journey, group: frozenset[str]) -> tuple[str, ...]:
    return tuple(sorted((group | set(journey.aliases.values())) - {journey.order_id}))


def _version(epoch: int, journey: Journey, said: Iterable[LossSaid]) -> int:
    """Grows with knowledge: of the flows, then the number of facts, then of statements about its messages.

    The epoch is that of all flows together, since a fact may move an order to a flow that was applied less often.
    """
    statements = sum(each.version for each in said)
    return epoch << 44 | min(journey.facts, (1 << 20) - 1) << 24 | min(statements, (1 << 24) - 1)


def _left(
    live: Iterable[OrderRow], groups: Mapping[str, frozenset[str]], stored: Iterable[StoredOrder]
) -> list[StoredOrder]:
    """Rows that are no longer true: in a bucket that the order has left, or of an id that another now speaks for."""
    speaker_of = {each: speaker for speaker, group in groups.items() for each in group}
    bucket = {row.journey.order_id: bucket_of(row.journey) for row in live}
    return [row for row in stored if row.order_id != speaker_of[row.order_id] or row.bucket != bucket.get(row.order_id)]
