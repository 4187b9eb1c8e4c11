"""Saved views of the list of orders: a name for a filter, shared by all who use this Clew."""

from __future__ import annotations

import time
from dataclasses import dataclass

from clew.store.contract import Store

_COLUMNS = ("name", "filter", "gone", "written")


@dataclass(frozen=True, slots=True)
class SavedView:
    """A name, and the query string of a page's address that it stands for (empty: the list without any filter)."""

    name: str
    filter: str


def read_views(store: Store) -> list[SavedView]:
    """All views, by name."""
    rows = store.rows("SELECT name, filter FROM views FINAL WHERE gone = 0 ORDER BY lowerUTF8(name), name")
    return [SavedView(row["name"], row["filter"]) for row in rows]


def write_view(store: Store, view: SavedView) -> None:
    """Save a view under its name; durable on return."""
    store.insert("views", _COLUMNS, [(view.name, view.filter, 0, _after_all(store, view.name))])


def rename_view(store: Store, view: SavedView, name: str) -> None:
    """Give a view another name; durable on return, never half done."""
    now_ns = _after_all(store, view.name, name)
    store.insert("views", _COLUMNS, [(view.name, "", 1, now_ns), (name, view.filter, 0, now_ns)])


def drop_view(store: Store, name: str) -> None:
    """Forget a view; one that isn't there stays away."""
    store.insert("views", _COLUMNS, [(name, "", 1, _after_all(store, name))])


def _after_all(store: Store, *names: str) -> int:
    """Now (Unix ns), but after what was written of these names: the later write counts, even by a clock set back."""
    (row,) = store.rows(
        "SELECT max(toUnixTimestamp64Nano(written)) AS last_ns FROM views WHERE name IN {names:Array(String)}",
        {"names": list(names)},
    )
    return max(time.time_ns(), int(row["last_ns"]) + 1)
