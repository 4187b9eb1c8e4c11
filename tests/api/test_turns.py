"""Large requests take turns: all of them the same ones, so that a worker stays free for the rest."""

import asyncio
import threading
from contextlib import contextmanager
from dataclasses import replace

import httpx
import pytest
from anyio import to_thread
from starlette.requests import Request

from clew.api import create_api, turns
from clew.api.errors import ApiError
from clew.app import leave_readers_to_the_workers
from clew.store.embedded import open_store
from clew.web import create_web, site
from clew.web.assets import static_path
from tests.serving import serving
from tests.story import tell


async def test_more_than_may_run_at_once_wait_and_then_run():
    take, running, most = turns.Turns(2), 0, 0

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
    take = turns.Turns(1)
    held = take()
    await anext(held)
    with pytest.raises(ApiError) as refused:
        await anext(take())
    assert (refused.value.status, refused.value.code) == (503, "busy")
    await anext(take.when_past(Request({"type": "http", "query_string": b"at="})))
    with pytest.raises(ApiError):
        await anext(take.when_past(Request({"type": "http", "query_string": b"at=2h"})))
    with pytest.raises(StopAsyncIteration):
        await anext(held)
    await anext(take())


class Store:
    """A store in which only those requests that may be slow wait, each for all to be let go."""

    def __init__(self, inner):
        self.inner = inner
        self.begun = threading.Semaphore(0)
        self.go_on = threading.Event()
        self.slow = True

    def rows(self, sql, bind=None):
        if self.slow:
            self.begun.release()
            assert self.go_on.wait(60)
        return self.inner.rows(sql, bind)

    def __getattr__(self, name):
        return self.columns_slowly if name == "columns" else getattr(self.inner, name)

    def columns_slowly(self, sql, bind=None):
        self.rows("SELECT 1")
        return self.inner.columns(sql, bind)


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    store = open_store(tmp_path_factory.mktemp("turns"))
    yield tell(store)
    store.close()


@contextmanager
def with_few_workers(deps):
    """The address of pages and API, with as many threads for requests as `clew serve` has."""
    inner = site(create_api(deps), create_web(deps))

    async def narrow(scope, receive, send):
        leave_readers_to_the_workers()
        assert to_thread.current_default_thread_limiter().total_tokens == turns.WORKERS
        await inner(scope, receive, send)

    with serving(narrow) as address:
        yield address


LARGE = (
    "/traces?since=1h",
    "/traces/words?of=service",
    "/services",
    "/figures",
    "/flow/variants",
    "/?at=2h",
    "/api/v1/orders?at=2h",
    "/api/v1/spans",
    "/api/v1/services",
    "/api/v1/reports/variants",
)


def test_no_large_requests_together_hold_up_the_others(told):
    store = Store(told.store)
    deps = replace(told, store=store, turns=turns.Turns())
    answers = []
    with with_few_workers(deps) as address:
        asked = [
            threading.Thread(target=lambda path=path: answers.append(httpx.get(address + path, timeout=60).status_code))
            for path in LARGE
        ]
        try:
            for each in asked:
                each.start()
            for _ in range(turns.LARGE_AT_ONCE):
                assert store.begun.acquire(timeout=30)
            store.slow = False  # what begins now is answered at once, if a worker is free
            assert httpx.get(f"{address}{static_path()}/base.css", timeout=10).status_code == 200
            assert httpx.get(f"{address}/orders/4711", timeout=10).status_code == 200
            assert httpx.get(f"{address}/api/v1/rules", timeout=10).status_code == 200
        finally:
            store.go_on.set()
            for each in asked:
                each.join(60)
    assert answers == [200] * len(LARGE)


async def test_assets_need_no_worker(told):
    transport = httpx.ASGITransport(site(create_api(told), create_web(told)))
    limiter = to_thread.current_default_thread_limiter()
    before, limiter.total_tokens = limiter.total_tokens, 1
    try:
        await limiter.acquire()
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client, asyncio.timeout(10):
            answer = await client.get(f"{static_path()}/clew.js")
            head = await client.head(f"{static_path()}/clew.svg")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/javascript; charset=utf-8")
        assert (head.status_code, head.headers["content-type"]) == (200, "image/svg+xml")
        assert "immutable" in answer.headers["cache-control"]
    finally:
        limiter.release()
        limiter.total_tokens = before
