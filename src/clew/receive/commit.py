"""Group commit: requests wait for the next flush, and are answered when it is on disk and queryable.

::

    submit ──► waiting ──should_flush──► batch of traces ─┐
    submit ──► waiting ─────────────────► batch of logs  ─┴► writer thread ──► store ──► answers

Decisions are taken on the event loop; the store is called on writer threads of our own, which are
not daemons (a process that exits inside the engine crashes) and never the main thread (it would be
deaf to signals). CHDB-FACTS: an insert costs about 100 ms of CPU whatever its size.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from dataclasses import dataclass

from clew.model.errors import IngestError, StoreUnavailable
from clew.receive.flush import Outcome, commit_batch, new_token
from clew.receive.policy import FlushPolicy, Queue, Reason, Wait, savings, should_flush
from clew.store.contract import Batch, Rejected, Signal, Store

log = logging.getLogger(__name__)

_STAMP_MARGIN_NS = 1_000_000_000


@dataclass(slots=True)
class _Waiting:
    payload: bytes
    arrived_ns: int
    answer: asyncio.Future[Outcome]


@dataclass(slots=True)
class _Job:
    batch: Batch
    answers: list[asyncio.Future[Outcome]]


@dataclass(slots=True)
class CommitCounts:
    """What was committed since the start."""

    flushes: int = 0
    requests: int = 0
    bytes: int = 0
    refused: int = 0
    commits: int = 0
    busy_ns: int = 0


class GroupCommitter:
    """Commits export requests in batches. Every method belongs to the event loop.

    The caller holds an admission lease for each payload until ``submit`` returns: that, and not this
    class, bounds the memory of what waits and is in flight.
    """

    def __init__(self, store: Store, policy: FlushPolicy | None = None, writers: int = 1) -> None:
        self.counts = CommitCounts()
        self._store = store
        self._policy = policy or FlushPolicy()
        self._waiting: dict[Signal, list[_Waiting]] = {signal: [] for signal in Signal}
        self._bytes = 0
        self._in_flight = 0
        self._uncommitted: list[int] = []
        self._stamp_ns = 0
        self._saved_ns = self._policy.savings_ns
        self._saved_at_ns = time.monotonic_ns()
        self._freed_ns = 0
        self._draining = False
        self._changed = asyncio.Event()
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._writers = writers
        self._threads: list[threading.Thread] = []
        self._loop_task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start the writer threads and the flush loop; call it once, on the running event loop."""
        loop = asyncio.get_running_loop()
        for number in range(self._writers):
            thread = threading.Thread(target=self._write, args=(loop,), name=f"clew-writer-{number}", daemon=False)
            thread.start()
            self._threads.append(thread)
        self._loop_task = loop.create_task(self._flush_when_due(), name="clew-flush")

    async def submit(self, signal: Signal, payload: bytes) -> Rejected | None:
        """Commit one export request: on return it is fsynced and queryable.

        Returns what was left out of it for ever, or None. Raises MalformedTelemetry, or
        StoreUnavailable (also while draining) when sending it again later may help.
        """
        if self._draining:
            raise StoreUnavailable("Clew is stopping")
        waiting = _Waiting(payload, time.monotonic_ns(), asyncio.get_running_loop().create_future())
        self._waiting[signal].append(waiting)
        self._bytes += len(payload)
        self._changed.set()
        outcome = await waiting.answer
        if isinstance(outcome, IngestError):
            self.counts.refused += 1
            raise outcome
        return outcome

    def settled_ns(self) -> int:
        """A moment (Unix ns) before which everything received is committed or was refused; for any thread.

        A second behind the clock, so that a batch being stamped just now is never overtaken.
        """
        return min([*self._uncommitted, time.time_ns() - _STAMP_MARGIN_NS])

    async def drain(self) -> None:
        """Refuse new requests, commit those received, stop the writers; idempotent."""
        self._draining = True
        self._changed.set()
        if self._loop_task is not None:
            await self._loop_task
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            await asyncio.to_thread(thread.join)
        self._threads.clear()

    @property
    def waiting(self) -> int:
        """How many requests wait for the next flush."""
        return sum(map(len, self._waiting.values()))

    def _state(self) -> Queue:
        queues = [waiting for waiting in self._waiting.values() if waiting]
        return Queue(
            requests=self.waiting,
            bytes=self._bytes,
            first_ns=min((waiting[0].arrived_ns for waiting in queues), default=0),
            last_ns=max((waiting[-1].arrived_ns for waiting in queues), default=0),
            freed_ns=self._freed_ns,
            free_writers=self._writers - self._in_flight,
            saved_ns=self._saved_ns,
            draining=self._draining,
        )

    async def _flush_when_due(self) -> None:
        while True:
            self._changed.clear()
            now_ns = time.monotonic_ns()
            self._save_up(now_ns, spent_ns=0)
            state = self._state()
            if state.draining and not state.requests and not self._in_flight:
                return
            match should_flush(state, self._policy, now_ns):
                case Reason() as reason:
                    self._flush(reason)
                case Wait(until_ns):
                    await self._sleep_until(until_ns, now_ns)

    async def _sleep_until(self, until_ns: int | None, now_ns: int) -> None:
        if until_ns is None:
            await self._changed.wait()
            return
        loop = asyncio.get_running_loop()
        alarm = loop.call_later((until_ns - now_ns) / 1e9, self._changed.set)
        try:
            await self._changed.wait()
        finally:
            alarm.cancel()

    def _flush(self, reason: Reason) -> None:
        """Hand over what waits, at most one batch a signal; the rest waits for the next flush."""
        for signal, waiting in self._waiting.items():
            taken = _take(waiting, self._policy.batch_bytes)
            if not taken:
                continue
            payloads = tuple(item.payload for item in taken)
            size = sum(map(len, payloads))
            self._bytes -= size
            self._in_flight += 1
            self.counts.flushes += 1
            self.counts.requests += len(taken)
            self.counts.bytes += size
            self._stamp_ns = max(time.time_ns(), self._stamp_ns + 1)
            batch = Batch(signal, payloads, new_token(), self._stamp_ns)
            self._uncommitted.append(batch.received_ns)
            self._jobs.put(_Job(batch, [item.answer for item in taken]))
            log.debug("flush of %d %s requests, %d bytes, because of %s", len(taken), signal, size, reason)

    def _write(self, loop: asyncio.AbstractEventLoop) -> None:
        """The life of a writer thread."""
        while (job := self._jobs.get()) is not None:
            begin_ns = time.monotonic_ns()
            outcomes = commit_batch(self._store, job.batch)
            spent_ns = time.monotonic_ns() - begin_ns
            loop.call_soon_threadsafe(self._done, job, outcomes, spent_ns)

    def _done(self, job: _Job, outcomes: list[Outcome], spent_ns: int) -> None:
        self._in_flight -= 1
        self._uncommitted.remove(job.batch.received_ns)
        self.counts.commits += 1
        self.counts.busy_ns += spent_ns
        self._freed_ns = time.monotonic_ns()
        self._save_up(self._freed_ns, spent_ns)
        for answer, outcome in zip(job.answers, outcomes, strict=True):
            if not answer.done():
                answer.set_result(outcome)
        self._changed.set()

    def _save_up(self, now_ns: int, spent_ns: int) -> None:
        self._saved_ns = savings(self._saved_ns, now_ns - self._saved_at_ns, spent_ns, self._policy)
        self._saved_at_ns = now_ns


def _take(waiting: list[_Waiting], limit_bytes: int) -> list[_Waiting]:
    """Remove and return the oldest requests up to the limit, at least one when any waits."""
    size = count = 0
    for item in waiting:
        if count and size + len(item.payload) > limit_bytes:
            break
        size += len(item.payload)
        count += 1
    taken = waiting[:count]
    del waiting[:count]
    return taken
