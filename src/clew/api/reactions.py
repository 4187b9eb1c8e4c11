"""Routes: reactions, their runs, allowing a run, and the stop switch.

Until people sign in, who allows or stops something is who the caller says it is.
"""

from __future__ import annotations

from typing import Annotated, Any, Protocol

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from clew.api.errors import RESPONSES, ApiError, ErrorAnswer, not_found
from clew.api.times import moment, moment_or_none, seconds
from clew.control.reactions import RunQuery
from clew.model.incident import Incident
from clew.model.reaction import Reaction, ReactionRun, RunState, Stopped
from clew.react.decide import Step
from clew.react.words import in_words, tidy
from clew.react.world import World

_Id = Annotated[int, Path(ge=1, le=2**62, description="the run's number")]
_CONFLICT: dict[int | str, dict[str, Any]] = {
    409: {"model": ErrorAnswer, "description": "The run has gone on meanwhile"}
}
_LONGEST = 200


class ReactionDeps(Protocol):
    """What the routes need: the reactions with what they act in (None: none are declared here)."""

    @property
    def reactions(self) -> World | None: ...  # noqa: D102


class WhoModel(BaseModel):
    """Who does something, and why."""

    by: str = Field(min_length=1, max_length=_LONGEST, examples=["ann"])
    reason: str = Field(default="", max_length=1_000)


class RunModel(BaseModel):
    """A run of a reaction, or why there was none. ``result`` says what it is to do, and in the end what came of it.

    ``dry_run``: everything was checked, nothing done.
    """

    run_id: int
    reaction: str
    incident_id: int | None
    target: str
    state: RunState
    at: str
    began_at: str | None
    ended_at: str | None
    approved_by: str
    dry_run: bool
    result: str


class RunPageModel(BaseModel):
    """Runs, newest first. ``next`` goes into ``after`` for the next page and is null at the end."""

    items: list[RunModel]
    next: int | None


class ReactionModel(BaseModel):
    """A reaction: ``does`` what, on which incidents (empty: any), under which guards. ``last`` is its last run."""

    name: str
    does: str = Field(examples=["restart deployment shop/shop-api"])
    rules: list[str]
    severities: list[str]
    labels: dict[str, str]
    alerts: int
    value_over: float | None
    waiting_over: int | None
    firing_for_s: float
    dry_run: bool
    needs_approval: bool
    confirmations: int
    cooldown_s: float
    most_per_hour: int
    hours: str
    help_within_s: float | None
    last: RunModel | None


class StoppedModel(BaseModel):
    """Who set the stop switch, and why: no reaction begins."""

    by: str
    reason: str
    at: str


class ReactionsModel(BaseModel):
    """The reactions of a file, and whether they are stopped (null: they aren't)."""

    name: str
    version: int
    stopped: StoppedModel | None
    items: list[ReactionModel]


class TriedModel(BaseModel):
    """What a reaction would do about an incident if it were confirmed, and whether its action could be done."""

    step: Step
    reason: str
    until: str | None = Field(description="when a wait ends, where that is known")
    works: bool
    result: str


def reaction_routes(deps: ReactionDeps) -> APIRouter:
    """The routes below /reactions. Blocking calls run on worker threads."""
    routes = APIRouter(tags=["reactions"], responses=RESPONSES)
    _reading(routes, deps)
    _deciding(routes, deps)
    _switching(routes, deps)
    return routes


def _world(deps: ReactionDeps) -> World:
    if deps.reactions is None:
        raise not_found(
            "no reactions are declared here", "name a file of them by the setting reactions, see docs/react.md"
        )
    return deps.reactions


def _reading(routes: APIRouter, deps: ReactionDeps) -> None:
    @routes.get("/reactions", summary="Reactions, each with its last run, and the stop switch")
    def list_reactions() -> ReactionsModel:
        world = _world(deps)
        declared = world.reactions()
        return ReactionsModel(
            name=declared.name,
            version=declared.version,
            stopped=_stopped_model(world.runs.stopped()),
            items=[_reaction_model(world, each) for each in declared.reactions],
        )

    @routes.get("/reactions/runs", summary="Runs of reactions, newest first")
    def list_runs(
        reaction: Annotated[str, Query(description="only of this reaction")] = "",
        incident: Annotated[int | None, Query(ge=1, description="only on this incident")] = None,
        state: Annotated[list[RunState] | None, Query(description="only these; may be repeated")] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
        after: Annotated[int | None, Query(ge=1, description="`next` of the page before")] = None,
    ) -> RunPageModel:
        found = _world(deps).runs.runs(RunQuery(reaction, incident, tuple(state or ()), after, limit + 1))
        shown = found[:limit]
        return RunPageModel(
            items=[run_model(each) for each in shown], next=shown[-1].id if len(found) > limit else None
        )


