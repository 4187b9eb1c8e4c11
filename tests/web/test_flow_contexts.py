"""What the views of the flow show, made from reports: no store, no browser."""

from __future__ import annotations

from datetime import date
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import pytest

from clew.api.asked import Asked
from clew.api.flows import AcceptanceModel
from clew.api.report_models import (
    ArrivalsModel,
    AskedModel,
    ConformanceModel,
    DayModel,
    DeviationCountModel,
    FunnelModel,
    MapEdgeModel,
    MapModel,
    PathFunnelModel,
    StepModel,
    VariantModel,
    VariantsModel,
)
from clew.report.filter import By, ReportFilter
from clew.web.pages.flow.asked import joined, query_of, with_defaults
from clew.web.pages.flow.conformance_context import conformance_page
from clew.web.pages.flow.days_context import arrivals_page
from clew.web.pages.flow.filters_context import Chosen, filters_of
from clew.web.pages.flow.links import pairs_of, stage_href, step_href
from clew.web.pages.flow.map_context import map_page
from clew.web.pages.flow.table_context import table_of
from clew.web.pages.flow.views import VIEWS
from clew.web.pages.flow.ways_context import funnel_page, variants_page
from tests.report.histories import shop_flow

BERLIN = ZoneInfo("Europe/Berlin")
DAY = 86_400 * 10**9
ASKED = AskedModel(flow="shop", from_at=None, to_at=None, path="", attributes={}, flow_version=None, by="started")
PLAIN = Asked("shop", "30d", "", "", (), None, "", "")


def filters(view="map", pairs=(), **asked):
    written = Asked(**{**{name: getattr(PLAIN, name) for name in PLAIN.__slots__}, **asked})
    picked = ReportFilter(
        "shop", from_ns=DAY, path=written.path, attributes=tuple(e.split("=") for e in written.attributes)
    )
    chosen = Chosen(tuple(pairs), written, picked, None, "orders", ("shop",), ("p", "q"))
    return filters_of(VIEWS[view], chosen, BERLIN)


@pytest.mark.parametrize(
    ("from_", "to", "begin"),
    [("", "", "30d"), ("all", "", ""), ("7d", "", "7d"), ("", "2026-10-01T00:00:00Z", ""), ("all", "1d", "")],
)
def test_the_last_30_days_count_unless_another_range_is_asked_for(from_, to, begin):
    assert with_defaults(Asked("", from_, to, "", (), None, "", ""), BERLIN).from_ == begin


def test_the_two_ends_of_a_range_to_compare_with_are_one_parameter():
    assert joined([("against_from", "60d"), ("against_to", " 30d ")]) == "60d..30d"
    assert joined([("against_from", "60d")]) == ""
    compared = with_defaults(Asked("", "1d", "", "", (), None, "2026-10-01..2026-10-02", ""), BERLIN)
    assert compared.against == "2026-10-01T00:00:00+02:00..2026-10-02T00:00:00+02:00"


def test_links_to_files_ask_for_the_same():
    asked = Asked("a b", "7d", "", "p&q", ("country=de",), 3, "previous", "", By.ENDED)
    assert query_of(asked, zone="UTC") == (
        "flow=a+b&from=7d&by=ended&path=p%26q&attribute=country%3Dde&flow_version=3&against=previous&zone=UTC"
    )


def test_filters_say_which_orders_count_and_go_along_to_other_views():
    found = filters(pairs=[("path", "p"), ("min_share", "0.1"), ("from", "7d")], path="p", attributes=("country=de",))
    assert found.told == (
        "Orders of flow shop, path p, country = de that started from 1970-01-02 01:00:00 until now (Europe/Berlin)"
    )
    links = {link.label: link for _, links in found.groups for link in links}
    assert links["Funnel"].href == "/flow/funnel?path=p&from=7d"
    assert [link.label for link in links.values() if link.current] == ["Process map"]
    assert [(link.label, link.current) for link in found.ranges][:2] == [("24 hours", False), ("7 days", True)]
    assert found.csv == ("/api/v1/reports/map?flow=shop&from=30d&by=started&path=p&attribute=country%3Dde&format=csv")
    assert found.narrowed
    assert not filters().narrowed


def test_reports_by_day_have_no_choice_of_the_moment():
    found = filters("wip")
    assert (found.by, "by=" in found.csv) == ("", False)


def edge(before, after, orders, deviation="", accepted=False):
    return MapEdgeModel(
        before=before, after=after, count=2 * orders, orders=orders, median=60.0, p90=120.0, p95=7200.0, mean=70.0,
        deviation=deviation, accepted=accepted,
    )  # fmt: skip


