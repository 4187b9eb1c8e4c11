"""The shipped rules against their written cases, and the cases themselves: what they say, and what is wrong in them."""

import json
from dataclasses import replace

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from clew.cli.rules import rules as command
from clew.cli.rules import shipped_cases
from clew.flow import default_flow_text
from clew.model.errors import RulesError
from clew.model.event import StageEvent
from clew.model.rule import SpanCondition
from clew.rehearse.cases import load_cases
from clew.rehearse.play import play
from clew.rehearse.told import SpanTold
from clew.rehearse.world import World
from clew.rules import default_rules

FILES = {path.stem: load_cases(path) for path in shipped_cases()}
CASES = [pytest.param(file, case, id=case.name) for file in FILES.values() for case in file.cases]


@pytest.mark.parametrize(("file", "case"), CASES)
def test_the_shipped_rules_tell_what_must_be_told_and_nothing_else(file, case):
    assert play(case, file.rules, file.flow, file.begin_ns).wrong == ()


def test_every_shipped_rule_has_a_case_in_which_it_fires():
    expected = {alert.rule for file in FILES.values() for case in file.cases for alert in case.alerts}
    assert {rule.name for rule in default_rules().rules} == expected


def test_every_shipped_rule_has_a_case_in_which_it_keeps_quiet():
    quiet = {
        rule
        for file in FILES.values()
        for case in file.cases
        for rule in case.rules
        if rule not in {alert.rule for alert in case.alerts}
    }
    assert {rule.name for rule in default_rules().rules} == quiet


ORDERS = FILES["orders"]
SAMPLED = st.sampled_from([case for case in ORDERS.cases if len(case.told) > 1])


@settings(max_examples=25, deadline=None)
@given(SAMPLED, st.data())
def test_shuffled_repeated_and_late_events_lead_to_the_same_findings(case, data):
    """Once everything has arrived, in whatever order and however often, rules find the same."""
    again = data.draw(st.permutations([each for each in case.told if isinstance(each.what, StageEvent)]))
    delays = data.draw(st.lists(st.integers(0, 10**9), min_size=len(again), max_size=len(again)))
    end_ns = case.until_ns + 10**9
    late = [
        replace(each, arrives_ns=min(each.arrives_ns + delay, end_ns))
        for each, delay in zip(again, delays, strict=True)
    ]
    rest = [each for each in case.told if not isinstance(each.what, StageEvent)]
    worlds = [World(told, ORDERS.flow) for told in (case.told, [*late, *rest, *again[:2]])]
    for world in worlds:
        world.move(end_ns)
    rules = [rule for rule in ORDERS.rules.rules if rule.name in case.rules]
    first, second = ({(f.rule, f.subject): f for rule in rules for f in world.findings(rule)} for world in worlds)
    assert first == second


SPAN = SpanTold("a", "GET /x", "server", 0, 50, "E", 500, "", {"k": "v"})


@pytest.mark.parametrize(
    ("condition", "meets"),
    [
        (SpanCondition(), True),
        (SpanCondition(("a",), ("GET*",), ("server",), True, 500, 599, 49, {"k": ""}), True),
        (SpanCondition(services=("b",)), False),
        (SpanCondition(operations=("GET",)), False),
        (SpanCondition(work=("database",)), False),
        (SpanCondition(http_from=400, http_to=499), False),
        (SpanCondition(longer_than_ns=50), False),
        (SpanCondition(where={"k": "w"}), False),
        (SpanCondition(where={"other": ""}), False),
    ],
)
def test_a_span_of_a_case_meets_conditions_as_stored_ones_do(condition, meets):
    assert SPAN.meets(condition) is meets


STORY = """cases: mine
play:
  it waits:
    rules: [stuck]
    events:
      - {at: 0m, order: A-1, stage: SUBMITTED, path: b2c, service: shop-api}
    until: 1h
"""


def run(tmp_path, text, *options):
    file = tmp_path / "cases.yaml"
    file.write_text(text)
    return CliRunner().invoke(command, ["test", str(file), *options])


def test_the_command_tells_what_was_not_expected_and_what_is_missing(tmp_path):
    done = run(
        tmp_path,
        STORY + '    alerts: [{rule: stuck, subject: "order:A-2", from: 5m, to: 10m}]\n    incidents: {stuck: 2}\n',
    )
    assert done.exit_code == 1
    assert "missing: stuck order:A-2 from 5m to 10m" in done.output
    assert "not expected: stuck order:A-1 from 30m on: order A-1 is stuck in SUBMITTED for 30 min" in done.output
    assert "1 incidents of stuck, not 2" in done.output
    assert done.output.endswith("1 case, 1 of them not as expected\n")


def test_an_alert_at_another_moment_is_told_once(tmp_path):
    done = run(tmp_path, STORY + '    alerts: [{rule: stuck, subject: "order:A-1", from: 20m}]\n')
    assert "missing: stuck order:A-1 from 20m on (it came from 30m on)" in done.output
    assert "not expected" not in done.output


def test_the_command_is_content_when_all_came_and_tells_it_when_asked(tmp_path):
    done = run(tmp_path, STORY + '    alerts: [{rule: stuck, subject: "order:A-1", from: 30m}]\n', "-v")
    assert (done.exit_code, done.output.splitlines()[0]) == (0, "as expected: it waits")
    assert "stuck order:A-1 from 30m on: order A-1 is stuck" in done.output
    assert CliRunner().invoke(command, ["test"]).exit_code == 2


