"""Rebuilds the journeys of imported history, a slice of orders at a time, in the order of their ids.

Where it is stands in the store after each slice. A slice may be done again, so a crash costs at most one.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace

from clew.journey.rebuilder import Rebuilder
from clew.store.contract import Store
from clew.store.imports import Import, counted, imported_orders, note_progress, read_import, unfinished_imports

ORDERS_A_SLICE = 10_000
"""Two inserts: the first is made while orders of the second are folded. So much a crash costs, and a request takes."""

_IN_PASSING = 1_000
_FORSAKEN_NS = 60 * 10**9


@dataclass(slots=True)
class Backfill:
    """Brings the journeys of imports up to date. Any thread but the main one."""

    store: Store
    rebuilder: Rebuilder
    _taken_over: set[int] = field(default_factory=set)
    _stepping: threading.Lock = field(default_factory=threading.Lock)

    def step(self, import_id: int, at_most: int = ORDERS_A_SLICE) -> Import | None:
        """Rebuild the next orders of an import; how far it is then, or None when there is no such import."""
        with self._stepping:
            import_ = read_import(self.store, import_id)
            if import_ is None or import_.done:
                return import_
            import_ = import_ if import_.position else counted(self.store, import_)
            # What a later import brought again is that one's: nightly exports of everything aren't judged once a night.
            ids = imported_orders(self.store, import_id, import_.position, at_most) if import_.events else []
            rebuilt, _ = self.rebuilder.rebuild_whole(ids) if ids else (0, 0)
            further = replace(
                import_,
                rebuilt=import_.rebuilt + rebuilt,
                position=ids[-1] if ids else import_.position,
                done=len(ids) < at_most,
            )
            return note_progress(self.store, further)

    def step_forsaken(self) -> bool:
        """Do a few orders of an import that nobody has gone on with for a minute; whether there was one.

        Once taken over it is gone on with until it is done.
        """
        left_ns = time.time_ns() - _FORSAKEN_NS
        unfinished = unfinished_imports(self.store)
        self._taken_over &= {each.import_id for each in unfinished}
        self._taken_over |= {each.import_id for each in unfinished if each.written_ns < left_ns}
        forsaken = next((each for each in unfinished if each.import_id in self._taken_over), None)
        if forsaken:
            self.step(forsaken.import_id, _IN_PASSING)
        return forsaken is not None
