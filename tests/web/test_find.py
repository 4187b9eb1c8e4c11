"""The page that finds traces: form, histogram, list, pages, completion; with and without JavaScript."""

from __future__ import annotations

import threading
from dataclasses import replace
from zoneinfo import ZoneInfo

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from playwright.sync_api import expect

from clew.api import create_api
from clew.api.turns import LARGE_AT_ONCE, Turns
from clew.model.errors import StoreUnavailable
from clew.store.embedded import open_store
from clew.store.found_traces import SlotCount
from clew.store.search import SpanFilter
from clew.web import create_web, site
from clew.web.pages.find.context import SLOTS, counts_part, search_page, slots_of
from clew.web.tidy import tidied
from clew.web.words import clock
from tests.builders import ingest, span, trace_hex, traces
from tests.serving import serving
from tests.story import tell

HOSTILE = "<script>alert(1)</script>\u202eabc'\"" + "x" * 400
BERLIN = ZoneInfo("Europe/Berlin")
SECOND = 10**9
MINUTE = 60 * SECOND


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """The small shop's day, and 50 traces of a stock service within the last hour, every fifth of which failed."""
    store = open_store(tmp_path_factory.mktemp("find"))
    deps = tell(store)
    now = deps.now_ns()
    spans = []
    for number in range(50):
        start = now - (number + 2) * MINUTE
        bad = number % 5 == 0
        spans.append(
            span(100 + number, 1, start, lasts_ms=10 + number, name="GET /stock", kind="server", shelf=f"s{number % 4}",
                 status="error" if bad else "unset", order__id=f"o-{number}")
        )  # fmt: skip
    hostile = span(200, 1, now - 90 * SECOND, name=HOSTILE, note="<i>x</i>", order__id="<b>9</b>")
    old = span(201, 1, now - 3 * 24 * 60 * MINUTE, name="long ago", order__id="old-1")
    ingest(store, now, traces("stock", *spans), traces("old-shop", old), traces("<img src=x>", hostile))
    yield deps
    store.close()


@pytest.fixture(scope="module")
def url(told):
    with serving(site(create_api(told), create_web(told))) as address:
        yield address


@pytest.fixture
def web(url):
    with httpx.Client(base_url=url, follow_redirects=True, timeout=60) as client:
        yield client


def rows(page):
    return page.locator("table.found tbody tr")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("service=stock", 20),
        ("service=stock&status=error", 10),
        ("service=stock&since=10m", 9),
        ("service=stock&min_duration=55ms", 5),
        ("service=stock&attribute=shelf%3Ds1&status=error", 3),
        ("name=GET+/st*&attribute=shelf%3Ds1", 13),
        ("order=o-7", 1),
        ("order=old-1", 1),
        ("name=long+ago", 0),
        (f"trace={trace_hex(1)}", 1),
        ("by=span&service=stock", 50),
        ("service=nobody", 0),
    ],
)
def test_filters_find(web, query, found):
    text = web.get(f"/traces?{query}").text
    assert text.count("<tr>\n") - 1 == found or text.count('<th scope="row" class="what">') == found
    assert text.count("</html>") == 1


@pytest.mark.parametrize(
    ("query", "compared"),
    [("service=stock", True), ("service=stock&attribute=shelf%3Ds1&name=*&by=trace", True),
     ("service=stock&%62y=span", False), ("service=stock&caller=&by=span", False)],
)  # fmt: skip
def test_traces_can_be_compared_and_spans_cannot_however_the_address_says_it(web, query, compared):
    assert ("Compare two ticked traces" in web.get(f"/traces?{query}").text) is compared


def test_a_moment_is_meant_as_the_viewers_clock_shows_it(web, told):
    begin, end = (clock(told.now_ns() - minutes * MINUTE, BERLIN) for minutes in (30, 10))
    web.cookies.set("clew_zone", "Europe/Berlin")
    text = web.get("/traces", params={"service": "stock", "since": begin, "until": end, "by": "span"}).text
    assert text.count('<th scope="row" class="what">') == 20


def test_older_ones_follow_until_all_were_shown(viewer):
    page = viewer.open("/traces?service=stock")
    seen = [link.get_attribute("href") for link in rows(page).locator(".what a").all()]
    while page.get_by_role("link", name="Older ones").count():
        page.get_by_role("link", name="Older ones").click()
        page.wait_for_load_state()
        seen += [link.get_attribute("href") for link in rows(page).locator(".what a").all()]
    assert len(seen) == len(set(seen)) == 50
    assert "These are all." in page.locator(".turns").inner_text()


