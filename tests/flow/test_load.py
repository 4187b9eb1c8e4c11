import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clew.flow import default_flow, format_problems, load_flow, parse_flow, render_flow
from clew.model.errors import FlowError
from clew.model.flow import ANY_PATH, Limit, StageRule, Terminal

MINUTE = 60 * 1_000_000_000

GOOD = """\
flow: rings
version: 3
singular: ring
plural: rings
paths:
  shop: [ORDERED]
  partner: [MADE]
stages:
  ORDERED:
    service: shop
    owner: Anna
    limit: 30m
    warn: 10m before
    next: [MADE]
    rules:
      - service: shop
        span: POST /orders*
        where: {http.response.status_code: 201, retried: }
        status: ok
        order_url: /orders/(\\d+)
  MADE:
    limit: {shop: 1h, partner: 2h}
    warn: {shop: 50%, partner: 90m}
    next: SOLD
  SOLD: {terminal: closed}
transit: {"*": 5m, bench: 90s}
holds: {limit: 3d}
due: {warn: 1d}
accept: ["skipped:ORDERED", "out_of_sequence:SOLD>MADE"]
"""


def problems_of(text):
    with pytest.raises(FlowError) as caught:
        parse_flow(text)
    return caught.value.problems


def test_everything_in_a_flow_is_read():
    flow = parse_flow(GOOD)
    assert (flow.name, flow.version, flow.singular, flow.plural) == ("rings", 3, "ring", "rings")
    assert flow.paths == {"shop": ("ORDERED",), "partner": ("MADE",)}
    ordered, made, sold = flow.stages
    assert ordered.limits == {ANY_PATH: Limit(30 * MINUTE, 20 * MINUTE)}
    assert (ordered.owner, ordered.service, ordered.next) == ("Anna", "shop", ("MADE",))
    assert ordered.rules == (
        StageRule(
            stage="ORDERED",
            service="shop",
            span="POST /orders*",
            where={"http.response.status_code": "201", "retried": ""},
            status="ok",
            order_attribute="",
            order_url=r"/orders/(\d+)",
        ),
    )
    assert made.limits == {"shop": Limit(60 * MINUTE, 30 * MINUTE), "partner": Limit(120 * MINUTE, 90 * MINUTE)}
    assert made.next == ("SOLD",)
    assert sold.terminal is Terminal.CLOSED
    assert flow.transit_limits == {"*": 5 * MINUTE, "bench": 90 * 1_000_000_000}
    assert flow.hold_limit_ns == 3 * 24 * 60 * MINUTE
    assert flow.due_margin_ns == 24 * 60 * MINUTE
    assert flow.accepted == {"skipped:ORDERED", "out_of_sequence:SOLD>MADE"}


def test_the_least_a_flow_needs_is_a_name_and_a_way_to_an_end():
    flow = parse_flow("flow: f\nstages: {A: {next: [B]}, B: {terminal: cancelled}}")
    assert flow.paths == {"default": ("A",)}
    assert flow.stages[0].limits == {}


def test_a_limit_without_a_warning_warns_at_four_fifths():
    flow = parse_flow("flow: f\nstages: {A: {next: [B], limit: 10m}, B: {terminal: closed}}")
    assert flow.stages[0].limits == {ANY_PATH: Limit(10 * MINUTE, 8 * MINUTE)}


def test_words_that_yaml_takes_for_truth_or_numbers_stay_words():
    flow = parse_flow("flow: no\nstages: {NO: {next: [1.0]}, 1.0: {terminal: closed}}")
    assert (flow.name, [stage.name for stage in flow.stages]) == ("no", ["NO", "1.0"])


def test_anchors_and_merges_are_followed():
    text = "flow: f\nstages:\n  A: &a {limit: 5m, next: [B]}\n  B: {<<: *a, next: [C]}\n  C: {terminal: closed}\n"
    a, b, _ = parse_flow(text).stages
    assert (a.limits, a.next, b.next) == (b.limits, ("B",), ("C",))


STAGES = "flow: f\nstages:\n  A: {next: [B]}\n  B: {terminal: closed}\n"


