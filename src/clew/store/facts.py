"""Reads the facts of orders: what the ticker folds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson

from clew.model.event import Outcome, Source, StageEvent
from clew.model.journey import Loss, LostReason
from clew.model.moments import LAST_NS
from clew.store.contract import Store
from clew.store.lookups import LOOKUP

ALIAS_PREFIX = "order.alias."
_CLOSURE_ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Touch:
    """An order id that something arrived for: when it arrived and the event's own time, in Unix nanoseconds."""

    order_id: str
    received_ns: int
    ts_ns: int


TOUCHES_AT_ONCE = 50_000
"""How many touches are read at once: after a long absence the rest waits for the next look."""


def read_touches(store: Store, since_ns: int) -> list[Touch]:
    """What arrived at or after a moment, oldest first; the same order may come more than once.

    At most about `TOUCHES_AT_ONCE`; those of one moment are never parted, so going on from the last moment is safe.
    """
    rows = store.rows(
        "SELECT order_id, toUnixTimestamp64Nano(received) AS received_ns, toUnixTimestamp64Nano(ts) AS ts_ns "
        "FROM order_touch WHERE received >= fromUnixTimestamp64Nano({since:Int64}, 'UTC') "
        "ORDER BY received LIMIT {most:UInt32} WITH TIES",
        {"since": since_ns, "most": TOUCHES_AT_ONCE},
    )
    return [Touch(row["order_id"], row["received_ns"], row["ts_ns"]) for row in rows]


def last_touched(store: Store, from_ns: int, until_ns: int) -> int:
    """When something of a span of time arrived last after it was over; 0 when nothing did."""
    (row,) = store.rows(
        "SELECT toUnixTimestamp64Nano(max(received)) AS last FROM order_touch "
        "WHERE received >= fromUnixTimestamp64Nano({until:Int64}, 'UTC') "
        "AND ts >= fromUnixTimestamp64Nano({from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Nano({until:Int64}, 'UTC')",
        {"from": from_ns, "until": until_ns},
    )
    return int(row["last"])


def read_alias_edges(store: Store, ids: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs (alias, order id) in which some of these ids take part, followed over a few rounds.

    An alias is another id under which the same order appears, so edges may chain (shop id, deal id, job id).
    """
    edges: set[tuple[str, str]] = set()
    asked: set[str] = set()
    ask = set(ids)
    for _ in range(_CLOSURE_ROUNDS):
        if not ask:
            break
        rows = store.rows(
            "SELECT ref, target FROM trace_orders WHERE relation = 'alias' "
            f"AND (ref IN {{ids:Array(String)}} OR target IN {{ids:Array(String)}}) GROUP BY ref, target {LOOKUP}",
            {"ids": sorted(ask)},
        )
        edges |= {(row["ref"], row["target"]) for row in rows}
        asked |= ask
        ask = {each for edge in edges for each in edge} - asked
    return sorted(edges)


def read_events(
    store: Store, ids: Sequence[str], since_ns: int = 0, until_ns: int = LAST_NS
) -> dict[str, list[StageEvent]]:
    """Stage events by the order id they name, both moments included, in no special order, repeats left out."""
    columns = store.columns(
        # In the order of the fields of StageEvent.
        "SELECT order_id, stage, toUnixTimestamp64Nano(e.ts) AS at_ns, service, "
        "if(trace_id = toFixedString('', 16), '', lower(hex(trace_id))) AS trace, "
        "if(span_id = toFixedString('', 8), '', lower(hex(span_id))) AS span, flow, path, actor, outcome, error, hold, "
        "due_ns, user_id, if(empty(aliases), '', toJSONString(aliases)) AS aliases_json, "
        "if(empty(attrs), '', toJSONString(attrs)) AS attrs_json, source, "
        "toUnixTimestamp64Nano(received) AS received_ns FROM order_events AS e "
        "WHERE order_id IN {ids:Array(String)} AND e.ts >= fromUnixTimestamp64Nano({since:Int64}, 'UTC') "
        "AND e.ts <= fromUnixTimestamp64Nano({until:Int64}, 'UTC') "
        # Of rows that the next merge makes one, the last one stays: an import may correct an earlier one.
        "ORDER BY received DESC LIMIT 1 BY order_id, at_ns, stage, span, hold, outcome, source",
        {"ids": list(ids), "since": since_ns, "until": until_ns},
    )
    events: dict[str, list[StageEvent]] = defaultdict(list)
    for event in _events(columns):
        events[event.order_id].append(event)
    return events


_OUTCOME = {each.value: each for each in Outcome}
_SOURCE = {each.value: each for each in Source}
_HOLD = {-1: None, 0: False, 1: True}


def _events(columns: Mapping[str, Sequence[Any]]) -> Iterator[StageEvent]:
    """Column by column, and without a call of Python for an event, as there are millions of them."""
    if not columns:
        return iter(())
    values = dict(columns)
    values["outcome"] = [_OUTCOME[each] for each in values["outcome"]]
    values["source"] = [_SOURCE[each] for each in values["source"]]
    values["hold"] = [_HOLD[each] for each in values["hold"]]
    values["due_ns"] = [each or None for each in values["due_ns"]]
    values["aliases_json"] = _maps(values["aliases_json"], ALIAS_PREFIX)
    values["attrs_json"] = _maps(values["attrs_json"])
    return map(partial(tuple.__new__, StageEvent), zip(*values.values(), strict=True))


def _maps(texts: Sequence[str], prefix: str = "") -> list[Mapping[str, str]]:
    """What each text holds, without a prefix of its names; equal texts, as most are, share one value."""
    held: dict[str, Mapping[str, str]] = {"": {}}
    for text in set(texts) - {""}:
        held[text] = {key.removeprefix(prefix): value for key, value in _json(text).items()}
    return [held[text] for text in texts]


def _json(text: str) -> dict[str, str]:
    try:
        told: dict[str, str] = orjson.loads(text)
    except orjson.JSONDecodeError:
        # Not UTF-8: the client gives such a text in hex, and what began with a brace is no JSON then.
        told = orjson.loads(bytes.fromhex(text).decode(errors="replace"))
    return told


@dataclass(frozen=True, slots=True)
class LossSaid:
    """What was said last of one message of an order: its loss, or None when it was found again."""

    version: int
    loss: Loss | None


def read_losses(store: Store, ids: Sequence[str]) -> dict[str, list[LossSaid]]:
    """What was said of the messages of these orders, by order id."""
    rows = store.rows(
        "SELECT arrayJoin(order_ids) AS order_id, version, state, reason, destination, queue, service, detail, "
        "toUnixTimestamp64Nano(published) AS published_ns, lower(hex(trace_id)) AS trace, lower(hex(span_id)) AS span "
        "FROM hop_losses FINAL WHERE hasAny(order_ids, {ids:Array(String)})",
        {"ids": list(ids)},
    )
    said: dict[str, list[LossSaid]] = defaultdict(list)
    for row in rows:
        said[row["order_id"]].append(LossSaid(row["version"], _loss(row) if row["state"] == "lost" else None))
    return said


def _loss(row: Mapping[str, Any]) -> Loss:
    return Loss(
        reason=LostReason(row["reason"]),
        destination=row["destination"],
        published_ns=row["published_ns"],
        service=row["service"],
        trace_id=row["trace"],
        span_id=row["span"],
        queue=row["queue"],
        detail=row["detail"],
    )
