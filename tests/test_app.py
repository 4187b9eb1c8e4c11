"""What the composition root promises beyond what `clew serve` shows from outside."""

import threading

import pytest
from anyio import to_thread

from clew.app import Watcher, leave_a_reader_to_the_watcher
from clew.model.errors import StoreError
from clew.store.embedded import READERS


async def test_requests_never_hold_the_last_reader():
    leave_a_reader_to_the_watcher()
    assert 0 < to_thread.current_default_thread_limiter().total_tokens < READERS


class Failing:
    """A ticker and a loss detector of which the first step fails."""

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

    def refresh(self):
        return False


@pytest.mark.parametrize("error", [StoreError("the disk is full"), KeyError("a mistake of ours")])
def test_the_watcher_tells_what_fails_and_goes_on(monkeypatch, error):
    monkeypatch.setattr("clew.app._PAUSE_AFTER_ERROR_S", 0.2)
    failing = Failing(error)
    watcher = Watcher(failing, failing, failing, lambda: 0, failing)
    told = []
    monkeypatch.setattr("clew.app.log.exception", lambda _: told.append(watcher.problem))
    watcher.start()
    try:
        assert failing.went_on.wait(30)
    finally:
        watcher.stop()
    assert [error.args[0] in problem for problem in told] == [True]
    assert watcher.problem is None
