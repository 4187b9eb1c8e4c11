from datetime import datetime

import pytest

from clew.api.times import moment
from clew.cli.entries import Entry, timed


def local(day, hour):
    """A local time in July 2026 as the API writes moments."""
    return moment(int(datetime(2026, 7, day, hour).timestamp()) * 10**9)


@pytest.mark.parametrize(
    ("moments", "now", "shown"),
    [
        ([(1, 8), (1, 9)], (1, 10), ["08:00:00", "09:00:00"]),
        ([(1, 8), (1, 9)], (2, 10), ["2026-07-01 08:00:00", "09:00:00"]),
        ([(1, 23), (2, 1), (2, 2)], (2, 10), ["2026-07-01 23:00:00", "2026-07-02 01:00:00", "02:00:00"]),
        ([(2, 1), (1, 23)], (2, 10), ["01:00:00", "2026-07-01 23:00:00"]),
        ([(1, 8), None, (1, 9)], (2, 10), ["2026-07-01 08:00:00", "", "09:00:00"]),
        ([], (2, 10), []),
    ],
)
def test_a_day_is_told_where_the_row_above_has_another(moments, now, shown):
    entries = [Entry(local(*each) if each else "", (), ()) for each in moments]
    assert [each.at for each in timed(entries, local(*now))] == shown
