"""Key figures of orders in a span of time: how many ended, how long stages took, how many attempts failed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from clew.store.contract import Store
from clew.store.minutes import Window
from clew.store.orders import OPEN_BUCKET

_SETTINGS = "SETTINGS do_not_merge_across_partitions_select_final = 1, max_block_size = 8192"

_ENDED = f"""
SELECT toUInt32(intDiv(toUnixTimestamp64Nano(entered) - {{since:Int64}}, {{step:Int64}})) AS slot, count() AS n
FROM orders FINAL
WHERE flow = {{flow:String}} AND terminal = 'closed' AND bucket >= {{bucket:Date}}
AND toUnixTimestamp64Nano(entered) >= {{since:Int64}} AND toUnixTimestamp64Nano(entered) < {{until:Int64}}
GROUP BY slot
{_SETTINGS}"""

# An order that ended before the span of time left no stage in it, so only open orders and late weeks are read.
_STAGES = f"""
SELECT visit.1 AS stage, toInt64(count()) AS n, quantilesExactInclusive(0.5, 0.95)(visit.3 - visit.2) AS quantiles
FROM (
    SELECT arrayMap(x -> toUnixTimestamp64Nano(x), entered_at) AS times,
        arrayJoin(arrayZip(arrayPopBack(stages), arrayPopBack(times), arrayPopFront(times))) AS visit
    FROM orders FINAL
    WHERE flow = {{flow:String}} AND length(stages) > 1 AND (bucket = toDate(0) OR bucket >= {{bucket:Date}})
)
WHERE visit.3 >= {{since:Int64}} AND visit.3 < {{until:Int64}}
GROUP BY stage
{_SETTINGS}"""

# Events rarely say their flow, so it is taken from the order they belong to, by any of its ids.
_FAILED = f"""
SELECT toString(stage) AS name, uniqExact(order_id, ts) AS n
FROM order_events
WHERE outcome = 'failed'
AND ts >= fromUnixTimestamp64Nano({{since:Int64}}, 'UTC') AND ts < fromUnixTimestamp64Nano({{until:Int64}}, 'UTC')
AND order_id GLOBAL IN (
    SELECT arrayJoin(arrayPushBack(alias_values, order_id)) FROM orders FINAL
    WHERE flow = {{flow:String}} AND (bucket = toDate(0) OR bucket >= {{bucket:Date}})
)
GROUP BY name
{_SETTINGS}"""


@dataclass(frozen=True, slots=True)
class StageTime:
    """How long the ``n`` visits of a stage lasted that ended in the span of time; quantiles are nanoseconds."""

    n: int
    median_ns: int
    p95_ns: int


def orders_closed(store: Store, window: Window, flow: str) -> list[int]:
    """How many orders of a flow were closed in each slot; cancelled ones don't count."""
    slots = [0] * window.slots
    for row in store.rows(_ENDED, _bindings(window, flow)):
        slots[row["slot"]] = int(row["n"])
    return slots


def stage_times(store: Store, window: Window, flow: str) -> Mapping[str, StageTime]:
    """How long visits lasted that ended in the window, by stage. Quantiles interpolate linearly.

    Orders that still wait in a stage don't count: this tells what happened, not what is to be expected.
    """
    return {
        str(row["stage"]): StageTime(row["n"], *(round(each) for each in row["quantiles"]))
        for row in store.rows(_STAGES, _bindings(window, flow))
    }


def stage_failures(store: Store, window: Window, flow: str) -> Mapping[str, int]:
    """How many failed attempts of orders of a flow were told in the window, by stage."""
    return {row["name"]: int(row["n"]) for row in store.rows(_FAILED, _bindings(window, flow))}


def _bindings(window: Window, flow: str) -> dict[str, object]:
    first = datetime.fromtimestamp(window.since_ns // 10**9, UTC).date() - timedelta(days=1)
    return {
        "flow": flow,
        "since": window.since_ns,
        "until": window.until_ns,
        "step": window.step_ns,
        "bucket": max(OPEN_BUCKET + timedelta(days=1), first - timedelta(days=first.weekday())),
    }
