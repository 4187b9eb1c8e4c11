import pytest
from hypothesis import given
from hypothesis import strategies as st

from clew.flow.durations import LONGEST_NS, parse_duration, render_duration

S = 1_000_000_000


@pytest.mark.parametrize(
    ("text", "length_ns"),
    [
        ("90s", 90 * S),
        ("30m", 1800 * S),
        ("4h", 14_400 * S),
        ("2d", 172_800 * S),
        ("1h30m", 5400 * S),
        ("1d12h", 129_600 * S),
        ("500ms", S // 2),
        ("1m1ms", 60 * S + 1_000_000),
        ("0s", 0),
    ],
)
def test_a_length_of_time_is_read(text, length_ns):
    assert parse_duration(text) == length_ns


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("", "not a length of time"),
        ("30", "not a length of time"),
        ("m", "not a length of time"),
        ("-5m", "not a length of time"),
        ("1.5h", "not a length of time"),
        ("30 m", "not a length of time"),
        ("30M", "not a length of time"),
        ("5 minutes", "not a length of time"),
        ("٣m", "not a length of time"),
        ("1h1h", "a unit twice"),
        ("3651d", "longer than ten years"),
        ("999999999999999999d", "longer than ten years"),
    ],
)
def test_what_is_no_length_of_time_is_refused_with_its_cause(text, cause):
    with pytest.raises(ValueError, match=cause):
        parse_duration(text)


@given(st.integers(0, LONGEST_NS))
def test_every_length_is_written_so_that_it_reads_back(length_ns):
    assert parse_duration(render_duration(length_ns)) == length_ns
