"""What is in the files: over a real store, in small slices as in one, and equal however often they are made."""

from __future__ import annotations

import csv
import io
import json
import time

import pyarrow.parquet as parquet
import pytest

from clew.export import VisitFilter, export_orders, export_spans, export_visits, slices
from clew.model.journey import VerdictKind
from clew.store.contract import Format
from clew.store.embedded import open_store
from clew.store.orders import OrderFilter
from clew.store.search import SpanFilter
from tests.builders import ingest, logs, span, span_hex, stage_event, trace_hex, traces
from tests.story import MINUTE, tell

NOW = time.time_ns()


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    opened = open_store(tmp_path_factory.mktemp("export"))
    deps = tell(opened, NOW)
    only_alias = stage_event("", "MANUFACTURING_APPROVED", NOW - 30 * MINUTE, order__alias__crm_deal="D77", tier="gold")
    same_again = stage_event("4711", "SUBMITTED", NOW - 49 * MINUTE)
    later = time.time_ns()
    ingest(opened, later, logs("crm-api", only_alias), logs("shop-api", same_again))
    ingest(opened, later, traces("mes", span(3, 2, NOW - 300 * MINUTE + 3 * 10**9, name="sent twice")))
    deps.ticker.tick()
    yield opened
    opened.close()


def csv_rows(pieces):
    return list(csv.DictReader(io.StringIO(b"".join(pieces).decode(), newline="")))


def json_rows(pieces):
    return [json.loads(line) for line in b"".join(pieces).splitlines()]


def parquet_rows(pieces):
    return parquet.read_table(io.BytesIO(b"".join(pieces))).to_pylist(maps_as_pydicts="strict")


def orders(store, format_=Format.JSON_LINES, **fields):
    range_ns = {name: fields.pop(name) for name in ("from_ns", "to_ns") if name in fields}
    return export_orders(store, OrderFilter(**fields), NOW, format_, **range_ns)


def visits(store, format_=Format.JSON_LINES, **fields):
    return export_visits(store, VisitFilter(**fields), NOW, format_)


def spans(store, format_=Format.JSON_LINES, **fields):
    return export_spans(store, SpanFilter(**fields), format_)


EVERYTHING = [orders, visits, spans]


@pytest.mark.parametrize("export", EVERYTHING)
def test_all_formats_say_the_same(store, export):
    told = json_rows(export(store))
    assert parquet_rows(export(store, Format.PARQUET)) == told
    nested = {name for name, value in told[0].items() if isinstance(value, list | dict)}
    for row, line in zip(csv_rows(export(store, Format.CSV)), told, strict=True):
        assert row.keys() == line.keys()
        assert {name: json.loads(row[name]) for name in nested} == {name: line[name] for name in nested}
        flat = {name: value for name, value in line.items() if name not in nested}
        assert {name: row[name] for name in flat} == {name: as_text(value) for name, value in flat.items()}


def as_text(value):
    return "" if value is None else json.dumps(value) if isinstance(value, bool) else str(value)


@pytest.mark.parametrize("export", EVERYTHING)
@pytest.mark.parametrize("format_", Format)
def test_a_file_made_again_is_equal_whatever_its_slices(store, export, format_, monkeypatch):
    whole = b"".join(export(store, format_))
    assert b"".join(export(store, format_)) == whole
    if format_ is not Format.PARQUET:
        monkeypatch.setattr(slices, "_SAMPLED", 1)
        monkeypatch.setattr(slices.order_slices, "__defaults__", (2,))
        monkeypatch.setattr(slices.span_slices, "__defaults__", (1,))
        assert b"".join(export(store, format_)) == whole


def test_an_order_has_its_verdict_its_way_and_its_moments_to_the_nanosecond(store):
    (row,) = json_rows(orders(store, order_prefix="4711"))
    start = NOW - 50 * MINUTE
    assert (row["order_id"], row["verdict"], row["stage"], row["path"]) == (
        "4711", "on_time", "MANUFACTURING_APPROVED", "b2c",
    )  # fmt: skip
    assert row["stages"] == ["INITIATED", "SUBMITTED", "MANUFACTURING_APPROVED"]
    assert row["stages_ns"] == [start - 10 * MINUTE, start, NOW - 30 * MINUTE]
    assert (row["other_ids"], row["user_id"], row["traces"]) == (["D77"], "…9931", [trace_hex(1)])
    assert (row["attributes"], row["imported"], row["due_at"], row["due_ns"]) == ({"tier": "gold"}, False, None, None)
    assert row["first_ns"] == start - 10 * MINUTE
    assert row["first_at"].endswith(f".{row['first_ns'] % 10**9:09d}Z")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, ["4711", "4712", "4714", "4715", "b/16", "4713"]),
        ({"verdicts": (VerdictKind.LOST, VerdictKind.CLOSED)}, ["4712", "4713"]),
        ({"open_only": True}, ["4711", "4712", "4714", "4715", "b/16"]),
        ({"stage": "CLOSED"}, ["4713"]),
        ({"alias": "D77"}, ["4711"]),
        ({"user_id": "…9931"}, ["4711"]),
        ({"trace_id": trace_hex(3)}, ["4713"]),
        ({"path": "' OR 1=1 --"}, []),
        ({"from_ns": NOW - 60 * MINUTE}, ["4711", "4712", "4714", "4715", "b/16"]),
        ({"from_ns": NOW - 60 * MINUTE + 1}, ["4712", "4714", "4715", "b/16"]),
        ({"to_ns": NOW - 60 * MINUTE}, ["4713"]),
    ],
)
def test_orders_are_filtered_as_in_the_list(store, fields, expected):
    assert [row["order_id"] for row in json_rows(orders(store, **fields))] == expected


