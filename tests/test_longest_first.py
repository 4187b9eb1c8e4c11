"""Tests that take long begin before all others."""

from tests import longest_first


def test_long_tests_begin_first_and_keep_their_order(pytester):
    marked = "".join(f"{'@pytest.mark.long' if name in 'bd' else ''}\ndef test_{name}(): pass\n" for name in "abcd")
    pytester.makepyfile(f"import pytest\n{marked}")
    result = pytester.inline_run("-p", "no:randomly", "-p", "no:asyncio", plugins=[longest_first])
    calls = [each for each in result.getreports("pytest_runtest_logreport") if each.when == "call"]
    assert [each.nodeid[-1] for each in calls] == ["b", "d", "a", "c"]
