"""OCEL 2.0 as SQLite: a table for the attributes of each type of event and of object, and one for who touched what.

Its times are UTC: the format has no zone, and writes moments as ISO 8601.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Select, TableClause, column, create_engine, distinct, func, inspect, select, table
from sqlalchemy.exc import SQLAlchemyError

from clew.history.json_lines import batches_of
from clew.history.objects import EVENT, LEFT_OUT, NAMES, ORDER, QUALIFIER, STAGE, TIME, Objects, chosen_type
from clew.history.rows import BATCH_ROWS, BadLine, BaseSource, Batch, HistoryError
from clew.history.sql import told_by

_OWN = {"ocel_id": EVENT, "ocel_time": TIME, "ocel_type": STAGE, "ocel_object_id": ORDER, "qualifiers": QUALIFIER}
_NOT_OF_OBJECTS = ("ocel_id", "ocel_time", "ocel_changed_field")


@dataclass(slots=True)
class OcelBase(BaseSource):
    """An OCEL 2.0 SQLite database; its progress counts pairs of event and object."""

    connection: Connection | None = None
    object_type: str = ""
    objects: Objects = field(default_factory=Objects)

    def batches(self) -> Iterator[Batch]:
        """A row for each event and object of the type. Raises HistoryError when the database isn't as OCEL has it."""
        self.progress.done = 0
        try:
            yield from batches_of(self._rows())
        except SQLAlchemyError as error:
            raise HistoryError(f"the log can't be read: {told_by(error)}", "export it once more") from error

    def close(self) -> None:
        """The database and the objects are let go."""
        self.objects.close()
        if self.connection is not None:
            engine = self.connection.engine
            self.connection.close()
            engine.dispose()

    def _rows(self) -> Iterator[tuple[int, dict[str, Any]] | BadLine]:
        assert self.connection is not None
        found = _Tables(self.connection)
        self.remarks.counts = {LEFT_OUT % self.object_type: found.left_out(self.object_type)}
        for row in self._streamed(found.strangers()):
            self.progress.done += 1
            yield BadLine(
                self.progress.done, f"event {row[0]!r} names the object {row[1]!r}, which the log doesn't hold"
            )
        for statement in found.events(self.object_type):
            for row in self._streamed(statement):
                self.progress.done += 1
                fields = {_OWN.get(name, name): value for name, value in row._mapping.items()}
                known = self.objects.find(fields[ORDER])
                yield self.progress.done, {**(known[1] if known else {}), **fields}

    def _streamed(self, statement: Select[Any]) -> Iterator[Any]:
        assert self.connection is not None
        with self.connection.execution_options(yield_per=BATCH_ROWS).execute(statement) as result:
            yield from result


class _Tables:
    """The tables of a log, and what is asked of them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._event = self._table("event", "ocel_id", "ocel_type")
        self._object = self._table("object", "ocel_id", "ocel_type")
        self._touched = self._table("event_object", "ocel_event_id", "ocel_object_id", "ocel_qualifier")

    def _table(self, name: str, *needed: str) -> TableClause:
        """A table with columns of no type, so that every value comes as it is stored. Raises HistoryError."""
        names = [str(each["name"]) for each in inspect(self._connection).get_columns(name)]
        missing = [each for each in needed if each not in names]
        if missing:
            raise HistoryError(f"table {name} has no column {missing[0]}", "export the log once more, as OCEL 2.0")
        return table(name, *map(column, names))

    def _of_types(self, what: str, *needed: str) -> Iterator[tuple[str, TableClause]]:
        names = self._table(f"{what}_map_type", "ocel_type", "ocel_type_map")
        for kind, short in self._connection.execute(select(names.c.ocel_type, names.c.ocel_type_map)).all():
            yield kind, self._table(f"{what}_{short}", *needed)

    def events(self, object_type: str) -> Iterator[Select[Any]]:
        """For each type of event a statement that gives each event with each object of the type it touched."""
        event, touched, what = self._event, self._touched, self._object
        for kind, own in self._of_types("event", "ocel_id", "ocel_time"):
            qualifiers = func.group_concat(touched.c.ocel_qualifier).label("qualifiers")
            given = [each for each in own.c if each.name != "ocel_id" and each.name not in _OWN.values()]
            yield (
                select(event.c.ocel_id, event.c.ocel_type, touched.c.ocel_object_id, qualifiers, *given)
                .join(touched, touched.c.ocel_event_id == event.c.ocel_id)
                .join(what, what.c.ocel_id == touched.c.ocel_object_id)
                .outerjoin(own, own.c.ocel_id == event.c.ocel_id)
                .where(event.c.ocel_type == kind, what.c.ocel_type == object_type)
                .group_by(event.c.ocel_id, touched.c.ocel_object_id)
            )

    def strangers(self) -> Select[Any]:
        """Events that name an object which isn't there."""
        touched, what = self._touched, self._object
        return (
            select(touched.c.ocel_event_id, touched.c.ocel_object_id)
            .outerjoin(what, what.c.ocel_id == touched.c.ocel_object_id)
            .where(what.c.ocel_id.is_(None))
        )

    def left_out(self, object_type: str) -> int:
        """How many events have no object of the type."""
        touched, what = self._touched, self._object
        with_one = (
            select(func.count(distinct(touched.c.ocel_event_id)))
            .join(what, what.c.ocel_id == touched.c.ocel_object_id)
            .where(what.c.ocel_type == object_type)
        )
        every = self._connection.execute(select(func.count()).select_from(self._event)).scalar_one()
        return int(every) - int(self._connection.execute(with_one).scalar_one())

    def objects(self) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
        """Every object, then every statement about it, the earlier before the later."""
        for row in self._connection.execute(select(self._object.c.ocel_id, self._object.c.ocel_type)):
            yield row[0], row[1], {}
        for kind, own in self._of_types("object", "ocel_id"):
            every = select(own).order_by(own.c.ocel_time) if "ocel_time" in own.c else select(own)
            for said in self._connection.execute(every).mappings():
                told = {name: value for name, value in said.items() if value is not None}
                yield said["ocel_id"], kind, {name: told[name] for name in told if name not in _NOT_OF_OBJECTS}


def open_ocel_sqlite(path: Path, object_type: str) -> OcelBase:
    """An OCEL 2.0 database with its objects read.

    Raises HistoryError when it is no such database, or when it must be said which type of object plays the order.
    """
    address = f"file:{quote(str(path.absolute()))}?mode=ro"
    engine = create_engine("sqlite://", creator=lambda: sqlite3.connect(address, uri=True, check_same_thread=False))
    connection = engine.connect()
    objects = Objects()
    try:
        objects.add(_Tables(connection).objects())
    except SQLAlchemyError as error:
        raise HistoryError(
            f"{path.name} is a SQLite database, but no OCEL 2.0 log: {told_by(error)}",
            "read its tables with --sql and --query",
        ) from error
    kind = chosen_type(objects.types(), object_type, path.name)
    return OcelBase(
        "ocel-sqlite", unit="row", zone="UTC", names=NAMES, connection=connection, object_type=kind, objects=objects
    )
