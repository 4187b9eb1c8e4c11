"""Rebuilds orders: reads their facts, folds them, and writes what became of each.

    ids --aliases--> groups --facts, losses--> rebuild --> rows and tombstones

Two may rebuild the same order at a time, the ticker and an import: whoever writes holds the lock and writes no row that
knows less than the one that is there.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from clew.journey.identity import same_orders
from clew.journey.in_force import FlowInForce
from clew.journey.rebuild import rebuild
from clew.model.event import Source, StageEvent
from clew.model.flow import Flow
from clew.model.journey import Journey
from clew.store.codec import journey_to_json
from clew.store.contract import Store
from clew.store.facts import LossSaid, read_alias_edges, read_events, read_losses
from clew.store.orders import OrderRow, StoredOrder, bucket_of, read_stored_orders, write_orders

LARGE_FACTS = 5_000
"""An order with more facts costs so much that it isn't rebuilt at every tick."""

_MOST_FACTS = (1 << 20) - 1
_RECENT_NS = 7 * 86_400 * 10**9


@dataclass(slots=True)
class Rebuilder:
    """Rebuilds orders by the flows in force. Any thread but the main one.

    ``project`` adds what finished orders tell of an open one (see clew.learn.projection). ``large`` are all ids of
    orders that had more than `LARGE_FACTS` facts when they were last rebuilt here.
    """

    store: Store
    flows: Callable[[], Sequence[FlowInForce]]
    project: Callable[[Journey], Journey] = lambda journey: journey
    large: set[str] = field(default_factory=set)
    _writing: threading.Lock = field(default_factory=threading.Lock)

    def rebuild(self, first_ns: Mapping[str, int]) -> tuple[int, int]:
        """Rebuild these orders, none of which has news older than its moment here or its stored beginning.

        Returns how many there are, and how many stored rows became untrue. For few orders: others wait.
        """
        with self._writing:
            groups = self._groups(first_ns)
            stored = read_stored_orders(self.store, _everyone(groups))
            known_ns = dict(first_ns)
            for row in stored:
                known_ns[row.order_id] = min(row.first_ns, known_ns.get(row.order_id, row.first_ns))
            # An id that only an alias led to has no touch of its own; its facts may be of any age.
            since_ns = {
                speaker: min(known_ns[each] for each in group) if group <= known_ns.keys() else 0
                for speaker, group in groups.items()
            }
            return self._write(self._fold(groups, self._recent_and_old(groups, since_ns)), groups, stored)

    def rebuild_whole(self, ids: Sequence[str]) -> tuple[int, int]:
        """Rebuild these orders from all their facts; others may write until it does.

        Returns as `rebuild` does.
        """
        groups = self._groups(ids)
        live = self._fold(groups, read_events(self.store, _everyone(groups)))
        with self._writing:
            stored = read_stored_orders(self.store, _everyone(groups))
            known = {row.order_id: row.version // 2 for row in stored}
            # Somebody else wrote meanwhile; or telemetry is gone by now whose journey is still there.
            better = {each.journey.order_id for each in live if _knows_less(each, known.get(each.journey.order_id, 0))}
            groups = {speaker: group for speaker, group in groups.items() if speaker not in better}
            mine = set(_everyone(groups))
            return self._write(
                [row for row in live if row.journey.order_id not in better],
                groups,
                [row for row in stored if row.order_id in mine],
            )

    def _groups(self, ids: Iterable[str]) -> Mapping[str, frozenset[str]]:
        return same_orders(ids, read_alias_edges(self.store, ids))

    def _write(
        self, live: Sequence[OrderRow], groups: Mapping[str, frozenset[str]], stored: Sequence[StoredOrder]
    ) -> tuple[int, int]:
        left = _left(live, groups, stored)
        write_orders(self.store, live, left)
        return len(live), len(left)

    def _recent_and_old(
        self, groups: Mapping[str, frozenset[str]], since_ns: Mapping[str, int]
    ) -> dict[str, list[StageEvent]]:
        """Facts of all groups. Old orders are read by a statement of their own, else one would open every partition."""
        split_ns = time.time_ns() - _RECENT_NS
        recent = [speaker for speaker in groups if since_ns[speaker] >= split_ns]
        old = [speaker for speaker in groups if since_ns[speaker] < split_ns]
        events: dict[str, list[StageEvent]] = {}
        for speakers in (recent, old):
            if speakers:
                ids = _everyone({speaker: groups[speaker] for speaker in speakers})
                events |= read_events(self.store, ids, min(since_ns[speaker] for speaker in speakers))
        return events

    def _fold(self, groups: Mapping[str, frozenset[str]], events: Mapping[str, list[StageEvent]]) -> list[OrderRow]:
        said = read_losses(self.store, _everyone(groups))
        flows = self.flows()
        made = (
            _row(speaker, group, [e for each in group for e in events.get(each, ())], said, flows, self.project)
            for speaker, group in groups.items()
        )
        rows = [row for row in made if row is not None]
        for row in rows:
            ids = {row.journey.order_id, *row.other_ids}
            self.large = self.large | ids if row.journey.facts > LARGE_FACTS else self.large - ids
        return rows


def _everyone(groups: Mapping[str, frozenset[str]]) -> list[str]:
    return sorted({each for group in groups.values() for each in group})


def _row(
    speaker: str,
    group: frozenset[str],
    events: list[StageEvent],
    said: Mapping[str, list[LossSaid]],
    flows: Sequence[FlowInForce],
    project: Callable[[Journey], Journey],
) -> OrderRow | None:
    if not events:
        return None
    of_group = [each for order_id in sorted(group) for each in said.get(order_id, ())]
    flow = choose_flow(flows, events)
    journey = project(rebuild(speaker, events, flow, [each.loss for each in of_group if each.loss]))
    version = _version(max(each.epoch for each in flows), journey, of_group)
    return OrderRow(journey, journey_to_json(journey), version, _other_ids(journey, group))


def choose_flow(flows: Sequence[FlowInForce], events: Iterable[StageEvent]) -> Flow:
    """The flow that the events name, else the one that declares most of their stages, of equals the first.

    Imported history may name a flow that nobody has declared yet: then it is one without stages.
    """
    by_name = {each.flow.name: each.flow for each in flows}
    facts = sorted(events, key=lambda event: event.at_ns)
    for event in facts:
        if event.flow in by_name:
            return by_name[event.flow]
        if event.flow and event.source is Source.IMPORT:
            return Flow(event.flow, 0, ())
    stages = {event.stage for event in facts}
    return max((each.flow for each in flows), key=lambda flow: len(stages & {stage.name for stage in flow.stages}))


def _other_ids(journey: Journey, group: frozenset[str]) -> tuple[str, ...]:
    return tuple(sorted((group | set(journey.aliases.values())) - {journey.order_id}))


def _version(epoch: int, journey: Journey, said: Iterable[LossSaid]) -> int:
    """Grows with knowledge: of the flows, then the number of facts, then of statements about its messages.

    The epoch is that of all flows together, since a fact may move an order to a flow that was applied less often.
    """
    statements = sum(each.version for each in said)
    return epoch << 44 | min(journey.facts, _MOST_FACTS) << 24 | min(statements, (1 << 24) - 1)


def _knows_less(row: OrderRow, stored_version: int) -> bool:
    """Whether the stored row is of a later flow, or of more facts, than this one."""
    return row.version < stored_version or row.journey.facts < _facts_of(stored_version)


def _facts_of(version: int) -> int:
    return version >> 24 & _MOST_FACTS


def _left(
    live: Iterable[OrderRow], groups: Mapping[str, frozenset[str]], stored: Iterable[StoredOrder]
) -> list[StoredOrder]:
    """Rows that are no longer true: in a bucket that the order has left, or of an id that another now speaks for."""
    speaker_of = {each: speaker for speaker, group in groups.items() for each in group}
    bucket = {row.journey.order_id: bucket_of(row.journey) for row in live}
    return [row for row in stored if row.order_id != speaker_of[row.order_id] or row.bucket != bucket.get(row.order_id)]
