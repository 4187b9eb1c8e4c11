"""The storm guard: so many notices a minute reach a channel's people one by one, the rest in one summary. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from clew.model.incident import Incident, IncidentState, Notice, NoticeKind
from clew.model.rule import Severity

WINDOW_NS = 60 * 10**9


class Waiting(Protocol):
    """Something that waits to be told."""

    @property
    def id(self) -> int:
        """A number that grows."""
        ...

    @property
    def notice(self) -> Notice:
        """What is to be told."""
        ...


_Waiting = TypeVar("_Waiting", bound=Waiting)


@dataclass(frozen=True, slots=True)
class Share(Generic[_Waiting]):
    """What is told one by one, what in a summary, and whether something must wait for the next minute."""

    single: list[_Waiting]
    together: list[_Waiting]
    held: bool


def share(
    waiting: Sequence[_Waiting], limited: Collection[NoticeKind], recent: int, per_minute: int
) -> Share[_Waiting]:
    """Who is told how, when ``recent`` limited notices went to the channel within the last minute.

    Of limited ones the worst are told one by one, as far as the minute allows (0: without end), the summary counted.
    Others are always told. Nothing is ever dropped.
    """
    free = [each for each in waiting if each.notice.kind not in limited]
    counted = [each for each in waiting if each.notice.kind in limited]
    left = per_minute - recent if per_minute else len(counted)
    if len(counted) <= left:
        return Share(list(waiting), [], held=False)
    if left <= 0:
        return Share(free, [], held=True)
    ranks = list(Severity)
    counted.sort(key=lambda each: (ranks.index(each.notice.incident.severity), each.id))
    single = [*free, *counted[: left - 1]]
    return Share(sorted(single, key=lambda each: each.id), counted[left - 1 :], held=False)


def summary(waiting: Sequence[Waiting], per_minute: int, now_ns: int) -> Notice:
    """One notice that tells several; after a crash it has the same key."""
    notices = [each.notice for each in waiting]
    worst = notices[0].incident
    incidents = len({each.incident.id for each in notices})
    title = f"{len(notices)} notices of {incidents} incident{'s' if incidents != 1 else ''}"
    about = Incident(
        id=0, key="summary", rule="", title=title, severity=worst.severity, state=IncidentState.OPEN, labels={},
        since_ns=min(each.incident.since_ns for each in notices), fired_ns=now_ns, opened_ns=now_ns,
    )  # fmt: skip
    return Notice(
        about,
        NoticeKind.SUMMARY,
        now_ns,
        number=min(each.id for each in waiting),
        text=f"More than {per_minute} came within a minute, so these were not told one by one.",
        reasons=tuple(_line(each) for each in notices),
        url=notices[0].url.rpartition("/")[0],
    )


def _line(notice: Notice) -> str:
    incident = notice.incident
    orders = f", {notice.orders} orders" if notice.orders else ""
    return f"{notice.kind.value}: [{incident.severity.value}] {incident.title} (incident {incident.id}{orders})"
