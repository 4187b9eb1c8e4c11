"""What the composition root promises beyond what `clew serve` shows from outside."""

import threading

import pytest
from anyio import to_thread

from clew.app import leave_readers_to_the_workers, upkeep_of, watcher_of
from clew.model.errors import StoreError
from clew.store.embedded import READERS


async def test_requests_never_hold_the_last_reader():
    leave_readers_to_the_workers()
    assert 0 < to_thread.current_default_thread_limiter().total_tokens < READERS


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

    refresh = tick


@pytest.mark.parametrize("error", [StoreError("the disk is full"), KeyError("a mistake of ours")])
@pytest.mark.parametrize("made", [lambda part: watcher_of(part, part, lambda: 0), lambda part: upkeep_of(part, part)])
def test_a_worker_tells_what_fails_and_goes_on(monkeypatch, error, made):
    monkeypatch.setattr("clew.app._PAUSE_AFTER_ERROR_S", 0.2)
    failing = Failing(error)
    worker = made(failing)
    told = []
    monkeypatch.setattr("clew.app.log.exception", lambda *_: told.append(worker.problem))
    worker.start()
    try:
        assert failing.went_on.wait(30)
    finally:
        worker.stop()
    assert [error.args[0] in problem for problem in told] == [True]
    assert worker.problem is None
