"""What a rule finds in one order: a pure judgement of its journey at a moment.

Only watched orders are judged: one that imported history alone tells of is nobody's to act on. An order that has ended
is found by rules about facts (deviations, too early) and about the verdicts closed and cancelled; whoever looks asks
only for those that ended since the last look.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from clew.journey.holds import held_ns, moment_after
from clew.journey.judge import judge, owner_of, verdict_kind
from clew.journey.rebuild import watched
from clew.journey.remarks import after_kind, in_words
from clew.journey.words import in_short
from clew.learn.projection import late_from_ns, projected_end_ns
from clew.model.alert import Finding
from clew.model.flow import Flow
from clew.model.journey import Journey, Loss, LostReason, Milestone, VerdictKind
from clew.model.lengths import ago, how_long
from clew.model.rule import (
    Deviates,
    InStage,
    Judged,
    NotReached,
    OnHold,
    OrderFilter,
    OrderShape,
    ProjectedLate,
    Rule,
    TooEarly,
)

_SECOND_NS = 10**9
_MOST_TRACES = 5


def finding_of(rule: Rule, journey: Journey, flow: Flow, now_ns: int) -> Finding | None:
    """What a rule of an order shape finds in a journey at a moment, or None.

    ``flow`` is the one that judges the journey. The finding's ``value`` and ``bound`` are seconds where times are
    compared. Raises TypeError for a rule of another shape.
    """
    shape = rule.shape
    if not isinstance(shape, OrderShape):
        raise TypeError(f"{rule.name} is no rule about orders")
    if journey.imported or not _picks(shape.orders, journey):
        return None
    said = _found(shape, journey, flow, now_ns)
    if said is None:
        return None
    what = f"{flow.singular} {journey.order_id}"
    return Finding(
        rule=rule.name,
        subject=f"order:{journey.order_id}",
        reason=f"{what} {said.words}{_who(said.owner)}",
        since_ns=said.since_ns,
        labels=_labels(journey, flow, now_ns, said.labels),
        value=_seconds(said.measured_ns),
        bound=_seconds(said.bound_ns),
        order_id=journey.order_id,
        trace_ids=_traces(said.trace_id, journey),
        owner=said.owner,
    )


class _Said(NamedTuple):
    """What is to be said of an order: words that follow its name, since when, who acts, what was measured."""

    words: str
    since_ns: int
    owner: str
    measured_ns: int | None = None
    bound_ns: int | None = None
    trace_id: str = ""
    labels: Mapping[str, str] = {}


def _found(shape: OrderShape, journey: Journey, flow: Flow, now_ns: int) -> _Said | None:
    if isinstance(shape, Judged):
        return _judged(shape, journey, flow, now_ns)
    if isinstance(shape, Deviates):
        return _deviates(shape, journey, flow, now_ns)
    if isinstance(shape, TooEarly):
        return _too_early(shape, journey, flow, now_ns)
    if journey.terminal is not None:
        return None
    if isinstance(shape, InStage):
        return _in_stage(shape, journey, flow, now_ns)
    if isinstance(shape, NotReached):
        return _not_reached(shape, journey, flow, now_ns)
    if isinstance(shape, OnHold):
        return _on_hold(shape, journey, flow, now_ns)
    return _projected_late(shape, journey, flow, now_ns)


def _picks(orders: OrderFilter, journey: Journey) -> bool:
    return (
        (not orders.flows or journey.flow in orders.flows)
        and (not orders.stages or journey.stage in orders.stages)
        and (not orders.paths or journey.path in orders.paths)
    )


def _judged(shape: Judged, journey: Journey, flow: Flow, now_ns: int) -> _Said | None:
    kind = verdict_kind(journey, now_ns)
    if kind not in shape.verdicts:
        return None
    if kind is VerdictKind.LOST and shape.lost_reasons and journey.losses[0].reason not in shape.lost_reasons:
        return None
    verdict = judge(journey, flow, now_ns)
    words = f"is {in_words(kind)}{after_kind(kind, verdict.reason)}"
    if kind in (VerdictKind.FAILED, VerdictKind.CLOSED, VerdictKind.CANCELLED):
        words = verdict.reason if kind is VerdictKind.FAILED else f"is {verdict.reason}"
    measured, bound = _measured(kind, journey, flow, now_ns)
    return _Said(words, verdict.since_ns, verdict.owner, measured, bound, verdict.trace_id)


def _measured(kind: VerdictKind, journey: Journey, flow: Flow, now_ns: int) -> tuple[int | None, int | None]:
    """The dwell and the limit of an order whose stage's clock runs."""
    milestone = watched(journey, flow)
    stage = flow.stage(milestone.stage) if milestone else None
    limit = stage.limit(journey.path) if stage else None
    if milestone is None or limit is None or kind not in (VerdictKind.STUCK, VerdictKind.IN_JEOPARDY):
        return None, None
    return _dwell_ns(journey, milestone, now_ns), limit.allowed_ns


def _dwell_ns(journey: Journey, milestone: Milestone, now_ns: int) -> int:
    return now_ns - milestone.at_ns - held_ns(journey.holds, milestone.at_ns, now_ns)