@pytest.mark.parametrize(
    ("text", "line", "column", "key", "cause", "mend"),
    [
        ("", 1, 1, "", "the file is empty", "declare stages"),
        ("- a\n", 1, 1, "", "not a flow", "flow: NAME"),
        ("flow: [a\n", 2, 1, "", "not YAML", "check indentation"),
        ("flow: f\n\tstages: 1", 2, 1, "", "not YAML", "check indentation"),
        (STAGES + "---\nflow: g\n", 5, 1, "", "more than one flow", "one flow a file"),
        ("flow: f\n", 1, 1, "stages", "no stages", "declare"),
        ("flow: f\nstages: {A: {next: [B]}, B: {next: [A]}}", 2, 1, "stages", "no terminal stage", "terminal: closed"),
        ("flow: f\nstages: {'': {terminal: closed}}", 2, 10, "stages.", "an empty name", "printable"),
        ("flow: f\nstages: {'a>b': {terminal: closed}}", 2, 10, "stages.a>b", "can't be a name", "without '>'"),
        (STAGES + "paths: {'p(1)': [A]}\n", 5, 9, "paths.p(1)", "can't be a name", "letters"),
        (STAGES + "transit: {'': 5m}\n", 5, 1, "transit", "an empty destination", "'*' for all"),
        (STAGES.replace("flow: f", "version: 1"), 1, 1, "flow", "no name", "flow: jeweller"),
        (STAGES.replace("flow: f", "flow: 'a:b'"), 1, 1, "flow", "can't be a name", "letters"),
        (STAGES + "transitt: 5m\n", 5, 1, "transitt", "unknown key", "did you mean 'transit'?"),
        (STAGES + "zzz: 5m\n", 5, 1, "zzz", "unknown key", "known here: flow, version"),
        (STAGES + "flow: g\n", 5, 1, "flow", "here twice", "keep one"),
        (STAGES + "version: two\n", 5, 10, "version", "not a whole number", "example 1"),
        (STAGES + "version: 0\n", 5, 10, "version", "not a whole number", "example 1"),
        (STAGES + "singular: [ring]\n", 5, 11, "singular", "one value", "one line"),
        (STAGES + "  B: {terminal: closed}\n", 5, 3, "stages.B", "here twice", "keep one"),
        (STAGES + "  ? [x]\n  : {}\n", 5, 5, "stages", "plain text", "one word"),
        (STAGES.replace("next: [B]", "next: [B], nxt: [B]"), 3, 18, "stages.A.nxt", "unknown key", "'next'"),
        (STAGES.replace("[B]", "[B, BB]"), 3, 17, "stages.A.next[1]", "not a stage", "did you mean 'B'?"),
        (STAGES.replace("[B]", "[B, B]"), 3, 17, "stages.A.next[1]", "in the list twice", "keep one"),
        (STAGES.replace("[B]", "[B, A]"), 3, 17, "stages.A.next[1]", "can't follow itself", "remove"),
        (STAGES.replace("[B]", "[B, ~]"), 3, 17, "stages.A.next[1]", "empty item", "remove"),
        (STAGES + "  C: {terminal: closed}\n", 5, 3, "stages.C", "no order can reach", "'next'"),
        (STAGES.replace("[B]", "[B, C]") + "  C: {}\n", 5, 3, "stages.C", "dead end", "terminal: closed"),
        (STAGES.replace("closed", "close"), 4, 17, "stages.B.terminal", "no way to end", "did you mean 'closed'?"),
        (STAGES.replace("closed", "closed, next: [A]"), 4, 25, "stages.B.next", "terminal stage has no next", "remove"),
        (STAGES.replace("closed", "closed, limit: 5m"), 4, 25, "stages.B.limit", "no limit", "remove"),
        (STAGES.replace("[B]", "[B], limit: 5x"), 3, 25, "stages.A.limit", "not a length of time", "30m"),
        (STAGES.replace("[B]", "[B], limit: 0s"), 3, 25, "stages.A.limit", "above zero", "30m"),
        (STAGES.replace("[B]", "[B], limit: "), 3, 24, "stages.A.limit", "missing", "30m"),
        (STAGES.replace("[B]", "[B], limit: {z: 5m}"), 3, 26, "stages.A.limit.z", "not a path", "known here: default"),
        (STAGES.replace("[B]", "[B], warn: 5m"), 3, 24, "stages.A.warn", "without a limit", "give the stage a limit"),
        (STAGES.replace("[B]", "[B], limit: 5m, warn: 5m"), 3, 35, "stages.A.warn", "not inside", "80%"),
        (STAGES.replace("[B]", "[B], limit: 5m, warn: 6m before"), 3, 35, "stages.A.warn", "not inside", "80%"),
        (STAGES.replace("[B]", "[B], limit: 5m, warn: 100%"), 3, 35, "stages.A.warn", "not a share", "80%"),
        (STAGES.replace("[B]", "[B], limit: 5m, warn: soon"), 3, 35, "stages.A.warn", "not a length", "80%"),
        (STAGES + "paths: {p: [X]}\n", 5, 13, "paths.p[0]", "not a stage", "known here: A, B"),
        (STAGES + "paths: {p: []}\n", 5, 9, "paths.p", "no entry stage", "begin"),
        (STAGES + "transit: {q: long}\n", 5, 14, "transit.q", "not a length of time", "90s"),
        (STAGES + "holds: {limt: 5m}\n", 5, 9, "holds.limt", "unknown key", "did you mean 'limit'?"),
        (STAGES + "due: {warn: soon}\n", 5, 13, "due.warn", "not a length of time", "90s"),
        (STAGES + "accept: [often]\n", 5, 10, "accept.often", "no deviation", "skipped:STAGE"),
        (STAGES + "accept: ['skipped:X']\n", 5, 10, "accept.skipped:X", "'X' is not a stage", "known here: A, B"),
        (STAGES + "accept: ['out_of_sequence:B>X']\n", 5, 10, "accept.out_of_sequence:B>X", "'X' is", "known here"),
        (STAGES + "accept: [skipped:A, skipped:A]\n", 5, 21, "accept[1]", "in the list twice", "keep one"),
        (STAGES + "accept: [skipped:A, ~]\n", 5, 21, "accept[1]", "empty item", "remove"),
        (STAGES + "accept: [{reason: why}]\n", 5, 10, "accept[0].deviation", "itself is missing", "skipped:STAGE"),
        (STAGES + "accept: [{deviation: often}]\n", 5, 22, "accept.often", "no deviation", "skipped:STAGE"),
        (STAGES + "accept: [{deviation: 'skipped:A', who: ann}]\n", 5, 35, "accept[0].who", "unknown key", "author"),
        (STAGES + "accept: [{deviation: 'skipped:A', expires: soon}]\n", 5, 44, "accept[0].expires", "no date", "2027"),
        (
            STAGES + "accept: [{deviation: 'skipped:A', expires: 2027-02-30}]\n",
            5,
            44,
            "accept[0].expires",
            "no date of the calendar",
            "2027-01-01",
        ),
        ("flow: '\0'", 1, 1, "", "not YAML", "quotes"),
        ("[" * 5000, 1, 1, "", "nested too deeply", "five levels"),
    ],
)
def test_a_mistake_is_named_with_line_column_key_cause_and_mend(text, line, column, key, cause, mend):
    problems = problems_of(text)
    found = [each for each in problems if (each.line, each.column, each.key) == (line, column, key)]
    assert found, problems
    assert any(cause in each.cause and mend in each.mend for each in found), found


