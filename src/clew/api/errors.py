"""Every answer that isn't a success has one form: ``{"error": {"code", "message", "mend"}}``."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from clew.model.errors import ClewError, ControlError, FlowError, MalformedHistory, StoreError, StoreUnavailable
from clew.store.cursors import BadCursor

log = logging.getLogger(__name__)

_CONTRACT = "the description of the API is at /api/v1/openapi.json"


class ErrorBody(BaseModel):
    """What went wrong, in a word for programs and a sentence for people, and what to do about it."""

    code: str = Field(examples=["not_found"])
    message: str = Field(examples=["no order 4711"])
    mend: str = Field(examples=["check the id; an alias of it works as well"])


class ErrorAnswer(BaseModel):
    """The form of every error."""

    error: ErrorBody


class ApiError(Exception):
    """An answer that isn't a success, raised by a route."""

    def __init__(self, status: int, code: str, message: str, mend: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.mend = status, code, message, mend


def not_found(message: str, mend: str) -> ApiError:
    """There is no such thing."""
    return ApiError(404, "not_found", message, mend)


def invalid(message: str, mend: str) -> ApiError:
    """The request can't be understood."""
    return ApiError(422, "invalid_request", message, mend)


RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorAnswer, "description": description}
    for status, description in {
        404: "There is no such thing",
        422: "The request can't be understood",
        500: "A mistake in Clew",
        503: "Clew can't answer now; try again",
    }.items()
}

_HEX_DIGITS = {"{32}": "a trace id has 32 hex digits", "{16}": "a span id has 16 hex digits"}

_NO = {
    **dict.fromkeys(("float_parsing", "float_type", "finite_number"), "{} is no number"),
    **dict.fromkeys(("int_parsing", "int_type", "int_from_float"), "{} is no whole number"),
    **dict.fromkeys(("bool_parsing", "bool_type"), "{} is neither true nor false"),
    **dict.fromkeys(
        ("dict_type", "model_type", "model_attributes_type"), '{} has no names with values, as {{"by": "anna"}} has'
    ),
    "string_type": "{} is no text",
    "list_type": "{} is no list",
}
"""What a value isn't, by the kind of mistake."""

_OF_STATUS = {
    400: ("bad_request", _CONTRACT),
    404: ("not_found", _CONTRACT),
    405: ("method_not_allowed", _CONTRACT),
    415: ("unsupported_media_type", _CONTRACT),
}


def answer(status: int, code: str, message: str, mend: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """An error in the one form."""
    body = ErrorAnswer(error=ErrorBody(code=code, message=message, mend=mend))
    return JSONResponse(body.model_dump(), status, headers=dict(headers or {}))


def of_clew_error(error: ClewError) -> tuple[int, str, str]:
    """Status, code and mend of an error that Clew raised on purpose."""
    match error:
        case BadCursor():
            return 400, "bad_cursor", "leave out `after` to start again"
        case FlowError():
            return 422, "invalid_flow", "mend the flow; POST /api/v1/flows/check lists every mistake with its line"
        case MalformedHistory():
            return 400, "malformed_history", f"mend the line; nothing of this request is stored; {_CONTRACT}"
        case StoreUnavailable() | StoreError() | ControlError():
            return 503, "unavailable", "try again in a second; if it lasts, see the log of `clew serve`"
        case _:
            return 500, "internal", "see the log of `clew serve`"


def _retry(status: int) -> dict[str, str]:
    return {"Retry-After": "1"} if status == 503 else {}


def install_errors(app: FastAPI) -> None:
    """Answer every error in the one form."""

    @app.exception_handler(ApiError)
    async def on_api_error(_: Request, error: ApiError) -> JSONResponse:
        return answer(error.status, error.code, error.message, error.mend, _retry(error.status))

    @app.exception_handler(ClewError)
    async def on_clew_error(_: Request, error: ClewError) -> JSONResponse:
        status, code, mend = of_clew_error(error)
        if status >= 500:
            log.warning("a request failed: %s", error)
        return answer(status, code, str(error), mend, _retry(status))

    @app.exception_handler(RequestValidationError)
    async def on_validation_error(_: Request, error: RequestValidationError) -> JSONResponse:
        return answer(422, "invalid_request", mistakes_of(error), _CONTRACT)

    @app.exception_handler(HTTPException)
    async def on_http_error(_: Request, error: HTTPException) -> JSONResponse:
        code, mend = _OF_STATUS.get(error.status_code, ("http_error", _CONTRACT))
        return answer(error.status_code, code, str(error.detail), mend, error.headers)

    @app.exception_handler(Exception)
    async def on_mistake(request: Request, _: Exception) -> JSONResponse:
        message = f"a mistake in Clew: {request.method} {request.url.path} failed"
        return answer(500, "internal", message, "see the log of `clew serve`, and report it")


def mistakes_of(error: RequestValidationError) -> str:
    """All that is wrong with a request, in one sentence."""
    return "; ".join(map(_mistake, error.errors()))


def _mistake(error: Mapping[str, Any]) -> str:
    if error["type"] == "json_invalid":
        return f"the body is no JSON at character {error['loc'][-1] + 1}: {error['ctx']['error']}"
    place = ".".join(str(part) for part in error["loc"] if part not in ("query", "path", "body"))
    told = _in_plain_words(error)
    return f"{place}: {told}" if place else told


def _in_plain_words(error: Mapping[str, Any]) -> str:
    """What is wrong with a value, for people who never heard of patterns and enumerations."""
    limits = error.get("ctx", {})
    if (length := _of_length(error["type"], limits)) is not None:
        return length
    match error["type"]:
        case "string_pattern_mismatch":
            return _HEX_DIGITS.get(limits["pattern"].rstrip("$")[-4:], "this can't be understood")
        case "greater_than_equal":
            return f"give at least {limits['ge']}"
        case "less_than_equal":
            return f"give at most {limits['le']}"
        case "greater_than":
            return f"give more than {limits['gt']}"
        case "less_than":
            return f"give less than {limits['lt']}"
        case "value_error":
            return ": ".join(map(str, limits["error"].args))
        case "missing":
            return "this is needed"
        case "extra_forbidden":
            return "there is nothing of that name"
        case "enum" | "literal_error":
            return f"{error['input']!r} is not {limits['expected']}"
        case kind if kind in _NO:
            return _NO[kind].format(f"{error['input']!r:.100}")
        case _:
            return str(error["msg"])


def _of_length(kind: str, limits: Mapping[str, Any]) -> str | None:
    """What is wrong with how long a value is; None: nothing."""
    match kind:
        case "too_short":
            return f"give at least {limits['min_length']}"
        case "too_long":
            return f"give at most {limits['max_length']}"
        case "string_too_short":
            return "this is needed" if limits["min_length"] == 1 else f"give at least {limits['min_length']} characters"
        case "string_too_long":
            return f"shorten it to {limits['max_length']:,} characters"
    return None
