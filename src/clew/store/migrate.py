"""Brings a database to the schema this program knows.

A fresh database gets ``schema/tables.sql`` whole; an older one gets the files of ``schema/migrations`` after its
version, in order. Both must end in the same tables (a test compares them). Views and Null tables hold no data, so they
are made anew each time.
"""

from __future__ import annotations

import re
from importlib.resources import files
from typing import TYPE_CHECKING

from clew.model.errors import StoreError
from clew.store.marks import read_mark, write_mark
from clew.store.render import (
    Layout,
    render_intake,
    render_probes,
    render_retention,
    render_schema,
    render_tables,
    retention,
)

if TYPE_CHECKING:
    from clew.store.contract import Store


def migrations() -> dict[int, str]:
    """File names of the migrations by the version they lead to."""
    folder = files("clew.store").joinpath("schema", "migrations")
    names = sorted(item.name for item in folder.iterdir() if item.name.endswith(".sql"))
    return {int(name.split("_", 1)[0]): f"migrations/{name}" for name in names}


def migrate(store: Store, layout: Layout, *, keep_retention: bool = False) -> None:
    """Make or upgrade the tables, then the intake. Raises StoreError when a newer Clew wrote the database.

    ``keep_retention`` leaves the tables the time to live that they have.
    """
    known = migrations()
    latest = max(known, default=1)
    version = _version(store)
    if version > latest:
        raise StoreError(
            f"the data was written by a newer Clew (schema {version}, this one knows {latest}); upgrade Clew"
        )
    if version == 0:
        for statement in render_tables(layout):
            store.command(statement)
        write_mark(store, "schema", latest)
    for number in range(version + 1, latest + 1) if version else ():
        for statement in render_schema(known[number], layout):
            store.command(statement)
        write_mark(store, "schema", number)
    if not keep_retention:
        _keep_as_long_as_set(store, layout)
    _renew_intake(store, layout)


def _keep_as_long_as_set(store: Store, layout: Layout) -> None:
    """Give each table the time to live that is set now; the tables remember the one they were made with."""
    local = "_local" if layout.cluster else ""
    made = {
        row["name"]: row["engine_full"]
        for row in store.rows("SELECT name, engine_full FROM system.tables WHERE database = currentDatabase()")
    }
    for table, expression in retention(layout).items():
        stated = f"TTL {expression} " if expression else "TTL "
        if (stated in made[f"{table}{local}"]) != bool(expression):
            store.command(render_retention(table, expression, layout))


def _version(store: Store) -> int:
    found = store.rows("SELECT 1 FROM system.tables WHERE database = currentDatabase() AND name = 'marks'")
    if not found:
        return 0
    return read_mark(store, "schema") or 0


def _renew_intake(store: Store, layout: Layout) -> None:
    made = store.rows(
        "SELECT name FROM system.tables WHERE database = currentDatabase() "
        "AND engine IN ('MaterializedView', 'Null') ORDER BY engine = 'Null'"
    )
    for row in made:
        if re.fullmatch(r"\w+", row["name"]):
            store.command(f"DROP TABLE IF EXISTS {row['name']}")
    for statement in (*render_intake(layout), *render_probes(layout)):
        store.command(statement)
