"""A background thread that empties an outbox, for ever: it waits out a dead backend and loses nothing."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable

from clew_sdk.delivery import Delivery, Post, deliver, pause_s
from clew_sdk.source import Source
from clew_sdk.table import Row
from clew_sdk.transport import Answer, Meaning

logger = logging.getLogger("clew_sdk.sender")

BATCH_ROWS = 300
BATCH_BYTES = 4 << 20  # well below what receivers take by default
_POLL_S = 0.5
_LINGER_S = 0.1


class Sender:
    """Sends the rows of one source.

    Row order is kept per batch, at least once: a row is deleted after the backend said that it is stored, so a crash
    in between sends it again, with the same ``log.record.uid``.
    """

    def __init__(self, name: str, open_source: Callable[[], Source], post: Post, poll_s: float = _POLL_S) -> None:
        self._name = name
        self._open_source = open_source
        self._post = post
        self._poll_s = poll_s
        self._source: Source | None = None
        self._failures = 0
        self._told = False
        self._reset()

    def _reset(self) -> None:
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._start_lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def wake(self) -> None:
        """There may be rows: start the thread if it isn't running, and don't wait for the next poll."""
        if self._thread is None:
            self.start()
        self._wake.set()

    def start(self) -> None:
        """Start the thread; nothing happens when it runs or was stopped."""
        with self._start_lock:
            if self._thread is None and not self._stopping.is_set():
                self._thread = threading.Thread(target=self._run, name=f"clew-{self._name}", daemon=True)
                self._thread.start()

    def stop(self, timeout: float) -> bool:
        """Send what is there for up to ``timeout`` seconds, then stop. True when nothing was left waiting."""
        self._stopping.set()
        self._wake.set()
        thread = self._thread
        if thread is None or thread is threading.current_thread():
            return True
        thread.join(timeout)
        return not thread.is_alive() and self._failures == 0

    def after_fork_in_child(self) -> None:
        """Forget the parent's thread and claim; the thread starts with the child's first row."""
        if self._source is not None:
            _inherited.append(self._source)  # freeing it would close the parent's connection to PostgreSQL
            self._source = None
        self._failures = 0
        self._reset()

    def _run(self) -> None:
        while not self._stopping.is_set():
            pause = self._round()
            if self._failures:
                self._stopping.wait(pause)  # backing off: a new row is no reason to try earlier
            elif pause:
                self._wake.wait(pause)
                self._wake.clear()
                self._stopping.wait(_LINGER_S)  # rows come in groups: let them share a request
        while self._round() == 0.0:
            pass
        self._close()

    def _round(self) -> float:
        """Send one batch; returns the seconds to wait before the next, 0 when there may be more."""
        try:
            source = self._source = self._source or self._open_source()
            rows = _fitting(source.claim(BATCH_ROWS))
            if not rows:
                return self._poll_s
            delivery = deliver(rows, self._post)
            source.settle(delivery, time.time_ns())
        except Exception as error:  # the caller's driver may raise anything, and nobody but us can try again
            self._close()
            return self._failed(Answer(Meaning.LATER, 0, f"outbox database: {error!r}"))
        self._report(delivery)
        if delivery.waiting is not None:
            return self._failed(delivery.waiting)
        self._recovered()
        return 0.0

    def _close(self) -> None:
        source, self._source = self._source, None
        if source is None:
            return
        try:
            source.close()
        except Exception:
            logger.debug("closing the source of %s failed", self._name, exc_info=True)

    def _failed(self, answer: Answer) -> float:
        self._failures += 1
        if not self._told:
            self._told = True
            logger.warning(
                "stage events of %s can't be sent now and wait in the outbox (%s %s)",
                self._name,
                answer.status or "no answer",
                answer.reason,
            )
        return pause_s(self._failures, answer, random.random())  # noqa: S311 - spread, not a secret

    def _recovered(self) -> None:
        self._failures = 0
        if self._told:
            self._told = False
            logger.warning("stage events of %s are being sent again", self._name)

    def _report(self, delivery: Delivery) -> None:
        for row, reason in delivery.rejected:
            logger.error("stage event %d of %s was rejected, kept in clew_rejected: %s", row.id, self._name, reason)


def _fitting(rows: list[Row]) -> list[Row]:
    """The first rows, as many as share one request; always at least one."""
    room = BATCH_BYTES
    for count, row in enumerate(rows):
        room -= len(row.request)
        if room < 0:
            return rows[: max(count, 1)]
    return rows


_inherited: list[Source] = []
