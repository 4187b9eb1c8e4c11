"""Large requests take turns, so that those of people and of the watcher always find a reader free."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from clew.api.errors import ApiError

_PATIENCE_S = 20.0


def in_turns(at_once: int, what: str) -> Callable[[], AsyncIterator[None]]:
    """A dependency that lets so many requests run at a time; others wait, and are told to come again after 20 s."""
    free = asyncio.Semaphore(at_once)

    async def take_turn() -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await free.acquire()
        except TimeoutError as error:
            mend = "ask again in some seconds, or for a shorter range"
            raise ApiError(503, "busy", f"{at_once} {what} are being made already", mend) from error
        try:
            yield
        finally:
            free.release()

    return take_turn
