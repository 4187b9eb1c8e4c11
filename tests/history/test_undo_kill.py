"""SIGKILL while an import is taken back: asked again it is finished, and what another import told is as it was."""

import json
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from click.testing import CliRunner

from clew.cli.main import main

UNTIL_NOTED = """
import sys, time
from clew.cli import main
from clew.journey.undo import Undoing

step, note = sys.argv.pop(1), Undoing._noted

def note_and_stay(self, import_):
    noted = note(self, import_)
    if noted.undo.name == step:
        print("noted", flush=True)
        time.sleep(600)
    return noted

Undoing._noted = note_and_stay
main()
"""
"""`clew`, but taking an import back goes no further than to a step that it has noted."""

BEGUN = datetime(2024, 3, 1, tzinfo=UTC)


def write_history(file: Path, orders: int, shift: timedelta) -> Path:
    lines = ["order_id,stage,time"]
    for number in range(orders):
        for step, stage in enumerate(("INITIATED", "SUBMITTED", "CANCELLED")):
            at = BEGUN + timedelta(minutes=number, hours=step) + shift
            lines.append(f"k-{number:05d},{stage},{at.isoformat()}")
    file.write_text("\n".join(lines))
    return file


def clew(data: Path, *arguments: object) -> dict:
    done = CliRunner().invoke(main, [*map(str, arguments), "--data", str(data), "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def kill_after(data: Path, import_id: str, step: str) -> None:
    """Begin to take an import back, and kill that as soon as it has noted a step of it."""
    command = [sys.executable, "-c", UNTIL_NOTED, step, "import", "--undo", import_id, "--yes", "--data", str(data)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as started:
        said = []
        for line in started.stdout:
            said.append(line)
            if line.startswith("noted"):
                break
        started.send_signal(signal.SIGKILL)
    assert started.returncode == -signal.SIGKILL, "".join(said)


def test_an_undo_that_was_killed_is_finished_when_it_is_asked_for_again(tmp_path):
    data = tmp_path / "data"
    clew(data, "import", write_history(tmp_path / "right.csv", 500, timedelta()))
    right = clew(data, "report", "variants")
    wrong = clew(data, "import", write_history(tmp_path / "wrong zone.csv", 2_000, timedelta(hours=-1)))
    for step in ("EVENTS", "JOURNEYS"):
        kill_after(data, wrong["import_id"], step)
    done = clew(data, "import", "--undo", wrong["import_id"], "--yes")
    assert (done["done"], done["events"], done["repeated"]) == (True, 6_000, [])
    assert clew(data, "report", "variants") == right
