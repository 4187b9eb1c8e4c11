"""The orders that rules may find, read from the orders table: one look over its narrow columns for all rules, then the
journeys of those that fit, as many at a time as the caller asks for."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
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
_RULES_AT_ONCE = 60
"""As many as a whole number has bits for."""

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
    "verdicts": "verdict IN {verdicts:Array(String)}",
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
_BOUND = re.compile(r"\{(?!now:)(\w+):")
_READ = ("order_id", "bucket", "version", "bits")

# Ended orders lie in the week in which they ended, which may be some days ago when it was told late.
_TOLD_WITHIN_NS = 7 * _DAY_NS
_OPEN = "bucket = toDate(0)"
_LATELY = """bucket IN {buckets:Array(Date)} AND (entered > fromUnixTimestamp64Nano({ended:Int64}, 'UTC')
    OR entered > fromUnixTimestamp64Nano({oldest:Int64}, 'UTC')
    AND told > fromUnixTimestamp64Nano({ended:Int64}, 'UTC'))"""
# Of weeks with a million orders few are meant: FINAL over those alone takes 15 ms, over all of them 700.
_ENDED = f"{_LATELY} AND order_id GLOBAL IN (SELECT order_id FROM orders WHERE {_LATELY} AND imported = 0)"
# Planning costs more than reading a small table: what several rules compare is stated once, and each condition once.
_MOMENTS = f"""toUnixTimestamp64Nano(deadline_at) AS deadline_ns, toUnixTimestamp64Nano(lost_from) AS lost_ns,
    toUnixTimestamp64Nano(warn_at) AS warn_ns, {VERDICT} AS verdict,"""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An order that a rule may find: the bucket it lies in, and the version of its row."""

    order_id: str
    bucket: date
    version: int


def candidates_of_each(
    store: Store, asked: Mapping[str, Candidates], now_ns: int, ended_since_ns: int | None = None
) -> dict[str, list[Candidate]]:
    """The watched orders that each of some rules may find at a moment, by rule and id; to read for all of them costs
    little more than for one.

    ``ended_since_ns``: where a rule asks for ended orders, those that ended after that moment are among them, and
    those of the last week whose end arrived first after it (None: open orders only). A journey that changed since has
    another version.
    """
    found: dict[str, dict[str, Candidate]] = {name: {} for name in asked}
    _find(store, asked, _OPEN, {"now": now_ns}, found)
    ended = {name: each for name, each in asked.items() if each.ended}
    if ended_since_ns is not None and ended:
        # After the open ones: an order that ends meanwhile is found twice, and told as ended, but never missed.
        oldest_ns = ended_since_ns - _TOLD_WITHIN_NS
        weeks = {"buckets": _weeks(oldest_ns, now_ns), "ended": ended_since_ns, "oldest": oldest_ns}
        _find(store, ended, _ENDED, {"now": now_ns} | weeks, found)
    return {name: [by_id[each] for each in sorted(by_id)] for name, by_id in found.items()}


def _find(
    store: Store,
    asked: Mapping[str, Candidates],
    where: str,
    bind: Mapping[str, object],
    found: Mapping[str, dict[str, Candidate]],
) -> None:
    """Add the orders, of those that a condition leaves, that each rule may find, by rule and id."""
    names = list(asked)
    for begin in range(0, len(names), _RULES_AT_ONCE):
        part = names[begin : begin + _RULES_AT_ONCE]
        conditions, own = _each([asked[name] for name in part])
        columns = store.columns(
            sql(
                "SELECT order_id, bucket, version, bits FROM (SELECT order_id, bucket, version,", _MOMENTS,
                " + ".join(f"bitShiftLeft(toUInt64({each}), {bit})" for bit, each in enumerate(conditions)),
                "AS bits FROM orders FINAL WHERE", where, "AND imported = 0) WHERE bits > 0", _FINAL,
            ),
            {**bind, **own},
        )  # fmt: skip
        for *values, met in zip(*(columns.get(each, ()) for each in _READ), strict=True):
            candidate = Candidate(*values)
            for bit, name in enumerate(part):
                if met >> bit & 1:
                    found[name][candidate.order_id] = candidate


def _each(asked: Sequence[Candidates]) -> tuple[list[str], dict[str, object]]:
    """A condition for each rule, with bindings of its own."""
    conditions, bind = [], dict[str, object]()
    for number, each in enumerate(asked):
        where, own = _condition(each)
        own_names = _BOUND.sub(rf"{{\g<1>_{number}:", where)
        conditions.append(f"({own_names})")
        bind |= {f"{name}_{number}": value for name, value in own.items()}
    return conditions, bind


def _condition(asked: Candidates) -> tuple[str, dict[str, object]]:
    """The condition of a rule over the columns of the orders table, with its bindings; those of ``now`` are shared."""
    where, bind = ["1"], dict[str, object]()
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


def _weeks(since_ns: int, now_ns: int) -> list[date]:
    """The buckets of the weeks since a moment."""
    days = range(since_ns // _DAY_NS, now_ns // _DAY_NS + 1)
    return sorted({_monday(day) for day in days})


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
