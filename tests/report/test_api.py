"""Reports over the API: the shapes that others build on, the filter, and what is refused."""

from __future__ import annotations

import csv
import io
from types import SimpleNamespace

import httpx
import pytest

from clew.api import ApiDeps, create_api
from clew.api.asked import known_zones
from clew.api.times import moment
from clew.flow import default_flow
from clew.journey.in_force import FlowInForce
from clew.model.errors import StoreError
from clew.report import per_day
from clew.store.embedded import open_store
from tests.report.histories import BEGIN, DAY, HOUR
from tests.report.shop import AGAIN, HOSTILE, WAY, tell_shop
from tests.serving import serving

HOUR_S = 3600.0
REPORTS = ["map", "variants", "funnel", "dwell", "throughput", "rework", "heatmap", "arrivals", "wip", "conformance"]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    store = open_store(tmp_path_factory.mktemp("reports-api"))
    yield store
    store.close()


@pytest.fixture(scope="module")
def api(store):
    with serving(create_api(tell_shop(store))) as url, httpx.Client(base_url=f"{url}/api/v1/reports") as client:
        yield client


@pytest.fixture
def get(api):
    def ask(name, /, **params):
        answer = api.get(name, params={key.rstrip("_"): value for key, value in params.items()})
        assert answer.status_code == 200, answer.text
        return answer.json()

    return ask


def at(days):
    return moment(BEGIN + days * DAY)


def test_the_map_has_edges_with_times_and_starts_and_ends(get):
    found = get("map")
    assert (found["orders"], found["events"], found["open"]) == (4, 10 + 12 + 3 + 3, 1)
    assert found["starts"] == {"INITIATED": 3, "FILE_UPLOADED": 1}
    assert found["ends"] == {"CLOSED": 2, "CANCELLED": 1, "SUBMITTED": 1}
    edges = {(edge["from"], edge["to"]): edge for edge in found["edges"]}
    made = edges["MANUFACTURING_STARTED", "MANUFACTURING_COMPLETED"]
    assert made.keys() >= {"from", "to", "count", "orders", "median", "p90", "p95", "mean"}
    assert (made["count"], made["orders"], made["median"], made["mean"]) == (3, 2, HOUR_S, HOUR_S)
    assert edges["MANUFACTURING_COMPLETED", "MANUFACTURING_STARTED"]["deviation"] == "repeated"
    assert edges["FILE_UPLOADED", "SUBMITTED"]["deviation"] == ""


def test_rare_edges_of_the_map_are_hidden_and_counted(get):
    found = get("map", min_share=0.5)
    assert {edge["orders"] for edge in found["edges"]} <= {2, 3, 4}
    assert (found["hidden_edges"], found["hidden_count"]) == (3, 3)
    assert found["events"] == 28


def test_variants_have_shares_and_the_happy_path(get):
    found = get("variants")
    assert found["happy_path"] == list(WAY)
    assert [(each["stages"], each["orders"], each["share"]) for each in found["variants"]][:1] == [
        (["FILE_UPLOADED", "PRICE_CALCULATED", "CANCELLED"], 1, 0.25)
    ]
    of_way = next(each for each in found["variants"] if each["stages"] == list(WAY))
    assert (of_way["median_throughput"], of_way["closed"], of_way["open"]) == (9 * HOUR_S, 1, 0)
    cut = get("variants", limit=1)
    assert (len(cut["variants"]), cut["variants_total"], cut["orders"]) == (1, 4, 4)


def test_the_variant_of_an_order_says_how_usual_it_is(get):
    found = get("variant", order="2")
    assert (found["stages"], found["orders"], found["rank"], found["share"]) == (list(AGAIN), 1, 1, 0.25)
    assert (found["throughput"], found["ended"]) == (11 * HOUR_S, True)
    assert found["entered_at"][1] == moment(BEGIN + DAY + HOUR)
    assert get("variant", order="2", path="b2b")["rank"] == 0
    assert get("variant", order="loan-1")["flow"] == "loans"


