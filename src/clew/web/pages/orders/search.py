"""The search of every page: from an id that somebody has to the page about it."""

from __future__ import annotations

import re
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from clew.api.deps import ApiDeps
from clew.api.order_list import TRACE_ID, stored_user
from clew.store.lookups import both
from clew.store.seek import has_trace, order_called, orders_beginning, orders_called_alike, orders_of_user
from clew.web.pages.orders.asked import Asked
from clew.web.pages.orders.search_context import search_page
from clew.web.rendering import Pages
from clew.web.words import order_href

_LONGEST = 1_000
# A masked id of a user shows four characters at most: less than five in clear would match every short one.
_USER_FROM = 5


def search_routes(deps: ApiDeps, pages: Pages) -> APIRouter:
    """/search: leads to the order, the trace or the list that a text stands for."""
    routes = APIRouter()

    @routes.get("/search", include_in_schema=False)
    def search(request: Request, q: str = "") -> Response:
        text = q.strip()[:_LONGEST]
        as_trace = re.fullmatch(TRACE_ID, text) is not None
        if not text:
            return RedirectResponse("/", 303)
        if (order_id := order_called(deps.store, text)) is not None:
            return RedirectResponse(order_href(order_id), 303)
        if as_trace and has_trace(deps.store, text.lower()):
            return RedirectResponse(f"/traces/{text.lower()}", 303)
        as_user = not deps.users_masked or len(text) >= _USER_FROM or text.startswith("…")
        user = stored_user(deps, text) if as_user else ""
        of_user, beginning = both(
            lambda: orders_of_user(deps.store, user) if user else 0, lambda: orders_beginning(deps.store, text)
        )
        if bool(of_user) != bool(beginning):
            return RedirectResponse((Asked(user=text) if of_user else Asked(prefix=text)).href, 303)
        page = search_page(
            text, of_user, beginning, () if beginning else orders_called_alike(deps.store, text),
            as_trace=as_trace, as_user=as_user, users_masked=deps.users_masked,
            spans_href=f"/traces?{urlencode({'order': text})}",
        )  # fmt: skip
        return pages.answer(
            request, "orders/search.html", page, f"Search for {page.text}", status=200 if page.meanings else 404
        )

    return routes
