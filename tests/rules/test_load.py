"""Rules from YAML: the shipped ones, every shape, and every mistake with its line and mend."""

import pytest

from clew.flow import default_flow
from clew.model.errors import RulesError
from clew.model.journey import DeviationKind, LostReason, VerdictKind
from clew.model.rule import (
    BurnRate,
    BurnWindow,
    By,
    Deviates,
    Explanation,
    InStage,
    Judged,
    NotReached,
    OnHold,
    OrderFilter,
    Pipeline,
    PipelineTrouble,
    ProjectedLate,
    QueueWaits,
    SeriesKind,
    Severity,
    Silence,
    Slow,
    SourceKind,
    SpanCondition,
    SpansSeen,
    Surge,
    TooEarly,
)
from clew.rules import default_rules, default_rules_text, load_rules, parse_rules
from clew.rules.shapes import NAMES, SHAPES

SECOND, MINUTE = 10**9, 60 * 10**9
HOUR, DAY = 60 * MINUTE, 24 * 60 * MINUTE


def rules(body, head="rules: r\nalerts:\n"):
    return parse_rules(head + "".join(f"  {line}\n" for line in body.splitlines()), "r.yaml", [default_flow()])


def test_the_shipped_rules_are_right_for_the_shipped_flow_and_watch_every_thing():
    shipped = parse_rules(default_rules_text(), "jeweller.yaml", [default_flow()], ["urgent"])
    assert shipped == default_rules()
    assert {type(rule.shape) for rule in shipped.rules} >= set(NAMES) - {InStage}
    verdicts = {kind for rule in shipped.rules if isinstance(rule.shape, Judged) for kind in rule.shape.verdicts}
    assert verdicts == {VerdictKind.STUCK, VerdictKind.IN_JEOPARDY, VerdictKind.LOST, VerdictKind.FAILED}
    reasons = {each for rule in shipped.rules if isinstance(rule.shape, Judged) for each in rule.shape.lost_reasons}
    assert reasons == set(LostReason)


def test_every_shipped_rule_has_a_title_and_groups_what_one_cause_breaks():
    assert [rule.name for rule in default_rules().rules if not rule.title or not rule.group_by] == []


@pytest.mark.parametrize(
    ("written", "shape"),
    [
        ("orders: {verdicts: [lost], lost_reasons: expired}", Judged((VerdictKind.LOST,), (LostReason.EXPIRED,))),
        (
            "in_stage: {longer_than: 30m, stages: SUBMITTED, paths: [b2c], flows: jeweller}",
            InStage(30 * MINUTE, None, OrderFilter(("jeweller",), ("SUBMITTED",), ("b2c",))),
        ),
        ("in_stage: {used: 90%}", InStage(None, 0.9)),
        ("not_reached: {stage: SHIPPED, within: 5d, of: SUBMITTED}", NotReached("SHIPPED", 5 * DAY, "SUBMITTED")),
        ("not_reached: {stage: SHIPPED, before_due: 1d}", NotReached("SHIPPED", -DAY)),
        ("not_reached: {stage: CLOSED, after_due: 0s}", NotReached("CLOSED", 0)),
        ("too_early: {stage: SHIPPED, within: 1h, of: SUBMITTED}", TooEarly("SHIPPED", HOUR, "SUBMITTED")),
        ("too_early: {stage: SHIPPED, before_due: 9d}", TooEarly("SHIPPED", 9 * DAY)),
        ("on_hold: {before_due: 2d}", OnHold(None, 2 * DAY)),
        ("projected_late: {margin: 2h, share: 0.4}", ProjectedLate(2 * HOUR, 0.4)),
        ("deviations: {kinds: skipped, at: SUBMITTED}", Deviates((DeviationKind.SKIPPED,), ("SUBMITTED",))),
        (
            "spans: {services: a, operations: [GET /x, 'P*'], http: 500-503, where: {k: v, w: }, by: [service, operation]}",
            SpansSeen(
                SpanCondition(("a",), ("GET /x", "P*"), (), False, 500, 503, 0, {"k": "v", "w": ""}),
                5 * MINUTE,
                1,
                (By.SERVICE, By.OPERATION),
            ),
        ),
        (
            "slow: {work: database, quantile: 99%, above: 250ms, window: 10m, at_least: 20}",
            Slow(SpanCondition(work=("database",)), 0.99, 250_000_000, 10 * MINUTE, 20),
        ),
        ("surge: {of: stage, stage: SHIPPED, times: 3}", Surge(SeriesKind.STAGE, "SHIPPED", times=3.0)),
        (
            "burn_rate: {bad: {errors_only: true}, goal: 99%, windows: {long: 2h, short: 10m, rate: 5}}",
            BurnRate(SpanCondition(), SpanCondition(errors_only=True), 0.99, (BurnWindow(2 * HOUR, 10 * MINUTE, 5.0),)),
        ),
        ("silence: {source: sender, except: [a]}", Silence(SourceKind.SENDER, 1.5, 3 * MINUTE, (), ("a",))),
        ("queue: {longer_than: 10m, at_least: 3, queues: q}", QueueWaits(10 * MINUTE, 3, ("q",))),
        ("clew: {troubles: [behind], behind: 2m}", Pipeline((PipelineTrouble.BEHIND,), 2 * MINUTE)),
        ("clew:", Pipeline()),
    ],
)
def test_a_shape_is_read(written, shape):
    [rule] = rules(f"a:\n  {written}").rules
    assert rule.shape == shape


