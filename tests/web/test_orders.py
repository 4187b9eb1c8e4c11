"""The page of orders in a browser, over the day of tests.story: one order for each verdict."""

from __future__ import annotations

import re
from urllib.parse import quote
from zoneinfo import ZoneInfo

import httpx
import pytest
from playwright.sync_api import expect

from clew.model.lengths import how_long
from clew.web.words import clock
from tests.story import trace_hex


@pytest.fixture
def web(url):
    with httpx.Client(base_url=url, timeout=60) as client:
        yield client


def ids(page):
    return page.locator("#rows th a").all_text_contents()


def texts(locator):
    return [" ".join(each.split()) for each in locator.all_text_contents()]


def test_the_board_tells_where_orders_are_and_the_list_the_worst_first(viewer):
    page = viewer.open("/")
    assert page.locator("#lead").inner_text() == "3 of 5 open orders need somebody now"
    assert texts(page.locator("#rows .badge")) == ["lost", "failed", "stuck", "on hold", "on time"]
    assert ids(page) == ["4712", "4715", "4711", "4714", "b/16"]
    tiles = page.locator(".tile")
    assert tiles.nth(0).inner_text().split("\n")[0] == "INITIATED"
    submitted = tiles.filter(has_text="SUBMITTED")
    assert "1 lost" in submitted.inner_text()
    assert "verdict-lost" in submitted.get_attribute("class")


def test_a_stage_that_nobody_is_in_is_grey_and_never_green(viewer):
    page = viewer.open("/")
    empty = page.locator(".tile", has_text="PACKAGING")
    assert "none here" in empty.inner_text()
    assert "tile-none" in empty.get_attribute("class")
    assert "verdict" not in empty.get_attribute("class")


def test_an_order_is_told_by_its_sentence_its_age_against_the_limit_and_who_must_act(viewer):
    row = viewer.open("/").locator("#rows tr", has_text="4711")
    assert "in SUBMITTED for 50 min, allowed 30 min; waiting for crm-api" in row.inner_text()
    assert row.locator(".age").inner_text().split("\n")[-1].endswith("of 30 min")
    assert row.locator(".bar").get_attribute("aria-label") == "167 % of the limit"
    assert "D77 · user …9931" in row.inner_text()


def test_a_click_on_a_stage_filters_the_list_and_another_one_takes_it_back(viewer):
    page = viewer.open("/")
    page.get_by_role("link", name="SUBMITTED").click()
    assert page.url.endswith("/?stage=SUBMITTED")
    assert ids(page) == ["4712", "4715", "4711", "4714"]
    assert page.locator(".tile-chosen").inner_text().startswith("SUBMITTED")
    page.get_by_role("link", name="SUBMITTED", exact=True).first.click()
    assert ids(page) == ["4712", "4715", "4711", "4714", "b/16"]


def test_verdicts_are_chips_with_counts_that_add_up(viewer):
    page = viewer.open("/")
    page.get_by_role("link", name="stuck 1").click()
    page.get_by_role("link", name="on hold 1").click()
    assert ids(page) == ["4711", "4714"]
    assert texts(page.locator(".chip[aria-current]")) == ["stuck 1", "on hold 1"]
    assert page.locator("#found").inner_text() == "2 orders"


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("ended=1&verdict=closed", ["4713"]),
        ("alias=D77", ["4711"]),
        ("user=anna-9931", ["4711"]),
        (f"trace={trace_hex(2)}", ["4712"]),
        ("prefix=b", ["b/16"]),
        ("path=b2c&stage=PRICE_CALCULATED", []),
        ("stage=CLOSED&ended=1", ["4713"]),
        ("flow=nobody", []),
    ],
)
def test_filters_live_in_the_address(web, query, shown):
    text = web.get(f"/?{query}").text
    assert [each for each in ("4711", "4712", "4713", "4714", "4715", "b/16") if f'">{each}</a>' in text] == shown
    assert ("No order matches these filters" in text) is (not shown)


def test_a_filter_that_can_not_be_is_refused_with_its_mend(web):
    for query, said in (
        ("verdict=late", "There is no verdict late"),
        ("trace=1", "1 is no trace"),
        ("at=1", "“As of”: "),
    ):
        answer = web.get(f"/?{query}")
        assert answer.status_code == 422
        assert said in answer.text
    assert web.get("/?after=forged").status_code == 400


def test_a_form_without_a_script_filters_as_well(viewer_of):
    page = viewer_of(java_script_enabled=False).open("/")
    page.get_by_text("Filters", exact=True).click()
    page.get_by_label("Other id", exact=True).fill("D77")
    page.get_by_role("button", name="Filter").click()
    assert ids(page) == ["4711"]
    page.get_by_role("link", name="leave this filter out").click()
    assert len(ids(page)) == 5


def test_an_address_holds_no_empty_filter(viewer):
    page = viewer.open("/")
    page.get_by_text("Filters", exact=True).click()
    page.get_by_label("Id begins with").fill("47")
    page.get_by_role("button", name="Filter").click()
    assert page.url.endswith("/?prefix=47")


