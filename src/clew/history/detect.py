"""Which format a column of times has: found on samples, and refused where samples allow two readings.

Every sample's shape gives the patterns that it may be written by. The pattern that reads most samples is the format.
Is there another that reads samples which this one can't, or that reads all the same samples otherwise, then nobody
knows which is meant: 01/02/2024 is a day in January or in February.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from clew.history.patterns import OFFSET, SECOND_NS, Local, Pattern
from clew.history.rows import HistoryError
from clew.history.times import ISO, UNITS_NS, Clock, Format, IsoTimes, UnixTimes, format_named
from clew.history.zones import BadTime, Repeated, Zone

SAMPLES = 20_000
"""Values that are looked at; shapes are taken of the first tenth of them."""

_SHAPES = 2_000
_ZONE_TAIL = re.compile(rf"(?P<gap>\s?)(?:(?P<z>{OFFSET})|(?P<Z>[A-Z]{{2,5}}))$")
_CLOCK = re.compile(
    r"(?:(?<![\d.:/-])|(?<=\d{4}:))\d{1,2}(?P<by>[:.])\d\d(?P<seconds>(?P=by)\d\d(?:[.,]\d{1,9})?)?(?![\d/:]|\.\d)"
    r"(?P<noon>(?P<gap>\s?)[AaPp]\.?[Mm]\.?)?"
)
_HAS_CLOCK = re.compile(r":|\d{8}T?\d", re.ASCII)
_TOKEN = re.compile(r"\d+|[A-Za-z]+\.?|[^\dA-Za-z]+")
_NUMBER = re.compile(r"\d+(\.\d+)?", re.ASCII)
_COMPACT = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
# The unit is known by the size: in each of them 1990 to 2100 is a range of its own.
_EARLIEST_S, _LATEST_S = 631_152_000, 4_102_444_800


@dataclass(frozen=True, slots=True)
class Reading:
    """What a format makes of the samples."""

    format: Format
    values: Sequence[Local | None]

    @property
    def hits(self) -> int:
        """How many samples it reads."""
        return sum(value is not None for value in self.values)


@dataclass(frozen=True, slots=True)
class Sample:
    """A value and the number of its line."""

    line: int
    text: str


def detect(samples: Sequence[Sample], column: str, zone: str, repeated: Repeated, time_format: str) -> Clock:
    """The clock by which a column is read. Raises HistoryError when it isn't clear, with the option to give."""
    given = Zone(zone, repeated) if zone else None
    if time_format:
        reading = _reading(format_named(time_format), samples)
        if not reading.hits:
            raise HistoryError(
                f"no time of column {column} is written as {time_format}: {_shown(samples[0])}",
                "give another --time-format, or none to have it detected",
                of_call=True,
            )
    else:
        reading = _chosen(samples, column)
    said = [(sample, value[1]) for sample, value in zip(samples, reading.values, strict=True) if value is not None]
    if given is None and not any(isinstance(zone_said, int) for _, zone_said in said):
        sample = said[0][0]
        raise HistoryError(
            f"the times of column {column} name no zone: {_shown(sample)}",
            "say where the clock hung: --zone Europe/Berlin, --zone UTC or --zone +02:00",
        )
    return Clock(reading.format, given)


def _chosen(samples: Sequence[Sample], column: str) -> Reading:
    names = dict.fromkeys(name for sample in samples[:_SHAPES] for name in shapes_of(sample.text))
    readings = [_reading(_format(name), samples) for name in names]
    best = max(readings, key=lambda reading: reading.hits, default=None)
    if best is None or best.hits * 2 < len(samples):
        unread = samples[0] if best is None else next(
            sample for sample, value in zip(samples, best.values, strict=True) if value is None
        )  # fmt: skip
        raise HistoryError(
            f"column {column} is not understood as times: {_shown(unread)}",
            'name another column with --time, or say how it is written: --time-format "%d/%m/%Y %H:%M:%S"',
        )
    for other in readings:
        if other is not best and _rivals(best, other):
            raise _ambiguous(best, other, samples, column)
    return best


def _format(name: str) -> Format:
    if name == ISO:
        return IsoTimes()
    return UnixTimes(name) if name in UNITS_NS else Pattern(name)


def _reading(form: Format, samples: Sequence[Sample]) -> Reading:
    return Reading(form, [_read(form, sample.text) for sample in samples])


def _read(form: Format, text: str) -> Local | None:
    try:
        return form.read(text)
    except BadTime:
        return None


def _rivals(best: Reading, other: Reading) -> bool:
    """Whether the other reading is as good, or knows what the best can't read though they read much alike."""
    both = [(one, two) for one, two in zip(best.values, other.values, strict=True) if one and two]
    if not any(one != two for one, two in both):
        return False
    return other.hits == best.hits or any(
        one is None and two is not None for one, two in zip(best.values, other.values, strict=True)
    )


