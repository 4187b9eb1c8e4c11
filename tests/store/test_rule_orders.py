"""The orders that a rule may find are read by bounds: none that it finds is missed, and few others are read."""

from __future__ import annotations

import re
from dataclasses import replace
from random import Random

import pytest

from clew.detect.candidates import candidates_of
from clew.detect.orders import finding_of
from clew.journey.rebuild import rebuild
from clew.learn.projection import Remaining, project
from clew.model.event import Source
from clew.model.journey import DeviationKind, LostReason, VerdictKind
from clew.model.rule import (
    Deviates,
    InStage,
    Judged,
    NotReached,
    OnHold,
    OrderFilter,
    ProjectedLate,
    TooEarly,
)
from clew.store.codec import journey_to_json
from clew.store.embedded import open_store
from clew.store.orders import OrderRow, encode_order, read_stored_orders, write_encoded
from clew.store.rule_orders import candidates_of_each, read_journeys
from tests.detect.stories import STAGES, rule
from tests.journey.timeline import DAY, FLOW, HOUR, MINUTE, START, at, event, failed, hold, loss, resume

NOW = at(300)
TIMES = {("rings", "", stage): Remaining(50, tuple(range(0, 21 * HOUR, HOUR))) for stage in STAGES}


def an_order(number, chance):
    """An order with a way through the flow that chance chooses."""
    events, minutes = [], chance.randrange(0, 200)
    for stage in (
        chance.sample(STAGES, chance.randrange(1, 5)) if chance.random() < 0.5 else STAGES[: chance.randrange(1, 8)]
    ):
        events.append(event(stage, minutes))
        minutes += chance.randrange(0, 60)
    if chance.random() < 0.3:
        events.append(failed("PRICED", minutes, "no 3D data"))
    if chance.random() < 0.3:
        events += [hold(minutes), *([resume(minutes + 5)] if chance.random() < 0.5 else [])]
    if chance.random() < 0.5:
        events.append(event("", 0, due_at_ns=NOW + chance.randrange(-10, 10) * HOUR))
    if chance.random() < 0.05:
        events = [each._replace(source=Source.IMPORT) for each in events]
    losses = [loss(minutes, reason=chance.choice([*LostReason]))] if chance.random() < 0.2 else []
    return project(rebuild(f"A-{number:04}", events, FLOW, losses), TIMES)


JOURNEYS = [an_order(number, Random(number)) for number in range(600)]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    opened = open_store(tmp_path_factory.mktemp("rules"))
    rows = [encode_order(OrderRow(each, journey_to_json(each), each.facts, ())) for each in JOURNEYS]
    write_encoded(opened, rows, [])
    yield opened
    opened.close()


def candidate_orders(store, asked, now_ns, ended_since_ns=None):
    """Those of one rule."""
    return candidates_of_each(store, {"one": asked}, now_ns, ended_since_ns)["one"]


SHAPES = [
    *(Judged((kind,)) for kind in VerdictKind),
    Judged((VerdictKind.LOST,), (LostReason.IN_QUEUE, LostReason.REJECTED)),
    Judged((VerdictKind.LOST, VerdictKind.FAILED), (LostReason.IN_QUEUE,)),
    InStage(longer_than_ns=2 * HOUR),
    InStage(longer_than_ns=HOUR, orders=OrderFilter(("rings",), ("ORDERED", "PRICED"), ("web",))),
    InStage(used=0.5),
    NotReached("MADE", HOUR, "ORDERED"),
    NotReached("SHIPPED", -2 * HOUR),
    NotReached("SHIPPED", 2 * HOUR),
    TooEarly("PRICED", 20 * MINUTE, "ORDERED"),
    TooEarly("ORDERED", 3 * HOUR),
    OnHold(longer_than_ns=HOUR),
    OnHold(before_due_ns=HOUR),
    ProjectedLate(),
    ProjectedLate(margin_ns=2 * HOUR, share=0.8),
    Deviates(),
    Deviates((DeviationKind.SKIPPED,)),
    Deviates((DeviationKind.SKIPPED, DeviationKind.REPEATED), ("PRICED", "APPROVED")),
    Deviates(at=("GLUED",)),
]
EXACT = (Judged, Deviates)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_no_order_that_a_rule_finds_is_missed_and_no_others_are_ended(store, shape):
    asked = candidates_of(rule(shape), [FLOW])
    read = read_journeys(store, candidate_orders(store, asked, NOW, START - DAY))
    found = {each.order_id for each in JOURNEYS if finding_of(rule(shape), each, FLOW, NOW)}
    ids = {each.order_id for each in read}
    assert found <= ids
    assert found, "the case finds nothing, so it shows nothing"
    assert len(ids) < len(JOURNEYS)
    if isinstance(shape, EXACT) and len(getattr(shape, "verdicts", ())) < 2:
        assert ids == found
    assert [each.order_id for each in read] == sorted(ids)
    whole = {each.order_id: each for each in JOURNEYS}
    assert all(each == whole[each.order_id] for each in read)


