"""Runs of reactions in the control database, each change by compare-and-set, and the stop switch.

A run is `running` before anything is done, and ends with its result after: a process that is killed between the two
leaves `running`, which the next start finds (`interrupted`). So no run is begun twice, and none is forgotten. Servers
that share a PostgreSQL see by its advisory locks what the others do: https://www.postgresql.org/docs/current/explicit-locking.html
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, bindparam, exists, func, or_, select, text, update

from clew.control.database import Database
from clew.control.tables import incidents, reaction_runs, values
from clew.model.reaction import BEFORE, ReactionRun, RunState, Stopped

_SWITCH = "reactions_stopped"
_INTERRUPTED = "interrupted: Clew was ended while it ran, so nobody knows whether it was done; look at {target}"
_DRY_INTERRUPTED = "interrupted: Clew was ended while it looked what it would do, and nothing was done"
_UNFINISHED = (*BEFORE, RunState.RUNNING)
_HALF = 2**31
_GOES_ON = 0x636C6577
"""First half of PostgreSQL's advisory locks that say which runs go on; the second is the run's number."""

_LIMITS = ("idle_in_transaction_session_timeout", "transaction_timeout")
"""How PostgreSQL ends transactions that last; the second is known from version 17 on."""

_ACTED_ON = 0x636C6578
"""First half of those that let who wants to act on one target take turns; the second is made of the target's name."""


@dataclass(frozen=True, slots=True)
class RunQuery:
    """Which runs: of a reaction, on an incident, in these states; those before an id in a list newest first."""

    reaction: str = ""
    incident_id: int | None = None
    states: Collection[RunState] = ()
    after: int | None = None
    limit: int = 100


