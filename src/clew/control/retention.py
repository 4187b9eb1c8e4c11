"""Lets go of incidents that were over long ago, with all that belongs to them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Select, Table, delete, func, select

from clew.control import tables
from clew.control.database import Database
from clew.control.outbox import WAITING
from clew.model.alert import AlertPhase
from clew.model.incident import IncidentState
from clew.model.reaction import BEFORE, RunState

SLICE = 200
"""So many incidents go at once: writers wait for a transaction as long as that takes."""

_PARTS = (tables.alerts, tables.transitions, tables.outbox, tables.channel_refs, tables.reaction_runs)
_UNFINISHED = [state.value for state in (*BEFORE, RunState.RUNNING)]


def forget_resolved(database: Database, before_ns: int, most: int = SLICE) -> int:
    """Delete incidents that were resolved before a moment (Unix ns), those of the lowest numbers first; how many.

    Their alerts, record, notices, references of channels and runs of reactions go in the same transaction. What isn't
    over stays: alerts that still fire though a person resolved it, notices that wait, runs that haven't ended. Raises
    ControlError; nothing is deleted then.
    """
    with database.writing() as connection:
        gone = connection.scalars(_over(before_ns).limit(most)).all()
        if gone:
            for part in _PARTS:
                connection.execute(delete(part).where(part.c.incident_id.in_(gone)))
            connection.execute(delete(tables.incidents).where(tables.incidents.c.id.in_(gone)))
        return len(gone)


def _over(before_ns: int) -> Select[Any]:
    """Numbers of incidents that may go. PostgreSQL locks them: one that somebody changes now goes another time."""
    column = tables.incidents.c
    alert, notice, run = tables.alerts.c, tables.outbox.c, tables.reaction_runs.c
    wanted = select(column.id).where(
        column.state == IncidentState.RESOLVED.value,
        column.opened_ns < before_ns,  # the index knows this one
        column.resolved_ns < before_ns,
        column.id != _newest(tables.incidents),
        ~_has(tables.alerts, alert.phase != AlertPhase.ENDED.value),
        ~_has(tables.outbox, (notice.state == WAITING) | (notice.id == _newest(tables.outbox))),
        ~_has(tables.reaction_runs, run.state.in_(_UNFINISHED) | (run.id == _newest(tables.reaction_runs))),
    )
    return wanted.order_by(column.id).with_for_update(skip_locked=True)


def _has(part: Table, wanted: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether an incident has such a part."""
    return select(part.c.incident_id).where(part.c.incident_id == tables.incidents.c.id, wanted).exists()


def _newest(table: Table) -> ColumnElement[Any]:
    """The highest number. It stays: SQLite would give it again, and links, vendors and people know numbers."""
    other = table.alias()
    return select(func.max(other.c.id)).scalar_subquery()
