from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
import yaml

from clew.flow.hours import hours_named, read_hours
from clew.flow.nodes import Reader


def read(text):
    reader = Reader()
    return read_hours(reader, yaml.compose(text, Loader=yaml.SafeLoader)), reader.problems


def at(day, clock, zone="Europe/Berlin"):
    """A moment of the week that begins on Monday, 23 November 2026."""
    hour, minute = map(int, clock.split(":"))
    return int(datetime(2026, 11, 23 + day, hour, minute, tzinfo=ZoneInfo(zone)).timestamp()) * 10**9


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ('{zone: Europe/Berlin, on: mon-fri, from: "08:00", to: "18:00"}', [(0, "08:00"), (4, "17:59")],
         [(0, "07:59"), (4, "18:00"), (5, "12:00")]),
        ('{zone: Europe/Berlin, on: [mon, sat-sun]}', [(0, "00:00"), (5, "23:59"), (6, "23:59")], [(1, "00:00")]),
        ('{zone: Europe/Berlin, on: fri, from: "20:00", to: "06:00"}', [(4, "20:00"), (5, "05:59")], [(4, "19:59"), (5, "06:00")]),
        ('{zone: Europe/Berlin, on: sun, from: "20:00", to: "06:00"}', [(6, "23:00"), (0, "05:59")], [(0, "06:00")]),
        ('{zone: Europe/Berlin, on: sat-mon, from: "09:00", to: "24:00"}', [(6, "23:59"), (0, "09:00")], [(1, "09:00")]),
        ('[{zone: Europe/Berlin, on: mon, to: "12:00"}, {on: tue, from: "12:00"}]', [(0, "11:00"), (1, "13:00")], [(0, "13:00")]),
    ],
)  # fmt: skip
def test_hours_hold_as_they_are_written(text, inside, outside):
    hours, problems = read(f"shop: {text}")
    assert problems == []
    assert [hours["shop"].holds_at(at(*moment)) for moment in inside] == [True] * len(inside)
    assert [hours["shop"].holds_at(at(*moment)) for moment in outside] == [False] * len(outside)


@pytest.mark.parametrize(
    ("text", "key", "cause"),
    [
        ("{zone: Berlin}", "hours.shop[0].zone", "no time zone 'Berlin' is known"),
        ("{on: mon-fry}", "hours.shop[0].on", "'fry' is no day"),
        ('{from: "8:00"}', "hours.shop[0].from", "'8:00' is no time of day"),
        ('{to: "25:00"}', "hours.shop[0].to", "'25:00' is no time of day"),
        ("{form: x}", "hours.shop[0].form", "unknown key 'form'"),
    ],
)
def test_a_mistake_in_hours_is_named_with_its_place(text, key, cause):
    _, problems = read(f"shop: {text}")
    keys = [(problem.key.replace("shop.", "shop[0]."), problem.cause) for problem in problems]
    assert (key, cause) in keys
    assert all(problem.mend and problem.line == 1 for problem in problems)


def test_hours_that_nobody_declared_are_a_mistake():
    hours, _ = read("office: {on: mon-fri}")
    reader = Reader()
    assert hours_named(reader, yaml.compose("ofice"), "x", hours) is None
    assert [(problem.cause, problem.mend) for problem in reader.problems] == [
        ("no hours 'ofice' are declared", "did you mean 'office'?")
    ]
    assert hours_named(reader, yaml.compose("office"), "x", hours) == hours["office"]