def test_the_funnel_keeps_dropped_open_and_skipped_apart(get):
    found = {path["path"]: path for path in get("funnel")["paths"]}
    steps = {step["stage"]: step for step in found["b2c"]["steps"]}
    assert list(steps) == list(WAY)
    assert (steps["SUBMITTED"]["reached"], steps["SUBMITTED"]["open"], steps["SUBMITTED"]["dropped"]) == (3, 1, 0)
    assert (found["b2c"]["converted"], found["b2c"]["median"]) == (2, 10 * HOUR_S)
    assert (steps["INITIATED"]["median"], steps["FILE_UPLOADED"]["median"]) == (None, HOUR_S)


def test_a_stage_that_a_path_goes_around_is_no_step_of_its_funnel(get):
    (b2b,) = get("funnel", path="b2b")["paths"]
    steps = [(step["stage"], step["reached"], step["skipped"], step["dropped"]) for step in b2b["steps"]]
    assert steps[:3] == [("FILE_UPLOADED", 1, 0, 0), ("PRICE_CALCULATED", 1, 0, 1), ("MANUFACTURING_APPROVED", 0, 0, 0)]


def test_steps_of_the_funnel_can_be_chosen(get):
    (b2c,) = get("funnel", step=["SUBMITTED", "SHIPPED"], path="b2c")["paths"]
    assert [(step["stage"], step["reached"]) for step in b2c["steps"]] == [("SUBMITTED", 3), ("SHIPPED", 2)]
    assert b2c["steps"][1]["median"] == 7 * HOUR_S


def test_dwell_counts_those_who_still_wait(get):
    found = get("dwell")
    assert "Kaplan-Meier" in found["estimator"]
    stages = {each["stage"]: each for each in found["stages"]}
    assert list(stages) == [stage for stage in WAY if stage != "CLOSED"]
    submitted = stages["SUBMITTED"]
    assert submitted.keys() >= {"stage", "n", "waiting", "median", "p90", "p95", "p99"}
    assert (submitted["n"], submitted["waiting"], submitted["thin"]) == (2, 1, True)
    # Of three, two left after an hour: the share that stays longer never comes below one in three.
    assert (submitted["median"], submitted["p90"], submitted["p95"], submitted["p99"]) == (HOUR_S, None, None, None)
    assert stages["PRICE_CALCULATED"]["p99"] == HOUR_S


def test_imported_orders_wait_until_the_last_event_known(get):
    stages = {each["stage"]: each for each in get("dwell", flow="loans")["stages"]}
    assert (stages["B"]["n"], stages["B"]["waiting"]) == (3, 2)
    # Waited two hours and one; left after an hour three times (B to B twice, B to C).
    assert (stages["B"]["median"], stages["B"]["p90"]) == (HOUR_S, None)
    assert (stages["C"]["n"], stages["C"]["median"]) == (0, None)


def test_throughput_is_of_orders_that_ended(get):
    found = get("throughput")
    assert (found["finished"], found["open"]) == (3, 1)
    closed = next(group for group in found["groups"] if (group["path"], group["ended"]) == ("", "closed"))
    assert (closed["n"], closed["median"], closed["mean"], closed["thin"]) == (2, 10 * HOUR_S, 10 * HOUR_S, True)


def test_rework_counts_entries_beyond_the_first(get):
    found = get("rework")
    assert (found["reworked"], found["share"], found["again"]) == (1, 0.25, 2)
    assert found["stages"][0]["stage"] == "MANUFACTURING_COMPLETED"
    assert get("rework", flow="loans")["stages"][0]["direct"] == 2


def test_the_heat_map_counts_hours_of_the_week_in_a_zone(get):
    # The history begins on a Thursday at 00:00 UTC, which is 02:00 in Berlin.
    of = {zone: get("heatmap", zone=zone, to=at(1))["stages"][0] for zone in ("UTC", "Europe/Berlin")}
    assert [of[zone]["hours"].index(1) for zone in of] == [3 * 24, 3 * 24 + 2]
    assert sum(of["UTC"]["hours"]) == of["UTC"]["entries"] == 1


def test_arrivals_and_completions_have_every_day_of_the_range(get):
    found = get("arrivals", from_=at(1), to=at(5))
    assert [(each["arrived"], each["closed"], each["cancelled"]) for each in found["days"]] == [
        (1, 1, 0), (1, 0, 1), (1, 0, 0), (0, 0, 0),
    ]  # fmt: skip
    assert (found["arrived"], found["closed"], found["cancelled"]) == (3, 1, 1)


