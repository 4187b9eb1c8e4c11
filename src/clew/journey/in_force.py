"""The flows that judge now, and how they change."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from clew.flow import default_flow_text, parse_flow, rules_sql
from clew.model.errors import ClewError
from clew.model.flow import Flow
from clew.store.contract import Store
from clew.store.flows import AppliedFlow, applied_flows, count_applications, record_drop, record_flow
from clew.store.imports import reopen_imports
from clew.store.rederive import rederive_stage_events, touch_open_orders

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FlowInForce:
    """A flow, its text, how often flows of its name were applied (``revision``), and the epoch it judges in.

    A new epoch begins when any flow is applied, or the events of an import were taken back. What was judged in a later
    epoch outranks what was judged in an earlier one.
    """

    flow: Flow
    revision: int
    text: str
    epoch: int = 0


class LastFlow(ClewError):
    """The only flow in force can't be taken out of force."""


class FlowBook:
    """Knows the flows in force and applies new ones. Any thread but the main one."""

    def __init__(self, store: Store) -> None:
        """Nothing is in force until `start`."""
        self._store = store
        self._changing = threading.Lock()
        self._current: tuple[FlowInForce, ...] = ()

    @property
    def current(self) -> tuple[FlowInForce, ...]:
        """The flows in force, the default one first; never empty after `start`."""
        return self._current

    def start(self, texts: Sequence[str]) -> None:
        """Put flows in force: these texts, else those applied last, else the shipped default.

        Texts that changed since their last application are applied from now on. Raises FlowError.
        """
        with self._changing:
            if not texts:
                texts = [each.text for each in _latest(applied_flows(self._store))] or [default_flow_text()]
            before = {each.name: each for each in _latest(applied_flows(self._store))}
            self._current = tuple(self._record(text) for text in texts)
            self._store.use_rules(rules_sql([each.flow for each in self._current]))
            for each in self._current:
                if (last := before.get(each.flow.name)) and last.revision != each.revision:
                    touch_open_orders(self._store, each.flow.name)

    def declare(self, texts: Sequence[str]) -> list[str]:
        """Judge by these flows from now on, the first being the default one, and by no others; what changed.

        Raises FlowError and changes nothing when a text is wrong.
        """
        flows = [parse_flow(text) for text in texts]
        with self._changing:
            before = {each.flow.name: each.text for each in self._current}
            if list(before.values()) == list(texts):
                return []
            gone = [name for name in before if name not in {flow.name for flow in flows}]
            for name in gone:
                record_drop(self._store, name)
            recorded = [self._record(text) for text in texts]
            self._current = tuple(replace(each, epoch=recorded[-1].epoch) for each in recorded)
            self._store.use_rules(rules_sql(flows))
            changed = [each.flow.name for each in recorded if before.get(each.flow.name) != each.text]
            for name in (*changed, *gone):
                touch_open_orders(self._store, name if name in before else "")
                reopen_imports(self._store, name)
            told = [f"flow {name}: {'changed' if name in before else 'new'}" for name in changed]
            return [*told, *(f"flow {name}: gone" for name in gone)] or ["flows: in another order"]

    def apply(self, text: str, since_ns: int | None = None) -> FlowInForce:
        """Judge by this flow from now on; with ``since_ns`` re-derive stage events since then by its rules too.

        Open orders and imported history are judged anew, ended orders keep their judgement unless their events
        are re-derived. Raises FlowError and changes nothing when the text is wrong.
        """
        with self._changing:
            applied, before = self._record(text), self._current
            others = [each for each in before if each.flow.name != applied.flow.name]
            self._current = (applied, *others)
            rules = rules_sql([each.flow for each in self._current])
            self._store.use_rules(rules)
            if since_ns is not None:
                rederive_stage_events(self._store, rules, since_ns)
            # A flow of a new name may be the one that orders of others name, or that declares more of their stages.
            known = len(others) < len(before)
            touch_open_orders(self._store, applied.flow.name if known else "")
            reopen_imports(self._store, applied.flow.name)
            log.info("flow %s revision %d is in force", applied.flow.name, applied.revision)
            return applied

    def drop(self, name: str) -> None:
        """Judge by this flow no longer: its open orders and imported history are judged by those that are left.

        Raises LastFlow and changes nothing when no other is in force; a flow that isn't in force changes nothing.
        """
        with self._changing:
            left = [each for each in self._current if each.flow.name != name]
            if len(left) == len(self._current):
                return
            if not left:
                raise LastFlow(f"{name} is the only flow in force, and something must judge")
            record_drop(self._store, name)
            epoch = count_applications(self._store)
            self._current = tuple(replace(each, epoch=epoch) for each in left)
            self._store.use_rules(rules_sql([each.flow for each in left]))
            touch_open_orders(self._store, name)
            reopen_imports(self._store, name)
            log.info("flow %s is no longer in force", name)

    def outrank(self) -> None:
        """Have what is judged from now on outrank what was judged before facts were taken back."""
        with self._changing:
            epoch = count_applications(self._store)
            self._current = tuple(replace(each, epoch=epoch) for each in self._current)

    def _record(self, text: str) -> FlowInForce:
        flow = parse_flow(text)
        revision = record_flow(self._store, flow.name, flow.version, text)
        return FlowInForce(flow, revision, text, count_applications(self._store))


def _latest(applied: Iterable[AppliedFlow]) -> list[AppliedFlow]:
    """The last application of each name, the most recent first; not of flows that were taken out of force since."""
    last = {each.name: each for each in applied}
    return sorted((each for each in last.values() if each.text), key=lambda each: each.applied_ns, reverse=True)
