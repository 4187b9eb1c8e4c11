"""What watches over a store: rules look once, people are at their desk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from clew.api import ApiDeps
from clew.api.deps import Watched
from clew.control.database import FILE, Database, open_database
from clew.control.flagged import FlaggedWindows
from clew.control.incidents import SqlIncidents
from clew.control.outbox import SqlOutbox
from clew.control.reactions import ReactionRuns
from clew.model.incident import Policy, PolicyStep, Route
from clew.model.reaction import ReactionRun, ReactionSet, RunState
from clew.model.rule import Rule
from clew.notify.escalation import Policies
from clew.react.outside import outside_of
from clew.react.world import World
from clew.rules import default_rules
from clew.store.contract import Store
from clew.watch.awake import Awake
from clew.watch.cycle import Watch
from clew.watch.desk import Desk
from clew.watch.looks import Looks
from clew.watch.pipeline import PipelineBook

QUARTER_NS = 900 * 10**9
POLICIES = Policies(
    {"default": Policy("default", (PolicyStep(0, ("slack",)), PolicyStep(QUARTER_NS, ("duty",))), repeat=2)},
    (Route("default"),),
)


def watch_over(deps: ApiDeps, folder: Path, rules: Sequence[Rule] = ()) -> tuple[Watch, Desk, Database]:
    """A watch by these rules (by default those that ship), a desk, and their database."""
    database = open_database(folder)
    declared = tuple(rules) or default_rules().rules
    incidents = SqlIncidents(database)
    pipeline = PipelineBook(lambda: None, lambda: 0, lambda: 0)
    looks = Looks(
        deps.store,
        lambda: [each.flow for each in deps.book.current],
        pipeline.at,
        FlaggedWindows(database),
        Awake(deps.store),
    )
    watch = Watch(declared, POLICIES, incidents, looks.look, deps.now_ns)
    desk = Desk(incidents, SqlOutbox(database), declared, ("slack", "duty"), POLICIES, deps.now_ns, waits=looks.waits)
    return watch, desk, database


def with_incidents(deps: ApiDeps, folder: Path) -> tuple[ApiDeps, Database]:
    """The same with the incidents of the day of tests.story: one open, one acknowledged, one resolved, and a silence.

    On the open one automated actions were wanted: one waits for approval, one failed. The last store is looked at once:
    each call has a copy of what was written of it.
    """
    global _written
    if _written is None or _written[:2] != (deps.store, deps.now_ns()):
        _written = (deps.store, deps.now_ns(), _write_incidents(deps))
    (folder / FILE).write_bytes(_written[2])
    _, desk, database = watch_over(deps, folder)
    none = ReactionSet("shop", 1, ())
    outside = outside_of({}, Path(), deps.now_ns)
    world = World(lambda: none, desk.incidents, ReactionRuns(database), outside, deps.now_ns)
    watched = Watched(desk, world)
    return replace(deps, watched=lambda: watched), database


_written: tuple[Store, int, bytes] | None = None
"""A store, the moment at which it was looked at, and the control database that came of it."""


def _write_incidents(deps: ApiDeps) -> bytes:
    with TemporaryDirectory() as folder:
        watch, desk, database = watch_over(deps, Path(folder))
        watch.step()
        by_rule = {each.rule: each.id for each in desk.incidents.unresolved()}
        desk.acknowledge(by_rule["lost"], "anna")
        desk.note(by_rule["lost"], "anna", "the broker's people know")
        desk.resolve(by_rule["failed"], "bob", "price list mended")
        desk.silence({"rule": "stuck", "service": "mes"}, 4 * QUARTER_NS, "anna", "the MES is moved")
        _propose_reactions(deps, database, by_rule["stuck"])
        database.close()
        return (Path(folder) / FILE).read_bytes()


def _propose_reactions(deps: ApiDeps, database: Database, incident_id: int) -> None:
    runs, now_ns = ReactionRuns(database), deps.now_ns()
    for name, state, result in (
        ("scale-crm", RunState.FAILED, "Kubernetes answered 403: no right to scale"),
        ("restart-crm", RunState.WAITING_APPROVAL, "restart it, as orders wait"),
    ):
        proposed = ReactionRun(0, name, incident_id, "deployment shop/crm-api", RunState.PROPOSED, now_ns)
        assert runs.propose(replace(proposed, state=state, result=result))
