"""When to flush: a decision over what waits, with named reasons.

An insert costs about 100 ms of CPU however small it is, so requests wait for company. How long
depends on who pays. Many waiting bytes mean load: senders who were just answered come back at once, so
the flush starts when arrivals pause, and they share it with those who waited meanwhile. Few bytes on a
quiet server mean that somebody waits for the answer. Few bytes again and again would burn a core on tiny
inserts, so small batches draw on savings: each flush takes the price of an insert, a share of one
core flows in all the time, and so does the worth of every byte received. When the savings do not
pay for an insert, the linger is longer.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

MS = 1_000_000


class Reason(StrEnum):
    """Why a flush starts now."""

    FULL = "full"
    LOAD = "load"
    QUIET = "quiet"
    THRIFT = "thrift"
    DRAIN = "drain"


@dataclass(frozen=True, slots=True)
class FlushPolicy:
    """Limits of the decision. Times are nanoseconds, sizes bytes.

    ``share`` of one core and ``worth_ns`` a byte received are saved up, at most ``savings_ns``;
    a flush of one signal takes ``price_ns``, the fixed cost of an insert. ``patience_ns`` is how long a
    request may wait before others are sent away: exporters give up after ten seconds and send again.
    """

    full_bytes: int = 22 << 20
    batch_bytes: int = 24 << 20
    load_bytes: int = 128 << 10
    load_pause_ns: int = 30 * MS
    load_linger_ns: int = 100 * MS
    quiet_linger_ns: int = 250 * MS
    thrift_linger_ns: int = 3_000 * MS
    share: float = 0.04
    worth_ns: int = 1_000
    price_ns: int = 100 * MS
    savings_ns: int = 1_500 * MS
    patience_ns: int = 5_000 * MS


@dataclass(frozen=True, slots=True)
class Queue:
    """What waits, and who could write it.

    ``first_ns`` and ``last_ns`` are the arrivals of the oldest and the newest request, ``freed_ns`` is when a
    writer last became free, ``saved_ns`` the engine time saved up. All times are on one clock.
    """

    requests: int
    bytes: int
    first_ns: int
    last_ns: int
    freed_ns: int
    free_writers: int
    saved_ns: int
    draining: bool = False


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to flush yet: look again at that time, or at the next change when None."""

    until_ns: int | None


def should_flush(queue: Queue, policy: FlushPolicy, now_ns: int) -> Reason | Wait:
    """Say why a flush starts now, or until when to wait. ``now_ns`` is on the clock of ``first_ns``."""
    if not queue.requests or not queue.free_writers:
        return Wait(None)
    if queue.draining:
        return Reason.DRAIN
    if queue.bytes >= policy.full_bytes:
        return Reason.FULL
    reason, due_ns = _due(queue, policy)
    return reason if now_ns >= due_ns else Wait(due_ns)


def _due(queue: Queue, policy: FlushPolicy) -> tuple[Reason, int]:
    if queue.bytes >= policy.load_bytes:
        paused_ns = max(queue.last_ns, queue.freed_ns) + policy.load_pause_ns
        latest_ns = max(queue.first_ns, queue.freed_ns) + policy.load_linger_ns
        return Reason.LOAD, min(paused_ns, latest_ns)
    if queue.saved_ns >= policy.price_ns:
        return Reason.QUIET, queue.first_ns + policy.quiet_linger_ns
    return Reason.THRIFT, queue.first_ns + policy.thrift_linger_ns


def is_behind(queue: Queue, policy: FlushPolicy, now_ns: int) -> bool:
    """Whether the store is so slow that a new request would be answered too late."""
    return bool(queue.requests) and now_ns - queue.first_ns > policy.patience_ns


def save(saved_ns: int, elapsed_ns: int, received_bytes: int, policy: FlushPolicy) -> int:
    """Savings after some time in which so many bytes came in."""
    earned_ns = int(elapsed_ns * policy.share) + received_bytes * policy.worth_ns
    return min(saved_ns + earned_ns, policy.savings_ns)


def spend(saved_ns: int, policy: FlushPolicy) -> int:
    """Savings after a batch was flushed; a bounded debt is possible, since nobody waits for ever."""
    return max(saved_ns - policy.price_ns, -policy.savings_ns)
