"""What people see: each command over a real server, and how it ends."""

from __future__ import annotations

import json
import sys
import types

import pytest
from click.testing import CliRunner
from rich.console import Console

from clew import __version__
from clew.api import create_api
from clew.api.times import moment
from clew.cli import screen
from clew.cli.checks import Level, check_stages, check_status, check_telemetry, check_watching
from clew.cli.client import Client, CommandError, NoAnswer
from clew.cli.main import main
from clew.cli.options import print_json
from clew.cli.orders import render_orders, render_watched, watch_list
from clew.cli.trace import tree_order
from clew.flow import default_flow_text
from clew.store.embedded import open_store
from tests.builders import span_hex, trace_hex
from tests.serving import serving
from tests.story import tell

NOW = 1_795_000_000_000_000_000


def sent(spans, named=0, at_ns=NOW, logs=0, stages=0):
    return {
        "spans": spans, "spans_with_order": named, "logs": logs, "stage_events": stages, "last_seen_at": moment(at_ns),
    }  # fmt: skip


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    store = open_store(tmp_path_factory.mktemp("cli"))
    with serving(create_api(tell(store))) as url:
        yield url
    store.close()


@pytest.fixture
def clew(url):
    def run(*arguments, code=0):
        done = CliRunner().invoke(main, arguments, env={"CLEW_URL": url})
        assert done.exit_code == code, done.output + repr(done.exception)
        return done.output

    return run


def lines_of(output, *words):
    return [line for line in output.splitlines() if all(word in line for word in words)]


def test_orders_are_listed_worst_first(clew):
    output = clew("orders")
    told = [line.split()[:2] for line in output.splitlines() if line[:1].isalpha()]
    assert told[1:6] == [["lost", "4712"], ["failed", "4715"], ["stuck", "4711"], ["on", "hold"], ["on", "time"]]
    assert lines_of(output, "stuck", "4711", "SUBMITTED", "50 min of 30 min", "allowed 30 min")
    assert lines_of(output, "published to prices 19 min 59 s ago by shop-api", "no queue is bound")
    assert lines_of(output, "1 lost", "1 stuck", "1 on hold")
    assert "4713" not in output


@pytest.mark.parametrize(
    ("arguments", "present", "absent"),
    [
        (["--verdict", "lost", "--verdict", "stuck"], ["4712", "4711"], ["4715", "4714", "b/16"]),
        (["--verdict", "closed"], ["4713"], ["4711"]),
        (["--all"], ["4713", "4711"], []),
        (["--user", "anna-9931"], ["4711"], ["4712"]),
        (["--alias", "D77"], ["4711"], ["4712"]),
        (["--trace", trace_hex(3)], ["4713"], ["4711"]),
        (["--prefix", "b/"], ["b/16"], ["4711"]),
        (["--deviation", "repeated:MANUFACTURING_STARTED", "--all"], ["4713"], ["4711"]),
        (["--stage", "NOWHERE"], ["no orders"], ["4711"]),
    ],
)
def test_orders_are_filtered(clew, arguments, present, absent):
    output = clew("orders", *arguments)
    assert [each for each in present if each not in output] == []
    assert [each for each in absent if each in output] == []


def test_a_page_says_how_to_go_on(clew):
    (more,) = lines_of(clew("orders", "--limit", "2"), "more: add --after")
    output = clew("orders", "--limit", "2", "--after", more.split()[-1])
    assert "4711" in output
    assert "4712" not in output


def test_json_is_what_the_api_answers(clew):
    assert json.loads(clew("orders", "--json"))["items"][0]["order_id"] == "4712"
    assert json.loads(clew("order", "4711", "--json"))["verdict"]["kind"] == "stuck"
    assert json.loads(clew("trace", trace_hex(1), "--json"))["trace_id"] == trace_hex(1)
    assert json.loads(clew("find", "--service", "mes", "--json"))["items"][0]["service"] == "mes"
    assert json.loads(clew("services", "--json"))["services"]
    assert json.loads(clew("flow", "show", "--json"))["name"] == "jeweller"
    assert {each["level"] for each in json.loads(clew("doctor", "--json"))} == {"ok", "warn"}


