"""The ends of a process: SIGTERM, normal exit, fork."""

from __future__ import annotations

import atexit
import os
import signal
import threading
from collections.abc import Callable
from types import FrameType

Work = Callable[[], object]


def bounded(work: Work, timeout: float) -> bool:
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


def on_exit(work: Work) -> None:
    """Run the work at a normal end of the process that registered it, and of its forked children."""
    atexit.register(work)


def on_sigterm(flush: Work, shutdown: Work, timeout: float) -> bool:
    """On SIGTERM flush, then do what would have happened without us. True when the handler was installed.

    Where SIGTERM would simply have ended the process, ``shutdown`` runs instead of ``flush``. Only the main thread may
    install handlers, and one that isn't Python's can't be called on: then nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        return False
    previous = signal.getsignal(signal.SIGTERM)
    if previous is None:
        return False

    def handle(number: int, frame: FrameType | None) -> None:
        bounded(shutdown if previous == signal.SIG_DFL else flush, timeout)
        if callable(previous):
            previous(number, frame)
        elif previous == signal.SIG_DFL:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    signal.signal(signal.SIGTERM, handle)
    return True


def on_fork(before: Work, after_in_parent: Work, after_in_child: Work) -> None:
    """Run the work around each fork of this process."""
    os.register_at_fork(before=before, after_in_parent=after_in_parent, after_in_child=after_in_child)
