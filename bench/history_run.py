"""One import under measurement: ``python -m bench.history_run FILE [URL]`` prints seconds and memory as JSON.

Seconds of reading are CPU seconds; without a URL nothing is sent.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from clew.cli.client import open_client
from clew.history.recognise import Recogniser
from clew.history.rows import Source
from clew.history.sources import How, open_source
from clew.history.survey import check
from clew.history.transfer import bodies, send
from clew.history.understand import Wishes, understand


def _main(path: Path, url: str) -> dict[str, Any]:
    begun, at = time.monotonic(), time.process_time()
    source = open_source(path, How())
    understood = understand(source, Wishes())
    recogniser = understood.recogniser
    survey = check(understood.batches, recogniser, lambda: None, lambda _: None)
    told: dict[str, Any] = {"events": survey.events, "check_s": time.process_time() - at}
    if url:
        told |= _import(source, recogniser, url)
    else:
        at = time.process_time()
        sum(body.events for body in bodies(source, recogniser))
        told["encode_s"] = time.process_time() - at
    return told | {"whole_s": time.monotonic() - begun, "peak_mb": _peak_mb()}


def _peak_mb() -> float:
    # What getrusage tells begins with the memory of the parent.
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6


def _import(source: Source, recogniser: Recogniser, url: str) -> dict[str, Any]:
    with open_client(url, None) as client:
        place = f"imports/{client.post('imports', '{}')['import_id']}"
        at = time.monotonic()
        send(source, recogniser, lambda lines: client.post(f"{place}/events", lines), lambda _: None)
        sent = time.monotonic()
        while not (answer := client.post(f"{place}/rebuild", ""))["done"]:
            pass
        return {"send_s": sent - at, "rebuild_s": time.monotonic() - sent, "orders": answer["rebuilt"]}


if __name__ == "__main__":
    print(json.dumps(_main(Path(sys.argv[1]), "".join(sys.argv[2:]))))
