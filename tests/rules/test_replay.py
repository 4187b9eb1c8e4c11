"""Rules over the past: the same alerts as if they had watched, by the engine, the API and the command."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from random import Random

import pytest
from click.testing import CliRunner

from clew.api import ApiDeps, create_api
from clew.cli.main import main
from clew.flow import default_flow
from clew.journey.backfill import Backfill
from clew.journey.in_force import FlowBook
from clew.journey.losses import transit_limits
from clew.journey.rebuilder import Rebuilder
from clew.model.event import Outcome, StageEvent
from clew.model.rule import By, RuleSet, SpanCondition
from clew.rehearse.past_orders import _held, _Past
from clew.rehearse.play import play
from clew.rehearse.replay import NOT_KEPT, replay_rules
from clew.rehearse.told import Case, SpanTold, Told
from clew.rules import default_rules, parse_rules
from clew.store.embedded import open_store
from clew.store.rule_history import spans_by_minute
from tests.builders import ingest, logs, span, stage_event, traces
from tests.serving import serving

SECOND, MINUTE, HOUR = 10**9, 60 * 10**9, 3600 * 10**9
BEGIN = 1_795_424_400 * SECOND  # 2026-11-23, a Monday, 09:00 in Berlin
END = BEGIN + 30 * HOUR
STAGES = [stage.name for stage in default_flow().stages]
EVERY = MINUTE


def facts_of(number):
    """An order that goes some way, with failures and holds, in the words of the jeweller."""
    chance = Random(number)
    at_ns = BEGIN + chance.randrange(0, 600) * MINUTE
    due_ns = BEGIN + chance.randrange(10, 60) * HOUR if chance.random() < 0.4 else None
    facts = []
    for stage in STAGES[: chance.randrange(3, len(STAGES))]:
        if chance.random() < 0.1:
            continue
        facts.append(StageEvent(f"A-{number}", stage, at_ns, "shop-api", path="b2c", due_at_ns=due_ns))
        at_ns += chance.choice([5, 20, 90, 300]) * MINUTE
        if chance.random() < 0.15:
            facts.append(StageEvent(f"A-{number}", stage, at_ns, "mes-api", outcome=Outcome.FAILED, error="no 3D data"))
            at_ns += 7 * MINUTE
        if chance.random() < 0.1:
            facts.append(StageEvent(f"A-{number}", "", at_ns, "crm-api", hold=True))
            facts.append(StageEvent(f"A-{number}", "", at_ns + 40 * MINUTE, "crm-api", hold=False))
            at_ns += 60 * MINUTE
    return facts


FACTS = [fact for number in range(24) for fact in facts_of(number)]
SPANS = [
    SpanTold("shop-api", "POST /orders", "server", BEGIN + n * 10 * SECOND, 20_000_000, "E" if n % 300 < 6 else "",
             500 if n % 300 < 6 else 200)
    for n in range(2_000)
] + [
    SpanTold("mes-api", "SELECT works", "database", BEGIN + n * 20 * SECOND, 1_300_000_000 if 400 < n < 460 else 9_000_000)
    for n in range(1_500)
]  # fmt: skip


def as_log(fact):
    said = {"order__path": fact.path} if fact.path else {}
    if fact.outcome is Outcome.FAILED:
        said |= {"order__outcome": "failed", "error__message": fact.error}
    if fact.hold is not None:
        said["order__hold"] = fact.hold
    if fact.due_at_ns is not None:
        said["order__due_at"] = fact.due_at_ns
    return stage_event(fact.order_id, fact.stage, fact.at_ns, **said)


def as_span(number, told):
    kind = "server" if told.work == "server" else "client"
    extra = {"http__response__status_code": told.http} if told.http else {}
    extra |= {"db__system__name": "postgresql"} if told.work == "database" else {}
    return span(1_000 + number, 1, told.start_ns, lasts_ms=told.duration_ns / 1e6, name=told.operation, kind=kind,
                status="error" if told.error else "unset", **extra)  # fmt: skip


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    store = open_store(tmp_path_factory.mktemp("replay"))
    book = FlowBook(store)
    book.start([])
    for service in ("shop-api", "mes-api", "crm-api"):
        of_service = [as_log(each) for each in FACTS if each.service == service]
        ran = [as_span(n, each) for n, each in enumerate(SPANS) if each.service == service]
        ingest(store, END, logs(service, *of_service), *([traces(service, *ran)] if ran else []))
    Rebuilder(store, lambda: book.current).rebuild_whole(sorted({fact.order_id for fact in FACTS}))
    yield store, book
    store.close()


def watched(rules, facts=(), spans=(), until_ns=END):
    """The alerts that fire while somebody watches each minute."""
    told = tuple(Told(each, each.at_ns) for each in facts) + tuple(Told(each, each.end_ns) for each in spans)
    names = tuple(rule.name for rule in rules.rules)
    return play(Case("past", names, told, until_ns, EVERY), rules, default_flow(), BEGIN).fired


def of(names):
    return RuleSet("some", 1, tuple(rule for rule in default_rules().rules if rule.name in names))


ORDER_RULES = ("stuck", "in-jeopardy", "failed", "due-soon-not-shipped", "approval-late", "approval-skipped")


def test_rules_about_orders_would_have_alerted_as_if_they_had_watched(shop):
    store, book = shop
    rules = of(ORDER_RULES)
    tried = {each.rule: each for each in replay_rules(store, book.current, rules.rules, BEGIN, END)}
    fired = watched(rules, FACTS)
    for name in ORDER_RULES:
        mine = [each for each in fired if each.rule == name]
        assert (tried[name].alerts, tried[name].ended) == (
            len(mine),
            sum(each.until_ns is not None for each in mine),
        ), name
        first = sorted((each.from_ns // MINUTE, each.subject) for each in mine)[:1]
        shown = [(-(-each.from_ns // MINUTE), each.subject) for each in tried[name].examples][:1]
        assert shown == first
        assert tried[name].incidents <= tried[name].alerts
        assert sum(tried[name].days.values()) == tried[name].alerts
    assert tried["stuck"].alerts > tried["stuck"].incidents > 0
    for example in tried["stuck"].examples:
        dwelt, allowed = re.search(r"for ([^,(]+?)(?: \(.*\))?, allowed ([^;,]+)", example.reason).groups()
        assert dwelt == allowed, "what is said is said of the moment at which it fired"


@pytest.mark.parametrize("name", ["shop-api-5xx", "slow-database", "slow-database-lasting", "shop-api-budget"])
def test_rules_about_spans_would_have_alerted_as_if_they_had_watched(shop, name):
    store, book = shop
    rules = of([name])
    until_ns = BEGIN + 6 * HOUR
    [tried] = replay_rules(store, book.current, rules.rules, BEGIN, until_ns)
    fired = watched(rules, spans=SPANS, until_ns=until_ns)
    assert fired
    assert tried.alerts == len(fired)
    assert [each.subject for each in tried.examples] == [each.subject for each in fired][:5]
    assert all(abs(a.from_ns - b.from_ns) <= MINUTE for a, b in zip(tried.examples, fired, strict=False))


@pytest.mark.parametrize(
    "condition",
    [
        SpanCondition(),
        SpanCondition(services=("mes-api",)),
        SpanCondition(operations=("POST*",), errors_only=True),
        SpanCondition(work=("database",), longer_than_ns=SECOND),
        SpanCondition(work=("server",), http_from=500, http_to=599),
        SpanCondition(where={"db.system.name": ""}),
        SpanCondition(operations=("POST",)),
    ],
    ids=str,
)
def test_a_condition_picks_the_same_spans_in_the_store_and_in_written_cases(shop, condition):
    store, _ = shop
    stored = spans_by_minute(store, condition, (By.SERVICE,), BEGIN, END, lengths=True)
    told = [replace(each, attributes={"db.system.name": "x"} if each.work == "database" else {}) for each in SPANS]
    assert sum(n for *_, n in stored) == sum(each.meets(condition) for each in told)


def test_of_very_many_orders_a_sample_of_whole_ones_is_tried_and_that_is_said(shop, monkeypatch):
    store, book = shop
    monkeypatch.setattr("clew.rehearse.replay.MOST", 8)
    [tried] = replay_rules(store, book.current, of(["stuck"]).rules, BEGIN, END)
    whole = {(each.subject, each.from_ns // MINUTE) for each in watched(of(["stuck"]), FACTS)}
    assert tried.note == "one order in 3 was tried"
    assert {(each.subject, -(-each.from_ns // MINUTE)) for each in tried.examples} <= whole
    assert tried.examples


def test_an_order_whose_facts_are_gone_is_told_of_no_more(shop):
    _, book = shop
    past = _Past("A-gone", (), (), book.current, transit_limits([]), {})
    assert list(_held(past, {}, default_rules().rules[:1], BEGIN, END)) == []


def test_what_is_not_kept_is_not_tried_and_that_is_said(shop):
    store, book = shop
    tried = replay_rules(store, book.current, of(["dead-queue", "clew-in-trouble"]).rules, BEGIN, END)
    assert {each.note for each in tried} == {NOT_KEPT}


def test_surges_and_silence_are_tried_minute_by_minute(shop):
    store, book = shop
    names = ["cancellations-surge", "losses-surge", "shop-api-errors-surge", "service-silent", "sender-silent"]
    tried = replay_rules(store, book.current, of(names).rules, BEGIN, END)
    assert [each.rule for each in tried] == names
    assert all(not each.note for each in tried)


def test_a_rule_in_hours_waits_for_them_and_a_range_counts_what_fires_in_it(shop):
    store, book = shop
    text = """rules: r
