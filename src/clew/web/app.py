"""The web pages as an ASGI application."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter, FastAPI
from starlette.middleware.gzip import GZipMiddleware

from clew.api.app import SILENT
from clew.api.deps import ApiDeps
from clew.web.assets import asset_routes
from clew.web.errors import install_error_pages
from clew.web.glance import Glance
from clew.web.live import live_routes
from clew.web.pages.figures import figures_routes
from clew.web.pages.find import find_routes
from clew.web.pages.flow import flow_routes
from clew.web.pages.incidents import incident_page_routes
from clew.web.pages.order import order_page_routes
from clew.web.pages.orders import orders_routes
from clew.web.pages.rules import rules_page_routes
from clew.web.pages.services import services_routes
from clew.web.pages.status import status_page_routes
from clew.web.pages.status.recent import Recent
from clew.web.pages.trace import trace_routes
from clew.web.preferences import preference_routes
from clew.web.rendering import Pages

_COMPRESSED_FROM = 2_000

PAGES: tuple[Callable[[ApiDeps, Pages], APIRouter], ...] = (
    orders_routes,
    order_page_routes,
    incident_page_routes,
    rules_page_routes,
    find_routes,
    trace_routes,
    figures_routes,
    services_routes,
    flow_routes,
)
"""The routes of every page; a page is a folder below clew.web.pages."""


def create_web(deps: ApiDeps, ending: Callable[[], bool] = lambda: False, recent: Recent | None = None) -> FastAPI:
    """The pages over a store and its flows; ``ending`` says that the process stops, so that live connections end.

    ``recent`` holds Clew's counters of the last minutes; whoever gives it samples them, also while no page is open.
    Every answer that isn't a success is a page that says what went wrong and what to do.
    """
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False, telemetry=SILENT)
    glance = Glance(lambda: deps.desk)
    pages = Pages(deps.now_ns, deps.problem, glance)
    install_error_pages(app, pages)
    for routes in PAGES:
        app.include_router(routes(deps, pages))
    app.include_router(status_page_routes(deps, pages, Recent() if recent is None else recent))
    app.include_router(live_routes(deps, glance, ending))
    app.include_router(preference_routes())
    app.include_router(asset_routes())
    app.add_middleware(GZipMiddleware, minimum_size=_COMPRESSED_FROM, compresslevel=5)
    return app
