"""Which orders a report looks at: the one filter of all reports.

Whole orders count, never parts of them: an order is in or out by its path, its attributes, its flow and by when it
started, ended or moved. Nothing is pasted into SQL; what isn't asked for is a bound value that matches everything.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from clew.model.moments import LAST_NS
from clew.store.contract import Store
from clew.store.orders import OPEN_BUCKET

_DAY_NS = 86_400 * 10**9


class By(StrEnum):
    """What must lie in the range of time: an order's first visit, its end, or any visit."""

    STARTED = "started"
    ENDED = "ended"
    ACTIVE = "active"


@dataclass(frozen=True, slots=True)
class ReportFilter:
    """Which orders count; empty fields match everything.

    The range is half open, ``[from_ns, to_ns)``, in Unix nanoseconds; None leaves that side open. ``attributes`` are
    pairs that all must hold, by the order's latest value. ``flow_version`` is the one that an order was judged by.
    """

    flow: str
    from_ns: int | None = None
    to_ns: int | None = None
    path: str = ""
    attributes: tuple[tuple[str, str], ...] = ()
    flow_version: int | None = None
    by: By = By.STARTED

    def bindings(self) -> dict[str, object]:
        """The values that ``sql/picked.sql`` needs."""
        return {
            "flow": self.flow,
            "path": self.path,
            "flow_version": -1 if self.flow_version is None else self.flow_version,
            "keys": [key for key, _ in self.attributes],
            "values": [value for _, value in self.attributes],
            "by": self.by.value,
            "from": self.from_ns or 0,
            "to": LAST_NS if self.to_ns is None else self.to_ns,
            "bucket": self.first_bucket(),
        }

    def first_bucket(self) -> date:
        """The first week in which an order that counts may have ended; one day of slack allows for skewed clocks.

        What was active in the range may have ended before it: visits after the end count, too.
        """
        if self.from_ns is None or self.by is By.ACTIVE:
            return OPEN_BUCKET
        first = datetime.fromtimestamp(max(0, self.from_ns - _DAY_NS) // 10**9, UTC).date()
        return max(OPEN_BUCKET, first - timedelta(days=first.weekday()))


def flow_of_most_orders(store: Store) -> str:
    """The flow that most orders follow; empty when there are no orders."""
    # Rows that were written anew are counted once only where there is something to choose.
    flows = store.rows("SELECT flow FROM orders WHERE gone = 0 GROUP BY flow")
    if len(flows) > 1:
        flows = store.rows(
            "SELECT flow FROM orders FINAL GROUP BY flow ORDER BY count() DESC, flow LIMIT 1 "
            "SETTINGS do_not_merge_across_partitions_select_final = 1"
        )
    return str(flows[0]["flow"]) if flows else ""


def has_orders(store: Store, flow: str) -> bool:
    """Whether any order follows this flow."""
    return bool(store.rows("SELECT 1 FROM orders WHERE flow = {flow:String} AND gone = 0 LIMIT 1", {"flow": flow}))
