"""The objects of an object-centric log: kept on disk as soon as they are many, as a log may hold more than memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from clew.history.recognise import text_of
from clew.history.rows import HistoryError, Names

ORDER, STAGE, TIME, EVENT, QUALIFIER = "ocel:oid", "ocel:activity", "ocel:timestamp", "ocel:eid", "ocel:qualifier"
NAMES = Names(order=(ORDER,), stage=(STAGE,), time=(TIME,), prescribed=True)
LEFT_OUT = "{n} events have no object of the type %s and are left out"


class Objects:
    """Type and attributes of each object of a log; of two values of an attribute the later one holds."""

    def __init__(self) -> None:
        # An empty name is a private database that lives in memory until it outgrows its cache, then in a hidden file.
        self._base = sqlite3.connect("", check_same_thread=False, isolation_level=None)
        self._base.execute("PRAGMA journal_mode=OFF")
        self._base.execute("PRAGMA cache_size=-65536")
        self._base.execute("CREATE TABLE objects (id TEXT PRIMARY KEY, type TEXT, attributes TEXT) WITHOUT ROWID")

    def add(self, found: Iterable[tuple[str, str, Mapping[str, Any]]]) -> None:
        """Objects as id, type and attributes; one that is known gets these attributes as well."""
        rows = (
            (ident, kind, orjson.dumps({f"case:{name}": text_of(value) for name, value in attributes.items()}).decode())
            for ident, kind, attributes in found
        )
        self._base.execute("BEGIN")
        self._base.executemany(
            "INSERT INTO objects VALUES (?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET attributes = json_patch(attributes, excluded.attributes)",
            rows,
        )
        self._base.execute("COMMIT")

    def find(self, ident: str) -> tuple[str, dict[str, str]] | None:
        """Type and attributes of an object, None when the log doesn't hold it."""
        row = self._base.execute("SELECT type, attributes FROM objects WHERE id = ?", (ident,)).fetchone()
        return (row[0], orjson.loads(row[1])) if row else None

    def types(self) -> dict[str, int]:
        """How many objects each type has, the largest first."""
        counted = "SELECT type, count(*) AS n FROM objects GROUP BY type ORDER BY n DESC, type"
        return dict(self._base.execute(counted).fetchall())

    def close(self) -> None:
        """Give the space back."""
        self._base.close()


def chosen_type(types: Mapping[str, int], asked: str, name: str) -> str:
    """The type of object that plays the order. Raises HistoryError when it must be said, and lists the types."""
    if asked in types:
        return asked
    if not asked and len(types) == 1:
        return next(iter(types))
    listed = ", ".join(f"{kind} ({count})" for kind, count in types.items()) or "none"
    if asked:
        raise HistoryError(f"--object-type {asked}: there is no such type", f"there are {listed}", of_call=True)
    example = next(iter(types), "order")
    raise HistoryError(
        f"{name} holds objects of several types: {listed}",
        f'say which plays the order: --object-type "{example}"',
    )
