"""Learns remaining times from finished orders, hourly, and hands them to whoever rebuilds journeys."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

from clew.learn.projection import Remaining, RemainingTimes, project
from clew.model.journey import Journey
from clew.report.query import FINAL
from clew.store.contract import Store
from clew.store.rederive import touch_due_orders

log = logging.getLogger(__name__)

LEARNED_FROM_NS = 90 * 86_400 * 10**9
"""Orders that closed in the last 90 days count. By their end, not their beginning: else slow ones would be missing."""

_SAMPLE = 200_000
_EVERY_S = 3_600.0
_TOUCHED_AT_MOST = 20_000


def read_remaining(store: Store, now_ns: int, flow: str = "") -> RemainingTimes:
    """Remaining times of one flow, or of all, from orders that closed lately; of many from a sample."""
    bind = {"since": max(0, now_ns - LEARNED_FROM_NS), "flow": flow}
    closed = store.rows(
        "SELECT count() AS n FROM orders FINAL WHERE terminal = 'closed' "
        "AND bucket >= toMonday(toDate(fromUnixTimestamp64Nano({since:Int64}, 'UTC'))) "
        f"AND ({{flow:String}} = '' OR flow = {{flow:String}}) {FINAL}",
        bind,
    )[0]["n"]
    rows = store.rows(_query(), bind | {"every": -(-closed // _SAMPLE) or 1})
    return {
        (row["flow"], row["path"], row["stage"]): Remaining(row["n"], tuple(round(each) for each in row["quantiles"]))
        for row in rows
    }


@cache
def _query() -> str:
    return f"{files('clew.learn').joinpath('sql', 'remaining.sql').read_text(encoding='utf-8')}\n{FINAL}"


@dataclass(slots=True)
class Forecast:
    """The remaining times that projections are made with. `project` from any thread; `refresh` one at a time.

    What it costs is bounded: one query over the orders that closed in 90 days (a sample of 200,000 of them), and when
    it changed anything, 20,000 open orders at most are rebuilt, those that are due first.
    """

    store: Store
    clock: Callable[[], float] = time.monotonic
    now_ns: Callable[[], int] = time.time_ns
    _times: RemainingTimes = field(default_factory=dict)
    _learned_s: float | None = None
    _reading: threading.Lock = field(default_factory=threading.Lock)

    def project(self, journey: Journey) -> Journey:
        """The journey with its projection by what was learned last."""
        return project(journey, self._times)

    def refresh(self) -> bool:
        """Learn anew when the last time is an hour ago; says whether anything changed. Raises StoreError."""
        with self._reading:
            if self._learned_s is not None and self.clock() - self._learned_s < _EVERY_S:
                return False
            self._learned_s = self.clock()  # a query that fails isn't tried again at once either
            now_ns = self.now_ns()
            times = read_remaining(self.store, now_ns)
            changed = times != self._times
            self._times = times
            if changed:
                touch_due_orders(self.store, now_ns, _TOUCHED_AT_MOST)
                log.info("remaining times of %d stages by path are learned", len(times))
            return changed
