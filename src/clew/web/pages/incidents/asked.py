"""What the forms of incidents ask for: pure functions from what was typed to what is wanted, or to what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from clew.flow.durations import parse_duration
from clew.flow.hours import hours_of, split_hours
from clew.model.week import WeekHours

LABELS = ("rule", "service", "stage", "queue")
"""What the form of a silence can name."""
_LONGEST_SILENCE_NS = 400 * 86_400 * 10**9
_LONGEST_NAME = 100
_LONGEST_TEXT = 4_000
_LONGEST_REASON = 1_000
NOTE = "write what others should know"
Read = TypeVar("Read")


@dataclass(frozen=True, slots=True)
class Sent:
    """A form that was sent and is shown again: ``form`` is its name (empty: none was sent), ``values`` what was typed
    and ``mistakes`` what is wrong with it, both by field; ``problem`` is why it isn't done though nothing is wrong with
    what was typed (empty: something is). ``covers`` is what a silence would cover now (empty: it can't be told), and
    ``warnings`` name what nobody knows of it."""

    form: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    mistakes: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""
    covers: str = ""
    warnings: tuple[str, ...] = ()


NOTHING_SENT = Sent()


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody (``by``) does to an incident, says about it (``text``), or silences it for (``length_ns``)."""

    by: str
    text: str
    length_ns: int


@dataclass(frozen=True, slots=True)
class Silencing:
    """A silence that somebody wants."""

    by: str
    labels: Mapping[str, str]
    length_ns: int
    reason: str
    hours: WeekHours | None


def read_act(what: str, values: Mapping[str, str]) -> tuple[Act, Mapping[str, str]]:
    """What the form of an incident asks for, and what is wrong by field. ``for`` counts only for a silence."""
    form = _Form(values)
    act = Act(
        by=form.take("by", _name, ""),
        text=form.take("text", lambda text: _text(text, _LONGEST_TEXT, NOTE if what == "note" else ""), ""),
        length_ns=form.take("for", _length, 0) if what == "silence" else 0,
    )
    return act, form.mistakes


def read_silence(values: Mapping[str, str]) -> tuple[Silencing, Mapping[str, str]]:
    """What the form of a silence asks for, and what is wrong by field."""
    form = _Form(values)
    labels = {name: text for name in LABELS if (text := values.get(name, "").strip())}
    silencing = Silencing(
        by=form.take("by", _name, ""),
        labels=labels,
        length_ns=form.take("for", _length, 0),
        reason=form.take("reason", lambda text: _text(text, _LONGEST_REASON, "say why, for whoever wonders"), ""),
        hours=form.take("hours", _hours, None),
    )
    everything = (
        {} if labels else {"rule": "name a rule, a service, a stage or a queue: all there is can't be silenced"}
    )
    return silencing, form.mistakes | everything


@dataclass(slots=True)
class _Form:
    """Takes one field after the other, and notes what is wrong with each."""

    values: Mapping[str, str]
    mistakes: dict[str, str] = field(default_factory=dict)

    def take(self, name: str, parse: Callable[[str], Read], otherwise: Read) -> Read:
        try:
            return parse(self.values.get(name, "").strip())
        except ValueError as error:
            self.mistakes[name] = str(error)
            return otherwise


def _name(text: str) -> str:
    name = " ".join(text.split())
    if not name or not name.isprintable():
        raise ValueError("say who you are, so that others know who has it")
    return _text(name, _LONGEST_NAME)


def _text(text: str, longest: int, needed: str = "") -> str:
    """A text as it is; ``needed`` is what to do when there is none (empty: it may be left out)."""
    if needed and not text:
        raise ValueError(needed)
    if len(text) > longest:
        raise ValueError(f"shorten it to {longest:,} characters, it has {len(text):,}")
    return text


def _length(text: str) -> int:
    try:
        length_ns = parse_duration(text)
    except ValueError as error:
        raise ValueError(f"{error}: write 30m, 4h or 2d" if text else "write 30m, 4h or 2d") from error
    if not 0 < length_ns <= _LONGEST_SILENCE_NS:
        raise ValueError("a silence lasts at most 400 days: write 30m, 4h or 2d")
    return length_ns


def _hours(line: str) -> WeekHours | None:
    return hours_of(split_hours(line)) if line else None
