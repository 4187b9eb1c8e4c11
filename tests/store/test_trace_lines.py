"""A trace in lines is the trace that is read whole, and an opened span has all that is stored of it."""

import pytest

from clew.store.embedded import open_store
from clew.store.spans import read_trace
from clew.store.trace_lines import open_span, trace_lines
from tests.builders import ingest, logs, record, span, span_hex, trace_hex, traces

NOW = 1_795_000_000_000_000_000
SECOND = 1_000_000_000


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    opened = open_store(tmp_path_factory.mktemp("lines"))
    start = NOW - 60 * SECOND
    shop = traces(
        "shop-api",
        span(1, 1, start, lasts_ms=900, name="POST /orders", kind="server", n=1),
        span(1, 2, start + 10, name="send", parent=1, kind="producer", events=[("note", start + 11, {"k": 1})]),
        span(1, 3, start + 20, name="again", parent=1, links=[(1, 2)]),
    )
    mes = traces("mes", span(2, 1, start + SECOND, name="process", kind="consumer", links=[(1, 2), (7, 1)]))
    said = logs(
        "shop-api",
        record("second", start + 12, trace=1, span=2),
        record("first", start + 11, trace=1, span=2),
        record("of another span", start + 12, trace=1, span=1),
    )
    ingest(opened, NOW, shop, mes, said)
    ingest(opened, NOW, shop)  # a repeat, as after an answer that was lost
    yield opened
    opened.close()


def test_lines_are_the_spans_that_are_read_whole(store):
    found, whole = trace_lines(store, trace_hex(1)), read_trace(store, trace_hex(1))
    for name in (
        "trace_id",
        "span_id",
        "parent_span_id",
        "service",
        "name",
        "kind",
        "status",
        "start_ns",
        "duration_ns",
        "error",
    ):
        lines = sorted(found.lines, key=lambda each: each.start_ns)
        assert [getattr(each, name) for each in lines] == [getattr(each, name) for each in whole.spans]
    assert found.complete


def test_a_trace_with_more_lines_than_wanted_says_so(store):
    found = trace_lines(store, trace_hex(1), limit=2)
    assert (sorted(each.name for each in found.lines), found.complete) == (["POST /orders", "send"], False)


def test_repeats_do_not_count_as_more_lines_than_wanted(store):
    found = trace_lines(store, trace_hex(1), limit=3)
    assert (len(found.lines), found.complete) == (3, True)


def test_an_unknown_trace_has_no_lines(store):
    assert len(trace_lines(store, "ab" * 16).lines) == 0


def test_an_opened_span_has_its_logs_its_origin_and_who_links_to_it(store):
    found = open_span(store, trace_hex(1), span_hex(2))
    assert (found.span.name, found.span.events[0].attributes) == ("send", (("k", 1),))
    assert [each.body for each in found.logs] == ["first", "second"]
    assert dict(found.origin.resource)["host.name"] == "h1"
    assert [(each.trace_id, each.name) for each in found.linked_by] == [
        (trace_hex(1), "again"), (trace_hex(2), "process"),
    ]  # fmt: skip
    assert not found.more_logs


def test_links_lead_to_spans_that_are_not_stored(store):
    found = open_span(store, trace_hex(2), span_hex(1))
    assert [(each.trace_id, each.span_id) for each in found.span.links] == [
        (trace_hex(1), span_hex(2)), (trace_hex(7), span_hex(1)),
    ]  # fmt: skip
    assert found.linked_by == ()


@pytest.mark.parametrize(("trace", "number"), [(1, 77), (9, 1)])
def test_an_unknown_span_is_none(store, trace, number):
    assert open_span(store, trace_hex(trace), span_hex(number)) is None
