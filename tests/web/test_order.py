"""The page of one order, in a browser and as it is sent."""

from __future__ import annotations

import re
import time
from html import unescape
from urllib.parse import quote

import httpx
import pytest

from clew.web.words import verdict
from tests.builders import ingest, logs, span, span_hex, stage_event, trace_hex, traces
from tests.web.order_story import BUSY, HOSTILE, MINUTE, busy_order, hostile_order


@pytest.fixture(scope="module")
def told(told):
    """The day of tests.story, and two orders that are hard to show."""
    now = told.now_ns()
    ingest(told.store, now, *busy_order(now), *hostile_order(now))
    told.ticker.tick()
    return told


@pytest.fixture
def web(url):
    with httpx.Client(base_url=url, timeout=60) as client:
        yield client


def page_of(web, order_id, **asked):
    answer = web.get(f"/orders/{quote(order_id)}", params=asked)
    assert answer.status_code == 200, answer.text[:500]
    return answer.text


def section(text, anchor):
    return re.search(rf'<section class="[^"]*" id="{anchor}".*?</section>', text, re.S).group(0)


def words_of(html):
    return re.sub(r"\s+", " ", re.sub(r"<title>.*?</title>|<[^>]+>", " ", html))


@pytest.mark.parametrize(
    ("order_id", "kind", "sentence", "owner"),
    [
        ("4711", "stuck", "in SUBMITTED for 50 min, allowed 30 min; waiting for crm-api", "crm-api"),
        ("4712", "lost", "published to prices 19 min 59 s ago by shop-api, but no queue is bound there", "shop-api"),
        ("4713", "closed", "3 h 20 min ago by mes, 1 h 40 min after it began", ""),
        ("4714", "on_hold", "in SUBMITTED for 39 min", "crm-api"),
        ("4715", "failed", "in PRICE_CALCULATED 4 min ago by shop-api: no 3D data; still in SUBMITTED", "shop-api"),
        ("b/16", "on_time", "in INITIATED for 1 min, allowed 1 day", "customer care"),
    ],
)
def test_the_headline_says_where_it_is_since_when_why_and_who_must_act(web, order_id, kind, sentence, owner):
    text = page_of(web, order_id)
    headline = words_of(re.search(r"<h1>.*?</h1>", text, re.S).group(0))
    assert order_id in headline
    assert verdict(kind) in headline
    assert sentence in headline
    assert ("Who must act" in text) == bool(owner)
    assert owner in words_of(re.search(r'<dl class="stats">.*?</dl>', text, re.S).group(0))


def test_an_id_of_signs_that_addresses_use_has_a_page_and_an_address(web, told):
    tell(told, stage_event("a?b#c/%d", "SUBMITTED", told.now_ns() - MINUTE, order__path="b2c"))
    text = page_of(web, "a?b#c/%d", all="logs")
    assert 'href="/orders/a%3Fb%23c%2F%25d?time=scale#timeline"' in text
    assert "/orders/a%3Fb%23c%2F%25d at " in text
    assert 'name="back" value="/orders/a%3Fb%23c/%25d?all=logs"' in text


def test_another_id_of_an_order_leads_to_it(web):
    text = page_of(web, "D77")
    assert "is another id of order" in text
    assert 'href="/orders/4711"' in text


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("nobody", ["No order nobody", "Check the id"]),
        ("471", ["No order 471", "Ids that begin like it", 'href="/orders/4711"']),
        (trace_hex(1), ["It is the id of a trace", f'href="/traces/{trace_hex(1)}"']),
        ("%3Cscript%3Ealert(1)%3C/script%3E", ["No order &lt;script&gt;alert(1)"]),
    ],
)
def test_an_unknown_order_says_where_else_its_id_is_known(web, path, said):
    answer = web.get(f"/orders/{path}")
    assert answer.status_code == 404
    assert [each for each in said if each not in answer.text] == []
    assert "<script>alert" not in answer.text


