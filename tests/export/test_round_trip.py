"""Stage events that were exported can be imported elsewhere: the same journeys. Each command is a process of its own."""

from __future__ import annotations

import csv
import subprocess
import sys
import time
from pathlib import Path

import pytest

from clew.store.embedded import open_store
from tests.builders import ingest, logs, stage_event
from tests.story import MINUTE, tell

CLEW = str(Path(sys.executable).with_name("clew"))
JOURNEY = ("order_id", "stage", "time", "path", "service", "actor", "user_id", "due_at", "time_ns")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    directory = tmp_path_factory.mktemp("there")
    store = open_store(directory)
    try:
        tell(store)
        now = time.time_ns()
        again = stage_event("4713", "SUBMITTED", now - 289 * MINUTE, order__due_at=now)
        ingest(
            store, now, logs("crm-api", again, stage_event("", "PRICE_CALCULATED", now, order__alias__crm_deal="D77"))
        )
    finally:
        store.close()
    return directory


def clew(*arguments):
    done = subprocess.run([CLEW, *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def journeys(file):
    with file.open(newline="") as opened:
        return sorted(tuple(row[name] for name in JOURNEY) for row in csv.DictReader(opened))


def test_an_export_of_events_can_be_imported_again(data, tmp_path):
    there, here = tmp_path / "there.csv", tmp_path / "here.csv"
    clew("export", "events", "--data", data, "-o", there)
    clew("import", there, "--data", tmp_path / "here")
    clew("export", "events", "--data", tmp_path / "here", "-o", here)
    assert journeys(here) == journeys(there)
    assert len(journeys(here)) == 18
