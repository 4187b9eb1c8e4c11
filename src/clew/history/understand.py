"""What a history is understood to be: the roles of its columns and the format and zone of its times."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from clew.history.columns import Roles, assign
from clew.history.detect import SAMPLES, Sample, detect
from clew.history.recognise import Recogniser, texts_of
from clew.history.rows import Batch, HistoryError, Source
from clew.history.times import UNITS_NS, Clock
from clew.history.zones import Repeated


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the caller says of columns and times; what is None or empty is found."""

    columns: Mapping[str, str | None] = field(default_factory=dict)
    time_format: str = ""
    zone: str = ""
    repeated_hour: Repeated = ""


@dataclass(frozen=True, slots=True)
class Understood:
    """How the rows of a source become events, and its first reading from the start, to be gone on with."""

    recogniser: Recogniser
    batches: Iterator[Batch]


def understand(source: Source, wishes: Wishes) -> Understood:
    """How the rows of a source become events, from its first rows.

    Raises HistoryError when that isn't clear, with the option that makes it clear.
    """
    reading = source.batches()
    batches, seen = [], 0
    for batch in reading:
        batches.append(batch)
        seen += len(batch.lines)
        if seen >= SAMPLES:
            break
    return Understood(_recogniser(batches, source, wishes), itertools.chain(batches, reading))


def _recogniser(batches: Sequence[Batch], source: Source, wishes: Wishes) -> Recogniser:
    if not any(len(batch.lines) for batch in batches):
        first = next((each for batch in batches for each in batch.bad), None)
        told = f": {source.unit} {first.line}: {first.reason}" if first else ""
        raise HistoryError(f"there is nothing in it to import{told}", "check the file, or say --format")
    columns = dict.fromkeys(name for batch in batches for name in batch.columns)
    roles = assign(columns, wishes.columns, source.names)
    zone = wishes.zone or source.zone
    samples = _samples(batches, roles.of["time"])
    if not samples:
        raise HistoryError(f"column {roles.of['time']} is empty", "name the column of the times with --time")
    clock = detect(samples, roles.of["time"], zone, wishes.repeated_hour, wishes.time_format)
    roles, due = _due(batches, roles, zone, wishes.repeated_hour)
    return Recogniser(roles, clock, due)


def _due(batches: Sequence[Batch], roles: Roles, zone: str, repeated: Repeated) -> tuple[Roles, Clock | None]:
    """The clock of due dates; a column that was only guessed to hold them is an attribute when it can't be read."""
    samples = _samples(batches, roles.of["due"]) if "due" in roles.of else []
    if not samples:
        return roles, None
    try:
        return roles, detect(samples, roles.of["due"], zone, repeated, "")
    except HistoryError:
        if "due" not in roles.guessed:
            raise
        return Roles({role: name for role, name in roles.of.items() if role != "due"}, roles.guessed - {"due"}), None


def _samples(batches: Sequence[Batch], column: str) -> list[Sample]:
    """Values of a column, each once, with the line where it is first."""
    found: dict[str, int] = {}
    for batch in batches:
        for line, text in zip(batch.lines, texts_of(batch.columns.get(column, ())), strict=False):
            if text.strip():
                found.setdefault(text.strip(), line)
    return [Sample(line, text) for text, line in found.items()]


def clock_in_words(clock: Clock, prescribed: str) -> tuple[str, str]:
    """Format and zone of a clock as they are told to people; ``prescribed`` is the zone that the file's format sets."""
    name = clock.format.name
    form = {"iso": "ISO 8601", **{unit: f"{unit} (since 1970)" for unit in UNITS_NS}}.get(name, name)
    if name in UNITS_NS:
        return form, "UTC"
    if clock.zone is None:
        return form, "as each time says"
    return form, f"{clock.zone.name}{', as the format has it' if clock.zone.name == prescribed else ''}"
