"""The page of orders where names are hostile, flows are several, orders are many, and things change while one reads."""

from __future__ import annotations

import re
import time

import httpx
import pytest
from playwright.sync_api import expect

from clew.api import ApiDeps
from clew.journey.backfill import Backfill
from clew.journey.in_force import FlowBook
from clew.journey.rebuilder import Rebuilder
from clew.journey.ticker import Ticker
from clew.store.embedded import open_store
from tests.builders import ingest, logs, stage_event

MINUTE = 60 * 10**9
HOSTILE = (
    "<script>alert(1)</script>", "\"><img src=x onerror=alert(2)>", "{{ 7 * 7 }}", "o\u202er\u200bder", "a b?c=d&e#f",
    "../../etc/passwd", "x" * 10_000, "'; DROP TABLE orders; --", "§ü€🧶",
)  # fmt: skip
REPAIRS = """
flow: repairs
version: 1
singular: repair
plural: repairs
paths: {counter: [TAKEN]}
stages:
  TAKEN: {service: shop-api, limit: 1h, next: [GIVEN]}
  GIVEN: {service: shop-api, terminal: closed}
"""
MANY = 130


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """Hostile orders of one flow, and many repairs."""
    store = open_store(tmp_path_factory.mktemp("strange"))
    now = time.time_ns()
    book = FlowBook(store)
    book.start([])
    book.apply(REPAIRS)
    ticker = Ticker(store, rebuilder := Rebuilder(store, lambda: book.current), time.time_ns)
    flow = next(each.flow.name for each in book.current if each.flow.name != "repairs")
    events = [
        stage_event(
            name, "SUBMITTED", now - n * MINUTE, order__path=name, order__flow=flow, user__id=name,
            order__alias__crm=f"D{n}{name}", order__outcome="failed" if n % 2 else "ok", error__message=name,
        )
        for n, name in enumerate(HOSTILE, 1)
    ]  # fmt: skip
    events += [stage_event("odd", "<b>TYPO</b>", now - MINUTE, order__flow=flow)]
    events += [stage_event(f"r{n:03}", "TAKEN", now - n * MINUTE, order__flow="repairs") for n in range(MANY)]
    ingest(store, now, logs("shop-api", *events))
    ticker.tick()
    # The clock stands, so that no verdict changes between two requests.
    yield ApiDeps(store, book, Backfill(store, rebuilder), None, ticker, now_ns=lambda: now + MINUTE // 2)
    store.close()


@pytest.fixture
def web(url):
    with httpx.Client(base_url=url, timeout=60) as client:
        yield client


def test_hostile_names_are_text_and_their_links_lead_to_them(viewer, web):
    page = viewer.open("/?path=" + "x")
    for name in HOSTILE:
        page.goto(viewer.url + "/?" + httpx.QueryParams(path=name).__str__())
        links = page.locator("#rows th a")
        assert links.count() == 1
        assert links.inner_text().replace("…", "") in name
        answer = web.get(page.evaluate("document.querySelector('#rows th a').href"))
        assert answer.status_code == 200, name
        assert page.evaluate("document.documentElement.scrollWidth") <= 1440
    assert viewer.said == []


def test_hostile_filters_are_shown_as_text_and_can_be_saved(web):
    for name in HOSTILE:
        for field in ("stage", "flow", "alias", "prefix"):
            text = web.get("/", params={field: name}).text
            assert "<script>alert" not in text
            assert "<img src=x" not in text
    saved = web.post("/views", data={"name": HOSTILE[1], "filter": "stage=%3Cscript%3Ealert"})
    assert "<img src=x" not in web.get("/").text
    assert saved.headers["location"] == "/?stage=%3Cscript%3Ealert"
    assert web.post("/views/delete", data={"name": HOSTILE[1]}).status_code == 303


def test_each_flow_has_its_board_until_one_is_chosen(viewer):
    page = viewer.open("/")
    assert page.locator(".board-name").all_inner_texts() == ["repairs", "jeweller"]
    assert "Not in the flow" in page.locator(".board").nth(1).inner_text()
    page.get_by_role("navigation", name="Flow").get_by_role("link", name="repairs").click()
    assert page.locator("h1").inner_text() == "Repairs"
    assert page.locator(".board").count() == 1
    assert page.locator("#found").inner_text().endswith(" orders, 50 on this page")


def test_a_stage_that_the_flow_does_not_know_can_be_listed(viewer):
    page = viewer.open("/?flow=jeweller")
    page.get_by_role("link", name="<b>TYPO</b>").click()
    assert page.locator("#rows th a").all_inner_texts() == ["odd"]
    assert "which the flow doesn't know" in page.locator("#rows").inner_text()


@pytest.mark.parametrize(
    "query",
    ["", "flow=repairs", "flow=none", "stage=TAKEN", "flow=repairs&stage=TAKEN", "stage=SUBMITTED",
     "flow=jeweller&stage=SUBMITTED", "verdict=failed", "path=counter", "ended=1", "prefix=r"],
)  # fmt: skip
def test_the_chips_count_what_the_api_counts(web, query):
    every = "ended" in query or "prefix" in query
    told = web.get(f"/api/v1/orders?{query.replace('ended=1', '')}&open={not every}").json()
    shown = dict(
        re.findall(r'class="chip verdict-(\w+)[^>]*>.*?<b>([\d,]+)</b>', web.get(f"/?{query}").text, re.DOTALL)
    )
    named = {kind: int(shown[kind].replace(",", "")) for kind in shown}
    assert {kind: count for kind, count in told["counts"].items() if count}.items() <= named.items()


def test_orders_of_which_no_stage_is_known_can_be_listed_now_and_as_of_then(viewer):
    page = viewer.open("/?flow=jeweller")
    page.get_by_role("link", name="No stage known yet").click()
    listed = page.locator("#rows th a").all_inner_texts()
    assert len(listed) == len(HOSTILE[::2])
    page.goto(page.url + "&at=1s")
    assert page.locator("#rows th a").all_inner_texts() == listed


def test_pages_lead_through_all_orders_once(viewer_of):
    page = viewer_of(java_script_enabled=False).open("/?prefix=r")
    seen = []
    while True:
        seen += page.locator("#rows th a").all_inner_texts()
        following = page.get_by_role("link", name="Next 50")
        if not following.count():
            break
        following.click()
    assert len(seen) == len(set(seen)) == MANY
    assert seen[0] == f"r{MANY - 1:03}"
    page.get_by_role("link", name="To the first page, as of now").click()
    assert page.locator("#rows th a").first.inner_text() == seen[0]


def tell(deps, *events):
    """Stage events of this moment, in the list as soon as a ticker would bring them there."""
    ingest(deps.store, time.time_ns(), logs("shop-api", *events))
    deps.ticker.tick()


def test_the_list_stays_where_it_is_until_the_reader_asks_for_it(viewer, told):
    page = viewer.open("/?prefix=live-")
    expect(page.locator("#rows")).to_have_count(0)
    now = time.time_ns()
    tell(told, *(stage_event(f"live-{n}", "TAKEN", now - n * MINUTE, order__flow="repairs") for n in range(2)))
    rows = page.locator("#rows th a")
    expect(rows).to_have_text(["live-1", "live-0"], timeout=15_000)
    page.keyboard.press("j")
    before = page.locator("#rows tr").last.bounding_box()
    tell(
        told,
        stage_event("live-2", "TAKEN", now - 90 * MINUTE, order__flow="repairs"),
        stage_event("live-1", "GIVEN", now, order__flow="repairs"),
    )
    button = page.get_by_role("button", name="Show the list as it is now")
    expect(button).to_be_visible(timeout=15_000)
    assert "1 new" in button.inner_text()
    assert rows.all_inner_texts() == ["live-1", "live-0"]
    assert page.evaluate("document.activeElement.textContent") == "live-1"
    assert page.locator("#rows tr").last.bounding_box()["y"] == pytest.approx(before["y"], abs=1)
    expect(page.locator("#rows tr").first).to_contain_text("closed")
    assert viewer.complaints() == []
    button.click()
    assert rows.all_inner_texts() == ["live-2", "live-0", "live-1"]
    expect(button).to_have_count(0)


HIDE = """hidden => {
    Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
}"""


def test_a_hidden_page_keeps_no_connection_and_catches_up_when_it_is_seen_again(viewer):
    with viewer.page.expect_request("**/live"):
        page = viewer.open("/")
    with page.expect_event("requestfailed", lambda asked: asked.url.endswith("/live")):
        page.evaluate(HIDE, True)
    with page.expect_request("**/live"):
        page.evaluate(HIDE, False)


def count_renewals(page):
    """The addresses with which the page renews itself from now on, as they are asked for."""
    asked = []
    page.on("request", lambda each: "x-clew-live" in each.headers and asked.append(each.url))
    return asked


def test_a_server_in_trouble_is_asked_less_and_less_often(viewer):
    viewer.page.clock.install()
    page = viewer.open("/")
    page.route("**/", lambda route: route.fulfill(status=404, body="in trouble"))
    renewals = count_renewals(page)
    for _ in range(40):
        page.clock.run_for(2_500)
        page.wait_for_timeout(20)
    assert 2 <= len(renewals) <= 6


def test_what_left_the_list_is_said_in_words(viewer, told):
    page = viewer.open("/?prefix=left-&stage=TAKEN")
    now = time.time_ns()
    tell(told, *(stage_event(f"left-{n}", "TAKEN", now - n * MINUTE, order__flow="repairs") for n in range(2)))
    expect(page.locator("#rows tr")).to_have_count(2, timeout=15_000)
    tell(told, stage_event("left-1", "GIVEN", now, order__flow="repairs"))
    expect(page.locator("#rows-changed[role=status]")).to_contain_text("1 gone", timeout=15_000)
    expect(page.locator("#rows tr.gone th")).to_have_text(re.compile("left-1.*gone from this list"))


def test_a_screen_on_the_wall_follows_by_itself_but_not_while_text_is_selected(viewer, told):
    viewer.page.clock.install()
    page = viewer.open("/?prefix=wall-")
    now = time.time_ns()
    tell(told, stage_event("wall-0", "TAKEN", now, order__flow="repairs"))
    rows = page.locator("#rows th a")
    expect(rows).to_have_text(["wall-0"], timeout=15_000)
    page.get_by_label("Move rows as they change").check()
    page.locator("h1").select_text()
    tell(told, stage_event("wall-1", "TAKEN", now - MINUTE, order__flow="repairs"))
    renewals = count_renewals(page)
    page.clock.run_for(60_000)
    assert (rows.all_inner_texts(), renewals) == (["wall-0"], [])
    page.evaluate("getSelection().removeAllRanges()")
    page.evaluate("document.body.dispatchEvent(new PointerEvent('pointerdown', { bubbles: true }))")
    page.clock.run_for(60_000)
    assert renewals == []
    page.evaluate("dispatchEvent(new Event('blur'))")  # the button is let go in another window
    expect(rows).to_have_text(["wall-1", "wall-0"], timeout=15_000)


def test_hostile_orders_and_several_boards_are_accessible_on_a_phone(viewer_of):
    viewer = viewer_of(width=390, color_scheme="dark")
    page = viewer.open("/")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert viewer.complaints() == []
    page.goto(viewer.url + "/?flow=jeweller")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
