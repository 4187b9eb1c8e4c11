"""A journey as JSON text and back: what the store keeps beside the columns that people search by."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson

from clew.model.flow import Terminal
from clew.model.journey import (
    Deviation,
    DeviationKind,
    Failure,
    Hold,
    Journey,
    Loss,
    LostReason,
    Milestone,
    Visit,
)


def journey_to_json(journey: Journey) -> str:
    """The journey as one JSON object; enums by value, times as integer nanoseconds.

    Visits that follow from the milestones are left out.
    """
    # Visits are the milestones, what came after the end, and repeats; without repeats there are as many.
    if len(journey.visits) == len(journey.milestones) + len(journey.after_end):
        journey = replace(journey, visits=())
    return orjson.dumps(journey).decode()


def journey_from_json(text: str | bytes) -> Journey:
    """The journey that `journey_to_json` wrote."""
    fields: dict[str, Any] = orjson.loads(text)
    journey = Journey(
        **fields
        | {
            "milestones": tuple(Milestone(**each) for each in fields["milestones"]),
            "after_end": tuple(Milestone(**each) for each in fields["after_end"]),
            "holds": tuple(Hold(**each) for each in fields["holds"]),
            "deviations": tuple(_deviation(each) for each in fields["deviations"]),
            "failure": Failure(**fields["failure"]) if fields["failure"] else None,
            "losses": tuple(_loss(each) for each in fields["losses"]),
            "terminal": Terminal(fields["terminal"]) if fields["terminal"] else None,
            "traces": tuple(fields["traces"]),
            "remaining_ns": tuple(fields.get("remaining_ns", ())),
            "visits": tuple(Visit(**each) for each in fields.get("visits", ())),
        }
    )
    return journey if journey.visits else replace(journey, visits=_plain_visits(journey))


def _plain_visits(journey: Journey) -> tuple[Visit, ...]:
    return tuple(Visit(each.stage, each.at_ns) for each in journey.milestones + journey.after_end)


def _deviation(fields: dict[str, Any]) -> Deviation:
    return Deviation(**fields | {"kind": DeviationKind(fields["kind"])})


def _loss(fields: dict[str, Any]) -> Loss:
    return Loss(**fields | {"reason": LostReason(fields["reason"])})
