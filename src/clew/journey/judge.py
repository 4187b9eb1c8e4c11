"""What to say of an order now.

The kind of a verdict is a comparison of the journey's own columns with the clock, so that the store's
list query can repeat it. The first line that holds is the answer:

    terminal = closed                               closed
    terminal = cancelled                            cancelled
    lost_from not null and lost_from <= now         lost
    failure not null                                failed
    deadline_at not null and deadline_at <= now     stuck
    warn_at not null and warn_at <= now             in_jeopardy
    on_hold (the last hold has no end)              on_hold
    else                                            on_time

Why ``on_hold`` stands so low: a hold stops the clock of the stage, and nothing else. A message that was
lost during a hold is still lost, a failed stage still failed. While a hold lasts, ``deadline_at`` is the end of
the flow's hold limit (null without one) and ``warn_at`` comes from the due date only, since the customer's
calendar doesn't stop. ``warn_at`` is never after the due date, so the due date needs no comparison of its own. Where
finished orders tell that the order will probably end after it, ``warn_at`` is at the latest when that began to be so.
"""

from __future__ import annotations

from clew.journey.holds import held_ns
from clew.journey.rebuild import watched
from clew.journey.words import in_short
from clew.model.flow import Flow, Stage, Terminal
from clew.model.journey import Failure, Journey, Loss, LostReason, Milestone, Verdict, VerdictKind
from clew.model.lengths import ago, how_long


def judge(journey: Journey, flow: Flow, now_ns: int) -> Verdict:
    """The verdict on a journey at a moment, with its reason, its evidence and who must act.

    ``since_ns`` is when the verdict began to hold: the end, the loss, the failure, the deadline, the warning, the
    hold, or for an order on time its entry into the stage.
    """
    kind = verdict_kind(journey, now_ns)
    match kind:
        case VerdictKind.CLOSED | VerdictKind.CANCELLED:
            return _ended(journey, kind, now_ns)
        case VerdictKind.LOST:
            return _lost(journey, journey.losses[0], flow, now_ns)
        case VerdictKind.FAILED:
            assert journey.failure is not None, "this kind follows from it"
            return _failed(journey, journey.failure, flow, now_ns)
        case _ if journey.imported:
            return _told_by_imports(journey, kind, now_ns)
        case _:
            return _waiting(journey, flow, kind, now_ns)


def verdict_kind(journey: Journey, now_ns: int) -> VerdictKind:
    """The kind alone, by the comparison that this module's docstring states."""
    if journey.terminal is not None:
        return VerdictKind.CLOSED if journey.terminal is Terminal.CLOSED else VerdictKind.CANCELLED
    if journey.lost_from_ns is not None and journey.lost_from_ns <= now_ns:
        return VerdictKind.LOST
    if journey.failure is not None:
        return VerdictKind.FAILED
    if journey.deadline_at_ns is not None and journey.deadline_at_ns <= now_ns:
        return VerdictKind.STUCK
    if journey.warn_at_ns is not None and journey.warn_at_ns <= now_ns:
        return VerdictKind.IN_JEOPARDY
    return VerdictKind.ON_HOLD if journey.on_hold else VerdictKind.ON_TIME


def owner_of(stage: Stage | None) -> str:
    """Who must act on an order that waits in a stage: the people it names, else the service that has the order.

    The stage in which an order waits decides, not the next one: a flow may branch, but somebody has the order now.
    """
    return (stage.owner or stage.service) if stage else ""


def _ended(journey: Journey, kind: VerdictKind, now_ns: int) -> Verdict:
    end = journey.milestones[-1]
    by = f" by {end.service}" if end.service else ""
    took = (
        f", {how_long(end.at_ns - journey.milestones[0].at_ns)} after it began" if len(journey.milestones) > 1 else ""
    )
    later = f"; {journey.after_end[-1].stage} came after the end" if journey.after_end else ""
    reason = f"{kind} {ago(end.at_ns, now_ns)}{by}{took}{later}"
    return Verdict(kind, end.at_ns, reason, "", end.trace_id, end.span_id)


def _lost(journey: Journey, loss: Loss, flow: Flow, now_ns: int) -> Verdict:
    """The publisher mends what no queue takes; everything else, whoever has the order in this stage."""
    stage = flow.stage(journey.stage)
    taker = (stage.service or stage.owner) if stage and loss.reason is not LostReason.UNROUTABLE else ""
    reason = loss_sentence(loss, now_ns)
    return Verdict(VerdictKind.LOST, loss.published_ns, reason, taker or loss.service, loss.trace_id, loss.span_id)


