"""A flow is learned from what happened, and is always one that can be applied."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clew.flow import parse_flow
from clew.flow.durations import UNITS_NS, parse_duration
from clew.learn.discover import Wishes, discover, guess_terminals, usable_stages
from clew.learn.draft_text import draft_text
from clew.learn.limits import learn_limits, round_up
from clew.learn.ranking import in_order
from clew.learn.seen import Dwells
from clew.model.flow import ANY_PATH, Terminal
from tests.learn.logs import Order, logs, seen_of

HOUR = 3600
wishes = st.builds(
    Wishes, share=st.sampled_from([0.0, 0.01, 0.2, 0.9]), floor_ns=st.sampled_from([1, 60 * 10**9]),
    quantile=st.sampled_from([0.5, 0.95]), name=st.sampled_from(["", "rings", "a:b"]), version=st.integers(1, 9),
)  # fmt: skip


def learned(orders, wish=None, terminals=None):
    """The draft that orders teach, by the same steps as with a store."""
    everything = seen_of(orders).stages
    kept = usable_stages(everything)
    known = terminals or {name: kind.value for name, kind in guess_terminals(seen_of(orders, kept)).items()}
    seen = seen_of(orders, kept, known)
    return discover(seen, everything, terminals or (), wish or Wishes())


def shop(number=100):
    """Orders that are paid, made and sent; one in ten is cancelled; partners skip paying; some still wait."""
    orders = []
    for index in range(number):
        begin = index * 10
        rows = [("PAID", begin)] if index % 5 == 0 else [("NEW", begin), ("PAID", begin + HOUR)]
        path = "partner" if index % 5 == 0 else "web"
        if index % 10 == 3:
            rows.append(("CANCELLED", begin + 2 * HOUR))
        else:
            rows += [("MADE", begin + (10 + index % 7) * HOUR), ("SENT", begin + 30 * HOUR)]
            rows += [("DONE", begin + 40 * HOUR)] if index % 10 else []
        orders.append(Order(f"o{index}", tuple(rows), path))
    return orders


@settings(max_examples=150, deadline=None)
@given(logs(), wishes)
def test_whatever_happened_the_flow_can_be_applied(orders, wish):
    if not usable_stages(seen_of(orders).stages):
        return
    draft = learned(orders, wish)
    flow = parse_flow(draft_text(draft))
    assert [stage.name for stage in flow.stages] == [stage.name for stage in draft.stages]
    assert {path: set(entries) for path, entries in flow.paths.items()} == {
        path: set(entries) for path, entries in draft.paths.items()
    }
    for drafted, stage in zip(draft.stages, flow.stages, strict=True):
        assert (stage.next, stage.terminal) == (tuple(drafted.next), drafted.terminal)
        assert {path: each.allowed_ns for path, each in stage.limits.items()} == {
            path: each.allowed_ns for path, each in drafted.limits.items()
        }
        assert all(each.allowed_ns >= wish.floor_ns for each in stage.limits.values())


@settings(max_examples=60, deadline=None)
@given(logs(names=st.sampled_from(["NEW", "PAID", "MADE", "SENT", "DONE"])))
def test_without_a_least_share_every_step_before_the_end_is_allowed(orders):
    draft = learned(orders, Wishes(share=0.0))
    terminals = {stage.name: stage.terminal.value for stage in draft.stages if stage.terminal}
    allowed = {(stage.name, after) for stage in draft.stages for after in stage.next}
    assert set(seen_of(orders, terminals=terminals).steps) <= allowed


def test_stages_entries_ends_steps_and_limits_are_learned():
    flow = parse_flow(draft_text(learned(shop(), Wishes(name="rings", version=3))))
    assert (flow.name, flow.version) == ("rings", 3)
    assert [stage.name for stage in flow.stages] == ["NEW", "PAID", "MADE", "SENT", "CANCELLED", "DONE"]
    assert flow.paths == {"web": ("NEW",), "partner": ("PAID",)}
    assert {stage.name: stage.terminal for stage in flow.stages if stage.terminal} == {
        "DONE": Terminal.CLOSED, "CANCELLED": Terminal.CANCELLED,
    }  # fmt: skip
    assert flow.stage("PAID").next == ("MADE", "CANCELLED")
    assert flow.stage("NEW").limit("web").allowed_ns == HOUR * 10**9
    assert set(flow.stage("PAID").limits) == {ANY_PATH}


def test_what_was_decided_on_thin_ground_is_said():
    orders = [*shop(), Order("odd", (("NEW", 0), ("a>b", 5), ("MADE", 9), ("NEW", 10), ("PAID", 11)))]
    orders.append(Order("late", (("NEW", 0), ("PAID", 1), ("DONE", 2), ("REOPENED", 3))))
    text = draft_text(learned(orders))
    noted = " ".join(line.removeprefix("# ") for line in text.splitlines() if line.startswith("#"))
    assert "a>b (1 order)" in noted
    assert "only ever entered after the end of an order, so left out: REOPENED" in noted
    assert "DONE is taken for an end (closed), since" in noted
    assert "MADE > NEW once" in noted
    assert "10 orders last seen in SENT" in noted
    assert "orders that name no path (2)" in noted
    assert parse_flow(text).stage("REOPENED") is None


def test_a_rare_step_that_alone_leads_somewhere_is_kept():
    orders = [*shop(200), Order("x", (("NEW", 0), ("CHECKED", 5), ("PAID", 9), ("DONE", 10)), "web")]
    draft = learned(orders, Wishes(share=0.05))
    assert any("NEW > CHECKED is rare" in note for note in draft.unsure)
    assert "CHECKED" in next(stage for stage in draft.stages if stage.name == "NEW").next


def test_the_terminals_of_the_flow_that_judged_are_taken_as_they_are():
    draft = learned(shop(), terminals={"SENT": "closed", "CANCELLED": "cancelled"})
    assert {stage.name for stage in draft.stages if stage.terminal} == {"SENT", "CANCELLED"}
    assert not any("is taken for an end" in note for note in draft.unsure)
    assert any("only ever entered after the end" in note for note in draft.unsure)


def test_the_service_is_the_one_that_reports_what_follows():
    orders = shop()
    everything = seen_of(orders).stages
    known = {"DONE": "closed", "CANCELLED": "cancelled"}
    base = seen_of(orders, terminals=known)
    reporters = {"PAID": {"till": 80, "": 5}, "MADE": {"bench": 90}, "CANCELLED": {"till": 10}}
    seen = type(base)(**{name: getattr(base, name) for name in base.__dataclass_fields__} | {"reporters": reporters})
    stages = {stage.name: stage for stage in discover(seen, everything, known, Wishes()).stages}
    assert (stages["NEW"].service, round(stages["NEW"].service_share, 2)) == ("till", 0.94)
    assert (stages["PAID"].service, round(stages["PAID"].service_share, 2)) == ("bench", 0.9)
    assert stages["MADE"].service == ""


@pytest.mark.parametrize(
    ("dwells", "expected"),
    [
        pytest.param({"": Dwells([1.0] * 19)}, {}, id="too few"),
        pytest.param({"": Dwells([1.0] * 20, [9.0] * 30)}, {}, id="too many wait"),
        pytest.param({"": Dwells([1.0] * 20)}, {ANY_PATH: "1m"}, id="the floor"),
        pytest.param({"a": Dwells([100.0] * 40), "b": Dwells([110.0] * 40)}, {ANY_PATH: "1m50s"}, id="alike"),
        pytest.param({"a": Dwells([100.0] * 40), "b": Dwells([7000.0] * 40)}, {"a": "1m40s", "b": "2h"}, id="apart"),
        pytest.param(
            {"a": Dwells([100.0] * 40), "b": Dwells([7000.0] * 40), "": Dwells([1.0])},
            {ANY_PATH: "2h", "a": "1m40s", "b": "2h"}, id="apart, and some of no path",
        ),
    ],
)  # fmt: skip
def test_limits_are_learned_by_path_where_paths_differ(dwells, expected):
    found = learn_limits(dwells, ["a", "b"], 0.95, UNITS_NS["m"])
    assert {path: each.allowed_ns for path, each in found.items()} == {
        path: parse_duration(length) for path, length in expected.items()
    }


@given(st.integers(0, 3650 * 86_400 * 10**9))
def test_a_rounded_limit_is_never_shorter_and_hardly_longer(length_ns):
    rounded = round_up(length_ns)
    assert length_ns <= rounded <= length_ns * 1.2 + 10**9


def test_stages_come_in_the_order_of_their_steps_though_some_lead_back():
    steps = {("A", "B"): 10, ("B", "C"): 9, ("C", "B"): 2, ("A", "D"): 1, ("C", "E"): 8}
    assert in_order(steps, ["D", "E", "C", "B", "A"], last={"D", "E"}) == ["A", "B", "C", "D", "E"]


def test_a_flow_that_knows_some_ends_leaves_the_stages_it_does_not_know_to_guessing():
    orders = [Order(f"o{n}", (("NEW", n), ("PAID_OUT", n + 5) if n % 2 else ("CANCELLED", n + 5))) for n in range(100)]
    seen = seen_of(orders)
    rough = type(seen)("f", stages=seen.stages, ends=seen.ends, terminals={"CANCELLED": "cancelled"})
    assert guess_terminals(rough, declared={"NEW", "CANCELLED"}) == {
        "CANCELLED": Terminal.CANCELLED, "PAID_OUT": Terminal.CLOSED,
    }  # fmt: skip
    assert guess_terminals(rough, declared={"NEW", "CANCELLED", "PAID_OUT"}) == {"CANCELLED": Terminal.CANCELLED}
