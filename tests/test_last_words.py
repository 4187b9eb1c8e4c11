"""A worker that dies leaves its reason in the output of the run."""

from pathlib import Path

import pytest

PLAIN = ("-p", "no:randomly", "-p", "no:asyncio", "-p", "tests.last_words", "-n", "1", "--max-worker-restart", "0")
ROOT = str(Path(__file__).parent.parent)
CRASH = """
from clew.store.embedded import open_store
def test_it(tmp_path):
    open_store(tmp_path)
    os.kill(os.getpid(), signal.SIGSEGV)
"""
END = "def test_it(): os.kill(os.getpid(), signal.SIGKILL)"
HANG = "def wait_long(): time.sleep(60)\ndef test_it(): wait_long()"


@pytest.mark.parametrize(
    ("test", "seconds", "told"),
    [
        (CRASH, 60, ["*gw0 was ended by SIGSEGV*", "*Segmentation fault*", "*in test_it*"]),
        (END, 60, ["*gw0 was ended by SIGKILL*", "*it said nothing*"]),
        (HANG, 2, ["*gw0 ended with exit code 1*", "*Timeout*", "*in wait_long*", "*in test_it*"]),
    ],
    ids=["a crash of the engine", "ended from outside", "a hang"],
)
def test_a_worker_that_dies_says_why(pytester, monkeypatch, test, seconds, told):
    monkeypatch.setenv("PYTHONPATH", ROOT)
    pytester.makepyfile(f"import os, signal, time\n{test}")
    pytester.makeini(f"[pytest]\nhang_seconds = {seconds}")
    result = pytester.runpytest_subprocess(*PLAIN)
    result.stdout.fnmatch_lines(["*worker 'gw0' crashed while running*", *told])
    assert result.ret == pytest.ExitCode.TESTS_FAILED
