"""The outbox in the control database: what is to be told to channels, and what became of it.

A notice is written with the incident's change and marked after the vendor took it. Whatever happens between, it is told
at least once; it is told twice when Clew dies between the vendor's answer and the mark.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, case, func, select, update

from clew.control import tables
from clew.control.codec import from_json
from clew.control.contract import Outgoing, Told
from clew.control.database import Database
from clew.model.alert import AlertPhase, Finding
from clew.model.incident import Incident, IncidentState, Notice, NoticeKind, TransitionKind

WAITING, SENT, GIVEN_UP, SUMMED = "waiting", "sent", "given_up", "summed"
STATES = (WAITING, SENT, GIVEN_UP, SUMMED)

_ALERTS_SHOWN = 20
_CALLING = (NoticeKind.OPENED.value, NoticeKind.ESCALATED.value)


@dataclass(slots=True)
class _Evidence:
    """What the alerts of an incident tell: some orders, traces and reasons, and how many orders there are."""

    order_ids: list[str] = field(default_factory=list)
    trace_ids: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    orders: int = 0


class SqlOutbox:
    """The contract's `Outbox` over a `Database`."""

    def __init__(self, database: Database, page_of: Callable[[int], str] = lambda _: "") -> None:
        """``page_of`` answers the address of an incident's page (empty: nobody said where Clew is)."""
        self._database = database
        self._page_of = page_of

    def due(self, now_ns: int, limit: int = 100, without: Collection[str] = ()) -> list[Outgoing]:
        """Notices whose time has come, oldest first; for each incident and channel only the first that waits."""
        with self._database.reading() as connection:
            bound = {"now_ns": now_ns, "without": sorted(without), "most": limit}
            rows = connection.execute(_DUE, bound).all()
            if not rows:
                return []
            ids = sorted({row.incident_id for row in rows})
            evidence, refs = _evidence(connection, ids), _refs(connection, ids, {row.channel for row in rows})
        return [
            Outgoing(
                row.id,
                row.channel,
                self._notice(
                    from_json(Incident, row.incident), NoticeKind(row.kind), row.at_ns, row.number, row.text,
                    evidence[row.incident_id], refs.get((row.incident_id, row.channel), {}),
                ),
                row.attempts,
            )
            for row in rows
        ]  # fmt: skip

    def standing(self, channel: str) -> list[Notice]:
        """What a channel was told of incidents that aren't resolved, each as it is now; oldest first."""
        row, incident = tables.outbox.c, tables.incidents.c
        last = select(func.max(row.id)).where(row.channel == channel, row.state == SENT).group_by(row.incident_id)
        wanted = select(row.incident_id, row.number, row.at_ns).where(row.id.in_(last)).subquery()
        with self._database.reading() as connection:
            found = connection.execute(
                select(tables.incidents, wanted.c.number.label("notice_number"), wanted.c.at_ns.label("notice_at_ns"))
                .join(wanted, wanted.c.incident_id == incident.id)
                .where(incident.state != IncidentState.RESOLVED.value)
                .order_by(incident.id)
            ).all()
            evidence = _evidence(connection, [each.id for each in found])
            refs = _refs(connection, [each.id for each in found], [channel])
        return [
            self._notice(
                _incident(each), NoticeKind.UPDATED, each.notice_at_ns, each.notice_number, "",
                evidence[each.id], refs.get((each.id, channel), {}),
            )
            for each in found
        ]  # fmt: skip

    def sent(self, outgoing_id: int, at_ns: int, refs: Mapping[str, str]) -> None:
        """It was told; ``refs`` join those that are kept for later notices of the incident to this channel."""
        with self._database.writing() as connection:
            row = _leave(connection, outgoing_id, state=SENT, sent_ns=at_ns, error="")
            if row is not None and refs:
                known = _refs(connection, [row.incident_id], [row.channel]).get((row.incident_id, row.channel), {})
                wanted = self._database.insert(tables.channel_refs).values(
                    incident_id=row.incident_id, channel=row.channel, refs={**known, **refs}
                )
                connection.execute(
                    wanted.on_conflict_do_update(
                        index_elements=["incident_id", "channel"], set_={"refs": wanted.excluded.refs}
                    )
                )

    def later(self, outgoing_id: int, due_ns: int, error: str) -> None:
        """It couldn't be told now; try again at ``due_ns``."""
        row = tables.outbox.c
        wanted = update(tables.outbox).where(row.id == outgoing_id, row.state == WAITING)
        with self._database.writing() as connection:
            connection.execute(wanted.values(attempts=row.attempts + 1, due_ns=due_ns, error=error))

    def hasten(self, now_ns: int) -> None:
        """What waits for another try is due now."""
        row = tables.outbox.c
        wanted = update(tables.outbox).where(row.state == WAITING, row.due_ns > now_ns)
        with self._database.writing() as connection:
            connection.execute(wanted.values(due_ns=now_ns))

    def give_up(
        self, outgoing_id: int, at_ns: int, error: str, instead: Sequence[str] = (), *, removed: bool = False
    ) -> str | None:
        """The channel refuses it for good, or was ``removed``: it is noted in the incident's record, and what comes
        after it goes on.

        When it was to call somebody, the first of the channels ``instead`` that has refused nothing of the incident is
        told of it; that one, or None.
        """
        with self._database.writing() as connection:
            row = _leave(connection, outgoing_id, state=GIVEN_UP, error=error)
            if row is None:
                return None
            other = _first_willing(connection, row, instead) if row.kind in _CALLING else None
            what = "was removed before it told this" if removed else "refused to tell this"
            told = f"The channel {row.channel} {what} ({row.kind}): {error.rstrip('.')}."
            if other is not None:
                connection.execute(tables.outbox.insert().values(**_instead(connection, row, other, told, at_ns)))
            note = {"incident_id": row.incident_id, "at_ns": at_ns, "kind": TransitionKind.NOTE.value, "by": "clew"}
            words = told if other is None else f"{told} The channel {other} is told instead."
            connection.execute(tables.transitions.insert().values(**note, text=words))
            return other

    def sum_up(self, outgoing_ids: Sequence[int], at_ns: int) -> None:
        """These were told in a summary instead."""
        row = tables.outbox.c
        wanted = update(tables.outbox).where(row.id.in_(list(outgoing_ids)), row.state == WAITING)
        with self._database.writing() as connection:
            connection.execute(wanted.values(state=SUMMED, sent_ns=at_ns, error=""))

    def told(self, incident_id: int) -> list[Told]:
        """What became of the notices of an incident, oldest first."""
        row = tables.outbox.c
        wanted = select(tables.outbox).where(row.incident_id == incident_id).order_by(row.id)
        with self._database.reading() as connection:
            return [
                Told(
                    each.channel, NoticeKind(each.kind), each.at_ns, each.state, each.sent_ns, each.attempts, each.error
                )
                for each in connection.execute(wanted)
            ]

    def counts(self) -> dict[str, int]:
        """How many notices there are in each of the `STATES`."""
        wanted = select(tables.outbox.c.state, func.count().label("notices")).group_by(tables.outbox.c.state)
        with self._database.reading() as connection:
            return dict.fromkeys(STATES, 0) | {row.state: row.notices for row in connection.execute(wanted)}

    def _notice(
        self,
        incident: Incident,
        kind: NoticeKind,
        at_ns: int,
        number: int,
        text: str,
        evidence: _Evidence,
        refs: Mapping[str, str],
    ) -> Notice:
        return Notice(
            incident=incident,
            kind=kind,
            at_ns=at_ns,
            number=number,
            text=text,
            order_ids=tuple(evidence.order_ids),
            orders=evidence.orders,
            trace_ids=tuple(evidence.trace_ids),
            reasons=tuple(evidence.reasons),
            url=self._page_of(incident.id),
            refs=refs,
        )


