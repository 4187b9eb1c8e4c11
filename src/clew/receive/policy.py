"""When to flush: a decision over what waits, with named reasons.

An insert costs about 100 ms of CPU however small it is, so requests wait for company. How long
depends on who pays. Many waiting bytes mean load: senders who were just answered come back at once, so
the flush starts when arrivals pause, and they share it with those who waited meanwhile. Few bytes on a
quiet server mean that somebody waits for the answer. Few bytes again and again would burn a core on tiny inserts, so
small batches draw on a budget of engine time (``share`` of one core, saved up to ``savings_ns``), and
when that is spent the linger is longer.
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
    """Limits of the decision. Times are nanoseconds, sizes bytes, ``share`` a part of one core."""

    full_bytes: int = 14 << 20
    batch_bytes: int = 16 << 20
    load_bytes: int = 1 << 20
    load_pause_ns: int = 30 * MS
    load_linger_ns: int = 100 * MS
    quiet_linger_ns: int = 350 * MS
    thrift_linger_ns: int = 1_000 * MS
    share: float = 0.08
    savings_ns: int = 2_000 * MS


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
    if queue.saved_ns > 0:
        return Reason.QUIET, queue.first_ns + policy.quiet_linger_ns
    return Reason.THRIFT, queue.first_ns + policy.thrift_linger_ns


def savings(saved_ns: int, elapsed_ns: int, spent_ns: int, policy: FlushPolicy) -> int:
    """Engine time saved up after ``elapsed_ns`` of clock and a flush that took ``spent_ns``.

    Never more than the policy allows, and never so far below zero that a server which comes out of
    heavy load stays thrifty for more than half a minute.
    """
    earned = saved_ns + int(elapsed_ns * policy.share)
    return max(min(earned, policy.savings_ns) - spent_ns, -policy.savings_ns)
