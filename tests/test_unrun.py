"""A test that CI leaves out fails the run, unless it is listed with a reason."""

from pathlib import Path

import pytest

from tests.unrun import Unrun, allowed_skips, forbidden

ROOT = Path(__file__).parent.parent
SKIPS = """
import pytest

def test_runs():
    pass

def test_needs_a_broker():
    pytest.skip("RabbitMQ is not installed")
"""
PLAIN = ("-p", "no:randomly", "-p", "no:asyncio")
SKIPPED = "test_broker.py::test_needs_a_broker"


@pytest.mark.parametrize(
    ("ci", "allowed", "exit_code"),
    [
        pytest.param(True, {}, 1, id="CI fails"),
        pytest.param(True, {SKIPPED: "no broker for this machine"}, 0, id="CI passes what is listed"),
        pytest.param(True, {"test_broker.py::test_other": "other"}, 1, id="CI fails when another test is listed"),
        pytest.param(False, {}, 0, id="a person is only told"),
    ],
)
def test_a_skipped_test_decides_the_run(pytester, ci, allowed, exit_code):
    pytester.makepyfile(test_broker=SKIPS)
    result = pytester.inline_run(*PLAIN, plugins=[Unrun(allowed, ci=ci)])
    assert result.ret == exit_code


def test_a_skipped_module_fails_ci_too(pytester):
    pytester.makepyfile(test_whole="import pytest\npytest.importorskip('no_such_package_anywhere')\n")
    assert pytester.inline_run(*PLAIN, plugins=[Unrun({}, ci=True)]).ret == 1


def test_what_workers_left_out_decides_the_run_as_well(pytester, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("CI", "true")
    pytester.makepyfile(test_broker=SKIPS, test_whole="import pytest\npytest.importorskip('no_such_package')\n")
    result = pytester.runpytest_subprocess(*PLAIN, "-p", "tests.unrun", "-n", "2")
    assert result.ret == 1
    told = result.stdout.str()
    assert f"{SKIPPED}: RabbitMQ is not installed" in told
    assert told.count("test_whole.py: could not import 'no_such_package'") == 1


def test_an_expected_failure_counts_as_left_out(pytester):
    pytester.makepyfile("import pytest\n@pytest.mark.xfail(reason='some day')\ndef test_later():\n    assert False\n")
    assert pytester.inline_run(*PLAIN, plugins=[Unrun({}, ci=True)]).ret == 1


def test_a_failed_run_stays_failed_and_an_interrupted_one_interrupted(pytester):
    pytester.makepyfile(SKIPS + "\ndef test_interrupted():\n    raise KeyboardInterrupt\n")
    result = pytester.inline_run(*PLAIN, plugins=[Unrun({}, ci=True)], no_reraise_ctrlc=True)
    assert result.ret == pytest.ExitCode.INTERRUPTED


def test_the_summary_names_what_could_not_run(pytester, capsys):
    pytester.makepyfile(test_broker=SKIPS)
    pytester.inline_run(*PLAIN, plugins=[Unrun({}, ci=True)])
    printed = capsys.readouterr().out
    assert f"{SKIPPED}: RabbitMQ is not installed" in printed
    assert f"FAILED {SKIPPED}: left out, and not listed in tests/allowed_skips.txt" in printed


def test_a_listed_test_needs_a_reason():
    assert allowed_skips("# head\n\ntests/a.py::test_b  # no such disk\n") == {"tests/a.py::test_b": "no such disk"}
    with pytest.raises(ValueError, match=r"line 1: tests/a\.py::test_b is listed without a reason"):
        allowed_skips("tests/a.py::test_b\n")


def test_only_ci_forbids():
    assert forbidden({"b": "", "a": "", "c": ""}, {"c": "listed"}, ci=True) == ["a", "b"]
    assert forbidden({"a": ""}, {}, ci=False) == []
