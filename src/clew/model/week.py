"""Times of the week: business hours of rules, and when whom an escalation policy tells."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

MINUTES_A_DAY = 24 * 60
MINUTES_A_WEEK = 7 * MINUTES_A_DAY


@dataclass(frozen=True, slots=True)
class WeekHours:
    """Parts of the week in a time zone, such as Monday to Friday 08:00 to 18:00.

    ``parts`` are (from, to) in minutes since Monday 00:00 on the wall clock of ``zone``, from included, to not; a part
    whose end isn't after its begin runs over the end of the week.
    """

    name: str
    zone: str
    parts: tuple[tuple[int, int], ...]

    def holds_at(self, at_ns: int) -> bool:
        """Whether a moment (Unix ns) lies in these hours. Raises ZoneInfoNotFoundError for an unknown zone."""
        return _holds(self, at_ns // (60 * 10**9))


@lru_cache(maxsize=256)
def _holds(hours: WeekHours, at_minute: int) -> bool:
    """Kept, as each of ten thousand alerts asks about the same minute; zones differ from UTC by whole minutes."""
    here = datetime.fromtimestamp(at_minute * 60, ZoneInfo(hours.zone))
    minute = here.weekday() * MINUTES_A_DAY + here.hour * 60 + here.minute
    return any(begin <= minute < end if begin < end else minute >= begin or minute < end for begin, end in hours.parts)