def a_map(**other):
    return MapModel(
        **{
            "asked": ASKED, "orders": 10, "events": 42, "open": 3, "starts": {"A": 9, "X": 1}, "ends": {"Z": 7, "B": 3},
            "edges": [edge("A", "B", 9), edge("B", "Z", 4, "skipped"), edge("X", "B", 1, "unknown_stage", True)],
            "hidden_edges": 2, "hidden_count": 5,
        } | other
    )  # fmt: skip


def test_a_map_marks_what_the_flow_does_not_allow_by_a_word():
    (side,) = map_page(filters(), a_map(), shop_flow("shop"), [("path", "p")], "orders", 0.01).sides
    kinds = {(e.step.before, e.step.after): e.step.kind for e in side.picture.edges}
    assert kinds == {("A", "B"): "", ("B", "Z"): "skipped", ("X", "B"): "unknown stage, accepted"}
    assert (side.deviating, side.hidden_edges, side.crowded) == (1, 2, 0)
    nodes = {
        node.stage: (node.known, node.line, href) for node, href in zip(side.picture.nodes, side.hrefs, strict=True)
    }
    assert nodes["X"][:2] == (False, "entered 1  ▶ 1")
    assert nodes["Z"] == (True, "entered 8  ■ 7", "/?flow=shop&stage=Z&ended=1")
    assert nodes["A"][2] == "/?flow=shop&stage=A"


@pytest.mark.parametrize(("show", "weight", "strong"), [("orders", 9, "9"), ("events", 18, "18"), ("time", 60, "18")])
def test_a_map_is_as_wide_as_what_is_chosen(show, weight, strong):
    (side,) = map_page(filters(), a_map(), None, [], show, 0.0).sides
    first = next(e.step for e in side.picture.edges if (e.step.before, e.step.after) == ("A", "B"))
    assert (first.weight, first.strong, first.weak) == (weight, strong, "1 min · p95 2 h")
    assert first.told == "A to B: 18 times in 9 orders, median 1 min, p95 2 h"


def test_a_crowded_map_shows_the_most_usual_steps_and_says_so():
    edges = [edge(f"S{n}", f"S{n + 1}", 200 - n) for n in range(100)]
    (side,) = map_page(filters(), a_map(edges=edges), None, [], "orders", 0.0).sides
    assert (len(side.picture.edges), side.crowded) == (80, 20)


def test_two_maps_stand_side_by_side_and_their_table_has_the_change():
    page = map_page(filters(), a_map(against=a_map(edges=[edge("A", "B", 3)])), None, [], "orders", 0.0)
    assert len(page.sides) == 2
    heads = [head.text for head in page.table.head]
    assert heads == ["From", "To", "Count", "against", "change", "Median", "against", "change"]
    assert [cell.text for cell in page.table.rows[0]] == ["A", "B", "18", "6", "+200 %", "1 min", "1 min", "0 %"]


def test_steps_of_a_compared_map_lead_to_the_orders_that_it_is_made_of():
    other = ASKED.model_copy(
        update={"from_at": "2026-01-01T00:00:00Z", "path": "q", "attributes": {"country": "de"}, "flow_version": 2}
    )
    found = a_map(against=a_map(asked=other))
    first, second = map_page(filters(), found, None, [("path", "p"), ("from", "7d")], "orders", 0.0).sides
    assert parse_qs(urlsplit(first.step_hrefs[0]).query) | {"before": [], "after": []} == {
        "before": [], "after": [], "path": ["p"], "from": ["7d"],
    }  # fmt: skip
    assert parse_qs(urlsplit(second.step_hrefs[0]).query) | {"before": [], "after": []} == {
        "before": [], "after": [], "flow": ["shop"], "from": ["2026-01-01T00:00:00Z"], "by": ["started"],
        "path": ["q"], "attribute": ["country=de"], "flow_version": ["2"],
    }  # fmt: skip


def test_orders_since_ever_are_asked_for_as_such():
    assert dict(pairs_of(ASKED)) == {"flow": "shop", "from": "all", "by": "started"}


def test_each_step_of_a_funnel_leads_to_orders_of_its_own_path():
    step = StepModel(stage="A", reached=1, share=1.0, dropped=0, open=1, skipped=0, median=None, p90=None)
    paths = [
        PathFunnelModel(path=path, orders=1, outside=0, converted=0, median=None, p90=None, steps=[step])
        for path in ("p", "q")
    ]
    page = funnel_page(filters("funnel"), FunnelModel(asked=ASKED, orders=2, paths=paths), None)
    assert [cell.href for row in page.table.rows for cell in row if cell.href] == [
        "/?flow=shop&stage=A&path=p", "/?flow=shop&stage=A&path=q",
    ]  # fmt: skip


