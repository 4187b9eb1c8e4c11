"""Importing history: how quickly a CSV file is read, checked, sent and made journeys of, and in how much memory.

Each measurement runs in a process of its own (`bench.history_run`), so that its memory is its own.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.figures import Figure
from bench.process import running

_STAGES = (
    "INITIATED", "FILE_UPLOADED", "SUBMITTED", "PRICE_CALCULATED", "MANUFACTURING_APPROVED", "MANUFACTURING_STARTED",
    "MANUFACTURING_COMPLETED", "PACKAGING", "SHIPPED", "CLOSED",
)  # fmt: skip
_START = int(datetime(2025, 1, 6, tzinfo=UTC).timestamp())
_SPREAD_S = 180 * 86_400


def write_csv(path: Path, events: int) -> None:
    """Orders of ten stages each, over half a year, in the order of their ids; about 100 bytes a line."""
    chance = random.Random(4711)
    with path.open("w") as file:
        file.write("order_id,stage,timestamp,channel,resource,amount,country\n")
        for order in range(events // len(_STAGES)):
            at, rest = _START + chance.randrange(_SPREAD_S), f"b2c,operator-{order % 17},{order % 900}.50,DE"
            lines = []
            for stage in _STAGES:
                at += chance.randrange(60, 40_000)
                moment = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
                lines.append(f"{order:010d},{stage},{moment},{rest}\n")
            file.writelines(lines)


def measure(folder: Path, events: int, large: int) -> Iterator[Figure]:
    """``events`` are imported; files of ``large`` events and of twice as many are read only, for their memory."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "history.csv"
    write_csv(path, events)
    read = _run(path)
    yield Figure("events/s checked, one core", events / read["check_s"], "1/s")
    yield Figure("events/s read, recognised and encoded, one core", events / read["encode_s"], "1/s", at_least=100_000)
    with running(folder / "data") as clew:
        done = _run(path, f"http://127.0.0.1:{clew.api}")
    yield Figure("events/s sent and stored", events / done["send_s"], "1/s")
    yield Figure("journeys/s rebuilt", done["orders"] / done["rebuild_s"], "1/s")
    yield Figure("events/s from check to the last journey", events / done["whole_s"], "1/s")
    yield Figure("peak memory of the import", done["peak_mb"], "MB", at_most=600)
    for count in (large, 2 * large):
        write_csv(path, count)
        size_mb = path.stat().st_size / 1e6
        yield Figure(f"peak memory of reading {size_mb:,.0f} MB", _run(path)["peak_mb"], "MB", at_most=600)
    path.unlink()


def _run(path: Path, url: str = "") -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.history_run", str(path), *([url] if url else [])]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
