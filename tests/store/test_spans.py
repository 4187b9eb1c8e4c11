"""What was sent is what is read: spans, traces, the spans of an order, search and the service graph."""

import base64
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clew.store.anyvalue import decode_value
from clew.store.cursors import BadCursor
from clew.store.embedded import open_store
from clew.store.order_spans import order_lines, order_scope, order_spans, summaries
from clew.store.search import SpanFilter, masked, search_spans, span_where
from clew.store.services import services
from clew.store.spans import SpanKind, SpanStatus, read_trace
from tests.builders import (
    any_value,
    attributes,
    ingest,
    logs,
    record,
    span,
    span_hex,
    stage_event,
    trace_hex,
    traces,
)

NOW = 1_795_000_000_000_000_000
SECOND = 1_000_000_000
ZEROS = "5a" * 13 + "000000"
VALUES = {
    "text": "ring",
    "empty": "",
    "zero": 0,
    "int": -(2**63),
    "false": False,
    "true": True,
    "float": 0.1 + 0.2,
    "huge": math.inf,
    "nothing": None,
    "bytes": b"\xff\x00",
    "array": ["a", 1, False, None, 2.5, ["b"], {"k": "v"}],
    "map": {"a": 1, "b": {"c": [True]}},
    "empty array": [],
    "empty map": {},
}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    opened = open_store(tmp_path_factory.mktemp("spans"))
    ingest(opened, NOW, *_shop(), *_batch())
    ingest(opened, NOW, _shop()[0])  # a repeat, as after an answer that was lost
    yield opened
    opened.close()


def _shop():
    """Order 4711: the shop calls the CRM and its database, and publishes; MES takes the message in a linked trace."""
    start = NOW - 60 * SECOND
    shop = traces(
        "shop-api",
        span(1, 1, start, lasts_ms=900, name="POST /orders", kind="server", order__id="4711", user__id="anna-9931"),
        span(1, 2, start + 10, lasts_ms=300, name="POST", parent=1, kind="client", retry__count=2),
        span(1, 3, start + 20, name="INSERT orders", parent=1, kind="client", db__system__name="postgresql", db__namespace="shop"),
        span(1, 4, start + 30, name="send mes.orders", parent=1, kind="producer", messaging__destination__name="mes.orders"),
        span(1, 5, start + 40, name="typed", parent=1, **{key.replace(" ", "_"): value for key, value in VALUES.items()},
             events=[("note", start + 41, {"n": 1})], links=[(9, 1)]),
    )  # fmt: skip
    crm = traces(
        "crm-api",
        span(1, 6, start + 50, name="POST /deals", parent=2, kind="server", status="error", error__type="ServerError", timeout=True),
    )  # fmt: skip
    mes = traces(
        "mes",
        span(2, 1, start + 5 * SECOND, lasts_ms=2_000, name="process mes.orders", kind="consumer", links=[(1, 4)],
             messaging__destination__name="mes.orders:q"),
    )  # fmt: skip
    said = logs("shop-api", record("order placed", start + 60, trace=1, span=1, order__id="4711", n=1),
                stage_event("4711", "SUBMITTED", start + 70, trace=1, span=1, order__alias__crm_deal="D77"))  # fmt: skip
    return shop, crm, mes, said


def _batch():
    """A nightly job that handles three orders in one trace and links to all of theirs."""
    start = NOW - 30 * SECOND
    doubled = span(3, 1, NOW - 50 * SECOND, name="doubled")
    doubled.attributes.extend([*attributes({"k": 1}), *attributes({"k": "two"})])
    job = traces(
        "billing",
        doubled,
        span(7, 1, start, name="nightly", order__ids=["4711", "4712", "4713"]),
        span(7, 2, start + 1, name="bill", parent=1, order__id="4711"),
        span(7, 3, start + 2, name="bill", parent=1, order__id="4712"),
        span(7, 4, start + 3, name="close", parent=1),
        span(8, 1, start + 4, name="report", links=[(7, 1)], order__id="4799"),
        span(6, 1, start + 5, name="deal", order__id="D77"),
    )
    zeros = span(1, 1, NOW - 70 * SECOND, name="ends in zeros", order__id="zeros")
    zeros.trace_id = bytes.fromhex(ZEROS)
    linked = span(4, 1, NOW - 65 * SECOND, name="linked to zeros")
    linked.links.add(trace_id=bytes.fromhex(ZEROS), span_id=bytes.fromhex(span_hex(1)))
    return job, traces("zeros", zeros, linked)