def test_an_id_that_only_spans_name_leads_to_them(web, told):
    ingest(told.store, told.now_ns(), traces("shop-api", span(777, 1, told.now_ns(), order__id="only spans")))
    answer = web.get("/orders/only%20spans")
    assert answer.status_code == 404
    assert "No order only spans, but spans name it" in answer.text
    assert 'href="/traces?order=only%20spans"' in answer.text


def test_expected_and_actual_path_stand_side_by_side_with_words_for_what_differs(web):
    rows = [words_of(row) for row in re.findall(r"<tr.*?</tr>", section(page_of(web, "4713"), "way"), re.S)]
    assert any("FILE_UPLOADED" in row and "skipped" in row for row in rows)
    assert any("repeated MANUFACTURING_STARTED" in row and "10 min of 2 days" in row for row in rows)
    ahead = [words_of(row) for row in re.findall(r"<tr.*?</tr>", section(page_of(web, "4711"), "way"), re.S)]
    assert any("SUBMITTED" in row and "is here" in row and "50 min of 30 min, 20 min over" in row for row in ahead)
    assert any("PRICE_CALCULATED" in row and "may come next" in row and "crm-api will have it" in row for row in ahead)


def test_messages_losses_failures_and_holds_are_told_with_their_spans(web):
    lost = page_of(web, "4712")
    assert f"/traces/{trace_hex(2)}?span={span_hex(2)}#s{span_hex(2)}" in section(lost, "lost")
    assert "lost: unroutable" in words_of(section(lost, "messages"))
    taken = words_of(section(page_of(web, "4713"), "messages"))
    assert "2.99 s redelivered, dead-lettered from orders.q (rejected)" in taken
    assert "POST /deals: TimeoutError" in words_of(section(page_of(web, "4711"), "failed"))
    assert "PRICE_CALCULATED failed: no 3D data" in words_of(section(page_of(web, "4715"), "failed"))
    assert "and still, 39 min so far" in words_of(section(page_of(web, "4714"), "holds"))


def test_traces_and_logs_are_listed_with_their_spans(web):
    text = page_of(web, "4711")
    assert "shop-api : POST /orders 900.0 ms 4 1 crm-api, shop-api" in words_of(section(text, "traces"))
    said = section(text, "logs")
    assert "INFO shop-api order placed span" in words_of(said)
    assert "stage shop-api entered SUBMITTED" in words_of(said)
    assert f'href="/traces/{trace_hex(1)}?span={span_hex(1)}#s{span_hex(1)}"' in said


def test_the_text_for_a_ticket_tells_all_of_it_and_holds_nothing_that_a_terminal_obeys(web):
    text = re.search(r"<textarea[^>]*>(.*?)</textarea>", page_of(web, "4711"), re.S).group(1)
    lines = text.splitlines()
    assert lines[0] == "order 4711: stuck in SUBMITTED for 50 min, allowed 30 min; waiting for crm-api"
    assert "who must act: crm-api" in lines
    assert "also: crm_deal D77" in lines
    assert any(
        re.fullmatch(r"  2\S+ \S+ \+0000  SUBMITTED  shop-api, 50 min of 30 min, 20 min over, is here", each)
        for each in lines
    )
    assert any(each.endswith(f"{trace_hex(1)}  shop-api: POST /orders  900.0 ms, 4 spans, 1 failed") for each in lines)
    assert {"STAGES", "TRACES", "ERRORS"} <= set(lines)
    hostile = re.search(r"<textarea[^>]*>(.*?)</textarea>", page_of(web, HOSTILE), re.S).group(1)
    assert not any(sign in hostile for sign in "\x1b\u202e\u200b")
    assert "&lt;script&gt;" in hostile


