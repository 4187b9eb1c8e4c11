"""The pages of a trace in a browser: waterfall, span, flame graph, comparison; with and without JavaScript."""

from __future__ import annotations

import httpx
import pytest
from playwright.sync_api import expect

from clew.api import create_api
from clew.store.embedded import open_store
from clew.web import create_web, site
from clew.web.pages.trace.context import ROWS
from tests.builders import ingest, logs, record, span, span_hex, stage_event, trace_hex, traces
from tests.serving import serving
from tests.story import tell

HOSTILE = "<script>alert(1)</script>\u202eabc\u200b'\"" + "x" * 2_000
MANY, ODD, PLAIN, LOGS_ONLY, FAILED = 40, 41, 42, 43, 44
SECOND = 10**9


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """The small shop's day, and traces that are large, odd, plain, and without any span."""
    store = open_store(tmp_path_factory.mktemp("traces"))
    deps = tell(store)
    now = deps.now_ns()
    _tell_many(store, now)
    _tell_odd(store, now)
    ingest(
        store,
        now,
        traces("shop-api", span(PLAIN, 1, now - 50 * SECOND, lasts_ms=20, name="POST /orders")),
        logs("shop-api", record("alone", now - 40 * SECOND, trace=LOGS_ONLY)),
    )
    yield deps
    store.close()


@pytest.fixture(scope="module")
def url(told):
    with serving(site(create_api(told), create_web(told))) as address:
        yield address


def _tell_many(store, now):
    """A root with 20 children, each with 20 of its own; the last of all failed."""
    start = now - 100 * SECOND
    spans = [span(MANY, 256, start, lasts_ms=10_000, name="root", order__id="4711")]
    for child in range(20):
        number = 300 + child * 21
        begin = start + child * SECOND // 2
        spans.append(span(MANY, number, begin, lasts_ms=400, name=f"child {child}", parent=256))
        for leaf in range(1, 21):
            bad = (child, leaf) == (19, 20)
            spans.append(
                span(
                    MANY,
                    number + leaf,
                    begin + leaf * 10**7,
                    lasts_ms=5,
                    name=f"leaf {child}-{leaf}",
                    parent=number,
                    status="error" if bad else "unset",
                    **({"error__type": "TimeoutError"} if bad else {}),
                )
            )
    ingest(store, now, traces("shop-api", *spans))


def _tell_odd(store, now):
    start = now - 90 * SECOND
    hostile = span(
        ODD, 3, start + 10**7, lasts_ms=10, name=HOSTILE, parent=1, status="error", error__type="<b>Bad</b>",
        note="<img src=x onerror=alert(1)>", size=2**60, order__id="4711", links=[(MANY, 256), (ODD, 1)],
        events=[("exception", start + 2 * 10**7, {
            "exception.type": "ValueError", "exception.message": "<i>no</i>", "exception.stacktrace": "Traceback:\n  here",
        })],
    )  # fmt: skip
    ingest(
        store,
        now,
        traces("shop-api", span(ODD, 1, start, lasts_ms=100, name="root"), span(ODD, 2, start, name="lost", parent=99), hostile),
        traces("crm-api", span(ODD, 4, start - 10**7, name="early", parent=1), span(ODD, 5, start, name="circle", parent=5)),
        logs("shop-api", record("said <b>this</b>", start + 10**7 + 1, trace=ODD, span=3),
             stage_event("4711", "NOTED", start, trace=ODD, span=1)),
    )  # fmt: skip


def trace(number, query=""):
    return f"/traces/{trace_hex(number)}{query}"


def id_of(number):
    return f"s{span_hex(number)}"


@pytest.fixture
def waterfall(viewer):
    """Opens a trace and waits until its spans are drawn by the script."""

    def open_(number, query=""):
        page = viewer.open(trace(number, query))
        page.wait_for_selector(".tools.ready")
        return page

    return open_


def active(page):
    return page.locator(".row.active:visible b").inner_text()