def test_a_list_fits_a_narrow_terminal(clew):
    page = json.loads(clew("orders", "--json"))
    console = Console(width=80, force_terminal=False)
    with console.capture() as captured:
        console.print(render_orders(page, 80))
    shown = captured.get()
    assert max(len(line.rstrip()) for line in shown.splitlines()) <= 80
    assert lines_of(shown, "stuck", "4711", "SUBMITTED")


@pytest.mark.parametrize("width", [60, 80, 100, 132])
@pytest.mark.parametrize(
    ("command", "whole"),
    [
        (("order", "4711"), ["INITIATED", "SUBMITTED", "FILE_UPLOADED", "PRICE_CALCULATED", trace_hex(1)]),
        (("order", "4713"), ["MANUFACTURING_APPROVED", "MANUFACTURING_COMPLETED", "redelivered", trace_hex(3)]),
        (("order", "4712"), ["unroutable", "shop-api → prices", trace_hex(2)]),
        (("find", "--since", "6h"), [trace_hex(1), trace_hex(2), trace_hex(3), "POST /deals", "TimeoutError"]),
        (("trace", trace_hex(1)), ["shop-api POST /orders", "crm-api POST /deals", trace_hex(9), "order placed"]),
        (
            ("trace", trace_hex(1), "--attributes"),
            ["db.namespace = shop", "event exception: exception.message = no answer", "big = 1152921504606846976"],
        ),
        (("services",), ["crm-api", "queue prices", "database postgresql shop", "250.0 ms"]),
        (("doctor",), ["mend: see whether it runs and can reach Clew", "jeweller version 1 is in force"]),
        (("flow", "show"), ["MANUFACTURING_COMPLETED", "customer care", "PRICE_CALCULATED or CANCELLED"]),
    ],
)
def test_no_name_and_no_id_is_broken_in_a_narrow_terminal(clew, monkeypatch, width, command, whole):
    monkeypatch.setattr(screen, "on_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", str(width))
    output = clew(*command)
    assert [each for each in whole if each not in output] == []
    assert max(map(len, output.splitlines())) <= width


