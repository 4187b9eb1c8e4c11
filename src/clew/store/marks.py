"""Small durable marks: how far the ticker and the loss detector have read."""

from __future__ import annotations

import time

from clew.store.contract import Store


def read_mark(store: Store, name: str) -> int | None:
    """The mark's value, or None when it was never written."""
    rows = store.rows("SELECT value FROM marks FINAL WHERE name = {name:String}", {"name": name})
    return int(rows[0]["value"]) if rows else None


def write_mark(store: Store, name: str, value: int) -> None:
    """Write a mark; durable on return."""
    store.insert("marks", ("name", "value", "written"), [(name, value, time.time_ns())])
