"""Times of the week from YAML: what people write, and what is wrong with it."""

import pytest
import yaml

from clew.flow.hours import read_hours
from clew.flow.nodes import Reader

MON, SUN = 0, 6 * 1440


def read(text):
    reader = Reader()
    return reader, read_hours(reader, yaml.compose(text))


@pytest.mark.parametrize(
    ("written", "parts"),
    [
        pytest.param('{on: mon-tue, from: "08:00", to: "18:00"}', ((480, 1080), (1920, 2520)), id="two days"),
        pytest.param('{on: [sun, mon], from: "08:00", to: "09:30"}', ((480, 570), (SUN + 480, SUN + 570)), id="a list"),
        pytest.param('{on: sun, from: "22:00", to: "06:00"}', ((SUN + 1320, 360),), id="over the end of the week"),
        pytest.param("{on: sat-sun}", ((7200, 8640), (8640, 10080)), id="whole days"),
        pytest.param('{on: sun-mon, from: "00:00", to: "24:00"}', ((0, 1440), (8640, 10080)), id="days wrap"),
        pytest.param(
            '{parts: [{on: mon, to: "12:00"}, {on: sun, from: "12:00"}]}', ((0, 720), (9360, 10080)), id="two"
        ),
    ],
)
def test_hours_are_minutes_of_the_week(written, parts):
    reader, hours = read(f"office: {written}")
    assert (reader.problems, hours["office"].parts, hours["office"].zone) == ([], parts, "UTC")


@pytest.mark.parametrize(
    ("written", "cause", "mend"),
    [
        ("{zone: Europe/Berlim}", "'Europe/Berlim' is no time zone", "IANA"),
        ("{on: mon-fry}", "'mon-fry' is no day of the week", "did you mean 'fri'?"),
        ('{from: "8"}', "'8' is no time of day", '"08:00"'),
        ("{form: 8}", "unknown key 'form'", "did you mean 'from'?"),
        ("{on: mon, parts: [{on: tue}]}", "hours are given twice", "either"),
    ],
)
def test_a_mistake_in_hours_is_named(written, cause, mend):
    reader, _ = read(f"office: {written}")
    assert any(cause in each.cause and mend in each.mend and each.line == 1 for each in reader.problems)
