"""The ticker: rebuilds the journeys of orders that something arrived for, about once a second.

    touches since the mark --> ids --aliases--> groups --facts, losses--> rebuild --> rows and tombstones --> mark

Every step may be repeated: the fold is a function of the facts, and a row's version grows only with knowledge. So a
crash at any point costs nothing but doing it again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from clew.journey.rebuilder import Rebuilder
from clew.store.contract import Store
from clew.store.facts import TOUCHES_AT_ONCE, Touch, read_touches
from clew.store.marks import read_mark, write_mark
from clew.store.orders import sweep_open_orders

_MARK = "ticker"
_MARK_EVERY_NS = 10 * 10**9
_RESTART_OVERLAP_NS = 60 * 10**9
_AT_ONCE = 2_000
_SWEEP_AFTER = 20_000
REST_NS = 30 * 10**9
"""How long a large order rests between two rebuildings; less than what a restart looks back, so that none is lost."""


@dataclass(slots=True)
class TickCounts:
    """What the ticker did since the start; ``left``: rows that became untrue since the last sweep.

    Everything that arrived before ``horizon_ns`` is in the journeys; of a large order, what did so `REST_NS` before it.
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
    rebuilder: Rebuilder
    settled_ns: Callable[[], int]
    counts: TickCounts = field(default_factory=TickCounts)
    whole_ns: Callable[[], int] = time.time_ns
    _mark_ns: int | None = None
    _written_ns: int = 0
    _seen: set[Touch] = field(default_factory=set)
    _put_off: dict[str, int] = field(default_factory=dict)
    _rests_until: dict[str, int] = field(default_factory=dict)

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
        """Rebuild the orders of these touches, but large ones only after a rest; returns how many."""
        first_ns = self._put_off
        for touch in touches:
            first_ns[touch.order_id] = min(touch.ts_ns, first_ns.get(touch.order_id, touch.ts_ns))
        now_ns = time.monotonic_ns()
        self._rests_until = {each: until for each, until in self._rests_until.items() if until > now_ns}
        self._put_off = {each: first_ns[each] for each in first_ns.keys() & self._rests_until.keys()}
        ids = sorted(first_ns.keys() - self._put_off.keys())
        rebuilt = 0
        for at in range(0, len(ids), _AT_ONCE):
            live, left = self.rebuilder.rebuild({each: first_ns[each] for each in ids[at : at + _AT_ONCE]})
            rebuilt += live
            self.counts.left += left
        rests_until = time.monotonic_ns() + REST_NS
        self._rests_until |= dict.fromkeys(self.rebuilder.large.intersection(ids), rests_until)
        return rebuilt
