"""Large requests take turns."""

import asyncio

import pytest

from clew.api import turns
from clew.api.errors import ApiError


async def test_more_than_may_run_at_once_wait_and_then_run():
    take, running, most = turns.in_turns(2, "reports"), 0, 0

    async def request():
        nonlocal running, most
        async for _ in take():
            running += 1
            most = max(most, running)
            await asyncio.sleep(0.01)
            running -= 1

    await asyncio.gather(*(request() for _ in range(6)))
    assert (most, running) == (2, 0)


async def test_who_waits_too_long_is_told_to_come_again(monkeypatch):
    monkeypatch.setattr(turns, "_PATIENCE_S", 0.01)
    take = turns.in_turns(1, "reports")
    held = take()
    await anext(held)
    with pytest.raises(ApiError) as refused:
        await anext(take())
    assert (refused.value.status, refused.value.code) == (503, "busy")
    with pytest.raises(StopAsyncIteration):
        await anext(held)
    await anext(take())
