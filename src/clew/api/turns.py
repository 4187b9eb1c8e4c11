"""Large requests take turns, so that those of people always find a worker free."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.requests import Request

from clew.api.errors import ApiError

WORKERS = 3
"""How many threads answer requests."""

LARGE_AT_ONCE = WORKERS - 1
"""How many large requests run at a time, whatever they ask for: searches, services, reports, a past moment, imports."""

_PATIENCE_S = 20.0


class Turns:
    """Lets so many requests run at a time; others wait, and are told to come again after 20 s. It is a dependency."""

    def __init__(self, at_once: int = LARGE_AT_ONCE) -> None:
        self._at_once = at_once
        self._free = asyncio.Semaphore(at_once)

    async def __call__(self) -> AsyncIterator[None]:
        """A turn for the request. Raises ApiError."""
        async with self._turn():
            yield

    async def when_past(self, request: Request) -> AsyncIterator[None]:
        """A turn for a request that asks for a past moment (``at``); any other needs none. Raises ApiError."""
        if not any(request.query_params.getlist("at")):
            yield
            return
        async with self._turn():
            yield

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await self._free.acquire()
        except TimeoutError as error:
            told = f"{self._at_once} large requests are being answered already"
            raise ApiError(503, "busy", told, "ask again in some seconds, or for a shorter range") from error
        try:
            yield
        finally:
            self._free.release()
