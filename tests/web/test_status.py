"""Status of Clew: what it counted lately, what isn't up to date in words, and the page for everybody."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clew.api.status import (
    IngestModel,
    ServiceTelemetryModel,
    StatusModel,
    TableModel,
    TickerModel,
    UnknownStageModel,
    WatchingModel,
    status_model,
)
from clew.store.imports import Import
from clew.web.pages.status.context import status_page
from clew.web.pages.status.recent import SLOT_NS, SLOTS, Recent, Sample, levels, rates
from tests.web.pages import HOSTILE, rendered

NOON = 1_795_348_800 * 10**9
SECOND = 10**9


def requests(*at: tuple[float, int]) -> list[Sample]:
    """Samples of a counter at so many seconds before noon."""
    return [Sample(NOON - round(ago * SECOND), requests=count) for ago, count in at]


@pytest.mark.parametrize(
    ("samples", "last"),
    [
        pytest.param([], [None, None], id="nothing was sampled"),
        pytest.param([(0, 7)], [None, None], id="one sample has no rate"),
        pytest.param([(5, 100), (0, 150)], [None, 10.0], id="fifty in five seconds"),
        pytest.param([(10, 100), (5, 100), (0, 150)], [0.0, 10.0], id="nothing, then fifty"),
        pytest.param([(90, 100), (0, 150)], [None, None], id="too long ago to be a rate of now"),
        pytest.param([(10, 100), (5, 0), (0, 5)], [0.0, 1.0], id="a counter that began anew"),
    ],
)
def test_rates_are_those_between_samples_and_gaps_where_nobody_looked(samples, last):
    assert rates(requests(*samples), lambda each: each.requests, NOON)[-2:] == last


def test_levels_are_the_last_ones_of_their_slots():
    samples = [Sample(NOON - 6 * SECOND, waiting=5), Sample(NOON - SECOND, waiting=9)]
    assert levels(samples, lambda each: each.waiting, NOON)[-3:] == [None, 5.0, 9.0]


@given(st.lists(st.integers(0, 400), max_size=30))
def test_there_is_one_value_for_each_slot_whatever_was_sampled(seconds):
    samples = requests(*((ago, 400 - ago) for ago in sorted(seconds, reverse=True)))
    found = rates(samples, lambda each: each.requests, NOON)
    assert len(found) == len(levels(samples, lambda each: each.requests, NOON)) == SLOTS
    assert all(value is None or 0 <= value <= 1.0001 for value in found)


def test_the_ring_keeps_the_latest_samples_one_a_second():
    recent = Recent()
    for half in range(4 * SLOTS * SLOT_NS // SECOND):
        recent.add(Sample(NOON + half * SECOND // 2))
    kept = recent.samples
    assert SLOTS * SLOT_NS // SECOND < len(kept) < 2 * SLOTS * SLOT_NS // SECOND
    assert all(b.at_ns - a.at_ns == SECOND for a, b in pairwise(kept))


def status(**changes) -> StatusModel:
    given = {
        "version": "0.1.0", "python": "3.11.7", "engine": "26.9", "started_at": "2026-11-22T10:00:00.000000000Z",
        "now": "2026-11-22T12:00:00.000000000Z", "problem": None, "upkeep_problem": None,
        "ingest": IngestModel(requests=9, refused=0, bytes=5000, flushes=3, busy_s=1, waiting_bytes=0,
                              waiting_bytes_peak=4000),
        "ticker": TickerModel(ticks=5, orders=7, busy_s=1, lag_s=1.5),
        "flows": [], "tables": [TableModel(name="spans", rows=9, bytes=800), TableModel(name="orders", rows=1, bytes=200)],
        "orders_without_stage": 0, "unknown_stages": [], "services": {},
    }  # fmt: skip
    return StatusModel(**{**given, **changes})


def page(model: StatusModel, imports=(), samples=()):
    return status_page(model, samples, imports, NOON - 7_200 * SECOND, NOON)


@pytest.mark.parametrize(
    ("changes", "problems", "late", "said"),
    [
        ({}, (), False, "All is well"),
        ({"ticker": None}, (), False, "Not known"),
        ({"ingest": None}, (), False, "Not known"),
        ({"problem": "the disk is full"}, ("the disk is full",), False, "the disk is full"),
        ({"upkeep_problem": "no room"}, ("no room",), False, "no room"),
        ({"ticker": TickerModel(ticks=5, orders=7, busy_s=1, lag_s=40)}, (), True, "Journeys are behind"),
    ],
)
def test_what_is_wrong_is_said_first_and_in_words(changes, problems, late, said):
    shown = page(status(**changes))
    assert (shown.problems, shown.late) == (problems, late)
    html = rendered("status/status.html", shown, NOON)
    assert said in html
    assert ("All is well" in html) == (said == "All is well")


def test_refusals_are_said_with_what_to_do():
    ingest = IngestModel(requests=9, refused=3, bytes=1, flushes=1, busy_s=1, waiting_bytes=0, waiting_bytes_peak=0)
    assert "otlp.memory" in rendered("status/status.html", page(status(ingest=ingest)), NOON)


def test_gauges_tell_what_moves_and_without_a_receiver_only_the_rest():
    samples = [Sample(NOON - 5 * SECOND), Sample(NOON, requests=50, bytes=5_000_000)]
    shown = {each.key: each.value for each in page(status(), samples=samples).gauges}
    assert shown == {
        "requests": "10/s", "bytes": "1.0 MB/s", "refused": "0/s", "waiting": "0 B", "orders": "0/s", "lag": "1.50 s",
    }  # fmt: skip
    assert [each.key for each in page(status(ingest=None)).gauges] == ["orders", "lag"]
    assert page(status(ingest=None, ticker=None)).gauges == ()


def test_storage_is_told_the_largest_first_with_its_sum():
    shown = page(status())
    assert [(each.name, each.share) for each in shown.tables] == [("spans", 1.0), ("orders", 0.25)]
    assert (shown.bytes, shown.rows, shown.uptime_ns) == (1000, 10, 7_200 * SECOND)


@pytest.mark.parametrize(("orders", "share"), [(0, None), (200, 0.25), (40, 1.0)])
def test_imports_tell_how_far_they_are(orders, share):
    (line,) = page(status(), [Import(1, "march.csv", "jeweller", orders=orders, rebuilt=50)]).imports
    assert line.share == share


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_shown_as_text(name):
    model = status(
        services={name: ServiceTelemetryModel(
            spans=1, spans_with_order=1, logs=1, stage_events=1, last_seen_at="2026-11-22T12:00:00.000000000Z")},
        unknown_stages=[UnknownStageModel(flow=name, stage=name, orders=1, services=[name])],
        orders_without_stage=2,
    )  # fmt: skip
    html = rendered("status/status.html", page(model, [Import(1, name, name)]), NOON)
    assert "<script>alert" not in html
    assert "<img src=x" not in html
    assert "2 open orders" in html


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "25 rules</a>, all of them look"),
        ({"failing": {"stuck": "the store is away"}}, "stuck</a> can't look: the store is away"),
        ({"failing": {"stuck": "away"}}, 'href="/rules">All 25 rules'),
        ({"unwatched": "rules don't watch: no room"}, "watch: no room. They try again"),
        ({"unwatched": "rules don't watch: no room"}, 'href="/rules">All 25 rules'),
        ({"untold": "nobody is told: no room"}, "Nobody is told: no room. What there is"),
        ({"rules": 0}, "None watches"),
        ({"catching_up": "rules wait, as Clew was down"}, "Rules wait, as Clew was down."),
        ({}, "2 channels, none in trouble"),
        ({"troubles": {"slack": "no answer"}}, "clew notify test slack"),
        ({"channels": 0}, "nobody is told of incidents but who looks"),
        ({}, "none waits"),
        ({"waiting": 2}, "2 notices wait"),
        ({"waiting": None}, "the control database can't be read"),
        ({}, "nobody outside hears"),
        ({"heartbeat": ""}, "the external switch is told"),
        ({"heartbeat": "it answered 500"}, "isn't told: it answered 500"),
        ({"reactions_stopped_by": "ann"}, "stopped by ann: none begins"),
    ],
)
def test_how_watching_does_is_said_with_the_mend(changes, said):
    given = {"rules": 25, "channels": 2, "troubles": {}, "reactions_stopped_by": None, "waiting": 0}
    assert said in rendered("status/status.html", page(status(watching=WatchingModel(**given | changes))), NOON)


def test_what_is_not_so_of_rules_and_channels_is_not_said():
    watching = WatchingModel(
        rules=3, channels=2, troubles={}, reactions_stopped_by=None, unwatched="no room", untold="no room"
    )
    html = rendered("status/status.html", page(status(watching=watching)), NOON)
    assert "all of them look" not in html
    assert "none in trouble" not in html


def test_that_nobody_watches_is_said():
    assert "Nobody watches here" in rendered("status/status.html", page(status()), NOON)


def test_what_costs_more_is_not_read_when_a_page_renews_itself(told):
    whole, short = status_model(told), status_model(told, whole=False)
    assert whole.services
    assert (short.services, short.unknown_stages) == ({}, [])
    assert short.tables == whole.tables


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_the_page_has_no_barriers_and_does_not_scroll_sideways(viewer_of, theme, width):
    viewer = viewer_of(width, color_scheme=theme)
    shown = viewer.open("/status")
    assert viewer.complaints() == []
    assert shown.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_without_scripts_it_says_all_and_a_service_leads_to_its_page(viewer_of):
    shown = viewer_of(java_script_enabled=False).open("/status")
    assert "takes no telemetry" in shown.inner_text("main")
    shown.get_by_role("link", name="shop-api").click()
    assert shown.inner_text("h1") == "shop-api"