def test_a_past_moment_shows_the_list_as_it_was(viewer):
    page = viewer.open("/?at=45m")
    assert "This is the list as it was at" in page.locator("main").inner_text()
    assert page.locator(".board").count() == 0
    assert page.locator("[data-topics]").count() == 0
    # Its message was published and the failure came later, so only these had begun.
    assert set(ids(page)) == {"4711"}
    page.get_by_role("link", name="Show it as it is now").click()
    assert len(ids(page)) == 5


def test_a_past_moment_is_meant_as_the_viewers_clock_shows_it(viewer, told):
    at = clock(told.now_ns() - 45 * 60 * 10**9, ZoneInfo("Europe/Berlin"))
    page = viewer.open(f"/?at={quote(at)}")
    assert set(ids(page)) == {"4711"}


def test_filters_are_saved_as_a_view_renamed_and_deleted_without_a_script(viewer_of):
    page = viewer_of(java_script_enabled=False).open("/?verdict=stuck&stage=SUBMITTED")
    views = page.get_by_role("navigation", name="Saved views")
    page.locator(".pop summary").click()
    page.get_by_label("Save these filters as").fill("  Late <b>ones</b> ")
    page.get_by_role("button", name="Save").click()
    page.wait_for_url(lambda url: url.endswith("/?verdict=stuck&stage=SUBMITTED"))
    assert views.get_by_role("link").get_attribute("aria-current") == "true"
    page.goto(page.url.split("?")[0])
    views.get_by_role("link", name="Late <b>ones</b>").click()
    assert ids(page) == ["4711"]
    page.locator(".pop summary").click()
    page.get_by_label("New name of Late <b>ones</b>").fill("Späte")
    page.get_by_role("button", name="Rename").click()
    expect(views.get_by_role("link")).to_have_text(["Späte"])
    page.locator(".pop summary").click()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("link", name="Keep it").click()
    expect(views.get_by_role("link")).to_have_text(["Späte"])
    page.locator(".pop summary").click()
    page.get_by_role("button", name="Delete").click()
    assert page.get_by_role("heading", level=1).inner_text() == "Delete the view “Späte”?"
    page.get_by_role("button", name="Delete the view").click()
    page.wait_for_url(lambda url: url.endswith("/?verdict=stuck&stage=SUBMITTED"))
    expect(views.get_by_role("link")).to_have_count(0)


@pytest.mark.parametrize(
    ("path", "sent", "status", "said"),
    [
        ("/views", {"name": " "}, 422, "A view needs a name"),
        ("/views", {"name": "x" * 61}, 422, "A view needs a name"),
        ("/views", {"name": "a\u202eb"}, 422, "A view needs a name"),
        ("/views", {"name": "x", "filter": "verdict=late"}, 422, "There is no verdict late"),
        ("/views", {"name": "x", "filter": "stage=" + "x" * 5_000}, 422, "too long"),
        ("/views/rename", {"name": "none", "to": "x"}, 404, "There is no view none"),
        ("/views/delete", {"name": "none"}, 404, "There is no view none"),
    ],
)
def test_a_view_that_can_not_be_saved_is_refused_with_the_mend(web, path, sent, status, said):
    answer = web.post(path, data=sent)
    assert answer.status_code == status
    assert said in answer.text


def test_a_view_is_never_saved_over_another_one(web):
    assert web.post("/views", data={"name": "mine", "filter": "path=b2c&junk=1"}).headers["location"] == "/?path=b2c"
    assert web.post("/views", data={"name": "mine", "filter": "path=b2b"}).status_code == 409
    assert web.post("/views", data={"name": "other", "filter": ""}).status_code == 303
    assert web.post("/views/rename", data={"name": "other", "to": "mine"}).status_code == 409
    for name in ("mine", "other"):
        assert web.post("/views/delete", data={"name": name}).status_code == 303


def test_a_view_is_asked_for_before_it_is_deleted_and_one_that_is_gone_is_not(viewer, web):
    web.post("/views", data={"name": "<b>mine</b> & theirs"})
    viewer.open("/views/delete?name=%3Cb%3Emine%3C/b%3E+%26+theirs")
    assert viewer.complaints() == []
    assert "<b>mine</b> & theirs" in viewer.page.locator("h1").inner_text()
    assert web.post("/views/delete", data={"name": "<b>mine</b> & theirs"}).status_code == 303
    assert web.get("/views/delete", params={"name": "<b>mine</b> & theirs"}).status_code == 404


def test_another_site_changes_no_view(web):
    sent = web.post("/views", data={"name": "theirs"}, headers={"Sec-Fetch-Site": "cross-site"})
    assert sent.status_code == 403


