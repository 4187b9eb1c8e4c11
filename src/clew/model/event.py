"""Stage events: the facts from which journeys are rebuilt."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple


class Outcome(StrEnum):
    """How the stage was entered, attribute ``order.outcome``."""

    OK = "ok"
    FAILED = "failed"


class Source(StrEnum):
    """Where Clew read a stage event; ``rule`` events are derived from ordinary spans by the flow."""

    LOG = "log"
    SPAN_EVENT = "span_event"
    SPAN = "span"
    RULE = "rule"
    IMPORT = "import"


_NOTHING: Mapping[str, str] = {}


class StageEvent(NamedTuple):
    """The record of a milestone, or of a fact about the order when ``stage`` is empty.

    Times are Unix nanoseconds. ``trace_id`` and ``span_id`` are lower-case hex, empty when unknown.
    ``hold`` is None when the event says nothing of a hold. ``order_id`` is the id as sent: it may be
    an alias of the journey's order. ``attributes`` are further ones, which Clew keeps to filter by. A tuple, since
    millions are made of columns: that costs a tenth of what a dataclass does.
    """

    order_id: str
    stage: str
    at_ns: int
    service: str = ""
    trace_id: str = ""
    span_id: str = ""
    flow: str = ""
    path: str = ""
    actor: str = ""
    outcome: Outcome = Outcome.OK
    error: str = ""
    hold: bool | None = None
    due_at_ns: int | None = None
    user_id: str = ""
    aliases: Mapping[str, str] = _NOTHING
    attributes: Mapping[str, str] = _NOTHING
    source: Source = Source.LOG
    received_ns: int = 0
