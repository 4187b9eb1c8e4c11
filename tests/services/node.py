"""Node.js with the packages of tests/node, installed once per lock file."""

import hashlib
import shutil
import subprocess
from pathlib import Path

from tests.services.packages import Unavailable, ensure_installed, exclusively

PACKAGE = Path(__file__).parent.parent / "node"


def install_node_modules() -> Path:
    """The folder tests/node/node_modules as package-lock.json says; raises Unavailable with what to do by hand."""
    npm = ensure_installed("Node.js with npm", _npm, ("nodejs", "npm"))
    modules = PACKAGE / "node_modules"
    stamp = modules / ".clew-lock"
    wanted = hashlib.sha256((PACKAGE / "package-lock.json").read_bytes()).hexdigest()
    with exclusively("clew-npm"):
        if not stamp.exists() or stamp.read_text() != wanted:
            command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            done = subprocess.run(command, cwd=PACKAGE, check=False, capture_output=True, text=True)
            if done.returncode:
                raise Unavailable(f"npm ci in tests/node failed: {done.stderr.strip()[-500:]}")
            stamp.write_text(wanted)
    return modules


def _npm() -> str | None:
    return shutil.which("npm") if shutil.which("node") else None