def test_only_seen_rows_are_in_the_document_and_all_can_be_reached(waterfall):
    page = waterfall(MANY)
    expect(page.get_by_role("treegrid")).to_have_attribute("aria-rowcount", "421")
    assert 10 < page.locator(".row").count() < 80
    page.locator("#rows").focus()
    page.keyboard.press("End")
    assert active(page) == "leaf 19-20"
    assert page.locator(".row").count() < 80
    page.keyboard.press("Home")
    assert active(page) == "root"


def test_rows_stay_where_the_server_put_them(viewer_of):
    slow = viewer_of()
    slow.page.route("**/lines", lambda route: None)
    page = slow.open(trace(MANY))
    before = [page.locator(f"#{id_of(number)}").bounding_box() for number in (256, 300, 301)]
    slow.page.unroute("**/lines")
    page = slow.open(trace(MANY))
    page.wait_for_selector(".tools.ready")
    after = [page.locator(f"#{id_of(number)}").bounding_box() for number in (256, 300, 301)]
    for old, new in zip(before, after, strict=True):
        assert (old["y"], old["height"]) == (new["y"], new["height"]) == (new["y"], 26)


def test_arrows_fold_and_unfold(waterfall):
    page = waterfall(MANY)
    page.locator("#rows").focus()
    page.keyboard.press("ArrowDown")
    assert active(page) == "child 0"
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("treegrid")).to_have_attribute("aria-rowcount", "401")
    expect(page.locator(".row.active")).to_have_attribute("aria-expanded", "false")
    page.keyboard.press("ArrowDown")
    assert active(page) == "child 1"
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("treegrid")).to_have_attribute("aria-rowcount", "421")
    page.keyboard.press("ArrowRight")
    assert active(page) == "leaf 0-1"
    page.keyboard.press("ArrowLeft")
    assert active(page) == "child 0"


def test_search_errors_and_critical_path_are_a_key_away(waterfall):
    page = waterfall(MANY)
    page.locator("#fold-all").click()
    expect(page.get_by_role("treegrid")).to_have_attribute("aria-rowcount", "1")
    page.keyboard.press("/")
    page.keyboard.type("LEAF 7-")
    expect(page.locator("#found")).to_have_text("20 found")
    page.keyboard.press("Enter")
    assert active(page) == "leaf 7-1"
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    assert active(page) == "leaf 7-2"
    page.keyboard.press("e")
    assert active(page) == "leaf 19-20"
    page.keyboard.press("c")
    expect(page.locator("#critical")).to_have_attribute("aria-pressed", "true")
    assert int(page.get_by_role("treegrid").get_attribute("aria-rowcount")) <= 421
    assert page.locator(".row.active").count() == 1


def bar(page, number):
    return page.locator(f"#{id_of(number)} .span-bar")


def test_zoom_by_keys_map_and_drag(waterfall):
    page = waterfall(MANY)
    assert float(bar(page, 256).get_attribute("width")) == 1000
    before = float(bar(page, 300).get_attribute("width"))
    page.keyboard.press("+")
    page.keyboard.press("0")
    assert float(bar(page, 300).get_attribute("width")) == before
    box = page.locator("#map").bounding_box()
    page.mouse.move(box["x"] + 1, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 10, box["y"] + 20, steps=4)
    page.mouse.up()
    assert float(bar(page, 300).get_attribute("width")) > before * 8
    page.keyboard.press("0")
    lane = page.locator(f"#{id_of(300)} .row-lane").bounding_box()
    page.mouse.move(lane["x"] + 1, lane["y"] + 10)
    page.mouse.down()
    page.mouse.move(lane["x"] + lane["width"] / 2, lane["y"] + 10, steps=4)
    page.mouse.up()
    assert before * 1.8 < float(bar(page, 300).get_attribute("width")) < before * 2.2
    assert page.locator("#panel").is_hidden()
    page.locator("#rows").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("z")
    assert 800 < float(bar(page, 300).get_attribute("width")) < 900


def test_a_span_that_cannot_be_fetched_is_told_in_the_panel(waterfall):
    page = waterfall(MANY)
    page.evaluate("() => { window.fetch = () => Promise.reject(new TypeError('gone')); }")
    page.locator("#rows").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#panel").get_by_role("alert")).to_contain_text("Clew doesn't answer")


