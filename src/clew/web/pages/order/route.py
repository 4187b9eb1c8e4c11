"""The route of an order's page: reads what is stored of it, and answers."""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from clew.api.deps import ApiDeps
from clew.api.order_list import TRACE_ID
from clew.control.contract import IncidentQuery
from clew.model.errors import ControlError
from clew.model.incident import Incident
from clew.store.contract import Store
from clew.store.lookups import both
from clew.store.order_notes import OrderLogs, notable_spans, order_logs
from clew.store.orders import OrderFilter, find_orders
from clew.store.search import SpanFilter, search_spans
from clew.store.seek import orders_called_alike
from clew.store.whole_order import WholeOrder, read_whole_order
from clew.watch.desk import Desk
from clew.web.frame import viewer_zone
from clew.web.pages.order.context import (
    LOGS_AT_MOST,
    LOGS_SHOWN,
    Asked,
    Kept,
    UnknownOrderPage,
    incident_rows,
    order_page,
)
from clew.web.pages.order.ticket import with_ticket
from clew.web.rendering import Pages
from clew.web.words import order_href, verdict

_ALIKE = 5
_INCIDENTS = 5

log = logging.getLogger(__name__)

Whole = Literal["", "way", "messages", "traces", "logs"]


def order_page_routes(deps: ApiDeps, pages: Pages) -> APIRouter:
    """/orders/{id}: by the order's id or another id of it; ids may hold slashes."""
    routes = APIRouter()

    @routes.get("/orders/{order_id:path}", include_in_schema=False)
    def show_order(
        request: Request,
        order_id: str,
        whole: Annotated[Whole, Query(alias="all", description="the list that is shown whole")] = "",
        time: Annotated[Literal["folded", "scale"], Query(description="whether empty times are folded")] = "folded",
    ) -> Response:
        if not order_id:
            return RedirectResponse("/", 303)
        order = read_whole_order(deps.store, order_id)
        if order is None:
            page = unknown_order(deps.store, order_id, deps.now_ns())
            return pages.answer(request, "order/unknown.html", page, f"No order {order_id}", status=404)
        now_ns = deps.now_ns()
        url = deps.public_url + order_href(order_id)
        asked = Asked(order_id, url, viewer_zone(request), whole, time == "folded")
        flow = deps.flow_of(order.journey.flow)
        shown = with_ticket(order_page(_kept(deps.store, order, whole, now_ns), flow, asked, now_ns), now_ns)
        shown = replace(shown, incidents=incident_rows(_incidents(deps.desk, order.journey.order_id)))
        title = f"{flow.singular} {order.journey.order_id}: {verdict(shown.line.verdict.kind.value)}"
        return pages.answer(request, "order/order.html", shown, title, now_ns=now_ns)

    return routes


def _incidents(desk: Desk | None, order_id: str) -> list[Incident]:
    """What is known of an order doesn't wait for the control database to be well."""
    if desk is None:
        return []
    try:
        return desk.incidents.find(IncidentQuery(order_id=order_id, limit=_INCIDENTS))
    except ControlError as error:
        log.warning("incidents of an order can't be told: %s", error)
        return []


def _kept(store: Store, order: WholeOrder, whole: str, now_ns: int) -> Kept:
    journey = order.journey
    logs_ns = (journey.first_ns, max(journey.last_ns, now_ns if not journey.terminal else 0))
    limit = LOGS_AT_MOST if whole == "logs" else LOGS_SHOWN

    def logs() -> OrderLogs:
        return order_logs(store, order.scope, logs_ns, limit)

    found, notable = both(logs, lambda: notable_spans(store, order.scope))
    return Kept(order, notable, found)


def unknown_order(store: Store, order_id: str, now_ns: int) -> UnknownOrderPage:
    """Where else an id is known that is no order's."""
    named, alike = both(
        lambda: search_spans(store, SpanFilter(order_id=order_id), 1).items,
        lambda: find_orders(store, OrderFilter(order_prefix=order_id), now_ns, _ALIKE).items,
    )
    trace = bool(re.match(TRACE_ID, order_id)) and bool(
        search_spans(store, SpanFilter(trace_id=order_id.lower()), 1).items
    )
    meant = orders_called_alike(store, order_id)
    return UnknownOrderPage(order_id, bool(named), trace, meant, tuple(each.order_id for each in alike))
