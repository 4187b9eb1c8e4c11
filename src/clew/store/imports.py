"""What was imported as history: which imports there are, whose orders they hold, and how far those are rebuilt."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

from clew.store.contract import Store

_FINAL = "SETTINGS do_not_merge_across_partitions_select_final = 1"
_FRESH_NS = 10 * 10**9
_noting = threading.Lock()
"""One process has the store, so this lock is enough to compare and set."""

_storing = threading.Condition()
_stored_now: Counter[int] = Counter()
"""How many requests store events of an import just now, by its id. One process has the store."""

_OF_IMPORT = "source = 'import' AND received = fromUnixTimestamp64Nano({id:Int64}, 'UTC')"


class Undo(IntEnum):
    """How far an import is taken back: its events go, then the journeys of their orders are rebuilt without them."""

    NONE = 0
    EVENTS = 1
    JOURNEYS = 2
    DONE = 3


@dataclass(frozen=True, slots=True)
class Import:
    """One import. ``import_id`` is the moment (Unix ns) at which all its events say they were received.

    It told of ``events`` distinct events of about ``orders`` orders (within 1 %, for a progress bar), counted when its
    journeys are begun. These are rebuilt in the order of order ids: ``rebuilt`` so far, up to ``position``.
    ``written_ns`` is when this was last noted. A later ``generation`` has begun anew: what belongs to an earlier one
    counts no more. One that is taken back has nothing to rebuild, so it is ``done``; then ``orders``, ``rebuilt`` and
    ``position`` tell of the journeys that are rebuilt without it.
    """

    import_id: int
    name: str
    flow: str
    events: int = 0
    orders: int = 0
    rebuilt: int = 0
    position: str = ""
    generation: int = 0
    done: bool = False
    undo: Undo = Undo.NONE
    written_ns: int = 0


def write_import(store: Store, import_: Import) -> None:
    """Note an import or how far it is; on return it is durable. The later note counts, even by a clock set back."""
    columns = (
        "import_id",
        "name",
        "flow",
        "events",
        "orders",
        "rebuilt",
        "position",
        "generation",
        "done",
        "undo",
        "written",
    )
    row = (
        import_.import_id, import_.name, import_.flow, import_.events, import_.orders, import_.rebuilt,
        import_.position, import_.generation, int(import_.done), int(import_.undo),
        max(time.time_ns(), import_.written_ns + 1),
    )  # fmt: skip
    store.insert("imports", columns, [row])


_COLUMNS = (
    "import_id, name, flow, events, orders, rebuilt, position, generation, done, undo, "
    "toUnixTimestamp64Nano(written) AS written_ns"
)


def read_import(store: Store, import_id: int) -> Import | None:
    """The import with that id, or None."""
    rows = store.rows(f"SELECT {_COLUMNS} FROM imports FINAL WHERE import_id = {{id:Int64}}", {"id": import_id})
    return _import(rows[0]) if rows else None


def unfinished_imports(store: Store) -> list[Import]:
    """Imports whose journeys are not all rebuilt, the oldest first."""
    return [each for each in known_imports(store) if not each.done]


def undos_under_way(store: Store) -> list[Import]:
    """Imports that are being taken back, the oldest first."""
    return [each for each in known_imports(store) if each.undo is not Undo.NONE]


def known_imports(store: Store) -> list[Import]:
    """All imports but those that were taken back, the oldest first."""
    rows = store.rows(f"SELECT {_COLUMNS} FROM imports FINAL WHERE undo < 3 ORDER BY import_id")
    return list(map(_import, rows))


def _import(row: Mapping[str, Any]) -> Import:
    return Import(**{**row, "done": bool(row["done"]), "undo": Undo(row["undo"])})


def counted(store: Store, import_: Import) -> Import:
    """The import with its size; what a later import told again since it was last counted is still part of it."""
    rows = store.rows(
        f"SELECT count() AS events, uniq(order_id) AS orders FROM order_events FINAL WHERE {_OF_IMPORT} {_FINAL}",
        {"id": import_.import_id},
    )
    (found,) = rows
    return replace(import_, events=max(found["events"], import_.events), orders=max(found["orders"], import_.orders))


def imported_orders(store: Store, import_id: int, after: str, limit: int) -> list[str]:
    """The next order ids of an import after one, in order."""
    rows = store.rows(
        # What a later import told again is that one's, merged or not.
        f"SELECT DISTINCT order_id FROM order_events FINAL WHERE {_OF_IMPORT} AND order_id > {{after:String}} "
        f"ORDER BY order_id LIMIT {{limit:UInt32}} {_FINAL}",
        {"id": import_id, "after": after, "limit": limit},
    )
    return [row["order_id"] for row in rows]


def note_progress(store: Store, further: Import) -> Import:
    """Note how far an import is, unless it was begun anew meanwhile; the import as it stands then."""
    with _noting:
        current = read_import(store, further.import_id)
        if current is None or current.generation != further.generation:
            return current or further
        write_import(store, further)
        return further


@contextlib.contextmanager
def storing_events(store: Store, import_id: int) -> Iterator[Import | None]:
    """The import, or None, while events of it are stored: they aren't taken back before the block has ended."""
    with _storing:
        _stored_now[import_id] += 1
    try:
        yield read_import(store, import_id)
    finally:
        with _storing:
            _stored_now[import_id] -= 1
            if not _stored_now[import_id]:
                del _stored_now[import_id]
            _storing.notify_all()


