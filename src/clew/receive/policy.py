"""When to flush: a decision over what waits, with named reasons.

An insert costs about 100 ms of CPU however small it is, so requests wait for company. How long
depends on who pays: many waiting bytes mean load, where a short linger fills the batch; few bytes on a
quiet server mean that somebody waits for the answer; few bytes again and again would burn a core
on tiny inserts, so small batches draw on a budget of engine time (``share`` of one core, saved up
to ``savings_ns``), and when that is spent the linger is longer.
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

    full_bytes: int = 8 << 20
    batch_bytes: int = 16 << 20
    load_bytes: int = 1 << 20
    load_linger_ns: int = 100 * MS
    quiet_linger_ns: int = 350 * MS
    thrift_linger_ns: int = 1_000 * MS
    share: float = 0.08
    savings_ns: int = 2_000 * MS


@dataclass(frozen=True, slots=True)
class Queue:
    """What waits: requests, bytes, arrival of the oldest, writers with nothing to do, saved engine time."""

    requests: int
    bytes: int
    first_ns: int
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
    reason, linger_ns = _linger(queue, policy)
    due_ns = queue.first_ns + linger_ns
    return reason if now_ns >= due_ns else Wait(due_ns)


def _linger(queue: Queue, policy: FlushPolicy) -> tuple[Reason, int]:
    if queue.bytes >= policy.load_bytes:
        return Reason.LOAD, policy.load_linger_ns
    if queue.saved_ns > 0:
        return Reason.QUIET, policy.quiet_linger_ns
    return Reason.THRIFT, policy.thrift_linger_ns


def savings(saved_ns: int, elapsed_ns: int, spent_ns: int, policy: FlushPolicy) -> int:
    """Engine time saved up after ``elapsed_ns`` of clock and a flush that took ``spent_ns``.

    Never more than the policy allows, and never so far below zero that a server which comes out of
    heavy load stays thrifty for more than half a minute.
    """
    earned = saved_ns + int(elapsed_ns * policy.share)
    return max(min(earned, policy.savings_ns) - spent_ns, -policy.savings_ns)
