"""A real Alertmanager from Debian, alone and on a port of its own."""

import shutil
import urllib.error
import urllib.request
from dataclasses import dataclass

from tests.services.packages import ensure_installed
from tests.services.process import Server, free_port, private_directory, start

CONFIG = "route: {receiver: nobody, group_wait: 1s}\nreceivers: [{name: nobody}]\n"


@dataclass(frozen=True)
class Alertmanager:
    """A running Alertmanager that notifies nobody."""

    server: Server
    url: str


def start_alertmanager() -> Alertmanager:
    """Raises Unavailable when it can't be had."""
    program = ensure_installed(
        "Alertmanager", lambda: shutil.which("prometheus-alertmanager"), ("prometheus-alertmanager",)
    )
    directory, port = private_directory("alertmanager"), free_port()
    (directory / "config.yml").write_text(CONFIG)
    command = [
        program, f"--config.file={directory / 'config.yml'}", f"--storage.path={directory / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=",
    ]  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    return Alertmanager(start("alertmanager", directory, [command], lambda: _ready(url)), url)


def _ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/-/ready", timeout=1) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
