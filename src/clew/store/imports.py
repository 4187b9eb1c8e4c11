"""What was imported as history: which imports there are, whose orders they hold, and how far those are rebuilt."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from clew.store.contract import Store

_FRESH_NS = 10 * 10**9
_noting = threading.Lock()
"""One process has the store, so this lock is enough to compare and set."""

_OF_IMPORT = "source = 'import' AND received = fromUnixTimestamp64Nano({id:Int64}, 'UTC')"


@dataclass(frozen=True, slots=True)
class Import:
    """One import. ``import_id`` is the moment (Unix ns) at which all its events say they were received.

    It holds ``events`` distinct events of about ``orders`` orders (within 1 %, for a progress bar), counted when its
    journeys are begun. These are rebuilt in the order of order ids: ``rebuilt`` so far, up to ``position``.
    ``written_ns`` is when this was last noted. A later ``generation`` has begun anew: what belongs to an earlier one
    counts no more.
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
    written_ns: int = 0


def write_import(store: Store, import_: Import) -> None:
    """Note an import or how far it is; on return it is durable. The later note counts, even by a clock set back."""
    columns = ("import_id", "name", "flow", "events", "orders", "rebuilt", "position", "generation", "done", "written")
    row = (
        import_.import_id, import_.name, import_.flow, import_.events, import_.orders, import_.rebuilt,
        import_.position, import_.generation, int(import_.done),
        max(time.time_ns(), import_.written_ns + 1),
    )  # fmt: skip
    store.insert("imports", columns, [row])


_COLUMNS = (
    "import_id, name, flow, events, orders, rebuilt, position, generation, done, "
    "toUnixTimestamp64Nano(written) AS written_ns"
)


def read_import(store: Store, import_id: int) -> Import | None:
    """The import with that id, or None."""
    rows = store.rows(f"SELECT {_COLUMNS} FROM imports FINAL WHERE import_id = {{id:Int64}}", {"id": import_id})
    return _import(rows[0]) if rows else None


def unfinished_imports(store: Store) -> list[Import]:
    """Imports whose journeys are not all rebuilt, the oldest first."""
    return [
        _import(row) for row in store.rows(f"SELECT {_COLUMNS} FROM imports FINAL WHERE done = 0 ORDER BY import_id")
    ]


def _import(row: Mapping[str, Any]) -> Import:
    return Import(**{**row, "done": bool(row["done"])})


def counted(store: Store, import_: Import) -> Import:
    """The import with its size as it is now."""
    rows = store.rows(
        f"SELECT count() AS events, uniq(order_id) AS orders FROM order_events FINAL WHERE {_OF_IMPORT}",
        {"id": import_.import_id},
    )
    return replace(import_, events=rows[0]["events"], orders=rows[0]["orders"])


def imported_orders(store: Store, import_id: int, after: str, limit: int) -> list[str]:
    """The next order ids of an import after one, in order."""
    rows = store.rows(
        f"SELECT DISTINCT order_id FROM order_events WHERE {_OF_IMPORT} AND order_id > {{after:String}} "
        "ORDER BY order_id LIMIT {limit:UInt32}",
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


def note_arrival(store: Store, import_: Import) -> None:
    """Note that events of an import still arrive: nobody else takes it over, and what is rebuilt is so once more."""
    if not (import_.position or import_.done) and time.time_ns() - import_.written_ns < _FRESH_NS:
        return
    with _noting:
        current = read_import(store, import_.import_id) or import_
        write_import(store, _anew(current) if current.position or current.done else current)


def reopen_imports(store: Store, flow: str) -> None:
    """Have the journeys of history that follows a flow, or no flow of its own, rebuilt once more."""
    with _noting:
        rows = store.rows(f"SELECT {_COLUMNS} FROM imports FINAL WHERE flow IN ('', {{flow:String}})", {"flow": flow})
        for row in rows:
            write_import(store, _anew(_import(row)))


def _anew(import_: Import) -> Import:
    return replace(import_, rebuilt=0, position="", done=False, generation=import_.generation + 1)
