"""Every format tells the same history, and every line that doesn't is named with its reason."""

import json
import sqlite3

import pyarrow
import pytest
from pyarrow import parquet

from clew.history import json_lines
from clew.history.rows import HistoryError
from clew.history.sources import How, open_source
from tests.history.logs import (
    EVENTS,
    ROWS,
    as_cloud_events,
    as_csv,
    as_json_lines,
    as_ocel,
    as_ocel_xml,
    as_xes,
    read,
    write,
    write_ocel_sqlite,
    write_parquet,
)

CLOUD = as_cloud_events(ROWS)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("log.csv", as_csv(ROWS)),
        ("log.csv.gz", as_csv(ROWS)),
        ("semicolons.csv", as_csv(ROWS, ";")),
        ("log.tsv", as_csv(ROWS, "\t")),
        ("log.txt", as_csv(ROWS, "|")),
        ("excel.csv", as_csv(ROWS).decode().encode("utf-8-sig").replace(b"\n", b"\r\n")),
        ("wide.csv", as_csv(ROWS).decode().encode("utf-16")),
        ("log.jsonl", as_json_lines(ROWS)),
        ("log.ndjson.gz", as_json_lines(ROWS)),
        ("array.json", json.dumps(ROWS, indent=1).encode()),
    ],
)
def test_tables_and_json_tell_the_same_history(tmp_path, name, content):
    events, bad, remarks = read(write(tmp_path, name, content))
    assert (events, bad, remarks) == (EVENTS, [], [])


def named(events):
    """Events without what a format adds to their attributes."""
    return sorted(
        (*event[:4], {name: event[4][name] for name in event[4] if name == "case:amount"}) for event in events
    )


IN_CASES = sorted((*event[:4], {f"case:{name}": value for name, value in event[4].items()}) for event in EVENTS)


@pytest.mark.parametrize("name", ["log.xes", "log.xes.gz"])
def test_a_xes_log_tells_the_same_history(tmp_path, name):
    events, bad, remarks = read(write(tmp_path, name, as_xes(ROWS)))
    assert (named(events), bad, remarks) == (IN_CASES, [], [])


@pytest.mark.parametrize("name", ["log.json", "log.jsonocel", "log.json.gz"])
@pytest.mark.parametrize("indent", [None, 2])
def test_an_ocel_document_tells_the_same_history(tmp_path, name, indent):
    path = write(tmp_path, name, json.dumps(as_ocel(ROWS), indent=indent).encode())
    events, bad, remarks = read(path, How(object_type="order"))
    assert (named(events), bad, remarks) == (IN_CASES, [], [])
    assert events[0][4]["ocel:eid"] == "e0"


@pytest.mark.parametrize("name", ["log.xml", "log.xmlocel", "log.xml.gz"])
def test_an_ocel_log_in_xml_tells_the_same_history(tmp_path, name):
    events, bad, remarks = read(write(tmp_path, name, as_ocel_xml(as_ocel(ROWS))), How(object_type="order"))
    assert (named(events), bad, remarks) == (IN_CASES, [], [])
    of_json, *_ = read(write(tmp_path, "log.json", json.dumps(as_ocel(ROWS)).encode()), How(object_type="order"))
    assert events == of_json


OCEL_XML = b"""<?xml version='1.0'?>
<!-- written by hand --><ocel:log xmlns:ocel='x'> <!-- types left out -->
<ocel:events>
 <ocel:event id='e1' type='SUBMITTED' time='2024-01-02T10:00:00Z'><ocel:objects>
  <ocel:object object-id='o1' qualifier='of'/><ocel:object object-id='lost'/></ocel:objects>
  <ocel:attributes><ocel:attribute name='note'>a &lt; b &#246;</ocel:attribute></ocel:attributes></ocel:event>
 <ocel:event id='e2' type='SHIPPED' time='2024-01-03T10:00:00Z'/>
</ocel:events>
<ocel:objects><ocel:object id='o1' type='order'><ocel:objects><ocel:relationship object-id='o1'/></ocel:objects>
</ocel:object></ocel:objects></ocel:log>"""


