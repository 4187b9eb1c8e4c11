"""Since when Clew is awake, and whether what senders held back while it was down has come.

A durable mark says when Clew was last awake; the next start compares it with the clock. Senders deliver what they held
back at different times: until all have, orders seem to have skipped stages, or to be stuck, that are not. The mark
stands still meanwhile, so that one more start in the midst of it knows of the whole time.
"""

from __future__ import annotations

from dataclasses import dataclass

from clew.store.contract import Store
from clew.store.facts import last_touched
from clew.store.marks import read_mark, write_mark

_SECOND_NS = 10**9
_MARK = "awake"
_MARK_EVERY_NS = 15 * _SECOND_NS
_DOWN_NS = 30 * _SECOND_NS
"""Clew was down when it was not awake for longer: a mark is hardly older while it runs."""
_RETRIES_NS = 120 * _SECOND_NS
"""Who tries again after ever longer pauses is back within the time that Clew was down, and hardly pauses for longer."""
_QUIET_NS = 30 * _SECOND_NS
_MOST_NS = 600 * _SECOND_NS

Span = tuple[int, int]
"""From and until, Unix ns."""


@dataclass(slots=True)
class Awake:
    """Remembers that Clew is awake. One at a time; not for the main thread.

    ``down`` is when it was down before this start; None: it wasn't, or nothing is known of before. ``catches_up``: what
    was held back then hasn't come yet, so that what is missing tells nothing.
    """

    store: Store
    down: Span | None = None
    catches_up: bool = False
    _settled_ns: int = 0
    _marked_ns: int | None = None

    def stay(self, now_ns: int, told_ns: int) -> None:
        """Clew is awake now, and journeys tell all that was received until ``told_ns``. Raises StoreError."""
        if self._marked_ns is None:
            self._begin(now_ns)
        if self.catches_up and told_ns >= self._settled_ns:
            self._settle(told_ns)
        if not self.catches_up and not 0 <= now_ns - (self._marked_ns or 0) < _MARK_EVERY_NS:
            write_mark(self.store, _MARK, now_ns)
            self._marked_ns = now_ns

    def _begin(self, now_ns: int) -> None:
        self._marked_ns = read_mark(self.store, _MARK) or 0
        if self._marked_ns and now_ns - self._marked_ns > _DOWN_NS:
            self.down = (self._marked_ns, now_ns)
            self._settled_ns = settled_ns(self.down, 0)
            self.catches_up = True

    def _settle(self, told_ns: int) -> None:
        if self.down is not None:
            self._settled_ns = settled_ns(self.down, last_touched(self.store, *self.down))
        self.catches_up = told_ns < self._settled_ns


def settled_ns(down: Span, came_ns: int) -> int:
    """From when on all that was held back while Clew was down has come, where some of it came at ``came_ns`` last
    (0: none did yet)."""
    from_ns, until_ns = down
    retried_ns = until_ns + min(until_ns - from_ns, _RETRIES_NS)
    return min(max(retried_ns, came_ns + _QUIET_NS), until_ns + _MOST_NS)
