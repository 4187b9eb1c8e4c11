"""Saved views: forms that save, rename and delete them, the last when asked again. All who use this Clew share them."""

from __future__ import annotations

import threading
from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import APIRouter, Form, Request
from starlette.responses import HTMLResponse, RedirectResponse

from clew.api.deps import ApiDeps
from clew.api.errors import ApiError, invalid, not_found
from clew.store.views import SavedView, drop_view, read_views, rename_view, write_view
from clew.web.pages.orders.asked import Asked, read_asked
from clew.web.pages.orders.delete_context import DeleteViewPage
from clew.web.rendering import Pages

LONGEST_NAME = 60
MOST_VIEWS = 50
_LONGEST_FILTER = 4_000


def view_routes(deps: ApiDeps, pages: Pages) -> APIRouter:
    """/views and below: each form leads back to the list."""
    routes = APIRouter()
    changing = threading.Lock()

    @routes.post("/views", include_in_schema=False)
    def save(name: Annotated[str, Form()] = "", filters: Annotated[str, Form(alias="filter")] = "") -> RedirectResponse:
        asked = asked_in(filters)
        with changing:
            known = {view.name for view in read_views(deps.store)}
            if len(known) >= MOST_VIEWS:
                raise invalid(f"there are {MOST_VIEWS} views already", "delete one that nobody needs")
            write_view(deps.store, SavedView(new_name(name, known), asked.query))
        return RedirectResponse(asked.href, 303)

    @routes.post("/views/rename", include_in_schema=False)
    def rename(name: Annotated[str, Form()] = "", to: Annotated[str, Form()] = "") -> RedirectResponse:
        with changing:
            known = {view.name: view for view in read_views(deps.store)}
            view = _of(known, name)
            if to.strip() != name:
                rename_view(deps.store, view, new_name(to, set(known)))
        return RedirectResponse(asked_in(view.filter).href, 303)

    @routes.get("/views/delete", include_in_schema=False)
    def ask(request: Request, name: str = "") -> HTMLResponse:
        view = _of({view.name: view for view in read_views(deps.store)}, name)
        page = DeleteViewPage(view.name, asked_in(view.filter).href)
        return pages.answer(request, "orders/delete.html", page, f"Delete view {view.name}")

    @routes.post("/views/delete", include_in_schema=False)
    def delete(name: Annotated[str, Form()] = "") -> RedirectResponse:
        with changing:
            view = _of({view.name: view for view in read_views(deps.store)}, name)
            drop_view(deps.store, view.name)
        return RedirectResponse(asked_in(view.filter).href, 303)

    return routes


def new_name(name: str, known: set[str]) -> str:
    """The name for a view. Raises ApiError when it is none, or another view's."""
    cleaned = " ".join(name.split())
    if not cleaned or len(cleaned) > LONGEST_NAME or not cleaned.isprintable():
        raise invalid("a view needs a name", f"give one of up to {LONGEST_NAME} letters, digits and signs")
    if cleaned in known:
        mend = "choose another name, or delete or rename that one first"
        raise ApiError(409, "exists", f"there is a view {cleaned} already", mend)
    return cleaned


def asked_in(filters: str) -> Asked:
    """The filters of a query string, in their own form. Raises ApiError."""
    try:
        if len(filters) > _LONGEST_FILTER:
            raise ValueError("these filters are too long to be saved", "filter by less text")
        return read_asked(parse_qsl(filters))
    except ValueError as error:
        raise invalid(*(str(each) for each in error.args)) from error


def _of(known: dict[str, SavedView], name: str) -> SavedView:
    if name not in known:
        raise not_found(f"there is no view {name}", "somebody may have renamed or deleted it: go back and reload")
    return known[name]
