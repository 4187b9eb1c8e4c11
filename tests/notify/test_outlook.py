"""How an incident stands and who is next, in words."""

from dataclasses import replace

import pytest

from clew.control.contract import Told
from clew.model.incident import Incident, IncidentState, NoticeKind, Policy, PolicyStep
from clew.model.rule import Severity
from clew.notify.outlook import outlook, stands, told_so_far

from .world import HOUR, MINUTE, MONDAY, OFFICE

ACKNOWLEDGED, RESOLVED = IncidentState.ACKNOWLEDGED, IncidentState.RESOLVED
FIRING = Incident(
    1, "k", "stuck", "t", Severity.ERROR, IncidentState.OPEN, {}, MONDAY, MONDAY, MONDAY, reason="3 orders are stuck",
    alerts=3, firing=3, policy="p", told=("slack",), step=1, step_at_ns=MONDAY + 12 * MINUTE,
)  # fmt: skip
HEALED = replace(FIRING, firing=0, quiet_ns=MONDAY)
STEPS = (PolicyStep(0, ("slack",)), PolicyStep(15 * MINUTE, ("duty", "boss")))
POLICY = Policy("p", STEPS)
AT_NIGHT = Policy("p", (STEPS[0], replace(STEPS[1], hours=OFFICE)))  # Monday 00:00 UTC is at night in Berlin
SKIPPED = Policy("p", (*AT_NIGHT.steps, PolicyStep(10 * MINUTE, ("night",))))


@pytest.mark.parametrize(
    ("incident", "after_ns", "said"),
    [
        (FIRING, 0, "3 orders are stuck"),
        (HEALED, MINUTE, "No alert has fired for 1 min; it resolves itself in 1 min. Before: 3 orders are stuck"),
        (replace(HEALED, state=ACKNOWLEDGED), 5 * MINUTE,
         "No alert has fired for 5 min; it resolves itself with the next look. Before: 3 orders are stuck"),
        (replace(HEALED, state=RESOLVED, resolved_ns=MONDAY), HOUR,
         "It was resolved 1 h ago. Before: 3 orders are stuck"),
        (replace(FIRING, state=RESOLVED), HOUR, "3 orders are stuck"),
        (replace(HEALED, reason="", state=RESOLVED, resolved_ns=MONDAY), MINUTE, "It was resolved 1 min ago."),
    ],
)  # fmt: skip
def test_what_is_over_is_told_as_what_was_since_when_and_what_comes(incident, after_ns, said):
    assert stands(incident, MONDAY + after_ns) == said


@pytest.mark.parametrize(
    ("changed", "policy", "said"),
    [
        ({}, POLICY, "slack was told; next is duty and boss, in 12 min unless somebody acknowledges it"),
        ({"step_at_ns": MONDAY}, POLICY, "slack was told; next is duty and boss, at once unless somebody acknowledges it"),
        ({"step": 2, "step_at_ns": None}, POLICY, "slack was told; nobody else will be told"),
        ({"told": ("slack", "duty", "boss"), "step": 2, "step_at_ns": None}, POLICY,
         "slack, duty and boss were told; nobody else will be told"),
        ({}, AT_NIGHT,
         "slack was told; next is duty and boss, when the hours office begin unless somebody acknowledges it"),
        ({}, SKIPPED, "slack was told; next is night, in 22 min unless somebody acknowledges it"),
        ({"told": (), "step_at_ns": None}, None, "nobody was told; nobody else is told, as no policy takes it"),
        ({"explained_by": 7}, POLICY, "slack was told; nobody else is told while incident 7 explains it"),
        ({"silenced": True}, POLICY, "slack was told; nobody else is told while it is silenced"),
        ({"firing": 0, "quiet_ns": MONDAY}, POLICY, "slack was told; nobody else is told unless it fires again"),
        ({"state": ACKNOWLEDGED, "acknowledged_by": "ann", "step_at_ns": None}, POLICY,
         "slack was told; ann has it, so nobody else is told"),
        ({"state": ACKNOWLEDGED, "acknowledged_by": "ann", "step_at_ns": MONDAY + HOUR}, POLICY,
         "slack was told; ann has it, so nobody else is told, unless it still fires in 1 h"),
        ({"state": RESOLVED, "step_at_ns": None}, POLICY, "slack was told"),
    ],
)  # fmt: skip
def test_who_was_told_who_is_next_and_that_nobody_is_left_is_said(changed, policy, said):
    incident = replace(FIRING, **changed)
    notices = [Told(channel, NoticeKind.OPENED, MONDAY, "sent") for channel in incident.told]
    assert outlook(incident, policy, MONDAY, notices) == said


@pytest.mark.parametrize(
    ("notices", "said"),
    [
        ([], "nobody was told"),
        ([("tool", "sent"), ("dead", "waiting")], "tool was told, dead not yet"),
        ([("tool", "sent"), ("dead", "waiting"), ("tool", "waiting"), ("dead", "waiting")],
         "tool was told, dead not yet"),
        ([("dead", "waiting")], "nobody was told, dead not yet"),
        ([("dead", "given_up"), ("second", "summed"), ("third", "sent")],
         "second and third were told, dead could not be"),
        ([("a", "given_up"), ("a", "waiting"), ("b", "waiting"), ("c", "given_up")],
         "nobody was told, a and b not yet, c could not be"),
    ],
)  # fmt: skip
def test_only_a_channel_that_got_something_counts_as_told(notices, said):
    assert told_so_far(Told(channel, NoticeKind.OPENED, MONDAY, state) for channel, state in notices) == said
