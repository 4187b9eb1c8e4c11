"""Lengths of time as people write them: ``90s``, ``30m``, ``4h``, ``2d``, ``1h30m``."""

from __future__ import annotations

import re

UNITS_NS = {
    "d": 86_400_000_000_000,
    "h": 3_600_000_000_000,
    "m": 60_000_000_000,
    "s": 1_000_000_000,
    "ms": 1_000_000,
    "us": 1_000,
    "ns": 1,
}
"""Nanoseconds of each unit, the largest first."""

LONGEST_NS = 3650 * UNITS_NS["d"]
"""Ten years: a longer limit is a slip of the pen, and later sums must stay inside 64 bits."""

_PART = re.compile(r"([0-9]{1,18})(ms|us|ns|d|h|m|s)")
_WHOLE = re.compile(rf"(?:{_PART.pattern})+")


def parse_duration(text: str) -> int:
    """Nanoseconds of a length of time such as ``1h30m``; no unit may come twice.

    Raises ValueError with the cause when the text is no duration or is over ten years.
    """
    if not _WHOLE.fullmatch(text):
        raise ValueError(f"{text!r} is not a length of time")
    parts = [(int(number), unit) for number, unit in _PART.findall(text)]
    units = [unit for _, unit in parts]
    if len(set(units)) != len(units):
        raise ValueError(f"{text!r} names a unit twice")
    total = sum(number * UNITS_NS[unit] for number, unit in parts)
    if total > LONGEST_NS:
        raise ValueError(f"{text!r} is longer than ten years")
    return total


def render_duration(length_ns: int) -> str:
    """The shortest exact text for a length of time; `parse_duration` reads it back."""
    parts = []
    for unit, size in UNITS_NS.items():
        number, length_ns = divmod(length_ns, size)
        if number:
            parts.append(f"{number}{unit}")
    return "".join(parts) or "0s"
