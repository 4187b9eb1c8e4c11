"""The way that the flow expects beside the way that the order took.

stages of the flow that this path can reach --longest common part--> visits
a stage without a visit: skipped, left out, ahead, never entered; a visit without a stage: repeated, out of sequence,
unknown, after the end
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from clew.flow.graph import Ways
from clew.journey.remarks import deviation_words
from clew.journey.visits import StageVisit
from clew.journey.words import in_short
from clew.model.flow import Flow, Stage, Terminal
from clew.model.journey import Failure, Journey
from clew.web.pages.order.texts import sentence

WayMark = Literal[
    "entered", "here", "skipped", "repeated", "out_of_sequence", "unknown_stage", "after_end", "left_out", "failed",
    "next", "ahead", "never",
]  # fmt: skip
"""How expected and actual agree in a row."""

_WORDS: dict[WayMark, str] = {
    "entered": "",
    "here": "is here",
    "left_out": "left out, as the flow allows",
    "next": "may come next",
    "ahead": "ahead",
    "never": "not entered",
    "after_end": "after the end",
}


@dataclass(frozen=True, slots=True)
class WayRow:
    """One row: the stage that the flow ``expected`` here (None: none), and the ``visit`` of the order there (None:
    none).

    ``said`` tells ``mark`` in words; ``accepted`` is whether the flow takes the deviation for normal.
    """

    expected: Stage | None
    visit: StageVisit | None
    mark: WayMark
    said: str
    accepted: bool = False


def expected_stages(flow: Flow, journey: Journey) -> tuple[Stage, ...]:
    """The stages that an order of this path can come through, in the flow's order.

    A cancelled end is expected of cancelled orders only.
    """
    ways = Ways(flow)
    entries = flow.paths.get(journey.path) or tuple(entry for each in flow.paths.values() for entry in each)
    reached = set(entries).union(*(ways.reach(entry) for entry in entries))
    return tuple(
        stage
        for stage in flow.stages
        if (stage.name in reached or not entries)
        and (stage.terminal is not Terminal.CANCELLED or journey.terminal is Terminal.CANCELLED)
    )


def way_rows(flow: Flow, journey: Journey, visits: Sequence[StageVisit], late: Sequence[StageVisit]) -> list[WayRow]:
    """Expected and actual way side by side; ``late`` are the visits after the end."""
    expected = expected_stages(flow, journey)
    matched = _matched([each.name for each in expected], [each.milestone.stage for each in visits])
    skipped = {each.stage: each.accepted for each in journey.deviations if each.kind.value == "skipped"}
    rows: list[WayRow] = []
    place = 0
    for index in range(len(visits)):
        at = matched.get(index)
        if at is not None:
            cut_short = expected[at].terminal is Terminal.CANCELLED
            rows += [_not_entered(stage, skipped, cut_short=cut_short) for stage in expected[place:at]]
            place = at + 1
        shown = {row.expected.name for row in rows if row.expected and row.mark == "skipped"}
        rows.append(_entered(None if at is None else expected[at], visits[: index + 1], shown, journey))
    current = flow.stage(journey.stage)
    rows += [_ahead(stage, current, journey) for stage in expected[place:]]
    return rows + [WayRow(None, visit, "after_end", _WORDS["after_end"]) for visit in late]


def _entered(stage: Stage | None, so_far: Sequence[StageVisit], shown: set[str], journey: Journey) -> WayRow:
    """A row of the last of these visits. Stages that were skipped on the way to it may have rows of their own."""
    *earlier, visit = so_far
    before = earlier[-1].milestone.stage if earlier else ""
    told = [each for each in visit.deviations if each.kind.value != "skipped" or each.stage not in shown]
    if not told:
        mark: WayMark = "here" if visit.current and journey.terminal is None else "entered"
        again = any(each.milestone.stage == visit.milestone.stage for each in earlier)
        allowed = "again, as the flow allows" if stage is None and again else ""
        return WayRow(stage, visit, mark, ", ".join(each for each in (allowed, _WORDS[mark]) if each))
    accepted = all(each.accepted for each in told)
    worst = next((each for each in told if not each.accepted), told[0])
    words = deviation_words([(each.kind.value, each.stage, each.accepted) for each in told], before)
    return WayRow(stage, visit, worst.kind.value, sentence("; ".join(words)), accepted)


def _not_entered(stage: Stage, skipped: dict[str, bool], *, cut_short: bool) -> WayRow:
    if stage.name not in skipped:
        mark: WayMark = "never" if cut_short else "left_out"
        return WayRow(stage, None, mark, _WORDS[mark])
    accepted = skipped[stage.name]
    return WayRow(stage, None, "skipped", f"skipped{' (accepted)' if accepted else ''}", accepted)


def _ahead(stage: Stage, current: Stage | None, journey: Journey) -> WayRow:
    if journey.terminal:
        return WayRow(stage, None, "never", _WORDS["never"])
    if journey.failure and journey.failure.stage == stage.name:
        return WayRow(stage, None, "failed", _failed(journey.failure))
    mark: WayMark = "next" if current and stage.name in current.next else "ahead"
    return WayRow(stage, None, mark, _WORDS[mark])


def _failed(failure: Failure) -> str:
    by = f" by {failure.service}" if failure.service else ""
    return sentence(f"failed{by}{': ' + in_short(failure.error) if failure.error else ''}")


def _matched(expected: Sequence[str], actual: Sequence[str]) -> dict[int, int]:
    """Which visit is which expected stage: the longest common part, the earliest visits where there is a choice."""
    lengths = [[0] * (len(expected) + 1) for _ in range(len(actual) + 1)]
    for i in reversed(range(len(actual))):
        for j in reversed(range(len(expected))):
            same = 1 + lengths[i + 1][j + 1] if actual[i] == expected[j] else 0
            lengths[i][j] = max(same, lengths[i + 1][j], lengths[i][j + 1])
    matched: dict[int, int] = {}
    i = j = 0
    while i < len(actual) and j < len(expected):
        if actual[i] == expected[j] and lengths[i][j] == 1 + lengths[i + 1][j + 1]:
            matched[i] = j
            i, j = i + 1, j + 1
        elif lengths[i][j + 1] == lengths[i][j]:
            j += 1
        else:
            i += 1
    return matched