def names(spans):
    return [(each.service, each.name) for each in spans]


def test_every_kind_of_value_comes_back_as_it_was_sent(store):
    trace = read_trace(store, trace_hex(1))
    typed = next(each for each in trace.spans if each.name == "typed")
    assert dict(typed.attributes) == {key.replace(" ", "_"): value for key, value in VALUES.items()}
    assert [type(value) for _, value in typed.attributes] == [type(value) for value in VALUES.values()]
    (note,) = typed.events
    assert (note.name, note.at_ns, note.attributes) == ("note", NOW - 60 * SECOND + 41, (("n", 1),))
    assert [(link.trace_id, link.span_id) for link in typed.links] == [(trace_hex(9), span_hex(1))]


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**63 - 1)
        | st.floats(allow_nan=False)
        | st.text()
        | st.binary(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
        max_leaves=12,
    )
)
def test_a_composite_survives_its_base64(value):
    wire = any_value([value])
    assert decode_value(base64.b64encode(wire.array_value.SerializeToString()).decode(), "array_value") == [value]


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("…2345", "int_value", "…2345"),
        ("…", "bool_value", "…"),
        ("[removed]", "array_value", "[removed]"),
        ("…xyz", "bytes_value", "…xyz"),
        ("new", "later_value", "new"),
    ],
)
def test_a_masked_value_is_given_as_it_stands(text, kind, value):
    assert decode_value(text, kind) == value


def test_a_trace_is_read_whole_and_once(store):
    trace = read_trace(store, trace_hex(1))
    assert len(trace.spans) == 6
    assert [each.start_ns for each in trace.spans] == sorted(each.start_ns for each in trace.spans)
    assert trace.duration_ns == 900_000_000
    assert trace.order_ids == ("4711",)
    assert trace.linked == tuple(sorted((trace_hex(2), trace_hex(9))))
    assert [(each.body, each.event_name) for each in trace.logs] == [("order placed", ""), (None, "order.stage")]
    assert dict(trace.logs[0].attributes)["n"] == 1
    assert {(each.service, dict(each.resource).get("host.name")) for each in trace.origins} == {
        ("shop-api", "h1"), ("shop-api", None), ("crm-api", "h1"),
    }  # fmt: skip
    assert trace.complete


def test_a_span_keeps_its_fields(store):
    spans = {each.span_id: each for each in read_trace(store, trace_hex(1)).spans}
    first, call, failed = spans[span_hex(1)], spans[span_hex(2)], spans[span_hex(6)]
    assert (first.kind, first.status, first.parent_span_id, first.user_id) == ("server", "unset", "", "…9931")
    assert (call.retry_count, call.parent_span_id, call.duration_ns) == (2, span_hex(1), 300_000_000)
    assert (failed.status, failed.error, failed.timeout) == (SpanStatus.ERROR, "ServerError", True)


def test_a_trace_that_is_not_stored_is_none(store):
    assert read_trace(store, "ab" * 16) is None


def test_a_trace_with_too_many_spans_says_so(store):
    assert not read_trace(store, trace_hex(1), limit=3).complete


def test_an_order_has_its_traces_its_part_of_shared_ones_and_linked_ones_without_an_order(store):
    found = order_spans(store, "4711")
    assert len([each for each in found.spans if each.trace_id == trace_hex(1)]) == 6
    assert ("mes", "process mes.orders") in names(found.spans)
    assert [each for each in names(found.spans) if each[0] == "billing"] == [
        ("billing", "nightly"), ("billing", "bill"), ("billing", "close"), ("billing", "deal"),
    ]  # fmt: skip
    assert found.shared == {trace_hex(7): 3}
    assert found.complete


def test_an_alias_finds_the_same_spans(store):
    assert order_spans(store, "D77").spans == order_spans(store, "4711").spans


def test_failed_spans_of_an_order_are_found_alone(store):
    assert names(order_spans(store, "4711", failed_only=True).spans) == [("crm-api", "POST /deals")]


