"""What a spreadsheet would take for a formula is harmless in CSV, and as it was told everywhere else."""

from __future__ import annotations

import csv
import io
import json
import time

import pytest

from clew.export import VisitFilter, export_orders, export_spans, export_visits
from clew.history.own_export import COLUMNS, restored
from clew.history.rows import Batch
from clew.store.contract import Format
from clew.store.embedded import open_store
from clew.store.orders import OrderFilter
from clew.store.search import SpanFilter
from tests.builders import ingest, logs, span, stage_event, traces
from tests.story import MINUTE, tell

NOW = time.time_ns()
HOSTILE = ("=1+1", "+1", "-2", "@SUM(A1)", "\t=1", "\r=1", "'=1", "''-2")
PEACEFUL = ("4711", "", "'quoted'", "a=b", "Ä -1", "'")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    opened = open_store(tmp_path_factory.mktemp("formulas"))
    deps = tell(opened, NOW)
    texts = [text for text in (*HOSTILE, *PEACEFUL) if text]
    told = [
        stage_event(f"{text}:{place}", "SUBMITTED", NOW - MINUTE, order__path=text, order__actor=text)
        for place, text in enumerate(texts)
    ]
    later = time.time_ns()
    ingest(opened, later, logs("=service()", *told))
    ingest(opened, later, traces("@service", *[span(70, place, NOW, name=text) for place, text in enumerate(texts, 1)]))
    deps.ticker.tick()
    yield opened
    opened.close()


def orders(store, format_):
    return export_orders(store, OrderFilter(), NOW, format_)


def visits(store, format_):
    return export_visits(store, VisitFilter(), NOW, format_)


def spans(store, format_):
    return export_spans(store, SpanFilter(), format_)


def harmless(value):
    begins = value.lstrip("'")[:1] if isinstance(value, str) else ""
    return f"'{value}" if begins and begins in "=+-@\t\r" else value


@pytest.mark.parametrize(("export", "least"), [(orders, 16), (visits, 24), (spans, 8)])
def test_texts_that_begin_like_a_formula_are_harmless_in_csv_and_no_others_are_changed(store, export, least):
    lines = [json.loads(line) for line in b"".join(export(store, Format.JSON_LINES)).splitlines()]
    rows = list(csv.DictReader(io.StringIO(b"".join(export(store, Format.CSV)).decode(), newline="")))
    changed = 0
    for row, line in zip(rows, lines, strict=True):
        for name, value in line.items():
            if isinstance(value, str):
                assert row[name] == harmless(value), name
                changed += row[name] != value
    assert changed >= least


def test_an_import_gives_every_text_back():
    texts = [*HOSTILE, *PEACEFUL]
    columns = {name: [harmless(text) for text in texts] for name in COLUMNS[:-1]} | {"attributes": ["{}"] * len(texts)}
    batch = restored(Batch(range(len(texts)), columns), disarmed=True)
    assert batch.columns["actor"] == texts


def test_an_import_knows_the_columns_that_an_export_has(store):
    head = next(csv.reader(io.StringIO(b"".join(visits(store, Format.CSV)).decode(), newline="")))
    assert tuple(head) == COLUMNS
