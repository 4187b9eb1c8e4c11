"""From history to a flow by commands: discovered, checked, compared, tried, applied."""

from __future__ import annotations

import contextlib
import io
import json
import re

import pytest
from click.testing import CliRunner
from rich.console import Console

from clew.api import ApiDeps, create_api
from clew.cli import learn, orders, screen
from clew.cli.main import main
from clew.cli.replay_screen import render_replay
from clew.flow import parse_flow
from clew.journey.backfill import Backfill
from clew.journey.in_force import FlowBook
from clew.journey.rebuilder import Rebuilder
from clew.store.embedded import open_store
from tests.learn.logs import at, remember
from tests.learn.test_discover import shop
from tests.serving import serving

DAY = 86_400


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    store = open_store(tmp_path_factory.mktemp("learn-cli"))
    remember(store, shop(200), "rings")
    book = FlowBook(store)
    book.start([])
    deps = ApiDeps(store, book, Backfill(store, Rebuilder(store, lambda: book.current)), now_ns=lambda: at(30 * DAY))
    with serving(create_api(deps)) as url:
        yield url
    store.close()


@pytest.fixture
def clew(url):
    def run(*arguments, code=0):
        done = CliRunner().invoke(main, arguments, env={"CLEW_URL": url, "COLUMNS": "200"})
        assert done.exit_code == code, done.output + repr(done.exception)
        return done.output

    return run


def lines_of(output, *words):
    return [line for line in output.splitlines() if all(word in line for word in words)]


@pytest.fixture
def learned(clew, tmp_path):
    file = tmp_path / "rings.yaml"
    file.write_text(clew("flow", "discover"))
    return file


def test_a_discovered_flow_is_checked_and_right(clew, learned):
    assert "is right: flow rings version 1, 6 stages, paths web, partner" in clew("flow", "check", str(learned))
    found = json.loads(clew("flow", "discover", "--json", "--name", "loops", "--share", "20%", "--floor", "30d"))
    flow = parse_flow(found["text"])
    assert (flow.name, found["orders"], found["stages"]) == ("loops", 200, [stage.name for stage in flow.stages])
    assert flow.stage("PAID").next == ("MADE", "CANCELLED")
    assert "PAID > CANCELLED is rare (20 times), but nothing else leads there" in found["unsure"]
    assert {limit.allowed_ns for stage in flow.stages for limit in stage.limits.values()} == {30 * DAY * 10**9}
    assert any("CANCELLED is taken for an end" in note for note in found["unsure"])
    only = json.loads(clew("flow", "discover", "--json", "--path", "partner", "--from", "1970-01-01"))
    assert (only["orders"], list(parse_flow(only["text"]).paths)) == (40, ["partner"])


def test_a_flow_is_held_beside_what_happens(clew, learned):
    told = learned.read_text().replace("limit: 1h", "limit: 30m")
    learned.write_text(
        told.replace("[MADE, CANCELLED]", "[SENT, MADE]").replace("[PAID]  # 100 % of 160", "[PAID, CANCELLED]")
    )
    output = clew("flow", "diff", str(learned))
    assert lines_of(output, "PAID > CANCELLED", "20 times in 20 orders", "out of sequence")
    assert lines_of(output, "PAID > SENT")
    assert lines_of(output, "NEW", "30 min", "1 h", "100 %", "160 and 0 that wait")
    found = json.loads(clew("flow", "diff", str(learned), "--json"))
    assert [(each["from"], each["to"], each["count"]) for each in found["undeclared_steps"]] == [
        ("PAID", "CANCELLED", 20)
    ]
    assert [(each["from"], each["to"]) for each in found["unseen_steps"]] == [("NEW", "CANCELLED"), ("PAID", "SENT")]


def test_limits_are_tried_against_those_in_force(clew, learned):
    learned.write_text(learned.read_text().replace("limit: 1h ", "limit: 55m "))
    found = json.loads(clew("replay", "--flow", str(learned), "--json"))
    new = next(each for each in found["tried"]["stages"] if each["stage"] == "NEW")
    assert (new["visits"], new["stuck"], new["waiting"], new["false_alarms"]) == (160, 160, 0, 160)
    assert (new["moved_after_median_s"], found["in_force"], found["grace_share"]) == (300.0, None, 0.1)
    strict = json.loads(clew("replay", "--flow", str(learned), "--json", "--within", "4m"))
    assert next(each for each in strict["tried"]["stages"] if each["stage"] == "NEW")["false_alarms"] == 0
    clew("flow", "apply", str(learned))
    try:
        longer = learned.read_text().replace("limit: 55m ", "limit: 2h ")
        learned.write_text(longer)
        output = clew("replay", "--flow", str(learned))
        assert lines_of(output, "NEW", "2 h", "0 of 160")
        assert lines_of(output, "in force", "55 min", "160 of 160 (100 %)", "5 min, 5 min")
        assert lines_of(output, "those in force:", "166 of these false alarms")
        assert "flow rings version" in clew("flow", "diff")
    finally:
        clew("flow", "drop", "rings")


def test_the_orders_of_another_flow_are_told_as_such(clew, learned):
    learned.write_text(learned.read_text().replace("flow: rings", "flow: loops", 1))
    for command in (("replay", "--flow", str(learned)), ("flow", "diff", str(learned))):
        assert "no order follows loops; these are orders of rings" in clew(*command)
    asked = clew("replay", "--flow", str(learned), "--orders-of", "rings")
    assert "these are orders of rings" in asked
    assert "no order follows" not in asked
    assert "these are orders of" not in clew("flow", "diff", str(learned), "--json")