def traces_of(store, order_id):
    scope = order_scope(store, order_id)
    return summaries(order_lines(store, scope).lines, scope)


def test_spans_in_lines_are_those_that_are_read_whole(store):
    lines, whole = order_lines(store, order_scope(store, "4711")), order_spans(store, "4711")
    assert [(each.trace_id, each.span_id, each.name) for each in lines.lines] == [
        (each.trace_id, each.span_id, each.name) for each in whole.spans
    ]
    assert lines.complete
    assert not order_lines(store, order_scope(store, "4711"), limit=3).complete


def test_the_traces_of_an_order_are_summed_up(store):
    first, linked, *_ = traces_of(store, "4711")
    assert (first.trace_id, first.spans, first.errors, first.services) == (trace_hex(1), 6, 1, ("crm-api", "shop-api"))
    assert (first.root_service, first.root_name, first.shared_by, first.linked) == (
        "shop-api",
        "POST /orders",
        1,
        False,
    )
    assert (linked.trace_id, linked.linked) == (trace_hex(2), True)


def test_an_unknown_order_has_no_spans(store):
    assert order_spans(store, "nobody").spans == ()
    assert traces_of(store, "nobody") == ()


T2_AND_MORE = [
    pytest.param(SpanFilter(trace_id=trace_hex(2)), [("mes", "process mes.orders")], id="trace id"),
    pytest.param(SpanFilter(trace_id=trace_hex(1), span_id=span_hex(6)), [("crm-api", "POST /deals")], id="span id"),
    pytest.param(SpanFilter(order_id="4712"), [("billing", "bill"), ("billing", "nightly")], id="order id"),
    pytest.param(SpanFilter(user_id="anna-9931"), [("shop-api", "POST /orders")], id="user id in clear"),
    pytest.param(SpanFilter(user_id="…9931"), [("shop-api", "POST /orders")], id="user id as shown"),
    pytest.param(SpanFilter(since_ns=NOW - 30 * SECOND + 4), [("billing", "deal"), ("billing", "report")], id="since"),
    pytest.param(SpanFilter(since_ns=NOW - 60 * SECOND, until_ns=NOW - 60 * SECOND + 10), [("shop-api", "POST /orders")], id="until"),
    pytest.param(SpanFilter(status=SpanStatus.ERROR), [("crm-api", "POST /deals")], id="status"),
    pytest.param(SpanFilter(min_trace_ns=1_500_000_000), [("mes", "process mes.orders")], id="trace duration"),
    pytest.param(
        SpanFilter(min_trace_ns=800_000_000, max_trace_ns=1_000_000_000, kind=SpanKind.SERVER),
        [("crm-api", "POST /deals"), ("shop-api", "POST /orders")], id="trace duration between",
    ),
    pytest.param(SpanFilter(min_span_ns=800_000_000, max_span_ns=1_000_000_000), [("shop-api", "POST /orders")], id="span duration"),
    pytest.param(SpanFilter(error="ServerError"), [("crm-api", "POST /deals")], id="error"),
    pytest.param(SpanFilter(error="*"), [("crm-api", "POST /deals")], id="any error"),
    pytest.param(SpanFilter(caller="shop-api", callee="crm-api"), [("crm-api", "POST /deals")], id="service graph"),
    pytest.param(SpanFilter(caller="shop-api", since_ns=NOW - 61 * SECOND), [("crm-api", "POST /deals")], id="calls from"),
    pytest.param(SpanFilter(callee="crm-api"), [("crm-api", "POST /deals")], id="calls to"),
    pytest.param(SpanFilter(caller="crm-api", callee="shop-api"), [], id="no calls back"),
    pytest.param(SpanFilter(min_retries=2), [("shop-api", "POST")], id="retries"),
    pytest.param(SpanFilter(min_retries=3), [], id="more retries than any"),
    pytest.param(SpanFilter(timeout=True), [("crm-api", "POST /deals")], id="timeout"),
    pytest.param(SpanFilter(service="mes"), [("mes", "process mes.orders")], id="service"),
    pytest.param(SpanFilter(name="POST /deals"), [("crm-api", "POST /deals")], id="name"),
    pytest.param(SpanFilter(name="POST /*"), [("crm-api", "POST /deals"), ("shop-api", "POST /orders")], id="name prefix"),
    pytest.param(SpanFilter(kind=SpanKind.CONSUMER), [("mes", "process mes.orders")], id="kind"),
    pytest.param(SpanFilter(attributes=(("db.namespace", "shop"),)), [("shop-api", "INSERT orders")], id="attribute"),
    pytest.param(SpanFilter(attributes=(("db.system.name", "shop"),)), [], id="value under another key"),
    pytest.param(SpanFilter(service="x' OR 1 = 1 --"), [], id="values are bound"),
]  # fmt: skip


