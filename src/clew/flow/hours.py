"""Hours of the week in YAML: ``office: {zone: Europe/Berlin, on: mon-fri, from: "08:00", to: "18:00"}``.

People write the same in a line: ``mon-fri 22:00-06:00 Europe/Berlin``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from zoneinfo import ZoneInfo

import yaml

from clew.flow.nodes import Reader, did_you_mean, join
from clew.model.week import MINUTES_A_DAY, WeekHours

HOURS_KEYS = ("zone", "on", "from", "to")
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_LINE = re.compile(r"(?:(?P<on>[A-Za-z][A-Za-z,-]*) +)?(?P<from>[0-9:]+)-(?P<to>[0-9:]+)(?: +(?P<zone>[^ ]+))?")
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")


def read_hours(reader: Reader, node: yaml.Node | None, key: str = "hours") -> dict[str, WeekHours]:
    """The named hours of a file; mistakes are reported, and hours that have one are left out.

    A list of entries under one name are its parts, all in the zone of the first. Parts that end before they begin run
    over midnight; ``24:00`` ends a day.
    """
    if node is None:
        return {}
    found = {}
    for name, body in reader.mapping(node, key).items():
        bodies = list(reader.items(body, join(key, name)))
        read = [_read_entry(reader, full, each) for full, each in bodies]
        if bodies and all(each is not None for each in read):
            zones = [each[0] for each in read if each is not None]
            parts = tuple(part for each in read if each is not None for part in each[1])
            found[name] = WeekHours(name, zones[0], parts)
    return found


def hours_named(reader: Reader, node: yaml.Node | None, key: str, known: Mapping[str, WeekHours]) -> WeekHours | None:
    """The hours that a value names; None when it names none, or some that aren't declared, which is reported."""
    name = reader.text(node, key)
    if name and name not in known:
        mend = did_you_mean(name, known) or "declare them under 'hours:'"
        reader.report(key, f"no hours {name!r} are declared", mend, node)
    return known.get(name)


def hours_of(entry: Mapping[str, str]) -> WeekHours:
    """The hours that one entry of `HOURS_KEYS` says, read as in a file; several days are set apart by commas.

    They are named as people write them in a line. Raises ValueError with every mistake and its mend.
    """
    reader = Reader()
    given = {key: value for key, value in entry.items() if value}
    node = yaml.compose(json.dumps(given | {"on": given.get("on", "mon-sun").split(",")}), Loader=yaml.SafeLoader)
    read = _read_entry(reader, "", node) if node is not None else None
    if read is None or reader.problems:
        raise ValueError("; ".join(f"{each.key}: {each.cause}, {each.mend}" for each in reader.problems))
    zone, parts = read
    clocks = f"{given.get('from', '00:00')}-{given.get('to', '24:00')}"
    return WeekHours(f"{given.get('on', 'mon-sun')} {clocks} {zone}", zone, parts)


def split_hours(line: str) -> dict[str, str]:
    """The entry that ``mon-fri 22:00-06:00 Europe/Berlin`` says: days and zone may be left out (every day, UTC).

    Raises ValueError with the mend."""
    match = _LINE.fullmatch(line.strip())
    if match is None:
        raise ValueError(f"{line!r} is no time of the week: write mon-fri 22:00-06:00 Europe/Berlin")
    return {key: value for key, value in match.groupdict().items() if value}


def _read_entry(reader: Reader, key: str, node: yaml.Node) -> tuple[str, tuple[tuple[int, int], ...]] | None:
    body = reader.mapping(node, key, HOURS_KEYS)
    zone = _read_zone(reader, body.get("zone"), join(key, "zone"))
    days = _read_days(reader, body.get("on"), join(key, "on"))
    begin = _read_clock(reader, body.get("from"), join(key, "from"), 0)
    end = _read_clock(reader, body.get("to"), join(key, "to"), MINUTES_A_DAY)
    if zone is None or days is None or begin is None or end is None:
        return None
    length = end - begin if end > begin else end - begin + MINUTES_A_DAY
    return zone, tuple(_part(day * MINUTES_A_DAY + begin, length) for day in days)


def _part(begin: int, length: int) -> tuple[int, int]:
    """A part of the week; one that ends with the week ends at its last minute, one beyond runs over."""
    week = len(DAYS) * MINUTES_A_DAY
    end = begin + length
    return begin, end if end <= week else end - week


def _read_zone(reader: Reader, node: yaml.Node | None, key: str) -> str | None:
    zone = reader.text(node, key) or "UTC"
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        reader.report(key, f"no time zone {zone!r} is known", "write one such as Europe/Berlin or UTC", node)
        return None
    return zone


def _read_days(reader: Reader, node: yaml.Node | None, key: str) -> list[int] | None:
    """Days of the week, Monday 0: ``mon-fri``, ``[mon, sat-sun]``; all without any."""
    days: list[int] = []
    wrong = False
    for text in reader.texts(node, key) or ("mon-sun",):
        first, _, last = text.partition("-")
        unknown = next((day for day in (first, last or first) if day not in DAYS), None)
        if unknown is not None:
            reader.report(key, f"{unknown!r} is no day", did_you_mean(unknown, DAYS), node)
            wrong = True
            continue
        begin, end = DAYS.index(first), DAYS.index(last or first)
        span = range(begin, end + 1) if begin <= end else (*range(begin, len(DAYS)), *range(end + 1))
        days += [day for day in span if day not in days]
    return None if wrong else days


def _read_clock(reader: Reader, node: yaml.Node | None, key: str, absent: int) -> int | None:
    """Minutes since midnight of ``08:30``."""
    text = reader.text(node, key)
    if not text:
        return absent
    if text == "24:00":
        return MINUTES_A_DAY
    match = _CLOCK.fullmatch(text)
    if match is None:
        reader.report(key, f"{text!r} is no time of day", 'write it in quotes, such as "08:00"', node)
        return None
    return int(match[1]) * 60 + int(match[2])
