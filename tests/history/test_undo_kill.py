"""SIGKILL while an import is taken back: asked again it is finished, and what another import told is as it was."""

import json
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

CLEW = str(Path(sys.executable).with_name("clew"))
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
    done = subprocess.run(
        [CLEW, *map(str, arguments), "--data", str(data), "--json"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_an_undo_that_was_killed_is_finished_when_it_is_asked_for_again(tmp_path):
    data = tmp_path / "data"
    clew(data, "import", write_history(tmp_path / "right.csv", 500, timedelta()))
    right = clew(data, "report", "variants")
    wrong = clew(data, "import", write_history(tmp_path / "wrong zone.csv", 2_000, timedelta(hours=-1)))
    for wait_s in (1.8, 2.6):  # while it deletes, or rebuilds; on a slow machine earlier
        command = [CLEW, "import", "--undo", wrong["import_id"], "--yes", "--data", str(data)]
        started = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(wait_s)
        started.send_signal(signal.SIGKILL)
        started.wait()
    done = clew(data, "import", "--undo", wrong["import_id"], "--yes")
    assert (done["done"], done["events"], done["repeated"]) == (True, 6_000, [])
    assert clew(data, "report", "variants") == right
