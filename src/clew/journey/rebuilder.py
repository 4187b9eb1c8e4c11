"""Rebuilds orders: reads their facts, folds them, and writes what became of each.

    ids --aliases--> groups --facts, losses--> rebuild --> rows and tombstones

Two may rebuild the same order at a time, the ticker and an import: whoever writes holds the lock and writes no row that
knows less than the one that is there.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from operator import attrgetter

from clew.journey.identity import same_orders
from clew.journey.in_force import FlowInForce
from clew.journey.overlap import overlapped
from clew.journey.plan import plan_of
from clew.journey.rebuild import rebuild
from clew.model.event import Source, StageEvent
from clew.model.flow import Flow
from clew.model.journey import Journey
from clew.store.codec import journey_to_json
from clew.store.contract import Store
from clew.store.facts import LossSaid, read_alias_edges, read_events, read_losses
from clew.store.orders import EncodedOrder, OrderRow, StoredOrder, encode_order, read_stored_orders, write_encoded

LARGE_FACTS = 5_000
"""An order with more facts costs so much that it isn't rebuilt at every tick."""

_READ_AT_ONCE = 2_500
_WRITTEN_AT_ONCE = 5_000
"""As many as memory allows: an insert makes a part for every week in which one of its orders ended."""

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
            said = read_losses(self.store, _everyone(groups))
            told = _Told(groups, self._recent_and_old(groups, since_ns), said)
            return self._write(self._fold(told), groups, stored)

    def rebuild_whole(self, ids: Sequence[str]) -> tuple[int, int]:
        """Rebuild these orders from all their facts, many as they may be; others may write meanwhile.

        Returns as `rebuild` does.
        """
        written = list(overlapped(self._write_better, self._batches(ids)))
        return sum(live for live, _ in written), sum(left for _, left in written)

    def _batches(self, ids: Sequence[str]) -> Iterator[_Batch]:
        """What becomes of these orders, in batches of a good size to write."""
        batch = _Batch()
        slices = [ids[at : at + _READ_AT_ONCE] for at in range(0, len(ids), _READ_AT_ONCE)]
        for told in overlapped(self._told_of, slices):
            batch.groups.update(told.groups)
            batch.rows.extend(self._fold(told))
            if len(batch.groups) >= _WRITTEN_AT_ONCE:
                yield batch
                batch = _Batch()
        if batch.groups:
            yield batch

    def _told_of(self, ids: Sequence[str]) -> _Told:
        groups = self._groups(ids)
        everyone = _everyone(groups)
        return _Told(groups, read_events(self.store, everyone), read_losses(self.store, everyone))

    def _write_better(self, batch: _Batch) -> tuple[int, int]:
        with self._writing:
            stored = read_stored_orders(self.store, _everyone(batch.groups))
            known = {row.order_id: row.version // 2 for row in stored}
            # Somebody else wrote meanwhile; or telemetry is gone by now whose journey is still there.
            better = {each.order_id for each in batch.rows if _knows_less(each, known.get(each.order_id, 0))}
            groups = {speaker: group for speaker, group in batch.groups.items() if speaker not in better}
            mine = set(_everyone(groups))
            return self._write(
                [row for row in batch.rows if row.order_id not in better],
                groups,
                [row for row in stored if row.order_id in mine],
            )

    def _groups(self, ids: Iterable[str]) -> Mapping[str, frozenset[str]]:
        return same_orders(ids, read_alias_edges(self.store, ids))

    def _write(
        self, live: Sequence[EncodedOrder], groups: Mapping[str, frozenset[str]], stored: Sequence[StoredOrder]
    ) -> tuple[int, int]:
        speaker_of = {each: speaker for speaker, group in groups.items() for each in group}
        left = _left(live, speaker_of, stored)
        write_encoded(self.store, _told_once(live, speaker_of, stored), left)
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

    def _fold(self, told: _Told) -> list[EncodedOrder]:
        flows = self.flows()
        epoch = max(each.epoch for each in flows)
        rows: list[EncodedOrder] = []
        large, small = set[str](), set[str]()
        for speaker, group in told.groups.items():
            events = [event for each in group for event in told.events.get(each, ())]
            if not events:
                continue
            said = [each for order_id in sorted(group) for each in told.said.get(order_id, ())] if told.said else []
            losses = [each.loss for each in said if each.loss]
            journey = self.project(rebuild(speaker, events, choose_flow(flows, events), losses))
            others = _other_ids(journey, group)
            version = _version(epoch, journey, said)
            rows.append(
                encode_order(OrderRow(journey, journey_to_json(journey), version, others, _told_ns(journey, events)))
            )
            if journey.facts > LARGE_FACTS:
                large.update((speaker, *others))
            elif self.large:
                small.update((speaker, *others))
        self.large = self.large - small | large
        return rows


@dataclass(frozen=True, slots=True)
class _Told:
    """What is known of groups of ids that are one order each: facts and statements about messages, by id."""

    groups: Mapping[str, frozenset[str]]
    events: Mapping[str, Sequence[StageEvent]]
    said: Mapping[str, Sequence[LossSaid]]


@dataclass(frozen=True, slots=True)
class _Batch:
    """Orders that are written together, and the groups that were looked at."""

    groups: dict[str, frozenset[str]] = field(default_factory=dict)
    rows: list[EncodedOrder] = field(default_factory=list)


def _everyone(groups: Mapping[str, frozenset[str]]) -> list[str]:
    return sorted({each for group in groups.values() for each in group})


def choose_flow(flows: Sequence[FlowInForce], events: Iterable[StageEvent]) -> Flow:
    """The flow that the events name, else the one that declares most of their stages, of equals the first.

    Imported history may name a flow that nobody has declared yet: then it is one without stages.
    """
    by_name = {each.flow.name: each.flow for each in flows}
    events = list(events)
    for event in sorted([event for event in events if event.flow], key=attrgetter("at_ns")):
        if event.flow in by_name:
            return by_name[event.flow]
        if event.source is Source.IMPORT:
            return _undeclared(event.flow)
    if len(flows) == 1:
        return flows[0].flow
    stages = {event.stage for event in events}
    return max((each.flow for each in flows), key=lambda flow: len(stages & plan_of(flow).position.keys()))


@lru_cache(64)
def _undeclared(name: str) -> Flow:
    return Flow(name, 0, ())


def _other_ids(journey: Journey, group: frozenset[str]) -> tuple[str, ...]:
    if len(group) == 1 and not journey.aliases:
        return ()
    return tuple(sorted((group | set(journey.aliases.values())) - {journey.order_id}))


def _version(epoch: int, journey: Journey, said: Iterable[LossSaid]) -> int:
    """Grows with knowledge: of the flows, then the number of facts, then of statements about its messages.

    The epoch is that of all flows together, since a fact may move an order to a flow that was applied less often.
    """
    statements = sum(each.version for each in said)
    return epoch << 44 | min(journey.facts, _MOST_FACTS) << 24 | min(statements, (1 << 24) - 1)


def _knows_less(row: EncodedOrder, stored_version: int) -> bool:
    """Whether the stored row is of a later flow, or of more facts, than this one."""
    return row.version < stored_version or _facts_of(row.version) < _facts_of(stored_version)


def _facts_of(version: int) -> int:
    return version >> 24 & _MOST_FACTS


def _told_ns(journey: Journey, events: Iterable[StageEvent]) -> int:
    """When the end of an order arrived, else 0: also when an import alone tells of it, which is no news."""
    if journey.terminal is None:
        return 0
    ends = (each for each in events if each.at_ns == journey.entered_ns and each.stage == journey.stage)
    return min((each.received_ns for each in ends if each.source is not Source.IMPORT), default=0)


def _told_once(
    live: Sequence[EncodedOrder], speaker_of: Mapping[str, str], stored: Iterable[StoredOrder]
) -> Sequence[EncodedOrder]:
    """The rows, but an end that was known before was told then: what else arrives, or is told again, is no news."""
    known: dict[tuple[str, str], int] = {}
    for row in stored:
        if row.ended_in and not row.imported:
            end = (speaker_of[row.order_id], row.ended_in)
            known[end] = min(row.told_ns, known.get(end, row.told_ns))
    if not known:
        return live
    before = [known.get((row.order_id, row.ended_in)) for row in live]
    return [row if at_ns is None else row.told_at(at_ns) for row, at_ns in zip(live, before, strict=True)]


def _left(
    live: Iterable[EncodedOrder], speaker_of: Mapping[str, str], stored: Iterable[StoredOrder]
) -> list[StoredOrder]:
    """Rows that are no longer true: in a bucket that the order has left, or of an id that another now speaks for."""
    bucket = {row.order_id: row.bucket for row in live}
    return [row for row in stored if row.order_id != speaker_of[row.order_id] or row.bucket != bucket.get(row.order_id)]
