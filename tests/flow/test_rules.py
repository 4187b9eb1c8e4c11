import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clew.flow import rules_sql
from clew.flow.rules import EVENTS_TYPE, sql_literal
from clew.model.flow import Flow, Stage, StageRule

WORD = "LowCardinality(String)"
SPAN = f"service {WORD}, name {WORD}, status Int8, attrs Map({WORD}, String)"


def flow_of(*rules, name="rings"):
    return Flow(name, 1, tuple(Stage(rule.stage, rules=(rule,)) for rule in rules))


def rule(**conditions):
    return StageRule(stage="SUBMITTED", **conditions)


def span(service="shop-api", name="POST /orders", status=0, **attributes):
    plain = {key.replace("__", "."): value for key, value in attributes.items()}
    return {"service": service, "name": name, "status": status, "attrs": plain}


def events(engine, sql, *spans):
    """The events of each span, by the real engine; spans reach it as JSON in hex, past any quoting of ours."""
    lines = "\n".join(json.dumps(each) for each in spans).encode().hex()
    rows = engine.rows(f"SELECT {sql} AS found FROM format(JSONEachRow, '{SPAN}', unhex('{lines}'))")
    return [[tuple(event.values()) for event in found] for (found,) in rows]


@settings(max_examples=300, deadline=None)
@given(st.text(st.characters(codec="utf-8"), max_size=40))
def test_a_literal_means_exactly_its_text_to_the_engine(engine, text):
    assert engine.value(f"SELECT hex({sql_literal(text)})") == text.encode().hex().upper()


@given(st.text(st.characters(codec="utf-8")))
def test_a_literal_holds_no_ascii_sign_that_could_end_or_bend_it(text):
    inside = sql_literal(text)[1:-1]
    assert re.fullmatch(r"(?:[A-Za-z0-9 _./:-]|\\x[0-7][0-9A-F]|[^\x00-\x7f])*", inside)


def test_text_without_a_utf_8_form_is_refused():
    with pytest.raises(UnicodeEncodeError):
        sql_literal("\ud800")


def test_without_rules_the_expression_is_an_empty_list_of_the_right_type(engine):
    sql = rules_sql([Flow("rings", 1, ())])
    assert "attrs" not in sql
    assert events(engine, sql, span()) == [[]]


@pytest.mark.parametrize(
    "flows", [[], [flow_of(rule(service="shop-api"))], [flow_of(rule(where={"a": ""}), rule(span="b*"))]]
)
def test_the_expression_always_has_the_same_type(engine, flows):
    lines = json.dumps(span()).encode().hex()
    sql = f"SELECT DISTINCT toTypeName({rules_sql(flows)}) FROM format(JSONEachRow, '{SPAN}', unhex('{lines}'))"
    assert re.sub(r"\s+", "", engine.value(sql)) == re.sub(r"\s+", "", EVENTS_TYPE)


FOUND = [("rings", "SUBMITTED", "4711", "ok", "")]


@pytest.mark.parametrize(
    ("conditions", "attributes", "found"),
    [
        ({"service": "shop-api"}, {"order__id": "4711"}, FOUND),
        ({"service": "shop"}, {"order__id": "4711"}, []),
        ({"span": "POST /orders"}, {"order__id": "4711"}, FOUND),
        ({"span": "POST*"}, {"order__id": "4711"}, FOUND),
        ({"span": "POST"}, {"order__id": "4711"}, []),
        ({"span": "post*"}, {"order__id": "4711"}, []),
        ({"service": "shop-api", "status": "ok"}, {"order__id": "4711"}, FOUND),
        ({"service": "shop-api", "status": "error"}, {"order__id": "4711"}, []),
        ({"service": "shop-api", "status": "error"}, {"order__id": "4711", "status": 2}, FOUND),
        ({"service": "shop-api", "status": "ok"}, {"order__id": "4711", "status": 2}, []),
        ({"where": {"code": "201"}}, {"order__id": "4711", "code": "201"}, FOUND),
        ({"where": {"code": "201"}}, {"order__id": "4711", "code": "200"}, []),
        ({"where": {"code": ""}}, {"order__id": "4711", "code": ""}, FOUND),
        ({"where": {"code": ""}}, {"order__id": "4711"}, []),
        ({"service": "shop-api"}, {}, []),
        ({"service": "shop-api"}, {"order__id": ""}, []),
        ({"service": "shop-api", "order_attribute": "shop.order"}, {"shop__order": "4711"}, FOUND),
        ({"service": "shop-api", "order_url": r"/orders/(\d+)"}, {"url__path": "/orders/4711/pay"}, FOUND),
        ({"service": "shop-api", "order_url": r"/orders/(\d+)"}, {"http__target": "/orders/4711"}, FOUND),
        ({"service": "shop-api", "order_url": r"/orders/(\d+)"}, {"url__full": "https://x/orders/4711"}, FOUND),
        ({"service": "shop-api", "order_url": r"/orders/(\d+)"}, {"http__url": "https://x/orders/4711"}, FOUND),
        ({"service": "shop-api", "order_url": r"/orders/(\d+)"}, {"url__path": "/carts/4711"}, []),
        ({"service": "shop-api", "order_url": r"/(\d+)"}, {"url__path": "/4711", "http__url": "/1"}, FOUND),
    ],
)
def test_a_rule_finds_its_stage_event(engine, conditions, attributes, found):
    assert events(engine, rules_sql([flow_of(rule(**conditions))]), span(**attributes)) == [found]


def test_one_span_may_stand_for_stages_of_several_flows(engine):
    failed = StageRule(stage="PAID", service="shop-api", outcome="failed", path="b2b")
    sql = rules_sql([flow_of(rule(span="POST*"), failed), flow_of(rule(where={"order.id": ""}), name="repairs")])
    assert events(engine, sql, span(order__id="4711"), span(service="x", name="y")) == [
        [
            ("rings", "SUBMITTED", "4711", "ok", ""),
            ("rings", "PAID", "4711", "failed", "b2b"),
            ("repairs", "SUBMITTED", "4711", "ok", ""),
        ],
        [],
    ]


hostile = st.text(st.characters(codec="utf-8") | st.sampled_from("'\\\0\n`\"{}%$;-)"), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(hostile, hostile, hostile, hostile, hostile)
def test_no_text_in_a_flow_can_do_more_than_be_compared(engine, flow, stage, service, key, value):
    derived = StageRule(stage=stage, service=service, where={key: value}, order_attribute=key, path=value)
    fitting = {"service": service, "name": "n", "status": 1, "attrs": {key: value}}
    sql = rules_sql([flow_of(derived, name=flow)])
    assert events(engine, sql, fitting, span()) == [[(flow, stage, value, "ok", value)], []]
