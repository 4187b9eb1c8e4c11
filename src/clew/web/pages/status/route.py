"""The route of the page about Clew itself."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from clew.api.deps import ApiDeps
from clew.api.status import status_model
from clew.store.imports import unfinished_imports
from clew.web.pages.status.context import status_page
from clew.web.pages.status.recent import Recent, Sample
from clew.web.rendering import Pages

_RENEWS_ITSELF = "X-Clew-Live"


def status_page_routes(deps: ApiDeps, pages: Pages, recent: Recent) -> APIRouter:
    """/status. When an open page renews itself, what costs more and moves little isn't read again."""
    routes = APIRouter()

    @routes.get("/status", include_in_schema=False)
    def show_status(request: Request) -> HTMLResponse:
        recent.add(sample_of(deps))
        now_ns = deps.now_ns()
        status = status_model(deps, whole=_RENEWS_ITSELF not in request.headers)
        page = status_page(status, recent.samples, unfinished_imports(deps.store), deps.started_ns, now_ns)
        return pages.answer(request, "status/status.html", page, "Status", now_ns=now_ns)

    return routes


def sample_of(deps: ApiDeps) -> Sample:
    """Clew's counters now."""
    now_ns = deps.now_ns()
    intake, ticker = deps.intake, deps.ticker
    horizon_ns = ticker.counts.horizon_ns if ticker else 0
    return Sample(
        at_ns=now_ns,
        requests=intake.committer.counts.requests if intake else 0,
        bytes=intake.committer.counts.bytes if intake else 0,
        refused=intake.committer.counts.refused + intake.admission.refused if intake else 0,
        orders=ticker.counts.orders if ticker else 0,
        waiting=intake.admission.in_use if intake else 0,
        lag_ns=max(0, now_ns - horizon_ns) if horizon_ns else 0,
    )
