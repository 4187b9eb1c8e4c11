"""What the loss detector has learned of destinations and queues: who is taken from, and how.

Kept as marks in the store, so that a restart forgets nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

from clew.store.contract import Store
from clew.store.marks import read_marks, write_marks

TAKEN = "taken "
"""Destinations, as producers name them, that a consumer's span followed a message of."""

WORKED = "worked "
"""Queues that fresh messages are taken from."""

RETRIED = "retried "
"""Queues whose rejected messages have come back by dead-lettering."""

_FORGET_NS = 7 * 86_400 * 10**9
_RENEW_NS = 3600 * 10**9
_AT_MOST = 20_000


class Evidence:
    """Names that were seen, each with when it was seen last; a week without news is forgotten."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._seen_ns = {
            name: at_ns for kind in (TAKEN, WORKED, RETRIED) for name, at_ns in read_marks(store, kind).items()
        }

    def learn(self, kind: str, names: Iterable[str], now_ns: int) -> None:
        """These were seen now. Written to the store when that is news, or was known for an hour."""
        keys = {kind + name for name in names}
        news = {key for key in keys if now_ns - self._seen_ns.get(key, 0) > _RENEW_NS}
        if news and len(self._seen_ns) + len(news) <= _AT_MOST:
            write_marks(self._store, dict.fromkeys(sorted(news), now_ns))
            self._seen_ns.update(dict.fromkeys(news, now_ns))

    def knows(self, kind: str, name: str, now_ns: int) -> bool:
        """Whether that was seen within the last week."""
        return now_ns - self._seen_ns.get(kind + name, 0) < _FORGET_NS

    def known(self, kind: str, now_ns: int) -> frozenset[str]:
        """All names of a kind that were seen within the last week."""
        return frozenset(
            key.removeprefix(kind)
            for key, at_ns in self._seen_ns.items()
            if key.startswith(kind) and now_ns - at_ns < _FORGET_NS
        )
