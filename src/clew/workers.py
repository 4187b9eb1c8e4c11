"""Threads that do a step again and again."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from clew.model.errors import ClewError

log = logging.getLogger(__name__)

_PAUSE_AFTER_ERROR_S = 2.0


class Worker:
    """A thread that does a step again and again until it is stopped; ``problem`` says why the last one failed."""

    def __init__(self, name: str, step: Callable[[], float], told: str) -> None:
        """Not running until `start`. ``step`` answers how many seconds to rest; ``told`` is what a failure means."""
        self._step = step
        self._told = told
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=False)
        self.problem: str | None = None

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def ask_to_stop(self) -> None:
        """Begin no other step; returns at once."""
        self._stop.set()

    def stop(self) -> None:
        """End after the current step and wait for it."""
        self.ask_to_stop()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                pause = self._step()
                self.problem = None
            except Exception as error:  # also a mistake of ours: verdicts must not grow old unseen
                self._tell(error)
                pause = _PAUSE_AFTER_ERROR_S
            self._stop.wait(pause)

    def _tell(self, error: Exception) -> None:
        """Say what fails, the same thing once: what lasts for hours mustn't fill the log."""
        before, self.problem = self.problem, f"{self._told}: {in_words(error)}"
        if self.problem != before:
            log.error("%s; trying again", self.problem, exc_info=None if isinstance(error, ClewError) else error)


def stop_all(workers: Sequence[Worker]) -> None:
    """End all after their current steps, and wait for as long as the longest of these takes, not all in turn."""
    for worker in workers:
        worker.ask_to_stop()
    for worker in workers:
        worker.stop()


def in_words(error: Exception) -> str:
    """An error as people are told of it: one that Clew raises on purpose speaks for itself."""
    return str(error) if isinstance(error, ClewError) else repr(error)