def await_stored(import_id: int) -> None:
    """Wait until no events of an import are being stored."""
    with _storing:
        _storing.wait_for(lambda: not _stored_now[import_id])


def note_arrival(store: Store, import_: Import) -> None:
    """Note that events of an import still arrive: nobody else takes it over, and what is rebuilt is so once more."""
    if not (import_.position or import_.done) and time.time_ns() - import_.written_ns < _FRESH_NS:
        return
    with _noting:
        current = read_import(store, import_.import_id) or import_
        if current.undo is Undo.NONE:
            write_import(store, _anew(current) if current.position or current.done else current)


def reopen_imports(store: Store, flow: str) -> None:
    """Have the journeys of history that follows a flow, or no flow of its own, rebuilt once more."""
    with _noting:
        rows = store.rows(
            f"SELECT {_COLUMNS} FROM imports FINAL WHERE undo = 0 AND flow IN ('', {{flow:String}})", {"flow": flow}
        )
        for row in rows:
            write_import(store, _anew(_import(row)))


def begin_undo(store: Store, import_id: int) -> Import | None:
    """Note that an import is taken back from now on, unless it is already; how far it is then, or None without one."""
    with _noting:
        current = read_import(store, import_id)
        if current is None or current.undo is not Undo.NONE:
            return current
        undone = replace(_anew(current), done=True, undo=Undo.EVENTS)
        write_import(store, undone)
        return undone


def undone_orders(store: Store, import_id: int, after: str, limit: int) -> list[str]:
    """The next orders after one whose journeys are to be rebuilt without an import, in order."""
    rows = store.rows(
        "SELECT DISTINCT order_id FROM undone_orders WHERE import_id = {id:Int64} AND order_id > {after:String} "
        "ORDER BY order_id LIMIT {limit:UInt32}",
        {"id": import_id, "after": after, "limit": limit},
    )
    return [row["order_id"] for row in rows]


def count_undone_orders(store: Store, import_id: int) -> int:
    """How many orders (about) have their journeys rebuilt without an import."""
    rows = store.rows("SELECT uniq(order_id) AS n FROM undone_orders WHERE import_id = {id:Int64}", {"id": import_id})
    return int(rows[0]["n"])


def repeated_events(store: Store, undone: Import) -> list[tuple[Import, int]]:
    """Earlier imports of which events may have gone with one that was taken back, and how many at most.

    An event that several imports told is one row, which names the last of them. So of an earlier one it is known how
    many events it told and how many still name it; not which of the later ones took the rest.
    """
    earlier = [
        each for each in known_imports(store)
        if each.import_id < undone.import_id and each.events and each.undo is Undo.NONE
    ]  # fmt: skip
    if not earlier:
        return []
    rows = store.rows(
        "SELECT toUnixTimestamp64Nano(received) AS import_id, count() AS events FROM order_events FINAL "
        "WHERE source = 'import' AND import_id IN {ids:Array(Int64)} GROUP BY import_id " + _FINAL,
        {"ids": [each.import_id for each in earlier]},
    )
    left = {row["import_id"]: row["events"] for row in rows}
    gone = [(each, min(each.events - left.get(each.import_id, 0), undone.events)) for each in earlier]
    return [(each, events) for each, events in gone if events > 0]


def _anew(import_: Import) -> Import:
    return replace(import_, rebuilt=0, position="", done=False, generation=import_.generation + 1)
