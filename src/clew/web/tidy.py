"""Addresses of pages without the empty fields that a form sends along."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import parse_qsl, urlencode

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.responses import RedirectResponse


def tidied(query: str) -> str:
    """A query without its empty parameters and without white space around the others."""
    return urlencode([(name, value.strip()) for name, value in parse_qsl(query) if value.strip()])


class TidyRoute(APIRoute):
    """A route whose addresses hold no empty parameters: a form sends every field, also those that nobody filled in.

    Who comes with some is sent on, so that an address that is shared says what was asked and no more.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler that FastAPI calls."""
        inner = super().get_route_handler()

        async def handle(request: Request) -> Response:
            asked = parse_qsl(request.url.query, keep_blank_values=True)
            if all(value.strip() == value and value for _, value in asked):
                return await inner(request)
            kept = tidied(request.url.query)
            return RedirectResponse(f"{request.url.path}?{kept}" if kept else request.url.path, 303)

        return handle
