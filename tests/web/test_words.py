"""Numbers, lengths and moments as pages write them."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from clew.web import words
from clew.web.rendering import environment

DAY_NS = 86_400 * 10**9
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("a_minute", "told"),
    [
        (0, "0"),
        (40, "40/min"),
        (1, "1/min"),
        (0.5, "30/h"),
        (1 / 60, "1/h"),
        (2 / 1440, "2/day"),
        (1e-6, "0.00144/day"),
    ],
)
def test_a_rate_is_told_by_the_longest_time_that_holds_one(a_minute, told):
    assert words.rate(a_minute) == told


@pytest.mark.parametrize(
    ("value", "told"),
    [(0, "0 %"), (0.0004, "< 0.1 %"), (0.004, "0.4 %"), (0.125, "12 %"), (1, "100 %"), (0.99995, "> 99.9 %")],
)
def test_a_share_is_all_or_nothing_only_when_it_is(value, told):
    assert words.share(value) == told


@pytest.mark.parametrize(
    ("count", "told"), [(0, "0 B"), (812, "812 B"), (4_200, "4.2 kB"), (150_000, "150 kB"), (5 * 10**12, "5000 GB")]
)
def test_bytes_are_told_in_thousands(count, told):
    assert words.size(count) == told


@pytest.mark.parametrize(
    ("at_ns", "now_ns", "told"),
    [(0, 42 * 60 * 10**9, "42 min ago"), (0, 10**8, "just now"), (5 * 60 * 10**9, 0, "in 5 min")],
)
def test_a_moment_is_told_by_its_distance(at_ns, now_ns, told):
    assert words.ago(at_ns, now_ns) == told


def test_a_moment_of_another_day_in_the_viewers_zone_has_its_date():
    late = 22 * 3_600 * 10**9 + DAY_NS // 48  # 22:30 in UTC is half past eleven in Berlin, in winter
    assert words.clock(late, BERLIN, DAY_NS - 1) == "1970-01-01 23:30:00"
    assert words.clock(late, BERLIN, late) == "23:30:00"
    assert words.exact(late + 1_500, BERLIN) == "1970-01-01 23:30:00.000001 +0100 (Europe/Berlin)"


def test_an_id_with_slashes_and_dots_stays_one_part_of_an_address():
    assert words.order_href("../a?b#c") == "/orders/..%2Fa%3Fb%23c"
    assert words.service_href("a/../b") == "/services/a%2F..%2Fb"
    link = environment().from_string("{{ 'a/../b' | service_href }}").render()
    assert link == "/services/a%2F..%2Fb"