def test_a_later_page_of_spans_is_taken_over_in_full_height(waterfall):
    page = waterfall(MANY, "?first=420")
    assert page.locator("#rows").bounding_box()["height"] > 500
    assert active(page) == "root"


def test_a_span_opens_beside_and_has_an_address(waterfall):
    page = waterfall(ODD)
    page.locator(f"#{id_of(3)} a").click()
    panel = page.locator("#panel")
    expect(panel.get_by_role("heading", level=2)).to_contain_text("<script>alert(1)</script>")
    assert f"span={span_hex(3)}" in page.url
    for text in ("<img src=x onerror=alert(1)>", str(2**60), "ValueError: <i>no</i>", "Traceback:", "said <b>this</b>",
                 "<b>Bad</b>", "host.name", "tests 1"):  # fmt: skip
        assert text in panel.text_content()
    expect(panel.get_by_role("link", name=f"trace {trace_hex(MANY)[:8]}")).to_have_attribute(
        "href", f"/traces/{trace_hex(MANY)}?span={span_hex(256)}#s{span_hex(256)}"
    )
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    assert "span=" not in page.url


def test_links_are_shown_in_both_directions(waterfall):
    page = waterfall(ODD, f"?span={span_hex(1)}")
    linked = page.locator("#panel .links")
    assert HOSTILE[:20] in linked.inner_text()
    assert "in this trace" in linked.inner_text()
    page.locator("#panel .links a").first.click()
    page.wait_for_selector(".tools.ready")
    assert active(page).startswith("<script>")


def test_an_asked_span_is_open_and_in_view(waterfall):
    page = waterfall(MANY, f"?span={span_hex(300 + 15 * 21 + 3)}")
    expect(page.locator(".row.open")).to_be_in_viewport()
    assert page.locator(".row.open b").inner_text() == "leaf 15-3"
    assert "leaf 15-3" in page.locator("#panel h2").inner_text()


def test_a_failed_span_says_why_it_failed(told, url):
    now = told.now_ns() - 30 * SECOND
    said = span(FAILED, 1, now, status="error", events=[("exception", now, {"exception.message": "of the exception"})])
    said.status.message = "of the <status>"
    thrown = span(
        FAILED, 2, now, parent=1, status="error",
        events=[("retry", now, {}), ("exception", now, {"exception.message": "of the exception " + "x" * 2_000})],
    )  # fmt: skip
    ingest(told.store, now, traces("shop-api", said, thrown, span(FAILED, 3, now, parent=1, status="error")))
    text = httpx.get(f"{url}/traces/{trace_hex(FAILED)}", timeout=60).text
    shown = text[text.index('class="failed-list"') : text.index('id="path-title"')]
    assert "of the &lt;status&gt;</span>" in shown
    assert "of the exception xxx" in shown
    assert "x" * 300 not in shown
    assert shown.count('class="said"') == 2


def test_a_failed_span_is_a_click_away(waterfall):
    page = waterfall(MANY)
    page.locator(".failed-list a").click()
    assert active(page) == "leaf 19-20"
    expect(page.locator("#panel h2")).to_have_text("leaf 19-20")


def test_what_is_odd_is_said_and_marked(waterfall):
    page = waterfall(ODD)
    notes = page.locator(".notes").inner_text()
    for said in (
        "names a parent that is not stored",
        "lead back to themselves",
        "begins up to 10.0 ms before its parent",
    ):
        assert said in notes
    marked = {row.locator("b").inner_text() for row in page.locator(".row:has(.row-mark:visible)").all()}
    assert marked == {"lost", "circle", "early"}


def test_orders_of_a_trace_have_their_verdict(viewer):
    head = viewer.open("/traces/" + trace_hex(1)).locator(".trace-head")
    expect(head.get_by_role("link", name="4711")).to_have_attribute("href", "/orders/4711")
    assert "stuck" in head.inner_text()


