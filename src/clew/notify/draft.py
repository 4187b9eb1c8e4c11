"""A change of an incident while it is being decided."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from clew.control.contract import Change, Telling
from clew.model.alert import Alert
from clew.model.incident import Incident, NoticeKind, Transition, TransitionKind

_Any = Any  # the value of any field


class Draft:
    """An incident as it shall be at a moment, what is recorded of that, and who is told."""

    def __init__(self, incident: Incident, now_ns: int) -> None:
        self.before = incident
        self.incident = incident
        self.now_ns = now_ns
        self._transitions: list[Transition] = []
        self._tellings: list[Telling] = []

    def set(self, **changed: _Any) -> None:
        """Give fields of the incident other values."""
        self.incident = replace(self.incident, **changed)

    def record(self, kind: TransitionKind, text: str = "", by: str = "clew") -> None:
        """Add to the incident's record."""
        self._transitions.append(Transition(self.now_ns, kind, by, text))

    def tell(self, channels: Iterable[str], kind: NoticeKind, text: str = "") -> None:
        """Tell channels; of two updates in one change they get the first."""
        already = {telling.channel for telling in self._tellings} if kind is NoticeKind.UPDATED else set()
        wanted = [channel for channel in channels if channel not in already]
        if not wanted:
            return
        self._tellings += [Telling(channel, kind, text) for channel in wanted]
        told = tuple(dict.fromkeys((*self.incident.told, *wanted)))
        self.set(told=told, told_ns=self.now_ns, told_alerts=self.incident.firing)

    @property
    def tells(self) -> bool:
        """Whether somebody is told already."""
        return bool(self._tellings)

    def change(self, alerts: Sequence[Alert] = ()) -> Change | None:
        """The change with the alerts that join or end, or None when nothing happens."""
        if self.incident == self.before and self.incident.id and not (self._transitions or self._tellings or alerts):
            return None
        return Change(self.incident, tuple(self._transitions), tuple(self._tellings), tuple(alerts))
