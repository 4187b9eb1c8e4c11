"""The views of the flow in a browser and without one: every number has its table and file, and works without a script."""

from __future__ import annotations

import csv
import html
import io
import re

import httpx
import pytest

from clew.api import create_api
from clew.store.embedded import open_store
from clew.web import create_web, rendering, site, words
from clew.web.pages.flow.reads import READS
from clew.web.pages.flow.views import VIEWS
from tests.serving import serving
from tests.web.flow_shop import ODD, tell_flows
from tests.web.test_contexts import wrong_types

STEP = "step?before=MANUFACTURING_STARTED&after=MANUFACTURING_COMPLETED"
ALL = [*VIEWS, STEP]
# Views with pictures of their own; the others have nothing that isn't in one of these.
DRAWN = ("map", "funnel", "variants", "dwell", "heatmap", "dots", "wip")


@pytest.fixture(scope="module")
def deps(tmp_path_factory):
    store = open_store(tmp_path_factory.mktemp("flow-page"))
    yield tell_flows(store)
    store.close()


@pytest.fixture(scope="module")
def url(deps):
    with serving(site(create_api(deps), create_web(deps))) as address:
        yield address


@pytest.fixture(scope="module")
def web(url):
    with httpx.Client(base_url=url, timeout=60, cookies={"clew_zone": "Europe/Berlin"}) as client:
        yield client


def text_of(answer):
    assert answer.status_code == 200, answer.text[:2_000]
    return html.unescape(re.sub(r"<[^>]+>", " ", answer.text))


@pytest.fixture
def shown(monkeypatch):
    """The contexts that pages are rendered with."""
    seen, real = [], rendering.Pages.answer

    def answer(self, request, template, page, *args, **kwargs):
        seen.append(page)
        return real(self, request, template, page, *args, **kwargs)

    monkeypatch.setattr(rendering.Pages, "answer", answer)
    return seen


def test_every_view_is_read_in_its_own_way():
    assert READS.keys() == {*VIEWS, "step"}


@pytest.mark.parametrize("view", ALL)
def test_every_view_answers_any_question_with_what_its_context_documents(web, shown, view):
    for asked in ("", "path=b2b&against_path=b2c", "from=9d&against=previous", "flow=odd", "path=nowhere"):
        answer = web.get(f"/flow/{view}{'&' if '?' in view else '?'}{asked}")
        assert answer.status_code == 200, (asked, text_of(answer)[:2_000])
        assert "<h1>" in answer.text
        assert len(answer.content) < 250_000
    assert len(shown) == 5
    assert [each for page in shown for each in wrong_types(page, type(page))] == []


@pytest.mark.parametrize("view", [name for name, view in VIEWS.items() if view.report])
def test_every_view_has_its_numbers_as_a_file(web, view):
    page = web.get(f"/flow/{view}?path=b2c&from=all").text
    hrefs = [html.unescape(each) for each in re.findall(r'href="(/api/v1/[^"]+)"', page)]
    assert hrefs
    for href in hrefs:
        answer = web.get(href)
        assert answer.status_code == 200, answer.text
        if "format=csv" in href:
            assert len(list(csv.reader(io.StringIO(answer.text)))) > 1
        else:
            assert answer.json().get("asked", {"path": "b2c"})["path"] == "b2c"


def test_the_first_view_is_the_process_map(web):
    told = text_of(web.get("/flow?from=all&min_share=0"))
    assert "4 orders , 28 stages entered, 1 still open" in told
    assert "1 step the flow doesn't allow" in told
    assert "repeated" in told


def test_rare_steps_are_hidden_and_counted(web):
    told = text_of(web.get("/flow/map?min_share=0.5"))
    assert "3 rarer steps hidden, taken 3 times" in told


def test_each_deviation_leads_to_its_orders(web, shown):
    page = web.get("/flow/conformance?from=all&path=b2c").text
    (rows,) = (side.rows for side in shown.pop().sides)
    assert rows
    for row in rows:
        assert html.escape(row.href) in page
        assert web.get(row.href).status_code == 200
        assert shown.pop().total == row.orders
    assert page.count(html.escape(rows[0].href)) == 2  # beside its bar, and in the table


def test_a_step_lists_its_orders(web):
    told = text_of(web.get(f"/flow/{STEP}"))
    assert "3 times in 2 orders" in told.replace("  ", " ")
    assert 'href="/orders/2"' in web.get(f"/flow/{STEP}").text


def test_a_stage_leads_to_the_orders_in_it(web):
    assert 'href="/?flow=jeweller&amp;stage=SUBMITTED"' in web.get("/flow/map?min_share=0").text


def test_nothing_found_says_why_and_what_to_do(web):
    told = text_of(web.get("/flow/map?path=nowhere"))
    assert "No order has the path nowhere; known are" in told
    assert "No orders here" in told
    assert "Look at all time" in told


