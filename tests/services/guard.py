"""Runs a server for as long as its owner lives: `python guard.py SPEC`, where standard input is the owner's pipe.

The pipe ends when the owner closes it, is interrupted or is killed; each way the server is stopped and its
directory removed. SPEC is JSON with "commands" (a list of argument lists), "user" (a name or null), "stop_signal"
(a number) and "directory" (where they run and write).
"""

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

GRACE_SECONDS = 10.0


def main(spec: dict[str, Any]) -> None:
    """Starts the commands in order; stops them in reverse when the owner is gone or one of them ends."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)  # not SIG_IGN: the servers would inherit it and not stop
    directory, processes = Path(spec["directory"]), []
    try:
        with (directory / "output.log").open("ab") as log:
            for command in spec["commands"]:
                processes.append(_start(command, spec["user"], directory, log.fileno()))
        _wait_for_the_end(processes)
    finally:
        for process in reversed(processes):
            _stop(process, spec["stop_signal"])
        shutil.rmtree(directory, ignore_errors=True)


def _start(command: list[str], user: str | None, directory: Path, log: int) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        command,
        user=user,
        group=user,
        extra_groups=[] if user else None,
        cwd=directory,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def _wait_for_the_end(processes: "list[subprocess.Popen[bytes]]") -> None:
    while all(process.poll() is None for process in processes):
        readable, _, _ = select.select([sys.stdin], [], [], 0.25)
        if readable and not os.read(sys.stdin.fileno(), 1):
            return


def _stop(process: "subprocess.Popen[bytes]", stop_signal: int) -> None:
    if process.poll() is None:
        process.send_signal(stop_signal)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_SECONDS)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # whatever is left of its group
    process.wait()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
