"""Takes imports back: deletes their events, then rebuilds the journeys of their orders from what is left.

    noted --orders noted, events deleted--> a new epoch --journeys rebuilt, slice by slice--> taken back

Each step may be done again, and where it stands is in the store, so a crash costs one step at most. Journeys that are
rebuilt know less than those that are there, so they are judged in an epoch of their own, which outranks the earlier.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace

from clew.journey.backfill import Backfill
from clew.journey.in_force import FlowBook
from clew.store.contract import Store
from clew.store.imports import (
    Import,
    Undo,
    await_stored,
    begin_undo,
    count_undone_orders,
    counted,
    read_import,
    undone_orders,
    undos_under_way,
    write_import,
)
from clew.store.render import Layout, render_undo

ORDERS_A_SLICE = 1_000
"""Few, as the ticker waits while they are rebuilt."""

_BUSY_S = 20.0
_FORSAKEN_NS = 60 * 10**9
_stepping = threading.Lock()
"""One process has the store, so this lock is enough for one step at a time."""


@dataclass(slots=True)
class Undoing:
    """Takes imports back. Any thread but the main one. ``layout`` is how the store's tables lie."""

    backfill: Backfill
    book: FlowBook
    layout: Layout = field(default_factory=Layout)
    _taken_over: set[int] = field(default_factory=set)

    def step(self, import_id: int, at_most: int = ORDERS_A_SLICE) -> Import | None:
        """Take an import back one step further; how far it is then, or None when there is no such import.

        The first step notes it: from then on it goes on after a crash, and stores no events any more. When another
        step takes long, nothing is done and how far that is is answered.
        """
        import_ = begin_undo(self._store, import_id)
        if import_ is None or import_.undo is Undo.DONE or not _stepping.acquire(timeout=_BUSY_S):
            return import_
        try:
            import_ = read_import(self._store, import_id) or import_
            if import_.undo is Undo.EVENTS:
                return self._take_events(import_)
            return self._rebuild(import_, at_most) if import_.undo is Undo.JOURNEYS else import_
        finally:
            _stepping.release()

    def step_forsaken(self) -> bool:
        """Do a step of an undo that nobody has gone on with for a minute; whether there was one."""
        left_ns = time.time_ns() - _FORSAKEN_NS
        under_way = undos_under_way(self._store)
        self._taken_over &= {each.import_id for each in under_way}
        self._taken_over |= {each.import_id for each in under_way if each.written_ns < left_ns}
        for import_id in sorted(self._taken_over)[:1]:
            self.step(import_id)
        return bool(self._taken_over)

    @property
    def _store(self) -> Store:
        return self.backfill.store

    def _take_events(self, import_: Import) -> Import:
        note_orders, delete_events, _ = render_undo(self.layout)
        await_stored(import_.import_id)
        import_ = self._noted(counted(self._store, import_))
        self._store.command(note_orders, {"id": import_.import_id})
        self._store.command(delete_events, {"id": import_.import_id})
        self._await_folds(import_)
        orders = count_undone_orders(self._store, import_.import_id)
        return self._noted(replace(import_, undo=Undo.JOURNEYS, orders=orders))

    def _await_folds(self, import_: Import) -> None:
        """Whoever has read the events that are gone now has written what it made of them when this returns.

        Both have nothing to do here, but each waits until the one before it is through.
        """
        self.backfill.step(import_.import_id)
        self.backfill.rebuilder.rebuild({})

    def _rebuild(self, import_: Import, at_most: int) -> Import:
        if not import_.position:
            self.book.outrank()
        ids = undone_orders(self._store, import_.import_id, import_.position, at_most)
        if ids:
            self.backfill.rebuilder.rebuild(dict.fromkeys(ids, 0))
        further = replace(import_, rebuilt=import_.rebuilt + len(ids), position=ids[-1] if ids else import_.position)
        if len(ids) == at_most:
            return self._noted(further)
        *_, forget_orders = render_undo(self.layout)
        self._store.command(forget_orders, {"id": import_.import_id})
        return self._noted(replace(further, undo=Undo.DONE))

    def _noted(self, import_: Import) -> Import:
        written = replace(import_, written_ns=max(time.time_ns(), import_.written_ns + 1))
        write_import(self._store, written)
        return written
