"""Clock times of a zone to moments: exact, and refused where the zone's clock shows a time twice or never."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from clew.history.rows import HistoryError

DAY_S = 86_400
Repeated = Literal["", "first", "second"]

_OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)?", re.ASCII)
_EPOCH = datetime(1970, 1, 1)


class BadTime(ValueError):
    """A text is no time of the format, or no moment; the message says why."""


class Zone:
    """A zone of the world, or a fixed offset; ``repeated`` says which of two a time is that comes twice."""

    def __init__(self, name: str, repeated: Repeated = "") -> None:
        self.name = name
        self._repeated = repeated
        self._zone = _zone_of(name)
        self._offset_of_day: dict[int, int | None] = {}

    def offset_s(self, local_s: int) -> int:
        """Seconds east of UTC at a clock time, given as if it were UTC. Raises BadTime."""
        day = local_s // DAY_S
        try:
            offset = self._offset_of_day[day]
        except KeyError:
            offset = self._offset_of_day[day] = self._constant(day)
        return self._close_look(local_s) if offset is None else offset

    def offset_named(self, local_s: int, abbreviation: str) -> int:
        """The same where the text names the zone's abbreviation as well, which settles a time that comes twice."""
        offsets = self._offsets(_EPOCH + timedelta(seconds=local_s))
        for fold, offset in enumerate(offsets):
            at = (_EPOCH + timedelta(seconds=local_s)).replace(tzinfo=self._zone, fold=fold)
            if at.tzname() == abbreviation.upper():
                return offset
        raise BadTime(f"{abbreviation} is not what {self.name} is called then")

    def _constant(self, day: int) -> int | None:
        """The offset of a whole day of the clock, None when it changes."""
        midnight = _EPOCH + timedelta(days=day)
        offsets = {*self._offsets(midnight), *self._offsets(midnight + timedelta(days=1))}
        return offsets.pop() if len(offsets) == 1 else None

    def _offsets(self, local: datetime) -> tuple[int, int]:
        first, second = (local.replace(tzinfo=self._zone, fold=fold).utcoffset() for fold in (0, 1))
        assert first is not None
        assert second is not None
        return int(first.total_seconds()), int(second.total_seconds())

    def _close_look(self, local_s: int) -> int:
        local = _EPOCH + timedelta(seconds=local_s)
        first, second = self._offsets(local)
        if first == second:
            return first
        if first < second:
            raise BadTime(f"{local} never was in {self.name}: the clock was put forward")
        if not self._repeated:
            raise BadTime(f"{local} came twice in {self.name}, as the clock was put back: give --repeated-hour")
        return first if self._repeated == "first" else second


def _zone_of(name: str) -> timezone | ZoneInfo:
    if name.upper() in ("UTC", "Z", "GMT"):
        return UTC
    if found := _OFFSET.fullmatch(name):
        sign, hours, minutes = found.groups()
        length = timedelta(hours=int(hours), minutes=int(minutes or 0))
        if length < timedelta(days=1):
            return timezone(length if sign == "+" else -length)
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise HistoryError(
            f"{name!r} is no time zone", "write --zone Europe/Berlin, --zone UTC or --zone +02:00", of_call=True
        ) from None
