"""The frame of every page: headers, errors as pages, preferences, and what comes from other sites."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect

import clew.web.pages as rooms
from clew.api import create_api
from clew.web import create_web, site
from clew.web.errors import FIELDS, in_words_of_page
from clew.web.guard import POLICY
from tests.services.browser import leave
from tests.serving import serving


@pytest.fixture
def web(url):
    with httpx.Client(base_url=url) as client:
        yield client


def test_nothing_inline_and_nothing_from_elsewhere_may_run(web):
    assert "unsafe" not in POLICY
    for path in ("/", "/no-such-page"):
        assert web.get(path).headers["content-security-policy"] == POLICY


def test_an_unknown_page_says_so_in_a_page_of_its_own(web):
    answer = web.get("/no-such-page")
    assert answer.status_code == 404
    assert "There is no page /no-such-page" in answer.text


def test_an_unknown_path_of_the_api_keeps_the_form_of_the_api(web):
    assert web.get("/api/v1/no-such-thing").json()["error"]["code"] == "not_found"


def test_hostile_paths_are_shown_as_text(web):
    answer = web.get("/%3Cscript%3Ealert(1)%3C/script%3E")
    assert answer.status_code == 404
    assert "<script>alert" not in answer.text
    assert "&lt;script&gt;alert" in answer.text


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/traces?min_duration=lots", "“At least”: 'lots' is no length of time"),
        ("/traces?retries=-1", "“Attempts before”: give at least 0"),
        ("/traces?status=late", "“Status”: 'late' is not"),
        ("/traces?since=yesterday", "“Since”: 'yesterday' is no moment"),
        ("/flow/map?from=2d&to=3d", "“From”: the range ends before it begins"),
        ("/flow/map?from=all&against=previous", "“Compare with”: there is nothing before a range without a begin"),
        ("/flow/map?flow_version=x", "“Flow version”: 'x' is no whole number"),
        ("/flow/wip?from=1971-01-01", "“From”: "),
        ("/?at=yesterday", "“As of”: 'yesterday' is no moment"),
        ("/?deviation=late", "There is no deviation late"),
    ],
)
def test_a_mistake_in_an_address_is_told_in_words_of_the_page(web, path, said):
    answer = web.get(path)
    told = html.unescape(answer.text)
    assert answer.status_code == 422
    assert said in told
    assert "--" not in told.split("<main")[1].split("</main>")[0]


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("min_share: 2 is no share; from: late", "“Hide steps in fewer than”: 2 is no share; “From”: late"),
        ("some_new_one: this is needed", "“some new one”: this is needed"),
        ("no order at: 7", "no order at: 7"),
        ("there is no page /from: x", "there is no page /from: x"),
    ],
)
def test_parameters_are_told_by_their_labels(message, shown):
    assert in_words_of_page(message) == shown


def test_the_labels_of_fields_are_those_of_the_pages():
    told = "\n".join(path.read_text() for path in Path(rooms.__path__[0]).rglob("*.html"))
    assert [label for label in FIELDS.values() if not re.search(rf"[\">]{label}\b", told)] == []


def test_preferences_are_kept_in_cookies_and_lead_back(web):
    answer = web.post("/preferences", data={"theme": "dark", "zone": "Asia/Tokyo", "back": "/traces?q=1"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/traces?q=1")
    assert 'data-theme="dark"' in web.get("/no-such-page").text
    assert "times in Asia/Tokyo" in web.get("/no-such-page").text


@pytest.mark.parametrize("back", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:1", ""])
def test_preferences_lead_to_no_other_site(web, back):
    assert web.post("/preferences", data={"theme": "dark", "back": back}).headers["location"] == "/"


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"theme": "pink"}, "There is no theme pink"),
        ({"zone": "../etc/passwd"}, "There is no time zone ../etc/passwd"),
        ({"zone": "right/UTC"}, "There is no time zone right/UTC"),
        ({"zone": "posix/Europe/Berlin"}, "There is no time zone posix/Europe/Berlin"),
    ],
)
def test_unknown_preferences_are_refused_with_the_mend(web, sent, said):
    answer = web.post("/preferences", data=sent)
    assert answer.status_code == 422
    assert said in answer.text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 303),
        ({"Origin": "https://evil.example"}, 403),
        ({}, 303),
    ],
)
def test_a_page_of_another_site_changes_nothing(web, headers, status):
    assert web.post("/preferences", data={"theme": "dark"}, headers=headers).status_code == status


def test_a_page_of_another_site_changes_nothing_through_the_api(web):
    asked = {"url": "/api/v1/imports", "json": {"name": "theirs"}}
    refused = web.post(**asked, headers={"Sec-Fetch-Site": "cross-site"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "cross_site")
    assert web.post(**asked, headers={"Origin": "https://evil.example"}).status_code == 403
    assert "theirs" not in web.get("/api/v1/imports", params={"all": True}).text
    assert web.post("/api/v1/flows/check", content="").status_code != 403


def test_the_answer_to_a_mistake_of_ours_has_the_policy_as_well(told):
    broken = replace(told, book=None)
    with serving(site(create_api(broken), create_web(broken))) as address:
        for path in ("/", "/api/v1/orders?at=2h"):
            answer = httpx.get(address + path)
            assert (answer.status_code, answer.headers.get("content-security-policy")) == (500, POLICY)


def test_assets_may_be_kept_for_ever_and_pages_never(web):
    page = web.get("/no-such-page")
    assert page.headers["cache-control"] == "no-store"
    asset = page.text.split('<link rel="stylesheet" href="')[1].split('"')[0]
    assert "immutable" in web.get(asset).headers["cache-control"]
    assert "immutable" not in web.get("/static/none.css").headers["cache-control"]


def test_the_error_page_is_accessible_in_both_themes(viewer_of):
    for scheme in ("light", "dark"):
        viewer = viewer_of(color_scheme=scheme)
        viewer.open("/no-such-page", 404)
        assert viewer.complaints() == []


def test_a_page_says_that_nobody_answers_and_that_somebody_does_again(viewer):
    page = viewer.open("/")
    page.context.set_offline(True)
    notice = page.locator("#silence")
    expect(notice).to_contain_text("No answer from Clew. This is how it was at", timeout=60_000)
    ages = page.locator("#rows").inner_text()
    page.wait_for_timeout(2_200)
    assert page.locator("#rows").inner_text() == ages
    page.context.set_offline(False)
    expect(notice).to_have_text("", timeout=60_000)
    viewer.said.clear()  # the browser's own words on requests that failed


def test_a_viewer_has_a_zone_that_reports_can_be_made_in(web):
    zones = {
        name: web.get("/no-such-page", headers={"Cookie": f"clew_zone={name}"}).text for name in ("right/UTC", "UTC")
    }
    assert all("times in UTC<" in text for text in zones.values())


def test_a_first_visit_learns_the_zone_and_later_ones_know_it(running, url):
    opened = running.new_context(timezone_id="Asia/Tokyo")
    try:
        page, asked = opened.new_page(), []
        page.on("request", lambda request: asked.append(request.url.rpartition("/")[2]))
        page.goto(url + "/status")
        expect(page.locator("#judged")).to_contain_text("Asia/Tokyo")
        assert asked.count("status") == 2
        asked.clear()
        page.goto(url + "/status")
        assert asked.count("status") == 1
        assert "zone.js" not in asked
    finally:
        leave(opened)
