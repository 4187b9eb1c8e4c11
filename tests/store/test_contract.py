"""The storage contract, as one suite over every engine that Clew has."""

import csv
import io
import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from clew.model.errors import MalformedTelemetry, StoreError, StoreUnavailable
from clew.store.contract import Batch, Format, Rejected, Signal
from clew.store.embedded import open_store
from tests.builders import attributes, logs, span, stage_event, traces

NOW = 1_795_000_000_000_000_000
DAY = 86_400_000_000_000
ENGINES = {"embedded": open_store}


@pytest.fixture(scope="module", params=ENGINES)
def store(request, tmp_path_factory):
    opened = ENGINES[request.param](tmp_path_factory.mktemp("contract"))
    yield opened
    opened.close()


def batch(token, *requests, signal=Signal.TRACES):
    return Batch(signal, tuple(request.SerializeToString() for request in requests), token, NOW)


def count(store, table, service):
    return store.rows(f"SELECT count() AS n FROM {table} WHERE service = {{s:String}}", {"s": service})[0]["n"]


def test_a_stored_batch_is_seen_by_every_query(store):
    assert store.ingest(batch("seen", traces("seen", span(1, 1, NOW), span(1, 2, NOW)))) == {}
    assert count(store, "spans", "seen") == 2


def test_the_same_batch_under_the_same_token_adds_nothing(store):
    once = batch("again", traces("again", span(2, 1, NOW, order__id="o-again", order__stage="SUBMITTED")))
    for _ in range(3):
        store.ingest(once)
    assert count(store, "spans", "again") == 1
    assert count(store, "order_events", "again") == 1


def test_a_malformed_payload_stores_nothing_of_its_batch(store):
    good = traces("beside-bad", span(3, 1, NOW)).SerializeToString()
    with pytest.raises(MalformedTelemetry):
        store.ingest(Batch(Signal.TRACES, (good, good[:-3]), "bad", NOW))
    assert count(store, "spans", "beside-bad") == 0


@pytest.mark.parametrize("payload", [b"\x0a\x05abc", b"\x08\x01", b"\x0a\x03\x12\x01\x99", b"\x0a\xff\xff\xff\xff\x0f"])
@pytest.mark.parametrize("signal", Signal)
def test_probing_tells_a_payload_that_never_parses(store, signal, payload):
    with pytest.raises(MalformedTelemetry):
        store.probe(signal, payload)


@pytest.mark.parametrize("signal", Signal)
def test_probing_a_good_payload_stores_nothing(store, signal):
    request = (
        traces("probed", span(4, 1, NOW)) if signal is Signal.TRACES else logs("probed", stage_event("p", "S", NOW))
    )
    store.probe(signal, request.SerializeToString())
    assert count(store, signal.replace("traces", "spans"), "probed") == 0


def wrong(change):
    bad = span(5, 9, NOW)
    change(bad)
    return bad


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda s: setattr(s, "trace_id", b""), "trace_id"),
        (lambda s: setattr(s, "trace_id", b"short"), "trace_id"),
        (lambda s: setattr(s, "trace_id", b"x" * 17), "trace_id"),
        (lambda s: setattr(s, "trace_id", bytes(16)), "trace_id"),
        (lambda s: setattr(s, "span_id", b""), "span_id"),
        (lambda s: setattr(s, "span_id", b"x" * 9), "span_id"),
        (lambda s: setattr(s, "span_id", bytes(8)), "span_id"),
        (lambda s: setattr(s, "start_time_unix_nano", NOW + 2 * DAY), "ahead"),
        (lambda s: setattr(s, "start_time_unix_nano", 2**64 - 1), "ahead"),
        (lambda s: setattr(s, "start_time_unix_nano", NOW - 401 * DAY), "400 days ago"),
    ],
)
def test_a_span_that_can_never_be_stored_is_counted_and_its_neighbours_are_kept(store, change, reason):
    service = f"neighbours {reason} {id(change)}"
    mixed = traces(service, span(5, 1, NOW), wrong(change), span(5, 2, NOW))
    answer = store.ingest(batch(service, traces(service, span(6, 1, NOW)), mixed))
    assert answer.keys() == {1}
    assert answer[1] == Rejected(1, answer[1].reason)
    assert reason in answer[1].reason
    assert count(store, "spans", service) == 3


