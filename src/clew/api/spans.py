"""Routes: traces, span search and the service graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request

from clew.api.deps import ApiDeps
from clew.api.errors import RESPONSES, ApiError, invalid, not_found
from clew.api.order_list import TRACE_ID
from clew.api.span_models import (
    ServiceGraphModel,
    SpanPageModel,
    TraceModel,
    found_model,
    graph_model,
    trace_model,
)
from clew.api.times import parse_length, parse_moment
from clew.model.moments import LAST_NS
from clew.store.search import SpanFilter, search_spans
from clew.store.services import services
from clew.store.spans import SpanKind, SpanStatus, read_trace

_SPAN_ID = r"^$|^[0-9a-fA-F]{16}$"
_MOMENT = "a moment such as 2026-11-22T08:15:00Z, or 15m for 15 minutes ago"
_LENGTH = "a length of time such as 250ms, or a number of seconds"
DEFAULT_SINCE = "24h"


def span_routes(deps: ApiDeps) -> APIRouter:
    """The routes of traces, spans and services. Blocking calls run on worker threads."""
    routes = APIRouter(responses=RESPONSES)
    asked = Depends(span_filter_of(deps))
    turn = Depends(deps.turns)

    @routes.get("/traces/{trace_id}", summary="A trace with all its spans and logs", tags=["traces"])
    def show_trace(trace_id: Annotated[str, Path(pattern=TRACE_ID)]) -> TraceModel:
        trace = read_trace(deps.store, trace_id.lower())
        if trace is None:
            raise _unknown(trace_id)
        return trace_model(trace)

    @routes.get("/spans", summary="Spans by any of their fields, newest first", tags=["spans"], dependencies=[turn])
    def find_spans(
        filter_: SpanFilter = asked,
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
        after: Annotated[str, Query(description="`next` of the page before")] = "",
    ) -> SpanPageModel:
        page = search_spans(deps.store, filter_, limit, after or None)
        return SpanPageModel(items=[found_model(each) for each in page.items], next=page.next)

    @routes.get(
        "/services", summary="Services, their calls, queues and databases", tags=["services"], dependencies=[turn]
    )
    def show_services(since: Annotated[str, Query(description=_MOMENT)] = "1h") -> ServiceGraphModel:
        since_ns = moment_given("since", since, deps.now_ns())
        return graph_model(services(deps.store, since_ns), since_ns)

    return routes


def _as_written(_request: Request, text: str) -> str:
    return text


def span_filter_of(deps: ApiDeps, as_meant: Callable[[Request, str], str] = _as_written) -> Callable[..., SpanFilter]:
    """A dependency of routes: the filter that a request's parameters make.

    ``as_meant`` makes of a moment in them the one that `parse_moment` reads: a viewer's clock isn't UTC.
    """

    def span_filter(
        request: Request,
        trace: Annotated[str, Query(pattern=rf"^$|{TRACE_ID}")] = "",
        span: Annotated[str, Query(pattern=_SPAN_ID)] = "",
        order: Annotated[str, Query(description="spans that name this order")] = "",
        user: Annotated[str, Query(description="a user id, in clear or as shown")] = "",
        since: Annotated[str, Query(description=f"{_MOMENT}; {DEFAULT_SINCE} unless a trace or order is given")] = "",
        until: Annotated[str, Query(description=_MOMENT)] = "",
        status: Annotated[SpanStatus | None, Query()] = None,
        kind: Annotated[SpanKind | None, Query()] = None,
        service: Annotated[str, Query()] = "",
        name: Annotated[str, Query(description="a span name, or its beginning followed by *")] = "",
        error: Annotated[str, Query(description="an error type, or * for any")] = "",
        min_duration: Annotated[str, Query(description=f"of the span: {_LENGTH}")] = "",
        max_duration: Annotated[str, Query(description=f"of the span: {_LENGTH}")] = "",
        min_trace_duration: Annotated[str, Query(description=f"of the whole trace: {_LENGTH}")] = "",
        max_trace_duration: Annotated[str, Query(description=f"of the whole trace: {_LENGTH}")] = "",
        caller: Annotated[str, Query(description="calls made by this service")] = "",
        callee: Annotated[str, Query(description="calls answered by this service")] = "",
        retries: Annotated[int, Query(ge=0, le=65_535, description="at least so many attempts before")] = 0,
        timeout: Annotated[bool | None, Query(description="whether it ended by time-out")] = None,
        attribute: Annotated[list[str] | None, Query(description="key=value; may be repeated")] = None,
    ) -> SpanFilter:
        begin = since or ("" if trace or order else DEFAULT_SINCE)
        return SpanFilter(
            trace_id=trace.lower(),
            span_id=span.lower(),
            order_id=order,
            user_id=user,
            since_ns=moment_given("since", as_meant(request, begin), deps.now_ns()),
            until_ns=moment_given("until", as_meant(request, until), deps.now_ns()),
            status=status,
            kind=kind,
            service=service,
            name=name,
            error=error,
            min_span_ns=_length("min_duration", min_duration),
            max_span_ns=_length("max_duration", max_duration),
            min_trace_ns=_length("min_trace_duration", min_trace_duration),
            max_trace_ns=_length("max_trace_duration", max_trace_duration),
            caller=caller,
            callee=callee,
            min_retries=retries,
            timeout=timeout,
            attributes=tuple(_pair(each) for each in attribute or ()),
        )

    return span_filter


def _unknown(trace_id: str) -> ApiError:
    return not_found(f"no trace {trace_id}", "check the id; spans are kept as long as the setting retention.spans says")


def moment_given(name: str, text: str, now_ns: int) -> int:
    """The moment that a parameter gives, as Unix nanoseconds; 0 when it is empty. Raises ApiError."""
    try:
        return min(max(0, parse_moment(text, now_ns)), LAST_NS) if text else 0
    except ValueError as error:
        raise invalid(f"{name}: {error}", f"give {_MOMENT}") from error


def _length(name: str, text: str) -> int:
    try:
        return parse_length(text) if text else 0
    except ValueError as error:
        raise invalid(f"{name}: {error}", f"give {_LENGTH}") from error


def _pair(text: str) -> tuple[str, str]:
    key, sign, value = text.partition("=")
    if not key or not sign:
        raise invalid(f"attribute: {text!r} is not key=value", "write for example attribute=http.route=/orders")
    return key, value