def _in_stage(shape: InStage, journey: Journey, flow: Flow, now_ns: int) -> _Said | None:
    if not journey.milestones:
        return None
    milestone = journey.milestones[-1]
    stage = flow.stage(milestone.stage)
    limit = stage.limit(journey.path) if stage else None
    if shape.used is not None and limit is None:
        return None
    share_ns = round((shape.used or 0) * limit.allowed_ns) if limit else 0
    bound_ns = share_ns if shape.longer_than_ns is None else shape.longer_than_ns
    dwell_ns = _dwell_ns(journey, milestone, now_ns)
    if dwell_ns < bound_ns:
        return None
    allowed = f" of {how_long(limit.allowed_ns)} allowed" if shape.used is not None and limit else ""
    told = f"in {milestone.stage} for {how_long(dwell_ns)}{allowed}, over {how_long(bound_ns)}"
    since_ns = moment_after(milestone.at_ns, bound_ns, journey.holds)
    # Where it is, and not where it failed to come to.
    place = {"stage": milestone.stage, "service": stage.service if stage else ""}
    return _Said(f"is {told}", since_ns, owner_of(stage), dwell_ns, bound_ns, milestone.trace_id, place)


def _not_reached(shape: NotReached, journey: Journey, flow: Flow, now_ns: int) -> _Said | None:
    owner = owner_of(flow.stage(journey.stage))
    where = f"; it is still in {journey.stage}" if journey.stage else ""
    trace_id = journey.milestones[-1].trace_id if journey.milestones else ""
    if not shape.of:
        if journey.due_at_ns is None or _entered(journey.milestones, shape.stage):
            return None
        since_ns = journey.due_at_ns + shape.within_ns
        if now_ns < since_ns:
            return None
        due = _due_words(journey.due_at_ns, now_ns)
        return _Said(f"has not reached {shape.stage}, {due}{where}", since_ns, owner, trace_id=trace_id)
    begun = _awaits(journey.milestones, shape.stage, shape.of)
    if begun is None:
        return None
    passed_ns = _dwell_ns(journey, begun, now_ns)
    if passed_ns < shape.within_ns:
        return None
    told = f"has not reached {shape.stage} {how_long(passed_ns)} after {shape.of}, allowed {how_long(shape.within_ns)}"
    since_ns = moment_after(begun.at_ns, shape.within_ns, journey.holds)
    return _Said(f"{told}{where}", since_ns, owner, passed_ns, shape.within_ns, trace_id)


def _entered(milestones: Sequence[Milestone], stage: str) -> bool:
    return any(each.stage == stage for each in milestones)


def _awaits(milestones: Sequence[Milestone], stage: str, of: str) -> Milestone | None:
    """The milestone from which on another one is awaited: the first one of its stage since that was reached last.

    Coming back to it doesn't begin the time anew, or an order that goes in circles would never be late.
    """
    begun: Milestone | None = None
    for each in milestones:
        if each.stage == stage:
            begun = None
        elif each.stage == of and begun is None:
            begun = each
    return begun


def _due_words(due_at_ns: int, now_ns: int) -> str:
    return f"due {ago(due_at_ns, now_ns)}" if due_at_ns <= now_ns else f"due in {how_long(due_at_ns - now_ns)}"


def _too_early(shape: TooEarly, journey: Journey, flow: Flow, now_ns: int) -> _Said | None:
    milestones = journey.milestones
    for index in range(len(milestones) - 1, -1, -1):
        reached = milestones[index]
        if reached.stage != shape.stage:
            continue
        early = _earlier_by(shape, journey, milestones[:index], reached)
        if early is None:
            continue
        gap_ns, after = early
        told = f"reached {shape.stage} {ago(reached.at_ns, now_ns)}, {how_long(gap_ns)} {after}"
        by = reached.actor or reached.service
        words = f"{told}, sooner than {how_long(shape.within_ns)} is right{f' (by {by})' if by else ''}"
        owner = owner_of(flow.stage(reached.stage)) or reached.service
        return _Said(words, reached.at_ns, owner, gap_ns, shape.within_ns, reached.trace_id)
    return None


def _earlier_by(
    shape: TooEarly, journey: Journey, before: Sequence[Milestone], reached: Milestone
) -> tuple[int, str] | None:
    """How far from what it is compared with a milestone was reached, and in words; None when it isn't too early."""
    if not shape.of:
        if journey.due_at_ns is None or journey.due_at_ns - reached.at_ns <= shape.within_ns:
            return None
        return journey.due_at_ns - reached.at_ns, "before it is due"
    last = next((each for each in reversed(before) if each.stage == shape.of), None)
    if last is None or reached.at_ns - last.at_ns >= shape.within_ns:
        return None
    return max(0, reached.at_ns - last.at_ns), f"after {shape.of}"


