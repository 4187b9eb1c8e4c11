"""Alerts, incidents and silences in the control database.

A change is one transaction: compare-and-set the incident --> its alerts --> its record --> what is to be told of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    case,
    delete,
    desc,
    func,
    null,
    or_,
    select,
    text,
    update,
)

from clew.control import tables
from clew.control.codec import from_json, to_json
from clew.control.contract import ActiveAlert, Change, IncidentQuery, Standing, Telling, Times
from clew.control.database import Database
from clew.model.alert import Alert, AlertPhase, Finding
from clew.model.incident import Incident, IncidentState, PlannedSilence, Transition, TransitionKind
from clew.model.week import WeekHours

LONGEST_INDEXED = 500
"""Longer texts are looked for by their beginning and their hash: an index of PostgreSQL holds 2,700 bytes a row."""

_RESOLVED = IncidentState.RESOLVED.value
_ENDED = AlertPhase.ENDED.value
_FIRING = AlertPhase.FIRING.value
_ACTIVE = text("phase != 'ended'")
_OLDEST_FIRST = (tables.incidents.c.opened_ns, tables.incidents.c.id)


class SqlIncidents:
    """The contract's `Incidents` over a `Database`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def active_alerts(self) -> list[ActiveAlert]:
        """All alerts that haven't ended, those that were found first at first."""
        wanted = select(tables.alerts).where(_ACTIVE).order_by(tables.alerts.c.id)
        with self._database.reading() as connection:
            return [ActiveAlert(_alert(row), row.incident_id) for row in connection.execute(wanted)]

    def write_alerts(self, alerts: Sequence[Alert]) -> None:
        """Write alerts; they stay with the incident that they belong to. Ended ones that never fired are forgotten."""
        if alerts:
            with self._database.writing() as connection:
                self._upsert(connection, alerts, None)

    def apply(self, change: Change) -> Incident | None:
        """Write a change; the incident as it is now, or None when it must be decided again."""
        with self._database.writing() as connection:
            incident = (
                self._insert(connection, change) if change.incident.id == 0 else _compare_and_set(connection, change)
            )
            if incident is None:
                return None
            incident = self._join(connection, incident, change.alerts)
            if change.transitions:
                rows = [{"incident_id": incident.id, **to_json(each)} for each in change.transitions]
                connection.execute(tables.transitions.insert(), rows)
            self._mark(connection, change.mark, max((each.at_ns for each in change.transitions), default=0))
            if change.tellings:
                connection.execute(tables.outbox.insert(), list(_outbox_rows(connection, incident, change)))
            return incident

    def incident(self, incident_id: int) -> Incident | None:
        """The incident of that number."""
        found = self._incidents(select(tables.incidents).where(tables.incidents.c.id == incident_id))
        return found[0] if found else None

    def unresolved(self) -> list[Incident]:
        """All incidents that aren't resolved, oldest first."""
        wanted = select(tables.incidents).where(tables.incidents.c.state != _RESOLVED)
        return self._incidents(wanted.order_by(*_OLDEST_FIRST))

    def standing(self) -> Standing:
        """How many incidents wait, and a mark of what isn't resolved; one small read."""
        column = tables.incidents.c
        is_open = case((column.state == IncidentState.OPEN.value, 1), else_=0)
        found = (func.sum(is_open), func.count(), func.sum(column.version), func.max(column.id))
        with self._database.reading() as connection:
            row = connection.execute(select(*found).where(column.state != _RESOLVED)).one()
        waiting, *mark = (int(each or 0) for each in row)
        return Standing(waiting, (mark[0], mark[1], mark[2]))

    def find(self, query: IncidentQuery) -> list[Incident]:
        """Incidents newest first."""
        column = tables.incidents.c
        conditions: list[ColumnElement[bool]] = []
        if query.states:
            conditions.append(column.state.in_([state.value for state in query.states]))
        if query.rule:
            conditions.append(column.rule == query.rule)
        if query.order_id:
            of_order = select(tables.alerts.c.incident_id).where(
                tables.alerts.c.order_id == indexed(query.order_id), tables.alerts.c.incident_id.is_not(None)
            )
            conditions.append(column.id.in_(of_order))
        if query.after is not None:
            conditions.append(column.id < query.after)
        wanted = select(tables.incidents).where(*conditions).order_by(desc(column.id)).limit(query.limit)
        return self._incidents(wanted)

    def times(self, from_ns: int, until_ns: int) -> list[Times]:
        """The moments of all incidents that were opened in a range."""
        column = tables.incidents.c
        wanted = select(column.since_ns, column.fired_ns, column.acknowledged_ns, column.resolved_ns).where(
            column.opened_ns >= from_ns, column.opened_ns < until_ns
        )
        with self._database.reading() as connection:
            return [Times(*row) for row in connection.execute(wanted)]

    def transitions(self, incident_id: int) -> list[Transition]:
        """The record of an incident, oldest first."""
        column = tables.transitions.c
        wanted = select(tables.transitions).where(column.incident_id == incident_id).order_by(column.id)
        with self._database.reading() as connection:
            return [
                Transition(row.at_ns, TransitionKind(row.kind), row.by, row.text) for row in connection.execute(wanted)
            ]

    def alerts_of(self, incident_id: int, limit: int = 1_000) -> list[Alert]:
        """Alerts of an incident, of each subject the last: firing ones first, then those that have held for longest."""
        column = tables.alerts.c
        last = select(func.max(column.id)).where(column.incident_id == incident_id).group_by(column.subject)
        wanted = select(tables.alerts).where(column.id.in_(last))
        wanted = wanted.order_by(case((column.phase == _FIRING, 0), else_=1), column.since_ns, column.id).limit(limit)
        with self._database.reading() as connection:
            return [_alert(row) for row in connection.execute(wanted)]

    def silences(self, now_ns: int) -> list[PlannedSilence]:
        """Silences that hold now or later, those that were declared first at first."""
        wanted = select(tables.silences).where(tables.silences.c.until_ns > now_ns).order_by(tables.silences.c.id)
        with self._database.reading() as connection:
            return [from_json(PlannedSilence, dict(row._mapping)) for row in connection.execute(wanted)]

    def add_silence(
        self,
        labels: Mapping[str, str],
        from_ns: int,
        until_ns: int,
        by: str,
        reason: str,
        hours: WeekHours | None = None,
        mark: str = "",
    ) -> PlannedSilence:
        """A new silence, and with it that a vendor's request of that mark was done."""
        silence = PlannedSilence(0, dict(labels), from_ns, until_ns, by, reason, hours)
        row = to_json(silence) | {"hours": null() if hours is None else to_json(hours)}
        del row["id"]
        with self._database.writing() as connection:
            self._mark(connection, mark, from_ns)
            number = connection.execute(tables.silences.insert().values(**row).returning(tables.silences.c.id))
            return from_json(PlannedSilence, to_json(silence) | {"id": number.scalar_one()})

    def end_silence(self, silence_id: int, at_ns: int) -> bool:
        """End a silence early; whether there was one that lasted."""
        column = tables.silences.c
        ended = update(tables.silences).where(column.id == silence_id, column.until_ns > at_ns).values(until_ns=at_ns)
        with self._database.writing() as connection:
            return connection.execute(ended).rowcount == 1

    def was_done(self, mark: str) -> bool:
        """Whether a vendor's request of that mark was done."""
        column = tables.done_requests.c
        with self._database.reading() as connection:
            return connection.scalar(select(column.mark).where(column.mark == mark)) is not None

    def note_done(self, mark: str, at_ns: int, forget_ns: int) -> None:
        """A vendor's request was done; those that were done before ``forget_ns`` are forgotten."""
        with self._database.writing() as connection:
            connection.execute(delete(tables.done_requests).where(tables.done_requests.c.at_ns < forget_ns))
            self._mark(connection, mark, at_ns)

    def _mark(self, connection: Connection, mark: str, at_ns: int) -> None:
        if mark:
            wanted = self._database.insert(tables.done_requests).values(mark=mark, at_ns=at_ns)
            connection.execute(wanted.on_conflict_do_nothing(index_elements=[tables.done_requests.c.mark]))

    def _incidents(self, wanted: Select[Any]) -> list[Incident]:
        with self._database.reading() as connection:
            return [_incident(row) for row in connection.execute(wanted)]

    def _insert(self, connection: Connection, change: Change) -> Incident | None:
        """A new incident; None when one of the same key isn't resolved."""
        row = _incident_values(change.incident) | {"version": 1}
        wanted = self._database.insert(tables.incidents).values(**row)
        wanted = wanted.on_conflict_do_nothing(
            index_elements=[tables.incidents.c.key], index_where=text("state != 'resolved'")
        )
        number = connection.scalar(wanted.returning(tables.incidents.c.id))
        return None if number is None else from_json(Incident, row | {"id": number})

    def _join(self, connection: Connection, incident: Incident, alerts: Sequence[Alert]) -> Incident:
        """Write its alerts; a subject that was among its alerts before isn't counted anew."""
        before = _repeats(connection, incident.id) if alerts and incident.version > 1 else 0
        self._upsert(connection, alerts, incident.id)
        again = _repeats(connection, incident.id) - before if alerts and incident.version > 1 else 0
        if again:
            counted = update(tables.incidents).where(tables.incidents.c.id == incident.id)
            connection.execute(counted.values(alerts=incident.alerts - again))
        return replace(incident, alerts=incident.alerts - again)

    def _upsert(self, connection: Connection, alerts: Sequence[Alert], incident_id: int | None) -> None:
        """Write alerts by rule and subject. All in the same order, so that two writers can't wait for each other.

        Ended ones are written as if they fired, as the index by which a row is found knows only such; then they end.
        """
        if not alerts:
            return
        rows = sorted((_alert_row(each, incident_id) for each in alerts), key=lambda row: (row["rule"], row["subject"]))
        wanted = self._database.insert(tables.alerts)
        new, old = wanted.excluded, tables.alerts.c
        kept = {name: new[name] for name in rows[0] if name not in ("rule", "subject", "incident_id")}
        connection.execute(
            wanted.on_conflict_do_update(
                index_elements=[old.rule, old.subject],
                index_where=_ACTIVE,
                set_=kept | {"incident_id": func.coalesce(new.incident_id, old.incident_id)},
                where=or_(old.phase != _FIRING, new.phase == _FIRING),
            ),
            rows,
        )
        if any(each.phase is AlertPhase.ENDED for each in alerts):
            over = and_(_ACTIVE, old.ended_ns.is_not(None))
            connection.execute(delete(tables.alerts).where(over, old.incident_id.is_(None)))
            connection.execute(update(tables.alerts).where(over).values(phase=_ENDED))


