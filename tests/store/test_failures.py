"""Why an attempt failed is told by what the instrumentation said of it, whichever door the stage event came by."""

from __future__ import annotations

import itertools
import time

import pytest

from clew.flow import parse_flow, rules_sql
from clew.store.embedded import open_store
from clew.store.render import ERROR_TOLD
from tests.builders import ingest, logs, span, stage_event, traces

FLOW = """
flow: rings
version: 1
paths: {b2c: [MADE]}
stages:
  MADE: {terminal: closed, rules: [{service: mes, span: make, status: error, outcome: failed}, {service: mes, span: make, status: ok}]}
"""
NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    opened = open_store(tmp_path_factory.mktemp("failures"))
    opened.use_rules(rules_sql([parse_flow(FLOW)]))
    yield opened
    opened.close()


def error_of(store, *requests, order):
    ingest(store, time.time_ns(), *requests)
    (row,) = store.rows("SELECT error, outcome FROM order_events WHERE order_id = {id:String}", {"id": order})
    return row["error"], row["outcome"]


RAISED = ("exception", 0, {"exception.type": "KeyError", "exception.message": "'gem'"})


@pytest.mark.parametrize(
    ("status", "message", "events", "attributes", "expected"),
    [
        ("error", "", [RAISED], {}, "KeyError: 'gem'"),
        ("error", "said by the status", [RAISED], {}, "KeyError: 'gem'"),
        ("error", "no 3D data", [], {}, "no 3D data"),
        ("error", "no 3D data", [], {"error__type": "422"}, "422: no 3D data"),
        ("error", "422 no 3D data", [], {"error__type": "422"}, "422 no 3D data"),
        ("error", "", [], {"error__type": "TimeoutError"}, "TimeoutError"),
        ("error", "", [("exception", 0, {"exception.type": "KeyError"})], {}, "KeyError"),
        ("error", "ж" * 600, [], {}, "ж" * 500),
        ("error", "", [], {}, "error"),
        ("unset", "", [RAISED], {}, ""),
    ],
)
@pytest.mark.parametrize("door", ["rule", "span"])
def test_a_span_tells_why_it_failed(store, door, status, message, events, attributes, expected):
    order, now = f"o-{next(NUMBERS)}", time.time_ns()
    said = {"order__id": order} | attributes
    if door == "span":
        said |= {"order__stage": "MADE"} | ({"order__outcome": "failed"} if status == "error" else {})
        expected = "" if expected == "error" else expected
    made = span(
        next(NUMBERS), 1, now, name="make" if door == "rule" else "other", status=status,
        events=[(name, now, fields) for name, _, fields in events], **said,
    )  # fmt: skip
    made.status.message = message
    assert error_of(store, traces("mes", made), order=order) == (expected, "failed" if status == "error" else "ok")


def test_a_stage_event_tells_it_in_its_own_words_first(store):
    order, now = f"o-{next(NUMBERS)}", time.time_ns()
    failed = stage_event(
        order, "MADE", now, order__outcome="failed", exception__message="'gem'", exception__type="KeyError"
    )
    assert error_of(store, logs("mes", failed), order=order) == ("'gem'", "failed")
    order = f"o-{next(NUMBERS)}"
    failed = stage_event(order, "MADE", now, order__outcome="failed", exception__message="x", error__message="no gem")
    assert error_of(store, logs("mes", failed), order=order) == ("no gem", "failed")


@pytest.mark.parametrize(("told", "expected"), [("no gem", "KeyError: no gem"), ("[removed]", "KeyError")])
def test_what_masking_removed_is_not_told_by_another_way(store, told, expected):
    rows = store.rows(
        f"SELECT {ERROR_TOLD} AS told FROM (SELECT 2 AS status, '' AS error, 'no gem' AS status_message, "
        "[CAST(('exception', map('exception.type', 'KeyError', 'exception.message', {told:String})), "
        "'Tuple(name String, attrs Map(String, String))')] AS events)",
        {"told": told},
    )
    assert rows == [{"told": expected}]
