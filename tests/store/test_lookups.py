"""Reads made two at a time leave readers to who keeps Clew up to date."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from clew.api.turns import WORKERS
from clew.store.embedded import READERS, open_store
from clew.store.lookups import BESIDE, both

KEEPERS = 2
"""The watcher and upkeep."""


def test_what_two_calls_return_comes_in_their_order_however_deep():
    def pair(depth):
        return both(lambda: pair(depth - 1), lambda: pair(depth - 1)) if depth else 1

    assert pair(1) == (1, 1)
    assert pair(4) == both(lambda: pair(3), lambda: pair(3))


def test_an_error_of_either_is_raised_and_leaves_nothing_taken():
    for _ in range(2 * BESIDE):
        with pytest.raises(KeyError):
            both(lambda: 1, lambda: {}["none"])
        with pytest.raises(KeyError):
            both(lambda: {}["none"], lambda: 1)
    meeting = threading.Barrier(2)
    both(lambda: meeting.wait(10), lambda: meeting.wait(10))


def test_a_tick_reads_while_all_workers_read_as_much_as_they_can(tmp_path):
    store = open_store(tmp_path)
    reading, go_on = threading.Semaphore(0), threading.Event()

    def slowly():
        with store._client():
            reading.release()
            assert go_on.wait(60)

    def much():
        both(lambda: both(slowly, slowly), lambda: both(slowly, slowly))

    with ThreadPoolExecutor(WORKERS + KEEPERS) as threads:
        try:
            workers = [threads.submit(much) for _ in range(WORKERS)]
            for _ in range(READERS - KEEPERS):
                assert reading.acquire(timeout=30)
            keepers = [threads.submit(store.rows, "SELECT 1 AS one") for _ in range(KEEPERS)]
            assert [each.result(30) for each in keepers] == [[{"one": 1}]] * KEEPERS
            assert not reading.acquire(blocking=False)
        finally:
            go_on.set()
        for each in workers:
            each.result(60)
    store.close()