def _ambiguous(best: Reading, other: Reading, samples: Sequence[Sample], column: str) -> HistoryError:
    pairs = zip(samples, best.values, other.values, strict=True)
    sample, one, two = next(each for each in pairs if each[1] and each[2] and each[1] != each[2])
    assert one is not None
    assert two is not None
    return HistoryError(
        f"times of column {column} can be read in two ways: {_shown(sample)} is {_date(one)} or {_date(two)}",
        f'say which: --time-format "{best.format.name}" or --time-format "{other.format.name}"',
    )


def _date(local: Local) -> str:
    return f"{datetime(1970, 1, 1) + timedelta(seconds=local[0] // SECOND_NS):%-d %B %Y}"


def _shown(sample: Sample) -> str:
    return f"{sample.text[:60]!r} in line {sample.line}"


def shapes_of(text: str) -> list[str]:
    """Names of formats by which a text may be written, as ``--time-format`` takes them."""
    if _read(IsoTimes(), text):
        return [ISO]
    if _NUMBER.fullmatch(text):
        return [
            *_units(int(text.partition(".")[0])),
            *([_COMPACT[len(text)]] if text.isdigit() and len(text) in _COMPACT else []),
        ]
    rest, zone = _cut_zone(text)
    if re.fullmatch(r"\d{8}T?", rest[:9], re.ASCII) and (clock := _compact_clock(rest[8:])):
        return [f"%Y%m%d{clock}{zone}"]
    before, clock = _cut_clock(rest)
    return [f"{date}{clock}{zone}" for date in _dates(before)]


def _units(number: int) -> list[str]:
    return [name for name, unit in UNITS_NS.items() if _EARLIEST_S <= number * unit / SECOND_NS < _LATEST_S]


def _compact_clock(text: str) -> str:
    joint = text[:1] if text[:1] in ("T", " ") else ""
    digits = text[len(joint) :].split(".")[0]
    if not digits.isdigit():
        return ""
    return joint + {4: "%H%M", 6: "%H%M%S"}.get(len(digits), "")


def _cut_zone(text: str) -> tuple[str, str]:
    found = _ZONE_TAIL.search(text)
    if found is None or found.start() == 0 or (found["Z"] and found["Z"] in ("AM", "PM")):
        return text, ""
    if text[found.start("z")] in "+-" and not _HAS_CLOCK.search(text[: found.start()]):
        return text, ""  # 02-01-2024 ends in no offset
    return text[: found.start()], found["gap"] + ("%z" if found["z"] else "%Z")


def _cut_clock(text: str) -> tuple[str, str]:
    """What stands before the clock time, and its pattern; what has more behind it is no time that Clew knows."""
    found = next(reversed(list(_CLOCK.finditer(text))), None)
    if found is None or (found["by"] == "." and not text[: found.start()].strip()):
        return text, ""  # 02.01.24 is a date
    if found.end() < len(text):
        return "", ""
    by, noon = found["by"], found["noon"]
    clock = f"{'%I' if noon else '%H'}{by}%M{f'{by}%S' if found['seconds'] else ''}"
    return text[: found.start()], clock + (f"{found['gap']}%p" if noon else "")


def _dates(text: str) -> Iterable[str]:
    """Patterns of the date in a text, the separators kept."""
    if compact := re.fullmatch(r"\d{8}(\D*)", text, re.ASCII):
        return [f"%Y%m%d{compact[1]}"]
    tokens = _TOKEN.findall(text)
    places = [place for place, token in enumerate(tokens) if token[0].isalnum()]
    if places and tokens[places[0]][:3].lower() in _WEEKDAYS:
        tokens[places[0]] = "%a"
        places = places[1:]
    if len(places) != 3:
        return []
    kinds = [_kind(tokens[place]) for place in places]
    found = []
    for letters in _orders(kinds, by_dots=tokens[places[0] + 1] == "."):
        for place, letter in zip(places, letters, strict=True):
            tokens[place] = f"%{letter}"
        found.append("".join(tokens))
    return found


def _kind(token: str) -> str:
    if token.isdigit():
        return "4" if len(token) == 4 else "2" if len(token) <= 2 else ""
    return "b" if token[:3].lower() in _MONTHS else ""


def _orders(kinds: Sequence[str], *, by_dots: bool) -> list[str]:
    match "".join(kinds):
        case "422":
            return ["Ymd"]
        case "224":
            # Nobody writes the month first and then dots.
            return ["dmY"] if by_dots else ["dmY", "mdY"]
        case "222":
            return ["dmy"] if by_dots else ["dmy", "mdy", "ymd"]
        case "2b4":
            return ["dbY"]
        case "2b2":
            return ["dby"]
        case "b24":
            return ["bdY"]
        case "4b2":
            return ["Ybd"]
        case _:
            return []