@pytest.mark.parametrize(
    ("asked", "leads_to"),
    [
        ("4711", "/orders/4711"),
        ("  D77 ", "/orders/4711"),
        ("b/16", "/orders/b%2F16"),
        (trace_hex(2).upper(), f"/traces/{trace_hex(2)}"),
        ("anna-9931", "/?user=anna-9931"),
        ("…9931", "/?user=%E2%80%A69931"),
        ("471", "/?prefix=471"),
        ("", "/"),
    ],
)
def test_a_search_leads_to_what_the_text_stands_for(web, asked, leads_to):
    answer = web.get("/search", params={"q": asked})
    assert (answer.status_code, answer.headers["location"]) == (303, leads_to)


@pytest.mark.parametrize(("asked", "meant"), [("B/16", "/orders/b%2F16"), ("d77", "/orders/4711")])
@pytest.mark.parametrize("where", ["/search?q=", "/orders/"])
def test_an_id_in_other_capitals_leads_to_the_order_that_is_meant(web, where, asked, meant):
    answer = web.get(where + asked)
    assert answer.status_code == 404
    assert f'Did you mean <a class="id" href="{meant}">' in answer.text


@pytest.mark.parametrize("asked", ["4799", "f" * 32, "<script>alert(1)</script>", "x" * 5_000, "'); DROP TABLE orders"])
def test_a_search_without_result_says_what_was_looked_for_and_where(web, asked):
    answer = web.get("/search", params={"q": asked})
    assert answer.status_code == 404
    assert "Nothing found for" in answer.text
    assert "ids of orders, open and ended" in answer.text
    assert ("<li>traces</li>" in answer.text) is (asked == "f" * 32)
    assert "<script>alert" not in answer.text


def test_keys_move_through_the_rows_open_one_and_show_themselves(viewer):
    page = viewer.open("/")
    focused = "document.activeElement.textContent"
    for key, order in (("j", "4712"), ("j", "4715"), ("k", "4712"), ("k", "4712")):
        page.keyboard.press(key)
        assert page.evaluate(focused) == order
    page.keyboard.press("/")
    page.keyboard.type("jk?")
    assert page.locator("#seek").input_value() == "jk?"
    page.locator("h1").click()
    page.keyboard.press("?")
    assert page.get_by_role("dialog", name="Keys").is_visible()
    assert "next and previous order" in page.get_by_role("dialog").inner_text()
    assert viewer.complaints() == []
    page.keyboard.press("Escape")
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    page.wait_for_url("**/orders/**")


def test_single_keys_can_be_switched_off_for_good(viewer):
    page = viewer.open("/")
    page.get_by_role("button", name="Keys").click()
    page.get_by_label("Single keys work").uncheck()
    page.get_by_role("button", name="Close").click()
    for _ in range(2):
        page.keyboard.press("?")
        assert not page.get_by_role("dialog").is_visible()
        page.reload()


def test_ages_count_on_between_two_renewals(viewer):
    page = viewer.open("/?stage=INITIATED")
    age = page.locator("#rows [data-counting]")
    expect(age).to_have_text(re.compile(r"1 min \d+ s"))


def test_a_script_writes_lengths_of_time_as_the_server_does(viewer):
    page = viewer.open("/")
    lengths = [0, 1, 59, 60, 61, 3_599, 3_600, 3_660, 86_399, 86_400, 90_000, 172_800, 180_000, 10**7]
    live = "async all => { const { howLong } = await import(all[0]); return all[1].map(howLong); }"
    script = page.locator("script[src$='clew.js']").get_attribute("src").replace("clew.js", "live.js")
    assert page.evaluate(live, [script, lengths]) == [how_long(seconds * 10**9) for seconds in lengths]


@pytest.mark.parametrize(
    ("path", "scheme"),
    [
        ("/", "light"), ("/", "dark"), ("/?verdict=stuck&user=anna-9931&at=1m", "dark"),
        ("/?stage=PACKAGING", "light"), ("/search?q=zz", "light"),
    ],
)  # fmt: skip
def test_the_page_is_accessible(viewer_of, path, scheme):
    viewer = viewer_of(color_scheme=scheme)
    viewer.open(path, 404 if "search" in path else 200)
    assert viewer.complaints() == []


@pytest.mark.parametrize("path", ["/", "/?user=anna-9931&at=1m"])
def test_on_a_phone_rows_are_cards_and_nothing_is_wider_than_the_window(viewer_of, path):
    viewer = viewer_of(width=390)
    page = viewer.open(path)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    row = page.locator("#rows tr").first.bounding_box()
    assert row["width"] > 300
    assert row["height"] > 100
    assert viewer.complaints() == []


def test_a_printed_list_has_orders_and_no_controls(viewer):
    page = viewer.open("/")
    page.emulate_media(media="print")
    assert page.locator("#rows tr").first.is_visible()
    assert not page.get_by_text("Filters", exact=True).is_visible()
    assert not page.get_by_role("navigation", name="Pages", exact=True).is_visible()


def test_every_control_has_a_place_in_the_order_of_tabs(viewer):
    page = viewer.open("/")
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("(document.activeElement.textContent || document.activeElement.id).trim()"))
    assert {"SUBMITTED", "stuck 1", "Filters", "Save as view", "4711", "CLOSED", "b2b"} <= reached