@pytest.mark.parametrize(
    ("rule", "key", "cause"),
    [
        ("{}", "", "no condition"),
        ("{span: '*'}", "", "no condition"),
        ("{status: error}", "", "no condition"),
        ("{span: 'a*b'}", ".span", "'*' is read at the end only"),
        ("{span: a, status: bad}", ".status", "'bad' is no status"),
        ("{span: a, outcome: bad}", ".outcome", "'bad' is no outcome"),
        ("{span: a, path: bad}", ".path", "not a path"),
        ("{span: a, were: {b: c}}", ".were", "unknown key"),
        ("{span: a, where: {'': c}}", ".where", "empty attribute name"),
        ("{span: a, order_url: '/(a', }", ".order_url", "not a regular expression"),
        ("{span: a, order_url: '/a'}", ".order_url", "0 capture groups"),
        ("{span: a, order_url: '(a)/(b)'}", ".order_url", "2 capture groups"),
        ("{span: a, order_url: '(?=a)(b)'}", ".order_url", "look-around"),
        ("{span: a, order_url: '(b)', order_attribute: x}", ".order_url", "two places"),
    ],
)
def test_a_wrong_rule_is_named(rule, key, cause):
    problems = problems_of(STAGES.replace("next: [B]", f"next: [B], rules: [{rule}]"))
    assert [each.key for each in problems] == [f"stages.A.rules[0]{key}"]
    assert cause in problems[0].cause
    assert problems[0].line == 3


