"""Starts a server under its guard, waits until it answers, and stops it."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

GUARD = Path(__file__).with_name("guard.py")
READY_SECONDS = 90.0


@dataclass(frozen=True)
class Server:
    """A running server; `stop` ends it and removes its directory, and so does the end of this process."""

    name: str
    directory: Path
    guard: "subprocess.Popen[bytes]"

    def stop(self) -> None:
        """Returns when all its processes are gone."""
        assert self.guard.stdin is not None
        self.guard.stdin.close()
        self.guard.wait()


def start(
    name: str,
    directory: Path,
    commands: Sequence[Sequence[str]],
    ready: Callable[[], bool],
    *,
    environment: Mapping[str, str] | None = None,
    user: str | None = None,
    stop_signal: signal.Signals = signal.SIGTERM,
) -> Server:
    """A server that answers `ready`; raises RuntimeError with the end of its output when it does not come up."""
    spec = {"commands": commands, "user": user, "stop_signal": stop_signal, "directory": str(directory)}
    guard = subprocess.Popen(
        [sys.executable, "-I", str(GUARD), json.dumps(spec)],
        stdin=subprocess.PIPE,
        env={**os.environ, **(environment or {})},
        start_new_session=True,
    )
    server = Server(name, directory, guard)
    deadline, output = time.monotonic() + READY_SECONDS, ""
    while guard.poll() is None and time.monotonic() < deadline:
        if ready():
            return server
        output = _read(directory / "output.log") or output
        time.sleep(0.05)
    server.stop()
    raise RuntimeError(f"{name} did not start; it said:\n{output[-2000:]}")


def private_directory(name: str, user: str | None = None) -> Path:
    """A new directory that only `user` (by default: who runs this) may enter."""
    path = Path(tempfile.mkdtemp(prefix=f"clew-{name}-"))
    if user is not None:
        shutil.chown(path, user, user)
    return path


def free_port() -> int:
    """A loopback port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _read(path: Path) -> str:
    return path.read_text(errors="replace") if path.exists() else ""