hours: {night: {zone: UTC, on: mon-sun, from: "22:00", to: "23:00"}}
alerts:
  any: {orders: {verdicts: [stuck]}, hours: night, group_by: [flow]}
  later: {orders: {verdicts: [stuck]}, for: 1h, keep_firing: 30m, group_by: [flow]}
"""
    rules = parse_rules(text)
    night, later = replay_rules(store, book.current, rules.rules, BEGIN, END)
    assert night.alerts > 0
    assert all(each.from_ns % (24 * HOUR) // HOUR == 22 for each in night.examples)
    assert later.alerts > 0
    half = BEGIN + 15 * HOUR
    first, second = (
        replay_rules(store, book.current, rules.rules[1:], *part)[0] for part in ((BEGIN, half), (half, END))
    )
    assert first.alerts + second.alerts == later.alerts


@pytest.fixture(scope="module")
def clew(shop):
    store, book = shop
    deps = ApiDeps(store, book, Backfill(store, Rebuilder(store, lambda: book.current)), now_ns=lambda: END)
    with serving(create_api(deps)) as url:

        def run(*arguments, code=0, command="replay"):
            done = CliRunner().invoke(main, ["rules", command, *arguments], env={"CLEW_URL": url, "COLUMNS": "200"})
            assert done.exit_code == code, done.output
            return done.output

        yield run


def test_the_command_tells_what_each_rule_would_have_done(clew, tmp_path):
    told = json.loads(clew("--from", "30h", "--rule", "stuck", "--json"))
    [stuck] = told["rules"]
    assert stuck["alerts"] > stuck["incidents"] > 0
    assert stuck["examples"][0]["reason"].startswith("order A-")
    screen = clew("--from", "30h", "--rule", "stuck", "--rule", "dead-queue", "-v")
    assert "HEALED BY THEMSELVES" in screen
    assert f"dead-queue: {NOT_KEPT}" in screen
    assert "is stuck in" in screen
    file = tmp_path / "rules.yaml"
    file.write_text("rules: mine\nalerts: {slow: {in_stage: {longer_than: 1h}, group_by: [stage]}}\n")
    assert json.loads(clew(str(file), "--from", "30h", "--json"))["name"] == "mine"


def test_a_server_tells_the_rules_that_watch(clew):
    shown = clew(command="show")
    assert "rules by which http" in shown
    assert "in-jeopardy" in shown


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--rule", "stock"), "did you mean 'stuck'?"),
        (("--from", "1h", "--to", "2h"), "the range is empty"),
        (("--from", "900d"), "longer than 92 days"),
        (("--from", "soon"), "'soon' is no moment"),
    ],
)
def test_what_cannot_be_tried_is_said(clew, arguments, told):
    assert told in clew(*arguments, code=2)


def test_a_wrong_file_is_told_with_its_mistakes(clew, tmp_path):
    file = tmp_path / "rules.yaml"
    file.write_text("rules: mine\nalerts: {slow: {in_stage: {longer_than: soon}}}\n")
    assert "'soon' is not a length of time" in clew(str(file), code=1)