LINES = GOOD.splitlines()
WORDS = st.sampled_from([*"{}[]:,#&*~|>'\"%\t\0", "  ", "- ", "<<: *a", "&a ", "5m", "MADE", "next: ", "é"])


@st.composite
def slips(draw):
    """The good flow with some lines dropped, doubled, moved, or with a word put somewhere into them."""
    lines = list(LINES)
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(lines) - 1))
        column = draw(st.integers(0, len(lines[at])))
        word = lines[at][:column] + draw(WORDS) + lines[at][column:]
        lines[at : at + 1] = draw(st.sampled_from([[], [lines[at]] * 2, [word], [lines[at][:column]]])) or [""]
    return "\n".join(lines)


def flow_or_problems(text):
    try:
        return parse_flow(text), ()
    except FlowError as error:
        return None, error.problems


@settings(deadline=None)
@given(slips())
def test_whatever_the_slips_the_answer_is_a_flow_or_its_mistakes(text):
    flow, problems = flow_or_problems(text)
    if flow is not None:
        assert parse_flow(render_flow(flow)) == flow
    else:
        assert problems
        assert all(1 <= each.line <= len(text.split("\n")) + 1 and each.cause for each in problems)
        assert format_problems(problems, text)


def test_all_mistakes_are_named_at_once_and_one_slip_causes_no_second_message():
    text = """\
flow: f
pahts: {b2c: [FIRST]}
stages:
  FIRST: {nxt: [SECOND], limit: 3x}
  SECOND: {next: [THRID], limit: 5m, warn: 9m before}
  THIRD: {terminal: closed, limit: 5m}
  FOURTH: {terminal: closed}
"""
    assert [(each.line, each.key) for each in problems_of(text)] == [
        (2, "pahts"),
        (4, "stages.FIRST.nxt"),
        (4, "stages.FIRST.limit"),
        (5, "stages.SECOND.next[0]"),
        (5, "stages.SECOND.warn"),
        (6, "stages.THIRD.limit"),
        (7, "stages.FOURTH"),
    ]


def test_the_message_of_the_error_lists_the_mistakes():
    with pytest.raises(
        FlowError, match=r"shop.yaml has 2 mistakes:\nline 3: stages.A.limit: .*\nline 5: zzz: "
    ) as caught:
        parse_flow(STAGES.replace("[B]", "[B], limit: x") + "zzz: 1\n", "shop.yaml")
    assert len(caught.value.problems) == 2


def test_problems_are_shown_below_the_line_they_are_in():
    text = STAGES.replace("[B]", "[BB]")
    assert format_problems(problems_of(text)[:1], text) == (
        "line 3, column 14: stages.A.next[0]\n"
        "  3 |   A: {next: [BB]}\n"
        "                   ^\n"
        "  'BB' is not a stage of this flow\n"
        "  mend: did you mean 'B'?"
    )


def test_a_file_that_is_not_there_or_not_text_is_a_flow_error(tmp_path):
    with pytest.raises(FlowError, match="can't be read"):
        load_flow(tmp_path / "none.yaml")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(FlowError, match="can't be read"):
        load_flow(tmp_path / "bytes.yaml")


def test_a_flow_is_loaded_from_its_file(tmp_path):
    (tmp_path / "rings.yaml").write_text(GOOD, encoding="utf-8")
    assert load_flow(tmp_path / "rings.yaml") == parse_flow(GOOD)


def test_the_shipped_flow_is_the_jewellers():
    flow = default_flow()
    assert [stage.name for stage in flow.stages] == [
        "INITIATED",
        "FILE_UPLOADED",
        "SUBMITTED",
        "PRICE_CALCULATED",
        "MANUFACTURING_APPROVED",
        "MANUFACTURING_STARTED",
        "MANUFACTURING_COMPLETED",
        "PACKAGING",
        "SHIPPED",
        "CLOSED",
        "CANCELLED",
    ]
    assert flow.paths == {"b2c": ("INITIATED",), "b2b": ("FILE_UPLOADED",)}
    submitted = flow.stage("SUBMITTED")
    assert submitted is not None
    assert submitted.limit("b2c") == Limit(30 * MINUTE, 24 * MINUTE)
    assert flow.transit_limits["*"] == 5 * MINUTE
    assert {stage.name: stage.terminal for stage in flow.stages if stage.terminal} == {
        "CLOSED": Terminal.CLOSED,
        "CANCELLED": Terminal.CANCELLED,
    }
