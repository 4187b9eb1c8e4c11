"""The JSON API as an ASGI application."""

from __future__ import annotations

from typing import Any

from fastapi import Depends, FastAPI

from clew import __version__
from clew.api.deps import ApiDeps
from clew.api.errors import install_errors
from clew.api.export import export_routes
from clew.api.flows import flow_routes
from clew.api.hooks import hook_routes
from clew.api.imports import import_routes
from clew.api.incidents import incident_routes
from clew.api.known import only_known_parameters
from clew.api.learn import learn_routes
from clew.api.orders import order_routes
from clew.api.reactions import reaction_routes
from clew.api.reload import reload_routes
from clew.api.report_hints import hint_routes
from clew.api.reports import report_routes
from clew.api.rules import rule_routes
from clew.api.spans import span_routes
from clew.api.status import probe_routes, status_routes

# FastAPI traces itself as soon as some OpenTelemetry provider is set in the process; Clew doesn't follow itself.
SILENT: Any = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}


def create_api(deps: ApiDeps) -> FastAPI:
    """The API over a store and its flows.

    Every answer that isn't a success is ``{"error": {"code", "message", "mend"}}``. Its description is at
    ``/api/v1/openapi.json``; there is no page that would load scripts from elsewhere.
    """
    app = FastAPI(
        title="Clew",
        summary="Where is this order, since when, is it stuck or lost, and why",
        version=__version__,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        strict_content_type=False,
        telemetry=SILENT,
    )
    install_errors(app)
    app.include_router(probe_routes(deps))
    known = Depends(only_known_parameters)
    for routes in (
        order_routes,
        span_routes,
        flow_routes,
        export_routes,
        status_routes,
        import_routes,
        incident_routes,
        hook_routes,
        reaction_routes,
        reload_routes,
        rule_routes,
    ):
        app.include_router(routes(deps), prefix="/api/v1", dependencies=[known])
    for routes in (report_routes, hint_routes, learn_routes):
        app.include_router(routes(deps), prefix="/api/v1", dependencies=[known, Depends(deps.turns)])
    return app