def test_a_cursor_is_never_broken(clew, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    (more,) = lines_of(clew("find", "--limit", "1", "--since", "6h"), "more: add --after")
    assert lines_of(clew("find", "--since", "6h", "--after", more.split()[-1]), "POST")


def test_an_order_draws_its_journey(clew):
    output = clew("order", "4711")
    assert output.startswith("order 4711: stuck in SUBMITTED for 50 min, allowed 30 min")
    assert lines_of(output, "who must act:", "since")
    assert lines_of(output, "path b2c", "user …9931", "crm_deal D77", "crm-api, shop-api")
    assert lines_of(output, "INITIATED", "10 min of 1 day")
    assert lines_of(output, "SUBMITTED", "█" * 20 + "▶", "50 min of 30 min, 20 min over", "skipped FILE_UPLOADED")
    assert lines_of(output, "then PRICE_CALCULATED")
    assert lines_of(output, trace_hex(1), "shop-api: POST /orders", "900.0 ms, 4 spans, 1 failed")
    assert lines_of(output, "crm-api", "POST /deals: TimeoutError")


def test_an_order_is_found_by_another_id_of_it(clew):
    assert clew("order", "D77").startswith("order 4711")


def test_an_id_that_only_spans_name_leads_to_them(url, monkeypatch):
    def get(client, path, params=None):
        if path.startswith("orders/"):
            raise CommandError("no order H 5", "", 3)
        return {"items": [{}] if params["order"] == "H 5" else []}

    monkeypatch.setattr(Client, "get", get)
    done = CliRunner().invoke(main, ["order", "H 5", "--url", url])
    assert done.exit_code == 3
    assert "clew: no order H 5, but spans name it" in done.output
    assert "clew find --order 'H 5'" in done.output
    assert "but spans" not in CliRunner().invoke(main, ["order", "other", "--url", url]).output


@pytest.mark.parametrize(("terminal", "told"), [(True, "\\u009b31m \\u007f é"), (False, "\x9b31m \x7f é")])
def test_json_on_a_terminal_holds_nothing_that_it_obeys(monkeypatch, capsys, terminal, told):
    monkeypatch.setattr(screen, "on_terminal", lambda: terminal)
    print_json({"name": "\x9b31m \x7f é"})
    shown = capsys.readouterr().out
    assert told in shown
    assert json.loads(shown) == {"name": "\x9b31m \x7f é"}


def test_messages_are_drawn_with_their_fate(clew):
    lost = clew("order", "4712")
    assert lines_of(lost, "shop-api → prices", "lost: unroutable")
    taken = clew("order", "4713")
    assert lines_of(taken, "shop-api → orders")
    assert lines_of(taken, "→ mes", "taken after 2.99 s", "redelivered", "dead-lettered from orders.q (rejected)")


def test_ended_held_and_failed_orders_are_drawn(clew):
    ended = clew("order", "4713")
    assert ended.startswith("order 4713: closed 3 h 20 min ago by mes")
    assert lines_of(ended, "MANUFACTURING_STARTED", "repeated MANUFACTURING_STARTED")
    assert "then" not in ended
    assert lines_of(clew("order", "4714"), "and still")
    assert lines_of(clew("order", "4715"), "shop-api", "PRICE_CALCULATED failed: no 3D data")


def test_a_trace_is_drawn_as_a_waterfall(clew):
    output = clew("trace", trace_hex(1), "--attributes")
    assert lines_of(output, "lasted 900.0 ms", "4 spans", "orders 4711")
    tree = [line for line in output.splitlines() if "━" in line]
    assert [line.strip().split("  ")[0] for line in tree] == [
        "shop-api POST /orders", "shop-api POST", "crm-api POST /deals", "shop-api INSERT",
    ]  # fmt: skip
    assert [len(line) - len(line.lstrip()) for line in tree] == [0, 2, 4, 2]
    assert lines_of(output, "crm-api POST /deals", "server, TimeoutError, timed out")
    assert lines_of(output, "db.namespace = shop")
    assert lines_of(output, "event exception: exception.message = no answer")
    assert lines_of(output, f"link to span {span_hex(1)} of trace {trace_hex(9)}")
    assert lines_of(output, "INFO", "shop-api", "order placed")


def test_a_tree_holds_every_span_once_whatever_the_parents_say():
    spans = [
        {"span_id": a, "parent_span_id": b} for a, b in (("a", ""), ("b", "a"), ("c", "d"), ("d", "c"), ("e", "x"))
    ]
    assert [(depth, span["span_id"]) for depth, span in tree_order(spans)] == [
        (0, "a"), (1, "b"), (0, "e"), (0, "c"), (1, "d"),
    ]  # fmt: skip


def test_a_very_deep_trace_is_drawn():
    spans = [{"span_id": str(n), "parent_span_id": str(n - 1) if n else ""} for n in range(5_000)]
    assert [depth for depth, _ in tree_order(spans)] == list(range(5_000))


@pytest.mark.parametrize("arguments", [("trace", trace_hex(6), "--attributes"), ("find", "--order", "b/16")])
def test_nothing_from_telemetry_is_obeyed_by_the_terminal(clew, arguments):
    output = clew(*arguments)
    assert "\x1b" not in output
    assert "·[31mred·[0m [bold]" in output


@pytest.mark.parametrize(
    ("arguments", "present"),
    [
        (["--service", "crm-api"], "POST /deals"),
        (["--caller", "shop-api", "--callee", "crm-api"], "POST /deals"),
        (["--status", "error", "--kind", "producer"], "send prices"),
        (["--min-duration", "800ms"], "POST /orders"),
        (["--timeout"], "TimeoutError"),
        (["--retries", "2"], "retry 2"),
        (["--attribute", "db.namespace=shop"], "INSERT"),
        (["--user", "anna-9931"], trace_hex(1)),
        (["--name", "process*", "--since", "6h"], "process orders"),
        (["--service", "nobody"], "no spans"),
    ],
)
def test_spans_are_found(clew, arguments, present):
    assert present in clew("find", *arguments)


def test_services_are_drawn_with_their_calls(clew):
    output = clew("services", "--since", "6h")
    assert lines_of(output, "crm-api", "250.0 ms")
    assert lines_of(output, "shop-api", "queue prices", "1")
    assert lines_of(output, "shop-api", "database postgresql shop")
    assert "no spans since" in clew("services", "--since", "1s")


def test_a_flow_is_shown_as_its_text_where_no_terminal_is(clew):
    assert clew("flow", "show") == default_flow_text()
    assert clew("flow", "show", "jeweller", "--yaml") == default_flow_text()
    assert clew("flow", "show", "--shipped") == default_flow_text()


def test_a_flow_is_drawn_on_a_terminal(clew, monkeypatch):
    monkeypatch.setattr(screen, "on_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "200")
    output = clew("flow", "show")
    assert lines_of(output, "flow jeweller version 1")
    assert lines_of(output, "PRICE_CALCULATED", "b2c 4 h, b2b 8 h")
    assert lines_of(output, "CLOSED", "ends closed")


def test_a_flow_is_applied(clew, tmp_path, monkeypatch):
    monkeypatch.setattr(screen, "on_terminal", lambda: True)
    file = tmp_path / "other.yaml"
    file.write_text(default_flow_text().replace("flow: jeweller", "flow: smith"))
    assert "flow smith revision 1 is in force" in clew("flow", "apply", str(file))
    assert "\nalso in force: smith" in clew("flow", "show", "jeweller")
    assert "derived anew" in clew("flow", "apply", str(file), "--since", "1h")
    file.write_text(default_flow_text())
    assert "flow jeweller revision 1 is in force" in clew("flow", "apply", str(file))
    assert clew("flow", "drop", "smith") == "flow smith is no longer in force; in force: jeweller\n"
    assert "in force: jeweller" in clew("flow", "drop", "smith", code=3)
    assert "jeweller is the only flow in force" in clew("flow", "drop", "jeweller", code=1)
    assert "smith" not in clew("flow", "show", "jeweller")


def test_a_flow_is_checked_without_a_server(tmp_path):
    file = tmp_path / "flow.yaml"
    file.write_text(default_flow_text())
    done = CliRunner().invoke(main, ["flow", "check", str(file)])
    assert (done.exit_code, "is right: flow jeweller version 1, 11 stages" in done.output) == (0, True)
    file.write_text(
        default_flow_text().replace("limit: 30m", "limt: 30m").replace("terminal: closed", "terminal: done")
    )
    done = CliRunner().invoke(main, ["flow", "check", str(file)])
    assert done.exit_code == 1
    assert "limt: 30m" in done.output
    assert "mend: " in done.output
    assert "'done' is no way to end" in done.output


def test_the_doctor_says_what_to_mend(clew):
    output = clew("doctor")
    assert lines_of(output, "ok", "python: 3.")
    assert lines_of(output, "ok", "server:")
    assert lines_of(output, "ok", "flow: jeweller version 1 is in force")
    assert lines_of(output, "look", "crm-api: 1 span in 24 h, 0 name an order")
    assert output.count("mend: ") == output.count("look ")


def status(**changes):
    """What a healthy server of this version says of itself."""
    now = {
        "version": __version__, "problem": None, "upkeep_problem": None, "now": moment(NOW), "ingest": None,
        "ticker": None, "services": {}, "orders_without_stage": 0, "unknown_stages": [],
    }  # fmt: skip
    return now | changes


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"version": "0.0.1"}, "the server is Clew 0.0.1"),
        ({"problem": "journeys are not up to date"}, "journeys are not up to date"),
        ({"upkeep_problem": "projections are not up to date"}, "projections are not up to date"),
        ({"now": moment(NOW - 10 * 10**9)}, "10 s off"),
        ({"ticker": {"lag_s": 60.0}}, "the last 1 min is not in the journeys"),
        ({"ingest": {"refused": 3, "requests": 9000}}, "3 requests were refused, 9,000 taken"),
        ({"ingest": {"refused": 1, "requests": 9}}, "1 request was refused, 9 taken"),
    ],
)
def test_the_doctor_reads_what_a_server_says_of_itself(said, told):
    findings = [each for each in check_status(status(**said), NOW) if each.level is not Level.OK]
    assert [told in each.told and bool(each.mend) for each in findings] == [True]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (None, []),
        ({}, [("ok", "rules: 3 rules watch"), ("ok", "channels: 2 channels, none in trouble")]),
        (
            {"unwatched": "rules don't watch: no room", "untold": "nobody is told: no room"},
            [("bad", "rules: rules don't watch: no room"), ("bad", "channels: nobody is told: no room")],
        ),
        ({"catching_up": "rules wait"}, [("warn", "rules: rules wait"), ("ok", "channels: 2 channels")]),
        ({"failing": {"stuck": "no room"}}, [("bad", "rule: stuck can't look: no room"), ("ok", "channels: 2")]),
        ({"rules": 0, "channels": 0}, [("warn", "rules: none watch"), ("warn", "channels: nobody is told")]),
        ({"troubles": {"duty": "401"}}, [("ok", "rules: 3 rules"), ("bad", "channel: duty can't be told: 401")]),
        (
            {"rules": 1, "channels": 1, "reactions_stopped_by": "ann"},
            [("ok", "rules: 1 rule watches"), ("ok", "channels: 1 channel,"), ("warn", "reactions: stopped by ann")],
        ),
    ],
)
def test_the_doctor_tells_whether_rules_watch_and_people_are_told(said, told):
    well = {"rules": 3, "channels": 2, "troubles": {}, "reactions_stopped_by": None}
    found = list(check_watching(status(watching=None if said is None else well | said)))
    assert len(found) == len(told)
    for each, (level, words) in zip(found, told, strict=True):
        assert each.level == level
        assert f"{each.subject}: {each.told}".startswith(words)
        assert bool(each.mend) is (level != "ok")