def _on_hold(shape: OnHold, journey: Journey, flow: Flow, now_ns: int) -> _Said | None:
    if not journey.on_hold or now_ns < journey.holds[-1].begin_ns:
        return None
    begin_ns = journey.holds[-1].begin_ns
    where = f" in {journey.stage}" if journey.stage else ""
    told = f"is on hold{where} for {how_long(now_ns - begin_ns)}"
    owner = owner_of(flow.stage(journey.stage))
    trace_id = journey.milestones[-1].trace_id if journey.milestones else ""
    if shape.longer_than_ns is not None:
        if now_ns - begin_ns < shape.longer_than_ns:
            return None
        over = f"{told}, over {how_long(shape.longer_than_ns)}"
        since_ns = begin_ns + shape.longer_than_ns
        return _Said(over, since_ns, owner, now_ns - begin_ns, shape.longer_than_ns, trace_id)
    if journey.due_at_ns is None or shape.before_due_ns is None or now_ns < journey.due_at_ns - shape.before_due_ns:
        return None
    since_ns = max(begin_ns, journey.due_at_ns - shape.before_due_ns)
    return _Said(f"{told}, and {_due_words(journey.due_at_ns, now_ns)}", since_ns, owner, trace_id=trace_id)


def _projected_late(shape: ProjectedLate, journey: Journey, flow: Flow, now_ns: int) -> _Said | None:
    if journey.due_at_ns is None or not journey.remaining_ns or not journey.milestones:
        return None
    allowed_ns = journey.due_at_ns + shape.margin_ns
    moment_ns = late_from_ns(journey.remaining_ns, journey.entered_ns, allowed_ns, shape.share)
    since_ns = allowed_ns if moment_ns is None else min(moment_ns, allowed_ns)
    if now_ns < since_ns:
        return None
    end_ns = projected_end_ns(journey.remaining_ns, journey.entered_ns, now_ns)
    late = f"{how_long(end_ns - journey.due_at_ns)} late" if end_ns > journey.due_at_ns else "late"
    words = f"will probably be {late}: {_due_words(journey.due_at_ns, now_ns)}, still in {journey.stage}"
    owner = owner_of(flow.stage(journey.stage))
    bound_ns = shape.margin_ns
    return _Said(words, since_ns, owner, end_ns - journey.due_at_ns, bound_ns, journey.milestones[-1].trace_id)


def _deviates(shape: Deviates, journey: Journey, flow: Flow, now_ns: int) -> _Said | None:
    way = journey.milestones + journey.after_end
    found = [
        each
        for each in journey.deviations
        if not each.accepted
        and (not shape.kinds or each.kind in shape.kinds)
        and (not shape.at or each.stage in shape.at)
        and each.index < len(way)
    ]
    if not found:
        return None
    first = min(found, key=lambda each: each.index)
    at = way[first.index]
    stages = ", ".join(dict.fromkeys(each.stage for each in found if each.kind is first.kind))
    before = f" after {way[first.index - 1].stage}" if first.index else " at the beginning"
    what = f"{in_words(first.kind)}: {stages}"
    came = f"it came to {at.stage}{before} {ago(at.at_ns, now_ns)}"
    by = at.actor or at.service
    owner = owner_of(flow.stage(at.stage)) or at.service
    return _Said(
        f"left its flow ({what}): {came}{f', by {by}' if by else ''}",
        at.at_ns,
        owner,
        trace_id=at.trace_id,
        labels={"stage": first.stage},
    )


def _seconds(length_ns: int | None) -> float | None:
    return None if length_ns is None else length_ns / _SECOND_NS


def _who(owner: str) -> str:
    return f"; {owner} must act" if owner else ""


def _labels(journey: Journey, flow: Flow, now_ns: int, own: Mapping[str, str]) -> dict[str, str]:
    """What alerts are grouped by. ``service`` has to bring the order on, or, where it failed, is what failed."""
    kind = verdict_kind(journey, now_ns)
    milestone = watched(journey, flow)
    stage = flow.stage(milestone.stage) if milestone else None
    told = {
        "flow": journey.flow,
        "stage": journey.stage,
        "path": journey.path,
        "verdict": kind.value,
        "service": stage.service if stage else "",
    }
    if kind is VerdictKind.LOST:
        told |= _loss_labels(journey.losses[0])
    if kind is VerdictKind.FAILED and journey.failure is not None:
        told["error"] = in_short(journey.failure.error)
        told["service"] = journey.failure.service or told["service"]
        told["stage"] = journey.failure.stage or told["stage"]
    return {name: text for name, text in (told | dict(own)).items() if text}


def _loss_labels(loss: Loss) -> dict[str, str]:
    """The queue as its publisher calls it while a message only waits, which is all that is known of it then."""
    waits = loss.reason in (LostReason.IN_QUEUE, LostReason.UNKNOWN)
    queue = (loss.destination or loss.queue) if waits else (loss.queue or loss.destination)
    return {"lost_reason": loss.reason.value, "queue": queue}


def _traces(first: str, journey: Journey) -> tuple[str, ...]:
    """The evidence first, then the order's other traces, the newest last ones that milestones name."""
    newest = [each.trace_id for each in reversed(journey.milestones)]
    return tuple(each for each in dict.fromkeys([first, *newest]) if each)[:_MOST_TRACES]
