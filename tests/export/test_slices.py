"""Slices hold everything once and in the order of the file."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clew.export.slices import Load, Week, ended_in, ranges, runs, span_slices
from clew.store.orders import OPEN_BUCKET

MONDAY = date(2026, 11, 16)
SIZES = st.lists(st.integers(1, 500), min_size=1, max_size=30)


@pytest.mark.parametrize(
    ("sample", "parts", "expected"),
    [
        ([], 4, [("", "")]),
        (["a"], 2, [("", "a"), ("a", "")]),
        (["a", "b", "c", "d"], 2, [("", "c"), ("c", "")]),
        (["a", "a", "a", "b"], 4, [("", "a"), ("a", "b"), ("b", "")]),
    ],
)
def test_a_sample_gives_the_borders_of_ranges(sample, parts, expected):
    assert ranges(sample, parts) == expected


@given(st.lists(st.text(max_size=3), max_size=40), st.integers(1, 9), st.text(max_size=3))
def test_every_id_is_in_one_range(sample, parts, order_id):
    found = ranges(sorted(sample), parts)
    assert sum(first <= order_id and (not before or order_id < before) for first, before in found) == 1


@given(SIZES, st.integers(1, 600), st.booleans())
def test_weeks_stay_in_order_and_together_up_to_what_fits(sizes, most, some_open):
    weeks = [Week(MONDAY + timedelta(weeks=n), size, n, n) for n, size in enumerate(sizes)]
    weeks = [Week(OPEN_BUCKET, 7, 0, 0), *weeks] if some_open else weeks
    found = list(runs(weeks, most))
    assert [week for run in found for week in run] == weeks
    assert all(len(run) == 1 or sum(week.rows for week in run) <= most for run in found)
    assert all(len(run) == 1 for run in found if run[0].bucket == OPEN_BUCKET)


@given(SIZES, st.integers(1, 600), st.integers(0, 40 * 300), st.integers(0, 2**128 - 1))
def test_every_moment_and_trace_is_in_one_slice_of_spans(sizes, most, at_s, trace):
    slices = list(span_slices([Load(n * 300, size) for n, size in enumerate(sizes)], most))
    trace_id = f"{trace:032x}"
    found = [
        each
        for each in slices
        if each["slice_from"] <= at_s < each["slice_to"]
        and each["first_trace"] <= trace_id
        and (not each["before_trace"] or trace_id < each["before_trace"])
    ]
    assert len(found) == 1
    assert slices == sorted(slices, key=lambda each: (each["slice_from"], each["first_trace"]))


def test_busy_minutes_are_cut_by_trace_and_quiet_ones_put_together():
    slices = list(span_slices([Load(0, 10), Load(300, 20), Load(600, 100)], 50))
    assert [(each["slice_from"], each["first_trace"][:4]) for each in slices] == [(0, ""), (600, ""), (600, "8000")]
    assert len(list(span_slices([], 50))) == 1


@given(st.lists(st.tuples(st.integers(0, 5), st.text(max_size=3)), max_size=30), SIZES, st.integers(1, 600))
def test_each_order_that_ended_just_now_is_told_to_the_one_slice_that_holds_its_week_and_id(ended, sizes, most):
    weeks = [Week(MONDAY + timedelta(weeks=n), size, n, n) for n, size in enumerate((*sizes, *[9] * 6))]
    ended = [(MONDAY + timedelta(weeks=n), order_id) for n, order_id in ended]
    borders = ranges(sorted({order_id for _, order_id in ended}), 3)
    told = [ended_in(ended, run, first, before) for run in runs(weeks, most) for first, before in borders]
    assert sorted(order_id for each in told for order_id in each) == sorted(order_id for _, order_id in ended)
