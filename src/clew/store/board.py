"""The stage board: what the open orders of each stage are like, counted by one aggregation over the open partition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from clew.model.flow import Flow
from clew.model.journey import VerdictKind
from clew.store.contract import Store
from clew.store.orders import VERDICT, OrderFilter, order_where

OPEN_KINDS = tuple(kind for kind in VerdictKind if kind not in (VerdictKind.CLOSED, VerdictKind.CANCELLED))
"""The verdicts that an open order may have, worst first."""

_COUNTED = ", ".join(f"countIf(verdict = '{kind.value}') AS n_{kind.value}" for kind in OPEN_KINDS)
_SUMS = ", ".join(f"sum(n_{kind.value})" for kind in OPEN_KINDS)
STRANGE_NAMES = 12
"""So many stages that a flow doesn't know are named, and one more if there are others."""

# Between the name of a flow and that of a stage; no name has a control character that a YAML file could hold.
_BETWEEN = "\x1f"

# What each row is compared with costs most, so places are told from the few stages, not from the many orders.
_PLACES = f"""
SELECT flow, place, if(place = 0, stage, '') AS tile, [{_SUMS}] AS counts, sum(orders) AS open,
    min(first_ns) AS oldest_ns, argMin(first_id, first_ns) AS oldest_id, quantileExactMerge(0.5)(entries) AS median_ns,
    arraySort(groupUniqArrayIf({STRANGE_NAMES} + 1)(stage, place = 2)) AS strange
FROM (
    SELECT flow, stage, {_COUNTED}, count() AS orders, min(entered_ns) AS first_ns,
        argMin(order_id, entered_ns) AS first_id, quantileExactState(0.5)(entered_ns) AS entries,
        multiIf(stage = '', 1, NOT has({{flows:Array(String)}}, flow)
            OR has({{stages:Array(String)}}, concat(flow, {{between:String}}, stage)), 0, 2) AS place
    FROM (
        SELECT flow, stage, order_id, terminal, on_hold, failed, lost, toUnixTimestamp64Nano(entered) AS entered_ns,
            toUnixTimestamp64Nano(deadline_at) AS deadline_ns, toUnixTimestamp64Nano(lost_from) AS lost_ns,
            toUnixTimestamp64Nano(warn_at) AS warn_ns, {VERDICT} AS verdict
        FROM orders FINAL
        WHERE """
_GROUPED = """)
    GROUP BY flow, stage)
GROUP BY flow, place, tile
ORDER BY flow, place, tile
SETTINGS do_not_merge_across_partitions_select_final = 1"""


class Place(IntEnum):
    """What a tile of the board stands for: a stage, orders of which no stage is known yet, or stages that the flow
    doesn't know."""

    STAGE = 0
    NO_STAGE = 1
    STRANGE = 2


@dataclass(frozen=True, slots=True)
class BoardRow:
    """Open orders of one flow in one place.

    ``counts`` has every kind of `OPEN_KINDS`. ``oldest_ns`` is when the one that is there longest entered (Unix ns),
    ``oldest_id`` its order id; half of them entered after ``median_ns``. ``strange`` names the stages that the flow
    doesn't know, at most one more than `STRANGE_NAMES`. Of a flow that nobody declared every stage counts as one.
    """

    flow: str
    place: Place
    stage: str
    counts: Mapping[VerdictKind, int]
    open: int
    oldest_ns: int
    oldest_id: str
    median_ns: int
    strange: tuple[str, ...] = ()


def read_board(store: Store, flows: Sequence[Flow], now_ns: int, flow: str = "", path: str = "") -> list[BoardRow]:
    """The places in which there are open orders, judged at a moment; of one flow and one path, or of all."""
    where, bind = order_where(OrderFilter(flow=flow, path=path, open_only=True))
    rows = store.rows(
        _PLACES + where + _GROUPED,
        bind | {
            "now": now_ns, "between": _BETWEEN,
            "flows": [each.name for each in flows],
            "stages": [f"{each.name}{_BETWEEN}{stage.name}" for each in flows for stage in each.stages],
        },
    )  # fmt: skip
    return [_row(each) for each in rows]


def _row(row: Mapping[str, Any]) -> BoardRow:
    return BoardRow(
        flow=row["flow"],
        place=Place(row["place"]),
        stage=row["tile"],
        counts={kind: int(count) for kind, count in zip(OPEN_KINDS, row["counts"], strict=True)},
        open=int(row["open"]),
        oldest_ns=int(row["oldest_ns"]),
        oldest_id=row["oldest_id"],
        median_ns=int(row["median_ns"]),
        strange=tuple(row["strange"]),
    )