def test_work_in_progress_is_told_at_the_end_of_each_day(get):
    found = get("wip", from_=at(2), to=at(5))
    assert [(each["open"], each["stages"]) for each in found["days"]] == [
        (0, {}), (1, {"SUBMITTED": 1}), (1, {"SUBMITTED": 1}),
    ]  # fmt: skip
    within = get("wip", from_=at(0), to=moment(BEGIN + 5 * HOUR))
    assert [each["stages"] for each in within["days"]] == [{"MANUFACTURING_APPROVED": 1}]


def test_every_time_zone_that_is_accepted_is_one_of_the_engine(store):
    known = {row["time_zone"] for row in store.rows("SELECT time_zone FROM system.time_zones")}
    assert known_zones() - known == set()
    assert {"UTC", "Europe/Berlin", "America/New_York"} <= known_zones()


def test_the_stages_of_a_day_are_bounded_and_the_rest_is_a_sum(get, monkeypatch):
    monkeypatch.setattr(per_day, "MOST_STAGES", 1)
    found = get("wip", from_=at(8), to=at(9), flow="loans")["days"]
    assert [(each["open"], each["stages"], each["others"]) for each in found] == [(3, {"B": 2}, 1)]
    assert get("wip", from_=at(3), to=at(4))["days"][0]["others"] == 0


def test_conformance_keeps_incomplete_orders_apart(get):
    found = get("conformance")
    assert (found["completed"], found["conforming"], found["deviating"], found["incomplete"]) == (3, 2, 1, 1)
    assert found["rate"] == pytest.approx(2 / 3)
    assert [(each["kind"], each["stage"]) for each in found["deviations"]] == [("repeated", "MANUFACTURING_STARTED")]


def test_a_log_without_ends_has_no_completed_orders_and_no_rate(get):
    found = get("conformance", flow="loans")
    assert (found["orders"], found["completed"], found["conforming"], found["rate"]) == (3, 0, 0, None)
    assert (found["undeclared"], found["deviations"], found["incomplete_deviating"]) == (3, [], 0)


@pytest.mark.parametrize(
    ("params", "orders"),
    [
        ({}, 4),
        ({"flow": "loans"}, 3),
        ({"path": "b2c"}, 3),
        ({"attribute": "country=de"}, 3),
        ({"attribute": ["country=de", "color=red"]}, 0),
        ({"flow_version": 1}, 4),
        ({"flow_version": 9}, 0),
        ({"from_": at(1)}, 3),
        ({"to": at(1)}, 1),
        ({"from_": at(1), "to": at(3)}, 2),
        ({"from_": "8d"}, 2),
        ({"from_": moment(BEGIN + HOUR), "to": at(1), "by": "active"}, 1),
        ({"from_": moment(BEGIN + HOUR), "to": at(1), "by": "started"}, 0),
        ({"from_": moment(BEGIN + HOUR), "to": at(1), "by": "ended"}, 1),
    ],
)
def test_the_filter_picks_whole_orders(get, params, orders):
    assert get("map", **params)["orders"] == orders
    assert get("variants", **params)["orders"] == orders


@pytest.mark.parametrize("name", [*REPORTS, "histogram", "dots"])
@pytest.mark.parametrize("params", [{}, {"flow": "loans"}, {"from_": "1h"}, {"path": "nowhere"}])
def test_every_report_answers_for_any_flow_and_for_no_orders(get, name, params):
    found = get(name, **params)
    assert found["asked"]["flow"] == params.get("flow", "jeweller")
    assert found["against"] is None


@pytest.mark.parametrize("name", [*REPORTS, "histogram", "dots"])
def test_every_report_is_compared_with_another_range_or_path(get, name):
    found = get(name, from_=at(1), to=at(2), against="previous")
    assert (found["against"]["asked"]["from_at"], found["against"]["asked"]["to_at"]) == (at(0), at(1))
    assert found["against"].keys() == found.keys()
    assert get(name, path="b2c", against_path="b2b")["against"]["asked"]["path"] == "b2b"


