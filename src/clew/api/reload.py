"""The route that reads again what is declared in files."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field

from clew.api.deps import ApiDeps
from clew.api.errors import RESPONSES, ApiError, not_found
from clew.model.errors import FlowError, SettingsError


class ReloadedModel(BaseModel):
    """What changed, a line for each kind of declaration; empty: nothing did."""

    changes: list[str] = Field(description="such as `rules: new: late-approval; gone: stuck`")


def reload_routes(deps: ApiDeps) -> APIRouter:
    """The route /reload. It blocks, so it runs on a worker thread."""
    routes = APIRouter(tags=["status"], responses=RESPONSES)

    @routes.post("/reload", summary="Read flows, rules, channels and reactions from their files again")
    def reload() -> ReloadedModel:
        if deps.reload is None:
            raise not_found("no server watches here", "ask a running one")
        try:
            return ReloadedModel(changes=deps.reload())
        except (FlowError, SettingsError) as error:
            mend = "mend the file and reload again; what was declared before stays in force"
            raise ApiError(422, "invalid_file", str(error), mend) from error

    return routes
