"""Stage events that were exported can be imported elsewhere: the same journeys. Each command is a process of its own."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from clew.store.embedded import open_store
from tests.builders import ingest, logs, stage_event
from tests.story import MINUTE, tell

CLEW = str(Path(sys.executable).with_name("clew"))
JOURNEY = ("order_id", "stage", "time", "path", "service", "actor", "user_id", "due_at", "time_ns", "attributes")


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
        formula = {"order__path": "=b2c()", "order__actor": "'@anna", "tier": "-gold", "time": "of life"}
        ingest(store, now, logs("+shop", stage_event("=1+1", "SUBMITTED", now, **formula)))
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


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_an_export_of_events_can_be_imported_again(data, tmp_path, suffix):
    there, sent, here = tmp_path / "there.csv", tmp_path / f"sent.{suffix}", tmp_path / "here.csv"
    clew("export", "events", "--data", data, "-o", there)
    clew("export", "events", "--data", data, "-o", sent)
    told = clew("import", sent, "--data", tmp_path / "here")
    assert "this is a file of clew export" in told
    clew("export", "events", "--data", tmp_path / "here", "-o", here)
    assert journeys(here) == journeys(there)
    assert len(journeys(here)) == 19
    (formula,) = [row for row in journeys(here) if row[0].endswith("=1+1")]
    assert formula[:6] == ("'=1+1", "SUBMITTED", formula[2], "'=b2c()", "'+shop", "''@anna")
    assert json.loads(formula[-1]) == {"tier": "-gold", "time": "of life"}