def test_long_lists_are_bounded_and_shown_whole_when_asked(web):
    text = page_of(web, BUSY)
    assert "15 earlier messages aren't shown" in unescape(text)
    assert section(text, "messages").count("<tbody") == 25
    assert section(page_of(web, BUSY, all="messages"), "messages").count("<tbody") == 40
    assert section(text, "logs").count("<tr id=") == 40
    logs = section(page_of(web, BUSY, all="logs"), "logs")
    assert logs.count("<tr id=") == 120 + 1 + 12
    assert "outside of any trace" in logs
    assert web.get(f"/orders/{BUSY}", params={"all": "everything"}).status_code == 422


def test_an_order_with_2000_spans_weighs_less_than_100_kb_without_its_picture(web):
    text = page_of(web, BUSY)
    picture = re.search(r'<svg class="tl-picture.*?\n</svg>', text, re.S).group(0)
    assert "2,000 spans" in picture
    assert len(text.encode()) - len(picture.encode()) < 100_000


@pytest.mark.parametrize("order_id", ["4711", "4712", "4713", "4714", "4715", "b/16", BUSY, HOSTILE])
def test_the_page_is_well_formed_and_its_ids_are_its_own(web, order_id):
    text = page_of(web, order_id)
    ids = re.findall(r'\bid="([^"]*)"', text)
    assert sorted({each for each in ids if ids.count(each) > 1}) == []
    assert " style=" not in text
    assert "<script>alert" not in text
    for anchor in re.findall(r'<a href="#([^"]+)"', text):
        assert anchor in ids


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_accessible(viewer_of, scheme):
    viewer = viewer_of(color_scheme=scheme)
    for order_id in ("4711", "4713"):
        viewer.open(f"/orders/{order_id}")
        assert viewer.complaints() == []


def test_hostile_texts_are_shown_as_texts_and_nothing_is_wider_than_the_window(viewer_of):
    viewer = viewer_of(width=390)
    page = viewer.open(f"/orders/{quote(HOSTILE)}")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.locator(".order-id").inner_text() == HOSTILE
    assert page.evaluate("document.documentElement.scrollHeight") < 12_000
    assert viewer.complaints() == []


def test_every_element_of_the_picture_that_has_a_span_leads_to_it(viewer):
    page = viewer.open("/orders/4711")
    hrefs = page.eval_on_selector_all(".tl-picture a", "all => all.map(each => each.getAttribute('href'))")
    assert hrefs
    assert all(re.fullmatch(r"/traces/[0-9a-f]{32}\?span=([0-9a-f]{16})#s\1", href) for href in hrefs)
    assert page.locator(".tl-picture .tl-sign-failed").count() == 1
    assert page.locator(".tl-mark.limit").count() == 1


def test_the_picture_is_walked_with_keys_and_tells_each_element(viewer):
    page = viewer.open("/orders/4711")
    page.locator(".tl-picture a.tl-block").first.focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.closest('.tl-picture') !== null")
    page.locator(".tl-block.verdict-stuck").hover()
    assert "SUBMITTED" in page.locator(".tip").inner_text()
    page.keyboard.press("Escape")
    assert page.locator(".tip").is_hidden()


def test_zoom_widens_the_picture_and_keeps_the_page(viewer):
    page = viewer.open("/orders/4711")
    before = page.locator(".tl-picture").bounding_box()["width"]
    page.get_by_role("button", name="Zoom in").click()
    assert page.locator(".tl-picture").bounding_box()["width"] == pytest.approx(2 * before, rel=0.02)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.locator("#tl-level").inner_text() == "200 %"


def test_the_name_of_the_current_stage_is_in_view_where_there_is_no_room_for_all(viewer_of):
    page = viewer_of(width=390).open("/orders/4711")
    view, name = page.locator("#tl-scroll").bounding_box(), page.locator(".tl-block.verdict-stuck text").bounding_box()
    assert view["x"] <= name["x"] <= view["x"] + view["width"]
    assert page.locator(".tl-mark.now text").bounding_box()["x"] <= view["x"] + view["width"]


