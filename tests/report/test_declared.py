"""What a flow declares: which steps of the map deviate, and which stages a path passes."""

import pytest

from clew.flow import default_flow
from clew.report.declared import deviation_of_edge, in_flow_order, optional_steps, steps_of_path
from tests.report.histories import shop_flow


@pytest.mark.parametrize(
    ("before", "after", "deviation"),
    [
        ("A", "B", ""),
        ("B", "A", ""),
        ("A", "A", "repeated"),
        ("D", "C", "repeated"),
        ("A", "C", "skipped"),
        ("B", "D", "skipped"),
        ("C", "Q", "out_of_sequence"),
        ("Z", "Q", "out_of_sequence"),
        ("A", "X", "unknown_stage"),
        ("X", "A", "unknown_stage"),
    ],
)
def test_a_step_deviates_as_the_flow_declares_its_ways(before, after, deviation):
    assert deviation_of_edge(shop_flow("s"), before, after) == (deviation, False)


@pytest.mark.parametrize(
    ("before", "after", "accepted", "fine"),
    [
        ("A", "C", {"skipped:B"}, True),
        ("A", "D", {"skipped:B"}, False),
        ("A", "D", {"skipped:B", "skipped:C"}, True),
        ("D", "C", {"repeated:C"}, True),
        ("C", "Q", {"out_of_sequence:C>Q"}, True),
        ("X", "A", {"unknown_stage:X"}, True),
        ("X", "Y", {"unknown_stage:X"}, False),
    ],
)
def test_a_deviation_is_accepted_when_all_of_it_is(before, after, accepted, fine):
    assert deviation_of_edge(shop_flow("s", accepted), before, after)[1] is fine


@pytest.mark.parametrize(("path", "steps"), [("p", "ABCDEZ"), ("q", "ABCDEZ"), ("nobody declared it", "ABCDEZ")])
def test_a_path_passes_the_stages_that_its_entries_lead_to(path, steps):
    assert "".join(steps_of_path(shop_flow("s"), path)) == steps


def test_a_partners_order_has_no_first_click():
    steps = steps_of_path(default_flow(), "b2b")
    assert (steps[0], "CANCELLED" in steps) == ("FILE_UPLOADED", False)


def test_stages_that_a_flow_leads_around_are_optional():
    assert optional_steps(shop_flow("s"), "p") == {"E": ("Z",)}
    assert optional_steps(default_flow(), "b2b")["SUBMITTED"][0] == "PRICE_CALCULATED"
    assert "PRICE_CALCULATED" not in optional_steps(default_flow(), "b2b")


def test_stages_come_in_the_flows_order_and_unknown_ones_last():
    assert in_flow_order(shop_flow("s"), ["X", "Z", "B", "W", "A"]) == ["A", "B", "Z", "X", "W"]
    assert in_flow_order(None, ["X", "Z"]) == ["X", "Z"]