def variant(stages, orders, closed, open_=0):
    return VariantModel(
        stages=list(stages), orders=orders, share=orders / 20, median_throughput=30.0, closed=closed, open=open_
    )


def test_the_happy_path_comes_first_and_others_say_how_they_leave_the_flow():
    found = VariantsModel(
        asked=ASKED, orders=20, variants_total=5, happy_path=list("ABCDZ"),
        variants=[variant("AB", 8, 0, 8), variant("ABCDZ", 7, 7), variant("ACDZ", 3, 2), variant("AXBCDZ", 1, 1)],
    )  # fmt: skip
    page = variants_page(filters("variants"), found, shop_flow("shop", ["unknown_stage:X"]), 0)
    first, second, third, last = page.rows
    assert (first.happy, first.rank, first.declared, first.outcome) == (True, 2, True, "7 closed")
    assert (second.happy, second.rank, second.outcome) == (False, 1, "8 still open")
    assert (third.kinds, third.accepted, third.outcome) == (("skipped",), False, "2 closed, 1 cancelled")
    assert [(chip.stage, chip.mark) for chip in third.chips] == [("A", ""), ("C", "skipped"), ("D", ""), ("Z", "")]
    assert (last.kinds, last.accepted) == (("unknown stage",), True)
    assert (round(page.covered, 9), page.total, page.known) == (0.95, 5, True)


def test_without_a_declared_flow_no_variant_leaves_it():
    found = VariantsModel(asked=ASKED, orders=1, variants_total=1, happy_path=None, variants=[variant("ZA", 1, 0, 1)])
    page = variants_page(filters("variants"), found, None, 0)
    assert (page.known, page.happy, page.rows[0].kinds, page.rows[0].declared) == (False, False, (), False)


def test_what_the_flow_accepts_has_author_reason_and_expiry():
    found = ConformanceModel(
        asked=ASKED, orders=10, completed=6, conforming=5, deviating=1, rate=5 / 6, incomplete=4, incomplete_deviating=1,
        with_accepted=2, undeclared=0,
        deviations=[DeviationCountModel(kind="skipped", stage="C", orders=2, completed=1, count=2)],
        accepted=[DeviationCountModel(kind="out_of_sequence", stage="B", orders=2, completed=2, count=3)],
    )  # fmt: skip
    said = [
        AcceptanceModel(
            deviation="out_of_sequence:D>B", author="anna", reason="strike", expires_at="1970-01-02T00:00:00Z"
        ),
        AcceptanceModel(deviation="skipped:E", author="", reason="", expires_at=None),
    ]
    page = conformance_page(filters("conformance"), found, said, 2 * DAY)
    (row,) = page.sides[0].rows
    assert (row.kind, row.stage, row.share, row.meaning) == (
        "skipped",
        "C",
        0.2,
        "passed by: the order went on without it",
    )
    first, second = page.accepted
    assert (first.about, first.author, first.expires_ns, first.expired, first.orders) == ("D → B", "anna", DAY, True, 2)
    assert (second.expires_ns, second.expired, second.orders) == (None, False, None)


@pytest.mark.parametrize(
    ("days", "slots", "slot"), [(3, 3, "a day"), (120, 120, "a day"), (121, 18, "a week"), (1_000, 36, "4 weeks")]
)
def test_many_days_are_put_together(days, slots, slot):
    first = date(2026, 1, 1).toordinal()
    found = ArrivalsModel(
        asked=ASKED, zone="Europe/Berlin", arrived=days, closed=0, cancelled=0,
        days=[DayModel(day=date.fromordinal(first + n), arrived=1, closed=0, cancelled=0) for n in range(days)],
    )  # fmt: skip
    page = arrivals_page(filters("arrivals"), found, BERLIN)
    chart = page.sides[0].chart
    assert (len(chart.rows), page.slot) == (slots, slot)
    assert sum(int(row[1]) for row in chart.rows) == days
    assert len(page.table.rows) + page.table.left_out == days


def test_texts_of_a_table_lead_where_its_view_says():
    report = {"edges": [edge("A", "B", 1).model_dump(by_alias=True)]}
    table = table_of("map", report, "Steps", {"from": lambda row: f"/{row['from']}/{row['to']}"})
    assert (table.rows[0][0].href, table.rows[0][1].href) == ("/A/B", "")
    assert [cell.text for cell in table.rows[0][2:]] == ["2", "1", "1 min", "2 min", "2 h", "1 min 10 s", ""]


def test_names_in_links_are_escaped():
    assert stage_href("a&b", "", "x?y=1#z") == "/?flow=a%26b&stage=x%3Fy%3D1%23z"
    assert step_href([("path", "p"), ("show", "time"), ("against", "previous")], "a/b", "c") == (
        "/flow/step?before=a%2Fb&after=c&path=p"
    )
