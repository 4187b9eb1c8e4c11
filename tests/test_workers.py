"""Threads that do a step again and again end together."""

import threading

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
