"""Which incidents each fault must open under the rules that ship with Clew, and where what was told differs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from clew_demo.vendors.server import Told

SLACK, PAGERDUTY = "slack", "pagerduty"
VENDORS = (SLACK, PAGERDUTY)


@dataclass(frozen=True, slots=True)
class Alarm:
    """One incident: its rule, some of its labels, and which vendors are told of it."""

    rule: str
    labels: Mapping[str, str] = field(default_factory=dict)
    told: Sequence[str] = VENDORS

    def fits(self, incident: Mapping[str, Any]) -> bool:
        """Whether this incident is meant."""
        labels: Mapping[str, str] = incident["labels"]
        return bool(incident["rule"] == self.rule) and self.labels.items() <= labels.items()

    def __str__(self) -> str:
        return " ".join([self.rule, *self.labels.values()])


ALARMS: Mapping[str, Sequence[Alarm]] = {
    "worker-stops": (Alarm("stuck", {"stage": "MANUFACTURING_STARTED"}),),
    "unbound-queue": (Alarm("lost", {"lost_reason": "unroutable"}),),
    "dead-letter": (Alarm("lost", {"lost_reason": "dead_lettered"}),),
    "consumer-stops": (Alarm("lost-in-queue"),),
    "http-500": (Alarm("shop-api-5xx"),),
    "mes-rejects": (Alarm("failed", {"service": "mes-api"}),),
    "slow-db": (Alarm("slow-database", {"service": "mes-api"}, (SLACK,)),),
    "lock-wait": (Alarm("slow-database", {"service": "shop-api"}, (SLACK,)),),
    # Too few, and too new a shop, to be called a surge; no minute passes in silence; Clew itself is back at once.
    "cancellation-surge": (),
    "silence": (),
    "backend-down": (),
}

# The same trouble from its other side: told when it is found sooner than the incident that explains it. And on a busy
# machine any database really takes a second at times, which is told rightly for the five minutes after.
OTHER_SIDES = (Alarm("failed", {"service": "shop-api"}), Alarm("mes-rejects"), Alarm("slow-database", told=(SLACK,)))

# A slow machine may really keep orders longer than their limits, and services send what they kept while Clew was down
# each at its own time. That is told rightly, and must have passed by the end.
PASSING = frozenset({"stuck", "in-jeopardy", "lost-in-queue", "approval-skipped"})


def wrong_alarms(
    faults: Iterable[str], incidents: Sequence[Mapping[str, Any]], books: Mapping[str, Sequence[Told]]
) -> list[str]:
    """Where incidents, and what vendors were told of them, differ from what these faults must cause."""
    expected = [alarm for fault in faults for alarm in ALARMS[fault]]
    wrong = [f"{name} refused: {each.words}" for name in books for each in books[name] if each.act == "refused"]
    for alarm in expected:
        wrong += _wrong_of(alarm, [each for each in incidents if alarm.fits(each)], books)
    for incident in incidents:
        meant = any(alarm.fits(incident) for alarm in (*expected, *OTHER_SIDES))
        passed = incident["rule"] in PASSING and not incident["firing"]
        if not (meant or passed) and any(opened(book, incident["incident_id"]) for book in books.values()):
            wrong.append(
                f"incident {incident['incident_id']} was told, but nothing was done for it: {incident['title']}"
            )
    return wrong


def _wrong_of(alarm: Alarm, found: Sequence[Mapping[str, Any]], books: Mapping[str, Sequence[Told]]) -> Iterator[str]:
    if len(found) != 1:
        yield f"{alarm} should be one incident, but there are {len(found)}"
    for incident in found:
        for name, book in books.items():
            times = len(opened(book, incident["incident_id"]))
            if times != (name in alarm.told):
                yield f"{name} was told {times} times of incident {incident['incident_id']}, {alarm}"


def opened(book: Iterable[Told], incident: int) -> list[Told]:
    """The entries by which a vendor opened an incident of that number; the number is in its words."""
    marks = (f"(incident {incident} of rule", f"(clew-{incident}-")
    return [each for each in book if each.act == "opened" and any(mark in each.words for mark in marks)]