def test_every_shape_has_a_name_and_a_reader():
    assert set(NAMES.values()) == set(SHAPES)


def test_common_keys_are_read_and_defaults_stand_in():
    head = """rules: r
version: 7
hours: {office: {zone: Europe/Berlin, on: mon-fri, from: "08:00", to: "18:00"}}
defaults: {severity: warning, owner: care, runbook: "https://run.example/x", labels: {team: a}, policy: p}
alerts:
"""
    body = """a:
  slow: {above: 1s}
  severity: critical
  title: "{service}: {team}"
  labels: {team: b, site: c}
  for: 5m
  hits: 3 of 5
  keep_firing: 10m
  recover_below: 800ms
  hours: office
  group_by: [service, site]
  explained_by: [b]
  notifies: false
b:
  clew:
"""
    found = rules(body, head)
    a, b = found.rules
    assert (found.name, found.version) == ("r", 7)
    assert (a.severity, a.labels, a.owner, a.policy) == (Severity.CRITICAL, {"team": "b", "site": "c"}, "care", "p")
    assert (a.for_ns, a.hits, a.looks, a.keep_firing_ns, a.recover_below) == (5 * MINUTE, 3, 5, 10 * MINUTE, 0.8)
    assert (a.group_by, a.explained_by, a.notifies) == (("service", "site"), (Explanation("b"),), False)
    assert a.hours is not None
    assert a.hours.name == "office"
    assert (b.severity, b.labels, b.runbook, b.hours) == (
        Severity.WARNING,
        {"team": "a"},
        "https://run.example/x",
        None,
    )