def loss_sentence(loss: Loss, now_ns: int) -> str:
    """What happened to a hand-over, in one sentence."""
    target = loss.destination or loss.queue or "an unnamed destination"
    queue = loss.queue or target
    published = f"published to {target} {ago(loss.published_ns, now_ns)} by {loss.service or 'an unnamed service'}"
    detail = f" ({in_short(loss.detail)})" if loss.detail else ""
    match loss.reason:
        case LostReason.IN_QUEUE:
            end = ", nobody consumed it" if queue == target else f", waits in {queue}, nobody consumed it"
        case LostReason.UNROUTABLE:
            end = ", but no queue is bound there, so the broker returned it"
        case LostReason.EXPIRED:
            end = f", expired in {queue} before anybody took it"
        case LostReason.REJECTED:
            end = f", rejected from {queue} and not seen since"
        case LostReason.DEAD_LETTERED:
            end = f", dead-lettered from {queue}"
        case LostReason.CONSUMED_WITHOUT_EFFECT:
            end = ", consumed, but the order never moved on"
        case LostReason.UNKNOWN:
            end = ", and no trace of it since"
    return published + end + detail


def _failed(journey: Journey, failure: Failure, flow: Flow, now_ns: int) -> Verdict:
    stage = failure.stage or journey.stage
    where = f" in {stage}" if stage else ""
    by = f" by {failure.service}" if failure.service else ""
    error = f": {in_short(failure.error)}" if failure.error else ""
    still = f"; still in {journey.stage}" if journey.stage and journey.stage != stage else ""
    owner = failure.service or owner_of(flow.stage(journey.stage))
    reason = f"failed{where} {ago(failure.at_ns, now_ns)}{by}{error}{still}"
    return Verdict(VerdictKind.FAILED, failure.at_ns, reason, owner, failure.trace_id, failure.span_id)


def _told_by_imports(journey: Journey, kind: VerdictKind, now_ns: int) -> Verdict:
    last = f"in {journey.stage} {ago(journey.entered_ns, now_ns)}" if journey.stage else ago(journey.last_ns, now_ns)
    return Verdict(kind, journey.entered_ns, f"last seen {last}, by imported history alone: nobody watches it")


def _waiting(journey: Journey, flow: Flow, kind: VerdictKind, now_ns: int) -> Verdict:
    milestone = watched(journey, flow) or (journey.milestones[-1] if journey.milestones else None)
    stage = flow.stage(milestone.stage) if milestone else None
    late = kind in (VerdictKind.STUCK, VerdictKind.IN_JEOPARDY)
    if journey.on_hold:
        reason = _hold_words(journey, flow, kind, now_ns)
    else:
        reason = _dwell_words(journey, milestone, stage, now_ns) + _strange_words(journey, milestone, flow)
    if kind is VerdictKind.IN_JEOPARDY:
        reason += _due_words(journey, now_ns)
    if late and not journey.on_hold and stage and stage.service:
        reason += f"; waiting for {stage.service}"
    evidence = ("", "") if milestone is None else (milestone.trace_id, milestone.span_id)
    return Verdict(kind, _since_ns(journey, kind), reason, owner_of(stage), *evidence)


def _since_ns(journey: Journey, kind: VerdictKind) -> int:
    begins = {
        VerdictKind.STUCK: journey.deadline_at_ns,
        VerdictKind.IN_JEOPARDY: journey.warn_at_ns,
        VerdictKind.ON_HOLD: journey.holds[-1].begin_ns if journey.holds else None,
    }
    begin_ns = begins.get(kind)
    return journey.entered_ns if begin_ns is None else begin_ns


def _dwell_words(journey: Journey, milestone: Milestone | None, stage: Stage | None, now_ns: int) -> str:
    if milestone is None:
        return f"first heard of {ago(journey.first_ns, now_ns)}, no stage known yet"
    held = held_ns(journey.holds, milestone.at_ns, now_ns)
    paused = f" ({how_long(held)} on hold not counted)" if held else ""
    limit = stage.limit(journey.path) if stage else None
    allowed = f", allowed {how_long(limit.allowed_ns)}" if limit else ""
    return f"in {milestone.stage} for {how_long(now_ns - milestone.at_ns - held)}{paused}{allowed}"


def _strange_words(journey: Journey, milestone: Milestone | None, flow: Flow) -> str:
    """That the flow doesn't know the stage: a mistyped one has no limit, so nothing else would ever tell of it."""
    if milestone is None or not flow.stages or flow.stage(journey.stage):
        return ""
    then = f", then {journey.stage}" if milestone.stage != journey.stage else ""
    return f"{then}, which the flow doesn't know"


def _due_words(journey: Journey, now_ns: int) -> str:
    if journey.due_at_ns is None:
        return ""
    if journey.due_at_ns <= now_ns:
        return f"; its due date passed {ago(journey.due_at_ns, now_ns)}"
    projected = journey.late_from_ns is not None and journey.late_from_ns <= now_ns
    return f"; due in {how_long(journey.due_at_ns - now_ns)}{', projected to end later' if projected else ''}"


def _hold_words(journey: Journey, flow: Flow, kind: VerdictKind, now_ns: int) -> str:
    held = how_long(now_ns - journey.holds[-1].begin_ns)
    where = f" in {journey.stage}" if journey.stage else ""
    allowed = f", allowed {how_long(flow.hold_limit_ns)}" if flow.hold_limit_ns and kind is VerdictKind.STUCK else ""
    return f"on hold{where} for {held}{allowed}"