def indexed(found_by: str) -> str:
    """A text as it stands in a column by which rows are found."""
    if len(found_by) <= LONGEST_INDEXED:
        return found_by
    return f"{found_by[:100]}…{hashlib.sha256(found_by.encode(errors='surrogatepass')).hexdigest()}"


def _repeats(connection: Connection, incident_id: int) -> int:
    """How many alerts of an incident are of a subject that another one is of."""
    column = tables.alerts.c
    wanted = select(func.count() - func.count(column.subject.distinct())).where(column.incident_id == incident_id)
    return int(connection.scalar(wanted) or 0)


def _compare_and_set(connection: Connection, change: Change) -> Incident | None:
    """The incident with its next version; None when it has another one by now, or was resolved for good."""
    row = _incident_values(change.incident) | {"version": change.incident.version + 1}
    column = tables.incidents.c
    wanted = update(tables.incidents).where(
        column.id == change.incident.id,
        column.version == change.incident.version,
        or_(column.state != _RESOLVED, row["state"] == _RESOLVED),
    )
    if connection.execute(wanted.values(**row)).rowcount != 1:
        return None
    return from_json(Incident, row | {"id": change.incident.id})


def _outbox_rows(connection: Connection, incident: Incident, change: Change) -> Iterable[dict[str, Any]]:
    """What is to be told, numbered on for the incident; each with the incident as it is now."""
    column = tables.outbox.c
    last = connection.scalar(select(func.max(column.number)).where(column.incident_id == incident.id)) or 0
    at_ns = max(incident.told_ns or 0, incident.opened_ns, *(each.at_ns for each in change.transitions), 0)
    snapshot = to_json(incident)
    for number, telling in enumerate(change.tellings, last + 1):
        yield _outbox_row(telling, number, at_ns) | {"incident_id": incident.id, "incident": snapshot}


