"""Routes of the flow page: a view each; reports are large requests, which take turns."""

from __future__ import annotations

from dataclasses import replace

from fastapi import APIRouter, Depends, Request
from starlette.responses import HTMLResponse

from clew.api.asked import Asked, InRange, compared_with, picked_orders
from clew.api.deps import ApiDeps
from clew.api.errors import not_found
from clew.report.unknown import known_paths
from clew.web.frame import viewer_zone
from clew.web.pages.flow.asked import joined, with_defaults
from clew.web.pages.flow.filters_context import Chosen
from clew.web.pages.flow.reads import READS, Reading
from clew.web.pages.flow.views import STEP, VIEWS
from clew.web.rendering import Pages

_FIRST = "map"


def flow_routes(deps: ApiDeps, pages: Pages) -> APIRouter:
    """/flow and every view below it."""
    routes = APIRouter(dependencies=[Depends(deps.turns)])

    @routes.get("/flow", include_in_schema=False)
    def show_first(request: Request, asked: InRange) -> HTMLResponse:
        return _answer(deps, pages, request, _FIRST, asked)

    @routes.get("/flow/{view}", include_in_schema=False)
    def show_view(request: Request, view: str, asked: InRange) -> HTMLResponse:
        return _answer(deps, pages, request, view, asked)

    return routes


def _answer(deps: ApiDeps, pages: Pages, request: Request, name: str, asked: Asked) -> HTMLResponse:
    view = STEP if name == STEP.name else VIEWS.get(name)
    if view is None:
        raise not_found(f"there is no view {name} of the flow", "choose one at /flow")
    reading = _reading(deps, request, name, asked)
    page = READS[name](reading)
    return pages.answer(request, f"flow/{name}.html", page, view.label, now_ns=reading.picked.now_ns)


def _reading(deps: ApiDeps, request: Request, name: str, asked: Asked) -> Reading:
    zone = viewer_zone(request)
    pairs = tuple((key, value.strip()) for key, value in request.query_params.multi_items() if value.strip())
    view = STEP if name == STEP.name else VIEWS[name]
    asked = with_defaults(replace(asked, against=asked.against or joined(pairs)), zone)
    picked = picked_orders(deps, asked if view.range != "none" else replace(asked, from_="", to=""))
    asked = replace(asked, flow=picked.filter.flow)
    flow = picked.flow
    chosen = Chosen(
        pairs=pairs,
        asked=asked,
        filter=picked.filter,
        other=(found.filter if (found := compared_with(asked, picked)) else None) if view.compared else None,
        plural=flow.plural if flow else "orders",
        flows=tuple(each.flow.name for each in deps.book.current),
        paths=tuple(flow.paths) if flow and flow.paths else known_paths(deps.store, asked.flow),
    )
    return Reading(deps, view, chosen, picked, zone, dict(pairs))