def _deciding(routes: APIRouter, deps: ReactionDeps) -> None:
    @routes.post("/reactions/runs/{run_id}/approve", summary="Allow a run that waits for it", responses=_CONFLICT)
    def approve(run_id: _Id, who: WhoModel) -> RunModel:
        run = _world(deps).runs.approve(run_id, tidy(who.by, _LONGEST))
        return run_model(run or _went_on(deps, run_id, "approved"))

    @routes.post("/reactions/runs/{run_id}/refuse", summary="Refuse a run that has not begun", responses=_CONFLICT)
    def refuse(run_id: _Id, who: WhoModel) -> RunModel:
        world, why = _world(deps), f": {tidy(who.reason)}" if who.reason else ""
        run = world.runs.refuse(run_id, world.now_ns(), f"refused by {tidy(who.by, _LONGEST)}{why}")
        return run_model(run or _went_on(deps, run_id, "refused"))

    @routes.post("/reactions/{name}/try", summary="What a reaction would do about an incident; nothing is done")
    def try_out(
        name: Annotated[str, Path()], incident: Annotated[int, Query(ge=1, description="the incident's number")]
    ) -> TriedModel:
        world = _world(deps)
        tried = world.try_out(_named(world, name), _incident(world, incident))
        return TriedModel(
            step=tried.decision.step,
            reason=tried.decision.reason,
            until=moment_or_none(tried.decision.until_ns),
            works=tried.works,
            result=tried.result,
        )


def _switching(routes: APIRouter, deps: ReactionDeps) -> None:
    @routes.post("/reactions/stop", summary="Let no reaction begin from now on, over restarts of Clew, too")
    def stop(who: WhoModel) -> StoppedModel:
        world = _world(deps)
        stopped = world.runs.stop(tidy(who.by, _LONGEST), tidy(who.reason), world.now_ns())
        return StoppedModel(by=stopped.by, reason=stopped.reason, at=moment(stopped.at_ns))

    @routes.post("/reactions/go", summary="Let reactions begin again")
    def go(who: WhoModel) -> ReactionsModel:
        world = _world(deps)
        world.runs.go(tidy(who.by, _LONGEST), world.now_ns())
        declared = world.reactions()
        items = [_reaction_model(world, each) for each in declared.reactions]
        return ReactionsModel(name=declared.name, version=declared.version, stopped=None, items=items)


def _named(world: World, name: str) -> Reaction:
    reaction = world.reactions().named(name)
    if reaction is None:
        names = ", ".join(each.name for each in world.reactions().reactions)
        raise not_found(f"there is no reaction {name}", f"name one that is declared: {names}")
    return reaction


def _incident(world: World, incident_id: int) -> Incident:
    incident = world.incidents.incident(incident_id)
    if incident is None:
        raise not_found(f"there is no incident {incident_id}", "see their numbers with `clew incidents`")
    return incident


def _went_on(deps: ReactionDeps, run_id: int, wanted: str) -> ReactionRun:
    run = _world(deps).runs.run(run_id)
    if run is None:
        raise not_found(f"there is no run {run_id}", "see their numbers with `clew reactions history`")
    cause = f"run {run_id} can't be {wanted} any more: it {_STATES[run.state]}"
    raise ApiError(409, "went_on", cause, "see what became of it with `clew reactions history`")


_STATES = {
    RunState.PROPOSED: "needs no approval and is about to begin",
    RunState.WAITING_APPROVAL: "waits for approval",
    RunState.APPROVED: "was approved already",
    RunState.RUNNING: "has begun",
    RunState.DONE: "is done",
    RunState.HELPED: "is done, and helped",
    RunState.USELESS: "is done, and did not help",
    RunState.FAILED: "has failed",
    RunState.DRY_RUN: "was a dry run",
    RunState.REFUSED: "was refused already",
}


def run_model(run: ReactionRun) -> RunModel:
    """A run as JSON."""
    return RunModel(
        run_id=run.id,
        reaction=run.reaction,
        incident_id=run.incident_id,
        target=run.target,
        state=run.state,
        at=moment(run.at_ns),
        began_at=moment_or_none(run.began_ns),
        ended_at=moment_or_none(run.ended_ns),
        approved_by=run.approved_by,
        dry_run=run.dry_run,
        result=run.result,
    )


def _reaction_model(world: World, reaction: Reaction) -> ReactionModel:
    on, when, guards = reaction.on, reaction.when, reaction.guards
    last = world.runs.runs(RunQuery(reaction.name, limit=1))
    return ReactionModel(
        name=reaction.name,
        does=in_words(reaction.action),
        rules=list(on.rules),
        severities=[each.value for each in on.severities],
        labels=dict(on.labels),
        alerts=when.alerts,
        value_over=when.value_over,
        waiting_over=when.waiting_over,
        firing_for_s=seconds(when.firing_for_ns),
        dry_run=guards.dry_run,
        needs_approval=guards.needs_approval,
        confirmations=guards.confirmations,
        cooldown_s=seconds(guards.cooldown_ns),
        most_per_hour=guards.most_per_hour,
        hours=guards.hours.name if guards.hours else "",
        help_within_s=None if guards.help_within_ns is None else seconds(guards.help_within_ns),
        last=run_model(last[0]) if last else None,
    )


def _stopped_model(stopped: Stopped | None) -> StoppedModel | None:
    return None if stopped is None else StoppedModel(by=stopped.by, reason=stopped.reason, at=moment(stopped.at_ns))