def test_the_flame_graph_sums_up_and_leads_to_the_longest(viewer):
    page = viewer.open(trace(MANY, "?view=flame"))
    assert page.locator(".flame a").count() > 10
    assert "child 3" in page.locator("table").inner_text()
    page.locator(".flame a").first.click()
    page.wait_for_url("**span=*")


def test_logs_of_a_trace_lead_to_their_spans(viewer):
    page = viewer.open(trace(ODD, "?view=logs"))
    assert "said <b>this</b>" in page.locator(".logs").inner_text()
    expect(page.get_by_role("link", name="its span").first).to_be_visible()


def test_a_trace_of_logs_alone_has_a_page(viewer):
    page = viewer.open(trace(LOGS_ONLY))
    assert "alone" in page.locator(".logs").inner_text()


def test_two_traces_are_compared(viewer):
    page = viewer.open(f"/traces/compare?a={trace_hex(PLAIN)}&b={trace_hex(1)}")
    assert "longer" in page.locator("h1").inner_text()
    row = page.locator("tr", has_text="POST /orders")
    assert "1 → 1" in row.inner_text()
    assert "only in the second" in page.locator("tr", has_text="INSERT").inner_text()
    page.get_by_role("link", name="Swap").click()
    assert "less" in page.locator("h1").inner_text()


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/traces/" + "ab" * 16, 404, "No trace abab"),
        (f"/traces/{trace_hex(ODD)}/spans/{'cd' * 8}", 404, "No span cdcd"),
        ("/traces/" + "0" * 32, 404, "of all zeros stands for no trace"),
        ("/traces/nonsense", 422, "a trace id has 32 hex digits"),
        (f"/traces/compare?a={trace_hex(ODD)}&b={'ab' * 16}", 404, "No trace abab"),
        (f"/traces/compare?trace={'&trace='.join(trace_hex(each) for each in (1, 2, 3))}", 422, "More than two"),
        (f"/traces/{trace_hex(ODD)}?span={'cd' * 8}", 200, "no span cdcd"),
    ],
)
def test_what_is_not_there_is_told(url, path, status, said):
    answer = httpx.get(url + path)
    assert answer.status_code == status
    assert said.lower() in answer.text.lower()


def test_hostile_texts_of_lines_are_data(url):
    answer = httpx.get(url + trace(ODD, "/lines"))
    assert answer.headers["content-type"] == "application/json"
    assert any(name.startswith("<script>") for name in answer.json()["names"])


def test_without_javascript_spans_turn_by_pages_and_open_by_links(viewer_of):
    page = viewer_of(java_script_enabled=False).open(trace(MANY))
    assert page.locator(".row").count() == ROWS
    page.get_by_role("link", name="After").click()
    assert f"Spans {ROWS + 1} to {2 * ROWS} of 421" in page.locator("#turns").inner_text()
    page.locator(".row a").nth(3).click()
    assert page.locator(".row.open").count() == 1
    assert page.locator("#panel dl").first.is_visible()
    page.get_by_role("link", name="On a page of its own").click()
    assert page.locator("h1").inner_text().startswith("leaf ")
    page.get_by_role("link", name="To its trace").click()
    assert page.locator(".row.open").count() == 1


@pytest.mark.parametrize("path", [trace(ODD, f"?span={span_hex(3)}"), trace(1, "?view=flame"), trace(ODD, "?view=logs"),
                                  f"/traces/{trace_hex(ODD)}/spans/{span_hex(3)}",
                                  f"/traces/compare?a={trace_hex(ODD)}&b={trace_hex(1)}"])  # fmt: skip
def test_pages_of_a_trace_are_accessible_and_fit_a_narrow_screen(viewer_of, path):
    for scheme, width in (("light", 1440), ("dark", 390)):
        viewer = viewer_of(width=width, color_scheme=scheme)
        page = viewer.open(path)
        page.wait_for_load_state("networkidle")
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        assert viewer.complaints() == []


def test_a_trace_with_421_spans_is_light(url):
    answer = httpx.get(url + trace(MANY), headers={"Accept-Encoding": "identity"})
    assert len(answer.content) < 120_000
