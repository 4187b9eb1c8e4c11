"""Reports without a server, over the directory that one left behind: in a process of its own."""

import json
import subprocess
import sys
from pathlib import Path

from clew.store.embedded import open_store
from tests.report.shop import HOSTILE, tell_shop

CLEW = str(Path(sys.executable).with_name("clew"))


def test_an_idle_directory_is_read_without_a_server(tmp_path):
    store = open_store(tmp_path)
    tell_shop(store)
    store.close()
    command = [CLEW, "report", "map", "--data", str(tmp_path), "--flow", "loans", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["starts"] == {HOSTILE: 3}
