import asyncio
import threading

import pytest

from clew.model.errors import MalformedTelemetry, StoreUnavailable
from clew.receive.commit import GroupCommitter
from clew.receive.policy import MS, FlushPolicy
from clew.store.contract import Rejected, Signal
from tests.receive.serving import FakeStore

HASTY = FlushPolicy(quiet_linger_ns=20 * MS, load_linger_ns=20 * MS, thrift_linger_ns=20 * MS)


class Started:
    """A committer over a fake store, drained at the end of the block."""

    def __init__(self, store: FakeStore, policy: FlushPolicy = HASTY, writers: int = 1) -> None:
        self.committer = GroupCommitter(store, policy, writers)

    async def __aenter__(self) -> GroupCommitter:
        self.committer.start()
        return self.committer

    async def __aexit__(self, *error: object) -> None:
        await self.committer.drain()


async def test_requests_that_come_together_are_committed_together():
    store = FakeStore()
    async with Started(store) as committer:
        await asyncio.gather(*(committer.submit(Signal.TRACES, b"%d" % n) for n in range(50)))
    assert len(store.batches) == 1
    assert store.stored == [b"%d" % n for n in range(50)]


async def test_traces_and_logs_are_committed_in_batches_of_their_own():
    store = FakeStore()
    async with Started(store) as committer:
        await asyncio.gather(committer.submit(Signal.TRACES, b"t"), committer.submit(Signal.LOGS, b"l"))
    assert {(batch.signal, batch.payloads) for batch in store.batches} == {
        (Signal.TRACES, (b"t",)),
        (Signal.LOGS, (b"l",)),
    }
    assert len({batch.token for batch in store.batches}) == 2


async def test_nobody_is_answered_before_the_store_returned():
    release = threading.Event()
    store = FakeStore(before=lambda batch: release.wait(10))
    async with Started(store) as committer:
        request = asyncio.ensure_future(committer.submit(Signal.TRACES, b"t"))
        await asyncio.sleep(0.1)
        assert store.tried
        assert not request.done()
        release.set()
        assert await request is None


async def test_a_batch_that_is_being_written_is_neither_settled_nor_whole():
    release = threading.Event()
    store = FakeStore(before=lambda batch: release.wait(10))
    async with Started(store) as committer:
        request = asyncio.ensure_future(committer.submit(Signal.TRACES, b"t"))
        await asyncio.sleep(0.1)
        stamp_ns = store.tried[0].received_ns
        assert committer.settled_ns() <= stamp_ns
        assert committer.whole_ns() == stamp_ns - 1
        release.set()
        await request
        assert committer.whole_ns() == stamp_ns


async def test_each_sender_gets_its_own_answer():
    store = FakeStore()
    store.bad, store.rejects = {b"\x0a\xff"}, {b"r": Rejected(1, "wrong id")}
    async with Started(store) as committer:
        answers = await asyncio.gather(
            *(committer.submit(Signal.TRACES, payload) for payload in (b"", b"\x0a\xff", b"r")), return_exceptions=True
        )
    assert answers[0] is None
    assert isinstance(answers[1], MalformedTelemetry)
    assert answers[2] == Rejected(1, "wrong id")
    assert committer.counts.refused == 1


async def test_a_batch_is_not_larger_than_allowed_unless_one_request_is():
    store = FakeStore()
    policy = FlushPolicy(full_bytes=1, batch_bytes=100)
    async with Started(store, policy) as committer:
        await asyncio.gather(*(committer.submit(Signal.TRACES, bytes(size)) for size in (60, 40, 1, 250, 70)))
    assert [[len(payload) for payload in batch.payloads] for batch in store.batches] == [[60, 40], [1], [250], [70]]


@pytest.mark.parametrize(("writers", "at_once"), [(1, 1), (2, 2)])
async def test_as_many_batches_are_written_at_once_as_there_are_writers(writers, at_once):
    inside, most, lock, gate = 0, 0, threading.Lock(), threading.Event()

    def count(_batch):
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        gate.wait(0.1)
        with lock:
            inside -= 1

    async with Started(FakeStore(before=count), FlushPolicy(full_bytes=1, batch_bytes=1), writers) as committer:
        await asyncio.gather(*(committer.submit(Signal.TRACES, b"%d" % n) for n in range(6)))
    assert most == at_once


async def test_writers_are_not_the_main_thread_and_outlive_it_until_drained():
    seen: list[threading.Thread] = []
    async with Started(FakeStore(before=lambda batch: seen.append(threading.current_thread()))) as committer:
        await committer.submit(Signal.LOGS, b"l")
        assert seen[0] is not threading.main_thread()
        assert seen[0].is_alive()
        assert not seen[0].daemon
    assert not seen[0].is_alive()


async def test_draining_commits_what_was_received_and_refuses_what_comes_later():
    store = FakeStore()
    slow = FlushPolicy(quiet_linger_ns=60_000 * MS)
    async with Started(store, slow) as committer:
        requests = [asyncio.ensure_future(committer.submit(Signal.TRACES, b"%d" % n)) for n in range(3)]
        await asyncio.sleep(0)
        draining = asyncio.ensure_future(committer.drain())
        await asyncio.sleep(0)
        with pytest.raises(StoreUnavailable):
            await committer.submit(Signal.TRACES, b"late")
        assert await asyncio.gather(*requests) == [None] * 3
        await draining
    assert store.stored == [b"0", b"1", b"2"]


async def test_a_sender_that_gives_up_is_forgotten_and_does_not_disturb_the_others():
    store = FakeStore()
    async with Started(store) as committer:
        impatient = asyncio.ensure_future(committer.submit(Signal.TRACES, b"1"))
        patient = asyncio.ensure_future(committer.submit(Signal.TRACES, b"2"))
        await asyncio.sleep(0)
        impatient.cancel()
        assert await patient is None
    assert store.stored == [b"2"]


async def test_when_the_store_is_too_slow_new_requests_are_sent_away_and_the_waiting_ones_stay():
    entered, release = threading.Event(), threading.Event()
    store = FakeStore(before=lambda batch: (entered.set(), release.wait(10)))
    policy = FlushPolicy(quiet_linger_ns=1 * MS, patience_ns=50 * MS)
    async with Started(store, policy) as committer:
        inside = asyncio.ensure_future(committer.submit(Signal.TRACES, b"inside"))
        await asyncio.to_thread(entered.wait, 10)
        patient = asyncio.ensure_future(committer.submit(Signal.TRACES, b"patient"))
        await asyncio.sleep(0.1)
        with pytest.raises(StoreUnavailable, match="slow"):
            await committer.submit(Signal.TRACES, b"late")
        release.set()
        assert await asyncio.gather(inside, patient) == [None, None]
    assert store.stored == [b"inside", b"patient"]


async def test_a_committer_with_a_fault_refuses_instead_of_keeping_senders_waiting(monkeypatch, caplog):
    def fail(*_values):
        raise ZeroDivisionError("a fault of ours")

    async with Started(FakeStore()) as committer:
        monkeypatch.setattr("clew.receive.commit.should_flush", fail)
        with pytest.raises(StoreUnavailable, match="stopped"):
            await committer.submit(Signal.TRACES, b"waiting")
        with pytest.raises(StoreUnavailable):
            await committer.submit(Signal.TRACES, b"later")
        assert committer.broken
    assert "commits have stopped" in caplog.text