def test_the_text_for_a_ticket_is_copied_by_its_button(viewer):
    page = viewer.open("/orders/4711")
    page.get_by_text("Copy as text for a ticket").click()
    page.get_by_text("Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()").startswith("order 4711: stuck")
    assert page.locator("#ticket").is_visible()


def test_closing_the_text_for_a_ticket_copies_nothing(viewer):
    page = viewer.open("/orders/4711")
    opener = page.locator(".ticket summary")
    opener.click()
    page.get_by_text("Copied").wait_for()
    page.evaluate("navigator.clipboard.writeText('mine')")
    opener.click()
    page.locator("#ticket").wait_for(state="hidden")
    assert page.evaluate("navigator.clipboard.readText()") == "mine"


def test_paper_is_light_whatever_the_screen_is(viewer):
    viewer.page.context.add_cookies([{"name": "clew_theme", "value": "dark", "url": viewer.url}])
    page = viewer.open("/orders/4711")
    scheme = "getComputedStyle(document.documentElement).colorScheme"
    assert page.evaluate(scheme) == "dark"
    page.emulate_media(media="print")
    assert page.evaluate(scheme) == "light"


def test_no_id_at_all_leads_to_the_orders(web):
    answer = web.get("/orders/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


def test_all_of_it_is_there_without_script(viewer_of):
    page = viewer_of(java_script_enabled=False).open("/orders/4711")
    assert page.get_by_role("heading", level=1).inner_text().endswith("waiting for crm-api")
    assert page.locator(".tl-picture a").count() > 3
    page.get_by_text("Copy as text for a ticket").click()
    assert page.locator("#ticket").is_visible()
    assert not page.get_by_role("button", name="Copy again").is_visible()
    page.get_by_role("link", name="To scale").click()
    assert page.locator(".tl-fold").count() == 0


def test_the_page_renews_itself_and_keeps_what_one_has_chosen(viewer, told):
    now = told.now_ns()
    tell(told, stage_event("live", "SUBMITTED", now - 5 * MINUTE, order__path="b2c"))
    page = viewer.open("/orders/live")
    page.get_by_role("button", name="Zoom in").click()
    page.get_by_text("Copy as text for a ticket").click()
    tell(told, stage_event("live", "PRICE_CALCULATED", now - MINUTE, order__path="b2c"))
    page.locator(".verdict-words", has_text="in PRICE_CALCULATED for 1 min").wait_for()
    assert page.locator(".tl-block").count() == 2
    assert page.locator("#tl-level").inner_text() == "200 %"
    assert page.locator(".tl-wide").evaluate("each => each.style.width") == "200%"
    assert "in PRICE_CALCULATED for 1 min" in page.locator("#ticket").input_value()
    page.locator(".tl-block").first.hover()
    assert "SUBMITTED" in page.locator(".tip").inner_text()


def tell(told, event):
    ingest(told.store, time.time_ns(), logs("shop-api", event))
    told.ticker.tick()


@pytest.mark.parametrize("order_id", ["4711", "4713", "4714"])
def test_an_order_prints_on_one_page(viewer, order_id):
    page = viewer.open(f"/orders/{order_id}")
    page.emulate_media(media="print")
    assert not page.locator(".jump").is_visible()
    assert len(re.findall(rb"/Type /Page\b", page.pdf(format="A4"))) == 1


def test_the_keys_of_the_timeline_are_among_the_keys(viewer):
    page = viewer.open("/orders/4711")
    page.get_by_role("button", name="Keys").click()
    told = page.locator("#keys dl").inner_text()
    assert all(words in told for words in ("the element before and after in time", "zoom in and out", "its span"))
    assert viewer.complaints() == []


def test_what_came_to_a_list_of_the_order_is_told_to_who_does_not_see_it(web):
    places = re.findall(r'<div id="[a-z-]+-changed"[^>]*>', page_of(web, "4711"))
    assert places
    assert all('role="status"' in each for each in places)