def test_the_doctor_finds_a_healthy_server_well():
    assert {each.level for each in check_status(status(), NOW)} == {Level.OK}


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({}, "nothing came in the last 24 h"),
        ({"services": {"mes": sent(spans=3)}}, "0 name an order"),
        ({"services": {"mes": sent(spans=0, logs=2)}}, "2 log records in 24 h, no spans"),
        ({"services": {"mes": sent(spans=3, named=3, at_ns=NOW - 3600 * 10**9)}}, "silent for 1 h"),
        ({"services": {"shop": sent(spans=3, named=3)}}, "in the flow, but it sent nothing"),
        ({"services": {"mes": sent(spans=3, named=3)}, "orders_without_stage": 7}, "7 open orders were never seen"),
        ({"services": {"mes": sent(spans=3, named=3)}, "orders_without_stage": 1}, "1 open order was never seen"),
    ],
)
def test_the_doctor_says_what_telemetry_is_missing(said, told):
    findings = [each for each in check_telemetry(status(**said), {"mes"}, NOW) if each.level is not Level.OK]
    assert any(told in each.told and each.mend for each in findings)


def test_the_doctor_names_stages_that_the_flow_does_not_know():
    said = {"flow": "rings", "stage": "ORDRED", "orders": 1, "services": ["mes-api"]}
    of_old = {"flow": "rings", "stage": "LOBBY", "orders": 2, "services": []}
    assert [(each.level, each.told) for each in check_stages(status(unknown_stages=[said, of_old]))] == [
        (Level.WARN, "stage ORDRED isn't in flow rings (1 open order, from mes-api)"),
        (Level.WARN, "stage LOBBY isn't in flow rings (2 open orders)"),
    ]


