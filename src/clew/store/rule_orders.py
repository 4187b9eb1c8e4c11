"""The orders that a rule may find, read from the orders table: one look over its narrow columns, then the journeys of
those that fit, as many at a time as the caller asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from clew.model.journey import Journey
from clew.model.watched import Candidates
from clew.store.codec import journey_from_json
from clew.store.contract import Store
from clew.store.orders import OPEN_BUCKET, VERDICT
from clew.store.spans import sql

PAGE = 1_000
"""How many journeys to read at a time."""

_FINAL = "SETTINGS do_not_merge_across_partitions_select_final = 1"
_DAY_NS = 86_400 * 10**9

# The visit from which on the milestone is awaited: the first of `of` since `stage` was reached last (0: none is).
_AWAITED = (
    "arrayFirstIndex((s, i) -> s = {of:String} AND i > arrayLastIndex(r -> r = {reached:String}, stages), "
    "stages, arrayEnumerate(stages))"
)
_CONDITIONS = {
    "flows": "flow IN {flows:Array(String)}",
    "stages": "stage IN {stages:Array(String)}",
    "paths": "path IN {paths:Array(String)}",
    "verdicts": f"{VERDICT} IN {{verdicts:Array(String)}}",
    "lost_reasons": "lost IN {lost_reasons:Array(String)}",
    "dwell_ns": "entered <= fromUnixTimestamp64Nano({now:Int64} - {dwell_ns:Int64}, 'UTC')",
    "dwell_of_ns": "toUnixTimestamp64Nano(entered) + transform(concat(flow, '\\n', stage), {dwell_keys:Array(String)}, "
    "{dwell_lengths:Array(Int64)}, {never_ns:Int64}) <= {now:Int64}",
    "hold_ns": "on_hold = 1 AND hold_since <= fromUnixTimestamp64Nano({now:Int64} - {hold_ns:Int64}, 'UTC')",
    "due_ns": "due_at > fromUnixTimestamp64Nano(0, 'UTC') "
    "AND due_at <= fromUnixTimestamp64Nano({now:Int64} + {due_ns:Int64}, 'UTC')",
    "warned": "due_at > fromUnixTimestamp64Nano(0, 'UTC') AND warn_ns > 0 AND warn_ns <= {now:Int64}",
    "never": "NOT has(stages, {never:String})",
    "not_reached": f"{_AWAITED} > 0 "
    f"AND toUnixTimestamp64Nano(entered_at[{_AWAITED}]) + {{length_ns:Int64}} <= {{now:Int64}}",
    "too_early": "arrayExists((s, t, i) -> s = {reached:String} AND ({of:String} = '' "
    "AND toUnixTimestamp64Nano(due_at) - toUnixTimestamp64Nano(t) > {length_ns:Int64} "
    "OR arrayExists((o, u) -> o = {of:String} AND toUnixTimestamp64Nano(t) - toUnixTimestamp64Nano(u) < "
    "{length_ns:Int64}, arraySlice(stages, 1, i - 1), arraySlice(entered_at, 1, i - 1))), "
    "stages, entered_at, arrayEnumerate(stages))",
    "deviates": "arrayExists(d -> (empty({kinds:Array(String)}) OR has({kinds:Array(String)}, splitByChar(':', d)[1])) "
    "AND (empty({at:Array(String)}) OR has({at:Array(String)}, substring(d, position(d, ':') + 1))), deviations)",
}
_NEVER_NS = 1 << 61

# Ended orders lie in the week in which they ended, which may be some days ago when it was told late.
_TOLD_WITHIN_NS = 7 * _DAY_NS
_OPEN = "bucket = toDate(0)"
_AND_ENDED = (
    "bucket IN {buckets:Array(Date)} "
    "AND (bucket = toDate(0) OR entered > fromUnixTimestamp64Nano({ended:Int64}, 'UTC') "
    "OR entered > fromUnixTimestamp64Nano({oldest:Int64}, 'UTC') AND told > fromUnixTimestamp64Nano({ended:Int64}, 'UTC'))"
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """An order that a rule may find: the bucket it lies in, and the version of its row."""

    order_id: str
    bucket: date
    version: int


def candidate_orders(
    store: Store, asked: Candidates, now_ns: int, ended_since_ns: int | None = None
) -> list[Candidate]:
    """The watched orders that a rule may find at a moment, by id.

    ``ended_since_ns``: where the rule asks for ended orders, those that ended after that moment are among them, and
    those of the last week of which something was told after it (None: open orders only). A journey that changed since
    has another version.
    """
    where, bind = candidates_where(asked, now_ns, ended_since_ns)
    found = store.columns(
        sql(
            "SELECT order_id, bucket, version, toUnixTimestamp64Nano(deadline_at) AS deadline_ns,",
            "toUnixTimestamp64Nano(lost_from) AS lost_ns, toUnixTimestamp64Nano(warn_at) AS warn_ns",
            "FROM orders FINAL WHERE", where, "ORDER BY order_id", _FINAL,
        ),
        bind,
    )  # fmt: skip
    columns = (found.get(name, ()) for name in ("order_id", "bucket", "version"))
    return [Candidate(*values) for values in zip(*columns, strict=True)]


def candidates_where(asked: Candidates, now_ns: int, ended_since_ns: int | None) -> tuple[str, dict[str, object]]:
    """WHERE text and bindings over the columns of the orders table; the same on one node and on a cluster."""
    bind: dict[str, object] = {"now": now_ns}
    where = [_OPEN, "imported = 0"]
    if asked.ended and ended_since_ns is not None:
        where[0] = _AND_ENDED
        oldest_ns = ended_since_ns - _TOLD_WITHIN_NS
        bind |= {"buckets": _buckets(oldest_ns, now_ns), "ended": ended_since_ns, "oldest": oldest_ns}
    for name in ("flows", "stages", "paths", "verdicts", "lost_reasons"):
        if value := getattr(asked, name):
            where.append(_CONDITIONS[name])
            bind[name] = [str(each) for each in value]
    for name in ("dwell_ns", "hold_ns", "due_ns"):
        if (length_ns := getattr(asked, name)) is not None:
            where.append(_CONDITIONS[name])
            bind[name] = length_ns
    if asked.deviates:
        where.append(_CONDITIONS["deviates"])
        bind |= {"kinds": [kind.value for kind in asked.kinds], "at": list(asked.at)}
    if asked.warned:
        where.append(_CONDITIONS["warned"])
    if asked.never:
        where.append(_CONDITIONS["never"])
        bind["never"] = asked.never
    for name in ("not_reached", "too_early"):
        if (since := getattr(asked, name)) is not None:
            where.append(_CONDITIONS[name])
            bind |= {"reached": since.stage, "of": since.of, "length_ns": since.length_ns}
    if asked.dwell_of_ns:
        where.append(_CONDITIONS["dwell_of_ns"])
        bind["dwell_keys"] = [f"{flow}\n{stage}" for flow, stage in asked.dwell_of_ns]
        bind |= {"dwell_lengths": list(asked.dwell_of_ns.values()), "never_ns": _NEVER_NS}
    return " AND ".join(where), bind


def _buckets(since_ns: int, now_ns: int) -> list[date]:
    """The open bucket and those of the weeks since a moment."""
    days = range(since_ns // _DAY_NS, now_ns // _DAY_NS + 1)
    return sorted({OPEN_BUCKET, *(_monday(day) for day in days)})


def _monday(days: int) -> date:
    """The Monday of the week of a day, which is told in days since 1970, a Thursday."""
    return OPEN_BUCKET + timedelta(days=days - (days + 3) % 7)


def read_journeys(store: Store, candidates: Sequence[Candidate]) -> list[Journey]:
    """The journeys of these orders as they are now, by order id; without those that are gone meanwhile."""
    found = store.columns(
        "SELECT order_id, journey FROM orders FINAL WHERE bucket IN {buckets:Array(Date)} "
        f"AND order_id IN {{ids:Array(String)}} AND imported = 0 ORDER BY order_id {_FINAL}",
        {"buckets": sorted({each.bucket for each in candidates}), "ids": [each.order_id for each in candidates]},
    )
    return [journey_from_json(text) for text in found.get("journey", ())]