def _due() -> Select[Any]:
    row, earlier = tables.outbox.c, tables.outbox.alias("earlier")
    before = select(earlier.c.id).where(
        earlier.c.incident_id == row.incident_id,
        earlier.c.channel == row.channel,
        earlier.c.state == WAITING,
        earlier.c.id < row.id,
    )
    wanted = select(tables.outbox).where(
        row.state == WAITING,
        row.due_ns <= bindparam("now_ns"),
        row.channel.not_in(bindparam("without", expanding=True)),
        ~before.exists(),
    )
    return wanted.order_by(row.id).limit(bindparam("most"))


# Asked every second: putting it together each time would cost more than running it.
_DUE = _due()


def _leave(connection: Connection, outgoing_id: int, **values: str | int) -> Row[Any] | None:
    """The row that waited, as it is now; None when it waits no more."""
    row = tables.outbox.c
    wanted = update(tables.outbox).where(row.id == outgoing_id, row.state == WAITING).values(**values)
    return connection.execute(wanted.returning(tables.outbox)).one_or_none()


def _first_willing(connection: Connection, row: Row[Any], channels: Sequence[str]) -> str | None:
    column = tables.outbox.c
    refused = set(
        connection.scalars(
            select(column.channel).where(column.incident_id == row.incident_id, column.state == GIVEN_UP).distinct()
        )
    )
    return next((each for each in channels if each not in refused), None)


