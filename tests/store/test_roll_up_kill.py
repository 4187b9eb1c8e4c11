"""SIGKILL while minutes are rolled up: the next process goes on, and every span counts once."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from clew.store.embedded import open_store
from clew.store.marks import read_mark
from clew.store.minutes import MARK, MINUTE_NS, Window, Work, read_by_service, read_counts, read_durations
from clew.store.roll_up import RollUp
from tests.builders import ingest, span, traces

NOON = 1_795_348_800 * 10**9
WINDOW = Window(NOON - 60 * MINUTE_NS, 10 * MINUTE_NS, 6)
ROLL_UP = """
import os, signal, sys
from pathlib import Path
from clew.store import roll_up
from clew.store.embedded import open_store

directory, now_ns, killed_at, real = sys.argv[1], int(sys.argv[2]), sys.argv[3], roll_up.roll_up

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def one_block(*asked):
    real(*asked)
    die()

if killed_at == "a block":
    roll_up.roll_up = one_block
else:
    roll_up.write_mark = die
roll_up.RollUp(open_store(Path(directory)), now_ns=lambda: now_ns).step()
"""
"""Rolls up, and dies when a block is written or when all are, but before it is noted how far it is."""


def told(store):
    return read_counts(store, WINDOW), read_durations(store, WINDOW), read_by_service(store, WINDOW)


@pytest.mark.parametrize("killed_at", ["a block", "the mark"])
def test_a_roll_up_that_was_killed_is_gone_on_with_and_counts_nothing_twice(tmp_path, killed_at):
    spans = [span(1, n, NOON - n * 9 * MINUTE_NS, lasts_ms=n, kind="server") for n in range(1, 7)]
    store = open_store(tmp_path)
    ingest(store, NOON, traces("shop", *spans))
    expected = told(store)
    assert sum(slot[Work.SERVER].spans for slot in expected[0] if slot) == 6
    store.close()
    command = [sys.executable, "-c", ROLL_UP, str(tmp_path), str(NOON), killed_at]
    killed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    store = open_store(tmp_path)
    try:
        (written,) = store.rows("SELECT sum(spans) AS n FROM span_minutes FINAL")
        assert (int(written["n"]), read_mark(store, MARK)) == (1 if killed_at == "a block" else 6, None)
        assert told(store) == expected
        RollUp(store, now_ns=lambda: NOON).step()
        assert read_mark(store, MARK)
        assert told(store) == expected
    finally:
        store.close()
