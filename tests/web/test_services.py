"""Services: the graph and its words, the tables, where everything leads, and the pages for everybody."""

from __future__ import annotations

from urllib.parse import parse_qs, unquote, urlsplit
from zoneinfo import ZoneInfo

import pytest

from clew.store.minutes import MINUTE_NS, Counts, ServiceMinutes, Work
from clew.store.service_details import Operation, Queue, Statement
from clew.store.services import Edge, NodeKind
from clew.store.spans import SpanKind
from clew.web.pages.services.context import MOST_EDGES, Details, service_page, services_page
from clew.web.pages.services.drawing import HIGH, WIDE, errors_told, shortened, tone_of
from clew.web.time_range import time_range
from tests.web.pages import HOSTILE, rendered

UTC = ZoneInfo("UTC")
NOON = 1_795_348_800 * 10**9
HOUR = time_range({"range": "1h"}, NOON, UTC)
SERVICE, QUEUE, DATABASE = NodeKind.SERVICE, NodeKind.QUEUE, NodeKind.DATABASE


def edge(caller: str, callee: str, calls: int = 60, errors: int = 0, kinds=(SERVICE, SERVICE)) -> Edge:
    return Edge(caller, kinds[0], callee, kinds[1], calls, errors, 5_000_000)


EDGES = [
    edge("shop", "crm", 600, 3),
    edge("shop", "orders", kinds=(SERVICE, QUEUE)),
    edge("orders", "mes", kinds=(QUEUE, SERVICE)),
    edge("crm", "postgresql shop", 60, 6, (SERVICE, DATABASE)),
]


def shop(name: str = "shop", requests: int = 600, failed: int = 12) -> ServiceMinutes:
    return ServiceMinutes(name, 900, 12, requests, failed, 0, {320: requests} if requests else {})


def page(found=(), edges=(), slow=(), queues=(), one_in=1):
    return services_page(HOUR, "", found, edges, slow, queues, one_in)


@pytest.mark.parametrize(
    ("errors", "tone", "told"),
    [
        (None, "tone-none", ""), (0.0, "tone-fine", ""), (0.005, "tone-fine", "0.5 % errors"),
        (0.01, "tone-warn", "1.0 % errors"), (0.05, "tone-bad", "5.0 % errors"), (1.0, "tone-bad", "100 % errors"),
    ],
)  # fmt: skip
def test_errors_have_a_tone_and_words_and_nothing_known_is_grey(errors, tone, told):
    assert (tone_of(errors), errors_told(errors)) == (tone, told)


def test_every_end_of_a_call_is_in_the_picture_with_what_it_is():
    drawn = page([shop(), shop("idle", 0, 0)], EDGES).graph
    assert drawn is not None
    assert {(node.kind, node.name) for node in drawn.nodes} == {
        ("service", "shop"), ("service", "crm"), ("service", "mes"), ("service", "idle"), ("queue", "orders"),
        ("database", "postgresql shop"),
    }  # fmt: skip
    told = {node.name: (node.note, node.tone) for node in drawn.nodes}
    assert told["shop"] == ("10/min, p95 1.1 ms", "tone-warn")
    assert told["idle"] == ("asked for nothing", "tone-none")
    assert all((node.width, node.height) == (WIDE, HIGH) for node in drawn.nodes)


def test_calls_say_their_rate_and_time_and_many_errors_instead_of_it():
    drawn = page([shop()], EDGES).graph
    assert drawn is not None
    first, _, taken, database = drawn.edges
    assert (first.rate, first.time, first.weight, first.bad) == ("10/min", "p95 5.0 ms", 4, False)
    assert taken.told == "orders to mes: 1/min, transit p95 5.0 ms"
    assert (database.time, database.bad) == ("10 % err", True)


def test_a_queue_and_a_service_of_one_name_are_two_nodes():
    drawn = page([shop()], [edge("shop", "shop", kinds=(SERVICE, QUEUE))]).graph
    assert drawn is not None
    assert sorted(node.kind for node in drawn.nodes) == ["queue", "service"]


def test_a_picture_shows_the_most_frequent_calls_and_the_table_all():
    many = [edge("shop", f"s{n}", calls=n + 1) for n in range(MOST_EDGES + 5)]
    shown = page([shop()], many)
    assert shown.graph is not None
    assert (len(shown.graph.edges), len(shown.calls), shown.more_calls) == (MOST_EDGES, MOST_EDGES + 5, 5)


def test_nothing_ran_is_no_picture():
    assert page().graph is None
    assert "clew demo" in rendered("services/services.html", page(), NOON)


def test_names_are_shortened_where_they_do_not_fit():
    assert shortened("shop-api") == "shop-api"
    assert len(shortened("x" * 500)) == 22


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        (0, {"caller": ["shop"], "callee": ["crm"]}),
        (1, {"service": ["shop"], "kind": ["producer"]}),
        (2, {"service": ["mes"], "kind": ["consumer"]}),
        (3, {"service": ["crm"], "attribute": ["db.system.name=postgresql"]}),
    ],
)
def test_calls_lead_to_their_spans_in_that_time(line, wanted):
    shown = page([shop()], EDGES)
    by_ends = {(each.caller, each.callee): each for each in shown.calls}
    asked = parse_qs(urlsplit(by_ends[EDGES[line].caller, EDGES[line].callee].href).query)
    assert asked.items() >= wanted.items()
    assert asked["since"] == ["2026-11-22T11:00:00.000Z"]


