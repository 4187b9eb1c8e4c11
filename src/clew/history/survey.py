"""What a whole history holds, counted while it is checked; nothing of it is kept but counts and a few examples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from clew.history.recognise import Events, Recogniser
from clew.history.rows import BadLine, Batch, HistoryError

MOST_STAGES = 1_000
"""A column of more different values holds no stages."""

KEPT_BAD_LINES = 1_000
_JOURNEYS = 3
_STAGES_A_JOURNEY = 50


@dataclass(slots=True)
class Survey:
    """Events, their stages and range (Unix ns), the journeys of the first orders, and the first bad lines."""

    events: int = 0
    bad: int = 0
    first_ns: int = 0
    last_ns: int = 0
    stages: Counter[str] = field(default_factory=Counter)
    journeys: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    attributes: dict[str, None] = field(default_factory=dict)
    bad_lines: list[BadLine] = field(default_factory=list)

    def add(self, events: Events) -> None:
        """Count events. Raises HistoryError when there are more stages than any flow has."""
        if not len(events):
            return
        self.first_ns = min(self.first_ns or events.at_ns[0], min(events.at_ns))
        self.last_ns = max(self.last_ns, max(events.at_ns))
        self.events += len(events)
        self.stages.update(events.stages)
        self.attributes |= dict.fromkeys(events.attributes)
        self._add_journeys(events)
        if len(self.stages) > MOST_STAGES:
            raise HistoryError(
                f"there are more than {MOST_STAGES} stages, such as {', '.join(list(self.stages)[:3])}",
                "name the column that holds the stage: --stage COLUMN",
            )

    def add_bad(self, lines: Iterable[BadLine]) -> None:
        """Count bad lines, and keep the first of them."""
        for line in lines:
            self.bad += 1
            if self.bad <= KEPT_BAD_LINES:
                self.bad_lines.append(line)

    def _add_journeys(self, events: Events) -> None:
        for order in events.orders[:_JOURNEYS]:
            if len(self.journeys) < _JOURNEYS:
                self.journeys.setdefault(order, [])
        wanted = self.journeys.keys()
        if not wanted.isdisjoint(events.orders):
            for order, stage, at_ns in zip(events.orders, events.stages, events.at_ns, strict=True):
                if order in wanted and len(self.journeys[order]) < _STAGES_A_JOURNEY:
                    self.journeys[order].append((at_ns, stage))


def check(
    batches: Iterable[Batch], recogniser: Recogniser, step: Callable[[], None], rejected: Callable[[BadLine], None]
) -> Survey:
    """Read and recognise everything, send nothing.

    ``step`` is called after each batch, ``rejected`` for each bad line.
    """
    survey = Survey()
    for batch in batches:
        events, unsorted = recogniser.recognise(batch)
        bad = sorted(unsorted, key=lambda each: each.line)
        survey.add(events)
        survey.add_bad(bad)
        for line in bad:
            rejected(line)
        step()
    return survey
