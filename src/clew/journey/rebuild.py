"""The one fold: from the set of facts about an order to its journey.

    events --distinct, ordered--> facts --clocks put right--> entries --repeats collapsed--> milestones, visits
                                     \\--> holds, failure, due date, user, aliases, attributes, traces
    milestones + flow --> path, deviations, warning and deadline; losses that nothing healed

A pure function of the *set* of events: late, repeated and shuffled ones tell the same journey.
The rules are argued in docs/decisions/0050 to 0052.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import NamedTuple

from clew.flow.graph import Ways
from clew.journey.holds import holds_of, moment_after
from clew.journey.plan import plan_of
from clew.model.event import Outcome, Source, StageEvent
from clew.model.flow import Flow
from clew.model.journey import Failure, Hold, Journey, Loss, LostReason, Milestone, Visit

CLOCK_SKEW_NS = 2_000_000_000
"""Two services' clocks are taken to agree within this: well above what NTP usually leaves (tens of milliseconds), with
room for a host that was just resumed, and shorter than any stage that people watch. See docs/decisions/0051."""


def rebuild(order_id: str, events: Iterable[StageEvent], flow: Flow, losses: Sequence[Loss] = ()) -> Journey:
    """The journey that the set of events and losses tells, by the flow.

    Events may come in any order, late and repeated. A failed attempt enters no stage and resets no clock.
    """
    plan = plan_of(flow)
    facts = distinct_facts(events, plan.position)
    told = _told_by(facts)
    entries = _clocks_put_right([fact for fact in facts if _enters(fact)], plan.ways)
    milestones, after_end = _cut_at_end(_collapsed(entries), plan.ends)
    imported = bool(facts) and set(told.source) == {Source.IMPORT}
    terminal = plan.ends.get(milestones[-1].stage) if milestones else None
    path = _path(told, milestones, flow)
    holds = holds_of(facts, milestones[-1].at_ns if terminal else None) if told.hold.count(None) < len(facts) else ()
    due_at_ns = next((due_at_ns for due_at_ns in reversed(told.due_at_ns) if due_at_ns is not None), None)
    warn_at_ns, deadline_at_ns = (
        (None, None) if terminal or imported else _clock(milestones, holds, flow, path, due_at_ns)
    )
    open_losses = _surest_first(unhealed(losses, facts)) if losses else ()
    return Journey(
        order_id=order_id,
        flow=flow.name,
        flow_version=flow.version,
        path=path,
        milestones=milestones,
        after_end=after_end,
        holds=holds,
        deviations=plan.deviations(milestones + after_end, path),
        failure=_failure(facts),
        losses=open_losses,
        lost_from_ns=lost_from(open_losses, deadline_at_ns),
        terminal=terminal,
        warn_at_ns=warn_at_ns,
        deadline_at_ns=deadline_at_ns,
        due_at_ns=due_at_ns,
        user_id=next(filter(None, told.user_id), ""),
        aliases=_union(told.aliases),
        first_ns=told.at_ns[0] if facts else 0,
        last_ns=told.at_ns[-1] if facts else 0,
        traces=tuple(sorted({*told.trace_id} - {""})),
        errors=told.outcome.count(Outcome.FAILED),
        facts=len(facts),
        visits=_visits(entries),
        attributes=_union(told.attributes),
        imported=imported,
    )


def distinct_facts(events: Iterable[StageEvent], position: Mapping[str, int]) -> Sequence[StageEvent]:
    """The events without repeats, ordered by time, then the flow's order, then span id, then content.

    Two events are the same fact when they differ at most in when and by which door they came in; what telemetry tells
    and what an import tells are two. ``position`` is the place of each stage in the flow.
    """
    ordered = sorted(events, key=_AT_NS)
    if len({event.at_ns for event in ordered}) == len(ordered):
        return ordered  # time alone tells them apart, as it mostly does
    known = {_identity(event, position): event for event in ordered}
    return [known[key] for key in sorted(known)]


_AT_NS = attrgetter("at_ns")


class _Told(NamedTuple):
    """Facts by column: what each of them says, in their order."""

    order_id: tuple[str, ...]
    stage: tuple[str, ...]
    at_ns: tuple[int, ...]
    service: tuple[str, ...]
    trace_id: tuple[str, ...]
    span_id: tuple[str, ...]
    flow: tuple[str, ...]
    path: tuple[str, ...]
    actor: tuple[str, ...]
    outcome: tuple[Outcome, ...]
    error: tuple[str, ...]
    hold: tuple[bool | None, ...]
    due_at_ns: tuple[int | None, ...]
    user_id: tuple[str, ...]
    aliases: tuple[Mapping[str, str], ...]
    attributes: tuple[Mapping[str, str], ...]
    source: tuple[Source, ...]
    received_ns: tuple[int, ...]


_NOTHING_TOLD = _Told(*[()] * len(_Told._fields))


def _told_by(facts: Sequence[StageEvent]) -> _Told:
    return _Told(*zip(*facts, strict=True)) if facts else _NOTHING_TOLD


def unhealed(losses: Iterable[Loss], facts: Iterable[StageEvent]) -> tuple[Loss, ...]:
    """The distinct losses that still count, the oldest first.

    A loss is healed when, after the message was published, a service other than the publisher brought
    the order into a stage: the hand-over took effect in some way, and the order isn't where it was.
    A milestone of the publisher itself proves nothing: it may report its own step after publishing.
    """
    entries = [(fact.at_ns, fact.service) for fact in facts if _enters(fact)]
    left = {
        loss
        for loss in losses
        if not any(at_ns > loss.published_ns and service != loss.service for at_ns, service in entries)
    }
    return tuple(sorted(left, key=attrgetter("published_ns", "trace_id", "span_id", "destination", "reason", "detail")))


def _surest_first(losses: Iterable[Loss]) -> tuple[Loss, ...]:
    return tuple(sorted(losses, key=lambda loss: loss.reason is LostReason.UNKNOWN))


def lost_from(losses: Sequence[Loss], deadline_at_ns: int | None) -> int | None:
    """When losses (the surest first) begin to count; None when they don't.

    A reason that somebody stated counts from the publish on. Where all that is known is that no consumer was ever seen
    (pull consumers emit no span), the order must be late as well: an untold message is no false alarm then.
    """
    if not losses:
        return None
    return deadline_at_ns if losses[0].reason is LostReason.UNKNOWN else losses[0].published_ns


def watched(journey: Journey, flow: Flow) -> Milestone | None:
    """The milestone whose stage's clock runs: the last one that the flow declares.

    An undeclared stage has no limit of its own and must not stop the clock of the declared one.
    """
    return _watched(journey.milestones, flow)


def _watched(milestones: Sequence[Milestone], flow: Flow) -> Milestone | None:
    declared = {stage.name for stage in flow.stages}
    return next((milestone for milestone in reversed(milestones) if milestone.stage in declared), None)


def _identity(event: StageEvent, position: Mapping[str, int]) -> tuple[object, ...]:
    """What makes a fact distinct, beginning with the tie rule: time, the flow's order, span id."""
    return (
        event.at_ns,
        position.get(event.stage, len(position)),
        event.span_id,
        event.stage,
        event.outcome,
        -1 if event.hold is None else int(event.hold),
        event.service,
        event.trace_id,
        event.path,
        -1 if event.due_at_ns is None else event.due_at_ns,
        event.user_id,
        event.actor,
        event.error,
        event.flow,
        event.order_id,
        tuple(sorted(event.aliases.items())),
        tuple(sorted(event.attributes.items())),
        event.source is Source.IMPORT,
    )


