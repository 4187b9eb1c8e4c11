"""Routes of the orders: reads the store, answers with the page."""

from __future__ import annotations

from dataclasses import dataclass, replace

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from clew.api.deps import ApiDeps
from clew.api.errors import invalid
from clew.api.order_line import order_line
from clew.api.order_list import list_at, stored_user
from clew.model.journey import VerdictKind
from clew.store.board import BoardRow, read_board
from clew.store.lookups import both
from clew.store.orders import OrderPage, count_orders, find_orders
from clew.store.seek import any_order
from clew.store.views import SavedView, read_views
from clew.web.pages.orders.asked import Asked, read_asked
from clew.web.pages.orders.context import OrdersPage, Read, orders_page
from clew.web.pages.orders.search import search_routes
from clew.web.pages.orders.views import view_routes
from clew.web.rendering import Pages

_ROWS = 50


def orders_routes(deps: ApiDeps, pages: Pages) -> APIRouter:
    """The start page, the search, and the forms that change saved views."""
    routes = APIRouter()

    @routes.get("/", include_in_schema=False)
    def show_orders(request: Request, after: str = "") -> HTMLResponse:
        page, now_ns = _page(deps, asked_by(request), after)
        return pages.answer(request, "orders/orders.html", page, page.title, now_ns=now_ns)

    routes.include_router(search_routes(deps, pages))
    routes.include_router(view_routes(deps))
    return routes


def asked_by(request: Request) -> Asked:
    """The filters in the address of a request. Raises ApiError."""
    try:
        return read_asked(request.query_params.multi_items())
    except ValueError as error:
        raise invalid(*map(str, error.args)) from error


@dataclass(frozen=True, slots=True)
class _Around:
    """What stands around the list."""

    board: list[BoardRow]
    views: list[SavedView]


def _page(deps: ApiDeps, asked: Asked, after: str) -> tuple[OrdersPage, int]:
    """The page, and the moment as of which it was judged."""
    (page, counts), around = both(lambda: _listed(deps, asked, after), lambda: _around(deps, asked))
    read = Read(
        lines=[order_line(each, deps.flow_of(each.flow), page.now_ns) for each in page.items],
        cursor=page.next,
        after=after,
        counts=counts,
        board=around.board,
        flows=[each.flow for each in deps.book.current],
        views=around.views,
        any_order=bool(page.items) or bool(around.board) or any_order(deps.store),
        masked=deps.users_masked,
        now_ns=page.now_ns,
    )
    return orders_page(asked, read), page.now_ns


def _listed(deps: ApiDeps, asked: Asked, after: str) -> tuple[OrderPage, dict[VerdictKind, int] | None]:
    """A page of the list, and how many orders have each verdict, whatever verdicts are chosen."""
    filter_ = asked.filter(stored_user(deps, asked.user))
    if asked.at:
        listed = list_at(deps, filter_, asked.at, _ROWS, after)
        return listed.page, None if asked.verdicts else listed.counts
    page = find_orders(deps.store, filter_, deps.now_ns(), _ROWS, after or None)
    return page, count_orders(deps.store, replace(filter_, verdicts=()), page.now_ns)


def _around(deps: ApiDeps, asked: Asked) -> _Around:
    views = read_views(deps.store)
    if asked.at:
        return _Around([], views)
    flows = [each.flow for each in deps.book.current]
    return _Around(read_board(deps.store, flows, deps.now_ns(), asked.flow, asked.path), views)
