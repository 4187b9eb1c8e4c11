"""``clew report``: what people see, what programs read, and how it ends."""

from __future__ import annotations

import csv
import io
import json
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from rich.cells import cell_len
from rich.console import Console

from clew.api import create_api
from clew.api.report_tables import Kind, as_csv
from clew.api.times import moment
from clew.cli.main import main
from clew.cli.report_hints import hints_of
from clew.cli.report_screen import render_report, told_value
from clew.store.embedded import open_store
from tests.report.histories import BEGIN, DAY
from tests.report.shop import WAY, tell_shop
from tests.serving import serving

NAMES = ["map", "variants", "funnel", "dwell", "throughput", "rework", "heatmap", "arrivals", "wip", "conformance"]


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    store = open_store(tmp_path_factory.mktemp("reports-cli"))
    with serving(create_api(tell_shop(store))) as url:
        yield url
    store.close()


@pytest.fixture
def clew(url):
    def run(*arguments, code=0, columns=100):
        environment = {"CLEW_URL": url, "COLUMNS": str(columns)}
        done = CliRunner().invoke(main, ["report", *arguments], env=environment)
        assert done.exit_code == code, done.output + repr(done.exception)
        return done.output

    return run


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["map"], ["4 orders, 28 visits", "PACKAGING SHIPPED 2 1 h 1 h", "starts: INITIATED 3, FILE_UPLOADED 1"]),
        (["map"], ["MANUFACTURING_COMPLETED MANUFACTURING_STARTED 1 1 h 1 h repeated"]),
        (["map", "--min-share", "0.5"], ["3 rarer steps hidden, taken 3 times"]),
        (["variants"], [f"happy path: {' > '.join(WAY)[:40]}", "4 orders in 4 variants"]),
        (["variant", "1"], ["order 1: the way of 1 order (25.0 %), number 1 of 4", "this is the happy path"]),
        (["funnel"], ["path b2c", "2 of 3 orders came through, median 10 h", "SUBMITTED 3 100.0 % 0 1 0 1 h"]),
        (["dwell"], ["SUBMITTED 2 1 1 h - - - thin", "Kaplan-Meier"]),
        (["throughput"], ["3 orders have ended, 1 hasn't", "all closed 2 10 h"]),
        (["rework"], ["1 of 4 orders (25.0 %) entered some stage again"]),
        (["heatmap", "--zone", "Europe/Berlin"], ["SUBMITTED", "time zone Europe/Berlin"]),
        (["arrivals"], ["4 arrived, 2 closed, 1 cancelled", "2026-09-24 1 1 0 ████"]),
        (["wip"], ["2026-09-27 1 SUBMITTED 1"]),
        (["conformance"], ["3 orders have ended: 2 as declared, 1 not (66.7 %)", "1 hasn't ended, 0 of them deviate"]),
        (["conformance", "--flow", "loans"], ["0 orders have ended", "no rate, as no order has ended"]),
        (["dwell", "--path", "nowhere"], ["no orders", "path nowhere"]),
    ],
)
def test_reports_are_told_to_people(clew, arguments, told):
    shown = " ".join(clew(*arguments).split())
    assert [each for each in told if each not in shown] == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["map", "--path", "nope"], "no order has the path nope; known are b2c, b2b"),
        (["arrivals", "--path", "b2c", "--against-path", "nope"], "no order has the path nope; known are b2c, b2b"),
        (["wip", "--attribute", "land=de"], "no order has the attribute land; known are country"),
        (["rework", "--attribute", "country=XX"], "no order has the value country=XX; known are de, nl"),
        (["variants", "--flow-version", "7"], "no order has the flow version 7; known are 1"),
        (["funnel", "--steps", "SUBMITTED,Foo"], "no order has the stage Foo; known are INITIATED, FILE_UPLOADED"),
        (["throughput", "--flow", "loans"], "nobody declared flow loans, so no stage ends an order"),
        (["wip", "--flow", "loans"], "`clew flow discover --flow loans`"),
    ],
)
def test_why_a_report_is_poor_is_told_to_people_alone(clew, arguments, told):
    assert told in " ".join(clew(*arguments).split())
    assert "no order has" not in clew(*arguments, "--json") + clew(*arguments, "--csv")