def test_a_flow_that_nobody_declared_says_what_to_do(web):
    for view in ("map", "declared", "diff"):
        assert "clew flow discover" in text_of(web.get(f"/flow/{view}?flow=odd"))


@pytest.mark.parametrize(
    ("path", "status", "told"),
    [
        ("/flow/nothing", 404, "There is no view nothing of the flow"),
        ("/flow/map?from=yesterday", 422, "'yesterday' is no moment"),
        ("/flow/map?show=colours", 422, "the map can't show colours"),
        ("/flow/map?min_share=lots", 422, "'lots' is no share"),
        ("/flow/map?min_share=nan", 422, "'nan' is no share"),
        ("/flow/dots?orders=5000", 422, "'5000' is no number of orders"),
        ("/flow/step?before=A", 422, "A step needs the stage before and the stage after"),
        ("/flow/map?flow=nothing", 404, "No order follows a flow nothing"),
        ("/flow/map?from=all&against=previous", 422, "nothing before a range without a begin"),
        ("/flow/wip?from=1971-01-01", 422, "are more than the 4,000"),
    ],
)
def test_what_cannot_be_shown_is_told_with_the_mend(web, path, status, told):
    answer = web.get(path)
    assert answer.status_code == status
    assert told.casefold() in html.unescape(answer.text).casefold()


def test_what_a_form_leaves_empty_is_not_asked_for(web):
    empty = "flow=&path=&from=&to=&against=&against_path=&attribute=&flow_version=&against_from=&against_to=&by=started"
    assert "4 orders" in text_of(web.get(f"/flow/map?{empty}"))


def test_hostile_names_are_shown_as_text(web, viewer):
    page = viewer.open("/flow/map?flow=odd&from=all&min_share=0")
    assert "taken" not in page.title()
    assert page.locator("svg.flow-map a.stage").count() == len(ODD)
    for view in ("variants", "funnel", "dots", "heatmap", "dwell"):
        assert ODD[0] not in web.get(f"/flow/{view}?flow=odd&from=all").text
        viewer.open(f"/flow/{view}?flow=odd&from=all")
        assert "taken" not in page.title()


def test_every_view_is_accessible_in_both_themes(viewer):
    for view in ALL:
        page = viewer.open(f"/flow/{view}")
        for scheme in ("light", "dark") if view in DRAWN else ("light",):
            page.emulate_media(color_scheme=scheme)
            assert (view, scheme, viewer.complaints()) == (view, scheme, [])


def test_no_view_scrolls_sideways_on_a_phone_and_none_needs_a_script(viewer_of):
    viewer = viewer_of(width=390, height=800, java_script_enabled=False)
    for view in [*ALL, "dwell?path=b2c&against_path=b2b", "map?path=b2c&against_path=b2b"]:
        page = viewer.open(f"/flow/{view}")
        assert (view, page.evaluate("document.documentElement.scrollWidth")) == (view, 390)
    page.locator("select[name=path]").select_option("b2b")
    page.get_by_role("button", name="Show").click()
    assert "path=b2b" in page.url
    page.locator("summary", has_text="Steps").click()
    assert page.get_by_role("rowheader", name="PRICE_CALCULATED").count()


def test_the_slider_hides_steps_at_once_and_draws_the_map_anew(viewer):
    page = viewer.open("/flow/map?min_share=0")
    steps = page.locator("svg.flow-map a.edge-label")
    before = steps.count()
    slider = page.get_by_label("Hide steps in fewer than")
    slider.evaluate("each => { each.value = 0.3; each.dispatchEvent(new Event('input')) }")
    assert page.locator("svg.flow-map a.edge-label.rare").count() == 3
    assert page.locator("#min-share-told").inner_text() == "30 %"
    slider.evaluate("each => each.dispatchEvent(new Event('change'))")
    page.get_by_text("3 rarer steps hidden").wait_for()
    assert steps.count() == before - 3
    assert "min_share=0.3" in page.url


def test_the_slider_says_shares_as_the_server_does(viewer):
    page = viewer.open("/flow/map?min_share=0")
    shares = [number / 200 for number in range(201)] + [0.0004, 0.0025, 0.0035, 0.9949, 0.9951, 0.99949, 0.99995]
    told = page.evaluate(
        """async (shares) => {
          const { inWords } = await import(document.querySelector("script[src$='/flow.js']").src);
          return shares.map(inWords);
        }""",
        shares,
    )
    assert told == [words.share(each) for each in shares]


def test_a_step_is_reached_by_keyboard(viewer):
    page = viewer.open("/flow/map?min_share=0")
    page.locator("svg.flow-map a.edge-label").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/flow/step?**")
    assert "→" in page.locator("h1").inner_text()
