"""Windows in which a series surged, or a source was silent: they never enter what is expected of it."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import delete, select

from clew.control import tables
from clew.control.database import Database


class FlaggedWindows:
    """Windows by series, from and until (Unix ns)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self, since_ns: int) -> dict[str, list[tuple[int, int]]]:
        """All windows that end after a moment, by series, oldest first. Raises ControlError."""
        column = tables.flagged_windows.c
        wanted = select(tables.flagged_windows).where(column.until_ns > since_ns).order_by(column.from_ns)
        found: dict[str, list[tuple[int, int]]] = {}
        with self._database.reading() as connection:
            for row in connection.execute(wanted):
                found.setdefault(row.series, []).append((row.from_ns, row.until_ns))
        return found

    def write(self, windows: Mapping[str, tuple[int, int]]) -> None:
        """Keep windows; one that begins at the same moment as a known one of its series replaces it."""
        if not windows:
            return
        wanted = self._database.insert(tables.flagged_windows)
        rows = [
            {"series": name, "from_ns": from_ns, "until_ns": until_ns} for name, (from_ns, until_ns) in windows.items()
        ]
        with self._database.writing() as connection:
            connection.execute(
                wanted.on_conflict_do_update(
                    index_elements=[tables.flagged_windows.c.series, tables.flagged_windows.c.from_ns],
                    set_={"until_ns": wanted.excluded.until_ns},
                ),
                rows,
            )

    def forget(self, before_ns: int) -> None:
        """Let go of windows that ended before a moment."""
        with self._database.writing() as connection:
            connection.execute(delete(tables.flagged_windows).where(tables.flagged_windows.c.until_ns < before_ns))