def test_services_lead_to_their_pages_whatever_they_are_called():
    (line,) = page([shop("a/b ?#<c>")]).services
    assert unquote(urlsplit(line.href).path) == "/services/a/b ?#<c>"
    assert urlsplit(line.href).query == "range=1h"


@pytest.mark.parametrize(
    ("key", "slow", "wanted"),
    [
        ("name", 0, {"name": ["SELECT 1"]}),
        ("db.query.text", 2, {"attribute": ["db.query.text=SELECT 1"], "min_duration": ["1000ms"]}),
    ],
)
def test_statements_lead_to_the_slow_spans_or_to_all(key, slow, wanted):
    told = Statement("shop", key, "SELECT 1", "mysql", 9, slow, 0, 5, 5)
    asked = parse_qs(urlsplit(page([shop()], slow=[told]).slow[0].href).query)
    assert asked.items() >= wanted.items()
    assert ("min_duration" in asked) == bool(slow)


def details(name: str = "shop", **changes) -> Details:
    given = {
        "totals": shop(name),
        "counts": [{Work.SERVER: Counts(60, 2, minutes=1), Work.CLIENT: Counts(999)}] + [{}] * 59,
        "durations": [{320: 60}] + [{}] * 59,
        "operations": [Operation(name, SpanKind.SERVER, 60, 6, 5, 9)],
        "statements": [Statement(name, "db.query.text", name, "sqlite", 3, 1, 0, 5, 2 * 10**9)],
        "queues": [Queue(name, (name,), (), 3, 2, 1, 0, NOON - 90 * MINUTE_NS, None, None)],
        "edges": [edge(name, "crm"), edge("web", name), edge("web", "crm")],
        "one_in": 1,
    }
    return Details(**{**given, **changes})


def test_one_service_tells_of_its_own_work_callers_and_callees():
    shown = service_page(HOUR, "", "shop", details(), UTC)
    assert shown.rate.rows[0] == ("11:00", "60")
    assert shown.rate.rows[1] == ("11:01", "-")
    assert shown.failures.rows[0] == ("11:00", "2")
    assert [each.caller for each in shown.callers] == ["web"]
    assert [each.callee for each in shown.callees] == ["crm"]
    assert (shown.operations[0].rate, shown.operations[0].errors, shown.operations[0].tone) == (1.0, 0.1, "tone-bad")
    assert parse_qs(urlsplit(shown.figures_href).query) == {"service": ["shop"], "range": ["1h"]}


def test_what_is_not_known_is_said_and_not_zero():
    html = rendered("services/service.html", service_page(HOUR, "", "shop", details(), UTC), NOON)
    assert "not known" in html
    assert "nobody" in html
    quiet = details(totals=None, counts=[{}] * 60, durations=[{}] * 60)
    html = rendered("services/service.html", service_page(HOUR, "", "shop", quiet, UTC), NOON)
    assert "sent no span in this time" in html
    assert html.count("No data in this time") == 3


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_shown_as_text(name):
    one = service_page(HOUR, "", name, details(name), UTC)
    every = page([shop(name)], [edge(name, "crm"), edge(name, name, kinds=(SERVICE, QUEUE))],
                 [Statement(name, "name", name, name, 1, 1, 1, 1, 1)], details(name).queues)  # fmt: skip
    for html in (rendered("services/service.html", one, NOON), rendered("services/services.html", every, NOON)):
        assert "<script>alert" not in html
        assert "<img src=x" not in html
        assert 'style="' not in html


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("path", ["/services?range=6h", "/services/shop-api?range=6h"])
def test_the_pages_have_no_barriers_and_do_not_scroll_sideways(viewer_of, theme, width, path):
    viewer = viewer_of(width, color_scheme=theme)
    shown = viewer.open(path)
    assert viewer.complaints() == []
    assert shown.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_from_the_picture_one_comes_to_a_service_by_keyboard_without_scripts(viewer_of):
    viewer = viewer_of(java_script_enabled=False)
    shown = viewer.open("/services?range=6h")
    node = shown.locator("svg.graph a.node", has_text="shop-api").first
    node.focus()
    shown.keyboard.press("Enter")
    shown.wait_for_url("**/services/shop-api?range=6h")
    assert shown.inner_text("h1") == "shop-api"
    assert "POST /orders" in shown.inner_text("main")
    shown.get_by_role("link", name="24 hours").click()
    assert parse_qs(urlsplit(shown.url).query) == {"range": ["24h"]}


def test_an_operation_leads_to_its_spans(viewer):
    shown = viewer.open("/services/shop-api?range=6h")
    shown.get_by_role("link", name="POST /orders").click()
    asked = parse_qs(urlsplit(shown.url).query)
    assert (asked["service"], asked["name"], asked["kind"]) == (["shop-api"], ["POST /orders"], ["server"])


def test_a_service_that_nobody_knows_is_told_with_the_mend(viewer):
    assert "no service nobody" in viewer.open("/services/nobody", 404).inner_text("h1").lower()
