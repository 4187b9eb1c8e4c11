"""Moments as people write them: those of their own clocks."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from clew.web.time_range import local_moment

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-10-01", "2026-10-01T00:00:00+02:00"), ("2026-12-01 08:15", "2026-12-01T08:15:00+01:00"),
        ("2026-12-01 08:15:00.25", "2026-12-01T08:15:00.250000+01:00"),
        ("2026-10-01T08:15:30Z", "2026-10-01T08:15:30Z"), ("30d", "30d"), ("2026-02-30", "2026-02-30"), ("", ""),
    ],
)  # fmt: skip
def test_a_moment_without_a_zone_is_one_of_the_viewers_clocks(text, moment):
    assert local_moment(text, BERLIN) == moment
