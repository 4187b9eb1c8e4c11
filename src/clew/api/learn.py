"""Routes: what history teaches of flows: one to declare, differences, other limits tried, remaining times."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from clew.api.asked import Asked, FlowVersion, Picked, picked_orders
from clew.api.deps import ApiDeps
from clew.api.errors import RESPONSES, ApiError, invalid, not_found
from clew.api.flows import YAML_BODY, FlowText
from clew.api.learn_models import (
    DifferenceModel,
    DiscoveredModel,
    RemainingsModel,
    ReplayedModel,
    ReplayModel,
    difference_model,
    discovered_model,
    remaining_model,
    replayed_model,
)
from clew.api.report_files import BOTH, Answer, Form, in_form
from clew.api.report_models import asked_model
from clew.api.times import parse_length, seconds
from clew.flow import parse_flow
from clew.learn.diff import difference
from clew.learn.discover import Wishes, discover
from clew.learn.read import read_extent, read_for_comparison, read_for_discovery
from clew.learn.remaining import read_remaining
from clew.learn.replay import Grace
from clew.learn.replay import replay as replay_limits
from clew.model.flow import Flow
from clew.report.filter import By, has_orders

_MOMENT = "a moment such as 2026-11-22T08:15:00Z, or 30d for 30 days ago"
_NO_ORDERS = "import a history with `clew import`, or widen the range"


def asked_of_history(
    flow: Annotated[str, Query(description="only orders of this flow; left out: the flow of most orders")] = "",
    from_: Annotated[str, Query(alias="from", description=f"not before {_MOMENT}")] = "",
    to: Annotated[str, Query(description=f"before {_MOMENT}")] = "",
    path: Annotated[str, Query(description="only orders of this path")] = "",
    attribute: Annotated[list[str] | None, Query(description="key=value of an order; may be repeated")] = None,
    flow_version: FlowVersion = None,
    by: Annotated[By, Query(description="what must lie in the range: an order's start, its end, or any visit")] = (
        By.STARTED
    ),
) -> Asked:
    """Which orders to learn from."""
    return Asked(flow, from_, to, path, tuple(attribute or ()), flow_version, "", "", by)


History = Annotated[Asked, Depends(asked_of_history)]


def learn_routes(deps: ApiDeps) -> APIRouter:
    """The routes below /learn. Blocking calls run on worker threads."""
    routes = APIRouter(prefix="/learn", tags=["learn"], responses=RESPONSES)

    @routes.get("/flow", summary="A flow as history teaches it, in YAML with the reason of each decision")
    def discover_flow(
        asked: History,
        share: Annotated[
            float, Query(ge=0, le=1, allow_inf_nan=False, description="the least share that makes a step allowed")
        ] = 0.01,
        floor: Annotated[str, Query(description="the least limit, such as 10m")] = "1m",
        quantile: Annotated[
            float, Query(gt=0, lt=1, allow_inf_nan=False, description="the quantile of dwells that is the limit")
        ] = 0.95,
        name: Annotated[str, Query(description="the flow's name; left out: that of the orders' flow")] = "",
    ) -> DiscoveredModel:
        picked = picked_orders(deps, asked)
        version = picked.flow.version + 1 if picked.flow and name in ("", picked.flow.name) else 1
        wishes = Wishes(share, _length("floor", floor), quantile, name, version)
        seen, everything, declared = read_for_discovery(deps.store, picked.filter, picked.now_ns, picked.flow)
        if not seen.stages:
            cause = "no stage has a name that a flow can have" if everything else "there are no orders to learn from"
            raise not_found(cause, "see --stage of `clew import`" if everything else _NO_ORDERS)
        return discovered_model(discover(seen, everything, declared, wishes), picked.filter)

    @routes.post("/diff", summary="A flow (or the one in force) beside what happens", openapi_extra=YAML_BODY)
    def compare_flow(asked: History, text: FlowText) -> DifferenceModel:
        return difference_answer(deps, asked, text)

    summary = "The flow in force beside what happens"

    @routes.get("/diff", summary=summary, response_model=DifferenceModel, responses=BOTH)
    def compare_flow_in_force(asked: History, form: Form = "json") -> Answer:
        return in_form(form, "diff", difference_answer(deps, asked))

    @routes.post("/replay", summary="What other limits would have said over history", openapi_extra=YAML_BODY)
    def replay_flow(
        asked: History,
        text: FlowText,
        within: Annotated[
            str, Query(description="moved on so soon after the limit is a false alarm: 10% of it, or 30m")
        ] = "10%",
    ) -> ReplayModel:
        picked, flow = _flow_and_orders(deps, asked, text)
        grace = _grace(within)

        def over_history(tried: Flow) -> ReplayedModel:
            return replayed_model(tried, replay_limits(deps.store, picked.filter, picked.now_ns, tried, grace))

        return ReplayModel(
            asked=asked_model(picked.filter),
            orders=read_extent(deps.store, picked.filter).orders,
            grace_share=grace.share,
            grace_s=seconds(grace.length_ns),
            tried=over_history(flow),
            in_force=over_history(picked.flow) if picked.flow else None,
        )

    summary = "How long finished orders still took from each stage"

    @routes.get("/remaining", summary=summary, response_model=RemainingsModel, responses=BOTH)
    def show_remaining(
        flow: Annotated[str, Query(description="the flow; left out: the flow of most orders")] = "",
        form: Form = "json",
    ) -> Answer:
        return in_form(form, "remaining", remaining_answer(deps, flow))

    return routes


def difference_answer(deps: ApiDeps, asked: Asked, text: str = "") -> DifferenceModel:
    """A flow, or the one in force, beside what happens. Raises FlowError and ApiError."""
    picked, flow = _flow_and_orders(deps, asked, text)
    seen, everything = read_for_comparison(deps.store, picked.filter, picked.now_ns, flow)
    return difference_model(flow, difference(flow, seen, everything), picked.filter)


def remaining_answer(deps: ApiDeps, flow: str) -> RemainingsModel:
    """Remaining times of a flow; without a name of the one that most orders follow. Raises ApiError."""
    picked = picked_orders(deps, asked_of_history(flow))
    name = picked.filter.flow
    found = read_remaining(deps.store, picked.now_ns, name)
    place = {stage.name: index for index, stage in enumerate(picked.flow.stages)} if picked.flow else {}
    keys = sorted(found, key=lambda key: (key[1], place.get(key[2], len(place)), key[2]))
    return RemainingsModel(flow=name, stages=[remaining_model(key[1], key[2], found[key]) for key in keys])


def _flow_and_orders(deps: ApiDeps, asked: Asked, text: str) -> tuple[Picked, Flow]:
    """The flow in the text, else the one in force, and the orders to hold it against: its own unless others are asked
    for, those of most orders' flow when it has none. Raises FlowError and ApiError."""
    given = parse_flow(text) if text.strip() else None
    if given is not None and not asked.flow and has_orders(deps.store, given.name):
        asked = replace(asked, flow=given.name)
    picked = picked_orders(deps, asked)
    flow = given.accepting_at(picked.now_ns) if given else picked.flow
    if flow is None:
        raise _undeclared(picked.filter.flow)
    return picked, flow


def _undeclared(name: str) -> ApiError:
    return not_found(f"nobody declared a flow {name}", "give a flow file, such as one of `clew flow discover`")


def _length(name: str, text: str) -> int:
    try:
        return max(1, parse_length(text))
    except ValueError as error:
        raise invalid(f"{name}: {error}", "write for example 90s, 30m, 4h or 2d") from error


def _grace(text: str) -> Grace:
    share = text.removesuffix("%").strip()
    if text.endswith("%"):
        if not (share.isascii() and share.isdigit() and len(share) <= 4):
            raise invalid(f"within: {text!r} is no share of a limit", "write for example 10%, or 30m")
        return Grace(int(share) / 100)
    return Grace(0.0, _length("within", text))