def test_a_service_that_sends_stage_events_alone_is_well():
    (found,) = check_telemetry(status(services={"mes": sent(spans=0, logs=2, stages=1)}), {"mes"}, NOW)
    assert (found.level, found.subject) == (Level.OK, "mes")
    assert found.told == "1 stage event in 24 h, no spans (traces show nothing of its requests)"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("order", "nobody"), "no order nobody"),
        (("trace", "ab" * 16), "no trace abab"),
        (("flow", "show", "other"), "no flow other is in force"),
    ],
)
def test_what_does_not_exist_ends_with_3_and_a_mend(clew, arguments, told):
    output = clew(*arguments, code=3)
    assert f"clew: {told}" in output
    assert "mend: " in output


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("trace", "xyz"), 2, "clew: a trace id has 32 hex digits"),
        (("orders", "--trace", "xyz"), 2, "clew: --trace: a trace id has 32 hex digits"),
        (("find", "--attribute", "x"), 2, "mend: write for example --attribute http.route=/orders"),
        (("orders", "--after", "x"), 2, "leave out --after"),
        (("find", "--since", "yesterday"), 2, "write 2026-11-22T08:15:00Z"),
        (("orders", "--verdict", "late"), 2, "Usage:"),
        (("orders", "--limit", "0"), 2, "Usage:"),
        (("orders", "--watch", "--json"), 2, "--watch draws on a terminal"),
        (("order",), 2, "Missing argument"),
        (("flow", "check", "/nowhere.yaml"), 2, "does not exist"),
    ],
)
def test_mistakes_end_with_a_sentence(clew, arguments, code, told):
    output = clew(*arguments, code=code)
    assert told in output
    assert "Traceback" not in output


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://127.0.0.1:1", "start it with `clew serve`"),
        ("ftp://127.0.0.1", "start it with `clew serve`"),
        ("http://127.0.0.1:1/", "start it with `clew serve`"),
    ],
)
@pytest.mark.parametrize("command", [("orders",), ("order", "4711"), ("find",), ("services",), ("flow", "show")])
def test_a_missing_server_is_told_with_what_to_do(url, told, command):
    done = CliRunner().invoke(main, [*command, "--url", url])
    assert done.exit_code == 1
    assert f"no Clew answers at {url.removesuffix('/')}" in done.output
    assert told in done.output