def test_the_form_keeps_what_was_asked_and_the_address_holds_no_more(viewer):
    page = viewer.open("/traces")
    page.get_by_label("Service", exact=True).fill("stock")
    page.locator("[name=status]").select_option("error")
    page.get_by_label("Attribute").fill("shelf=s0")
    page.get_by_role("button", name="Find").click()
    page.wait_for_url("**status=error**")
    assert page.url.split("?")[1] == "service=stock&status=error&since=24h&attribute=shelf%3Ds0"
    assert page.get_by_label("Service", exact=True).input_value() == "stock"
    assert page.get_by_label("Attribute", exact=True).input_value() == "shelf=s0"
    expect(rows(page)).to_have_count(3)


def test_words_are_completed_from_the_data(viewer):
    page = viewer.open("/traces")
    page.get_by_label("Service", exact=True).focus()
    expect(page.locator("#services option[value=stock]")).to_have_count(1)
    page.get_by_label("Service", exact=True).fill("stock")
    field = page.get_by_label("Attribute")
    field.press_sequentially("SHE")
    expect(page.locator("#attributes option[value=shelf]")).to_have_count(1)
    field.fill("shelf=")
    expect(page.locator("#attributes option[value='shelf=s2']")).to_have_count(1)
    page.get_by_label("Operation").focus()
    expect(page.locator("#names option")).to_have_count(1)


@pytest.mark.parametrize(
    ("query", "status"), [("of=service", 200), ("of=value&key=shelf", 200), ("of=nothing", 422), ("", 422)]
)
def test_only_known_words_are_completed(web, query, status):
    assert web.get(f"/traces/words?{query}").status_code == status


def test_dragging_over_the_histogram_chooses_its_time(viewer):
    page = viewer.open("/traces?service=stock&since=1h")
    assert "50 matching spans, 10 failed" in page.locator(".counts").inner_text()
    box = page.locator("#slots").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 2, box["y"] + 40, steps=5)
    page.mouse.up()
    page.wait_for_url("**until=**")
    shown = int(page.locator(".counts h2").inner_text().split()[0])
    assert 20 < shown < 35


def test_a_bar_of_the_histogram_is_a_link(viewer_of):
    page = viewer_of(java_script_enabled=False).open("/traces?service=stock&since=1h")
    page.locator("#slots a").first.click(force=True)
    page.wait_for_url("**until=**")
    assert rows(page).count() >= 1


def test_without_javascript_all_works_by_form_and_links(viewer_of):
    page = viewer_of(java_script_enabled=False).open("/traces")
    page.get_by_label("Service", exact=True).fill("stock")
    page.get_by_label("At least", exact=True).fill("55ms")
    page.get_by_role("button", name="Find").click()
    page.wait_for_url("**/traces?service=stock&min_duration=55ms&since=24h")
    expect(rows(page)).to_have_count(5)
    for box in rows(page).locator("input").all()[:2]:
        box.check()
    page.get_by_role("button", name="Compare two ticked traces").click()
    assert "took" in page.locator("h1").inner_text()


def test_spans_are_listed_alone_and_lead_into_their_traces(viewer):
    page = viewer.open("/traces?service=stock&by=span&status=error")
    assert rows(page).count() == 10
    rows(page).locator(".what a").first.click()
    page.wait_for_selector(".tools.ready")
    expect(page.locator("#panel h2")).to_have_text("GET /stock")


def test_hostile_names_are_text(viewer):
    page = viewer.open("/traces?attribute=note%3D<i>x</i>")
    row = rows(page).first.inner_text()
    assert "<script>alert(1)</script>" in row
    assert "<img src=x>" in row
    assert "<b>9</b>" in row
    page.get_by_label("Service", exact=True).focus()
    expect(page.locator("#services option")).not_to_have_count(0)
    assert page.locator("img").count() == 0


@pytest.mark.parametrize(
    ("query", "said"),
    [("since=5m&until=10m", "“Since” is not before “Until”"), ("since=10m&until=5m", ""),
     ("min_duration=2s&max_duration=1s", "“At least” is more than “At most”"), ("min_duration=1s&max_duration=1s", ""),
     ("min_trace_duration=2s&max_trace_duration=1s", "“Whole trace at least” is more"), ("min_duration=2s", "")],
)  # fmt: skip
def test_a_range_whose_end_is_before_its_beginning_is_said_to_be_reversed(web, query, said):
    text = web.get(f"/traces?{query}").text
    assert ("swap the two" in text) is bool(said)
    assert said in text


def test_nothing_found_says_what_to_do(viewer):
    page = viewer.open("/traces?service=nobody")
    assert "Take a longer range" in page.locator(".empty").inner_text()


@pytest.mark.parametrize(
    ("query", "said"),
    [("min_duration=soon", "is no length of time"), ("attribute=x", "is not key=value"), ("after=x", "start"),
     ("status=broken", "is not")],
)  # fmt: skip
def test_what_is_wrong_is_told(web, query, said):
    answer = web.get(f"/traces?{query}")
    assert answer.status_code in (400, 422)
    assert said in answer.text