def test_what_an_ocel_log_in_xml_leaves_out_is_told_and_events_may_come_first(tmp_path):
    events, bad, remarks = read(write(tmp_path, "log.xml", OCEL_XML))
    (event,) = events
    assert event[:2] == ("o1", "SUBMITTED")
    assert {"note": "a < b ö", "ocel:qualifier": "of", "ocel:eid": "e1"}.items() <= event[4].items()
    assert bad == [(1, "it names the object 'lost', which the log doesn't hold")]
    assert remarks == ["1 events have no object of the type order and are left out"]


def test_an_ocel_database_tells_the_same_history_in_utc(tmp_path):
    path = tmp_path / "log.sqlite"
    write_ocel_sqlite(path, ROWS)
    events, bad, remarks = read(path, How(object_type="order"))
    assert (named(events), bad, remarks) == (IN_CASES, [], [])


@pytest.mark.parametrize("content", [as_json_lines(CLOUD), json.dumps(CLOUD).encode()], ids=["a line each", "a batch"])
def test_cloud_events_tell_the_same_history(tmp_path, content):
    events, bad, _ = read(write(tmp_path, "events.json", content))
    assert bad == []
    assert [event[:4] for event in events] == [event[:4] for event in EVENTS]
    assert [event[4].get("data.amount", "") for event in events] == ["12.5", "12.5", ""]


def test_an_ocel_database_without_a_column_that_it_must_have_is_refused(tmp_path):
    write_ocel_sqlite(tmp_path / "log.sqlite", ROWS)
    base = sqlite3.connect(tmp_path / "log.sqlite")
    base.execute("ALTER TABLE event_SUBMITTED RENAME COLUMN ocel_time TO happened")
    base.close()
    with pytest.raises(HistoryError, match="table event_SUBMITTED has no column ocel_time"):
        read(tmp_path / "log.sqlite", How(object_type="order"))


def test_a_parquet_file_tells_the_same_history(tmp_path):
    write_parquet(tmp_path / "log.parquet", ROWS)
    events, bad, _ = read(tmp_path / "log.parquet")
    assert (events, bad) == (EVENTS, [])


def test_parquet_keeps_nanoseconds_and_asks_for_the_zone_of_times_without_one(tmp_path):
    moments = pyarrow.array([1_704_189_600_000_000_001], pyarrow.timestamp("ns"))
    table = pyarrow.table({"case": [1], "status": ["A"], "time": moments, "tags": [["x", "y"]]})
    parquet.write_table(table, tmp_path / "log.parquet")
    with pytest.raises(HistoryError, match="name no zone"):
        read(tmp_path / "log.parquet")
    events, _, _ = read(tmp_path / "log.parquet", zone="+02:00")
    assert events == [("1", "A", 1_704_182_400_000_000_001, "", {"tags": '["x","y"]'})]


HEAD = "order_id,stage,at,note\n"
GOOD = "1,A,2024-01-02T10:00:00Z,x\n"


@pytest.mark.parametrize(
    ("lines", "bad"),
    [
        ("1,A\n", (2, "2 fields where the header has 4")),
        (",A,2024-01-02T10:00:00Z,x\n", (2, "no order: column order_id is empty")),
        ("1,  ,2024-01-02T10:00:00Z,x\n", (2, "no stage: column stage is empty")),
        ("1,A,,x\n", (2, "no time: column at is empty")),
        ("1,A,yesterday,x\n", (2, "time 'yesterday': it isn't written as ISO 8601, 2026-11-22T08:15:00Z")),
        ("1,A,2024-02-30T10:00:00Z,x\n", (2, "time '2024-02-30T10:00:00Z': there is no such day")),
        ("1,A,2024-01-02T10:00:00,x\n", (2, "time '2024-01-02T10:00:00': it names no zone: give --zone")),
        ('1,A,2024-01-02T10:00:00Z,"x"y\n', (2, "it can't be read as CSV: ',' expected after '\"'")),
        ('1,B,2024-01-02T10:00:00Z,"two\nlines"\n1,A,,x\n', (4, "no time: column at is empty")),
        ("\n\n1,A,,x\n", (4, "no time: column at is empty")),
        (
            f"{'9' * 1001},A,2024-01-02T10:00:00Z,x\n",
            (2, "column order_id holds a text of 1001 characters, which is no order"),
        ),
    ],
)
def test_a_bad_line_is_named_and_all_others_are_taken(tmp_path, lines, bad):
    path = write(tmp_path, "log.csv", (HEAD + lines + GOOD * 3).encode())
    events, found, _ = read(path)
    assert found == [bad]
    assert events[-3:] == [("1", "A", 1_704_189_600_000_000_000, "", {"note": "x"})] * 3