def test_a_server_is_named_without_its_scheme(url):
    done = CliRunner().invoke(main, ["orders", "--url", url.removeprefix("http://")])
    assert (done.exit_code, "4711" in done.output) == (0, True)


def test_an_address_inside_the_server_is_refused(url):
    done = CliRunner().invoke(main, ["orders", "--url", f"{url}/api/v1"])
    assert done.exit_code == 2
    assert f"mend: give the server alone: {url}" in done.output


def test_the_doctor_looks_at_the_ports_when_no_server_answers(url):
    busy = url.removeprefix("http://")
    done = CliRunner().invoke(
        main,
        ["doctor", "--url", "http://127.0.0.1:1"],
        env={"CLEW_API_LISTEN": busy, "CLEW_OTLP_HTTP": "127.0.0.1:0", "CLEW_OTLP_GRPC": "127.0.0.1:0"},
    )
    assert done.exit_code == 1
    assert lines_of(done.output, "bad", f"{busy} can't be opened")
    assert lines_of(done.output, "ok", "is free for otlp.http")


def test_the_doctor_names_wrong_settings_and_flows(url, tmp_path):
    flow = tmp_path / "flow.yaml"
    flow.write_text("flow: x")
    done = CliRunner().invoke(main, ["doctor", "--url", url], env={"CLEW_FLOW": str(flow)})
    assert (done.exit_code, f"clew flow check {flow}" in done.output) == (1, True)
    done = CliRunner().invoke(main, ["doctor", "--url", url], env={"CLEW_API_LISTEN": "nowhere"})
    assert (done.exit_code, "write host:port" in done.output) == (1, True)


@pytest.mark.parametrize(
    "command",
    [
        (),
        ("serve",),
        ("orders",),
        ("order",),
        ("trace",),
        ("find",),
        ("services",),
        ("flow",),
        ("flow", "apply"),
        ("doctor",),
    ],
)
def test_every_command_explains_itself(command):
    done = CliRunner().invoke(main, [*command, "--help"])
    assert done.exit_code == 0
    assert "Usage:" in done.output