@pytest.mark.parametrize(
    ("start", "end", "stored", "duration"),
    [(NOW - 5, NOW, NOW - 5, 5), (0, 0, NOW, 0), (0, NOW - 7, NOW - 7, 0), (NOW, NOW - 9, NOW, 0)],
)
def test_odd_times_of_a_span_are_stored_sensibly(store, start, end, stored, duration):
    odd = span(7, 1, NOW)
    odd.start_time_unix_nano, odd.end_time_unix_nano = start, end
    service = f"odd times {start} {end}"
    store.ingest(batch(service, traces(service, odd)))
    rows = store.rows(
        "SELECT toUnixTimestamp64Nano(ts) AS at, duration_ns FROM spans WHERE service = {s:String}", {"s": service}
    )
    assert rows == [{"at": stored, "duration_ns": duration}]


def test_a_log_far_ahead_of_time_is_rejected_alone(store):
    answer = store.ingest(
        batch(
            "log-time",
            logs("log-time", stage_event("x", "S", NOW), stage_event("x", "S", NOW + 2 * DAY)),
            signal=Signal.LOGS,
        )
    )
    assert answer[0].items == 1
    assert count(store, "logs", "log-time") == 1


def test_values_are_bound_and_never_part_of_the_text(store):
    hostile = "' OR 1 = 1 -- \\ \t \n \x00 {x:String} 'ж"
    assert store.rows("SELECT {v:String} AS v, {l:Array(String)} AS l", {"v": hostile, "l": [hostile]}) == [
        {"v": hostile, "l": [hostile]}
    ]


def test_a_wrong_query_names_its_fault(store):
    with pytest.raises(StoreError, match="no_such_table"):
        store.rows("SELECT * FROM no_such_table")


NUMBERS = "SELECT number + {first:UInt64} AS n, {told:String} AS told, map('k', {told:String}) AS m FROM numbers({count:UInt64})"
ODD = """' "," \\ \t \n ж {x:String}"""


def slices(*counts, told=ODD):
    return [{"first": sum(counts[:index]), "count": count, "told": told} for index, count in enumerate(counts)]


@pytest.mark.parametrize("counts", [(3,), (2, 0, 1), (0, 0)])
def test_a_query_streams_as_one_file_over_all_its_bindings(store, counts):
    expected = [{"n": n, "told": ODD, "m": {"k": ODD}} for n in range(sum(counts))]
    table = b"".join(store.stream(NUMBERS, slices(*counts), Format.CSV)).decode()
    rows = list(csv.DictReader(io.StringIO(table, newline="")))
    assert [(int(row["n"]), row["told"]) for row in rows] == [(row["n"], ODD) for row in expected]
    assert table.startswith('"n","told","m"\n')
    lines = b"".join(store.stream(NUMBERS, slices(*counts), Format.JSON_LINES)).splitlines()
    assert [json.loads(line) for line in lines] == expected
    file = b"".join(store.stream(NUMBERS, slices(*counts), Format.PARQUET))
    assert (file[:4], file[-4:]) == (b"PAR1", b"PAR1")


def test_a_stream_comes_in_pieces_and_may_be_left(store):
    threads = threading.active_count()
    for _ in range(5):
        pieces = store.stream(NUMBERS, slices(*[500_000] * 8), Format.CSV)
        assert 0 < len(next(pieces)) <= 1 << 20
        pieces.close()
    assert threading.active_count() <= threads


@pytest.mark.parametrize("format_", Format)
def test_an_error_in_the_midst_of_a_stream_is_raised_after_what_came_before(store, format_):
    failing = "SELECT number, throwIf(number = 900000) FROM numbers({count:UInt64})"
    pieces = store.stream(failing, [{"count": 500_000}, {"count": 1_000_000}], format_)
    assert next(pieces)
    with pytest.raises(StoreError, match="throwIf"):
        list(pieces)
    with pytest.raises(StoreError, match="no_such_table"):
        next(store.stream("SELECT * FROM no_such_table", [{}], format_))