def test_bytes_of_another_encoding_are_a_bad_line_and_the_option_mends_it(tmp_path):
    path = write(
        tmp_path, "log.csv", (HEAD + GOOD).encode() + "2,B,2024-01-02T10:00:00Z,Köln\n".encode("cp1252") + GOOD.encode()
    )
    events, bad, _ = read(path)
    assert (len(events), bad) == (2, [(3, "it isn't in utf-8: give --encoding")])
    events, bad, _ = read(path, How(encoding="cp1252"))
    assert (events[1][4], bad) == ({"note": "Köln"}, [])


@pytest.mark.parametrize("end", ['1,A,2024-01-02T10:00:00Z,"x', '1,A,2024-01-02T10:00:00Z,"x\n', '"'])
def test_a_quote_that_is_not_closed_at_the_end_is_hinted_at(tmp_path, end):
    _, bad, _ = read(write(tmp_path, "log.csv", (HEAD + GOOD + end).encode()))
    assert [line for line, _ in bad] == [3]
    assert "unexpected end of data" in bad[0][1]
    assert bad[0][1].endswith("is a quote not closed?")


@pytest.mark.parametrize("name", ["log.jsonl", "log.ndjson", "log", "log.json.gz"])
@pytest.mark.parametrize("bad_one", [b'{"order_id": "1", "sta\n', b"nonsense\n", b'{"relationships": \n'])
def test_a_bad_first_line_is_one_bad_line_of_json_lines(tmp_path, name, bad_one):
    events, bad, _ = read(write(tmp_path, name, bad_one + as_json_lines(ROWS)))
    assert events == EVENTS
    assert [line for line, _ in bad] == [1]
    assert bad[0][1].startswith("it is no JSON")


def test_brackets_in_texts_are_not_taken_for_depth(tmp_path):
    row = {**ROWS[0], "note": '["\\' * 200}
    events, bad, _ = read(write(tmp_path, "log.json", json.dumps([row]).encode()))
    assert (events[0][4]["note"], bad) == (row["note"], [])


def test_a_quote_that_is_never_closed_takes_no_more_than_one_field_s_length(tmp_path):
    path = write(tmp_path, "log.csv", (HEAD + GOOD + '1,A,2024-01-02T10:00:00Z,"x\n' + GOOD * 10_000).encode())
    events, bad, _ = read(path)
    taken, height = len(events), 131_072 // len(GOOD) + 1
    assert bad[0][0] == 3
    assert "is a quote not closed?" in bad[0][1]
    assert 10_001 - height - 10 <= taken <= 10_001 - height + 10


@pytest.mark.parametrize(
    ("name", "content", "bad"),
    [
        (
            "log.jsonl",
            b'{"id": 1}\n[1]\nnonsense\n',
            [(3, "it is no JSON object"), (4, "it is no JSON: ")],
        ),
        ("log.json", json.dumps([CLOUD[0], 5]).encode(), [(2, "it is no JSON object")]),
    ],
)
def test_json_that_is_no_event_is_a_bad_line(tmp_path, name, content, bad):
    first = as_json_lines(ROWS[:1]) if name == "log.jsonl" else b""
    _, found, _ = read(write(tmp_path, name, first + content))
    assert [line for line, _ in found if line in dict(bad)] == [line for line, _ in bad]
    assert all(reason.startswith(dict(bad)[line]) for line, reason in found if line in dict(bad))


def test_an_element_that_is_no_cloud_event_is_a_bad_line(tmp_path):
    content = as_json_lines([*CLOUD, {"type": "x", "time": ROWS[0]["at"], "subject": "1"}])
    _, bad, _ = read(write(tmp_path, "events.jsonl", content))
    assert bad == [(4, "it is no CloudEvent: specversion is neither 1.x nor 0.3")]


