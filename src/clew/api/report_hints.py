"""Route: why a report has little to tell. People see it below a report that is empty; the reports stay as they are."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from clew.api.asked import Asked, FlowVersion, picked_orders
from clew.api.deps import ApiDeps
from clew.api.errors import RESPONSES
from clew.report.unknown import Named, unknown_names


class UnknownModel(BaseModel):
    """Something that no order of the flow has, and some that orders have, the most frequent first."""

    model_config = ConfigDict(from_attributes=True)

    kind: str = Field(description="path, stage, flow version, attribute, or value (key=value)")
    name: str
    known: list[str]


class HintsModel(BaseModel):
    """What makes reports of a flow poor: that nobody declared it, and names that no order of it has."""

    flow: str
    declared: bool
    unknown: list[UnknownModel]


def hint_routes(deps: ApiDeps) -> APIRouter:
    """The route beside the reports. Blocking calls run on worker threads."""
    routes = APIRouter(prefix="/reports", tags=["reports"], responses=RESPONSES)

    @routes.get("/hints", summary="Whether the flow is declared, and what of a filter no order of it has")
    def show_hints(
        flow: Annotated[str, Query(description="the flow; left out: the flow of most orders")] = "",
        path: Annotated[list[str] | None, Query(description="a path; may be repeated")] = None,
        attribute: Annotated[list[str] | None, Query(description="key=value of an order; may be repeated")] = None,
        step: Annotated[list[str] | None, Query(description="a stage; may be repeated")] = None,
        flow_version: FlowVersion = None,
    ) -> HintsModel:
        asked = Asked(flow, "", "", "", tuple(attribute or ()), flow_version, "", "")
        picked = picked_orders(deps, asked)
        named = Named(tuple(path or ()), picked.filter.attributes, tuple(step or ()), flow_version)
        found = unknown_names(deps.store, picked.filter.flow, named, picked.flow)
        return HintsModel(
            flow=picked.filter.flow,
            declared=picked.flow is not None,
            unknown=[UnknownModel.model_validate(each) for each in found],
        )

    return routes