MISTAKES = [
    ("a:\n  order: {verdicts: [stuck]}", 4, "unknown key 'order'", "did you mean 'orders'?"),
    ("a:\n  severity: error", 3, "the rule looks for nothing", "orders, in_stage"),
    ("a:\n  clew:\n  queue: {longer_than: 1m}", 5, "clew and queue in one rule", "write one of"),
    ("a:\n  orders: {verdicts: [stock]}", 4, "'stock' is not known here", "did you mean 'stuck'?"),
    ("a:\n  orders: {}", 4, "no verdicts", "verdicts: [stuck]"),
    ("a:\n  orders: {verdicts: [stuck], lost_reasons: [expired]}", 4, "reasons of a loss", "add lost"),
    ("a:\n  in_stage: {stages: [SUBMITTED]}", 4, "none of longer_than, used is here", "write one of"),
    ("a:\n  in_stage: {longer_than: 1h, used: 80%}", 4, "longer_than and used at once", "write one of"),
    ("a:\n  in_stage: {longer_than: 30 min}", 4, "'30 min' is not a length of time", "30m"),
    ("a:\n  in_stage: {longer_than: 0s}", 4, "above zero", "30m"),
    ("a:\n  in_stage: {used: 120%}", 4, "'120%' is not a share", "95%"),
    ("a:\n  in_stage: {used: 80%, stages: [CLOSED]}", 4, "CLOSED has no limit", "longer_than"),
    ("a:\n  in_stage: {longer_than: 1h, stages: [SUBMITED]}", 4, "'SUBMITED' is no stage", "did you mean 'SUBMITTED'?"),
    ("a:\n  in_stage: {longer_than: 1h, paths: [b2d]}", 4, "'b2d' is no path", "did you mean 'b2c'?"),
    ("a:\n  in_stage: {longer_than: 1h, flows: [jeweler]}", 4, "'jeweler' is no flow", "did you mean 'jeweller'?"),
    ("a:\n  not_reached: {stage: SHIPPED, within: 1h}", 4, "nothing that it counts from", "'of'"),
    ("a:\n  not_reached: {stage: SHIPPED, of: SUBMITTED, after_due: 1h}", 4, "the due date counts", "remove 'of'"),
    ("a:\n  not_reached: {stage: SHIPED, before_due: 1d}", 4, "'SHIPED' is no stage", "did you mean 'SHIPPED'?"),
    ("a:\n  too_early: {within: 1h, of: SUBMITTED}", 4, "no stage", "stage: SHIPPED"),
    ("a:\n  deviations: {at: [SHIPED]}", 4, "'SHIPED' is no stage", "did you mean 'SHIPPED'?"),
    ("a:\n  spans: {services: [x]}\n  for: 5 m", 5, "'5 m' is not a length of time", "30m"),
    ("a:\n  spans: {window: 5m}", 4, "no condition", "errors_only"),
    ("a:\n  spans: {work: databse}", 4, "'databse' is no work of a span", "database"),
    ("a:\n  spans: {http: 6xx}", 4, "'6xx' is no HTTP status", "5xx, 503"),
    ("a:\n  spans: {operations: 'a*b'}", 4, "'*' is read at the end only", "then '*'"),
    ("a:\n  spans: {errors_only: yes}", 4, "'yes' is neither true nor false", "true"),
    ("a:\n  spans: {http: 5xx, window: 2h}", 4, "longer than 1h", "burn rate"),
    ("a:\n  slow: {work: database}", 4, "no bound", "above: 1s"),
    ("a:\n  slow: {above: 1s}\n  recover_below: 2s", 5, "above the bound 1", "lower"),
    ("a:\n  slow: {above: 1s}\n  recover_below: 2", 5, "not what this rule measures", "800ms"),
    ("a:\n  clew:\n  recover_below: 2", 5, "measures nothing that could fall", "remove"),
    ("a:\n  surge: {of: cancelled, stage: SHIPPED}", 4, "'stage' goes with 'of: stage'", "not otherwise"),
    ("a:\n  surge: {of: spans}", 4, "'spans' goes with 'of: spans'", "write 'spans'"),
    ("a:\n  surge: {times: 2}", 4, "nothing to count", "of: cancelled"),
    ("a:\n  burn_rate: {bad: {http: 5xx}}", 4, "no goal", "99.9%"),
    ("a:\n  burn_rate: {goal: 99%}", 4, "nothing says which spans are bad", "http: 5xx"),
    (
        "a:\n  burn_rate: {goal: 99%, bad: {where: {a: b}}, windows: [{long: 3d, short: 6h, rate: 1}]}",
        4,
        "counted from minutes",
        "shorter windows",
    ),
    (
        "a:\n  burn_rate: {goal: 99%, bad: {http: 5xx}, windows: [{long: 5m, short: 1h, rate: 1}]}",
        4,
        "isn't shorter",
        "a twelfth",
    ),
    ("a:\n  queue: {}", 4, "no time to wait", "10m"),
    ("a:\n  clew: {troubles: [behnd]}", 4, "'behnd' is not known", "did you mean 'behind'?"),
    ("a:\n  clew:\n  hits: 3/5", 5, "'3/5' doesn't say", "3 of 5"),
    ("a:\n  clew:\n  hits: 6 of 5", 5, "6 hits of 5 looks", "3 of 5"),
    ("a:\n  clew:\n  severity: fatal", 5, "'fatal' is not known", "critical"),
    ("a:\n  clew:\n  title: '{servise}'", 5, "no label 'servise'", "trouble"),
    ("a:\n  clew:\n  title: '{trouble'", 5, "a brace", "write {label}"),
    ("a:\n  queue: {longer_than: 1m}\n  group_by: [queu]", 5, "no label 'queu'", "did you mean 'queue'?"),
    ("a:\n  clew:\n  labels: {severity: x}", 5, "'severity' is Clew's own label", "another name"),
    ("a:\n  clew:\n  hours: night", 5, "no hours 'night'", "hours"),
    ("a:\n  clew:\n  explained_by: [a]", 5, "can't explain itself", "remove"),
    ("dead:\n  clew:\na:\n  clew:\n  explained_by: [daed]", 7, "'daed' is no rule", "did you mean 'dead'?"),
    ("b:\n  clew:\na:\n  clew:\n  explained_by: [{rule: b, equal: [queue]}]", 7, "don't both have", "trouble"),
    ("b:\n  clew:\n  explained_by: [a]\na:\n  clew:\n  explained_by: [b]", 5, "in a circle", "remove one"),
    ("a b!:\n  clew:", 3, "'a b!' can't be a name", "letters"),
    ("a:\n  clew:\n  policy: urgnt", 5, "no policy 'urgnt'", "did you mean 'urgent'?"),
]


