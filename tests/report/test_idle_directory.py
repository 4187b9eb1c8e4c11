"""Reports without a server, over the directory that one left behind."""

import json

from click.testing import CliRunner

from clew.cli.main import main
from clew.store.embedded import open_store
from tests.report.shop import HOSTILE, tell_shop


def test_an_idle_directory_is_read_without_a_server(tmp_path):
    store = open_store(tmp_path)
    tell_shop(store)
    store.close()
    done = CliRunner().invoke(main, ["report", "map", "--data", str(tmp_path), "--flow", "loans", "--json"])
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["starts"] == {HOSTILE: 3}
