"""Sends recognised events while the next are read: the reader computes, the sender waits for answers.

reading thread: batch -> events -> lines of JSON -> body      queue of 2 bodies      this thread: POST
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from clew.history.recognise import Recogniser
from clew.history.rows import Source

EVENTS_A_BODY = 50_000
BYTES_A_BODY = 12 * 1024 * 1024
"""As large as the API takes, with some room: each body becomes a part of its own for every month that it tells of."""
BYTES_BESIDE_THE_ENGINE = 3 * 1024 * 1024
"""The same where one process reads the file and stores it: what a body becomes in the engine is 20 times as large."""

_WAITING_BODIES = 2


@dataclass(frozen=True, slots=True)
class Body:
    """Events as lines of JSON."""

    events: int
    lines: bytes


def bodies(source: Source, recogniser: Recogniser, most_bytes: int = BYTES_A_BODY) -> Iterator[Body]:
    """All events of a source in bodies of a good size, but none larger than said unless one event is."""
    gathered: list[bytes] = []
    count = size = 0
    for batch in source.batches():
        events, _ = recogniser.recognise(batch)
        for lines in _portions(events.encoded(), most_bytes):
            # Joined at once: many small texts that live long would break the memory into pieces.
            part = b"".join(lines)
            if count and (count + len(lines) > EVENTS_A_BODY or size + len(part) > most_bytes):
                yield Body(count, b"".join(gathered))
                gathered, count, size = [], 0, 0
            gathered.append(part)
            count += len(lines)
            size += len(part)
    if count:
        yield Body(count, b"".join(gathered))


def _portions(lines: list[bytes], most_bytes: int) -> Iterator[list[bytes]]:
    """The lines in portions that each fit a body: as a rule all of them."""
    if sum(map(len, lines)) <= most_bytes:
        yield lines
        return
    # Eight of the largest events fit into what the API takes.
    for first in range(0, len(lines), 8):
        yield lines[first : first + 8]


def ahead(made: Iterator[Body]) -> Iterator[Body]:
    """The same bodies, made by a thread of their own while the caller is busy; its errors are raised here."""
    waiting: queue.Queue[Body | BaseException | None] = queue.Queue(_WAITING_BODIES)
    stopped = threading.Event()

    def put(what: Body | BaseException | None) -> None:
        while not stopped.is_set():
            try:
                return waiting.put(what, timeout=0.1)
            except queue.Full:
                continue
        return None

    def run() -> None:
        try:
            for body in made:
                put(body)
                if stopped.is_set():
                    return
            put(None)
        except BaseException as error:
            put(error)

    thread = threading.Thread(target=run, name="clew-history", daemon=True)
    thread.start()
    try:
        while (found := waiting.get()) is not None:
            if isinstance(found, BaseException):
                raise found
            yield found
    finally:
        stopped.set()
        thread.join()


def send(
    source: Source,
    recogniser: Recogniser,
    post: Callable[[bytes], object],
    step: Callable[[int], None],
    most_bytes: int = BYTES_A_BODY,
) -> int:
    """Send all events of a source and return their number.

    ``post`` takes lines of JSON of ``most_bytes`` at most, ``step`` is told how many events are out.
    """
    sent = 0
    for body in ahead(bodies(source, recogniser, most_bytes)):
        post(body.lines)
        sent += body.events
        step(sent)
    return sent
