"""A journey as JSON text and back: what the store keeps beside the columns that people search by."""

from __future__ import annotations

from dataclasses import fields, replace
from operator import attrgetter
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
    told = dict(zip(_FIELDS, _values(journey), strict=True))
    # Visits are the milestones, what came after the end, and repeats; without repeats there are as many.
    if len(journey.visits) == len(journey.milestones) + len(journey.after_end):
        told["visits"] = ()
    return orjson.dumps(told).decode()


_FIELDS = tuple(each.name for each in fields(Journey))
_values = attrgetter(*_FIELDS)


def journey_from_json(text: str | bytes) -> Journey:
    """The journey that `journey_to_json` wrote."""
    told: dict[str, Any] = orjson.loads(text)
    journey = Journey(
        **told
        | {
            "milestones": tuple(Milestone(**each) for each in told["milestones"]),
            "after_end": tuple(Milestone(**each) for each in told["after_end"]),
            "holds": tuple(Hold(**each) for each in told["holds"]),
            "deviations": tuple(_deviation(each) for each in told["deviations"]),
            "failure": Failure(**told["failure"]) if told["failure"] else None,
            "losses": tuple(_loss(each) for each in told["losses"]),
            "terminal": Terminal(told["terminal"]) if told["terminal"] else None,
            "traces": tuple(told["traces"]),
            "remaining_ns": tuple(told.get("remaining_ns", ())),
            "visits": tuple(Visit(**each) for each in told.get("visits", ())),
        }
    )
    return journey if journey.visits else replace(journey, visits=_plain_visits(journey))


def _plain_visits(journey: Journey) -> tuple[Visit, ...]:
    return tuple(Visit(each.stage, each.at_ns) for each in journey.milestones + journey.after_end)


def _deviation(told: dict[str, Any]) -> Deviation:
    return Deviation(**told | {"kind": DeviationKind(told["kind"])})


def _loss(told: dict[str, Any]) -> Loss:
    return Loss(**told | {"reason": LostReason(told["reason"])})
