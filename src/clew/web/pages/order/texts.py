"""Texts of telemetry inside sentences and labels: one line, not endless, and nothing that turns what follows."""

from __future__ import annotations

from collections.abc import Iterable

from clew.journey.remarks import printable

_LONGEST_LINE = 160
_LONGEST_SENTENCE = 500


def sentence(text: str) -> str:
    """A sentence that holds texts of telemetry, cut when it is very long."""
    return _cut(printable(text), _LONGEST_SENTENCE)


def label(lines: Iterable[str]) -> str:
    """The words of an element of a picture, one fact a line; each line is cut when it is long."""
    return "\n".join(_cut(printable(line), _LONGEST_LINE) for line in lines if line)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