def test_too_many_streams_are_refused_until_one_has_ended(store):
    opened = [store.stream(NUMBERS, slices(2_000_000), Format.CSV) for _ in range(2)]
    assert all(map(next, opened))
    with pytest.raises(StoreUnavailable, match="try again"):
        next(store.stream(NUMBERS, slices(1), Format.CSV))
    opened[0].close()
    assert b"".join(store.stream(NUMBERS, slices(1), Format.CSV))
    opened[1].close()


def test_a_store_that_closes_ends_a_stream_that_nobody_reads(tmp_path_factory):
    script = Path(__file__).with_name("closing.py")
    done = subprocess.run([sys.executable, script, tmp_path_factory.mktemp("closing")], capture_output=True, timeout=60)
    assert (done.returncode, done.stdout.split()) == (0, [b"StoreError", b"StoreUnavailable"]), done.stderr


def test_inserted_rows_are_visible_at_once(store):
    store.insert("marks", ("name", "value", "written"), [("contract", 7, NOW)])
    assert store.rows("SELECT value FROM marks FINAL WHERE name = 'contract'") == [{"value": 7}]


FACTS = {"order__id": "4711", "order__stage": "SUBMITTED", "order__path": "b2c", "user__id": "customer-123456"}


@pytest.mark.parametrize(
    ("source", "request_"),
    [
        ("log", logs("doors log", stage_event("4711", "SUBMITTED", NOW, order__path="b2c", user__id="customer-123456"))),
        ("span", traces("doors span", span(8, 1, NOW, **FACTS))),
        (
            "span_event",
            traces(
                "doors span_event",
                span(8, 2, NOW - 1, user__id="customer-123456", order__id="4711",
                     events=[("order.stage", NOW, {"order.stage": "SUBMITTED", "order.path": "b2c"})]),
            ),
        ),
    ],
)  # fmt: skip
def test_a_stage_event_comes_in_by_three_doors_and_is_the_same(store, source, request_):
    signal = Signal.LOGS if source == "log" else Signal.TRACES
    store.ingest(batch(f"door {source}", request_, signal=signal))
    rows = store.rows(
        "SELECT order_id, stage, toUnixTimestamp64Nano(ts) AS at, path, user_id, outcome, hold, source "
        "FROM order_events WHERE service = {s:String}",
        {"s": f"doors {source}"},
    )
    assert rows == [
        {
            "order_id": "4711",
            "stage": "SUBMITTED",
            "at": NOW,
            "path": "b2c",
            "user_id": "…3456",
            "outcome": "ok",
            "hold": -1,
            "source": source,
        }
    ]


def test_a_batch_event_counts_for_each_of_its_orders(store):
    record = stage_event("", "PACKAGING", NOW)
    del record.attributes[0]
    record.attributes.extend(attributes({"order.ids": ["a-1", "an-id-of-ten", "3"]}))
    store.ingest(batch("box", logs("box", record), signal=Signal.LOGS))
    rows = store.rows("SELECT order_id FROM order_events WHERE service = 'box' ORDER BY order_id")
    assert [row["order_id"] for row in rows] == ["3", "a-1", "an-id-of-ten"]


def test_an_event_that_knows_only_an_alias_is_kept_under_it(store):
    record = stage_event("", "MANUFACTURING_APPROVED", NOW, order__alias__crm_deal="D77")
    store.ingest(batch("alias", logs("alias", record), signal=Signal.LOGS))
    assert store.rows("SELECT order_id FROM order_events WHERE service = 'alias'") == [{"order_id": "D77"}]


@pytest.mark.parametrize(
    ("key", "value", "kept"),
    [
        ("user.id", "customer-123456", "…3456"),
        ("user.id", "42", "…"),
        ("http.request.body", "secret", "[removed]"),
        ("url.full", "https://shop/o/1?card=4111", "https://shop/o/1"),
        ("http.route", "/orders/{id}?x", "/orders/{id}?x"),
    ],
)
def test_personal_data_is_masked_before_it_reaches_the_disk(store, key, value, kept):
    service = f"mask {key} {value}"
    store.ingest(batch(service, traces(service, span(9, 1, NOW, **{key: value}, events=[("e", NOW, {key: value})]))))
    rows = store.rows(
        "SELECT attrs[{k:String}] AS a, events.attrs[1][{k:String}] AS e FROM spans WHERE service = {s:String}",
        {"k": key, "s": service},
    )
    assert rows == [{"a": kept, "e": kept}]
