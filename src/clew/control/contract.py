"""What the rest of Clew writes to and reads from the control database.

Threads: every method may be called from any thread and blocks. Times are Unix nanoseconds. Methods raise ControlError
when the database can't be reached or refuses; nothing of a call is kept then.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from clew.model.alert import Alert
from clew.model.incident import Incident, IncidentState, Notice, NoticeKind, PlannedSilence, Transition
from clew.model.week import WeekHours


@dataclass(frozen=True, slots=True)
class Telling:
    """That a channel is to be told of a change; ``text`` says what changed."""

    channel: str
    kind: NoticeKind
    text: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to one incident at once: all of it is written, or nothing.

    ``incident`` is as it shall be. Its id is 0 for a new one; else its ``version`` is the one that was read, and the
    change is refused when the database has another one. ``alerts`` join it, or are written anew when they belong to it
    already. ``mark`` is that of a vendor's request which is done by it (empty: of none).
    """

    incident: Incident
    transitions: tuple[Transition, ...] = ()
    tellings: tuple[Telling, ...] = ()
    alerts: tuple[Alert, ...] = ()
    mark: str = ""


@dataclass(frozen=True, slots=True)
class ActiveAlert:
    """An alert that hasn't ended, and the incident that it belongs to (None: it doesn't fire yet)."""

    alert: Alert
    incident_id: int | None


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A notice that waits in the outbox for a channel. ``attempts`` were made in vain."""

    id: int
    channel: str
    notice: Notice
    attempts: int


@dataclass(frozen=True, slots=True)
class Told:
    """What became of a notice. ``state`` is waiting, sent, given_up or summed; times are Unix ns or None."""

    channel: str
    kind: NoticeKind
    at_ns: int
    state: str
    sent_ns: int | None = None
    attempts: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True)
class IncidentQuery:
    """Which incidents: of these states, of a rule, about an order, those after an id in a list newest first."""

    states: Collection[IncidentState] = ()
    rule: str = ""
    order_id: str = ""
    after: int | None = None
    limit: int = 100


@dataclass(frozen=True, slots=True)
class Times:
    """The moments of an incident by which it is judged how fast it was handled, as `Incident` has them."""

    since_ns: int
    fired_ns: int
    acknowledged_ns: int | None
    resolved_ns: int | None


@dataclass(frozen=True, slots=True)
class Standing:
    """Incidents that aren't resolved: ``open`` of them wait for somebody. ``mark`` is another one when any of them was
    opened, changed or resolved."""

    open: int
    mark: tuple[int, int, int]


class Incidents(Protocol):
    """Alerts, incidents and silences."""

    def active_alerts(self) -> list[ActiveAlert]:
        """All alerts that haven't ended."""
        ...

    def write_alerts(self, alerts: Sequence[Alert]) -> None:
        """Write alerts that belong to no incident: pending ones, and those that ended before they fired (forgotten)."""
        ...

    def apply(self, change: Change) -> Incident | None:
        """Write a change; the incident as it is now, or None when somebody else changed it meanwhile, or when
        another incident of the key isn't resolved: read it again and decide again."""
        ...

    def incident(self, incident_id: int) -> Incident | None:
        """The incident of that number."""
        ...

    def unresolved(self) -> list[Incident]:
        """All incidents that aren't resolved, oldest first."""
        ...

    def standing(self) -> Standing:
        """How many incidents wait, and a mark of what isn't resolved; one small read."""
        ...

    def find(self, query: IncidentQuery) -> list[Incident]:
        """Incidents newest first."""
        ...

    def times(self, from_ns: int, until_ns: int) -> list[Times]:
        """The moments of all incidents that were opened in a range; a small read."""
        ...

    def transitions(self, incident_id: int) -> list[Transition]:
        """The record of an incident, oldest first."""
        ...

    def alerts_of(self, incident_id: int, limit: int = 1_000) -> list[Alert]:
        """Alerts of an incident, of each subject the last: firing ones first, then by how long they have held."""
        ...

    def silences(self, now_ns: int) -> list[PlannedSilence]:
        """Silences that hold now or later."""
        ...

    def add_silence(
        self,
        labels: Mapping[str, str],
        from_ns: int,
        until_ns: int,
        by: str,
        reason: str,
        hours: WeekHours | None = None,
        mark: str = "",
    ) -> PlannedSilence:
        """A new silence; ``mark`` as in `Change`."""
        ...

    def end_silence(self, silence_id: int, at_ns: int) -> bool:
        """End a silence early; whether there was one that lasted."""
        ...

    def was_done(self, mark: str) -> bool:
        """Whether a vendor's request of that mark was done."""
        ...

    def note_done(self, mark: str, at_ns: int, forget_ns: int) -> None:
        """A vendor's request was done; those that were done before ``forget_ns`` are forgotten."""
        ...


class Outbox(Protocol):
    """What is to be told to channels: at least once, in order for each incident and channel."""

    def due(self, now_ns: int, limit: int = 100, without: Collection[str] = ()) -> list[Outgoing]:
        """Notices whose time has come, oldest first; for each incident and channel only the first that waits.

        Those of channels ``without`` are left out: they are busy, and must not hold up the others.
        """
        ...

    def standing(self, channel: str) -> list[Notice]:
        """What a channel was told of incidents that aren't resolved, each as it is now; oldest first."""
        ...

    def sent(self, outgoing_id: int, at_ns: int, refs: Mapping[str, str]) -> None:
        """It was told; ``refs`` are kept for later notices of the incident to this channel."""
        ...

    def later(self, outgoing_id: int, due_ns: int, error: str) -> None:
        """It couldn't be told now; try again at ``due_ns``."""
        ...

    def hasten(self, now_ns: int) -> None:
        """What waits for another try is due now."""
        ...

    def give_up(
        self, outgoing_id: int, at_ns: int, error: str, instead: Sequence[str] = (), *, removed: bool = False
    ) -> str | None:
        """The channel refuses it for good, or was ``removed``: it is noted in the incident's record, and what comes
        after it goes on.

        When it was to call somebody, the first of the channels ``instead`` that has refused nothing of the incident is
        told of it; that one, or None.
        """
        ...

    def sum_up(self, outgoing_ids: Sequence[int], at_ns: int) -> None:
        """These were told in a summary instead."""
        ...

    def told(self, incident_id: int) -> list[Told]:
        """What became of the notices of an incident, oldest first."""
        ...

    def counts(self) -> dict[str, int]:
        """How many notices there are by state."""
        ...
