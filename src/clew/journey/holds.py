"""Holds: deliberate pauses that stop a stage's clock."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from clew.model.event import StageEvent
from clew.model.journey import Hold


def holds_of(events: Iterable[StageEvent], end_ns: int | None) -> tuple[Hold, ...]:
    """The holds that the events tell of, in time order, none overlapping.

    A hold within a hold is the same hold: the first begin and the first end count. An end without a
    begin says nothing. At one instant a begin comes before an end, so that both together leave
    no hold for ever. The order's end (``end_ns``) ends a lasting hold; later ones never begin.
    """
    holds: list[Hold] = []
    begin_ns: int | None = None
    for at_ns, ends in sorted((event.at_ns, not event.hold) for event in events if event.hold is not None):
        if end_ns is not None and at_ns >= end_ns:
            break
        if ends and begin_ns is not None:
            holds.append(Hold(begin_ns, at_ns))
            begin_ns = None
        elif not ends and begin_ns is None:
            begin_ns = at_ns
    if begin_ns is not None:
        holds.append(Hold(begin_ns, end_ns))
    return tuple(holds)


def held_ns(holds: Sequence[Hold], from_ns: int, to_ns: int) -> int:
    """How much of the time between two moments was spent on hold; a lasting hold reaches to the end."""
    spans = ((max(hold.begin_ns, from_ns), min(to_ns if hold.end_ns is None else hold.end_ns, to_ns)) for hold in holds)
    return sum(max(0, end - begin) for begin, end in spans)


def moment_after(entered_ns: int, allowance_ns: int, holds: Sequence[Hold]) -> int:
    """The moment at which the time since ``entered_ns``, without the ended holds, reaches the allowance."""
    moment_ns = entered_ns + allowance_ns
    for hold in holds:
        if hold.end_ns is None or hold.begin_ns >= moment_ns:
            break
        moment_ns += max(0, hold.end_ns - max(hold.begin_ns, entered_ns))
    return moment_ns