def test_the_demo_gets_its_arguments_and_gives_its_exit_code(monkeypatch):
    given = []
    fake = types.SimpleNamespace(main=lambda arguments: given.append(arguments) or 7)
    monkeypatch.setitem(sys.modules, "clew_demo", fake)
    done = CliRunner().invoke(main, ["demo", "--once", "--seed", "3", "--help"])
    assert (done.exit_code, given) == (7, [["--once", "--seed", "3", "--help"]])


def test_a_demo_that_is_not_installed_is_told_with_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "clew_demo", None)
    done = CliRunner().invoke(main, ["demo"])
    assert (done.exit_code, "make demo" in done.output) == (1, True)


def test_a_watched_list_survives_a_server_that_is_started_again(monkeypatch, capsys):
    told, slept = iter(["first", NoAnswer("gone"), NoAnswer("gone"), "again"]), []

    def render(_):
        now = next(told)
        if isinstance(now, Exception):
            raise now
        return now

    def sleep(seconds):
        slept.append(seconds)
        if len(slept) == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr("clew.cli.orders.time.sleep", sleep)
    monkeypatch.setattr(screen, "on_terminal", lambda: True)
    monkeypatch.setattr("clew.cli.orders.console", lambda: Console(force_terminal=True, width=80, height=20))
    watch_list(render, 1.0, "http://shop:4380")
    shown = capsys.readouterr().out
    assert shown.count("no answer from http://shop:4380 since ") == 2
    assert "again" in shown.rpartition("trying again")[2]


@pytest.mark.parametrize("width", [80, 160])
@pytest.mark.parametrize(("height", "cut"), [(12, True), (60, False)])
def test_a_watched_list_that_is_too_long_keeps_its_counts(clew, width, height, cut):
    page = json.loads(clew("orders", "--json"))
    page["items"] *= 3
    narrow = Console(width=width, height=height, force_terminal=False)
    with narrow.capture() as captured:
        narrow.print(render_watched(page, narrow))
    shown = captured.get()
    assert len(shown.splitlines()) <= height
    assert lines_of(shown, "1 lost", "1 stuck")
    assert bool(lines_of(shown, "… and ", " more")) is cut


@pytest.mark.parametrize("height", [12, 60])
def test_a_watched_page_that_is_not_the_last_says_so_without_a_cursor(clew, height):
    page = json.loads(clew("orders", "--json")) | {"next": "WzEsMl0"}
    low = Console(width=160, height=height, force_terminal=False)
    with low.capture() as captured:
        low.print(render_watched(page, low))
    shown = captured.get()
    assert "WzEsMl0" not in shown
    assert "… and more\n" in shown
    assert len(shown.splitlines()) <= height


def test_a_journey_is_watched_in_place(clew, monkeypatch):
    drawn = []

    def stop_after_two(seconds):
        drawn.append(seconds)
        if len(drawn) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr("clew.cli.orders.time.sleep", stop_after_two)
    assert "order 4711" in clew("order", "4711", "--watch", "--every", "0.5")
    assert drawn == [0.5, 0.5]


def test_a_server_that_can_not_tell_its_rules_now_is_not_said_to_be_away(clew, monkeypatch):
    def fails(*_):
        raise NoAnswer("PostgreSQL is away", "try again")

    monkeypatch.setattr(Client, "get", fails)
    assert clew("rules", "show", code=1) == "clew: PostgreSQL is away\nmend: try again\n"


@pytest.mark.parametrize(
    ("unseen", "lines"),
    [
        ([], ["no incident waits for anybody; --all shows resolved ones too"]),
        (
            ["rules wait until what services held back has come"],
            [
                "look: rules wait until what services held back has come",
                "no incident that is known waits for anybody; --all shows resolved ones too",
            ],
        ),
    ],
)
def test_no_incident_reassures_nobody_while_not_all_is_looked_at(clew, monkeypatch, unseen, lines):
    monkeypatch.setattr(Client, "get", lambda *_: {"items": [], "next": None, "unseen": unseen})
    assert clew("incidents").splitlines() == lines
