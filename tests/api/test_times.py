"""Times in JSON keep every nanosecond."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clew.api.times import moment, parse_length, parse_moment

NOW = 1_795_000_000_123_456_789


@given(st.integers(0, 4_000_000_000_000_000_000))
def test_a_moment_is_read_back_exactly(at_ns):
    assert parse_moment(moment(at_ns), NOW) == at_ns


@given(st.lists(st.integers(0, 4_000_000_000_000_000_000), min_size=2))
def test_moments_sort_as_text(moments):
    assert sorted(map(moment, moments)) == [moment(each) for each in sorted(moments)]


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("1970-01-01T00:00:01Z", 10**9),
        ("1970-01-01T00:00:01.000000001Z", 10**9 + 1),
        ("1970-01-01T01:00:01+01:00", 10**9),
        ("1970-01-02", 86_400 * 10**9),
        ("1970-01-01 00:01", 60 * 10**9),
        ("15m", NOW - 900 * 10**9),
        ("1h30m", NOW - 5400 * 10**9),
    ],
)
def test_moments_people_write_are_read(text, at):
    assert parse_moment(text, NOW) == at


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "2026-11-22T25:00:00Z", "10", "1.5h"])
def test_what_is_no_moment_is_refused_with_a_mend(text):
    with pytest.raises(ValueError, match=r"month|hour|write 2026-11-22T08:15:00Z"):
        parse_moment(text, NOW)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("2024-02-30", "day is out of range for month"),
        ("2024-01-01T25:00", "hour must be in 0..23"),
        ("2024-01-01T00:00:00+24:00", "offset"),
        ("0000-01-01", "year"),
    ],
)
def test_a_moment_that_no_calendar_has_is_repeated_with_the_reason(text, why):
    with pytest.raises(ValueError, match=rf"{re.escape(repr(text))} is no moment: .*{why}"):
        parse_moment(text, NOW)


@pytest.mark.parametrize(
    ("text", "length"), [("250ms", 250_000_000), ("1.5", 1_500_000_000), ("2", 2 * 10**9), ("1m30s", 90 * 10**9)]
)
def test_lengths_people_write_are_read(text, length):
    assert parse_length(text) == length


@pytest.mark.parametrize("text", ["", "long", "-1", "1.5h", "1e3"])
def test_what_is_no_length_is_refused_with_a_mend(text):
    with pytest.raises(ValueError, match="write 250ms"):
        parse_length(text)
