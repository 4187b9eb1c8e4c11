"""The estimator against its definition, and against plain quantiles where nobody waits."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clew.report.kaplan_meier import kaplan_meier

lengths = st.lists(st.integers(0, 30).map(float), max_size=40)


def survival_by_definition(finished, waiting, length):
    """The product over all lengths up to this one, in exact arithmetic."""
    share = Fraction(1)
    for each in sorted({value for value in finished if value <= length}):
        at_risk = sum(value >= each for value in (*finished, *waiting))
        share *= 1 - Fraction(finished.count(each), at_risk)
    return share


@given(lengths, lengths)
def test_the_estimate_is_the_product_of_its_definition(finished, waiting):
    found = kaplan_meier(finished, waiting)
    assert list(found.lengths) == sorted(set(finished))
    for length, share in zip(found.lengths, found.shares, strict=True):
        assert share == pytest.approx(float(survival_by_definition(finished, waiting, length)), abs=1e-9)
    assert (found.finished, found.waiting) == (len(finished), len(waiting))


@given(st.lists(st.integers(0, 1000).map(float), min_size=1, max_size=60), st.integers(1, 99))
def test_where_nobody_waits_a_quantile_is_the_smallest_value_that_this_share_reaches(finished, percent):
    expected = next(
        each for each in sorted(finished) if 100 * sum(v <= each for v in finished) >= percent * len(finished)
    )
    assert kaplan_meier(finished, []).quantile(percent / 100) == expected


@given(lengths, lengths, st.floats(0.01, 0.99))
def test_those_who_still_wait_never_make_it_look_quicker(finished, waiting, p):
    alone, together = kaplan_meier(finished, []).quantile(p), kaplan_meier(finished, waiting).quantile(p)
    assert alone is None or together is None or together >= alone


def test_a_textbook_case():
    # Six finished at 6 (three of them), 7, 10, 13; those that wait have waited 6, 9, 10 and 11.
    found = kaplan_meier([6, 6, 6, 7, 10, 13], [6, 9, 10, 11])
    assert found.shares == pytest.approx([0.7, 0.5833, 0.4375, 0.0], abs=1e-4)
    assert (found.quantile(0.5), found.quantile(0.95)) == (10, 13)


@pytest.mark.parametrize(("finished", "waiting"), [([], []), ([], [5.0]), ([1.0], [9.0] * 30)])
def test_where_too_many_wait_there_is_no_quantile(finished, waiting):
    assert kaplan_meier(finished, waiting).quantile(0.95) is None
