"""The way that the flow expects beside the way that an order took."""

import pytest

from clew.journey.rebuild import rebuild
from clew.journey.visits import stage_visits, visits_after_end
from clew.model.flow import ANY_PATH, Flow, Stage, Terminal
from clew.web.pages.order.way import expected_stages, way_rows
from tests.journey.timeline import at, event, failed, limit

FLOW = Flow(
    "shop",
    1,
    (
        Stage("BASKET", next=("ORDERED", "DROPPED")),
        Stage("DRAFT", next=("ORDERED",)),
        Stage("ORDERED", next=("PRICED", "APPROVED", "DROPPED"), limits={ANY_PATH: limit(30, 20)}),
        Stage("PRICED", next=("APPROVED",)),
        Stage("APPROVED", next=("MADE",)),
        Stage("MADE", next=("SHIPPED", "APPROVED")),
        Stage("SHIPPED", next=("DONE",)),
        Stage("DONE", terminal=Terminal.CLOSED),
        Stage("DROPPED", terminal=Terminal.CANCELLED),
    ),
    paths={"b2c": ("BASKET",), "b2b": ("DRAFT",)},
    accepted=frozenset({"skipped:SHIPPED"}),
)


def rows(*events, flow=FLOW):
    journey = rebuild("4711", events, flow)
    found = way_rows(flow, journey, stage_visits(journey, flow, at(500)), visits_after_end(journey, flow))
    return [
        " ".join(
            (
                each.expected.name if each.expected else "-",
                each.visit.milestone.stage if each.visit else "-",
                each.mark + ("+" if each.accepted else ""),
            )
        )
        for each in found
    ]


def way(*stages):
    return [event(stage, 10 * index) for index, stage in enumerate(stages)]


@pytest.mark.parametrize(
    ("stages", "told"),
    [
        pytest.param(
            ("BASKET", "ORDERED"),
            [
                "BASKET BASKET entered", "ORDERED ORDERED here", "PRICED - next", "APPROVED - next", "MADE - ahead",
                "SHIPPED - ahead", "DONE - ahead",
            ],
            id="under way",
        ),
        pytest.param(
            ("BASKET", "ORDERED", "APPROVED", "SHIPPED", "DONE"),
            [
                "BASKET BASKET entered", "ORDERED ORDERED entered", "PRICED - left_out", "APPROVED APPROVED entered",
                "MADE - skipped", "SHIPPED SHIPPED entered", "DONE DONE entered",
            ],
            id="left out as allowed, and skipped",
        ),
        pytest.param(
            ("BASKET", "ORDERED", "PRICED", "APPROVED", "MADE", "DONE"),
            [
                "BASKET BASKET entered", "ORDERED ORDERED entered", "PRICED PRICED entered",
                "APPROVED APPROVED entered", "MADE MADE entered", "SHIPPED - skipped+", "DONE DONE entered",
            ],
            id="skipped as accepted",
        ),
        pytest.param(
            ("BASKET", "ORDERED", "PRICED", "ORDERED", "PRICED", "APPROVED"),
            [
                "BASKET BASKET entered", "ORDERED ORDERED entered", "PRICED PRICED entered", "- ORDERED repeated",
                "- PRICED entered", "APPROVED APPROVED here", "MADE - next", "SHIPPED - ahead", "DONE - ahead",
            ],
            id="repeated",
        ),
        pytest.param(
            ("BASKET", "ORDERED", "LIMBO", "PRICED"),
            [
                "BASKET BASKET entered", "ORDERED ORDERED entered", "- LIMBO unknown_stage", "PRICED PRICED here",
                "APPROVED - next", "MADE - ahead", "SHIPPED - ahead", "DONE - ahead",
            ],
            id="unknown",
        ),
        pytest.param(
            ("BASKET", "DROPPED"),
            [
                "BASKET BASKET entered", "ORDERED - never", "PRICED - never", "APPROVED - never", "MADE - never",
                "SHIPPED - never", "DONE - never", "DROPPED DROPPED entered",
            ],
            id="cancelled",
        ),
        pytest.param(
            ("BASKET", "ORDERED", "PRICED", "APPROVED", "MADE", "SHIPPED", "DONE", "PRICED"),
            [
                "BASKET BASKET entered", "ORDERED ORDERED entered", "PRICED PRICED entered",
                "APPROVED APPROVED entered", "MADE MADE entered", "SHIPPED SHIPPED entered", "DONE DONE entered",
                "- PRICED after_end",
            ],
            id="after the end",
        ),
    ],
)  # fmt: skip
def test_expected_and_actual_stand_side_by_side(stages, told):
    assert rows(*way(*stages)) == told


def test_a_stage_that_was_tried_and_failed_says_so():
    assert "PRICED - failed" in rows(*way("BASKET", "ORDERED"), failed("PRICED", 30, "no 3D data"))


def test_a_step_that_no_way_makes_is_out_of_sequence():
    assert "- DRAFT out_of_sequence" in rows(*way("BASKET", "ORDERED", "DRAFT"))


def test_a_stage_entered_again_as_the_flow_allows_says_that():
    journey = rebuild("4711", way("BASKET", "ORDERED", "APPROVED", "MADE", "APPROVED"), FLOW)
    said = [each.said for each in way_rows(FLOW, journey, stage_visits(journey, FLOW, at(500)), ())]
    assert "again, as the flow allows, is here" in said


def test_nothing_is_expected_of_a_flow_that_nobody_declared():
    assert rows(*way("A", "B"), flow=Flow("", 0, ())) == ["- A unknown_stage", "- B unknown_stage"]


@pytest.mark.parametrize(("path", "first"), [("b2c", "BASKET"), ("b2b", "DRAFT"), ("other", "BASKET")])
def test_the_stages_of_the_order_s_path_are_expected(path, first):
    journey = rebuild("4711", [event("ORDERED", 0, path=path)], FLOW)
    assert expected_stages(FLOW, journey)[0].name == first


def test_a_long_way_is_matched_quickly():
    again = way("BASKET", "ORDERED", *["APPROVED", "MADE"] * 200)
    assert rows(*again)[-1] == "DONE - ahead"
