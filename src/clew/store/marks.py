"""Small durable marks: how far the ticker and the loss detector have read."""

from __future__ import annotations

import time
from collections.abc import Mapping

from clew.store.contract import Store


def read_mark(store: Store, name: str) -> int | None:
    """The mark's value, or None when it was never written."""
    rows = store.rows("SELECT value FROM marks FINAL WHERE name = {name:String}", {"name": name})
    return int(rows[0]["value"]) if rows else None


def write_mark(store: Store, name: str, value: int) -> None:
    """Write a mark; durable on return."""
    store.insert("marks", ("name", "value", "written"), [(name, value, time.time_ns())])


def read_marks(store: Store, prefix: str) -> dict[str, int]:
    """All marks whose names begin like that."""
    rows = store.rows("SELECT name, value FROM marks FINAL WHERE startsWith(name, {prefix:String})", {"prefix": prefix})
    return {row["name"]: int(row["value"]) for row in rows}


def write_marks(store: Store, marks: Mapping[str, int]) -> None:
    """Write several marks at once; durable on return."""
    written_ns = time.time_ns()
    store.insert("marks", ("name", "value", "written"), [(name, value, written_ns) for name, value in marks.items()])
