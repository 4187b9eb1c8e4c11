"""The span of time that a page shows: chosen in its address, in slots for its pictures, with what it compares with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from clew.api.errors import invalid
from clew.api.times import parse_moment
from clew.store.minutes import MINUTE_NS, Window

_LOCAL = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)?", re.ASCII)
_DAY_NS = 86_400 * 10**9
_WEEK_NS = 7 * _DAY_NS

# Name, label, slots, minutes a slot.
_RANGES = {
    "1h": ("1 hour", 60, 1),
    "6h": ("6 hours", 72, 5),
    "24h": ("24 hours", 96, 15),
    "7d": ("7 days", 84, 120),
    "28d": ("28 days", 112, 360),
}
CHOICES = tuple((name, label) for name, (label, _, _) in _RANGES.items())
"""Every range with its label."""


@dataclass(frozen=True, slots=True)
class TimeRange:
    """``name`` is one of the choices; ``window`` ends now, or at a moment that was asked for (``fixed``).

    ``earlier`` is the same span of time a week ago; four weeks ago where a week is too short.
    """

    name: str
    window: Window
    fixed: bool

    @property
    def label(self) -> str:
        """``24 hours``."""
        return _RANGES[self.name][0]

    @property
    def earlier(self) -> Window:
        """What it is compared with."""
        return self.window.earlier(4 * _WEEK_NS if self.name == "28d" else _WEEK_NS)

    @property
    def compared(self) -> str:
        """What it is compared with, in words."""
        return "the 28 days before" if self.name == "28d" else "a week earlier"

    @property
    def minutes(self) -> float:
        """How much of it has passed."""
        return self.window.minutes


def local_moment(text: str, zone: ZoneInfo) -> str:
    """A moment as the API takes it: one without a zone is in the viewer's, anything else stays as it is."""
    if not _LOCAL.fullmatch(text):
        return text
    try:
        return datetime.fromisoformat(text).replace(tzinfo=zone).isoformat()
    except ValueError:
        return text


def time_range(asked: Mapping[str, str], now_ns: int, zone: ZoneInfo, default: str = "24h") -> TimeRange:
    """The range that the parameters ``range`` and ``to`` ask for; it ends with a whole minute.

    One that ends now ends with the minute that runs, so that it has what was just sent. An end
    without a zone is in the viewer's, ``zone``. Raises ApiError.
    """
    name = asked.get("range") or default
    if name not in _RANGES:
        raise invalid(f"there is no range {name}", f"choose one of {', '.join(_RANGES)}")
    try:
        end_ns = parse_moment(local_moment(asked["to"], zone), now_ns) if asked.get("to") else now_ns
    except ValueError as error:
        raise invalid(str(error), "mend the address, or choose a range") from error
    _, slots, minutes = _RANGES[name]
    step_ns = minutes * MINUTE_NS
    until_ns = (end_ns if asked.get("to") else end_ns + MINUTE_NS - 1) // MINUTE_NS * MINUTE_NS
    window = Window(max(0, until_ns - slots * step_ns), step_ns, slots, now_ns)
    return TimeRange(name, window, bool(asked.get("to")))
