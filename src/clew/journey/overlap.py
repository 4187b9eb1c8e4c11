"""Work on two threads, one step apart: the engine reads or writes while Python folds, as it needs no lock of its."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_Item = TypeVar("_Item")
_Made = TypeVar("_Made")


def overlapped(make: Callable[[_Item], _Made], items: Iterable[_Item]) -> Iterator[_Made]:
    """What is made of each item, in their order, on a thread of its own, while the next item or its user is busy.

    At most one is being made and one more waits. What ``make`` raises is raised here; nothing is made after it.
    """
    with ThreadPoolExecutor(1, "clew-overlap") as beside:
        last: Future[_Made] | None = None
        try:
            for item in items:
                coming = beside.submit(make, item)
                if last is not None:
                    before, last = last, coming
                    yield before.result()
                last = coming
            if last is not None:
                yield last.result()
        finally:
            if last is not None:
                last.cancel()
