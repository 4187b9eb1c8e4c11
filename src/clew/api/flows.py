"""Routes: flows in force, checking a flow, applying one."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel, Field

from clew.api.body import whole_body
from clew.api.deps import ApiDeps
from clew.api.errors import RESPONSES, ApiError, ErrorAnswer, invalid, not_found
from clew.api.times import moment, moment_or_none, parse_moment, seconds
from clew.flow import parse_flow
from clew.journey.in_force import FlowInForce, LastFlow
from clew.model.errors import FlowError
from clew.model.flow import Acceptance, Flow, Stage
from clew.model.moments import LAST_NS
from clew.store.flows import applied_flows

_LONGEST_FLOW = 1 << 20
_YAML = {"type": "string", "description": "a flow; see docs/write-a-flow.md"}
YAML_BODY = {"requestBody": {"required": True, "content": {"application/yaml": {"schema": _YAML}}}}
"""How a route that reads `FlowText` describes it."""


class ProblemModel(BaseModel):
    """One mistake in a flow. ``line`` and ``column`` count from 1, 0 when unknown; ``key`` is the dotted way to it."""

    line: int
    column: int
    key: str
    cause: str
    mend: str


class FlowCheckModel(BaseModel):
    """Whether a flow can be applied, and every mistake in it when not."""

    valid: bool
    name: str
    version: int
    problems: list[ProblemModel]


class LimitModel(BaseModel):
    """The longest allowed dwell, and the dwell at which jeopardy begins."""

    allowed_s: float
    warn_s: float


class StageModel(BaseModel):
    """A stage; ``limits`` by path, ``*`` for any path."""

    name: str
    meaning: str
    service: str
    owner: str
    limits: dict[str, LimitModel]
    next: list[str]
    terminal: str | None
    rules: int = Field(description="how many rules derive this stage from ordinary spans")


class FlowSummaryModel(BaseModel):
    """A flow in force. ``revision`` counts how often flows of this name were applied."""

    name: str
    version: int
    revision: int
    singular: str
    plural: str
    stages: list[str]


class AppliedModel(BaseModel):
    """One application of a flow."""

    revision: int
    version: int
    applied_at: str


class AcceptanceModel(BaseModel):
    """A deviation that counts as normal, until it expires; null: for ever. Author and reason may be empty."""

    deviation: str = Field(examples=["skipped:INITIATED"])
    author: str
    reason: str
    expires_at: str | None


class FlowModel(FlowSummaryModel):
    """A flow in force, whole: its text as it was applied, and when flows of its name were applied."""

    paths: dict[str, list[str]]
    stages_in_full: list[StageModel]
    accepted: list[AcceptanceModel]
    text: str
    history: list[AppliedModel]


async def flow_text(request: Request) -> str:
    """The request's body as text; the media type doesn't matter."""
    body = await whole_body(request, _LONGEST_FLOW, "the flow is larger than 1 MiB", "send a flow alone")
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise invalid(f"the flow is not UTF-8: {error.reason}", "save the file as UTF-8") from error


FlowText = Annotated[str, Depends(flow_text)]


def flow_routes(deps: ApiDeps) -> APIRouter:
    """The routes below /flows. Blocking calls run on worker threads."""
    routes = APIRouter(tags=["flows"], responses=RESPONSES)

    @routes.get("/flows", summary="The flows in force, the default one first")
    def list_flows() -> list[FlowSummaryModel]:
        return [flow_summary(each) for each in deps.book.current]

    @routes.post("/flows/check", summary="Every mistake of a flow, without applying it", openapi_extra=YAML_BODY)
    def check_flow(text: FlowText) -> FlowCheckModel:
        try:
            flow = parse_flow(text)
        except FlowError as error:
            problems = [
                ProblemModel(line=each.line, column=each.column, key=each.key, cause=each.cause, mend=each.mend)
                for each in error.problems
            ]
            return FlowCheckModel(valid=False, name="", version=0, problems=problems)
        return FlowCheckModel(valid=True, name=flow.name, version=flow.version, problems=[])

    @routes.get("/flows/{name}", summary="A flow in force, whole")
    def show_flow(name: Annotated[str, Path()]) -> FlowModel:
        return _flow_model(deps, _in_force(deps, name))

    @routes.put(
        "/flows/{name}",
        summary="Judge by this flow from now on",
        openapi_extra=YAML_BODY,
        responses={409: {"model": ErrorAnswer, "description": "The flow has another name"}},
    )
    def apply_flow(
        name: Annotated[str, Path()],
        text: FlowText,
        since: Annotated[str, Query(description="also derive stage events anew since this moment, such as 7d")] = "",
    ) -> FlowModel:
        flow = parse_flow(text)
        if flow.name != name:
            mend = f"PUT it to /api/v1/flows/{flow.name}"
            raise ApiError(409, "other_name", f"the flow names itself {flow.name}, not {name}", mend)
        return _flow_model(deps, deps.book.apply(text, _since(since, deps.now_ns())))

    @routes.delete(
        "/flows/{name}",
        summary="Judge by this flow no longer; the answer is what is left in force",
        responses={409: {"model": ErrorAnswer, "description": "It is the only flow in force"}},
    )
    def drop_flow(name: Annotated[str, Path()]) -> list[FlowSummaryModel]:
        _in_force(deps, name)
        try:
            deps.book.drop(name)
        except LastFlow as error:
            raise ApiError(409, "last_flow", str(error), "apply another flow first") from error
        return [flow_summary(each) for each in deps.book.current]

    return routes


def _since(text: str, now_ns: int) -> int | None:
    try:
        return min(max(0, parse_moment(text, now_ns)), LAST_NS) if text else None
    except ValueError as error:
        raise invalid(f"since: {error}", "give a moment such as 2026-11-22T08:15:00Z, or 7d for 7 days ago") from error


def _in_force(deps: ApiDeps, name: str) -> FlowInForce:
    found = next((each for each in deps.book.current if each.flow.name == name), None)
    if found is None:
        names = ", ".join(each.flow.name for each in deps.book.current)
        raise not_found(f"no flow {name} is in force", f"in force: {names}")
    return found


def flow_summary(in_force: FlowInForce) -> FlowSummaryModel:
    """A flow in force in a line."""
    flow = in_force.flow
    return FlowSummaryModel(
        name=flow.name,
        version=flow.version,
        revision=in_force.revision,
        singular=flow.singular,
        plural=flow.plural,
        stages=[stage.name for stage in flow.stages],
    )


def _flow_model(deps: ApiDeps, in_force: FlowInForce) -> FlowModel:
    flow: Flow = in_force.flow
    history = [
        AppliedModel(revision=each.revision, version=each.version, applied_at=moment(each.applied_ns))
        for each in applied_flows(deps.store, flow.name)
        if each.text
    ]
    return FlowModel(
        **flow_summary(in_force).model_dump(),
        paths={path: list(entries) for path, entries in flow.paths.items()},
        stages_in_full=[_stage_model(stage) for stage in flow.stages],
        accepted=acceptance_models(flow),
        text=in_force.text,
        history=history,
    )


def acceptance_models(flow: Flow) -> list[AcceptanceModel]:
    """The deviations that a flow accepts, by their text."""
    said = {deviation: flow.acceptances.get(deviation, Acceptance()) for deviation in sorted(flow.accepted)}
    return [
        AcceptanceModel(
            deviation=deviation, author=each.author, reason=each.reason, expires_at=moment_or_none(each.expires_ns)
        )
        for deviation, each in said.items()
    ]


def _stage_model(stage: Stage) -> StageModel:
    limits = {
        path: LimitModel(allowed_s=seconds(limit.allowed_ns), warn_s=seconds(limit.warn_ns))
        for path, limit in stage.limits.items()
    }
    return StageModel(
        name=stage.name,
        meaning=stage.meaning,
        service=stage.service,
        owner=stage.owner,
        limits=limits,
        next=list(stage.next),
        terminal=stage.terminal,
        rules=len(stage.rules),
    )