@pytest.mark.parametrize(
    ("old", "new", "line", "cause"),
    [
        ("rules: [stuck]", "rules: [stock]", 4, "'stock' is no rule of these"),
        ("at: 0m", "at: soon", 6, "'soon' is not a length of time"),
        ("stage: SUBMITTED", "stge: SUBMITTED", 6, "unknown key 'stge'"),
        ("order: A-1, ", "", 6, "an event of nothing"),
        ("until: 1h", "until: 1h\n    alerts: [{rule: stuck}]", 8, "no subject"),
        ("until: 1h", "until: 1h\n    incidents: {stuck: many}", 8, "'many' is no number"),
        ("play:", "begin: yesterday\nplay:", 2, "'yesterday' is no moment"),
        ("order: A-1", "span: GET, work: sever", 6, "'sever' is no work"),
        ("order: A-1, stage: SUBMITTED, path: b2c", "count: cancelt", 6, "'cancelt' is not known"),
    ],
)
def test_a_mistake_in_a_case_is_named_with_its_line(tmp_path, old, new, line, cause):
    assert old in STORY
    file = tmp_path / "cases.yaml"
    file.write_text(STORY.replace(old, new))
    with pytest.raises(RulesError) as error:
        load_cases(file)
    assert any(each.line == line and cause in each.cause for each in error.value.problems), error.value.problems


def test_rules_and_flow_may_lie_beside_the_cases(tmp_path):
    (tmp_path / "rules.yaml").write_text("rules: r\nalerts: {late: {in_stage: {longer_than: 5m}}}\n")
    text = STORY.replace("play:", "rules: rules.yaml\nplay:").replace("[stuck]", "[late]")
    done = run(tmp_path, text + '    alerts: [{rule: late, subject: "order:A-1", from: 5m}]\n')
    assert done.exit_code == 0, done.output

    (tmp_path / "rules.yaml").write_text("rules: r\nalerts: {late: {in_stage: {longer_than: soon}}}\n")
    done = run(tmp_path, text)
    assert f"{tmp_path / 'rules.yaml'} has 1 mistake" in done.output
    assert "longer_than: soon" in done.output
    (tmp_path / "rules.yaml").unlink()
    assert "rules.yaml has 1 mistake" in run(tmp_path, text).output


def invoke(*arguments, **env):
    nobody = {"CLEW_URL": "http://127.0.0.1:1", "COLUMNS": "200"}
    return CliRunner().invoke(command, [*map(str, arguments)], env=nobody | env)


def test_check_and_show_need_no_server(tmp_path):
    assert "25 rules, 1 of them only tried" in invoke("check").output
    assert invoke("show", "--shipped").output.startswith("# What the jeweller wants")
    shown = invoke("show").output
    assert shown.startswith(
        "no Clew answers at http://127.0.0.1:1; one that is started here watches by: those that ship"
    )
    mine = tmp_path / "rules.yaml"
    mine.write_text("rules: r\nalerts: {mine: {orders: {verdicts: [stuck]}}}\n")
    assert f"watches by: {mine}" in invoke("show", CLEW_RULES=str(mine)).output
    assert json.loads(invoke("show", "--json", CLEW_RULES=str(mine)).output)["rules"][0]["name"] == "mine"
    assert invoke("show", mine).output.startswith(str(mine))
    mine.write_text("rules: r\nalerts: {a: {orders: {verdicts: [stock]}}}\n")
    done = invoke("check", mine)
    assert (done.exit_code, "mend: did you mean 'stuck'?" in done.output) == (1, True)


def test_rules_are_checked_against_the_flow_of_the_settings(tmp_path):
    flow, rules = tmp_path / "flow.yaml", tmp_path / "rules.yaml"
    flow.write_text(default_flow_text().replace("PRICE_CALCULATED", "PRICED").replace("\nflow: ", "\nflow: my-", 1))
    rules.write_text("rules: r\nalerts: {a: {in_stage: {longer_than: 1h, stages: [PRICED]}}}\n")
    assert "PRICED" in invoke("check", CLEW_RULES=str(rules)).output
    done = invoke("check", CLEW_RULES=str(rules), CLEW_FLOW=str(flow))
    assert (done.exit_code, "declared by my-" in done.output) == (0, True), done.output


def test_policies_that_rules_name_must_be_declared(tmp_path):
    rules, notify = tmp_path / "rules.yaml", tmp_path / "notify.yaml"
    rules.write_text("rules: r\nalerts: {a: {clew: , policy: urgnt}}\n")
    notify.write_text("notify: n\npolicies: {urgent: {steps: []}}\n")
    done = CliRunner().invoke(command, ["check", str(rules), "--notify", str(notify)])
    assert (done.exit_code, "mend: did you mean 'urgent'?" in done.output) == (1, True)
    notify.write_text("notify: n\n")
    done = CliRunner().invoke(command, ["check", str(rules), "--notify", str(notify)])
    assert "declare it in the file" in done.output
    assert CliRunner().invoke(command, ["check", str(rules)]).exit_code == 0
