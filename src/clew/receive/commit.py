"""Group commit: requests wait for the next flush, and are answered when it is on disk and queryable.

::

    submit ──► waiting ──should_flush──► batch of traces ─┐
    submit ──► waiting ─────────────────► batch of logs  ─┴► writer thread ──► store ──► answers

Decisions are taken on the event loop; the store is called on writer threads of our own, which are
not daemons (a process that exits inside the engine crashes) and never the main thread (it would be
deaf to signals).
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from dataclasses import dataclass, replace

from clew.model.errors import IngestError, StoreUnavailable
from clew.receive.flush import Outcome, commit_batch, new_token
from clew.receive.policy import FlushPolicy, Queue, Reason, Wait, is_behind, save, should_flush, spend
from clew.store.contract import Batch, Rejected, Signal, Store

log = logging.getLogger(__name__)

_STAMP_MARGIN_NS = 1_000_000_000


@dataclass(slots=True, eq=False)
class _Waiting:
    payload: bytes
    arrived_ns: int
    answer: asyncio.Future[Outcome]


class _Lane:
    """What waits of one signal, oldest first; an insert holds one signal, so each has its own moment."""

    def __init__(self, signal: Signal, policy: FlushPolicy) -> None:
        self.signal = signal
        self.policy = policy
        self.waiting: list[_Waiting] = []
        self.bytes = 0

    @property
    def first_ns(self) -> int:
        return self.waiting[0].arrived_ns if self.waiting else 0

    def add(self, item: _Waiting) -> None:
        self.waiting.append(item)
        self.bytes += len(item.payload)

    def drop(self, item: _Waiting) -> None:
        """Forget a request that nobody waits for any more, unless it is being written already."""
        if item in self.waiting:
            self.waiting.remove(item)
            self.bytes -= len(item.payload)

    def take_all(self) -> list[_Waiting]:
        """Remove and return all that waits."""
        taken, self.waiting, self.bytes = self.waiting, [], 0
        return taken

    def take(self) -> list[_Waiting]:
        """Remove and return the oldest requests up to the limit of a batch, at least one when any waits."""
        size = count = 0
        for item in self.waiting:
            if count and size + len(item.payload) > self.policy.batch_bytes:
                break
            size += len(item.payload)
            count += 1
        taken = self.waiting[:count]
        del self.waiting[:count]
        self.bytes -= size
        return taken


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
        self.broken = False
        self._store = store
        self._policy = policy or FlushPolicy()
        self._lanes = {signal: _Lane(signal, _policy_of(signal, self._policy)) for signal in Signal}
        self._received = 0
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
        self._loop_task.add_done_callback(self._flushing_ended)

    def _flushing_ended(self, task: asyncio.Task[None]) -> None:
        """When flushing ended by a fault of ours, refuse instead of keeping senders waiting for ever."""
        if task.cancelled() or task.exception() is None:
            return
        log.critical("commits have stopped; Clew must be restarted", exc_info=task.exception())
        self.broken = self._draining = True
        for lane in self._lanes.values():
            for item in lane.take_all():
                if not item.answer.done():
                    item.answer.set_result(StoreUnavailable("commits have stopped"))

    async def submit(self, signal: Signal, payload: bytes) -> Rejected | None:
        """Commit one export request: on return it is fsynced and queryable.

        Returns what was left out of it for ever, or None. Raises MalformedTelemetry, or
        StoreUnavailable (also while draining, or when the store is too slow) when sending it again later
        may help. When cancelled before its flush, the request is forgotten.
        """
        if self._draining:
            raise StoreUnavailable("Clew is stopping")
        lane, now_ns = self._lanes[signal], time.monotonic_ns()
        if is_behind(self._state(lane), lane.policy, now_ns):
            raise StoreUnavailable("the store is slow: others wait already", retry_after_s=2)
        waiting = _Waiting(payload, now_ns, asyncio.get_running_loop().create_future())
        lane.add(waiting)
        self._received += len(payload)
        self._changed.set()
        try:
            outcome = await waiting.answer
        except asyncio.CancelledError:
            # Its memory is no longer accounted for, and a sender who gave up sends again.
            lane.drop(waiting)
            raise
        if isinstance(outcome, IngestError):
            self.counts.refused += 1
            raise outcome
        return outcome

    def settled_ns(self) -> int:
        """A moment (Unix ns) before which everything received is committed or was refused; for any thread.

        A second behind the clock, so that a batch being stamped just now is never overtaken.
        """
        return min([*self._uncommitted, time.time_ns() - _STAMP_MARGIN_NS])

    def whole_ns(self) -> int:
        """The stamp (Unix ns) up to which no batch is half written; for any thread.

        The tables of one batch become visible one after another, so what a reader finds of a later stamp may be a part.
        """
        stamp_ns = self._stamp_ns
        return min([stamp_ns, *(each - 1 for each in self._uncommitted)])

    async def drain(self) -> None:
        """Refuse new requests, commit those received, stop the writers; idempotent."""
        self._draining = True
        self._changed.set()
        if self._loop_task is not None:
            await asyncio.wait([self._loop_task])
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            await asyncio.to_thread(thread.join)
        self._threads.clear()

    @property
    def waiting(self) -> int:
        """How many requests wait for the next flush."""
        return sum(len(lane.waiting) for lane in self._lanes.values())

    def _state(self, lane: _Lane) -> Queue:
        return Queue(
            requests=len(lane.waiting),
            bytes=lane.bytes,
            first_ns=lane.first_ns,
            last_ns=lane.waiting[-1].arrived_ns if lane.waiting else 0,
            freed_ns=self._freed_ns,
            free_writers=self._writers - self._in_flight,
            saved_ns=self._saved_ns,
            draining=self._draining,
        )

    async def _flush_when_due(self) -> None:
        while not (self._draining and not self.waiting and not self._in_flight):
            self._changed.clear()
            now_ns = time.monotonic_ns()
            self._save_up(now_ns)
            # The oldest first, so that a flood of one signal does not keep the other waiting.
            lanes = sorted(self._lanes.values(), key=lambda lane: lane.first_ns)
            await self._sleep_until([self._look_after(lane, now_ns) for lane in lanes], now_ns)

    def _look_after(self, lane: _Lane, now_ns: int) -> int | None:
        """Flush a lane when it is due; else say when to look again, None for not before something changes."""
        match should_flush(self._state(lane), lane.policy, now_ns):
            case Reason() as reason:
                self._flush(lane, reason)
                return now_ns
            case Wait(until_ns):
                return until_ns

    async def _sleep_until(self, moments_ns: list[int | None], now_ns: int) -> None:
        """Sleep until the first of these moments, or until something changes."""
        until_ns = min((moment for moment in moments_ns if moment is not None), default=None)
        if until_ns is None:
            await self._changed.wait()
            return
        alarm = asyncio.get_running_loop().call_later((until_ns - now_ns) / 1e9, self._changed.set)
        try:
            await self._changed.wait()
        finally:
            alarm.cancel()

    def _flush(self, lane: _Lane, reason: Reason) -> None:
        """Hand over what waits, at most one batch; the rest waits for the next flush."""
        taken = lane.take()
        payloads = tuple(item.payload for item in taken)
        stamp_ns = max(time.time_ns(), self._stamp_ns + 1)
        batch = Batch(lane.signal, payloads, new_token(), stamp_ns)
        # In this order: other threads must never see the last stamp without its batch.
        self._uncommitted.append(stamp_ns)
        self._stamp_ns = stamp_ns
        self._in_flight += 1
        self._saved_ns = spend(self._saved_ns, lane.policy)
        self._jobs.put(_Job(batch, [item.answer for item in taken]))
        self.counts.flushes += 1
        self.counts.requests += len(taken)
        self.counts.bytes += sum(map(len, payloads))
        log.debug("flush of %d %s requests because of %s", len(taken), lane.signal, reason)

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
        for answer, outcome in zip(job.answers, outcomes, strict=True):
            if not answer.done():
                answer.set_result(outcome)
        self._changed.set()

    def _save_up(self, now_ns: int) -> None:
        elapsed_ns, self._saved_at_ns = now_ns - self._saved_at_ns, now_ns
        self._saved_ns = save(self._saved_ns, elapsed_ns, self._received, self._policy)
        self._received = 0


def _policy_of(signal: Signal, policy: FlushPolicy) -> FlushPolicy:
    """Logs carry the stage events, which people wait for: thrift makes them wait half as long as spans."""
    if signal is Signal.LOGS:
        return replace(policy, thrift_linger_ns=policy.thrift_linger_ns // 2)
    return policy
