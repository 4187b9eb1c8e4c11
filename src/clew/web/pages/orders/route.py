"""Routes of the orders: reads the store, answers with the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Request
from starlette.responses import HTMLResponse

from clew.api.deps import ApiDeps
from clew.api.errors import invalid
from clew.api.order_line import order_line
from clew.api.order_list import list_at, stored_user
from clew.model.flow import Flow
from clew.model.journey import VerdictKind
from clew.store.board import BoardRow, read_board
from clew.store.lookups import both
from clew.store.orders import OrderPage, count_orders, find_orders
from clew.store.seek import any_order
from clew.store.views import read_views
from clew.web.frame import viewer_zone
from clew.web.pages.orders.asked import Asked, read_asked
from clew.web.pages.orders.board_context import counts_of, tells_counts
from clew.web.pages.orders.context import OrdersPage, Read, orders_page
from clew.web.pages.orders.search import search_routes
from clew.web.pages.orders.views import view_routes
from clew.web.rendering import Pages
from clew.web.time_range import local_moment

_ROWS = 50


def orders_routes(deps: ApiDeps, pages: Pages) -> APIRouter:
    """The start page, the search, and the forms that change saved views."""
    routes = APIRouter()

    @routes.get("/", dependencies=[Depends(deps.turns.when_past)], include_in_schema=False)
    def show_orders(request: Request, after: str = "") -> HTMLResponse:
        page, now_ns = _page(deps, asked_by(request), after, viewer_zone(request))
        return pages.answer(request, "orders/orders.html", page, page.title, now_ns=now_ns)

    routes.include_router(search_routes(deps, pages))
    routes.include_router(view_routes(deps, pages))
    return routes


def asked_by(request: Request) -> Asked:
    """The filters in the address of a request. Raises ApiError."""
    try:
        return read_asked(request.query_params.multi_items())
    except ValueError as error:
        raise invalid(*map(str, error.args)) from error


def _page(deps: ApiDeps, asked: Asked, after: str, zone: ZoneInfo) -> tuple[OrdersPage, int]:
    """The page, and the moment as of which it was judged; a past one without a zone is in the viewer's."""
    flows = [each.flow for each in deps.book.current]
    now_ns = deps.now_ns()
    # The board has counted the open orders of each stage: mostly these are the numbers of the chips, too.
    counted = not after and tells_counts(asked, flows)
    listed, (board, views) = both(
        lambda: _listed(deps, asked, now_ns, after, zone, counted=counted),
        lambda: (_board(deps, asked, flows, now_ns), read_views(deps.store)),
    )
    page = listed.page
    read = Read(
        lines=[order_line(each, deps.flow_of(each.flow), page.now_ns) for each in page.items],
        cursor=page.next,
        after=after,
        counts=counts_of(board, asked.stage) if counted else listed.counts,
        board=board,
        flows=flows,
        views=views,
        any_order=bool(page.items) or bool(board) or any_order(deps.store),
        masked=deps.users_masked,
        now_ns=page.now_ns,
    )
    return orders_page(asked, read), page.now_ns


@dataclass(frozen=True, slots=True)
class _Listed:
    """A page of the list, and how many orders have each verdict, whatever verdicts are chosen (None: not counted)."""

    page: OrderPage
    counts: Mapping[VerdictKind, int] | None


def _listed(deps: ApiDeps, asked: Asked, now_ns: int, after: str, zone: ZoneInfo, *, counted: bool) -> _Listed:
    filter_ = asked.filter(stored_user(deps, asked.user))
    if asked.at:
        past = list_at(deps, filter_, local_moment(asked.at, zone), _ROWS, after)
        return _Listed(past.page, None if asked.verdicts else past.counts)
    page = find_orders(deps.store, filter_, now_ns, _ROWS, after or None)
    if counted:
        return _Listed(page, None)
    return _Listed(page, count_orders(deps.store, replace(filter_, verdicts=()), page.now_ns))


def _board(deps: ApiDeps, asked: Asked, flows: Sequence[Flow], now_ns: int) -> list[BoardRow]:
    """The board; of a past moment there is none."""
    return [] if asked.at else read_board(deps.store, flows, now_ns, asked.flow, asked.path)