def _outbox_row(telling: Telling, number: int, at_ns: int) -> dict[str, Any]:
    return {
        "channel": telling.channel,
        "number": number,
        "kind": telling.kind.value,
        "at_ns": at_ns,
        "text": telling.text,
        "state": "waiting",
        "attempts": 0,
        "due_ns": at_ns,
        "sent_ns": None,
        "error": "",
    }


def _incident_values(incident: Incident) -> dict[str, Any]:
    row: dict[str, Any] = to_json(incident)
    del row["id"]
    return row


def _incident(row: Row[Any]) -> Incident:
    return from_json(Incident, dict(row._mapping))


def _alert_row(alert: Alert, incident_id: int | None) -> dict[str, Any]:
    return {
        "rule": alert.rule,
        "subject": indexed(alert.subject),
        "phase": _FIRING if alert.phase is AlertPhase.ENDED else alert.phase.value,
        "incident_id": incident_id,
        "since_ns": alert.finding.since_ns,
        "found_ns": alert.found_ns,
        "seen_ns": alert.seen_ns,
        "fired_ns": alert.fired_ns,
        "ended_ns": alert.ended_ns,
        "order_id": indexed(alert.finding.order_id),
        "finding": to_json(alert.finding),
        "looks": list(alert.looks),
    }


def _alert(row: Row[Any]) -> Alert:
    """Rule and subject are those of the finding: columns may hold them cut."""
    finding = from_json(Finding, row.finding)
    return Alert(
        rule=finding.rule,
        subject=finding.subject,
        phase=AlertPhase(row.phase),
        finding=finding,
        found_ns=row.found_ns,
        seen_ns=row.seen_ns,
        fired_ns=row.fired_ns,
        ended_ns=row.ended_ns,
        looks=tuple(row.looks),
    )