def _enters(fact: StageEvent) -> bool:
    return bool(fact.stage) and fact.outcome is Outcome.OK


def _clocks_put_right(entries: Sequence[StageEvent], ways: Ways) -> list[StageEvent]:
    """The entries in journey order: by time, except where skewed clocks contradict the flow.

    An entry moves before those that another service reported up to `CLOCK_SKEW_NS` earlier, when the
    flow itself says it comes first.
    """
    if len({entry.service for entry in entries}) < 2:
        return list(entries)
    ordered: list[StageEvent] = []
    for entry in entries:
        place = len(ordered)
        while place and _contradicts(ordered[place - 1], entry, ways):
            place -= 1
        ordered.insert(place, entry)
    return ordered


def _contradicts(earlier: StageEvent, entry: StageEvent, ways: Ways) -> bool:
    return (
        earlier.service != entry.service
        and entry.at_ns - earlier.at_ns <= CLOCK_SKEW_NS
        and ways.precedes(entry.stage, earlier.stage)
    )


def _collapsed(entries: Iterable[StageEvent]) -> list[Milestone]:
    """Milestones: the first entry of each run of the same stage."""
    milestones: list[Milestone] = []
    for entry in entries:
        if not milestones or milestones[-1].stage != entry.stage:
            milestones.append(
                Milestone(entry.stage, entry.at_ns, entry.service, entry.trace_id, entry.span_id, entry.actor)
            )
    return milestones