def test_remaining_times_count_visits():
    stage = {"stage": "SENT", "path": "", "n": 593, "median_s": 60.0, "p90_s": 90.0}
    console = Console(width=100, force_terminal=False)
    with console.capture() as captured:
        console.print(learn.render_remaining({"flow": "rings", "stages": [stage]}))
    assert lines_of(captured.get(), "VISITS", "HALF TOOK")


def told_of(stage, first, last, path="*", limit_s=86_400.0):
    return {
        "stage": stage, "path": path, "limit_s": limit_s, "visits": 3_000, "stuck": 150, "false_alarms": 37,
        "moved_after_median_s": 28_500.0, "moved_after_p90_s": 97_200.0, "waiting": 389,
        "first_at": first, "last_at": last,
    }  # fmt: skip


def replayed(last):
    begin = "2026-04-04T09:20:56Z"
    tried = [told_of("MANUFACTURING_COMPLETED", begin, last)]
    now = [told_of("MANUFACTURING_COMPLETED", begin, last, limit_s=1.0), told_of("MANUFACTURING_STARTED", begin, last)]
    side = {"name": "rings", "version": 1, "stuck": 150, "false_alarms": 37}
    return {
        "orders": 3_000, "asked": {"flow": "rings", "from_at": None, "to_at": None, "path": ""}, "grace_share": 0.1, "grace_s": 0.0,
        "tried": side | {"stages": tried}, "in_force": side | {"stages": now},
    }  # fmt: skip


def drawn(found, columns):
    console = Console(width=columns, force_terminal=False)
    with console.capture() as captured:
        console.print(render_replay(found, columns))
    return captured.get()


@pytest.mark.parametrize(
    ("columns", "whole", "when"), [(70, False, False), (80, True, False), (100, True, True), (120, True, True)]
)
def test_a_replay_fits_the_terminal_and_breaks_no_word(columns, whole, when):
    shown = drawn(replayed("2026-10-18T19:59:42Z"), columns)
    assert max(len(line.rstrip()) for line in shown.splitlines()) <= columns
    assert ("MANUFACTURING_COMPLETED " in shown, "2026-10-18" in shown) == (whole, when)
    assert ("--json tells when" in " ".join(shown.split())) is not when
    words = set(shown.split())
    assert words >= ({"MANUFACTURING_COMPLETED", "MANUFACTURING_STARTED"} if whole else {"MANUFACTURING_", "STARTED"})
    assert ":" not in shown.split("these limits")[0]


def test_a_replay_of_a_week_tells_the_minute():
    shown = drawn(replayed("2026-04-08T19:59:42Z"), 200)
    assert re.search(r"2026-04-04 \d\d:\d\d to 2026-04-0[89] \d\d:\d\d\s", shown)


def test_what_takes_seconds_says_on_a_terminal_what_it_does(clew, learned, monkeypatch):
    said = []

    @contextlib.contextmanager
    def heard(what):
        said.append(what)
        yield

    monkeypatch.setattr(learn, "working", heard)
    monkeypatch.setattr(orders, "working", heard)
    for arguments in (("flow", "discover"), ("flow", "diff", str(learned)), ("replay", "--flow", str(learned))):
        clew(*arguments)
    clew("orders", "--at", "2h")
    clew("orders")
    assert said == [
        "learning a flow from history", "holding the flow against history", "trying the limits over history",
        "telling orders as they stood then",
    ]  # fmt: skip


@pytest.mark.parametrize("terminal", [True, False])
def test_what_is_being_done_is_told_on_standard_error_of_a_terminal_only(terminal, monkeypatch):
    class Err(io.StringIO):
        def isatty(self):
            return terminal

    monkeypatch.setattr("sys.stderr", err := Err())
    monkeypatch.setenv("TERM", "xterm")
    with screen.working("trying [limits]"):
        pass
    assert ("trying [limits] …" in err.getvalue()) is terminal


def test_remaining_times_are_told(clew):
    assert "has closed in the last 90 days" in clew("flow", "remaining", "--flow", "jeweller")


@pytest.mark.parametrize(
    ("arguments", "code", "cause"),
    [
        (("flow", "discover", "--flow", "nobody"), 3, "no order follows a flow nobody"),
        (("flow", "discover", "--flow", "rings", "--from", "2200-01-01"), 3, "no orders to learn from"),
        (("flow", "discover", "--share", "many"), 2, "no share"),
        (("flow", "discover", "--floor", "much"), 2, "--floor: 'much' is no length of time"),
        (("flow", "discover", "--share", "200%"), 2, "at most 1"),
        (("flow", "discover", "--quantile", "1"), 2, "--quantile: give less than 1"),
        (("flow", "discover", "--quantile", "nan"), 2, "--quantile: 'nan' is no number"),
        (("flow", "discover", "--from", "2024-02-30"), 2, "--from: '2024-02-30' is no moment"),
        (("orders", "--at", "2024-02-30"), 2, "--at: '2024-02-30' is no moment"),
        (("replay", "--flow", "/nowhere.yaml"), 2, "does not exist"),
    ],
)
def test_what_can_t_be_learned_is_told(clew, arguments, code, cause):
    assert cause in clew(*arguments, code=code)


def test_a_wrong_file_is_refused_with_its_mistakes(clew, tmp_path):
    file = tmp_path / "wrong.yaml"
    file.write_text("flow: x\nstages: {A: {limt: 3h}}")
    for command in (("replay", "--flow"), ("flow", "diff")):
        assert "unknown key 'limt'" in clew(*command, str(file), code=1)


def test_within_is_a_share_or_a_length(clew, learned):
    assert "no share of a limit" in clew("replay", "--flow", str(learned), "--within", "x%", code=2)
    output = clew("replay", "--flow", str(learned), "--within", "15m", "--orders-of", "rings", "--to", "1h")
    assert "a false alarm moved on by itself within 15 min" in output