class ReactionRuns:
    """Runs and the stop switch. Any thread may use it; each method blocks and raises ControlError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def propose(self, run: ReactionRun) -> ReactionRun | None:
        """Write a new run (its id is given here); None when one of its reaction on its incident hasn't ended yet."""
        with self._writing_about(run.incident_id) as connection:
            if connection.execute(select(_unfinished_like(run))).scalar():
                return None
            return _insert(connection, run)

    def note_refusal(self, run: ReactionRun) -> ReactionRun | None:
        """Write that a run was refused before it was proposed; None when the last one there says the same."""
        with self._writing_about(run.incident_id) as connection:
            of_both = and_(reaction_runs.c.reaction == run.reaction, reaction_runs.c.incident_id == run.incident_id)
            last = connection.execute(select(reaction_runs).where(of_both).order_by(reaction_runs.c.id.desc()).limit(1))
            row = last.one_or_none()
            if row is not None and (row.state, row.result) == (RunState.REFUSED.value, run.result):
                return None
            return _insert(connection, run)

    @contextmanager
    def _writing_about(self, incident_id: int | None) -> Iterator[Connection]:
        """A transaction that writes: PostgreSQL lets several writers in, those about one incident take turns."""
        with self._database.writing() as connection:
            connection.execute(select(incidents.c.id).where(incidents.c.id == incident_id).with_for_update())
            yield connection

    def approve(self, run_id: int, by: str) -> ReactionRun | None:
        """Allow a run that waits for it; None when it doesn't, or no longer."""
        return self._change(run_id, None, (RunState.WAITING_APPROVAL,), state=RunState.APPROVED.value, approved_by=by)

    def refuse(self, run_id: int, at_ns: int, reason: str) -> ReactionRun | None:
        """End a run that hasn't begun; None when it has."""
        return self._change(run_id, None, BEFORE, state=RunState.REFUSED.value, ended_ns=at_ns, result=reason)

    def begin(self, run: ReactionRun, at_ns: int) -> ReactionRun | None:
        """Take a run to do it: only one of all that try gets it, and nothing else acts on its target meanwhile.

        None: somebody else has it, it was changed since it was read, its target is being acted on, or all are stopped.
        """
        other = reaction_runs.alias()
        free = ~exists().where(other.c.target == run.target, other.c.state == RunState.RUNNING.value)
        stopped = exists().where(values.c.name == _SWITCH, values.c.value["stopped"].as_boolean())
        states = (RunState.PROPOSED, RunState.APPROVED)
        return self._change(
            run.id, run.version, states, free & ~stopped, run.target, state=RunState.RUNNING.value, began_ns=at_ns
        )

    @contextmanager
    def going_on(self, run_id: int) -> Iterator[bool]:
        """Let other servers on one PostgreSQL see that a run goes on: to be held from before it begins to its end.

        False: another one holds it. SQLite lies in a data directory, which has one server.
        """
        if self._database.dialect != "postgresql":
            yield True
            return
        with self._database.reading() as connection:
            connection.detach()  # however many runs go on, others find a connection in the pool
            _let_last(connection)
            yield _hold(connection, run_id)

    def end(self, run: ReactionRun, state: RunState, at_ns: int, result: str) -> ReactionRun | None:
        """What came of a run that was begun; None when somebody else ended it meanwhile."""
        return self._change(run.id, run.version, (RunState.RUNNING,), state=state.value, ended_ns=at_ns, result=result)

    def judge(self, run: ReactionRun, state: RunState, result: str) -> ReactionRun | None:
        """What became of its incident after a run; None when somebody else judged it meanwhile."""
        states = (RunState.DONE, RunState.DRY_RUN)
        return self._change(run.id, run.version, states, state=state.value, result=result)

    def interrupted(self, at_ns: int) -> list[ReactionRun]:
        """End as failed what runs and no server holds, since nobody knows whether it was done. For the start."""
        running = self.runs(RunQuery(states=(RunState.RUNNING,), limit=10_000))
        ended = [self.end(run, RunState.FAILED, at_ns, _interrupted(run)) for run in running if not self._held(run.id)]
        return [run for run in ended if run is not None]

    def _held(self, run_id: int) -> bool:
        if self._database.dialect != "postgresql":
            return False
        with self._database.reading() as connection:
            return not _hold(connection, run_id)

    def run(self, run_id: int) -> ReactionRun | None:
        """The run of that id."""
        with self._database.reading() as connection:
            row = connection.execute(select(reaction_runs).where(reaction_runs.c.id == run_id)).one_or_none()
        return None if row is None else _run(row)

    def runs(self, query: RunQuery) -> list[ReactionRun]:
        """Runs newest first."""
        wanted: list[ColumnElement[bool]] = []
        if query.reaction:
            wanted.append(reaction_runs.c.reaction == query.reaction)
        if query.incident_id is not None:
            wanted.append(reaction_runs.c.incident_id == query.incident_id)
        if query.states:
            wanted.append(reaction_runs.c.state.in_([state.value for state in query.states]))
        if query.after is not None:
            wanted.append(reaction_runs.c.id < query.after)
        return self._select(and_(True, *wanted), query.limit)

    def about(self, reaction: str, incident_id: int, since_ns: int) -> list[ReactionRun]:
        """What a decision needs: runs of a reaction on an incident, those of others since then, and unfinished ones."""
        columns = reaction_runs.c
        recent = or_(columns.at_ns >= since_ns, columns.began_ns >= since_ns, columns.ended_ns >= since_ns)
        unfinished = columns.state.in_([state.value for state in _UNFINISHED])
        return self._select(
            and_(columns.reaction == reaction, or_(columns.incident_id == incident_id, recent, unfinished)), None
        )

    def unfinished(self) -> list[ReactionRun]:
        """Runs that wait or go on, newest first."""
        return self._select(reaction_runs.c.state.in_([state.value for state in _UNFINISHED]), None)

    def since(self, since_ns: int) -> list[ReactionRun]:
        """Runs that were written or ended since then, newest first."""
        return self._select(or_(reaction_runs.c.at_ns >= since_ns, reaction_runs.c.ended_ns >= since_ns), None)

    def stopped(self) -> Stopped | None:
        """Who stopped all reactions, and why; None when they may run."""
        with self._database.reading() as connection:
            row = connection.execute(select(values).where(values.c.name == _SWITCH)).one_or_none()
        if row is None or not row.value.get("stopped"):
            return None
        return Stopped(row.value["by"], row.value["reason"], row.written_ns)

    def stop(self, by: str, reason: str, at_ns: int) -> Stopped:
        """Let no reaction begin once this returns, over restarts, too, until `go`."""
        self._switch({"stopped": True, "by": by, "reason": reason}, at_ns)
        return Stopped(by, reason, at_ns)

    def go(self, by: str, at_ns: int) -> None:
        """Let reactions begin again."""
        self._switch({"stopped": False, "by": by, "reason": ""}, at_ns)

    def _switch(self, value: dict[str, Any], at_ns: int) -> None:
        row = {"value": value, "written_ns": at_ns}
        with self._database.writing() as connection:
            statement = self._database.insert(values).values(name=_SWITCH, **row)
            connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=row))

    def _change(
        self,
        run_id: int,
        version: int | None,
        states: Collection[RunState],
        also: ColumnElement[bool] | None = None,
        in_turn: str = "",
        **changed: object,
    ) -> ReactionRun | None:
        """Change a run that is still as it was; of changes about one thing, ``in_turn``, each sees the one before."""
        columns = reaction_runs.c
        wanted = [columns.id == run_id, columns.state.in_([state.value for state in states])]
        wanted += [] if version is None else [columns.version == version]
        wanted += [] if also is None else [also]
        with self._database.writing() as connection:
            if in_turn and self._database.dialect == "postgresql":
                connection.execute(select(func.pg_advisory_xact_lock(_ACTED_ON, func.hashtext(in_turn))))
            statement = update(reaction_runs).where(*wanted).values(version=columns.version + 1, **changed)
            if connection.execute(statement).rowcount != 1:
                return None
            return _run(connection.execute(select(reaction_runs).where(columns.id == run_id)).one())

    def _select(self, wanted: ColumnElement[bool], limit: int | None) -> list[ReactionRun]:
        statement = select(reaction_runs).where(wanted).order_by(reaction_runs.c.id.desc()).limit(limit)
        with self._database.reading() as connection:
            rows: Sequence[Row[Any]] = connection.execute(statement).all()
        return [_run(row) for row in rows]


