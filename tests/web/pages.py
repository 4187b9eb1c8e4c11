"""Pages rendered without a server or a store: for contexts that are made by hand."""

from __future__ import annotations

from starlette.requests import Request

from clew.web.glance import Glance
from clew.web.rendering import Pages

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "\u202eevil\u202c \u200bzero",
    "'; DROP TABLE spans; --",
    "name " * 2_000,
    "{{ 7 * 7 }}",
)


def rendered(template: str, page: object, now_ns: int) -> str:
    """The HTML of a page."""
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
        "headers": [],
        "server": ("clew", 80),
    }
    answer = Pages(lambda: now_ns, lambda: None, Glance(lambda: None)).answer(
        Request(scope), template, page, "Test", now_ns=now_ns
    )
    return bytes(answer.body).decode()
