"""Finds the programs of real servers, and as root installs what is missing from Debian."""

import contextlib
import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

Found = TypeVar("Found")
POLICY = Path("/usr/sbin/policy-rc.d")
NEVER_START = "#!/bin/sh\nexit 101\n"


class Unavailable(Exception):
    """A server cannot be had on this machine; the text says which and how to get it."""


def ensure_installed(what: str, find: Callable[[], Found | None], packages: tuple[str, ...]) -> Found:
    """What `find` finds, after installing `packages` where needed; raises Unavailable with what to do by hand."""
    if (found := find()) is not None:
        return found
    by_hand = f"{what} is not installed. As root: apt-get install {' '.join(packages)}"
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise Unavailable(by_hand)
    with exclusively("clew-apt"):
        if (found := find()) is None:
            _install(packages, by_hand)
            found = find()
    if found is None:
        raise Unavailable(f"{what} was installed ({' '.join(packages)}), but its programs were not found")
    return found


@contextlib.contextmanager
def exclusively(name: str) -> Iterator[None]:
    """Waits until no other process of this machine is inside the same name."""
    path = Path(tempfile.gettempdir(), f"{name}-{os.geteuid()}.lock")
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _install(packages: tuple[str, ...], by_hand: str) -> None:
    apt = ("apt-get", "-qq", "-o", "DPkg::Lock::Timeout=120")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with services_not_started():
        subprocess.run([*apt, "update"], env=environment, check=False, capture_output=True)
        done = subprocess.run(
            [*apt, "install", "--yes", "--no-install-recommends", *packages],
            env=environment,
            check=False,
            capture_output=True,
            text=True,
        )
    if done.returncode:
        raise Unavailable(f"{by_hand}\n(tried here; apt-get said: {done.stderr.strip()[-500:]})")


@contextlib.contextmanager
def services_not_started() -> Iterator[None]:
    """Debian starts a server as it is installed, on the default port; a machine under test must not get one."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text(NEVER_START)
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()
