"""Patterns of times such as ``%d/%m/%Y %H:%M``, compiled to one regular expression each.

The directives are those of `datetime.strptime`, with two differences: ``%S`` takes a fraction of up to nine digits as
well, and no part is guessed, so a value that differs from the pattern in anything but digits is no time.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date

from clew.history.rows import HistoryError
from clew.history.zones import DAY_S, BadTime

SECOND_NS = 1_000_000_000
Local = tuple[int, int | str | None]
"""Nanoseconds of a clock time, as if it were UTC; and seconds east of UTC, or a zone's abbreviation, or None."""

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH_NAME = (
    "jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    "|nov(?:ember)?|dec(?:ember)?"
)
_DAY_NAME = r"(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?"
OFFSET = r"(?:(?:UTC|GMT)?[+-]\d\d(?::?\d\d)?|UTC|GMT|Z)(?:\s?\([^)]*\)|\[[\w/+-]+\])?"
_DIRECTIVES = {
    "Y": r"(?P<Y>\d{4})", "y": r"(?P<y>\d\d)", "m": r"(?P<m>\d\d?)", "d": r"(?P<d>\d\d?)",
    "b": rf"(?P<b>{_MONTH_NAME})\.?", "B": rf"(?P<b>{_MONTH_NAME})\.?", "a": rf"{_DAY_NAME}\.?", "A": _DAY_NAME,
    "j": r"(?P<j>\d{3})", "H": r"(?P<H>\d\d?)", "I": r"(?P<I>\d\d?)", "M": r"(?P<M>\d\d)",
    "S": r"(?P<S>\d\d)(?:[.,](?P<f>\d{1,9}))?", "p": r"(?P<p>[ap])\.?m\.?",
    "z": rf"(?P<z>{OFFSET})", "Z": r"(?P<Z>(?![AP]M$)[A-Z]{2,5})", "%": "%",
}  # fmt: skip
_TWO_DIGITS = {"m": r"(?P<m>\d\d)", "d": r"(?P<d>\d\d)", "H": r"(?P<H>\d\d)", "I": r"(?P<I>\d\d)"}
_LONG = {"%T": "%H:%M:%S", "%R": "%H:%M", "%F": "%Y-%m-%d", "%D": "%m/%d/%y", "%S.%f": "%S", "%S,%f": "%S"}
_DIRECTIVE = re.compile(r"%(.)")


class Pattern:
    """Reads times that are written by one pattern. Raises HistoryError when the pattern itself is wrong."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._fullmatch = _expression(name).fullmatch
        self._days: dict[tuple[str | None, ...], int] = {}

    def read(self, text: str) -> Local:
        """The clock time and what is said of its zone. Raises BadTime."""
        match = self._fullmatch(text)
        if match is None:
            raise BadTime(f"it isn't written as {self.name}")
        return assembled(match.groupdict(), self._days)


def assembled(parts: dict[str, str | None], days: dict[tuple[str | None, ...], int]) -> Local:
    """A clock time from the named parts of a match; ``days`` remembers days that were seen. Raises BadTime."""
    get = parts.get
    key = (get("Y"), get("y"), get("m"), get("b"), get("d"), get("j"))
    try:
        day = days[key]
    except KeyError:
        day = _day(*key)
        if len(days) < 100_000:
            days[key] = day
    seconds = day * DAY_S + _hour(parts) * 3600 + _below(60, get("M"), "minute") * 60 + _below(60, get("S"), "second")
    fraction = get("f")
    nanoseconds = int(fraction.ljust(9, "0")) if fraction else 0
    offset = get("z")
    return seconds * SECOND_NS + nanoseconds, offset_of(offset) if offset else get("Z")


def offset_of(text: str) -> int:
    """Seconds east of UTC of ``Z``, ``+02:00``, ``GMT-0500``; what stands in brackets after it says nothing more."""
    digits = re.search(r"([+-])(\d\d):?(\d\d)?", text.partition("(")[0].partition("[")[0])
    if digits is None:
        return 0
    sign, hours, minutes = digits.groups()
    length = int(hours) * 3600 + _below(60, minutes, "minute of the zone") * 60
    if length >= DAY_S:
        raise BadTime(f"no zone is {text}")
    return length if sign == "+" else -length


def _below(limit: int, text: str | None, what: str) -> int:
    number = int(text or 0)
    if number >= limit:
        raise BadTime(f"there is no {what} {number}")
    return number


def _hour(parts: dict[str, str | None]) -> int:
    twelve = parts.get("I")
    if twelve is None:
        return _below(24, parts.get("H"), "hour")
    hour = int(twelve)
    if not 1 <= hour <= 12:
        raise BadTime(f"there is no hour {hour} am or pm")
    return hour % 12 + (12 if (parts.get("p") or "").lower() == "p" else 0)


def _day(
    year: str | None, short: str | None, month: str | None, name: str | None, day: str | None, of_year: str | None
) -> int:
    # Two digits of a year are read as POSIX has it: 69 is 1969, 68 is 2068.
    whole = int(year) if year else int(short or 0) + (1900 if int(short or 0) >= 69 else 2000)
    try:
        if of_year:
            first, last = date(whole, 1, 1).toordinal(), date(whole, 12, 31).toordinal()
            if not 1 <= int(of_year) <= last - first + 1:
                raise ValueError
            return first + int(of_year) - 1 - date(1970, 1, 1).toordinal()
        number = int(month) if month else _MONTHS.index((name or "")[:3].lower()) + 1
        return date(whole, number, int(day or 0)).toordinal() - date(1970, 1, 1).toordinal()
    except ValueError:
        raise BadTime("there is no such day") from None


def _expression(pattern: str) -> re.Pattern[str]:
    long = pattern
    for short, meaning in _LONG.items():
        long = long.replace(short, meaning)
    pieces: list[str] = []
    place = 0
    for found in _DIRECTIVE.finditer(long):
        pieces += [_literal(long[place : found.start()]), _directive(found, long, pattern)]
        place = found.end()
    pieces.append(_literal(long[place:]))
    try:
        expression = re.compile("".join(pieces), re.ASCII | re.IGNORECASE)
    except re.error:
        raise _wrong(pattern, "it names a part twice") from None
    _check_whole(pattern, expression)
    return expression


def _directive(found: re.Match[str], pattern: str, told: str) -> str:
    letter = found[1]
    if letter not in _DIRECTIVES:
        raise _wrong(told, f"%{letter} is unknown; there are {' '.join('%' + each for each in _DIRECTIVES)}")
    # Where digits follow digits, only a fixed number of them can be told apart.
    joined = pattern[found.end() : found.end() + 1] == "%" or pattern[: found.start()][-2:-1] == "%"
    return _TWO_DIGITS.get(letter, _DIRECTIVES[letter]) if joined else _DIRECTIVES[letter]


def _literal(text: str) -> str:
    return re.sub(r"(\\ )+", r"\\s+", re.escape(text))


def _check_whole(pattern: str, expression: re.Pattern[str]) -> None:
    has: Callable[[str], bool] = expression.groupindex.__contains__
    if not (has("Y") or has("y")) or not (has("j") or (has("d") and (has("m") or has("b")))):
        raise _wrong(pattern, "year, month and day must be in it")
    if has("I") != has("p"):
        raise _wrong(pattern, "%I and %p belong together")


def _wrong(pattern: str, why: str) -> HistoryError:
    mend = 'write it such as "%d/%m/%Y %H:%M:%S", or iso, unix-s, unix-ms, unix-us, unix-ns'
    return HistoryError(f"--time-format {pattern!r}: {why}", mend, of_call=True)
