"""Where moments are on the timeline: the promises of its scale hold for any times."""

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clew.web.pages.order.drawing import Mark
from clew.web.pages.order.scale import FOLD_SHARE, LEFT, MOST_FOLDS, RIGHT, time_scale
from clew.web.pages.order.ticks import placed_marks, ticks_of
from tests.journey.timeline import DAY, HOUR, MINUTE, SECOND, START

moments = st.integers(0, 10**18)
lengths = st.one_of(st.just(0), st.integers(0, 10**6), st.integers(0, 10**13))
spells = st.lists(st.builds(lambda at, lasts: (at, at + lasts), moments, lengths), min_size=1, max_size=40)


@given(spells, st.booleans())
def test_every_moment_is_inside_and_later_ones_are_never_to_the_left(given_spells, folding):
    scale = time_scale(given_spells, folding=folding)
    at = sorted(moment for spell in given_spells for moment in spell)
    places = [scale.x(moment) for moment in at]
    assert places == sorted(places)
    assert places[0] >= LEFT
    assert places[-1] <= RIGHT + 1e-6


@given(spells)
def test_only_gaps_above_the_share_are_folded_and_something_is_left(given_spells):
    scale = time_scale(given_spells)
    open_ns = sum(each.length_ns for each in scale.stretches if not each.folded)
    assert len(scale.folds) <= MOST_FOLDS
    assert open_ns > 0
    for fold in sorted(scale.folds, key=lambda each: each.length_ns):
        assert fold.length_ns > FOLD_SHARE * (open_ns + fold.length_ns)
        open_ns += fold.length_ns
        assert not any(begin < fold.until_ns and end > fold.from_ns for begin, end in given_spells)


@given(spells)
def test_what_is_not_folded_has_one_scale(given_spells):
    parts = [each for each in time_scale(given_spells).stretches if not each.folded]
    per_ns = sum(each.width for each in parts) / sum(each.length_ns for each in parts)
    assert all(each.width == pytest.approx(each.length_ns * per_ns, rel=1e-6, abs=1e-9) for each in parts)


@pytest.mark.parametrize(
    ("minutes", "folded"),
    [
        ([0, 1, 2, 3, 4 * 60 * 24], [4 * 24 * 60 - 3]),
        ([0, 60, 120, 180, 240], []),
        ([0, 500], []),
        ([0, 1, 1_000], []),
        ([0, 1, 2, 100, 101, 10_000], [98, 9_899]),
    ],
)
def test_long_empty_times_are_folded_and_even_ones_stay(minutes, folded):
    scale = time_scale([(START + each * MINUTE, START + each * MINUTE) for each in minutes])
    assert [each.length_ns // MINUTE for each in scale.folds] == folded


def test_work_that_lasts_is_no_empty_time():
    assert time_scale([(0, 0), (SECOND, DAY), (DAY + SECOND, DAY + SECOND), (DAY + 2 * SECOND,) * 2]).folds == ()


@pytest.mark.parametrize(
    ("lasts", "labels"),
    [
        (8 * DAY, ["23 Sep", "24 Sep"]),
        (3 * HOUR, ["21 Sep 16:30", "17:00"]),
        (50 * SECOND, ["21 Sep 16:13:30", "16:13:40"]),
        (SECOND // 5, ["21 Sep 16:13:20.050", "16:13:20.100"]),
    ],
)
def test_ticks_are_times_that_people_count_in_and_tell_the_day_once(lasts, labels):
    start = START - START % (100 * SECOND)
    ticks = ticks_of(time_scale([(start, start), (start + lasts, start + lasts)]), ZoneInfo("Europe/Berlin"))
    assert [each.label for each in ticks][:2] == labels
    assert len(ticks) <= 10


def test_no_tick_lies_in_a_fold():
    scale = time_scale([(each * MINUTE + START,) * 2 for each in (0, 1, 2, 3, 9_000)])
    (fold,) = scale.folds
    assert not any(fold.x < each.x < fold.x + fold.width for each in ticks_of(scale, ZoneInfo("UTC")))


def test_labels_of_marks_that_are_close_stand_in_rows_of_their_own():
    marks = placed_marks(Mark(x, "now", "a label", 0, "middle", "") for x in (50, 51, 52, 80, 0.6, 99.4))
    assert [(each.x, each.row, each.anchor) for each in marks] == [
        (0.6, 0, "start"), (50, 0, "middle"), (51, 1, "middle"), (52, 2, "middle"), (80, 0, "middle"), (99.4, 0, "end"),
    ]  # fmt: skip