def _let_last(connection: Connection) -> None:
    """Take the limits of its database off this transaction: it idles for as long as an action runs."""
    limits = text("SELECT set_config(name, '0', true) FROM pg_settings WHERE name IN :names")
    connection.execute(limits.bindparams(bindparam("names", _LIMITS, expanding=True)))


def _hold(connection: Connection, run_id: int) -> bool:
    """Whether nobody held it; it is held until the transaction ends, then."""
    return bool(connection.scalar(select(func.pg_try_advisory_xact_lock(_GOES_ON, run_id % _HALF))))


def _interrupted(run: ReactionRun) -> str:
    return _DRY_INTERRUPTED if run.dry_run else _INTERRUPTED.format(target=run.target)


def _unfinished_like(run: ReactionRun) -> ColumnElement[bool]:
    columns = reaction_runs.c
    return exists().where(
        columns.reaction == run.reaction,
        columns.incident_id == run.incident_id,
        columns.state.in_([state.value for state in _UNFINISHED]),
    )


def _insert(connection: Connection, run: ReactionRun) -> ReactionRun:
    row = {
        "reaction": run.reaction, "incident_id": run.incident_id, "target": run.target, "state": run.state.value,
        "at_ns": run.at_ns, "began_ns": run.began_ns, "ended_ns": run.ended_ns, "approved_by": run.approved_by,
        "dry_run": run.dry_run, "result": run.result, "version": run.version,
    }  # fmt: skip
    written = connection.execute(reaction_runs.insert().values(**row).returning(*reaction_runs.c)).one()
    return _run(written)


def _run(row: Row[Any]) -> ReactionRun:
    return ReactionRun(
        id=row.id,
        reaction=row.reaction,
        incident_id=row.incident_id,
        target=row.target,
        state=RunState(row.state),
        at_ns=row.at_ns,
        began_ns=row.began_ns,
        ended_ns=row.ended_ns,
        approved_by=row.approved_by,
        dry_run=row.dry_run,
        result=row.result,
        version=row.version,
    )
