"""Server-sent events: tells open pages that orders or incidents have changed, so that they fetch themselves anew.

The form is https://html.spec.whatwg.org/multipage/server-sent-events.html.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

from fastapi import APIRouter
from starlette.responses import StreamingResponse

from clew.api.deps import ApiDeps
from clew.api.errors import ApiError
from clew.web.glance import Glance

_LOOK_EVERY_S = 1.0
_SIGN_OF_LIFE_EVERY = 15
_CONNECTIONS = 200

Marks = Mapping[str, object]
"""What a topic looks like now; another mark means that it has changed."""


def live_routes(deps: ApiDeps, glance: Glance, ending: Callable[[], bool]) -> APIRouter:
    """/live: an event ``changed`` whenever journeys were rebuilt, telemetry came or incidents changed, at most one a
    second."""
    routes = APIRouter()
    connected = 0

    @routes.get("/live", include_in_schema=False)
    async def live() -> StreamingResponse:
        if connected >= _CONNECTIONS:
            raise ApiError(503, "busy", f"{_CONNECTIONS} pages are kept up to date already", "reload by hand")
        return StreamingResponse(counted_events(), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})

    async def counted_events() -> AsyncIterator[str]:
        nonlocal connected
        connected += 1
        try:
            async for event in events(marks, ending):
                yield event
        finally:
            connected -= 1

    async def marks() -> Marks:
        if glance.due:
            await asyncio.to_thread(glance.look)
        rebuilt = deps.ticker.counts.orders if deps.ticker else 0
        return {
            "orders": rebuilt,
            "telemetry": deps.intake.committer.counts.flushes if deps.intake else 0,
            "incidents": glance.seen,
        }

    return routes


async def events(marks: Callable[[], Awaitable[Marks]], ending: Callable[[], bool]) -> AsyncIterator[str]:
    """An event that names the topics whose marks have changed, and a comment now and then, until the end."""
    seen = await marks()
    yield "retry: 3000\n: Clew\n\n"
    quiet = 0
    while not ending():
        await asyncio.sleep(_LOOK_EVERY_S)
        now = await marks()
        quiet += 1
        if now != seen:
            topics = " ".join(name for name in now if now[name] != seen[name])
            yield f"event: changed\ndata: {topics}\n\n"
            seen, quiet = now, 0
        elif quiet >= _SIGN_OF_LIFE_EVERY:
            yield ": still here\n\n"
            quiet = 0
