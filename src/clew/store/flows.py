"""Flows as they were applied: the history of what Clew judged by."""

from __future__ import annotations

import time
from dataclasses import dataclass

from clew.store.contract import Store


@dataclass(frozen=True, slots=True)
class AppliedFlow:
    """One applied flow text. ``revision`` counts the applications of a name from 1; times are Unix nanoseconds.

    An empty text takes the flow out of force.
    """

    name: str
    revision: int
    version: int
    applied_ns: int
    text: str


def applied_flows(store: Store, name: str = "") -> list[AppliedFlow]:
    """Every application, oldest first; of one name, or of all."""
    rows = store.rows(
        "SELECT name, revision, version, toUnixTimestamp64Nano(applied) AS applied_ns, text FROM flows FINAL "
        "WHERE {name:String} IN ('', name) ORDER BY applied, name",
        {"name": name},
    )
    return [AppliedFlow(row["name"], row["revision"], row["version"], row["applied_ns"], row["text"]) for row in rows]


def count_applications(store: Store) -> int:
    """How often flows of any name were applied, and imports taken back: each begins a new epoch of judging."""
    rows = store.rows(
        "SELECT (SELECT count() FROM flows FINAL) + (SELECT count() FROM imports FINAL WHERE undo >= 2) AS n"
    )
    return int(rows[0]["n"])


def record_drop(store: Store, name: str) -> None:
    """Remember that a flow was taken out of force now."""
    record_flow(store, name, 0, "")


def record_flow(store: Store, name: str, version: int, text: str) -> int:
    """Remember that a flow was applied now; returns its revision. The same text again keeps the last revision."""
    last = max(applied_flows(store, name), key=lambda each: each.revision, default=None)
    if last is not None and last.text == text:
        return last.revision
    revision = last.revision + 1 if last else 1
    columns = ("name", "revision", "version", "applied", "text")
    store.insert("flows", columns, [(name, revision, version, time.time_ns(), text)])
    return revision