def _visits(entries: Sequence[StageEvent]) -> tuple[Visit, ...]:
    """What reports count as entries into stages.

    Reporters of telemetry repeat themselves, so a repeat of the stage an order is in is the same visit; a row of
    imported history after another is one of its own, unless its moment is the same too.
    """
    visits: list[Visit] = []
    before: Source | None = None
    for entry in entries:
        another_row = entry.source is Source.IMPORT is before and visits[-1].at_ns != entry.at_ns
        if not visits or visits[-1].stage != entry.stage or another_row:
            visits.append(Visit(entry.stage, entry.at_ns))
        before = entry.source
    return tuple(visits)


def _cut_at_end(
    milestones: Sequence[Milestone], ends: Container[str]
) -> tuple[tuple[Milestone, ...], tuple[Milestone, ...]]:
    """The journey up to its first terminal stage, and what came after: an ended order doesn't reopen."""
    for index, milestone in enumerate(milestones, start=1):
        if milestone.stage in ends:
            return tuple(milestones[:index]), tuple(milestones[index:])
    return tuple(milestones), ()


def _path(told: _Told, milestones: Sequence[Milestone], flow: Flow) -> str:
    """The path that the earliest fact names, else the first that the first stage is an entry of."""
    named = next(filter(None, told.path), "")
    if named or not milestones:
        return named
    first = milestones[0].stage
    return next((path for path, entries in flow.paths.items() if first in entries), "")


def _clock(
    milestones: Sequence[Milestone], holds: Sequence[Hold], flow: Flow, path: str, due_at_ns: int | None
) -> tuple[int | None, int | None]:
    """When jeopardy begins and when the limit is reached, for an order that hasn't ended."""
    warn_ns, deadline_ns = _stage_clock(milestones, holds, flow, path)
    # A due date that was sent in seconds lies in 1970: still a moment after 0, which the store keeps for "none".
    ahead_ns = None if due_at_ns is None else max(1, due_at_ns - flow.due_margin_ns)
    return min((moment for moment in (warn_ns, ahead_ns) if moment is not None), default=None), deadline_ns


def _stage_clock(
    milestones: Sequence[Milestone], holds: Sequence[Hold], flow: Flow, path: str
) -> tuple[int | None, int | None]:
    if holds and holds[-1].end_ns is None:
        return None, None if flow.hold_limit_ns is None else holds[-1].begin_ns + flow.hold_limit_ns
    current = _watched(milestones, flow)
    stage = flow.stage(current.stage) if current else None
    limit = stage.limit(path) if stage else None
    if current is None or limit is None:
        return None, None
    return moment_after(current.at_ns, limit.warn_ns, holds), moment_after(current.at_ns, limit.allowed_ns, holds)


def _failure(facts: Sequence[StageEvent]) -> Failure | None:
    """The last failed attempt, unless the order came into any stage after it."""
    for fact in reversed(facts):
        if _enters(fact):
            return None
        if fact.outcome is Outcome.FAILED:
            return Failure(fact.stage, fact.at_ns, fact.error, fact.service, fact.trace_id, fact.span_id)
    return None


def _union(told: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """All that facts, the earliest first, told by name; where two differ, the later one is right. Sorted by name."""
    union: dict[str, str] = {}
    before: Mapping[str, str] = union
    for each in told:
        if each is not before:
            union.update(each)
            before = each
    return dict(sorted(union.items()))
