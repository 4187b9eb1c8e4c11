"""Orders of a flow that nobody declared, and numbers, as ``clew order`` and ``clew orders`` tell them."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from rich.console import Console

from clew.api import create_api
from clew.cli.main import main
from clew.cli.orders import render_orders
from clew.store.embedded import open_store
from tests.report.shop import tell_shop
from tests.serving import serving


@pytest.fixture
def clew(tmp_path):
    def run(*arguments):
        done = CliRunner().invoke(main, arguments, env={"CLEW_URL": url, "COLUMNS": "140"})
        assert done.exit_code == 0, done.output + repr(done.exception)
        return done.output

    store = open_store(tmp_path)
    with serving(create_api(tell_shop(store))) as url:
        yield run
    store.close()


def test_an_order_of_an_undeclared_flow_says_so_once_instead_of_at_each_stage(clew):
    told = clew("order", "loan-2")
    assert told.count("nobody declared flow loans") == 1
    assert "`clew flow discover --flow loans`" in told
    assert "unknown stage" not in told
    assert "nobody declared" not in clew("order", "4")
    declared = [json.loads(clew("order", order, "--json"))["flow_declared"] for order in ("loan-2", "4")]
    assert declared == [False, True]


def test_the_sum_of_a_list_is_written_with_commas():
    page = {"items": [], "counts": {"closed": 3448, "stuck": 2}, "next": None, "judged_at": "2026-11-22T08:00:00Z"}
    console = Console(width=100, force_terminal=False)
    with console.capture() as captured:
        console.print(render_orders(page, 100))
    assert "3,448 closed · 2 stuck" in captured.get()