@pytest.mark.parametrize("name", [*REPORTS, "histogram", "dots"])
def test_every_report_comes_as_a_table_too(api, name):
    for more in ({}, {"path": "b2c", "against_path": "b2b"}):
        answer = api.get(name, params={"format": "csv", **more})
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        assert answer.headers["content-disposition"] == f'attachment; filename="clew-{name}.csv"'
        table = list(csv.reader(io.StringIO(answer.text)))
        assert len(table) > 1
        assert {len(row) for row in table} == {len(table[0])}
    assert any(column.startswith("against_") for column in table[0]) or name == "dots"


@pytest.mark.parametrize(("name", "columns"), [("remaining", 5), ("diff", 10)])
def test_what_is_learned_comes_as_a_table_too(api, name, columns):
    answer = api.get(f"../learn/{name}", params={"format": "csv"})
    assert answer.status_code == 200, answer.text
    table = list(csv.reader(io.StringIO(answer.text)))
    assert {len(row) for row in table} == {columns}
    assert api.get(f"../learn/{name}").json().keys() >= {"stages" if name == "remaining" else "limits"}


def test_the_histogram_has_round_bins_up_to_the_slowest(get):
    found = get("histogram")
    assert (found["finished"], found["width"]) == (3, HOUR_S / 2)
    taken = [each for each in found["bins"] if each["closed"] or each["cancelled"]]
    assert [(each["low"] / HOUR_S, each["closed"], each["cancelled"]) for each in taken] == [
        (2.0, 0, 1), (9.0, 1, 0), (11.0, 1, 0),
    ]  # fmt: skip
    assert [each["high"] is None for each in found["bins"][-2:]] == [False, True]


def test_a_step_has_its_orders_the_slowest_first(get):
    found = get("step", before="MANUFACTURING_STARTED", after="MANUFACTURING_COMPLETED")
    assert (found["count"], found["orders"]) == (3, 2)
    assert [(each["order_id"], each["dwell"]) for each in found["taken"]] == [
        ("1", HOUR_S), ("2", HOUR_S), ("2", HOUR_S),
    ]  # fmt: skip
    assert get("step", before="CLOSED", after="INITIATED")["taken"] == []


def test_dots_are_those_of_the_newest_orders_unless_a_spread_is_asked_for(get):
    found = get("dots", orders=2)
    assert ([each["order_id"] for each in found["rows"]], found["orders"]) == (["4", "3"], 4)
    assert found["rows"][0]["visits"][0] == {"stage": "INITIATED", "at": at(3)}
    assert len(get("dots", orders=2, spread=True)["rows"]) == 2


def test_the_other_range_can_be_given(get):
    found = get("map", from_=at(3), against=f"{at(0)}..{at(2)}")
    assert (found["orders"], found["against"]["orders"]) == (1, 2)


@pytest.mark.parametrize(
    ("path", "status", "told"),
    [
        ("map?from=yesterday", 422, "from: 'yesterday' is no moment"),
        ("map?from=1d&to=2d", 422, "ends before it begins"),
        ("map?attribute=country", 422, "is not key=value"),
        ("map?by=all", 422, "by:"),
        ("map?from=2024-02-30", 422, "from: '2024-02-30' is no moment"),
        ("map?against=2024-02-30..2024-03-01", 422, "against: '2024-02-30' is no moment"),
        ("map?min_share=2", 422, "min_share: give at most 1"),
        ("map?min_share=nan", 422, "min_share: 'nan' is no number"),
        ("map?min_share=few", 422, "min_share: 'few' is no number"),
        ("map?flow_version=9223372036854775808", 422, "flow_version: give at most 4294967295"),
        ("../learn/flow?flow_version=4294967296", 422, "flow_version: give at most 4294967295"),
        ("../learn/flow?quantile=1", 422, "quantile: give less than 1"),
        ("../learn/flow?quantile=0", 422, "quantile: give more than 0"),
        ("../learn/flow?share=nan", 422, "share: 'nan' is no number"),
        ("variant", 422, "order: this is needed"),
        ("wip?from=1971-01-01", 422, "from: 20,366 days from 1971-01-01 to 2026-10-04 are more than the 4,000"),
        ("arrivals?from=1971-01-01", 422, "from: 20,366 days"),
        ("arrivals?from=8d&against=1971-01-01..2026-01-01", 422, "20,089 days"),
        ("wip?zone=right/UTC", 422, "is no time zone"),
        ("wip?zone=posix/UTC", 422, "is no time zone"),
        ("arrivals?zone=localtime", 422, "is no time zone"),
        ("heatmap?zone=Factory", 422, "is no time zone"),
        ("map?against=30d", 422, "is no range"),
        ("map?against=yesterday", 422, "against: 'yesterday' is no range"),
        ("map?against=previous", 422, "nothing before a range without a begin"),
        ("heatmap?zone=Mars/Base", 422, "is no time zone"),
        ("heatmap?zone=../etc", 422, "is no time zone"),
        ("wip?by=ended", 422, "no parameter by"),
        ("map?paht=b2c", 422, "no parameter paht"),
        ("map?flow=nothing", 404, "no order follows a flow nothing"),
        ("variant?order=1&against=previous", 422, "compared with all that count"),
        ("variant?order=nobody", 404, "no order nobody"),
        ("nothing", 404, "Not Found"),
    ],
)
def test_what_cannot_be_answered_is_told_in_the_one_form(api, path, status, told):
    answer = api.get(path)
    assert answer.status_code == status
    assert told in answer.json()["error"]["message"]
    assert answer.json()["error"]["mend"]


