"""Pictures as geometry: ticks on round values, lines with gaps, bars that stack, and their words and tables."""

from __future__ import annotations

import re
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clew.web.pictures.axes import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS, Unit, moment_ticks, scale
from clew.web.pictures.series import HIGH, WIDE, Series, lines, name_axis, sparkline, stacked, time_axis

UTC = ZoneInfo("UTC")
BERLIN = ZoneInfo("Europe/Berlin")
NOON = 1_795_348_800 * SECOND_NS  # 2026-11-22 12:00 UTC
MS = 10**6


@pytest.mark.parametrize(
    ("highest", "unit", "texts"),
    [
        (0, Unit.COUNT, ["0", "1"]),
        (3, Unit.COUNT, ["0", "1", "2", "3"]),
        (83, Unit.COUNT, ["0", "20", "40", "60", "80", "100"]),
        (12_345, Unit.COUNT, ["0", "2,500", "5,000", "7,500", "10,000", "12,500"]),
        (0.7, Unit.NUMBER, ["0", "0.2", "0.4", "0.6", "0.8"]),
        (0.028, Unit.SHARE, ["0", "1.0 %", "2.0 %", "3.0 %"]),
        (1.0, Unit.SHARE, ["0", "20 %", "40 %", "60 %", "80 %", "100 %"]),
        (3_200_000, Unit.SIZE, ["0", "1.0 MB", "2.0 MB", "3.0 MB", "4.0 MB"]),
        (0, Unit.LENGTH, ["0", "1 µs"]),
        (1_400 * MS, Unit.LENGTH, ["0", "500 ms", "1 s", "1.5 s"]),
        (50 * MINUTE_NS, Unit.LENGTH, ["0", "10 min", "20 min", "30 min", "40 min", "50 min"]),
        (30 * HOUR_NS, Unit.LENGTH, ["0", "6 h", "12 h", "18 h", "1 d", "1.25 d"]),
        (4_000 * DAY_NS, Unit.LENGTH, ["0", "1095 d", "2190 d", "3285 d", "4380 d"]),
    ],
)
def test_an_upright_axis_has_round_values(highest, unit, texts):
    assert [tick.text for tick in scale(highest, unit).ticks] == texts


@given(st.floats(0, 1e18, allow_nan=False), st.sampled_from(Unit))
def test_an_upright_axis_reaches_every_value_with_few_ticks(highest, unit):
    made = scale(highest, unit)
    assert made.top >= highest * (1 - 1e-9)
    assert 2 <= len(made.ticks) <= 7
    assert [tick.at for tick in made.ticks] == sorted({tick.at for tick in made.ticks})
    assert (made.ticks[0].at, made.ticks[-1].at) == (0, 1)


@pytest.mark.parametrize(
    ("from_ns", "length_ns", "zone", "texts"),
    [
        (NOON, 10 * SECOND_NS, UTC, ["12:00:00", "12:00:02", "12:00:04", "12:00:06", "12:00:08", "12:00:10"]),
        (NOON, HOUR_NS, BERLIN, ["13:00", "13:10", "13:20", "13:30", "13:40", "13:50", "14:00"]),
        (NOON, DAY_NS, UTC, ["12:00", "18:00", "23 Nov", "06:00", "12:00"]),
        (NOON, DAY_NS, ZoneInfo("Asia/Kolkata"), ["18:00", "23 Nov", "06:00", "12:00"]),
        (NOON - 5 * DAY_NS, 5 * DAY_NS, UTC, ["18 Nov", "19 Nov", "20 Nov", "21 Nov", "22 Nov"]),
        (NOON, 30 * DAY_NS, UTC, ["23 Nov", "30 Nov", "7 Dec", "14 Dec", "21 Dec"]),
        (NOON - 460 * DAY_NS, 460 * DAY_NS, UTC, ["Oct 2025", "Jan 2026", "Apr 2026", "Jul 2026", "Oct 2026"]),
        (NOON, 0, UTC, []),
    ],
)
def test_moments_stand_at_round_times_of_the_viewers_clock(from_ns, length_ns, zone, texts):
    assert [tick.text for tick in moment_ticks(from_ns, from_ns + length_ns, zone)] == texts


@pytest.mark.parametrize(
    ("day_ns", "places"),
    [
        pytest.param(1_792_879_200, [0, 7, 13, 19, 25], id="a clock set back: the first quarter has seven hours"),
        pytest.param(1_774_738_800, [0, 5, 11, 17, 23], id="a clock set forward: it has five"),
    ],
)
def test_days_on_which_the_clock_changes_keep_their_midnights(day_ns, places):
    hours = places[-1]
    ticks = moment_ticks(day_ns * SECOND_NS, day_ns * SECOND_NS + hours * HOUR_NS, BERLIN)
    assert [round(tick.at * hours) for tick in ticks] == places
    assert [tick.text for tick in ticks[1:4]] == ["06:00", "12:00", "18:00"]