@pytest.mark.parametrize(
    "query", ["", "?service=stock&since=1h", "?by=span", "?service=nobody", "?kind=server&error=*"]
)
def test_the_page_is_accessible_and_fits_a_narrow_screen(viewer_of, query):
    for scheme, width in (("light", 1440), ("dark", 390)):
        viewer = viewer_of(width=width, color_scheme=scheme)
        page = viewer.open(f"/traces{query}")
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        assert viewer.complaints() == []


class _Slow:
    """A store whose searches wait until they are let go, and that may break off."""

    def __init__(self, inner, broken=False):
        self._inner, self._broken = inner, broken
        self.go_on = threading.Event()

    def rows(self, sql, bind=None):
        if "FROM spans WHERE" in sql:
            if self._broken:
                raise StoreUnavailable("the disk is full")
            assert self.go_on.wait(60)
        return self._inner.rows(sql, bind)

    def __getattr__(self, name):
        return getattr(self._inner, name)


def test_the_form_comes_before_anything_is_found_and_slow_searches_block_nobody(told):
    slow = _Slow(told.store)
    deps = replace(told, store=slow, turns=Turns())
    with (
        serving(site(create_api(deps), create_web(deps))) as address,
        httpx.Client(base_url=address, timeout=60) as web,
    ):
        ended = []

        def search():
            with httpx.stream("GET", f"{address}/traces", timeout=60) as answer:
                pieces = answer.iter_text()
                first = next(pieces)
                ended.append((first, "".join(pieces)))

        with web.stream("GET", "/traces") as answer:
            first = next(answer.iter_text())
            assert "Find traces" in first
            assert "</html>" not in first
            others = [threading.Thread(target=search) for _ in range(LARGE_AT_ONCE)]
            for each in others:
                each.start()
            assert web.get("/healthz").status_code == 200
            assert httpx.get(f"{address}/preferences-of-nobody").status_code == 404
            slow.go_on.set()
        for each in others:
            each.join(60)
    assert [rest.count("</html>") for _, rest in ended] == [1] * LARGE_AT_ONCE


def test_a_search_that_breaks_off_says_so_below_the_form(told):
    deps = replace(told, store=_Slow(told.store, broken=True))
    with serving(site(create_api(deps), create_web(deps))) as address:
        text = httpx.get(f"{address}/traces?service=stock", timeout=60).text
    assert "The search broke off" in text
    assert "the disk is full" in text
    assert text.count("</html>") == 1


@pytest.mark.parametrize(
    ("query", "kept"),
    [("a=&b=1", "b=1"), ("a= x &b=", "a=x"), ("", ""), ("a=1&a=2", "a=1&a=2"), ("a=%3Cb%3E", "a=%3Cb%3E")],
)
def test_addresses_are_tidied(query, kept):
    assert tidied(query) == kept
    assert tidied(kept) == kept


@given(st.integers(0, 4 * 10**18), st.integers(1, 400 * 86_400 * 10**9))
def test_slots_cover_the_range_with_round_steps(from_ns, length):
    slots = slots_of(from_ns, from_ns + length)
    assert slots.from_ns <= from_ns < slots.from_ns + slots.step_ns
    end_ns = slots.from_ns + slots.count * slots.step_ns
    assert end_ns - slots.step_ns < from_ns + length <= end_ns
    assert 1 <= slots.count <= SLOTS + 2
    assert slots.from_ns % slots.step_ns == 0


def test_the_histogram_counts_failed_ones_apart():
    slots = slots_of(0, 3 * 60 * SLOTS * SECOND)
    counts = [SlotCount(0, 0)] * slots.count
    counts[1], counts[2] = SlotCount(4, 1), SlotCount(2, 2)
    part = counts_part(counts, slots, ZoneInfo("UTC"))
    assert (part.spans, part.failed) == (6, 3)
    assert [bar.tone for bar in part.chart.bars] == ["tone-fine", "tone-bad", "tone-bad"]
    assert [link.told.split(": ")[1] for link in part.slots] == ["4 spans, 1 failed", "2 spans, 2 failed"]


@pytest.mark.parametrize(
    ("asked", "since", "more", "narrowed"),
    [
        pytest.param([], "24h", False, False, id="nothing"),
        pytest.param([("trace", "ab")], "", True, True, id="a trace, whenever"),
        pytest.param([("order", "4711")], "", True, True, id="an order, whenever"),
        pytest.param([("since", "1h"), ("by", "span")], "1h", False, False, id="a range alone"),
        pytest.param([("service", "mes"), ("attribute", "a=b")], "24h", False, True, id="fields"),
    ],
)
def test_the_form_shows_what_was_asked(asked, since, more, narrowed):
    page = search_page(asked, "trace", "24h", SpanFilter())
    assert (page.form["since"], page.more, page.narrowed) == (since, more, narrowed)