def test_numbers_bools_and_nested_values_become_attributes(tmp_path):
    row = {
        "order": {"id": 4711}, "stage": "A", "time": 1_704_189_600_000, "paid": True, "sum": 12.0, "rate": 0.5, "none": None,
        "lines": [{"n": 1}], "address": {"town": {"zip": "04103"}},
    }  # fmt: skip
    events, bad, _ = read(write(tmp_path, "log.jsonl", as_json_lines([row])), columns={"order": "order.id"})
    kept = {"paid": "true", "sum": "12", "rate": "0.5", "lines": '[{"n":1}]', "address.town.zip": "04103"}
    assert (events, bad) == ([("4711", "A", 1_704_189_600_000_000_000, "", kept)], [])


def test_traces_of_one_name_are_one_order_and_that_is_told(tmp_path):
    rows = [ROWS[0], ROWS[2], ROWS[1], {**ROWS[2], "stage": "SHIPPED"}]
    events, bad, remarks = read(write(tmp_path, "log.xes", as_xes(rows)))
    assert [event[0] for event in events] == ["4711", "Ä 12", "4711", "Ä 12"]
    assert (bad, remarks) == ([], ["2 traces carry the name of an earlier one: their events are merged into one order"])


def test_xes_keeps_nested_attributes_and_names_events_without_a_time(tmp_path):
    log = b"""<log><trace><string key="concept:name" value="1"/>
      <event><string key="concept:name" value="A"><string key="by" value="ann"/></string>
        <date key="time:timestamp" value="2024-01-02T10:00:00Z"/>
        <list key="items"><values><string key="sku" value="7"/></values></list></event>
      <event><string key="concept:name" value="B"/></event>
    </trace><trace><event><string key="concept:name" value="C"/><date key="time:timestamp" value="2024-01-02T10:00:00Z"/>
    </event></trace><trace><string key="concept:name" value="2"/></trace></log>"""
    events, bad, remarks = read(write(tmp_path, "log.xes", log))
    kept = {"concept:name/by": "ann", "items/sku": "7"}
    assert events == [("1", "A", 1_704_189_600_000_000_000, "", kept)]
    assert bad == [(5, "no time: column time:timestamp is empty"), (6, "no order: column case:concept:name is empty")]
    assert remarks == ["1 traces hold no event"]


def test_an_event_with_several_objects_of_the_type_counts_for_each(tmp_path):
    log = as_ocel(ROWS)
    log["events"][0]["relationships"].append({"objectId": "Ä 12", "qualifier": "too"})
    log["events"][1]["relationships"] = [{"objectId": "box 1", "qualifier": ""}]
    log["events"][2]["relationships"].append({"objectId": "ghost", "qualifier": ""})
    path = write(tmp_path, "log.json", json.dumps(log).encode())
    events, bad, remarks = read(path, How(object_type="order"))
    assert [event[:2] for event in events] == [("4711", "SUBMITTED"), ("Ä 12", "SUBMITTED"), ("Ä 12", "SUBMITTED")]
    assert bad == [(3, "it names the object 'ghost', which the log doesn't hold")]
    assert remarks == ["1 events have no object of the type order and are left out"]
    assert len(read(path, How(object_type="box"))[0]) == 3


@pytest.mark.parametrize("form", ["json", "sqlite", "xml"])
def test_without_a_type_the_types_are_listed(tmp_path, form):
    path = tmp_path / f"log.{form}"
    if form == "sqlite":
        write_ocel_sqlite(path, ROWS)
    else:
        path.write_bytes(as_ocel_xml(as_ocel(ROWS)) if form == "xml" else json.dumps(as_ocel(ROWS)).encode())
    with pytest.raises(HistoryError, match=r"several types: order \(2\), box \(1\)") as raised:
        open_source(path, How())
    assert raised.value.mend == 'say which plays the order: --object-type "order"'
    with pytest.raises(HistoryError, match="no such type"):
        open_source(path, How(object_type="parcel"))


