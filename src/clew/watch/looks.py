"""What rules find now: each shape of rule asks the store for what it needs, and is judged by pure functions.

After Clew was down, rules that judge by what is missing, those about orders and queues, wait until what senders held
back has come: else an order that was approved meanwhile would be told of as not approved.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from clew.detect.pipeline import in_trouble
from clew.detect.queues import waiting
from clew.detect.spans import slow, spans_seen
from clew.journey.losses import EXPORT_GRACE_NS, transit_limits
from clew.model.alert import Finding
from clew.model.flow import Flow
from clew.model.lengths import how_long
from clew.model.rule import BurnRate, OrderShape, Pipeline, QueueWaits, Rule, Silence, Slow, SpansSeen, Surge
from clew.model.watched import PipelineState
from clew.store.contract import Store
from clew.store.rule_queues import read_waiting
from clew.store.rule_spans import read_span_groups
from clew.watch.awake import Awake
from clew.watch.order_looks import OrderLooks
from clew.watch.rate_looks import Flagged, RateLooks


@dataclass(slots=True)
class Looks:
    """Looks for rules of every shape. One at a time; not for the main thread.

    ``flows`` answers the flows in force, ``pipeline`` how Clew itself does at a moment; ``awake``
    is kept over several of these.
    """

    store: Store
    flows: Callable[[], Sequence[Flow]]
    pipeline: Callable[[int], PipelineState]
    flagged: Flagged
    awake: Awake
    _orders: OrderLooks = field(init=False)
    _rates: RateLooks = field(init=False)

    def __post_init__(self) -> None:
        """Nothing is read before the first look."""
        self._orders = OrderLooks(self.store, self.flows)
        self._rates = RateLooks(self.store, self.flagged, self.awake)

    def look(self, rule: Rule, now_ns: int) -> list[Finding] | None:
        """All that a rule finds now; None while it waits for what was held back. Raises StoreError, ControlError."""
        self.awake.stay(now_ns, self.pipeline(now_ns).journeys_ns)
        if self.awake.catches_up and isinstance(rule.shape, OrderShape | QueueWaits):
            return None
        match rule.shape:
            case SpansSeen():
                return spans_seen(rule, rule.shape, read_span_groups(self.store, rule.shape, now_ns), now_ns)
            case Slow():
                return slow(rule, rule.shape, read_span_groups(self.store, rule.shape, now_ns))
            case QueueWaits():
                return waiting(rule, rule.shape, read_waiting(self.store, now_ns, self._judged_after_ns()), now_ns)
            case Pipeline():
                return in_trouble(rule, rule.shape, self.pipeline(now_ns), now_ns)
            case Surge() | BurnRate() | Silence():
                return self._rates.look(rule, now_ns)
            case shape if isinstance(shape, OrderShape):
                return self._orders.look(rule, now_ns)

    def waits(self) -> str | None:
        """Why rules about orders and queues don't judge yet; None: they do."""
        if self.awake.down is None or not self.awake.catches_up:
            return None
        from_ns, until_ns = self.awake.down
        told = f"Clew was down for {how_long(until_ns - from_ns)}"
        return f"rules about orders and queues wait until what services held back has come, as {told}"

    def _judged_after_ns(self) -> int:
        """When a message is said to be lost at the latest."""
        return max(transit_limits(self.flows()).lengths, default=0) + EXPORT_GRACE_NS
