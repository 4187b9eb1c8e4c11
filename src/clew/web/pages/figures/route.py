"""The route of key figures: reads the minutes of now and of before at the same time."""

from __future__ import annotations

import logging

from fastapi import APIRouter, Depends, Request
from starlette.responses import HTMLResponse

from clew.api.deps import ApiDeps
from clew.api.errors import not_found
from clew.model.errors import ControlError
from clew.report.filter import flow_of_most_orders
from clew.store.contract import Store
from clew.store.lookups import both
from clew.store.minutes import Window, read_counts, read_durations, services_between
from clew.store.order_figures import orders_closed, stage_failures, stage_times
from clew.watch.desk import Desk
from clew.web.frame import viewer_zone
from clew.web.pages.figures.asked import Asked, Handled, Orders
from clew.web.pages.figures.context import FiguresPage, figures_page
from clew.web.pages.figures.measures import Minutes
from clew.web.rendering import Pages
from clew.web.tidy import TidyRoute
from clew.web.time_range import time_range

log = logging.getLogger(__name__)


def figures_routes(deps: ApiDeps, pages: Pages) -> APIRouter:
    """/figures: ``range``, ``to``, ``service`` and ``flow`` choose."""
    routes = APIRouter(route_class=TidyRoute)

    @routes.get("/figures", dependencies=[Depends(deps.turns)], include_in_schema=False)
    def show_figures(request: Request, service: str = "", flow: str = "", to: str = "") -> HTMLResponse:
        now_ns = deps.now_ns()
        name = flow or flow_of_most_orders(deps.store) or deps.flow_of("").name
        zone = viewer_zone(request)
        chosen = time_range(request.query_params, now_ns, zone)
        asked = Asked(chosen, service, deps.flow_of(name), to, zone)
        return pages.answer(request, "figures/figures.html", _page(deps, asked), "Key figures", now_ns=now_ns)

    return routes


def _page(deps: ApiDeps, asked: Asked) -> FiguresPage:
    now, before = asked.range.window, asked.range.earlier
    services = services_between(deps.store, before.since_ns, now.until_ns)
    if asked.service and asked.service not in services:
        mend = "choose another service, or a longer range"
        raise not_found(f"no service {asked.service} ran in this time", mend)
    flows = [each.flow.name for each in deps.book.current]
    (told, was), orders = both(
        lambda: (_minutes(deps.store, now, asked.service), _minutes(deps.store, before, asked.service)),
        lambda: _orders(deps.store, now, before, asked.flow.name),
    )
    return figures_page(asked, told, was, orders, _handled(deps.desk, now, before), services, flows)


def _handled(desk: Desk | None, now: Window, before: Window) -> Handled | None:
    """None where nobody watches, or it can't be told: key figures don't hang on the control database."""
    if desk is None:
        return None
    try:
        return Handled(*(desk.figures(each.since_ns, each.until_ns) for each in (now, before)))
    except ControlError as error:
        log.warning("how fast incidents are handled can't be told: %s", error)
        return None


def _minutes(store: Store, window: Window, service: str) -> Minutes:
    return Minutes(window, read_counts(store, window, service), read_durations(store, window, service))


def _orders(store: Store, now: Window, before: Window, flow: str) -> Orders:
    return Orders(
        (orders_closed(store, now, flow), orders_closed(store, before, flow)),
        (stage_times(store, now, flow), stage_times(store, before, flow)),
        (stage_failures(store, now, flow), stage_failures(store, before, flow)),
    )
