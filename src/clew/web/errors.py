"""Every answer that isn't a success is a page: what went wrong, and what to do about it."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse

from clew.api.errors import ApiError, mistakes_of, of_clew_error
from clew.model.errors import ClewError
from clew.web.rendering import Pages

log = logging.getLogger(__name__)

FIELDS = {
    "against": "Compare with",
    "against_path": "and path",
    "at": "As of",
    "attribute": "Attribute",
    "callee": "Calls to",
    "caller": "Called by",
    "deviation": "Deviation",
    "flow_version": "Flow version",
    "from": "From",
    "kind": "Kind",
    "max_duration": "At most",
    "max_trace_duration": "Whole trace at most",
    "min_duration": "At least",
    "min_share": "Hide steps in fewer than",
    "min_trace_duration": "Whole trace at least",
    "retries": "Attempts before",
    "since": "Since",
    "span": "Span",
    "status": "Status",
    "timeout": "Ended by time-out",
    "to": "To",
    "trace": "Trace",
    "until": "Until",
}
"""Parameters of pages by the labels of their fields; any other is told by its name."""
_NAMED = re.compile(r"(?:^|(?<=; ))([a-z][a-z_]*)(?:\.\d+)?: ")


@dataclass(frozen=True, slots=True)
class ErrorPage:
    """The context of the error page: the HTTP ``status``, a ``message`` for people, and the ``mend``."""

    status: int
    message: str
    mend: str


def install_error_pages(app: FastAPI, pages: Pages) -> None:
    """Answer every error as a page."""

    def page_of(request: Request, status: int, message: str, mend: str) -> HTMLResponse:
        message = in_words_of_page(message)
        page = ErrorPage(status, message, mend)
        answer = pages.answer(request, "error.html", page, message, status=status)
        if status == 503:
            answer.headers["Retry-After"] = "1"
        return answer

    @app.exception_handler(ApiError)
    async def on_api_error(request: Request, error: ApiError) -> HTMLResponse:
        return page_of(request, error.status, str(error), error.mend)

    @app.exception_handler(ClewError)
    async def on_clew_error(request: Request, error: ClewError) -> HTMLResponse:
        status, _, mend = of_clew_error(error)
        if status >= 500:
            log.warning("a page failed: %s", error)
        return page_of(request, status, str(error), mend)

    @app.exception_handler(RequestValidationError)
    async def on_validation_error(request: Request, error: RequestValidationError) -> HTMLResponse:
        return page_of(request, 422, mistakes_of(error), "mend the address, or go back and choose again")

    @app.exception_handler(HTTPException)
    async def on_http_error(request: Request, error: HTTPException) -> HTMLResponse:
        if error.status_code == 404:
            return page_of(request, 404, f"there is no page {request.url.path}", "start from one of the pages above")
        return page_of(request, error.status_code, str(error.detail), "go back and try again")

    @app.exception_handler(Exception)
    async def on_mistake(request: Request, _: Exception) -> HTMLResponse:
        message = f"a mistake in Clew: {request.method} {request.url.path} failed"
        return page_of(request, 500, message, "see the log of `clew serve`, and report it")


def in_words_of_page(message: str) -> str:
    """What is wrong, with the labels of fields for the names of parameters; several mistakes are split by "; "."""
    return _NAMED.sub(lambda named: f"“{FIELDS.get(named[1], named[1].replace('_', ' '))}”: ", message)
