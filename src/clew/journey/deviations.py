"""Deviations: where a journey leaves the ways that its flow declares.

Each milestone is compared with the declared one before it; the first with the entries of its path.
For a step from A to B that the flow doesn't declare, the first of these that holds is the answer:

- B was entered before: ``repeated`` (rework);
- B can be reached from A: ``skipped``, once for each stage on the shortest declared way between them;
- else ``out_of_sequence``.

A stage the flow doesn't know is ``unknown_stage``; the step is then judged as if it weren't there.

What the flow accepts is marked. Where it accepts it for a time only, the time of the milestone decides, so that a
journey is the same whenever it is looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from clew.flow.graph import Ways
from clew.model.flow import Flow
from clew.model.journey import Deviation, DeviationKind


class Departure(NamedTuple):
    """One departure from the flow, at the milestone of that place; ``token`` is how an acceptance names it."""

    kind: DeviationKind
    stage: str
    place: int
    token: str

    def at(self, at_ns: int, flow: Flow) -> Deviation:
        """As a deviation that shows at a moment."""
        return Deviation(self.kind, self.stage, self.place, accepted=flow.accepts(self.token, at_ns))


def departures_of(stages: Sequence[str], flow: Flow, ways: Ways, path: str) -> Iterator[Departure]:
    """Every departure of a journey through these stages, in journey order."""
    before: str | None = None
    seen: set[str] = set()
    for index, stage in enumerate(stages):
        if not ways.knows(stage):
            yield _departure(DeviationKind.UNKNOWN_STAGE, stage, index)
            continue
        if before != stage and not ways.declared(before, stage):
            starts = _entries(flow, path) if before is None else (before,)
            for kind, about, named in _step(ways, before, starts, stage, stage in seen):
                yield _departure(kind, about, index, named)
        seen.add(stage)
        before = stage


def _entries(flow: Flow, path: str) -> tuple[str, ...]:
    """The entry stages of a path; those of all paths when it isn't one of the flow's."""
    return flow.paths.get(path) or tuple(entry for entries in flow.paths.values() for entry in entries)


def _step(
    ways: Ways, before: str | None, starts: tuple[str, ...], after: str, again: bool
) -> Iterator[tuple[DeviationKind, str, str]]:
    """The deviations of an undeclared step: kind, stage, and how an acceptance names it where that isn't the stage.

    ``before`` is None for the first milestone, which comes from the entries.
    """
    if again:
        yield DeviationKind.REPEATED, after, ""
        return
    way = ways.shortest(starts, after)
    if way is None:
        yield DeviationKind.OUT_OF_SEQUENCE, after, f"{before or ''}>{after}"
        return
    for stage in way[0 if before is None else 1 : -1]:
        yield DeviationKind.SKIPPED, stage, ""


def _departure(kind: DeviationKind, stage: str, index: int, named: str = "") -> Departure:
    return Departure(kind, stage, index, f"{kind}:{named or stage}")