def _instead(connection: Connection, row: Row[Any], channel: str, told: str, at_ns: int) -> dict[str, Any]:
    """The same for another channel; only as a change where that one was called for this incident already."""
    column = tables.outbox.c
    of_incident = column.incident_id == row.incident_id
    last = connection.scalar(select(func.max(column.number)).where(of_incident)) or 0
    called = select(func.count()).where(of_incident, column.channel == channel, column.kind.in_(_CALLING))
    kind = NoticeKind.UPDATED.value if connection.scalar(called) else row.kind
    return {
        "incident_id": row.incident_id,
        "channel": channel,
        "number": last + 1,
        "kind": kind,
        "at_ns": at_ns,
        "text": f"{told} {row.text}".strip(),
        "incident": row.incident,
        "state": WAITING,
        "attempts": 0,
        "due_ns": at_ns,
        "sent_ns": None,
        "error": "",
    }


def _evidence(connection: Connection, incident_ids: Sequence[int]) -> Mapping[int, _Evidence]:
    """Of each incident: firing alerts first, then those that have held for longest."""
    found: defaultdict[int, _Evidence] = defaultdict(_Evidence)
    column = tables.alerts.c
    of_these = column.incident_id.in_(list(incident_ids))
    firing_first = case((column.phase == AlertPhase.FIRING.value, 0), else_=1)
    rank = func.row_number().over(partition_by=column.incident_id, order_by=(firing_first, column.since_ns, column.id))
    ranked = select(column.id, rank.label("rank")).where(of_these).subquery()
    first = (
        select(column.incident_id, column.finding)
        .join(ranked, ranked.c.id == column.id)
        .where(ranked.c.rank <= _ALERTS_SHOWN)
        .order_by(column.incident_id, ranked.c.rank)
    )
    for row in connection.execute(first):
        _add(found[row.incident_id], from_json(Finding, row.finding))
    orders = select(column.incident_id, func.count(column.order_id.distinct()).label("orders")).where(
        of_these, column.order_id != ""
    )
    for row in connection.execute(orders.group_by(column.incident_id)):
        found[row.incident_id].orders = row.orders
    return found


def _add(evidence: _Evidence, finding: Finding) -> None:
    _add_new(evidence.order_ids, [finding.order_id] if finding.order_id else [])
    _add_new(evidence.trace_ids, finding.trace_ids)
    _add_new(evidence.reasons, [finding.reason])


def _add_new(kept: list[str], more: Iterable[str]) -> None:
    for each in more:
        if each not in kept and len(kept) < _ALERTS_SHOWN:
            kept.append(each)


def _refs(
    connection: Connection, incident_ids: Sequence[int], channels: Collection[str]
) -> dict[tuple[int, str], Mapping[str, str]]:
    column = tables.channel_refs.c
    wanted = select(tables.channel_refs).where(
        column.incident_id.in_(list(incident_ids)), column.channel.in_(sorted(channels))
    )
    return {(row.incident_id, row.channel): row.refs for row in connection.execute(wanted)}


def _incident(row: Row[Any]) -> Incident:
    values = dict(row._mapping)
    del values["notice_number"], values["notice_at_ns"]
    return from_json(Incident, values)