@pytest.mark.parametrize(
    ("name", "content", "told", "mend"),
    [
        ("log.bin", b"\0\1\2", "nobody knows what log.bin is", "--format"),
        ("log.json", b'{\n "a": 1\n}', "neither a line an object", "--format"),
        ("log.json", b'{"ocel:events": {}, "ocel:objects": {}}', "OCEL 1.0", "OCEL 2.0"),
        ("log.json", b'[{"a": 1}', "no whole JSON document", "mend"),
        ("log.xes", b"<log><trace>", "no whole XES log", "mend"),
        ("log.xml", b"<html></html>", "no XES log", "export"),
        ("log.xml", b"<log><events><event id='1'>", "no whole OCEL log", "mend"),
        ("log.xml", b'<!DOCTYPE x [<!ENTITY a "b">]><log><events></events></log>', "XML entities", "DTD"),
        ("log.xes", b'<!DOCTYPE x [<!ENTITY a "b">]><log></log>', "XML entities", "DTD"),
        ("log.csv", b"", "no header", "first line"),
        (
            "log.csv",
            "order_id,stage,at,Größe,Größe\n".encode("cp1252"),
            "header of log.csv isn't in utf-8",
            "--encoding",
        ),
        ("log.json", b"[" * 100_000, "more than 100 deep", "an array of objects"),
        ("log.json", b"[" + b'"\\' * 20_000, "no whole JSON document", "mend"),
        ("log.json", b'[{"a":' * 60, "more than 100 deep", "an array of objects"),
        ("log.json", b'{"objectTypes": [], "events": ' + b"[" * 100_000, "more than 100 deep", "an array of objects"),
        ("log.csv", b"a,a\n1,2\n", "names each column once", "first line"),
        ("log.csv", b"order_id,stage,at\n", "nothing in it to import", "check the file"),
        (
            "log.csv",
            b"a,b,c\n1,2,3\n",
            "hold the order and the stage and the time; there are a, b, c",
            "--order COLUMN --stage",
        ),
        ("log.csv", b"order,stage,x\n1,2,3\n", "no column is known to hold the time", "name it: --time COLUMN"),
        ("log.parquet", b"PAR1nonsensePAR1", "no whole Parquet file", "copy"),
        ("log.csv.gz", None, "no whole gzip file", "copy"),
        ("log.sqlite", b"SQLite format 3\0", "no OCEL 2.0 log", "--sql"),
    ],
)
def test_a_file_that_is_not_what_it_seems_is_refused_with_what_to_do(tmp_path, name, content, told, mend):
    path = tmp_path / name
    if content is None:
        path.write_bytes(write(tmp_path, "whole.gz", as_csv(ROWS * 1000)).read_bytes()[:-20])
    else:
        path.write_bytes(content)
    with pytest.raises(HistoryError) as raised:
        read(path)
    assert told in str(raised.value)
    assert mend in raised.value.mend


def test_an_event_too_large_to_be_sent_is_a_bad_line(tmp_path):
    rows = [{**ROWS[0], "amount": "x" * 1_100_000}, ROWS[1]]
    events, bad, _ = read(write(tmp_path, "log.jsonl", as_json_lines(rows)))
    assert (len(events), bad) == (1, [(1, "it would be an event of more than 1024 KiB")])


def test_a_line_without_end_is_not_held_in_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(json_lines, "LONGEST_LINE", 200)
    content = as_json_lines([{**ROWS[0], "amount": "x" * 1_000}, ROWS[1]])
    events, bad, _ = read(write(tmp_path, "log.jsonl", content))
    assert [line for line, _ in bad] == [1]
    assert bad[0][1].startswith("it is longer than")
    assert [event[1] for event in events] == ["SHIPPED"]


def test_rows_may_name_different_fields_in_any_order(tmp_path):
    rows = [
        ROWS[0],
        dict(reversed(ROWS[1].items())),
        {"stage": "A", "order_id": "5", "at": ROWS[0]["at"], "more": {"x": 1}},
    ]
    events, bad, _ = read(write(tmp_path, "log.jsonl", as_json_lines(rows)))
    assert (events[:2], bad) == (EVENTS[:2], [])
    assert events[2] == ("5", "A", 1_704_189_600_000_000_000, "", {"more.x": "1"})


def test_a_xes_log_may_prefix_its_elements(tmp_path):
    log = as_xes(ROWS).decode()
    for name in ("log", "trace", "event", "string", "date", "float", "global"):
        log = (
            log.replace(f"<{name} ", f"<x:{name} ")
            .replace(f"<{name}>", f"<x:{name}>")
            .replace(f"</{name}>", f"</x:{name}>")
        )
    log = log.replace("xmlns=", "xmlns:x=")
    events, bad, _ = read(write(tmp_path, "log.xes", log.encode()))
    assert (named(events), bad) == (IN_CASES, [])
