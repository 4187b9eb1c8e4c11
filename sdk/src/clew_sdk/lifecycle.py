"""The ends of a process: SIGTERM, normal exit, fork."""

from __future__ import annotations

import atexit
import logging
import os
import signal
import threading
from collections.abc import Callable
from types import FrameType

logger = logging.getLogger("clew_sdk")


def bounded(work: Callable[[], object], timeout: float) -> bool:
    """Run the work in a thread of its own and wait for it up to ``timeout`` seconds; True when it ended in time.

    A signal handler must not do the work itself: the code it interrupted may hold a lock that the work needs.
    """
    thread = threading.Thread(target=work, name="clew-flush", daemon=True)
    try:
        thread.start()
    except RuntimeError:  # Python 3.12 and later start no thread while the interpreter ends
        work()
        return True
    thread.join(timeout)
    return not thread.is_alive()


def on_exit(work: Callable[[], object]) -> None:
    """Run the work at a normal end of the process that registered it, not of its forked children."""
    owner = os.getpid()
    atexit.register(lambda: work() if os.getpid() == owner else None)


def on_sigterm(flush: Callable[[], object], timeout: float) -> bool:
    """Flush on SIGTERM, then do what would have happened without us. True when the handler was installed.

    Only the main thread may install handlers, and one that isn't Python's can't be called on: then nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        return False
    previous = signal.getsignal(signal.SIGTERM)
    if previous is None:
        return False

    def handle(number: int, frame: FrameType | None) -> None:
        bounded(flush, timeout)
        if callable(previous):
            previous(number, frame)
        elif previous == signal.SIG_DFL:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    signal.signal(signal.SIGTERM, handle)
    return True


def on_fork(in_child: Callable[[], None]) -> None:
    """Run the work in each forked child."""
    os.register_at_fork(after_in_child=in_child)
