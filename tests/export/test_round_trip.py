"""Stage events that were exported can be imported elsewhere: the same journeys, of one flow or of several."""

from __future__ import annotations

import csv
import json
import time

import pytest
from click.testing import CliRunner

from clew.cli.main import main
from clew.store.embedded import open_store
from tests.builders import ingest, logs, stage_event
from tests.learn.logs import Order, remember
from tests.story import MINUTE, tell

JOURNEY = ("order_id", "stage", "time", "path", "service", "actor", "user_id", "due_at", "time_ns", "attributes")


def clew(*arguments):
    """What a command says; each opens the directory that it is given, and closes it."""
    done = CliRunner().invoke(main, list(map(str, arguments)))
    assert done.exit_code == 0, done.output + repr(done.exception)
    return done.stdout


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
        remember(store, [Order("loan-1", (("APPLIED", 0), ("PAID", 5)))], flow="loans")
    finally:
        store.close()
    return directory


@pytest.fixture(scope="module")
def there(data, tmp_path_factory):
    """All events of the directory as CSV."""
    file = tmp_path_factory.mktemp("exported") / "there.csv"
    clew("export", "events", "--data", data, "-o", file)
    return file


def journeys(file, *more, flow=""):
    with file.open(newline="") as opened:
        rows = [row for row in csv.DictReader(opened) if flow in ("", row["flow"])]
    return sorted(tuple(row[name] for name in (*JOURNEY, *more)) for row in rows)


def check_the_formula(file):
    (formula,) = [row for row in journeys(file) if row[0].endswith("=1+1")]
    assert formula[:6] == ("'=1+1", "SUBMITTED", formula[2], "'=b2c()", "'+shop", "''@anna")
    assert json.loads(formula[-1]) == {"tier": "-gold", "time": "of life"}


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_an_export_of_events_can_be_imported_again(data, there, tmp_path, suffix):
    sent, here = tmp_path / f"sent.{suffix}", tmp_path / "here.csv"
    clew("export", "events", "--flow", "jeweller", "--data", data, "-o", sent)
    assert "this is a file of clew export" in clew("import", sent, "--data", tmp_path / "here")
    clew("export", "events", "--data", tmp_path / "here", "-o", here)
    assert journeys(here) == journeys(there, flow="jeweller")
    assert len(journeys(here)) == 19
    check_the_formula(here)


def test_flows_that_are_exported_apart_come_back_apart_and_from_csv_too(data, there, tmp_path):
    here = tmp_path / "here.csv"
    for flow in ("jeweller", "loans"):
        clew("export", "events", "--flow", flow, "--data", data, "-o", tmp_path / f"{flow}.csv")
        told = clew("import", tmp_path / f"{flow}.csv", "--flow", flow, "--data", tmp_path / "here")
        assert "this is a file of clew export" in told
    clew("export", "events", "--data", tmp_path / "here", "-o", here)
    assert journeys(here, "flow") == journeys(there, "flow")
    assert (len(journeys(here, flow="jeweller")), len(journeys(here, flow="loans"))) == (19, 2)
    check_the_formula(here)
