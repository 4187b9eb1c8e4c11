"""Threads that do a step again and again end together."""

import threading

import pytest

from clew.model.errors import StoreError
from clew.workers import Worker, stop_all


def test_all_are_asked_to_stop_before_any_is_waited_for():
    begun, go_on, last_begun = threading.Event(), threading.Event(), threading.Event()
    steps = []

    def long_look() -> float:
        begun.set()
        assert go_on.wait(60)
        return 0.0

    def often() -> float:
        steps.append(1)
        last_begun.set()
        return 0.001

    first, second = Worker("first", long_look, "fails"), Worker("second", often, "fails")
    for worker in (first, second):
        worker.start()
    assert begun.wait(60)
    assert last_begun.wait(60)
    stopping = threading.Thread(target=stop_all, args=((first, second),))
    stopping.start()
    second._thread.join(60)
    ended, first_goes_on = not second._thread.is_alive(), first._thread.is_alive()
    go_on.set()
    stopping.join(60)
    assert (ended, first_goes_on, first._thread.is_alive()) == (True, True, False)


def test_one_that_never_started_is_stopped_too():
    stop_all((Worker("idle", lambda: 0.0, "fails"),))


@pytest.mark.parametrize(("error", "traced"), [(StoreError("no room"), False), (KeyError("a mistake of ours"), True)])
def test_what_lasts_is_logged_once_and_a_mistake_of_ours_with_its_place(caplog, monkeypatch, error, traced):
    monkeypatch.setattr("clew.workers._PAUSE_AFTER_ERROR_S", 0.001)
    tried = threading.Semaphore(0)

    def fail() -> float:
        tried.release()
        raise error

    worker = Worker("failing", fail, "nothing is done")
    worker.start()
    assert all(tried.acquire(timeout=60) for _ in range(5))
    worker.stop()
    (record,) = caplog.records
    assert "nothing is done" in record.getMessage()
    assert bool(record.exc_info) is traced
