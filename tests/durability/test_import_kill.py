"""SIGKILL in the middle of an import: done again, it is whole and nothing is there twice."""

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from clew.cli.main import main

CLEW = str(Path(sys.executable).with_name("clew"))
STAGES = ["INITIATED", "FILE_UPLOADED", "SUBMITTED", "PRICE_CALCULATED", "CANCELLED"]
ORDERS = 11_000  # journeys are rebuilt 10,000 at a time


def write_history(file: Path) -> Counter:
    chance, begun, ways = random.Random(2), datetime(2024, 3, 1, tzinfo=UTC), Counter()
    with file.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["order_id", "stage", "time"])
        for number in range(ORDERS):
            way = STAGES[: chance.randint(1, len(STAGES))]
            ways[tuple(way)] += 1
            for step, stage in enumerate(way):
                writer.writerow([f"k-{number:05d}", stage, (begun + timedelta(hours=number, minutes=step)).isoformat()])
    return ways


def run_import(file: Path, data: Path) -> subprocess.Popen:
    command = [CLEW, "import", str(file), "--data", str(data), "--json"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def cpu_seconds(pid: int) -> float:
    """How far a process is, also on a machine that does much else."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def told(data: Path, *asked: str) -> dict:
    done = CliRunner().invoke(main, [*asked, "--json", "--data", str(data)])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.mark.long
def test_an_import_that_was_killed_and_done_again_is_whole_and_single(tmp_path):
    file, data = tmp_path / "history.csv", tmp_path / "data"
    ways = write_history(file)
    killed = 0
    for cpu_s in (2.0, 2.8, 3.8):  # while it opens, sends, or rebuilds; on a slow machine earlier
        started = run_import(file, data)
        while started.poll() is None and cpu_seconds(started.pid) < cpu_s:
            time.sleep(0.01)
        if started.poll() is None:
            started.send_signal(signal.SIGKILL)
            killed += 1
        started.communicate()
    last = run_import(file, data)
    out, errors = last.communicate(timeout=200)
    assert last.returncode == 0, errors
    assert killed, "no kill met the import under way"
    assert json.loads(out)["orders"] == ORDERS
    found = told(data, "report", "variants", "--limit", "100")
    assert found["orders"] == ORDERS
    assert {tuple(each["stages"]): each["orders"] for each in found["variants"]} == dict(ways)
    assert told(data, "report", "map")["events"] == sum(len(way) * orders for way, orders in ways.items())