def test_reports_are_described_with_the_names_that_the_json_has(api):
    described = api.get(str(api.base_url).replace("reports/", "openapi.json")).json()
    assert {f"/api/v1/reports/{name}" for name in REPORTS} <= described["paths"].keys()
    schemas = described["components"]["schemas"]
    assert {"from", "to", "median"} <= schemas["MapEdgeModel"]["properties"].keys()
    assert [name for name in schemas if "__" in name or "-" in name] == []


def test_stages_keep_their_names_whatever_is_in_them(get):
    assert get("map", flow="loans")["starts"] == {HOSTILE: 3}
    assert get("funnel", flow="loans")["paths"][0]["steps"][0]["stage"] == HOSTILE


@pytest.mark.parametrize(
    ("params", "unknown"),
    [
        ({}, []),
        ({"path": ["b2c", "nope"]}, [("path", "nope", ["b2c", "b2b"])]),
        ({"path": "nope", "flow": "loans"}, [("path", "nope", [])]),
        ({"attribute": "country=de", "flow_version": 1, "step": ["PACKAGING", "CANCELLED"]}, []),
        ({"attribute": "land=de"}, [("attribute", "land", ["country"])]),
        ({"attribute": "country=XX"}, [("value", "country=XX", ["de", "nl"])]),
        ({"flow_version": 7}, [("flow version", "7", ["1"])]),
        ({"step": ["B", "b"], "flow": "loans"}, [("stage", "b", [HOSTILE, "B", "C"])]),
    ],
)
def test_names_that_no_order_of_the_flow_has_are_told_with_those_that_orders_have(get, params, unknown):
    found = get("hints", **params)
    assert found["declared"] == ("flow" not in params)
    told = [(each["kind"], each["name"], each["known"]) for each in found["unknown"]]
    assert [each[:2] for each in told] == [each[:2] for each in unknown]
    assert [sorted(each[2]) for each in told] == [sorted(each[2]) for each in unknown]


class _Exhausted:
    """A store whose engine comes to its limit of memory."""

    def rows(self, sql, bind=None):
        raise StoreError("Code: 241. DB::Exception: (total) memory limit exceeded")


def test_a_report_that_is_too_large_says_what_to_do():
    book = SimpleNamespace(current=(FlowInForce(default_flow(), 1, ""),))
    with serving(create_api(ApiDeps(_Exhausted(), book, None))) as url:
        answer = httpx.get(f"{url}/api/v1/reports/dwell", params={"flow": "jeweller"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "too_much")
    assert "engine.memory" in answer.json()["error"]["mend"]


def test_quiet_days_up_to_now_are_told_where_the_range_has_no_end(get):
    assert [each["arrived"] for each in get("arrivals", from_=at(3))["days"]] == [1] + [0] * 7
    assert [each["open"] for each in get("wip", from_=at(8))["days"]] == [1, 1, 1]
    assert [each["open"] for each in get("wip", from_=at(30), to=at(31), flow="loans")["days"]] == []
    assert [each["open"] for each in get("wip", from_=at(8), to=at(9), flow="loans")["days"]] == [3]
