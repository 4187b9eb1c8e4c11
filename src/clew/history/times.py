"""Texts to moments by one known format and zone: strictly, a column at a time, exact to the nanosecond."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from clew.history.patterns import OFFSET, SECOND_NS, Local, Pattern, assembled
from clew.history.zones import BadTime, Zone

ISO = "iso"
UNITS_NS = {"unix-s": SECOND_NS, "unix-ms": 1_000_000, "unix-us": 1_000, "unix-ns": 1}
"""Counts since 1970 and how long each unit is."""

FIRST_NS = 86_400 * SECOND_NS
LAST_NS = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp()) * SECOND_NS
"""Moments outside are slips: an empty date of 1970-01-01, an "until further notice" of 9999-12-31."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAIVE_EPOCH = datetime(1970, 1, 1)
_SHORTEST, _LONGEST = timedelta(days=1), timedelta(seconds=LAST_NS // SECOND_NS)
_NUMBER = re.compile(r"(\d{1,19})(?:\.(\d{1,9})\d*)?", re.ASCII)
_ISO = re.compile(
    r"(?P<Y>\d{4})-(?P<m>\d\d)-(?P<d>\d\d)"
    r"(?:[Tt ](?P<H>\d\d):(?P<M>\d\d)(?::(?P<S>\d\d)(?:[.,](?P<f>\d{1,9}))?)?"
    rf"\s?(?P<z>{OFFSET})?(?P<Z>(?<=\s)(?![AP]M$)[A-Z]{{2,5}})?)?",
    re.ASCII | re.IGNORECASE,
)


class Format(Protocol):
    """A way to write times."""

    @property
    def name(self) -> str: ...  # noqa: D102

    def read(self, text: str) -> Local:
        """The clock time and what is said of its zone. Raises BadTime."""
        ...


class IsoTimes:
    """``2026-11-22T08:15:00.5Z`` and its kin, with or without zone; a date alone is its midnight."""

    name = ISO

    def __init__(self) -> None:
        self._days: dict[tuple[str | None, ...], int] = {}

    def read(self, text: str) -> Local:
        """The clock time and what is said of its zone. Raises BadTime."""
        match = _ISO.fullmatch(text)
        if match is None:
            raise BadTime("it isn't written as ISO 8601, 2026-11-22T08:15:00Z")
        return assembled(match.groupdict(), self._days)


class UnixTimes:
    """Numbers since 1970 in one unit."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._unit_ns = UNITS_NS[name]

    def read(self, text: str) -> Local:
        """The moment, which has no zone to ask for. Raises BadTime."""
        match = _NUMBER.fullmatch(text)
        if match is None:
            raise BadTime(f"it is no number of {self.name.removeprefix('unix-')} since 1970")
        whole, fraction = match.groups()
        rest = int((fraction or "").ljust(9, "0")) * self._unit_ns // SECOND_NS
        return int(whole) * self._unit_ns + rest, 0


def format_named(name: str) -> Format:
    """The format that ``--time-format`` names. Raises HistoryError when there is none such."""
    if name.lower() in (ISO, "iso8601"):
        return IsoTimes()
    return UnixTimes(name) if name in UNITS_NS else Pattern(name)


@dataclass(frozen=True, slots=True)
class Clock:
    """A format and the zone of times that name none (None: such times are refused)."""

    format: Format
    zone: Zone | None

    def read(self, text: str) -> int:
        """Unix nanoseconds. Raises BadTime."""
        local_ns, said = self.format.read(text)
        _in_range(local_ns, 2 * FIRST_NS)
        if isinstance(said, int):
            at_ns = local_ns - said * SECOND_NS
        elif self.zone is None:
            raise BadTime(f"{said} is no zone that all know: give --zone" if said else "it names no zone: give --zone")
        elif said:
            at_ns = local_ns - self.zone.offset_named(local_ns // SECOND_NS, said) * SECOND_NS
        else:
            at_ns = local_ns - self.zone.offset_s(local_ns // SECOND_NS) * SECOND_NS
        return _in_range(at_ns)

    def read_all(self, texts: Sequence[str]) -> list[int]:
        """Unix nanoseconds of each. Raises ValueError when one of them is no time; `read` says which and why."""
        if texts and self.format.name == ISO:
            quick = _read_iso(texts, self.zone)
            if quick is not None:
                return quick
        return [self.read(text) for text in texts]


def _in_range(at_ns: int, slack_ns: int = 0) -> int:
    """The moment; a clock time may be off by its zone. Raises BadTime."""
    if not FIRST_NS - slack_ns <= at_ns < LAST_NS + slack_ns:
        raise BadTime("it isn't between 1970-01-02 and 2100")
    return at_ns


def _read_iso(texts: Sequence[str], zone: Zone | None) -> list[int] | None:
    """The usual forms by the standard library's parser, three times as fast; None where it may not be trusted.

    It takes anything for the T, a date's offset for a time, and drops digits beyond microseconds.
    """
    if not {text[10:11] for text in texts} <= {"T", " ", ""} or any(text[26:27].isdigit() for text in texts):
        return None
    try:
        moments = [datetime.fromisoformat(text) for text in texts]
    except ValueError:
        return None
    zoned = {moment.tzinfo is not None for moment in moments}
    if zoned == {True}:
        lengths = [moment - _EPOCH for moment in moments]
        read = [((each.days * 86_400 + each.seconds) * 1_000_000 + each.microseconds) * 1_000 for each in lengths]
    elif zoned == {False} and zone is not None:
        lengths = [moment - _NAIVE_EPOCH for moment in moments]
        if min(lengths) < _SHORTEST or max(lengths) > _LONGEST:
            return None
        offset_s = zone.offset_s
        read = []
        for each in lengths:
            local_s = each.days * 86_400 + each.seconds
            read.append(((local_s - offset_s(local_s)) * 1_000_000 + each.microseconds) * 1_000)
    else:
        return None
    if min(read) < FIRST_NS or max(read) >= LAST_NS:
        return None
    return read
