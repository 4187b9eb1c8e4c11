"""Which flow imported orders follow is told, and loudly where it seems not to be theirs."""

import io

import pytest
from rich.console import Console

from clew.cli.import_report import flow_followed, render_report

FLOWS = [{"name": "rings", "stages": ["ORDERED", "MADE"]}, {"name": "loans", "stages": ["APPLIED", "PAID"]}]


@pytest.mark.parametrize(
    ("stages", "named", "told"),
    [
        ({"APPLIED", "PAID"}, "", ("loans", False, 2)),
        ({"ORDERED", "LOST"}, "", ("rings", False, 1)),
        ({"BEGUN"}, "", ("rings", False, 0)),
        ({"APPLIED"}, "rings", ("rings", True, 0)),
        ({"APPLIED"}, "cars", ("cars", True, None)),
    ],
)
def test_it_is_the_one_named_else_the_one_that_fits_best(stages, named, told):
    assert tuple(flow_followed(FLOWS, stages, named).values()) == told


@pytest.mark.parametrize(
    ("flow", "said"),
    [
        ({"name": "rings", "named": False, "declares": 0}, "declares 0 of their 2 stages; if it isn't theirs"),
        ({"name": "rings", "named": False, "declares": 2}, "declares 2 of their 2 stages"),
        ({"name": "cars", "named": True, "declares": None}, "clew flow discover --flow cars"),
    ],
)
def test_the_import_says_so(flow, said):
    report = {
        "name": "x.csv", "format": "csv", "unit": "line", "columns": {}, "guessed": [], "attributes": [], "bad": 0,
        "events": 2, "first_at": "2026-01-01T00:00:00Z", "last_at": "2026-01-02T00:00:00Z", "remarks": [], "sent": True,
        "stages": [{}, {}], "orders": 1, "distinct": 2, "repeats": 0, "bad_lines": [], "dry_run": False, "import_id": "7", "flow": flow,
    }  # fmt: skip
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(render_report(report, 200))
    assert said in console.export_text()