@pytest.mark.parametrize(("filter_", "expected"), T2_AND_MORE)
def test_spans_are_found_by(store, filter_, expected):
    assert names(found.span for found in search_spans(store, filter_).items) == expected


def test_a_found_span_knows_how_long_its_trace_lasted(store):
    (found,) = search_spans(store, SpanFilter(name="INSERT orders")).items
    assert (found.span.duration_ns, found.trace_duration_ns) == (10_000_000, 900_000_000)


def test_pages_follow_each_other_without_gap_or_repeat(store):
    whole = [each.span.span_id + each.span.trace_id for each in search_spans(store, SpanFilter(), 100).items]
    paged, after = [], None
    while True:
        page = search_spans(store, SpanFilter(), 3, after)
        paged += [each.span.span_id + each.span.trace_id for each in page.items]
        after = page.next
        if after is None:
            break
    assert paged == whole
    assert len(set(paged)) == len(paged) == 16


@pytest.mark.parametrize("cursor", ["x", "W10", "bm9uc2Vuc2U", "WzEsICJhYiIsICJjZCJd", "é"])
def test_a_cursor_that_clew_never_gave_is_refused(store, cursor):
    with pytest.raises(BadCursor, match="start again"):
        search_spans(store, SpanFilter(), 3, cursor)


def test_the_text_of_a_search_holds_no_value():
    where, bind = span_where(SpanFilter(service="secret-1", attributes=(("secret-2", "secret-3"),), user_id="secret-4"))
    assert "secret" not in where
    assert {"secret-1", "secret-2", "secret-3"} <= {each for each in bind.values() if isinstance(each, str)}


@pytest.mark.parametrize(("clear", "stored"), [("anna-9931", "…9931"), ("u-9", "…"), ("…9931", "…9931"), ("…", "…")])
def test_a_user_id_is_compared_as_it_is_stored(clear, stored):
    assert masked(clear) == stored


def test_the_service_graph_has_calls_queues_and_databases(store):
    graph = services(store, NOW - 3600 * SECOND)
    assert [each.service for each in graph.services] == ["billing", "crm-api", "mes", "shop-api", "zeros"]
    crm = graph.services[1]
    assert (crm.spans, crm.errors, crm.requests, crm.p95_ns) == (1, 1, 1, 10_000_000)
    assert [(each.caller, each.callee, each.callee_kind, each.calls, each.errors) for each in graph.edges] == [
        ("shop-api", "crm-api", "service", 1, 1),
        ("shop-api", "mes.orders", "queue", 1, 0),
        ("mes.orders", "mes", "service", 1, 0),
        ("shop-api", "postgresql shop", "database", 1, 0),
    ]
    transit = next(each for each in graph.edges if each.caller == "mes.orders")
    assert transit.p95_ns == pytest.approx(5 * SECOND, rel=0.02)


def test_the_service_graph_of_a_quiet_time_is_empty(store):
    graph = services(store, NOW + SECOND)
    assert (graph.services, graph.edges) == ((), ())


def test_attributes_with_the_same_key_are_both_kept(store):
    trace = read_trace(store, trace_hex(3))
    assert trace.spans[0].attributes == (("k", 1), ("k", "two"))


def test_a_trace_whose_id_ends_in_zero_bytes_is_found_by_its_order_and_its_links(store):
    """The engine's toString() of a FixedString drops its last zero bytes: one id in 256 ends in one."""
    assert [each.trace_id for each in traces_of(store, "zeros")] == [ZEROS, trace_hex(4)]
    assert read_trace(store, ZEROS).linked == (trace_hex(4),)
    assert read_trace(store, ZEROS).order_ids == ("zeros",)
