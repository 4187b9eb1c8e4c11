"""What the composition root promises beyond what `clew serve` shows from outside."""

import asyncio
import re
import signal
import threading
from types import SimpleNamespace

import httpx
import pytest
from anyio import to_thread

from clew.api.turns import LARGE_AT_ONCE
from clew.app import leave_readers_to_the_workers, serve, upkeep_of, watcher_of
from clew.model.errors import StoreError
from clew.settings import Address, Settings
from clew.store.embedded import READERS, open_store
from clew.store.lookups import BESIDE


async def test_requests_never_hold_the_last_reader():
    leave_readers_to_the_workers()
    workers = to_thread.current_default_thread_limiter().total_tokens
    assert workers > LARGE_AT_ONCE
    assert workers + BESIDE + 2 <= READERS


class Failing:
    """Every part of a worker in one: its first step fails."""

    def __init__(self, error):
        self.error = error
        self.failed = threading.Event()
        self.went_on = threading.Event()

    def run(self):
        return 1

    def tick(self):
        if not self.failed.is_set():
            self.failed.set()
            raise self.error
        self.went_on.set()

    def sweep(self):
        pass

    def step_forsaken(self):
        return False

    step = step_forsaken
    refresh = tick


@pytest.mark.parametrize("error", [StoreError("the disk is full"), KeyError("a mistake of ours")])
@pytest.mark.parametrize(
    "made", [lambda part: watcher_of(part, part, lambda: 0), lambda part: upkeep_of(part, part, part, part)]
)
def test_a_worker_tells_what_fails_and_goes_on(monkeypatch, error, made):
    monkeypatch.setattr("clew.workers._PAUSE_AFTER_ERROR_S", 0.2)
    failing = Failing(error)
    worker = made(failing)
    told = []
    monkeypatch.setattr("clew.workers.log.error", lambda *_, **__: told.append(worker.problem))
    worker.start()
    try:
        assert failing.went_on.wait(30)
    finally:
        worker.stop()
    assert [error.args[0] in problem for problem in told] == [True]
    assert worker.problem is None


def test_counters_are_sampled_also_while_journeys_fail(monkeypatch):
    monkeypatch.setattr("clew.workers._PAUSE_AFTER_ERROR_S", 0.01)
    sampled = threading.Semaphore(0)
    failing = SimpleNamespace(run=lambda: 1 / 0)
    worker = watcher_of(failing, failing, lambda: 0, sampled.release)
    worker.start()
    try:
        assert all(sampled.acquire(timeout=30) for _ in range(3))
    finally:
        worker.stop()
    assert "not up to date" in worker.problem


def test_what_fails_of_upkeep_holds_up_nothing_else():
    def fail():
        raise StoreError("no room")

    done = {name: threading.Event() for name in ("imports", "undo", "minutes")}

    def part(name, method):
        return SimpleNamespace(**{method: lambda: done[name].set()})

    worker = upkeep_of(
        part("imports", "step_forsaken"),
        part("undo", "step_forsaken"),
        SimpleNamespace(refresh=fail),
        part("minutes", "step"),
    )
    worker.start()
    try:
        assert all(each.wait(30) for each in done.values())
    finally:
        worker.stop()
    assert worker.problem == "not up to date: projections: no room"


async def test_a_running_server_tells_what_its_upkeep_cannot_do(tmp_path, monkeypatch):
    loop, failed = asyncio.get_running_loop(), asyncio.Event()

    def fail(_):
        raise StoreError("the disk is full")

    monkeypatch.setattr("clew.app.Forecast.refresh", fail)
    monkeypatch.setattr("clew.workers.log.error", lambda *_, **__: loop.call_soon_threadsafe(failed.set))
    monkeypatch.setattr("clew.app._rest_the_collector", lambda: None)
    free, said = Address("127.0.0.1", 0), asyncio.Queue()
    settings = Settings(data=tmp_path, otlp_http=free, otlp_grpc=free, api_listen=free)
    store = open_store(tmp_path)
    served = asyncio.create_task(serve(settings, store, said.put_nowait))
    try:
        async with asyncio.timeout(30):
            api = re.search(r"API (\S+);", await said.get())[1]
        async with asyncio.timeout(30), httpx.AsyncClient() as client:
            await failed.wait()
            told = (await client.get(f"{api}/api/v1/status")).json()
        assert told["upkeep_problem"] == "not up to date: projections: the disk is full"
        assert told["problem"] is None
    finally:
        signal.raise_signal(signal.SIGTERM)
        await served
        store.close()
