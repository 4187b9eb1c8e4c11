"""Imports over the API: begun, sent, rebuilt; what is wrong is said and stores nothing."""

from __future__ import annotations

import time
from dataclasses import replace

import httpx
import orjson
import pytest

from clew.api import create_api
from clew.store.embedded import open_store
from tests.serving import serving
from tests.story import tell

THEN = 1_700_000_000_000_000_000


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    store = open_store(tmp_path_factory.mktemp("imports"))
    deps = replace(tell(store), now_ns=time.time_ns)  # each import is known by the moment when it was begun
    with serving(create_api(deps)) as url, httpx.Client(base_url=f"{url}/api/v1", timeout=60) as client:
        yield client
    store.close()


def begin(api, **said):
    answer = api.post("/imports", json=said)
    assert answer.status_code == 201, answer.text
    return answer.json()["import_id"]


def line(order="h-1", stage="INITIATED", at_ns=THEN, **attributes):
    return orjson.dumps([order, stage, at_ns, "b2c", "shop", "", "", 0, attributes])


def test_history_becomes_journeys_and_leaves_the_list_of_open_orders_alone(api):
    before = api.get("/orders", params={"open": True}).json()
    import_id = begin(api, name="orders.csv")
    body = b"\n".join([line(), line(stage="SUBMITTED", at_ns=THEN + 10**9, metal="gold"), line("h-2")])
    sent = api.post(f"/imports/{import_id}/events", content=body)
    assert (sent.status_code, sent.json()) == (200, {"events": 3})
    first = api.post(f"/imports/{import_id}/rebuild", params={"limit": 1}).json()
    assert (first["rebuilt"], first["orders"], first["distinct"], first["done"]) == (1, 2, 3, False)
    assert "orders.csv" in [each["name"] for each in api.get("/imports").json()]
    while not api.post(f"/imports/{import_id}/rebuild", params={"limit": 1}).json()["done"]:
        pass
    assert "orders.csv" not in [each["name"] for each in api.get("/imports").json()]
    journey = api.get("/orders/h-1").json()
    assert [each["stage"] for each in journey["stages"]] == ["INITIATED", "SUBMITTED"]
    assert journey["attributes"] == {"metal": "gold"}
    after = api.get("/orders", params={"open": True}).json()
    assert [each["order_id"] for each in after["items"]] == [each["order_id"] for each in before["items"]]


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("{id}/events", b'["a", "b"]', 400, "malformed_history"),
        ("{id}/events", line(order=""), 400, "malformed_history"),
        ("{id}/events", b"x" * ((16 << 20) + 1), 413, "too_large"),
        ("7/events", line(), 404, "not_found"),
        ("7/rebuild", b"", 404, "not_found"),
        ("seven/rebuild", b"", 422, "invalid_request"),
        ("{id}/rebuild?limit=0", b"", 422, "invalid_request"),
    ],
)
def test_what_is_wrong_is_said(api, path, body, status, code):
    answer = api.post("/imports/" + path.format(id=begin(api)), content=body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (status, code)
    assert error["mend"]


def test_a_misspelt_field_of_a_new_import_is_refused(api):
    answer = api.post("/imports", json={"flwo": "x"})
    assert answer.status_code == 422
    assert "flwo" in answer.json()["error"]["message"]


@pytest.mark.parametrize("flow", ["a\nb", "a\tb", "a\\", "a\x00b", "a>b", " a", "x" * 101])
def test_a_flow_name_that_no_file_can_declare_is_refused(api, flow):
    answer = api.post("/imports", json={"flow": flow})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid_request")


def test_an_import_is_taken_back_by_asking_until_it_is_done(api):
    import_id = begin(api, name="wrong.csv")
    api.post(
        f"/imports/{import_id}/events", content=b"\n".join([line("w-1"), line("w-1", stage="SUBMITTED"), line("w-2")])
    )
    assert api.get("/imports", params={"all": True}).json()[-1]["name"] == "wrong.csv"
    first = api.delete(f"/imports/{import_id}", params={"limit": 1})
    assert (first.status_code, first.json()["events_gone"], first.json()["done"]) == (200, True, False)
    assert [
        each["undoing"] for each in api.get("/imports", params={"all": True}).json() if each["name"] == "wrong.csv"
    ] == [True]
    while not (answer := api.delete(f"/imports/{import_id}", params={"limit": 1}).json())["done"]:
        pass
    assert {name: answer[name] for name in ("events", "orders", "rebuilt", "repeated")} == {
        "events": 3, "orders": 2, "rebuilt": 2, "repeated": [],
    }  # fmt: skip
    assert api.get("/orders/w-1").status_code == 404
    assert "wrong.csv" not in [each["name"] for each in api.get("/imports", params={"all": True}).json()]
    assert api.delete(f"/imports/{import_id}").json()["done"]


@pytest.mark.parametrize(("path", "body"), [("events", line()), ("rebuild", b"")])
def test_an_import_that_is_taken_back_takes_no_more(api, path, body):
    import_id = begin(api)
    api.delete(f"/imports/{import_id}")
    answer = api.post(f"/imports/{import_id}/{path}", content=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "taken_back")


def test_an_import_that_there_is_not_is_not_taken_back(api):
    answer = api.delete("/imports/7")
    assert (answer.status_code, answer.json()["error"]["message"]) == (404, "no import 7")
