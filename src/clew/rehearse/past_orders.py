"""What rules about orders would have found over a range of the past, each order refolded as it stood.

    facts up to each moment --the fold--> journey --the rules--> found from ... until ...

Between two facts a journey doesn't change, and what a rule finds in it begins at most once, at a moment that the
finding tells, except where one verdict follows another: those moments are looked at, too. Watching is assumed, as in
clew.learn.as_of; a message that was lost for a while and turned up again isn't known any more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from clew.detect.orders import finding_of
from clew.journey.in_force import FlowInForce
from clew.journey.losses import transit_limits
from clew.learn.as_of import fold_at
from clew.learn.projection import RemainingTimes, project
from clew.model.alert import Finding
from clew.model.event import StageEvent
from clew.model.flow import Flow
from clew.model.journey import Journey, Loss, LostReason
from clew.model.rule import Rule
from clew.store.contract import Store
from clew.store.facts import read_events, read_losses
from clew.store.hops import TransitLimits
from clew.store.rule_history import UnderWay

MOST = 20_000
"""About so many orders are refolded for one answer; of more it is a sample of whole orders."""

ENDED_FOR_NS = 10 * 10**9
"""What is found in an order that has ended is found by one look."""

_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Held:
    """A finding that held from a moment until another one (None: still, at the end of the range)."""

    rule: str
    finding: Finding
    from_ns: int
    until_ns: int | None


def held_in_orders(
    store: Store,
    flows: Sequence[FlowInForce],
    rules: Sequence[Rule],
    orders: Sequence[UnderWay],
    from_ns: int,
    until_ns: int,
    remaining: RemainingTimes,
) -> Iterator[Held]:
    """What rules about orders would have found in a range, order by order."""
    limits = transit_limits(each.flow for each in flows)
    by_name = {each.flow.name: each.flow for each in flows}
    for start in range(0, len(orders), _AT_ONCE):
        part = orders[start : start + _AT_ONCE]
        ids = sorted({each for order in part for each in (order.order_id, *order.other_ids)})
        events = read_events(store, ids, min(order.first_ns for order in part), until_ns=until_ns)
        said = read_losses(store, ids)
        for order in part:
            group = (order.order_id, *order.other_ids)
            facts = [event for each in group for event in events.get(each, ())]
            losses = [told.loss for each in group for told in said.get(each, ()) if told.loss]
            past = _Past(order.order_id, facts, losses, flows, limits, remaining)
            yield from _held(past, by_name, rules, from_ns, until_ns)


@dataclass(frozen=True, slots=True)
class _Past:
    """All that is known of an order up to the end of the range."""

    order_id: str
    events: Sequence[StageEvent]
    losses: Sequence[Loss]
    flows: Sequence[FlowInForce]
    limits: TransitLimits
    remaining: RemainingTimes

    def moments(self) -> list[int]:
        """When its journey may have changed."""
        told = {loss.published_ns + self._silent_ns(loss) for loss in self.losses}
        return sorted({event.at_ns for event in self.events} | told)

    def at(self, at_ns: int) -> Journey:
        """Its journey at one of these moments."""
        return project(fold_at(self.order_id, self.events, self.losses, self.flows, self.limits, at_ns), self.remaining)

    def _silent_ns(self, loss: Loss) -> int:
        silent = loss.reason in (LostReason.IN_QUEUE, LostReason.UNKNOWN)
        return (self.limits.of(loss.destination) or 0) if silent else 0


def _held(past: _Past, flows: dict[str, Flow], rules: Sequence[Rule], from_ns: int, until_ns: int) -> Iterator[Held]:
    open_: dict[str, Held] = {}
    first_ns = min((event.at_ns for event in past.events), default=until_ns)
    moments = [each for each in past.moments() if first_ns <= each < until_ns]
    if not moments:
        return  # its facts are gone already
    ends = [*moments[1:], until_ns]
    for begin_ns, end_ns in zip(moments, ends, strict=True):
        if end_ns <= from_ns and end_ns != ends[-1]:
            continue
        journey = past.at(begin_ns)
        flow = flows.get(journey.flow) or Flow(journey.flow, 0, ())
        for part_ns, stop_ns in _parts(journey, begin_ns, end_ns):
            for rule in rules:
                yield from _go_on(open_, rule, journey, flow, part_ns, stop_ns)
        if journey.terminal is not None:
            break
    yield from (replace(each, until_ns=None if each.until_ns == until_ns else each.until_ns) for each in open_.values())


def _parts(journey: Journey, begin_ns: int, end_ns: int) -> Iterator[tuple[int, int]]:
    """The parts of a time in which no fact came, by the moments at which one verdict follows another."""
    if journey.terminal is not None:
        yield begin_ns, begin_ns + ENDED_FOR_NS
        return
    turns = {journey.warn_at_ns, journey.deadline_at_ns, journey.lost_from_ns}
    cuts = [begin_ns, *sorted(each for each in turns if each is not None and begin_ns < each < end_ns), end_ns]
    yield from pairwise(cuts)


def _go_on(
    open_: dict[str, Held], rule: Rule, journey: Journey, flow: Flow, part_ns: int, stop_ns: int
) -> Iterator[Held]:
    """Go on with what held, begin what begins in a part of time, with the words of that moment, and tell what ended."""
    found = finding_of(rule, journey, flow, stop_ns - 1)
    before = open_.get(rule.name)
    begins_ns = part_ns if found is None else min(max(part_ns, found.since_ns), stop_ns - 1)
    if before is not None and (found is None or begins_ns > part_ns or before.until_ns != part_ns):
        yield open_.pop(rule.name)
        before = None
    if found is None:
        return
    if before is not None:
        open_[rule.name] = replace(before, until_ns=stop_ns)
    else:
        first = finding_of(rule, journey, flow, begins_ns) or found
        open_[rule.name] = Held(rule.name, first, begins_ns, stop_ns)
