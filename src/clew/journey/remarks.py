"""What is remarkable about an order, its messages and its visits, in the words of every door: terminal, page and text.

Functions over plain values, so that those who read the API can use them as well.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

_SETTLED = {"reject": "rejected", "requeue": "put back", "none": "connection lost before it was settled"}
_TELLS_BY_ITSELF = ("published ", "last seen ", "first heard ")


def in_words(kind: str) -> str:
    """A verdict, a reason or a deviation in words: ``in_jeopardy`` is "in jeopardy"."""
    return kind.replace("_", " ")


def printable(value: object) -> str:
    """A text from telemetry as one printable line: control characters, escapes included, become dots."""
    return "".join(char if char.isprintable() else " " if char in "\n\t\r" else "·" for char in str(value))


def after_kind(kind: str, reason: str) -> str:
    """A verdict's reason as it follows the word for its kind: `` in SUBMITTED for 42 min``, ``, published to …``."""
    rest = reason.removeprefix(f"{in_words(kind)} ")
    return f", {rest}" if rest.startswith(_TELLS_BY_ITSELF) else f" {rest}"


def deviation_words(deviations: Iterable[tuple[str, str, bool]], before: str) -> list[str]:
    """How a visit leaves the flow, all skipped stages in one.

    ``deviations`` are kind, stage and whether it is accepted; ``before`` is the stage that the order came from.
    """
    kinds: dict[tuple[str, bool], list[str]] = defaultdict(list)
    for kind, stage, accepted in deviations:
        kinds[kind, accepted].append(stage)
    told = []
    for (kind, accepted), stages in kinds.items():
        where = f"after {before}" if before else "at the beginning"
        what = where if kind == "out_of_sequence" else ", ".join(stages)
        told.append(f"{in_words(kind)} {what}{' (accepted)' if accepted else ''}")
    return told


def went_on(service: str, published_ns: int, entries: Iterable[tuple[str, int]]) -> bool:
    """Whether a service other than the publisher moved the order since, which is what heals a loss as well.

    ``entries`` are the entries into stages: service and moment.
    """
    return any(other != service and at_ns > published_ns for other, at_ns in entries)


def message_fate(lost: str | None, error: str, taken: bool, order_went_on: bool) -> str:
    """What became of a message; empty when it was published and taken."""
    if lost:
        return f"lost: {in_words(lost)}"
    if error:
        return f"not published: {error}"
    if taken:
        return ""
    return "no word of its being taken; the order went on" if order_went_on else "not taken yet"


def delivery_remarks(settlement: str, redelivered: bool, death_reason: str, death_queue: str, error: str) -> list[str]:
    """What is remarkable about a delivery; empty when it was taken and acknowledged."""
    death = f"dead-lettered from {death_queue or 'a queue'} ({death_reason})" if death_reason else ""
    told = ["redelivered" if redelivered else "", death, _SETTLED.get(settlement, ""), error]
    return [each for each in told if each]
