import pytest

from clew.journey import rebuild
from clew.model.flow import Acceptance, Stage
from tests.journey.timeline import FLOW, HAPPY, at, event, ring_flow, story


def deviations(*stages, flow=FLOW, **first):
    told = story(*stages)
    if first:
        told[0] = event(stages[0], 0, **first)
    return [(str(each.kind), each.stage, each.index) for each in rebuild("4711", told, flow).deviations]


@pytest.mark.parametrize(
    ("stages", "expected"),
    [
        (HAPPY, []),
        (("ORDERED", "PRICED"), []),
        (("BASKET", "DROPPED"), []),
        (("BASKET", "PRICED"), [("skipped", "ORDERED", 1)]),
        (("BASKET", "APPROVED"), [("skipped", "ORDERED", 1), ("skipped", "PRICED", 1)]),
        (("PRICED",), [("skipped", "BASKET", 0), ("skipped", "ORDERED", 0)]),
        (("ORDERED", "BASKET", "PRICED"), [("out_of_sequence", "BASKET", 1), ("skipped", "ORDERED", 2)]),
        (("ORDERED", "PRICED", "ORDERED", "PRICED"), [("repeated", "ORDERED", 2)]),
        (("MADE", "DROPPED"), "last is out of sequence"),
        (("BASKET", "LOBBY", "ORDERED"), [("unknown_stage", "LOBBY", 1)]),
        (("LOBBY", "BASKET"), [("unknown_stage", "LOBBY", 0)]),
        (("ORDERED", "LOBBY", "ORDERED"), [("unknown_stage", "LOBBY", 1)]),
        (("ORDERED", "DROPPED", "PRICED"), [("out_of_sequence", "PRICED", 2)]),
    ],
)
def test_a_step_that_the_flow_does_not_declare_is_a_deviation(stages, expected):
    path = {"path": "partner"} if stages[0] == "ORDERED" else {"path": "web"}
    found = deviations(*stages, **path)
    if expected == "last is out of sequence":
        assert found[-1] == ("out_of_sequence", "DROPPED", 1)
    else:
        assert found == expected


def test_the_first_stage_is_compared_with_the_entries_of_its_path():
    assert deviations("ORDERED", path="web") == [("skipped", "BASKET", 0)]
    assert deviations("ORDERED", path="partner") == []
    assert deviations("BASKET", path="partner") == [("out_of_sequence", "BASKET", 0)]
    assert deviations("ORDERED", path="fair") == []


def test_rework_that_the_flow_declares_is_none():
    again = Stage("MADE", "mes", next=("SHIPPED", "APPROVED"))
    assert deviations(*HAPPY[:5], "APPROVED", "MADE", flow=ring_flow(stages={"MADE": again})) == []


@pytest.mark.parametrize(
    ("stages", "accepted"),
    [
        (("BASKET", "PRICED"), "skipped:ORDERED"),
        (("BASKET", "ORDERED", "PRICED", "ORDERED"), "repeated:ORDERED"),
        (("BASKET", "LOBBY"), "unknown_stage:LOBBY"),
        (("BASKET", "ORDERED", "DROPPED", "PRICED"), "out_of_sequence:DROPPED>PRICED"),
    ],
)
def test_an_accepted_deviation_is_kept_and_marked(stages, accepted):
    strict = rebuild("4711", story(*stages), FLOW).deviations
    lenient = rebuild("4711", story(*stages), ring_flow(accepted=frozenset({accepted}))).deviations
    assert [each.accepted for each in strict] == [False]
    assert [(each.kind, each.stage, each.accepted) for each in lenient] == [(strict[0].kind, strict[0].stage, True)]


def test_a_first_stage_out_of_sequence_is_accepted_by_leaving_the_from_empty():
    flow = ring_flow(accepted=frozenset({"out_of_sequence:>BASKET"}))
    assert rebuild("4711", [event("BASKET", 0, path="partner")], flow).deviations[0].accepted


@pytest.mark.parametrize(("expires_minutes", "accepted"), [(11, True), (10, False), (9, False)])
def test_an_acceptance_ends_with_its_expiry_and_the_milestone_decides_not_the_clock(expires_minutes, accepted):
    until = Acceptance("ann", "the new till", at(expires_minutes))
    flow = ring_flow(accepted=frozenset({"skipped:ORDERED"}), acceptances={"skipped:ORDERED": until})
    (found,) = rebuild("4711", story("BASKET", "PRICED"), flow).deviations
    assert (str(found.kind), found.stage, found.accepted) == ("skipped", "ORDERED", accepted)