@pytest.mark.parametrize("name", NAMES)
def test_a_good_report_of_a_declared_flow_has_no_hints(clew, name):
    shown = clew(name, "--path", "b2c")
    assert "nobody declared" not in shown
    assert "no order has" not in shown


@pytest.mark.parametrize("name", NAMES)
def test_every_report_says_once_that_nobody_declared_its_flow(clew, name):
    assert clew(name, "--flow", "loans").count("nobody declared") == 1


@pytest.mark.parametrize(
    ("orders", "declared", "told"),
    [
        (1, True, "1 order waits to be judged by flow loans, so none of them deviates yet"),
        (2000, True, "2,000 orders wait to be judged by flow loans"),
        (3, False, "nobody declared flow loans, so no stage ends an order and none deviates"),
    ],
)
def test_why_orders_of_a_flow_cannot_deviate_yet_is_told_once(orders, declared, told):
    client = SimpleNamespace(get=lambda *_: {"flow": "loans", "declared": declared, "unknown": []})
    (hint,) = hints_of(client, "conformance", {"asked": {"flow": "loans"}, "orders": 4, "undeclared": orders}, {})
    assert told in hint


@pytest.mark.parametrize("columns", [60, 80, 100, 140])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "more", [[], ["--from", moment(BEGIN + DAY), "--to", moment(BEGIN + 2 * DAY), "--against", "previous"]]
)
def test_reports_fit_the_terminal(clew, name, columns, more):
    lines = clew(name, *more, columns=columns).splitlines()
    assert max(map(cell_len, lines)) <= columns


def test_columns_without_room_are_named(clew):
    left_out = "a wider terminal or --csv shows"
    assert f"{left_out} P95, P99, MEAN" in clew("throughput", columns=60)
    assert f"{left_out} ORDERS, P95, MEAN" in clew("map", columns=80)
    assert clew("funnel", columns=60).count(left_out) == 1
    both = ("dwell", "--path", "b2c", "--against-path", "b2b")
    assert f"{left_out} P90" in clew(*both, columns=80)
    assert left_out not in clew("throughput", columns=140) + clew("map", columns=160) + clew(*both, columns=160)


@pytest.mark.parametrize(
    ("kind", "value", "told"),
    [(Kind.COUNT, 166_514, "166,514"), (Kind.SHARE, 0.045, "4.5 %"), (Kind.COUNT, 999, "999")],
)
def test_numbers_are_written_as_everywhere_in_clew(kind, value, told):
    assert told_value(kind, value) == told


@pytest.mark.parametrize("name", [*NAMES, "variant"])
def test_nothing_in_a_report_is_obeyed_by_the_terminal_or_a_spreadsheet(clew, name):
    arguments = [name, *(["loan-2"] if name == "variant" else []), "--flow", "loans"]
    assert "\x1b" not in clew(*arguments)
    cells = [cell for row in csv.reader(io.StringIO(clew(*arguments, "--csv"))) for cell in row]
    assert [cell for cell in cells if cell.startswith("=")] == []


@pytest.mark.parametrize("name", NAMES)
def test_json_is_what_the_api_answers_and_csv_has_a_row_for_each_part(clew, name):
    told = json.loads(clew(name, "--json"))
    assert told["asked"]["flow"] == "jeweller"
    header, *rows = csv.reader(io.StringIO(clew(name, "--csv")))
    assert rows
    assert {len(row) for row in rows} == {len(header)}


def test_csv_has_plain_numbers_in_seconds(clew):
    rows = list(csv.DictReader(io.StringIO(clew("dwell", "--csv"))))
    submitted = next(row for row in rows if row["stage"] == "SUBMITTED")
    assert (submitted["n"], submitted["waiting"], submitted["median"], submitted["p90"]) == ("2", "1", "3600.0", "")


