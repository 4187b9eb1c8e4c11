"""The pages of one trace: /traces/{id}, its spans, its lines for the browser, and /traces/compare."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import HTMLResponse, Response

from clew.api.deps import ApiDeps
from clew.api.errors import ApiError, invalid, not_found
from clew.api.order_list import TRACE_ID
from clew.journey.judge import verdict_kind
from clew.store.lookups import both
from clew.store.orders import OrderFilter, find_orders
from clew.store.spans import NO_TRACE, LogRecord, linked_traces, read_logs
from clew.store.trace_lines import TraceLines, failure_messages, open_span, trace_lines
from clew.web.pages.trace.compare_context import compare_page, nothing_compared
from clew.web.pages.trace.context import ERRORS, OrderBadge, TraceAsked, TraceParts, View, trace_page, with_messages
from clew.web.pages.trace.lines import lines_json
from clew.web.pages.trace.span_context import SpanDetails, SpanPage, span_details
from clew.web.pages.trace.tree import TraceTree, tree_of
from clew.web.rendering import Pages

_SPAN_ID = r"^[0-9a-fA-F]{16}$"
_BADGES = 8
_LOGS = 500
_WAY_BACK = "check the id; spans are kept as long as the setting retention.spans says"


def _trace_id(trace_id: Annotated[str, Path(pattern=TRACE_ID)]) -> str:
    """A trace's id as it is stored. All zeros stand for no trace, to which all logs without one would belong."""
    if trace_id == NO_TRACE:
        raise not_found(
            "the id of all zeros stands for no trace", "look for logs of no trace on the page of their order"
        )
    return trace_id.lower()


TraceId = Annotated[str, Depends(_trace_id)]


def trace_routes(deps: ApiDeps, pages: Pages) -> APIRouter:
    """The routes of one trace. Blocking calls run on worker threads, as these functions aren't coroutines."""
    routes = APIRouter()

    # Declared before the trace itself: "compare" is no id.
    @routes.get("/traces/compare")
    def compare(
        request: Request,
        a: Annotated[str, Query(pattern=rf"^\s*$|{TRACE_ID}")] = "",
        b: Annotated[str, Query(pattern=rf"^\s*$|{TRACE_ID}")] = "",
        trace: Annotated[list[str] | None, Query(description="the two, as a form with check boxes sends them")] = None,
    ) -> HTMLResponse:
        first, second = _two(a.strip(), b.strip(), trace or [])
        if not (first and second):
            return pages.answer(request, "trace/compare.html", nothing_compared(first, second), "Compare two traces")
        trees = both(lambda: _tree(deps, first), lambda: _tree(deps, second))
        page = compare_page(first, trees[0], second, trees[1])
        return pages.answer(request, "trace/compare.html", page, "Two traces compared")

    @routes.get("/traces/{trace_id}")
    def show_trace(
        request: Request,
        trace_id: TraceId,
        view: View = "waterfall",
        span: Annotated[str, Query(pattern=rf"^$|{_SPAN_ID}")] = "",
        first: Annotated[int | None, Query(ge=0)] = None,
    ) -> HTMLResponse:
        asked = TraceAsked(view, span.lower(), first)
        parts = _parts(deps, trace_id, asked)
        failed = [parts.tree.lines.span_ids[place] for place in parts.tree.failed()[:ERRORS]]
        page = with_messages(
            *both(
                lambda: trace_page(trace_id, parts, asked), lambda: failure_messages(deps.store, trace_id, failed)
            )
        )  # fmt: skip
        title = f"{page.root_name or 'Trace'} ({page.root_service or trace_id[:8]})"
        return pages.answer(request, "trace/trace.html", page, title)

    @routes.get("/traces/{trace_id}/lines")
    def show_lines(trace_id: TraceId) -> Response:
        return Response(lines_json(_tree(deps, trace_id)), media_type="application/json")

    @routes.get("/traces/{trace_id}/spans/{span_id}")
    def show_span(
        request: Request, trace_id: TraceId, span_id: Annotated[str, Path(pattern=_SPAN_ID)], part: bool = False
    ) -> HTMLResponse:
        opened = _opened(deps, trace_id, span_id.lower())
        if opened is None:
            raise not_found(f"no span {span_id} in trace {trace_id}", _WAY_BACK)
        template = "trace/span_part.html" if part else "trace/span.html"
        return pages.answer(request, template, SpanPage(opened), f"{opened.name} ({opened.service})")

    return routes


def _two(a: str, b: str, ticked: list[str]) -> tuple[str, str]:
    """The ids of two traces, however they were given. Raises ApiError."""
    given = [each.lower() for each in (a, b, *ticked) if each]
    if len(given) > 2:
        raise invalid("more than two traces are chosen", "choose two of them")
    first, second, *_ = *given, "", ""
    return first, second


def _unknown(trace_id: str) -> ApiError:
    return not_found(f"no trace {trace_id}", _WAY_BACK)


def _tree(deps: ApiDeps, trace_id: str) -> TraceTree:
    found = trace_lines(deps.store, trace_id)
    if not found.lines:
        raise _unknown(trace_id)
    return tree_of(found.lines)


def _parts(deps: ApiDeps, trace_id: str, asked: TraceAsked) -> TraceParts:
    (found, opened), ((orders, more_orders), linked) = both(
        lambda: (trace_lines(deps.store, trace_id), _selected(deps, trace_id, asked)),
        lambda: (_orders(deps, trace_id), linked_traces(deps.store, trace_id)),
    )
    logs = _logs(deps, trace_id, asked, found)
    if not found.lines and not logs:
        raise _unknown(trace_id)
    return TraceParts(
        tree=tree_of(found.lines),
        complete=found.complete,
        orders=orders,
        more_orders=more_orders,
        linked=linked,
        opened=opened,
        logs=logs[:_LOGS],
        more_logs=len(logs) > _LOGS,
    )


def _opened(deps: ApiDeps, trace_id: str, span_id: str) -> SpanDetails | None:
    found = open_span(deps.store, trace_id, span_id)
    return span_details(found) if found else None


def _selected(deps: ApiDeps, trace_id: str, asked: TraceAsked) -> SpanDetails | None:
    return _opened(deps, trace_id, asked.selected) if asked.selected else None


def _logs(deps: ApiDeps, trace_id: str, asked: TraceAsked, found: TraceLines) -> tuple[LogRecord, ...]:
    """The trace's logs, where they are shown: on their own view, or when there is nothing else of the trace."""
    if asked.view != "logs" and found.lines:
        return ()
    return read_logs(deps.store, [trace_id], _LOGS + 1)


def _orders(deps: ApiDeps, trace_id: str) -> tuple[tuple[OrderBadge, ...], bool]:
    now_ns = deps.now_ns()
    found = find_orders(deps.store, OrderFilter(trace_id=trace_id), now_ns, _BADGES)
    badges = (
        OrderBadge(journey.order_id, verdict_kind(journey, now_ns).value, journey.stage) for journey in found.items
    )  # fmt: skip
    return tuple(badges), found.next is not None
