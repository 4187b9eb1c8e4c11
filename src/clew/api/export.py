"""Routes: orders, visits and spans as files, sent while they are made."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope, Send

from clew.api.deps import ApiDeps
from clew.api.errors import RESPONSES
from clew.api.order_list import AskedDeviation
from clew.api.spans import moment_given, span_filter_of
from clew.export import VisitFilter, export_orders, export_spans, export_visits
from clew.model.journey import VerdictKind
from clew.model.moments import LAST_NS
from clew.store.contract import Format
from clew.store.orders import OrderFilter
from clew.store.search import SpanFilter, masked

PATIENCE_S = 60.0
"""How long a download waits for a client that takes nothing: it holds one of few streams of the store."""

_SENT_BYTES = 1 << 16
"""What is sent at once: so little that a slow client takes it in time."""

_TRACE_ID = r"^$|^[0-9a-fA-F]{32}$"
_MEDIA = {
    Format.CSV: "text/csv",
    Format.JSON_LINES: "application/x-ndjson",
    Format.PARQUET: "application/vnd.apache.parquet",
}
_FILE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The file. It is whole when the answer ends as HTTP says; an error in the midst breaks it off",
        "content": {media: {} for media in _MEDIA.values()},
    }
}
AsFormat = Annotated[Format, Query(alias="format", description="what kind of file")]


@dataclass(frozen=True, slots=True)
class OrdersAsked:
    """Which orders: a filter, and the range of their first visits in Unix nanoseconds."""

    filter_: OrderFilter
    from_ns: int
    to_ns: int


def export_routes(deps: ApiDeps) -> APIRouter:
    """The routes below /export. The engine runs on threads of its own, so that other requests are not held up."""
    routes = APIRouter(prefix="/export", tags=["export"], responses=RESPONSES | _FILE)
    orders_asked, spans_asked = Depends(orders_asked_of(deps)), Depends(span_filter_of(deps))
    events_asked = Depends(visit_filter_of(deps))

    @routes.get("/orders", summary="Orders as a file, by order id", response_class=StreamingResponse)
    async def orders_as_file(asked: OrdersAsked = orders_asked, format_: AsFormat = Format.CSV) -> StreamingResponse:
        now_ns = deps.now_ns()
        pieces = export_orders(deps.store, asked.filter_, now_ns, format_, asked.from_ns, asked.to_ns)
        return await _download("orders", pieces, format_)

    @routes.get(
        "/events",
        summary="Stage events as a file: every entry into a stage, by order and time",
        response_class=StreamingResponse,
    )
    async def events_as_file(asked: VisitFilter = events_asked, format_: AsFormat = Format.CSV) -> StreamingResponse:
        return await _download("events", export_visits(deps.store, asked, deps.now_ns(), format_), format_)

    @routes.get("/spans", summary="Spans as a file, by five minutes and trace", response_class=StreamingResponse)
    async def spans_as_file(asked: SpanFilter = spans_asked, format_: AsFormat = Format.CSV) -> StreamingResponse:
        return await _download("spans", export_spans(deps.store, asked, format_), format_)

    return routes


From = Annotated[str, Query(alias="from", description="not before, such as 2026-11-01 or 30d for 30 days ago")]
To = Annotated[str, Query(description="before this moment")]


def orders_asked_of(deps: ApiDeps) -> Callable[..., OrdersAsked]:
    """A dependency of routes: the orders that a request's parameters pick."""

    def orders_asked(
        verdict: Annotated[list[VerdictKind] | None, Query(description="only these verdicts; may be repeated")] = None,
        stage: Annotated[str, Query(description="only orders in this stage")] = "",
        path: Annotated[str, Query(description="only orders of this path")] = "",
        flow: Annotated[str, Query(description="only orders of this flow")] = "",
        user: Annotated[str, Query(description="a user id, in clear or as shown")] = "",
        alias: Annotated[str, Query(description="another id of the order")] = "",
        trace: Annotated[str, Query(description="a trace that handled the order", pattern=_TRACE_ID)] = "",
        prefix: Annotated[str, Query(description="how the order id begins")] = "",
        deviation: AskedDeviation = "",
        open_only: Annotated[bool, Query(alias="open", description="leave out ended orders")] = False,
        from_: From = "",
        to: To = "",
    ) -> OrdersAsked:
        shown = masked(user) if user and deps.users_masked else user
        filter_ = OrderFilter(
            tuple(verdict or ()), stage, path, shown, alias, trace.lower(), prefix, flow, open_only, deviation=deviation
        )
        return OrdersAsked(filter_, *_range(from_, to, deps.now_ns()))

    return orders_asked


def visit_filter_of(deps: ApiDeps) -> Callable[..., VisitFilter]:
    """A dependency of routes: the visits that a request's parameters pick."""

    def visit_filter(
        order: Annotated[str, Query(description="only of this order, by any of its ids")] = "",
        flow: Annotated[str, Query(description="only of orders of this flow")] = "",
        stage: Annotated[str, Query(description="only entries into this stage")] = "",
        path: Annotated[str, Query(description="only of orders of this path")] = "",
        from_: From = "",
        to: To = "",
    ) -> VisitFilter:
        return VisitFilter(order, flow, stage, path, *_range(from_, to, deps.now_ns()))

    return visit_filter


def _range(from_: str, to: str, now_ns: int) -> tuple[int, int]:
    return moment_given("from", from_, now_ns), moment_given("to", to, now_ns) if to else LAST_NS


async def _download(name: str, pieces: Iterator[bytes], format_: Format) -> StreamingResponse:
    """The answer, once its first piece is there: until then an error still has its form and status."""
    source = _Source(pieces)
    return _Download(source, await source.first(), f"{name}.{format_.value}", _MEDIA[format_])


class _Source:
    """Pieces that are made by blocking calls, on a thread; one call at a time."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._busy = threading.Lock()

    async def first(self) -> bytes:
        try:
            return await self.next() or b""
        except BaseException:
            await self.close()
            raise

    async def next(self) -> bytes | None:
        return await asyncio.to_thread(self._next)

    def _next(self) -> bytes | None:
        with self._busy:
            return next(self._pieces, None)

    async def close(self) -> None:
        await asyncio.shield(asyncio.to_thread(self._close))

    def _close(self) -> None:
        with self._busy:  # a call whose waiter was cancelled goes on until it has its piece
            self._pieces.close()  # type: ignore[attr-defined]  # they come from generators


class _Download(StreamingResponse):
    """An answer whose source is closed however it ends, also when nobody takes a piece of it for `PATIENCE_S`."""

    def __init__(self, source: _Source, first: bytes, name: str, media: str) -> None:
        named = {"Content-Disposition": f'attachment; filename="{name}"'}
        super().__init__(_all(first, source), headers=named, media_type=media)
        self._source = source

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_soon(message: Message) -> None:
            async with asyncio.timeout(PATIENCE_S):
                await send(message)

        try:
            await super().__call__(scope, receive, send_soon)
        except (ClientDisconnect, TimeoutError):
            pass  # it went, or takes nothing: nobody is there to be told, and the server breaks the answer off
        finally:
            await self._source.close()


async def _all(first: bytes, source: _Source) -> AsyncIterator[bytes]:
    piece: bytes | None = first
    while piece:
        for at in range(0, len(piece), _SENT_BYTES):
            yield piece[at : at + _SENT_BYTES]
        piece = await source.next()
