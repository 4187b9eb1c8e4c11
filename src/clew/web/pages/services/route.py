"""The routes of services: /services and /services/{name}; reads what is asked for, two questions at a time."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter, Depends, Request
from starlette.responses import HTMLResponse

from clew.api.deps import ApiDeps
from clew.api.errors import not_found
from clew.store.contract import Store
from clew.store.lookups import both
from clew.store.minutes import ServiceMinutes, Window, read_by_service, read_counts, read_durations, services_between
from clew.store.service_details import operations, queues, statements
from clew.store.services import edges
from clew.web.frame import viewer_zone
from clew.web.pages.services.context import Details, ServicesPage, service_page, services_page
from clew.web.rendering import Pages
from clew.web.tidy import TidyRoute
from clew.web.time_range import TimeRange, time_range

SAMPLE_FROM = 400_000
"""When there are more spans than this, calls and operations are counted in a sample of the time."""

_KNOWN_FOR_NS = 28 * 86_400 * 10**9


def services_routes(deps: ApiDeps, pages: Pages) -> APIRouter:
    """The page of all services, and that of one; ``range`` and ``to`` choose the span of time."""
    routes = APIRouter(route_class=TidyRoute)
    turn = Depends(deps.turns)

    @routes.get("/services", dependencies=[turn], include_in_schema=False)
    def show_services(request: Request, to: str = "") -> HTMLResponse:
        now_ns = deps.now_ns()
        chosen = time_range(request.query_params, now_ns, viewer_zone(request), default="1h")
        page = _all(deps.store, chosen, to)
        return pages.answer(request, "services/services.html", page, "Services", now_ns=now_ns)

    @routes.get("/services/{name:path}", dependencies=[turn], include_in_schema=False)
    def show_service(request: Request, name: str, to: str = "") -> HTMLResponse:
        now_ns = deps.now_ns()
        zone = viewer_zone(request)
        chosen = time_range(request.query_params, now_ns, zone, default="1h")
        page = service_page(chosen, to, name, _details(deps.store, chosen.window, name), zone)
        return pages.answer(request, "services/service.html", page, f"Service {name}", now_ns=now_ns)

    return routes


def _all(store: Store, chosen: TimeRange, to: str) -> ServicesPage:
    window = chosen.window
    since_ns, until_ns = window.since_ns, window.until_ns
    found = read_by_service(store, window)
    one_in = _one_in(found)
    calls, (slow, around) = both(
        lambda: edges(store, since_ns, until_ns, one_in),
        lambda: (statements(store, since_ns, until_ns, slow_only=True), queues(store, since_ns, until_ns)),
    )
    return services_page(chosen, to, found, calls, slow, around, one_in)


def _one_in(found: Sequence[ServiceMinutes]) -> int:
    return max(1, -(-sum(each.spans for each in found) // SAMPLE_FROM))


def _details(store: Store, window: Window, name: str) -> Details:
    """What a service did. Raises ApiError when no service of that name ran lately."""
    since_ns, until_ns = window.since_ns, window.until_ns
    found = read_by_service(store, window)
    totals = next((each for each in found if each.service == name), None)
    if totals is None and name not in services_between(store, until_ns - _KNOWN_FOR_NS, until_ns):
        mend = "choose one from the list of services; names differ by case"
        raise not_found(f"no service {name} sent anything in 28 days", mend)
    one_in = _one_in(found)
    (counts, durations, asked), (calls, told, around) = both(
        lambda: (
            read_counts(store, window, name),
            read_durations(store, window, name),
            operations(store, since_ns, until_ns, name, one_in),
        ),
        lambda: (
            edges(store, since_ns, until_ns, one_in, name),
            statements(store, since_ns, until_ns, name, slow_only=one_in > 1),
            queues(store, since_ns, until_ns, name),
        ),
    )
    return Details(totals, counts, durations, asked, told, around, calls, one_in)
