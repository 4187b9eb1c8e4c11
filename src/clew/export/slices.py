"""Slices: parts of a table, each small enough to be sorted and joined in memory.

Orders are cut by the weeks in which they ended, as the table is, open ones first; large weeks by order id, with borders
that come from a sample. Spans are cut by time, as their table is; busy minutes by trace id.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from clew.store.contract import Store
from clew.store.orders import OPEN_BUCKET
from clew.store.spans import sql

ROWS_A_SLICE = 200_000
"""Orders and their visits, or spans."""

IN_SLICE = sql(
    "bucket >= {first_week:Date} AND bucket <= {last_week:Date}",
    "AND order_id >= {first:String} AND ({before:String} = '' OR order_id < {before:String})",
    "AND (bucket = toDate(0) OR imported = 1 OR entered < fromUnixTimestamp64Nano({ended:Int64}, 'UTC')",
    "OR order_id IN {ended_since:Array(String)})",
)
"""Condition on rows of orders; what `order_slices` gives are its bindings.

An order that ends while the file is made was in it when it was open, and is left out of the week to which it moved.
"""

_DAY_NS = 86_400 * 10**9
_LATE_NS = 15 * 60 * 10**9
_SAMPLED = 500
_LAST_DAY = date(2149, 6, 6)


@dataclass(frozen=True, slots=True)
class Week:
    """How much the orders of a week are (``rows``: they and their visits), and when they were seen, in Unix ns."""

    bucket: date
    rows: int
    first_ns: int
    last_ns: int


def every_order() -> dict[str, object]:
    """The bindings of a slice that holds all orders."""
    whole = Week(OPEN_BUCKET, 0, 0, 0)
    return _bindings([whole], "", "") | {"last_week": _LAST_DAY, "ended": _END_OF_TIME_NS, "ended_since": []}


def order_slices(store: Store, now_ns: int, most: int = ROWS_A_SLICE) -> list[dict[str, object]]:
    """Slices of orders, open ones first; what ends from now on is not looked for in the weeks."""
    ended_ns = now_ns - _LATE_NS
    ended = [(row["bucket"], row["order_id"]) for row in store.rows(_ENDED_SINCE, {"ended": ended_ns})]
    return [
        _bindings(run, first, before) | {"ended": ended_ns, "ended_since": ended_in(ended, run, first, before)}
        for run in runs(_weeks(store), most)
        for first, before in _id_ranges(store, run, most)
    ]


def ended_in(ended: Iterable[tuple[date, str]], run: Sequence[Week], first: str, before: str) -> list[str]:
    """Of orders, by their week and id, those of a slice: no query is told of more than it may find."""
    return [
        order_id
        for bucket, order_id in ended
        if run[0].bucket <= bucket <= run[-1].bucket and first <= order_id and (not before or order_id < before)
    ]


_END_OF_TIME_NS = (1 << 63) - 1
_ENDED_SINCE = (
    "SELECT DISTINCT bucket, order_id FROM orders WHERE gone = 0 AND imported = 0 AND bucket != toDate(0) "
    "AND bucket >= toMonday(fromUnixTimestamp64Nano({ended:Int64}, 'UTC')) "
    "AND entered >= fromUnixTimestamp64Nano({ended:Int64}, 'UTC')"
)


def _weeks(store: Store) -> list[Week]:
    rows = store.rows(
        "SELECT bucket, count() + sum(length(stages)) AS rows, min(toUnixTimestamp64Nano(first_seen)) AS first_ns, "
        "max(toUnixTimestamp64Nano(last_seen)) AS last_ns FROM orders WHERE gone = 0 GROUP BY bucket ORDER BY bucket"
    )
    return [Week(row["bucket"], row["rows"], row["first_ns"], row["last_ns"]) for row in rows]


def _bindings(run: Sequence[Week], first: str, before: str) -> dict[str, object]:
    """Those of a run of weeks; ``since`` and ``until`` hold all that was seen of its orders, and a day of slack."""
    still_open = run[0].bucket == OPEN_BUCKET
    return {
        "first_week": run[0].bucket,
        "last_week": run[-1].bucket,
        "first": first,
        "before": before,
        "since": max(0, min(week.first_ns for week in run) - _DAY_NS),
        "until": _END_OF_TIME_NS if still_open else max(week.last_ns for week in run) + _DAY_NS,
    }


def _id_ranges(store: Store, run: Sequence[Week], most: int) -> list[tuple[str, str]]:
    parts = -(-sum(week.rows for week in run) // most)
    if parts <= 1:
        return [("", "")]
    rows = store.rows(
        "SELECT order_id FROM orders WHERE bucket = {week:Date} AND cityHash64(order_id) % {one_in:UInt32} = 0 "
        "ORDER BY order_id",
        {"week": run[0].bucket, "one_in": _SAMPLED},
    )
    return ranges([row["order_id"] for row in rows], parts)


def ranges(sample: Sequence[str], parts: int) -> list[tuple[str, str]]:
    """Half open ranges that part a sorted sample evenly, or into fewer; empty texts leave the ends open."""
    borders = [sample[part * len(sample) // parts] for part in range(1, parts)] if sample else []
    borders = list(dict.fromkeys(border for border in borders if border))
    return list(zip(["", *borders], [*borders, ""], strict=True))


def runs(weeks: Iterable[Week], most: int) -> Iterator[list[Week]]:
    """Consecutive weeks that together have up to ``most`` rows; one with more stands alone, and so do open orders."""
    run: list[Week] = []
    for week in weeks:
        if run and (run[0].bucket == OPEN_BUCKET or sum(each.rows for each in run) + week.rows > most):
            yield run
            run = []
        run.append(week)
    if run:
        yield run


@dataclass(frozen=True, slots=True)
class Load:
    """How many spans begin within five minutes; ``at_s`` is the first second of these."""

    at_s: int
    spans: int


def span_slices(loads: Iterable[Load], most: int = ROWS_A_SLICE) -> Iterator[dict[str, object]]:
    """Slices of spans, in the order of the table: runs of five minutes, and of busy ones parts by trace id.

    The first and the last are open, so that nothing that arrives meanwhile is between them.
    """
    runs = list(_load_runs(loads, most))
    borders = [run[0].at_s for run in runs[1:]]
    for run, from_s, to_s in zip(runs, [0, *borders], [*borders, _LAST_S], strict=True):
        parts = -(-sum(load.spans for load in run) // most) if len(run) == 1 else 1
        for first, before in _trace_ranges(max(1, parts)):
            yield {"slice_from": from_s, "slice_to": to_s, "first_trace": first, "before_trace": before}


_LAST_S = 1 << 32
_PREFIXES = 1 << 16


def _load_runs(loads: Iterable[Load], most: int) -> Iterator[list[Load]]:
    run: list[Load] = []
    for load in loads:
        if run and sum(each.spans for each in run) + load.spans > most:
            yield run
            run = []
        run.append(load)
    yield run or [Load(0, 0)]


def _trace_ranges(parts: int) -> list[tuple[str, str]]:
    """Ranges of trace ids of about equal size, as hex; ids are random in their first bytes."""
    borders = [f"{part * _PREFIXES // parts:04x}{'0' * 28}" for part in range(1, min(parts, _PREFIXES))]
    return list(zip(["", *borders], [*borders, ""], strict=True))
