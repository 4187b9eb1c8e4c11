"""The page that finds traces and spans: /traces, and /traces/words, which completes what one types.

    the page with its form --> histogram and first results, read at the same time --> more results --> the end

Each is sent as soon as it is there, so a search over days shows its form and its newest results at once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from clew.api.deps import ApiDeps
from clew.api.errors import of_clew_error
from clew.api.spans import DEFAULT_SINCE, span_filter_of
from clew.model.errors import ClewError
from clew.store.found_traces import WordsOf, count_spans, search_traces, time_of_matches, words_of
from clew.store.lookups import both
from clew.store.search import SpanFilter, search_spans
from clew.web.frame import viewer_zone
from clew.web.pages.find.context import (
    By,
    CountsPart,
    EndPart,
    RowsPart,
    counts_part,
    search_page,
    slots_of,
    span_rows,
    trace_rows,
)
from clew.web.rendering import Pages
from clew.web.tidy import TidyRoute
from clew.web.time_range import local_moment

log = logging.getLogger(__name__)

_TRACES, _SPANS = 20, 50
_WORDS_SINCE_NS = 7 * 86_400 * 10**9
_COUNTS_HERE, _ROWS_HERE, _END_HERE = b"<!-- counts -->", b"<!-- rows -->", b"<!-- end -->"

Found = Iterator[tuple[RowsPart, str | None]]
"""Rows as they are read, with the cursor of the next page, which comes with the last ones."""

Parts = Iterator[tuple[str, object]]
"""The parts of the page by the name of their template: counts, if any, then rows, and one end."""


def find_routes(deps: ApiDeps, pages: Pages) -> APIRouter:
    """The routes that find traces."""
    routes = APIRouter(route_class=TidyRoute)
    asked = Depends(span_filter_of(deps, lambda request, text: local_moment(text, viewer_zone(request))))
    turn = Depends(deps.turns)

    @routes.get("/traces", dependencies=[turn])
    def find(request: Request, filter_: SpanFilter = asked, by: By = "trace", after: str = "") -> StreamingResponse:
        now_ns = deps.now_ns()
        found = _found(deps, filter_, by, now_ns, after or None)

        def render(template: str, part: object) -> bytes:
            return pages.part(request, f"find/{template}.html", part, now_ns=now_ns)

        page = search_page(request.query_params.multi_items(), by, DEFAULT_SINCE, filter_)
        shell = bytes(pages.answer(request, "find/find.html", page, "Find traces", now_ns=now_ns).body)
        zone = viewer_zone(request)
        parts = _parts(lambda: None if after else _counts(deps, filter_, now_ns, zone), found, by)
        return StreamingResponse(_sent(shell, render, parts), media_type="text/html")

    @routes.get("/traces/words", dependencies=[turn])
    def words(
        of: WordsOf,
        part: Annotated[str, Query(max_length=200)] = "",
        service: str = "",
        key: str = "",
    ) -> Response:
        since_ns = deps.now_ns() - _WORDS_SINCE_NS
        return JSONResponse({"words": words_of(deps.store, of, since_ns, part=part, service=service, key=key)})

    return routes


def _found(deps: ApiDeps, filter_: SpanFilter, by: By, now_ns: int, after: str | None) -> Found:
    if by == "span":
        return _found_spans(deps, filter_, after)
    found = search_traces(deps.store, filter_, now_ns, _TRACES, after)
    return ((trace_rows(part.items), part.next) for part in found)


def _found_spans(deps: ApiDeps, filter_: SpanFilter, after: str | None) -> Found:
    page = search_spans(deps.store, filter_, _SPANS, after)
    yield span_rows(page.items), page.next


def _counts(deps: ApiDeps, filter_: SpanFilter, now_ns: int, zone: ZoneInfo) -> CountsPart | None:
    """The histogram over the range that was asked for, else over the time of what matches; None when nothing does."""
    if filter_.since_ns:
        times = (filter_.since_ns, max(filter_.until_ns or now_ns, filter_.since_ns + 1))
    else:
        matches = time_of_matches(deps.store, filter_)
        if matches is None:
            return None
        times = (matches[0], matches[1] + 1)
    slots = slots_of(*times)
    return counts_part(count_spans(deps.store, filter_, slots.from_ns, slots.step_ns, slots.count), slots, zone)


def _parts(counts: Callable[[], CountsPart | None], found: Found, by: By) -> Parts:
    """What is shown below the form, as it is read. Errors end it with words of their own."""
    shown, cursor = 0, None
    try:
        histogram, first = both(counts, lambda: next(found, None))
        if histogram is not None:
            yield "counts", histogram
        while first is not None:
            rows, cursor = first
            shown += len(rows.traces) + len(rows.spans)
            yield "rows", rows
            first = next(found, None)
    except ClewError as error:
        log.warning("a search broke off: %s", error)
        _, _, mend = of_clew_error(error)
        yield "end", EndPart(by, shown, None, str(error), mend)
    else:
        yield "end", EndPart(by, shown, cursor)


def _sent(shell: bytes, render: Callable[[str, object], bytes], parts: Parts) -> Iterator[bytes]:
    """The page in pieces: each part is put where the shell has its place."""
    head, rest = shell.split(_COUNTS_HERE)
    before_rows, rest = rest.split(_ROWS_HERE)
    after_rows, tail = rest.split(_END_HERE)
    yield head
    opened = False
    for template, part in parts:
        if template != "counts" and not opened:
            opened = True
            yield before_rows
        if template == "end":
            yield after_rows
        yield render(template, part)
    yield tail
