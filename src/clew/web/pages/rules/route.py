"""The route of rules."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from clew.api.deps import ApiDeps
from clew.api.errors import invalid
from clew.api.incidents import desk_of
from clew.api.rules import standing_of
from clew.model.rule import Severity
from clew.web.pages.rules.context import Asked, rules_page
from clew.web.rendering import Pages
from clew.web.tidy import TidyRoute


def rules_page_routes(deps: ApiDeps, pages: Pages) -> APIRouter:
    """/rules: ``severity``, ``owner`` and a ``word`` choose."""
    routes = APIRouter(route_class=TidyRoute)

    @routes.get("/rules", include_in_schema=False)
    def show_rules(request: Request, severity: str = "", owner: str = "", word: str = "") -> HTMLResponse:
        if severity and severity not in list(Severity):
            raise invalid(f"there is no severity {severity}", f"choose one of {', '.join(Severity)}")
        desk, now_ns = desk_of(deps), deps.now_ns()
        rules, unread = standing_of(deps)
        waits = deps.watched().health().unwatched or desk.waits() or ""
        page = rules_page(rules, Asked(severity, owner, word), desk.rules_file, waits, unread)
        return pages.answer(request, "rules/rules.html", page, "Rules", now_ns=now_ns)

    return routes