def test_rules_that_are_read_for_at_once_get_what_each_would_get_alone(store):
    asked = {f"r{number}": candidates_of(rule(shape), [FLOW]) for number, shape in enumerate([*SHAPES] * 3)}
    alone = {name: candidate_orders(store, asked[name], NOW, at(150)) for name in list(asked)[: len(SHAPES)]}
    together = candidates_of_each(store, asked, NOW, at(150))
    assert len(asked) > 60, "more than one statement takes"
    assert all(together[f"r{number}"] == alone[f"r{number % len(SHAPES)}"] for number in range(len(asked)))


def test_ended_orders_are_read_only_where_a_rule_asks_and_when_they_ended_since(store):
    late = candidates_of(rule(Deviates()), [FLOW])
    open_only = {each.order_id for each in candidate_orders(store, late, NOW)}
    since = {each.order_id for each in candidate_orders(store, late, NOW, at(150))}
    terminals = {each.order_id: each for each in JOURNEYS if each.terminal}
    assert open_only & terminals.keys() == set()
    assert since - open_only == {
        each.order_id
        for each in terminals.values()
        if each.entered_ns > at(150) and finding_of(rule(Deviates()), each, FLOW, NOW)
    }
    stuck = candidates_of(rule(Judged((VerdictKind.STUCK,))), [FLOW])
    assert not {each.order_id for each in candidate_orders(store, stuck, NOW, START)} & terminals.keys()


def test_an_end_that_is_told_late_is_found_for_as_long_as_one_that_is_told_at_once(store):
    asked = replace(candidates_of(rule(Judged((VerdictKind.CLOSED,))), [FLOW]), paths=("late",))
    events = [event(stage, minutes) for minutes, stage in enumerate(STAGES)]
    for number, (ended, told) in enumerate([(200, 290), (200, 250), (-8 * 24 * 60, 290)]):
        journey = rebuild(
            f"T-{number}", [each._replace(at_ns=each.at_ns + ended * MINUTE, path="late") for each in events], FLOW
        )
        write_encoded(store, [encode_order(OrderRow(journey, journey_to_json(journey), 1, (), at(told)))], [])
    assert [each.order_id for each in candidate_orders(store, asked, NOW, at(280))] == ["T-0"]
    write_encoded(store, [], read_stored_orders(store, ["T-0", "T-1", "T-2"]))


def test_of_the_weeks_in_which_orders_ended_only_those_that_ended_since_are_read(store, monkeypatch):
    asked = {"open": candidates_of(rule(OnHold(longer_than_ns=HOUR)), [FLOW])}
    asked["ended"] = candidates_of(rule(Deviates()), [FLOW])
    statements, read = [], store.columns
    monkeypatch.setattr(store, "columns", lambda *given: statements.append(given) or read(*given))
    candidates_of_each(store, asked, NOW + 3 * DAY, NOW + 2 * DAY)
    (_, of_open), (ended, bind) = statements
    assert "buckets" not in of_open, "rules about open orders read those alone"
    plan = "".join(each["explain"] for each in store.rows(f"EXPLAIN indexes = 1 {ended}", bind))
    assert re.search(r"PrimaryKey.*?Granules: 0/[1-9]", plan), plan


def test_an_order_that_ends_while_orders_are_read_is_found_once(store, monkeypatch):
    asked = {"left": replace(candidates_of(rule(Deviates()), [FLOW]), paths=("ends",))}
    events = [event(stage, minutes, path="ends") for minutes, stage in enumerate([STAGES[0], *STAGES[2:]])]
    rows = [rebuild("E-1", events[:most], FLOW) for most in (3, len(events))]
    rows = [encode_order(OrderRow(each, journey_to_json(each), each.facts, (), NOW)) for each in rows]
    write_encoded(store, rows[:1], [])
    open_row, read = read_stored_orders(store, ["E-1"]), store.columns

    def reads(*given):
        found = read(*given)
        write_encoded(store, rows[1:], open_row)
        return found

    monkeypatch.setattr(store, "columns", reads)
    (found,) = candidates_of_each(store, asked, NOW, at(-10))["left"]
    assert (found.order_id, found.bucket) == ("E-1", rows[1].bucket)
    write_encoded(store, [], read_stored_orders(store, ["E-1"]))


def test_where_no_stage_has_a_limit_no_share_of_one_is_used(store):
    flow = replace(FLOW, stages=tuple(replace(each, limits={}) for each in FLOW.stages))
    assert candidate_orders(store, candidates_of(rule(InStage(used=0.1)), [flow]), NOW) == []
