"""Traces are found by their spans, a page after the other, and words are completed from what came."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clew.store.cursors import BadCursor
from clew.store.embedded import open_store
from clew.store.found_traces import SlotCount, WordsOf, count_spans, search_traces, slices, time_of_matches, words_of
from clew.store.search import SpanFilter
from clew.store.spans import SpanStatus
from tests.builders import ingest, span, trace_hex, traces

NOW = 1_795_000_000_000_000_000
SECOND = 10**9
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    opened = open_store(tmp_path_factory.mktemp("found"))
    for number in range(1, 13):
        start = NOW - number * number * 10 * MINUTE
        bad = number % 3 == 0
        shop = traces(
            "shop-api",
            span(number, 1, start, lasts_ms=900, name="POST /orders", kind="server", order__id=f"47{number:02}"),
            span(number, 2, start + SECOND, name="price", parent=1, status="error" if bad else "unset", size=number),
        )
        ingest(opened, NOW, shop, traces("crm-api", span(number, 3, start + 2 * SECOND, name="POST /deals", parent=2)))
    # Trace 12 is the oldest, and one of its spans came a little while ago.
    ingest(opened, NOW, traces("mes", span(12, 9, NOW - 5 * MINUTE, name="late", kind="consumer", parent=2)))
    ingest(opened, NOW, traces("mes", span(12, 9, NOW - 5 * MINUTE, name="late", kind="consumer", parent=2)))
    yield opened
    opened.close()


def found(store, filter_, limit=20, after=None):
    parts = list(search_traces(store, filter_, NOW, limit, after))
    return [each for part in parts for each in part.items], parts[-1].next if parts else None


def numbers(items):
    return [int(each.trace_id[-2:], 16) for each in items]


@pytest.mark.parametrize(
    ("filter_", "expected"),
    [
        pytest.param(SpanFilter(since_ns=NOW - 48 * HOUR), [12, *range(1, 12)], id="all, newest match first"),
        pytest.param(SpanFilter(since_ns=NOW - 48 * HOUR, name="price"), [*range(1, 13)], id="name"),
        pytest.param(SpanFilter(since_ns=NOW - 48 * HOUR, status=SpanStatus.ERROR), [3, 6, 9, 12], id="status"),
        pytest.param(SpanFilter(since_ns=NOW - HOUR), [12, 1, 2], id="since"),
        pytest.param(SpanFilter(since_ns=NOW - 48 * HOUR, until_ns=NOW - 15 * HOUR), [10, 11, 12], id="until"),
        pytest.param(SpanFilter(since_ns=NOW - 48 * HOUR, attributes=(("size", "4"),)), [4], id="attribute"),
        pytest.param(SpanFilter(trace_id=trace_hex(5)), [5], id="trace, whenever it was"),
        pytest.param(SpanFilter(order_id="4707"), [7], id="order"),
        pytest.param(SpanFilter(since_ns=NOW - 48 * HOUR, service="nobody"), [], id="nothing"),
    ],
)
def test_traces_are_found_by_their_spans(store, filter_, expected):
    items, after = found(store, filter_)
    assert (numbers(items), after) == (expected, None)


def test_a_found_trace_tells_of_all_its_spans(store):
    items, _ = found(store, SpanFilter(since_ns=NOW - HOUR, name="late"))
    (late,) = items
    assert (late.root_service, late.root_name, late.spans, late.failed) == ("shop-api", "POST /orders", 4, 1)
    assert late.services == ("crm-api", "mes", "shop-api")
    assert late.order_ids == ("4712",)
    assert late.duration_ns == 1435 * MINUTE + SECOND // 100
    assert late.matched_ns == NOW - 5 * MINUTE


@pytest.mark.parametrize("limit", [1, 2, 5, 11, 12])
def test_pages_follow_each_other_without_gap_or_repeat(store, limit):
    filter_ = SpanFilter(since_ns=NOW - 48 * HOUR)
    shown, after = [], None
    while True:
        items, after = found(store, filter_, limit, after)
        assert len(items) <= limit
        shown += numbers(items)
        if after is None:
            break
    assert shown == [12, *range(1, 12)]


def test_traces_come_in_parts_as_slices_are_read(store):
    parts = [numbers(part.items) for part in search_traces(store, SpanFilter(since_ns=NOW - 48 * HOUR), NOW)]
    assert parts == [[12, 1], [2], [3, 4, 5], [6, 7, 8, 9, 10, 11]]


@pytest.mark.parametrize("cursor", ["x", "W10", "WzEsICJhYiJd", "é"])
def test_a_cursor_that_clew_never_gave_is_refused_before_anything_is_read(cursor):
    with pytest.raises(BadCursor, match="start again"):
        search_traces(None, SpanFilter(), NOW, 20, cursor)


@given(st.integers(1, 400 * 24 * HOUR), st.integers(0, 400 * 24 * HOUR))
def test_slices_cover_the_time_without_gap_or_overlap(before, shorter):
    since, until = NOW - before, max(NOW - shorter, NOW - before + 1)
    found_slices = list(slices(since, until, NOW))
    assert (found_slices[-1][0], found_slices[0][1]) == (since, until)
    assert all(newer[0] == older[1] for newer, older in pairwise(found_slices))
    assert all(begin < end for begin, end in found_slices)
    assert len(found_slices) < 12


def test_the_newest_slice_of_an_open_range_has_no_end():
    assert next(iter(slices(NOW - HOUR, 0, NOW))) == (NOW - 15 * MINUTE, 0)
    assert list(slices(0, 0, NOW)) == [(0, 0)]


def test_matching_spans_are_counted_by_time(store):
    filter_ = SpanFilter(since_ns=NOW - HOUR, name="price")
    assert count_spans(store, filter_, NOW - HOUR, 20 * MINUTE, 3) == (
        SlotCount(0, 0), SlotCount(1, 0), SlotCount(1, 0),
    )  # fmt: skip
    failed = SpanFilter(since_ns=NOW - 48 * HOUR, status=SpanStatus.ERROR)
    assert sum(each.failed for each in count_spans(store, failed, NOW - 48 * HOUR, HOUR, 48)) == 4


def test_the_time_of_matches_is_known(store):
    start = NOW - 25 * 10 * MINUTE
    assert time_of_matches(store, SpanFilter(trace_id=trace_hex(5))) == (start, start + 2 * SECOND)
    assert time_of_matches(store, SpanFilter(service="nobody")) is None


@pytest.mark.parametrize(
    ("what", "narrowed", "words"),
    [
        (WordsOf.SERVICE, {}, ("shop-api", "crm-api", "mes")),
        (WordsOf.SERVICE, {"part": "API"}, ("shop-api", "crm-api")),
        (WordsOf.NAME, {"service": "shop-api"}, ("POST /orders", "price")),
        (WordsOf.NAME, {"part": "deal"}, ("POST /deals",)),
        (WordsOf.KEY, {"service": "shop-api"}, ("order.id", "size")),
        (WordsOf.VALUE, {"key": "size", "part": "1"}, ("1", "10", "11", "12")),
        (WordsOf.VALUE, {"key": "x' OR 1 = 1"}, ()),
    ],
)
def test_words_are_completed_from_recent_spans(store, what, narrowed, words):
    assert words_of(store, what, NOW - 48 * HOUR, **narrowed) == words
