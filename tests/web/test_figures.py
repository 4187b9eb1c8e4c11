"""Key figures: what they are worked out of, how two weeks compare, and the page for people with and without scripts."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import httpx
import pytest

from clew.api.errors import ApiError
from clew.flow import default_flow
from clew.notify.figures import Figure, Figures
from clew.store.minutes import MINUTE_NS, Counts, Window, Work
from clew.store.order_figures import StageTime, orders_closed, stage_failures, stage_times
from clew.web.pages.figures.asked import Asked, Handled, Orders
from clew.web.pages.figures.context import figures_page
from clew.web.pages.figures.measures import MEASURES, Minutes, Value, change
from clew.web.time_range import time_range
from tests.builders import ingest, span, traces
from tests.web.pages import rendered

NOON = 1_795_348_800 * 10**9
HOUR = 60 * MINUTE_NS
UTC = ZoneInfo("UTC")
DAY = 24 * HOUR
MEASURE = {each.key: each for each in MEASURES}
NONE = Value(None)


def minutes(*slots: dict[Work, Counts], durations=()) -> Minutes:
    """What was counted in slots of ten minutes."""
    window = Window(NOON, 10 * MINUTE_NS, len(slots))
    return Minutes(window, list(slots), list(durations) or [{} for _ in slots])


def served(spans: int, **counts: int) -> dict[Work, Counts]:
    return {Work.SERVER: Counts(spans, minutes=10, **counts)}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("throughput", 10.0), ("success", 0.98), ("availability", 0.75), ("http_500", 3), ("retries", 5), ("timeouts", 2),
    ],
)  # fmt: skip
def test_a_figure_is_that_of_all_slots_together(key, value):
    told = minutes(
        served(100, errors=4, up=5, http_500=3, retries=1),
        served(100, up=10, timeouts=2) | {Work.CLIENT: Counts(500, errors=500, http_500=9, retries=4)},
    )
    assert MEASURE[key].whole(told).value == value


def test_quantiles_are_those_of_all_slots_and_not_a_mean_of_their_own():
    told = minutes(served(99), served(1), durations=[{320: 99}, {480: 1}])
    assert [MEASURE[key].whole(told).value for key in ("p50", "p95", "p99")] == [round(2 ** (320.5 / 16))] * 3
    assert MEASURE["p99"].by_slot(told)[1] == round(2 ** (480.5 / 16))


@pytest.mark.parametrize("key", [key for key in MEASURE if key != "throughput"])
def test_slots_without_spans_are_gaps_and_not_zero(key):
    assert MEASURE[key].by_slot(minutes({}, {})) == [None, None]


def test_minutes_without_requests_say_nothing_about_availability():
    assert MEASURE["availability"].whole(minutes({Work.CLIENT: Counts(5, minutes=1, up=1)})).value is None


@pytest.mark.parametrize(
    ("key", "now", "before", "text", "tone"),
    [
        ("http_500", Value(3, 100, 3), NONE, "no data then", "none"),
        ("http_500", NONE, Value(3, 100, 3), "no data now", "none"),
        ("http_500", Value(0, 9, 0), Value(0, 9, 0), "about the same", "alike"),
        ("http_500", Value(3, 100, 3), Value(1, 100, 1), "about the same", "alike"),
        ("http_500", Value(30, 900, 30), Value(10, 900, 10), "+200%", "worse"),
        ("http_500", Value(10, 900, 10), Value(30, 900, 30), "-67%", "better"),
        ("http_500", Value(9, 900, 9), Value(0, 900, 0), "+9", "worse"),
        ("http_500", Value(400, 900, 400), Value(10, 900, 10), "40 times", "worse"),
        ("throughput", Value(20.0, 2000, 2000), Value(10.0, 1000, 1000), "+100%", "alike"),
        ("success", Value(0.9, 10, 9), Value(1.0, 900, 900), "too few to compare (10 of 20)", "none"),
        ("success", Value(0.99, 900, 891), Value(0.985, 900, 887), "about the same", "alike"),
        ("success", Value(0.9, 900, 810), Value(0.99, 900, 891), "-9.0 points", "worse"),
        ("success", Value(0.9999, 10**6, 999_900), Value(0.9995, 10**6, 999_500), "+0.04 points", "better"),
        ("p50", Value(103.0, 900), Value(100.0, 900), "about the same", "alike"),
        ("p50", Value(200.0, 900), Value(100.0, 900), "+100%", "worse"),
        ("p95", Value(200.0, 90), Value(100.0, 900), "too few to compare (90 of 100)", "none"),
        ("p99", Value(200.0, 499), Value(100.0, 900), "too few to compare (499 of 500)", "none"),
        ("p99", Value(50.0, 500), Value(100.0, 900), "-50%", "better"),
    ],
)
def test_a_change_is_called_one_only_where_it_is_more_than_chance(key, now, before, text, tone):
    found = change(MEASURE[key], now, before)
    assert (found.text, found.tone) == (text, tone)


@pytest.mark.parametrize(
    ("asked", "slots", "length", "earlier"),
    [
        ({}, 96, DAY, 7 * DAY), ({"range": "1h"}, 60, HOUR, 7 * DAY), ({"range": "7d"}, 84, 7 * DAY, 7 * DAY),
        ({"range": "28d"}, 112, 28 * DAY, 28 * DAY),
    ],
)  # fmt: skip
def test_a_range_ends_now_and_is_compared_with_the_same_span_earlier(asked, slots, length, earlier):
    chosen = time_range(asked, NOON + 7, UTC)
    assert (chosen.window.slots, chosen.window.until_ns) == (slots, NOON + MINUTE_NS)
    assert chosen.window.until_ns - chosen.window.since_ns == length
    assert chosen.window.since_ns - chosen.earlier.since_ns == earlier


@pytest.mark.parametrize(
    ("now_ns", "ends_ns", "last"),
    [
        (NOON, NOON, 1.0), (NOON + 1, NOON + MINUTE_NS, 1 / 6), (NOON + MINUTE_NS // 2, NOON + MINUTE_NS, 0.5),
        (NOON + MINUTE_NS, NOON + MINUTE_NS, 1.0),
    ],
)  # fmt: skip
def test_the_minute_that_runs_counts_as_far_as_it_has_passed(now_ns, ends_ns, last):
    chosen = time_range({"range": "1h"}, now_ns, UTC)
    assert chosen.window.until_ns == ends_ns
    assert chosen.window.slot_minutes(59) == last
    assert chosen.window.slot_minutes(58) == 1
    assert chosen.minutes == pytest.approx(60 - (ends_ns - now_ns) / MINUTE_NS)
    assert chosen.earlier.minutes == 60


def test_rates_divide_by_the_time_that_has_passed():
    window = replace(time_range({"range": "1h"}, NOON + MINUTE_NS // 2, UTC).window, since_ns=NOON, slots=1)
    told = Minutes(window, [{Work.SERVER: Counts(spans=30)}], [{}])
    assert MEASURE["throughput"].whole(told).value == 60
    assert MEASURE["throughput"].by_slot(told) == [60]


def test_a_range_may_end_at_any_moment_and_unknown_ones_are_told():
    assert time_range({"to": "2026-11-20T10:00:30Z"}, NOON, UTC).window.until_ns % DAY == 10 * HOUR
    for asked in ({"range": "3y"}, {"to": "yesterday"}):
        with pytest.raises(ApiError) as told:
            time_range(asked, NOON, UTC)
        assert told.value.status == 422


@pytest.mark.parametrize(
    ("to", "hour"),
    [("2026-11-20 10:00:30", 9), ("2026-11-20T10:00:30.5", 9), ("2026-07-20 10:00", 8), ("2026-11-20T10:00Z", 10)],
)
def test_a_range_ends_at_a_moment_as_the_viewers_clock_shows_it(to, hour):
    chosen = time_range({"to": to}, NOON, ZoneInfo("Europe/Berlin"))
    assert chosen.window.until_ns % DAY == hour * HOUR


def page(
    now: Minutes, before: Minutes, orders: Orders | None = None, service: str = "", handled: Handled | None = None
):
    asked = Asked(time_range({"range": "1h"}, NOON, UTC), service, default_flow(), "", UTC)
    nothing = Orders(([0] * 60, [0] * 60), ({}, {}), ({}, {}))
    return figures_page(asked, now, before, orders or nothing, handled, ["shop"], ["jeweller"])


@pytest.mark.parametrize(
    ("resolve", "was", "said"),
    [
        (Figure(3, HOUR, 2 * HOUR), Figure(1, 2 * HOUR, 2 * HOUR),
         ["1 h</a>", "median of 3, nine of ten within 2 h", "median was 2 h"]),
        (Figure(0), Figure(1, 2 * HOUR, 2 * HOUR), ["no data", "median was 2 h"]),
        (Figure(1, HOUR, HOUR), Figure(0), ["1 h</a>", "median of 1, nine of ten within 1 h</p>"]),
    ],
)  # fmt: skip
def test_the_time_to_resolve_incidents_is_told_for_the_range_and_before(resolve, was, said):
    handled = Handled(Figures(Figure(0), Figure(0), resolve), Figures(Figure(0), Figure(0), was))
    shown = page(minutes({}), minutes({}), handled=handled)
    assert [each.name[-6:] for each in shown.incidents] == ["(MTTR)", "(MTTA)", "(MTTD)"]
    html = " ".join(rendered("figures/figures.html", shown, NOON).split())
    assert all(words in html for words in said)


def test_where_nobody_watches_no_time_of_incidents_is_told():
    assert "MTTR" not in rendered("figures/figures.html", page(minutes({}), minutes({})), NOON)


def test_figures_lead_to_the_spans_behind_them():
    shown = {each.key: each for each in page(minutes(served(100, http_500=3)), minutes({}), service="shop").figures}
    asked = parse_qs(urlsplit(shown["http_500"].href).query)
    assert asked["attribute"] == ["http.response.status_code=500"]
    assert (asked["service"], asked["kind"], asked["by"]) == (["shop"], ["server"], ["span"])
    assert "not http.status_code" in shown["http_500"].said
    assert "the link finds server spans" in shown["success"].said
    assert shown["timeouts"].href == ""
    assert (shown["availability"].value, shown["availability"].thin) == ("0 %", "of 10 only")


def test_without_any_data_every_figure_is_grey_and_none_is_zero():
    shown = page(minutes({}), minutes({}))
    assert {each.value for each in shown.figures} == {"no data"}
    assert all(each.empty and each.tone == "none" for each in shown.figures)
    assert not shown.had_before
    assert shown.requests.empty
    assert shown.latency.empty


def test_stages_are_told_in_the_order_of_the_flow_with_what_they_were():
    orders = Orders(
        ([1] * 60, [0] * 60),
        ({"SHIPPED": StageTime(30, 5, 9), "SUBMITTED": StageTime(3, 5, 9)}, {"SUBMITTED": StageTime(40, 4, 8)}),
        ({"PRICE_CALCULATED": 2}, {"SUBMITTED": 7}),
    )
    shown = page(minutes({}), minutes({}), orders)
    rows = [(each.stage, each.n, each.median_ns, each.was_median_ns, each.failed, each.was_failed, each.thin)
            for each in shown.stages]  # fmt: skip
    assert rows == [
        ("SUBMITTED", 3, 5, 4, 0, 7, True),
        ("PRICE_CALCULATED", 0, None, None, 2, 0, False),
        ("SHIPPED", 30, 5, None, 0, 0, False),
    ]
    closed = shown.figures[-1]
    assert (closed.title, closed.value, closed.change) == ("Orders closed", "60", "+60")


def test_figures_of_orders_are_those_of_the_story(told):
    store, flow = told.store, default_flow().name
    window = Window(told.now_ns() - 6 * HOUR, HOUR, 6)
    assert orders_closed(store, window, flow) == [0, 0, 1, 0, 0, 0]
    times = stage_times(store, window, flow)
    assert times["MANUFACTURING_STARTED"] == StageTime(2, 10 * MINUTE_NS, 10 * MINUTE_NS)
    assert stage_failures(store, window, flow) == {"PRICE_CALCULATED": 1}
    assert stage_times(store, window.earlier(7 * DAY), flow) == {}


def test_what_was_just_sent_is_known_at_once(told, url):
    now_ns = told.now_ns()
    ingest(told.store, now_ns, traces("newcomer", span(987_654, 1, now_ns)))
    for path in ("/services?range=1h", "/services/newcomer", "/figures?service=newcomer"):
        answer = httpx.get(url + path, timeout=60)
        assert answer.status_code == 200
        assert "newcomer" in answer.text


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_the_page_has_no_barriers_and_does_not_scroll_sideways(viewer_of, theme, width):
    viewer = viewer_of(width, color_scheme=theme)
    shown = viewer.open("/figures?range=6h")
    assert viewer.complaints() == []
    assert shown.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_without_scripts_a_service_is_chosen_by_a_form_and_its_address_tells_so(viewer_of):
    viewer = viewer_of(java_script_enabled=False)
    shown = viewer.open("/figures?range=6h")
    assert "HTTP 500" in shown.inner_text("main")
    shown.get_by_label("Service").select_option("shop-api")
    shown.get_by_role("button", name="Show").click()
    assert parse_qs(urlsplit(shown.url).query) == {"range": ["6h"], "service": ["shop-api"]}
    assert shown.inner_text("h1") == "Key figures of shop-api"
    shown.get_by_role("link", name="7 days").click()
    assert parse_qs(urlsplit(shown.url).query) == {"range": ["7d"], "service": ["shop-api"]}


def test_an_unknown_service_and_range_are_told_with_the_mend(viewer):
    assert "ran in this time" in viewer.open("/figures?service=%3Cscript%3E", 404).inner_text("h1")
    assert "no range" in viewer.open("/figures?range=9y", 422).inner_text("h1")
