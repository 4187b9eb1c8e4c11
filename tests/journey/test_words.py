import pytest
from hypothesis import given
from hypothesis import strategies as st

from clew.journey.words import in_short
from clew.model.lengths import ago, how_long
from tests.journey.timeline import DAY, HOUR, MINUTE, SECOND


@pytest.mark.parametrize(
    ("length_ns", "words"),
    [
        (-5 * SECOND, "less than 1 s"),
        (0, "less than 1 s"),
        (SECOND - 1, "less than 1 s"),
        (SECOND, "1 s"),
        (59 * SECOND, "59 s"),
        (60 * SECOND, "1 min"),
        (100 * SECOND, "1 min 40 s"),
        (42 * MINUTE, "42 min"),
        (2 * HOUR + 10 * MINUTE + 59 * SECOND, "2 h 10 min"),
        (2 * HOUR + 5 * SECOND, "2 h"),
        (DAY, "1 day"),
        (DAY + 30 * MINUTE, "1 day"),
        (3 * DAY + 4 * HOUR, "3 days 4 h"),
        (400 * DAY, "400 days"),
    ],
)
def test_a_length_of_time_is_said_in_two_units_at_most(length_ns, words):
    assert how_long(length_ns) == words


@pytest.mark.parametrize(
    ("age_ns", "words"),
    [(-SECOND, "just now"), (0, "just now"), (SECOND, "1 s ago"), (42 * MINUTE, "42 min ago")],
)
def test_a_moment_is_said_as_its_age(age_ns, words):
    assert ago(10 * DAY, 10 * DAY + age_ns) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ""),
        ("no 3D data", "no 3D data"),
        ("  ValueError: bad  \n  at line 5\n", "ValueError: bad"),
        ("x" * 160, "x" * 160),
        ("x" * 161, "x" * 159 + "…"),
    ],
)
def test_a_long_text_is_told_in_short(text, words):
    assert in_short(text) == words


@given(st.integers(0, 400 * DAY))
def test_no_length_is_said_longer_than_it_is(length_ns):
    sizes = {"day": DAY, "days": DAY, "h": HOUR, "min": MINUTE, "s": SECOND}
    words = how_long(length_ns).removeprefix("less than 1 s").split()
    said = sum(int(number) * sizes[unit] for number, unit in zip(words[::2], words[1::2], strict=True))
    assert said <= length_ns < said + max(SECOND, length_ns // 20)