@pytest.mark.parametrize("name", ["4711", "D77"])
def test_visits_of_an_order_name_who_reported_them_also_by_an_alias(store, name):
    rows = json_rows(visits(store, order_id=name))
    assert [(row["order_id"], row["stage"], row["service"], row["path"], row["user_id"]) for row in rows] == [
        ("4711", "INITIATED", "shop-api", "b2c", "…9931"),
        ("4711", "SUBMITTED", "shop-api", "b2c", "…9931"),
        ("4711", "MANUFACTURING_APPROVED", "crm-api", "b2c", "…9931"),
    ]
    assert (rows[1]["trace_id"], rows[1]["span_id"], rows[0]["trace_id"]) == (trace_hex(1), span_hex(1), "")
    assert (rows[2]["attributes"], rows[2]["source"]) == ({"tier": "gold"}, "log")
    assert rows[1]["time_ns"] == NOW - 50 * MINUTE


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, 18),
        ({"order_id": "nobody"}, 0),
        ({"flow": "jeweller"}, 18),
        ({"flow": "loans"}, 0),
        ({"path": "b2b"}, 0),
        ({"stage": "SUBMITTED"}, 5),
        ({"from_ns": NOW - 50 * MINUTE}, 6),
        ({"from_ns": NOW - 50 * MINUTE, "to_ns": NOW - 20 * MINUTE}, 3),
    ],
)
def test_visits_are_filtered(store, fields, expected):
    assert len(json_rows(visits(store, **fields))) == expected


def test_a_failed_attempt_and_a_hold_are_no_visits(store):
    told = {(row["order_id"], row["stage"]) for row in json_rows(visits(store))}
    assert {stage for order_id, stage in told if order_id in ("4714", "4715")} == {"SUBMITTED"}


def test_spans_are_whole_once_and_filtered_as_in_a_search(store):
    rows = json_rows(spans(store))
    assert len({(row["trace_id"], row["span_id"]) for row in rows}) == len(rows)
    (failed,) = json_rows(spans(store, error="TimeoutError"))
    assert (failed["service"], failed["kind"], failed["status"], failed["timeout"]) == (
        "crm-api",
        "server",
        "error",
        True,
    )
    assert failed["parent_span_id"] == span_hex(2)
    assert failed["events"] == [
        {"name": "exception", "at_ns": NOW - 50 * MINUTE + 30 * 10**6, "attributes": {"exception.message": "no answer"}}
    ]
    assert [(each["trace_id"], each["span_id"]) for each in failed["links"]] == [(trace_hex(9), span_hex(1))]
    assert (failed["start_ns"], failed["duration_ns"]) == (NOW - 50 * MINUTE + 20 * 10**6, 250 * 10**6)
    assert {row["trace_id"] for row in json_rows(spans(store, trace_id=trace_hex(3)))} == {trace_hex(3)}
    assert [row["name"] for row in json_rows(spans(store, caller="shop-api", callee="crm-api"))] == ["POST /deals"]
    assert json_rows(spans(store, min_trace_ns=10**12)) == []


def test_an_order_that_ends_while_the_file_is_made_is_told_once(store, monkeypatch):
    began = NOW - 310 * MINUTE  # 4713 ended after that: as if it had been open then
    known = slices.order_slices(store, time.time_ns())
    assert ids_in(store, known) == {"4711", "4712", "4714", "4715", "b/16", "4713"}
    assert ids_in(store, [each | {"ended": began, "ended_since": []} for each in known]) == {
        "4711", "4712", "4714", "4715", "b/16",
    }  # fmt: skip
    assert ids_in(store, slices.order_slices(store, began)) == ids_in(store, known)


def ids_in(store, planned):
    sql = f"SELECT order_id FROM orders FINAL WHERE {slices.IN_SLICE}"
    return {row["order_id"] for each in planned for row in store.rows(sql, each)}