def test_two_paths_stand_side_by_side(clew):
    header, *rows = csv.reader(io.StringIO(clew("funnel", "--path", "b2c", "--against-path", "b2b", "--csv")))
    assert header[2] == "reached"
    assert header[header.index("p90") + 1] == "against_reached"
    by_stage = {row[1]: row for row in rows}
    assert (by_stage["FILE_UPLOADED"][0], by_stage["FILE_UPLOADED"][2]) == ("b2c | b2b", "3")
    assert by_stage["FILE_UPLOADED"][header.index("against_reached")] == "1"
    shown = " ".join(clew("funnel", "--path", "b2c", "--against-path", "b2b").split())
    assert "FILE_UPLOADED 3 1 +200 %" in shown
    assert "against flow jeweller path b2b" in shown


def test_stages_of_a_variant_are_json_in_csv_and_told_apart_whatever_their_names_are(clew):
    (happy,) = (row for row in csv.DictReader(io.StringIO(clew("variants", "--csv"))) if row["stages"].count(",") == 9)
    assert json.loads(happy["stages"]) == list(WAY)
    both = [{"stages": stages, "orders": 1, "share": 0.5, "median_throughput": 1.0, "closed": 1, "open": 0}
            for stages in (["A > B"], ["A", "B"])]  # fmt: skip
    told = csv.DictReader(io.StringIO(as_csv("variants", {"variants": both, "against": None})))
    assert [json.loads(row["stages"]) for row in told] == [["A > B"], ["A", "B"]]


def test_the_stages_that_a_day_has_no_room_for_are_one_row_without_a_name():
    days = [{"day": "2026-01-05", "open": 5, "stages": {"A": 3}, "others": 2}]
    assert as_csv("wip", {"days": days, "against": None}).splitlines()[1:] == ["2026-01-05,A,3", "2026-01-05,,2"]


@pytest.mark.parametrize(("now", "told"), [(999.9, "0 %"), (1000.1, "0 %"), (1500.0, "+50 %"), (980.0, "-2 %")])
def test_a_change_that_rounds_to_nothing_has_no_sign(clew, now, told):
    found = json.loads(clew("dwell", "--json"))
    stage = {**found["stages"][0], "stage": "A", "n": 1000}
    report = found | {"stages": [{**stage, "n": now}], "against": found | {"stages": [stage]}}
    console = Console(width=100, force_terminal=False)
    with console.capture() as captured:
        console.print(render_report("dwell", report, 100))
    (line,) = (line for line in captured.get().splitlines() if line.startswith("A "))
    assert f" {told}" in line
    assert "-0 %" not in line


def test_a_long_time_is_drawn_by_weeks(clew):
    days = [
        {"day": f"2026-{month:02d}-{day:02d}", "arrived": 1, "closed": 0, "cancelled": 0}
        for month in (1, 2, 3) for day in range(1, 29)
    ]  # fmt: skip
    told = json.loads(clew("arrivals", "--json")) | {"days": days}
    console = Console(width=80, force_terminal=False)
    with console.capture() as captured:
        console.print(render_report("arrivals", told, 80))
    assert "WEEK OF" in captured.get()
    assert "2026-01-05        7" in captured.get()


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["map", "--flow", "nothing"], 3, "no order follows a flow nothing"),
        (["variant", "nobody"], 3, "no order nobody"),
        (["map", "--from", "yesterday"], 2, "--from: 'yesterday' is no moment"),
        (["heatmap", "--zone", "Mars"], 2, "--zone: 'Mars' is no time zone"),
        (["map", "--attribute", "x"], 2, "--attribute: 'x' is not key=value"),
        (["map", "--json", "--csv"], 2, "choose one"),
        (["variant", "1", "--against", "previous"], 2, "leave out --against"),
        (["wip", "--by", "ended"], 2, "No such option"),
    ],
)
def test_what_is_wrong_ends_with_its_code(clew, arguments, code, told):
    assert told in clew(*arguments, code=code)
