"""Findings of rules about orders: which orders may be found is one look of the engine, each is judged from its journey.

That look is one for all rules that have their turn about then. A journey is read and judged when it is new or has
changed, and when time tells something else of it: so what thousands of orders behind one dead worker cost is read once.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from clew.detect.candidates import candidates_of
from clew.detect.orders import finding_of
from clew.model.alert import Finding
from clew.model.flow import Flow
from clew.model.journey import Journey
from clew.model.rule import Judged, Rule
from clew.model.watched import Candidates
from clew.store.contract import Store
from clew.store.rule_orders import PAGE, Candidate, candidates_of_each, read_journeys

_SECOND_NS = 10**9
_AGAIN_NS = 30 * _SECOND_NS
_AGAIN_OF_MANY_NS = 300 * _SECOND_NS
_MANY = 500
_NOT_YET_NS = 5 * _SECOND_NS
_SERVES_NS, _SERVES_MOST_NS, _SERVES_TIMES = 3 * _SECOND_NS, 6 * _SECOND_NS, 30
"""What was read serves all rules for as long as a rule rests, and longer the dearer it was: their turns drift apart."""
ENDED_WITHIN_NS = 900 * _SECOND_NS
"""An order that ended is looked at for so long after it ended, or after that was first told: longer than rules wait
after Clew was down."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What was found of a version of a row, and when it is to be judged again at the latest (Unix ns)."""

    version: int
    again_ns: int
    finding: Finding | None


@dataclass(frozen=True, slots=True)
class _Read:
    """The orders that rules may find, read at a moment for all that had looked before; it serves for so long."""

    at_ns: int
    serves_ns: int
    asked: Mapping[str, Candidates]
    found: Mapping[str, Sequence[Candidate]]


@dataclass(slots=True)
class OrderLooks:
    """Looks for rules of order shapes. One at a time; not for the main thread.

    ``flows`` answers the flows in force, the default one first; by ``clock_ns`` looks are timed.
    """

    store: Store
    flows: Callable[[], Sequence[Flow]]
    clock_ns: Callable[[], int] = time.monotonic_ns
    _read: _Read | None = None
    _known: dict[str, dict[str, _Known]] = field(default_factory=dict)
    _flows: tuple[Flow, ...] = ()

    def look(self, rule: Rule, now_ns: int) -> list[Finding]:
        """All that the rule finds now, orders that ended lately among them where the rule asks for facts."""
        flows = self._current_flows()
        candidates = self._candidates(rule.name, candidates_of(rule, flows), now_ns)
        known = self._known.get(rule.name, {})
        kept = {each.order_id: told for each in candidates if (told := _still(known.get(each.order_id), each, now_ns))}
        fresh = [each for each in candidates if each.order_id not in kept]
        by_name = {flow.name: flow for flow in flows}
        for at in range(0, len(fresh), PAGE):
            part = fresh[at : at + PAGE]
            versions = {each.order_id: each.version for each in part}
            # An order that ended since candidates were read lies elsewhere: what is known holds until the next read.
            kept |= {order_id: known[order_id] for order_id in versions if order_id in known}
            for journey in read_journeys(self.store, part):
                flow = by_name.get(journey.flow) or Flow(journey.flow, 0, ())
                found = finding_of(rule, journey, flow, now_ns)
                again_ns = (
                    _not_yet(rule, journey, flow, now_ns)
                    if found is None
                    else _again(journey.order_id, now_ns, many=len(candidates) > _MANY)
                )
                kept[journey.order_id] = _Known(versions[journey.order_id], again_ns, found)
        self._known[rule.name] = kept
        return [told.finding for told in kept.values() if told.finding is not None]

    def _candidates(self, name: str, asked: Candidates, now_ns: int) -> Sequence[Candidate]:
        """The orders that a rule may find, of what was read just now, or read for all rules that looked before, too."""
        read = self._read
        if read is None or read.asked.get(name) != asked or not 0 <= now_ns - read.at_ns < read.serves_ns:
            all_asked = {**(read.asked if read else {}), name: asked}
            began_ns = self.clock_ns()
            found = candidates_of_each(self.store, all_asked, now_ns, now_ns - ENDED_WITHIN_NS)
            serves_ns = max(_SERVES_NS, min(_SERVES_TIMES * (self.clock_ns() - began_ns), _SERVES_MOST_NS))
            self._read = read = _Read(now_ns, serves_ns, all_asked, found)
        return read.found[name]

    def _current_flows(self) -> tuple[Flow, ...]:
        """The flows in force; when they are others than before, everything is judged anew."""
        flows = tuple(self.flows())
        if flows != self._flows:
            self._known.clear()
            self._flows = flows
        return flows


def _still(known: _Known | None, candidate: Candidate, now_ns: int) -> _Known | None:
    return known if known and known.version == candidate.version and now_ns < known.again_ns else None


def _again(order_id: str, now_ns: int, *, many: bool) -> int:
    """When to judge again what was found; of many not all in one look. What is said of few is soon said anew."""
    if not many:
        return now_ns + _AGAIN_NS
    return now_ns + _AGAIN_OF_MANY_NS + zlib.crc32(order_id.encode(errors="surrogatepass")) % 60 * _SECOND_NS


def _not_yet(rule: Rule, journey: Journey, flow: Flow, now_ns: int) -> int:
    """When to judge again in which nothing is found: a journey stays the same, so what comes of it is known ahead,
    but for one verdict that follows another."""
    if isinstance(rule.shape, Judged):
        return now_ns + _NOT_YET_NS
    ahead_ns = now_ns + _AGAIN_OF_MANY_NS
    found = finding_of(rule, journey, flow, ahead_ns)
    return ahead_ns if found is None else max(found.since_ns, now_ns + _SECOND_NS)