@given(
    st.integers(0, 4_000_000_000),
    st.integers(1, 2_000_000_000),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"]),
)
def test_there_are_some_ticks_and_never_too_many(from_s, length_s, zone):
    ticks = moment_ticks(from_s * SECOND_NS, (from_s + length_s) * SECOND_NS, ZoneInfo(zone))
    assert len(ticks) <= 7
    assert len(ticks) >= 1 or length_s < 2 or length_s > 600_000_000
    assert all(0 <= tick.at <= 1 for tick in ticks)


def quarters(number: int):
    return time_axis([NOON + n * 15 * MINUTE_NS for n in range(number + 1)], UTC)


def test_a_line_is_interrupted_where_values_are_missing_and_a_lone_value_is_a_dot():
    chart = lines("Duration", quarters(6), [Series("p95", (1e6, 2e6, None, 4e6, None, 4e6))], Unit.LENGTH)
    (line,) = chart.lines
    assert line.path == "M83.3 105L250 70"
    assert line.dots == "M583.3 0h0M916.7 0h0"
    assert chart.told == "p95: from 1.0 ms to 4.0 ms, last 4.0 ms"
    assert chart.rows[2] == ("12:30", "-")
    assert chart.bands[2].text == "12:30: p95 -"


def test_lines_differ_by_dash_as_well_as_by_colour():
    series = [Series(f"s{n}", (1.0, 2.0), f"c{n + 1}") for n in range(4)]
    chart = lines("x", quarters(2), series, Unit.COUNT)
    assert len({line.dash for line in chart.lines}) == 4
    assert [entry[:3] for entry in chart.legend] == [(line.name, line.tone, line.dash) for line in chart.lines]


def test_a_bound_is_on_the_picture_even_when_all_values_are_far_below():
    chart = lines("x", quarters(2), [Series("p95", (1e6, 2e6))], Unit.LENGTH, bound=(1e9, "slow from 1 s"))
    assert chart.bound is not None
    assert chart.bound.at == 1.0


def test_bars_stack_on_each_other_and_what_is_little_is_still_seen():
    chart = stacked(
        "Requests", quarters(2), [Series("ok", (1000, None)), Series("errors", (1, 4), "tone-bad")], Unit.COUNT
    )
    ok, few, alone = chart.bars
    assert (ok.y + ok.height, few.tone) == (HIGH, "tone-bad")
    assert few.y + few.height <= ok.y + 0.2
    assert few.height == 1.0
    assert alone.y + alone.height == HIGH
    assert [text for _, *text in chart.rows] == [["1,000", "1"], ["-", "4"]]


@pytest.mark.parametrize("draw", [lines, stacked])
@given(values=st.lists(st.none() | st.floats(0, 1e15), min_size=1, max_size=40))
def test_nothing_is_drawn_outside_of_the_picture(draw, values):
    axis = quarters(len(values))
    chart = draw("x", axis, [Series("a", tuple(values)), Series("b", tuple(reversed(values)))], Unit.NUMBER)
    places = [
        float(x)
        for line in chart.lines
        for x, _ in re.findall(r"([\d.]+) ([\d.]+)", line.path + line.dots)
    ]  # fmt: skip
    heights = [float(y) for line in chart.lines for _, y in re.findall(r"([\d.]+) ([\d.]+)", line.path + line.dots)]
    assert all(0 <= x <= WIDE for x in places)
    assert all(0 <= y <= HIGH for y in heights)
    assert all(bar.y >= 0 and bar.y + bar.height <= HIGH + 0.15 and bar.x + bar.width <= WIDE for bar in chart.bars)
    assert chart.empty == all(value is None for value in values)
    assert len(chart.rows) == len(chart.bands) == len(values)


def test_labels_of_more_than_one_day_say_the_day():
    assert quarters(2).labels == ("12:00", "12:15")
    axis = time_axis([NOON + n * DAY_NS for n in range(3)], UTC)
    assert axis.labels == ("2026-11-22 12:00", "2026-11-23 12:00")


def test_named_slots_are_written_below_as_far_as_they_fit():
    assert [tick.text for tick in name_axis(["a", "b"], "stage").ticks] == ["a", "b"]
    assert len(name_axis([f"s{n}" for n in range(100)], "stage").ticks) <= 12


def test_a_sparkline_ends_in_a_dot_and_says_what_it_shows():
    spark = sparkline((1, None, 3, 4), Unit.COUNT)
    assert spark.dots.count("M") == 2
    assert spark.dots.endswith("M120 1.5h0")
    assert spark.told == "from 1 to 4, last 4"
    assert sparkline((None, None), Unit.COUNT).told == "no data"
    assert sparkline((), Unit.COUNT).path == ""
    assert sparkline((2, 2), Unit.COUNT).told == "always 2"
