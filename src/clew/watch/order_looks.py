"""Findings of rules about orders: which orders may be found is one look of the engine, each is judged from its journey.

A journey is read and judged when it is new or has changed, and now and then because time passes: so what thousands of
orders behind one dead worker cost is read once, not with every look.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from clew.detect.candidates import candidates_of
from clew.detect.orders import finding_of
from clew.model.alert import Finding
from clew.model.flow import Flow
from clew.model.rule import Rule
from clew.store.contract import Store
from clew.store.rule_orders import PAGE, Candidate, candidate_orders, read_journeys

_SECOND_NS = 10**9
_AGAIN_NS = 30 * _SECOND_NS
_AGAIN_OF_MANY_NS = 300 * _SECOND_NS
_MANY = 500
_NOT_YET_NS = 5 * _SECOND_NS
ENDED_WITHIN_NS = 900 * _SECOND_NS
"""An order that ended is looked at for so long after it ended, or after something of it was told: longer than rules
wait after Clew was down."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What was found of a version of a row, and when it is to be judged again at the latest (Unix ns)."""

    version: int
    again_ns: int
    finding: Finding | None


@dataclass(slots=True)
class OrderLooks:
    """Looks for rules of order shapes. One at a time; not for the main thread.

    ``flows`` answers the flows in force, the default one first.
    """

    store: Store
    flows: Callable[[], Sequence[Flow]]
    _known: dict[str, dict[str, _Known]] = field(default_factory=dict)
    _flows: tuple[Flow, ...] = ()

    def look(self, rule: Rule, now_ns: int) -> list[Finding]:
        """All that the rule finds now, orders that ended lately among them where the rule asks for facts."""
        flows = self._current_flows()
        candidates = candidate_orders(self.store, candidates_of(rule, flows), now_ns, now_ns - ENDED_WITHIN_NS)
        known = self._known.get(rule.name, {})
        kept = {each.order_id: told for each in candidates if (told := _still(known.get(each.order_id), each, now_ns))}
        fresh = [each for each in candidates if each.order_id not in kept]
        by_name = {flow.name: flow for flow in flows}
        for at in range(0, len(fresh), PAGE):
            part = fresh[at : at + PAGE]
            versions = {each.order_id: each.version for each in part}
            for journey in read_journeys(self.store, part):
                flow = by_name.get(journey.flow) or Flow(journey.flow, 0, ())
                found = finding_of(rule, journey, flow, now_ns)
                again_ns = _again(journey.order_id, found, now_ns, many=len(candidates) > _MANY)
                kept[journey.order_id] = _Known(versions[journey.order_id], again_ns, found)
        self._known[rule.name] = kept
        return [told.finding for told in kept.values() if told.finding is not None]

    def _current_flows(self) -> tuple[Flow, ...]:
        """The flows in force; when they are others than before, everything is judged anew."""
        flows = tuple(self.flows())
        if flows != self._flows:
            self._known.clear()
            self._flows = flows
        return flows


def _still(known: _Known | None, candidate: Candidate, now_ns: int) -> _Known | None:
    return known if known and known.version == candidate.version and now_ns < known.again_ns else None


def _again(order_id: str, finding: Finding | None, now_ns: int, *, many: bool) -> int:
    """When to judge again at the latest; of many not all in one look. What is said of few is soon said anew."""
    if finding is None:
        return now_ns + _NOT_YET_NS
    if not many:
        return now_ns + _AGAIN_NS
    return now_ns + _AGAIN_OF_MANY_NS + zlib.crc32(order_id.encode(errors="surrogatepass")) % 60 * _SECOND_NS
