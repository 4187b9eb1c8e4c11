"""What a rule finds wrong with Clew itself."""

from __future__ import annotations

from clew.model.alert import Finding
from clew.model.lengths import ago, how_long
from clew.model.rule import Pipeline, PipelineTrouble, Rule
from clew.model.watched import PipelineState


def in_trouble(rule: Rule, shape: Pipeline, state: PipelineState, now_ns: int) -> list[Finding]:
    """A finding for each trouble that the rule asks about and Clew is in."""
    found = []
    if PipelineTrouble.NOT_READY in shape.troubles and state.not_ready_ns is not None:
        why = f": {state.why}" if state.why else ""
        words = f"Clew has not been ready for {how_long(now_ns - state.not_ready_ns)}{why}"
        found.append(_finding(rule, PipelineTrouble.NOT_READY, words, state.not_ready_ns))
    if PipelineTrouble.REFUSING in shape.troubles and state.refusing_ns is not None:
        many = f" ({state.refused:,} requests)" if state.refused else ""
        words = (
            f"Clew refuses telemetry{many}, first {ago(state.refusing_ns, now_ns)}; senders hold it back and try again"
        )
        found.append(_finding(rule, PipelineTrouble.REFUSING, words, state.refusing_ns))
    behind_ns = now_ns - state.journeys_ns
    if PipelineTrouble.BEHIND in shape.troubles and behind_ns > shape.behind_ns:
        words = f"journeys are {how_long(behind_ns)} behind what was received, allowed {how_long(shape.behind_ns)}"
        since_ns = state.journeys_ns + shape.behind_ns
        found.append(_finding(rule, PipelineTrouble.BEHIND, words, since_ns, behind_ns / 1e9, shape.behind_ns / 1e9))
    return found


def _finding(
    rule: Rule,
    trouble: PipelineTrouble,
    words: str,
    since_ns: int,
    value: float | None = None,
    bound: float | None = None,
) -> Finding:
    labels = {"trouble": trouble.value}
    return Finding(rule.name, f"clew:{trouble}", words, since_ns, labels, value, bound)