@pytest.mark.parametrize(("body", "line", "cause", "mend"), MISTAKES, ids=[each[2] for each in MISTAKES])
def test_a_mistake_is_named_with_line_cause_and_mend(body, line, cause, mend):
    text = "rules: r\nalerts:\n" + "".join(f"  {each}\n" for each in body.splitlines())
    with pytest.raises(RulesError) as error:
        parse_rules(text, "r.yaml", [default_flow()], ["urgent"])
    assert any(
        each.line == line and each.column > 0 and cause in each.cause and mend in each.mend
        for each in error.value.problems
    ), error.value.problems


def test_all_mistakes_are_told_at_once_and_one_slip_causes_no_others():
    with pytest.raises(RulesError) as error:
        rules("a:\n  orders: {verdict: [stuck]}\n  severty: error\nb:\n  queue: {longer_than: soon}")
    assert [each.key for each in error.value.problems] == [
        "alerts.a.orders.verdict",
        "alerts.a.severty",
        "alerts.b.queue.longer_than",
    ]
    assert str(error.value).startswith("r.yaml has 3 mistakes:\nline 4: alerts.a.orders.verdict: unknown key")


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("", "the file is empty"),
        ("- a", "not a rules file"),
        ("rules: r", "no rules"),
        ("alerts: {a: {clew: }}", "no name"),
        ("a: [", "not YAML"),
        ("rules: r\nalerts: {a: {clew: }, a: {clew: }}", "'a' is here twice"),
    ],
)
def test_a_text_that_is_no_rules_file_says_so(text, cause):
    with pytest.raises(RulesError, match=cause):
        parse_rules(text)


def test_a_file_that_cannot_be_read_is_a_mistake_like_others(tmp_path):
    with pytest.raises(RulesError, match="can't be read"):
        load_rules(tmp_path / "missing.yaml")
    (tmp_path / "rules.yaml").write_text("rules: r\nalerts: {a: {clew: }}\n")
    assert [rule.name for rule in load_rules(tmp_path / "rules.yaml").rules] == ["a"]
