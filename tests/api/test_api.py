"""The API over a real store and a real socket: what is asked for is answered, and every error has one form."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from dataclasses import replace

import httpx
import pytest

from clew.api import create_api
from clew.flow import default_flow_text
from clew.model.errors import StoreError
from clew.store.embedded import open_store
from tests.builders import span_hex, trace_hex
from tests.serving import serving
from tests.story import ESCAPE, tell


@pytest.fixture(scope="module")
def deps(tmp_path_factory):
    store = open_store(tmp_path_factory.mktemp("api"))
    yield tell(store)
    store.close()


@pytest.fixture(scope="module")
def api(deps):
    with serving(create_api(deps)) as url, httpx.Client(base_url=f"{url}/api/v1") as client:
        yield client


@pytest.fixture
def get(api):
    def ask(path, /, **params):
        answer = api.get(path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return ask


def ids(page):
    return [each["order_id"] for each in page["items"]]


def test_orders_are_listed_worst_first_with_counts(get):
    page = get("/orders")
    assert ids(page) == ["4712", "4715", "4711", "4714", "b/16", "4713"]
    assert [each["verdict"]["kind"] for each in page["items"]] == [
        "lost", "failed", "stuck", "on_hold", "on_time", "closed",
    ]  # fmt: skip
    assert page["counts"] == {
        "lost": 1, "failed": 1, "stuck": 1, "in_jeopardy": 0, "on_hold": 1, "on_time": 1, "cancelled": 0, "closed": 1,
    }  # fmt: skip
    assert page["next"] is None


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"open": True}, ["4712", "4715", "4711", "4714", "b/16"]),
        ({"verdict": ["stuck", "lost"]}, ["4712", "4711"]),
        ({"verdict": "closed"}, ["4713"]),
        ({"user": "anna-9931"}, ["4711"]),
        ({"user": "…9931"}, ["4711"]),
        ({"alias": "D77"}, ["4711"]),
        ({"trace": trace_hex(2)}, ["4712"]),
        ({"trace": trace_hex(3).upper()}, ["4713"]),
        ({"prefix": "b/"}, ["b/16"]),
        ({"stage": "SUBMITTED"}, ["4712", "4715", "4711", "4714"]),
        ({"path": "b2b"}, []),
        ({"flow": "jeweller", "stage": "INITIATED"}, ["b/16"]),
        ({"stage": "' OR 1=1 --"}, []),
        ({"deviation": "repeated"}, ["4713"]),
        ({"deviation": "repeated:MANUFACTURING_STARTED"}, ["4713"]),
        ({"deviation": "repeated:MANUFACTURING_STARTED", "open": True}, []),
        ({"deviation": "repeated:MANUFACTURING"}, []),
        ({"deviation": "skipped:' OR 1=1 --"}, []),
    ],
)
def test_orders_are_filtered(get, params, expected):
    assert ids(get("/orders", **params)) == expected


def test_pages_of_orders_follow_each_other(get):
    listed, after, counts = [], "", []
    while after is not None:
        page = get("/orders", limit=2, after=after)
        listed += ids(page)
        counts.append(page["counts"] is not None)
        after = page["next"]
    assert listed == ids(get("/orders"))
    assert counts == [True, False, False]


def test_an_order_in_a_line_says_where_it_is_and_how_long_it_may_be_there(get):
    stuck = next(each for each in get("/orders")["items"] if each["order_id"] == "4711")
    assert (stuck["stage"], stuck["path"], stuck["user_id"], stuck["aliases"]) == (
        "SUBMITTED", "b2c", "…9931", {"crm_deal": "D77"},
    )  # fmt: skip
    assert (stuck["dwell_s"], stuck["limit_s"]) == (3000.0, 1800.0)
    assert stuck["verdict"]["reason"].startswith("in SUBMITTED for 50 min, allowed 30 min")
    assert stuck["verdict"]["trace_id"] == trace_hex(1)
    assert stuck["deadline_at"] == stuck["verdict"]["since_at"]
    assert len(stuck["entered_at"]) == len("2026-11-22T08:15:00.000000001Z")


@pytest.mark.parametrize("name", ["4711", "D77"])
def test_an_order_has_its_journey_by_any_of_its_ids(get, name):
    journey = get(f"/orders/{name}")
    assert journey["order_id"] == "4711"
    assert [(each["stage"], each["dwell_s"], each["used"], each["current"]) for each in journey["stages"]] == [
        ("INITIATED", 600.0, 0.0069, False),
        ("SUBMITTED", 3000.0, 1.6667, True),
    ]
    assert journey["stages"][1]["left_at"] is None
    assert journey["stages"][0]["left_at"] == journey["stages"][1]["entered_at"]
    assert "PRICE_CALCULATED" in journey["stages_ahead"]
    assert journey["services"] == ["crm-api", "shop-api"]
    (trace,) = journey["traces"]
    assert (trace["trace_id"], trace["spans"], trace["errors"], trace["root_name"], trace["shared_by"]) == (
        trace_hex(1), 4, 1, "POST /orders", 1,
    )  # fmt: skip
    assert [(each["service"], each["error"], each["timeout"]) for each in journey["errors_found"]] == [
        ("crm-api", "TimeoutError", True)
    ]


def test_a_lost_order_names_the_message(get):
    journey = get("/orders/4712")
    (loss,) = journey["losses"]
    assert (loss["reason"], loss["destination"], loss["service"]) == ("unroutable", "prices", "shop-api")
    assert "no queue is bound" in loss["sentence"]
    assert [(each["destination"], each["lost"], each["deliveries"]) for each in journey["messages"]] == [
        ("prices", "unroutable", [])
    ]


def test_a_taken_message_says_when_and_how(get):
    (message,) = get("/orders/4713")["messages"]
    (delivery,) = message["deliveries"]
    assert message["lost"] is None
    assert delivery["transit_s"] == pytest.approx(2.99)
    assert (delivery["service"], delivery["redelivered"], delivery["settlement"], delivery["death_reason"]) == (
        "mes", True, "ack", "rejected",
    )  # fmt: skip


def test_an_ended_order_tells_its_rework_and_no_next_stage(get):
    journey = get("/orders/4713")
    assert journey["terminal"] == "closed"
    assert journey["stages_ahead"] == []
    assert [each["stage"] for each in journey["stages"] if each["deviation"].startswith("repeated")] == [
        "MANUFACTURING_STARTED"
    ]
    assert journey["stages"][-1]["dwell_s"] == 0


def test_holds_and_failures_are_told(get):
    assert get("/orders/4714")["holds"][0]["end_at"] is None
    failure = get("/orders/4715")["failure"]
    assert (failure["stage"], failure["error"], failure["service"]) == ("PRICE_CALCULATED", "no 3D data", "shop-api")


def test_an_order_id_may_hold_a_slash(get):
    assert get("/orders/b%2F16")["order_id"] == "b/16"
    assert [each["name"] for each in get("/orders/b%2F16/spans")["spans"]] == [ESCAPE]


def test_the_spans_of_an_order_are_listed(get):
    found = get("/orders/D77/spans")
    assert sorted(each["span_id"] for each in found["spans"]) == [span_hex(n) for n in (1, 2, 3, 4)]
    assert (found["shared"], found["complete"]) == ({}, True)
    assert not get("/orders/4711/spans", limit=2)["complete"]


def test_attributes_are_exact_in_json(get):
    spans = {each["span_id"]: each for each in get(f"/traces/{trace_hex(1)}")["spans"]}
    told = {each["key"]: (each["type"], each["value"]) for each in spans[span_hex(4)]["attributes"]}
    assert told == {
        "db.system.name": ("string", "postgresql"), "db.namespace": ("string", "shop"), "big": ("int", str(2**60)),
        "share": ("double", "nan"), "raw": ("bytes", "/w=="), "many": ("array", [1, {"k": None}]),
    }  # fmt: skip


def test_a_trace_is_told_whole(get):
    trace = get(f"/traces/{trace_hex(1)}")
    assert (trace["order_ids"], trace["linked"], trace["complete"]) == (["4711"], [trace_hex(9)], True)
    assert trace["duration_s"] == 0.9
    assert {each["service"] for each in trace["origins"]} == {"shop-api", "crm-api"}
    assert "order placed" in [each["body"] for each in trace["logs"]]
    failed = next(each for each in trace["spans"] if each["status"] == "error")
    assert failed["events"][0]["name"] == "exception"
    assert failed["links"][0]["trace_id"] == trace_hex(9)


@pytest.mark.parametrize(
    ("params", "names"),
    [
        ({"service": "crm-api"}, ["POST /deals"]),
        ({"status": "error", "kind": "server"}, ["POST /deals"]),
        ({"caller": "shop-api", "callee": "crm-api"}, ["POST /deals"]),
        ({"min_duration": "800ms"}, ["POST /orders"]),
        ({"min_duration": "0.8", "max_duration": "1"}, ["POST /orders"]),
        ({"retries": 1}, ["POST"]),
        ({"timeout": True}, ["POST /deals"]),
        ({"attribute": ["db.namespace=shop", "db.system.name=postgresql"]}, ["INSERT"]),
        ({"user": "anna-9931"}, ["POST /orders"]),
        ({"order": "4713", "since": "1h"}, []),
        ({"order": "4713", "since": "6h"}, ["process orders", "send orders"]),
        ({"trace": trace_hex(2), "span": span_hex(2)}, ["send prices"]),
        ({"error": "unroutable"}, ["send prices"]),
    ],
)
def test_spans_are_searched(get, params, names):
    assert [each["name"] for each in get("/spans", **params)["items"]] == names


def test_pages_of_spans_follow_each_other(get):
    first = get("/spans", limit=4)
    second = get("/spans", limit=500, after=first["next"])
    assert len(first["items"]) == 4
    assert second["next"] is None
    starts = [each["start_at"] for each in (*first["items"], *second["items"])]
    assert starts == sorted(starts, reverse=True)
    assert len(starts) == 9


def test_services_are_told_with_their_calls(get):
    graph = get("/services", since="6h")
    assert [each["service"] for each in graph["services"]] == ["crm-api", "mes", "shop-api"]
    edges = {(each["caller"], each["callee"]): each for each in graph["edges"]}
    assert edges["shop-api", "crm-api"]["errors"] == 1
    assert edges["shop-api", "postgresql shop"]["callee_kind"] == "database"
    assert edges["orders", "mes"]["p95_s"] == pytest.approx(2.99, rel=0.05)


def test_flows_are_told_and_checked(get, api):
    assert [each["name"] for each in get("/flows")] == ["jeweller"]
    whole = get("/flows/jeweller")
    assert whole["text"] == default_flow_text()
    assert whole["stages_in_full"][2]["limits"] == {"*": {"allowed_s": 1800.0, "warn_s": 1440.0}}
    good = api.post("/flows/check", content=default_flow_text()).json()
    assert good == {"valid": True, "name": "jeweller", "version": 1, "problems": []}
    bad = api.post("/flows/check", content="flow: x\nstages:\n  A: {limt: 3h}").json()
    assert not bad["valid"]
    assert {each["key"] for each in bad["problems"]} >= {"stages.A.limt"}
    assert all(each["mend"] and each["line"] for each in bad["problems"])


def test_a_changed_flow_judges_from_then_on(get, api):
    longer = default_flow_text().replace(
        "limit: 30m\n    next: [PRICE_CALCULATED", "limit: 31m\n    next: [PRICE_CALCULATED"
    )
    applied = api.put("/flows/jeweller", content=longer)
    assert applied.status_code == 200, applied.text
    assert applied.json()["revision"] == 2
    assert [each["revision"] for each in applied.json()["history"]] == [1, 2]
    assert get("/flows/jeweller")["text"] == longer
    again = api.put("/flows/jeweller", content=default_flow_text(), params={"since": "30d"})
    assert again.json()["revision"] == 3


def test_status_tells_versions_tables_and_telemetry(get, api):
    status = get("/status")
    assert status["ticker"]["orders"] == 6
    assert status["services"]["shop-api"]["spans"] == 7
    assert status["services"]["shop-api"]["spans_with_order"] == 5
    assert (status["services"]["shop-api"]["logs"], status["services"]["mes"]["stage_events"]) == (9, 11)
    assert {each["name"]: each["rows"] for each in status["tables"]}["spans"] == 9
    assert (status["ingest"], status["problem"], status["orders_without_stage"]) == (None, None, 0)
    root = str(api.base_url).removesuffix("/api/v1/")
    assert httpx.get(f"{root}/healthz").text == "ok\n"
    assert httpx.get(f"{root}/readyz").text == "ready\n"


def cursor(*parts):
    return urlsafe_b64encode(json.dumps(parts).encode()).decode()


WRONG = [
    ("GET", "/nothing", {}, 404, "not_found"),
    ("GET", "/orders/nobody", {}, 404, "not_found"),
    ("GET", "/orders/nobody/spans", {}, 404, "not_found"),
    ("GET", f"/traces/{'ab' * 16}", {}, 404, "not_found"),
    ("GET", "/flows/other", {}, 404, "not_found"),
    ("DELETE", "/orders", {}, 405, "method_not_allowed"),
    ("GET", "/orders?limit=0", {}, 422, "invalid_request"),
    ("GET", "/orders?verdict=late", {}, 422, "invalid_request"),
    ("GET", "/orders?after=x", {}, 400, "bad_cursor"),
    *(
        ("GET", f"/orders?after={cursor(*forged)}", {}, 400, "bad_cursor")
        for forged in (
            (10**25, 1, 5, "x"),
            (1, -1, 5, "x"),
            (1, 1, 10**30, "x"),
            (float("inf"), 1, 5, "x"),
            (1, 1, 5, "\ud800"),
            (1, 1, 5, 5),
        )
    ),
    ("GET", f"/spans?after={cursor(10**30, '00' * 16, '00' * 8)}", {}, 400, "bad_cursor"),
    ("GET", "/orders?deviation=late:SUBMITTED", {}, 422, "invalid_request"),
    ("GET", "/orders/4711?verdict=stuck", {}, 422, "invalid_request"),
    ("GET", "/status?since=1h", {}, 422, "invalid_request"),
    ("POST", "/flows/check?since=1h", {"content": default_flow_text()}, 422, "invalid_request"),
    ("GET", "/orders?trace=xyz", {}, 422, "invalid_request"),
    ("GET", "/spans?after=x", {}, 400, "bad_cursor"),
    ("GET", "/spans?since=yesterday", {}, 422, "invalid_request"),
    ("GET", "/spans?min_duration=long", {}, 422, "invalid_request"),
    ("GET", "/spans?attribute=nothing", {}, 422, "invalid_request"),
    ("GET", "/traces/xyz", {}, 422, "invalid_request"),
    ("PUT", "/flows/jeweller", {"content": "flow: x"}, 422, "invalid_flow"),
    ("DELETE", "/flows/nobody", {}, 404, "not_found"),
    ("DELETE", "/flows/jeweller", {}, 409, "last_flow"),
    ("PUT", "/flows/other", {"content": default_flow_text()}, 409, "other_name"),
    ("PUT", "/flows/jeweller?since=x", {"content": default_flow_text()}, 422, "invalid_request"),
    ("PUT", "/flows/jeweller", {"content": b"\xff"}, 422, "invalid_request"),
    ("POST", "/flows/check", {"content": b"#" * (2 << 20)}, 413, "too_large"),
]


@pytest.mark.parametrize("since", ["2300-01-01", "9999-12-31"])
def test_a_moment_beyond_what_the_engine_counts_is_the_future_and_not_the_past(get, since):
    assert get("spans", since=since)["items"] == []


@pytest.mark.parametrize(("method", "path", "sent", "status", "code"), WRONG)
def test_every_error_has_one_form(api, method, path, sent, status, code):
    answer = api.request(method, path, **sent)
    assert answer.status_code == status, answer.text
    assert_one_form(answer, code)


@pytest.mark.parametrize(
    ("path", "mend"),
    [
        ("/orders?verdit=stuck", "did you mean verdict?"),
        ("/orders/b%2F16/spans?limits=3", "did you mean limit?"),
        ("/services?xyz=1", "those here are since"),
        ("/flows/jeweller?xyz=1", "nothing can be asked for here"),
    ],
)
def test_a_parameter_that_is_not_known_is_told(api, path, mend):
    answer = api.get(path)
    assert answer.status_code == 422
    assert path.partition("?")[2].partition("=")[0] in answer.json()["error"]["message"]
    assert mend in answer.json()["error"]["mend"]


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/traces/xyz", "trace_id: a trace id has 32 hex digits"),
        ("/spans?trace=xyz", "trace: a trace id has 32 hex digits"),
        ("/spans?span=xyz", "span: a span id has 16 hex digits"),
        ("/orders?limit=0", "limit: give at least 1"),
        ("/orders?limit=501", "limit: give at most 500"),
        ("/orders?limit=many", "limit: 'many' is no whole number"),
        ("/orders?open=perhaps", "open: 'perhaps' is neither true nor false"),
        ("/spans?kind=big", "kind: 'big' is not 'unspecified', "),
    ],
)
def test_a_wrong_value_is_told_in_plain_words(api, path, told):
    assert told in api.get(path).json()["error"]["message"]


SILENCE = {"by": "anna", "reason": "works", "labels": {"rule": "stuck"}, "for_s": 60}


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({**SILENCE, "labels": {}}, "labels: give at least 1"),
        ({**SILENCE, "labels": []}, 'labels: [] has no names with values, as {"by": "anna"} has'),
        ({**SILENCE, "labels": {"rule": 1}}, "labels.rule: 1 is no text"),
        ({**SILENCE, "x": 1}, "x: there is nothing of that name"),
        ({**SILENCE, "by": ""}, "by: this is needed"),
        ({**SILENCE, "by": "a" * 101}, "by: shorten it to 100 characters"),
        ({**SILENCE, "for_s": []}, "for_s: [] is no number"),
        ({**SILENCE, "hours": 3}, "hours: 3 has no names with values"),
        ("late", "'late' has no names with values"),
    ],
)
def test_a_wrong_body_is_told_in_plain_words(api, body, told):
    assert api.post("/silences", json=body).json()["error"]["message"].startswith(told)


def test_a_body_that_is_no_json_is_told_so(api):
    answer = api.post("/silences", content='{"by": anna}', headers={"Content-Type": "application/json"})
    assert answer.json()["error"]["message"] == "the body is no JSON at character 8: Expecting value"


def assert_one_form(answer, code):
    assert set(answer.json()) == {"error"}
    error = answer.json()["error"]
    assert set(error) == {"code", "message", "mend"}
    assert error["code"] == code
    assert error["message"]
    assert error["mend"]


class BrokenStore:
    def __init__(self, error):
        self.error = error

    def rows(self, sql, bind=None):
        raise self.error


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [(StoreError("too much memory"), 503, "unavailable"), (KeyError("a mistake"), 500, "internal")],
)
async def test_a_broken_store_is_answered_in_the_same_form(deps, error, status, code):
    app = create_api(replace(deps, store=BrokenStore(error)))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://clew") as client:
        answer = await client.get("/api/v1/orders")
        assert answer.status_code == status
        assert_one_form(answer, code)
        assert "a mistake'" not in answer.text
        assert (answer.headers.get("Retry-After") == "1") is (status == 503)


@pytest.mark.parametrize(
    ("changes", "told"),
    [({"problem": lambda: "journeys are old"}, "journeys"), ({"store": BrokenStore(StoreError("full"))}, "full")],
)
async def test_readyz_says_why_it_is_not_ready(deps, changes, told):
    transport = httpx.ASGITransport(create_api(replace(deps, **changes)))
    async with httpx.AsyncClient(transport=transport, base_url="http://clew") as client:
        answer = await client.get("/readyz")
        assert answer.status_code == 503
        assert_one_form(answer, "not_ready")
        assert told in answer.text
        assert (await client.get("/healthz")).status_code == 200


async def test_user_ids_that_are_not_masked_are_compared_in_clear(deps):
    transport = httpx.ASGITransport(create_api(replace(deps, users_masked=False)))
    async with httpx.AsyncClient(transport=transport, base_url="http://clew") as client:
        answer = await client.get("/api/v1/orders", params={"user": "anna-9931"})
        assert answer.json()["items"] == []


def test_openapi_describes_every_route_and_its_errors(get):
    described = get("/openapi.json")
    assert {"/api/v1/orders", "/api/v1/orders/{order_id}", "/api/v1/traces/{trace_id}", "/api/v1/spans"} <= set(
        described["paths"]
    )
    for path, routes in described["paths"].items():
        for route in routes.values():
            assert route["summary"], path
            for status in ("404", "422", "500", "503") if path.startswith("/api/v1/") else ():
                assert "ErrorAnswer" in json.dumps(route["responses"].get(status)), (path, status)
    assert "HTTPValidationError" not in described["components"]["schemas"]


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_no_page_loads_scripts_from_elsewhere(api, path):
    assert httpx.get(str(api.base_url).removesuffix("/api/v1/") + path).status_code == 404
