"""Both ends of messages, and what the loss detector said of them."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from clew.model.journey import Loss
from clew.model.message import Delivery, Message, Settlement
from clew.store.contract import Store
from clew.store.rederive import TOUCH_AHEAD_NS

MessageKey = tuple[str, str]
"""Trace id and span id of the PRODUCER span, in hex."""

_HOP = (
    "side, lower(hex(origin_trace_id)) AS origin_trace, lower(hex(origin_span_id)) AS origin_span, "
    "lower(hex(trace_id)) AS trace, lower(hex(span_id)) AS span, lower(hex(parent_span_id)) AS parent, "
    "toUnixTimestamp64Nano(ts) AS start_ns, toUnixTimestamp64Nano(end_ts) AS end_ns, service, scope, destination, "
    "queue, order_ids, error, settlement, redelivered, death_reason, death_queue"
)


@dataclass(frozen=True, slots=True)
class TransitLimits:
    """Transit limits by destination in nanoseconds; ``default`` None means others are never late."""

    by_destination: Mapping[str, int]
    default: int | None

    def of(self, destination: str) -> int | None:
        """The limit of a destination."""
        return self.by_destination.get(destination, self.default)

    @property
    def longest_ns(self) -> int:
        """The longest of them, 0 when there is none."""
        return max([*self.by_destination.values(), self.default or 0])


def due_messages(store: Store, limits: TransitLimits, after_ns: int, now_ns: int) -> set[MessageKey]:
    """Messages whose transit limit was reached within (after, now]: since the publish, or since a delivery that failed.

    A consumer's destination is the producer's, with the queue behind a colon.
    """
    names, values = list(limits.by_destination), list(limits.by_destination.values())
    rows = store.rows(
        "WITH arrayFirst((limit, name) -> destination = name OR startsWith(destination, concat(name, ':')), "
        "{limits:Array(Int64)}, {names:Array(String)}) AS named_ns, "
        "if(named_ns > 0, named_ns, {rest:Int64}) AS limit_ns, toUnixTimestamp64Nano(end_ts) + limit_ns AS due_ns "
        "SELECT DISTINCT lower(hex(origin_trace_id)) AS trace, lower(hex(origin_span_id)) AS span FROM hops "
        "WHERE t >= toDateTime(intDiv({after:Int64} - {longest:Int64}, 1000000000), 'UTC') - 1 "
        "AND (side = 'sent' OR settlement IN ('requeue', 'none') OR error != '') "
        "AND limit_ns > 0 AND due_ns > {after:Int64} AND due_ns <= {now:Int64}",
        {
            "names": names,
            "limits": values,
            "rest": limits.default or 0,
            "longest": limits.longest_ns,
            "after": after_ns,
            "now": now_ns,
        },
    )
    return {(row["trace"], row["span"]) for row in rows}


def told_messages(store: Store, received_after_ns: int) -> set[MessageKey]:
    """Messages that something arrived for which may change what is said of them: any end with news, or a late end."""
    rows = store.rows(
        "SELECT DISTINCT lower(hex(origin_trace_id)) AS trace, lower(hex(origin_span_id)) AS span FROM hops "
        "WHERE received >= fromUnixTimestamp64Nano({after:Int64}, 'UTC') AND (error != '' OR death_reason != '' "
        "OR settlement NOT IN ('', 'ack') OR (side = 'sent' AND end_ts < received - INTERVAL 30 SECOND) "
        "OR (side = 'taken' AND (origin_trace_id, origin_span_id) GLOBAL IN "
        "(SELECT trace_id, span_id FROM hop_losses FINAL WHERE state = 'lost')))",
        {"after": received_after_ns},
    )
    return {(row["trace"], row["span"]) for row in rows}


def read_messages(store: Store, keys: Iterable[MessageKey]) -> list[Message]:
    """These messages with all their deliveries; keys that no PRODUCER span is known for are left out."""
    wanted = set(keys)
    traces = sorted({trace for trace, _ in wanted})
    rows = _hops_of_traces(store, traces)
    return [message for message in _messages(rows) if (message.trace_id, message.span_id) in wanted]


def order_messages(store: Store, order_ids: Sequence[str]) -> list[Message]:
    """The messages that name one of these order ids, or lie in a trace of theirs and name none, oldest first."""
    traces = store.rows(
        "SELECT DISTINCT lower(hex(target)) AS trace FROM trace_orders "
        "WHERE relation = 'order' AND ref IN {ids:Array(String)}",
        {"ids": list(order_ids)},
    )
    rows = _hops_of_traces(store, [row["trace"] for row in traces])
    named = set(order_ids)
    return [message for message in _messages(rows) if not message.order_ids or named & set(message.order_ids)]


def _hops_of_traces(store: Store, traces: Sequence[str]) -> list[dict[str, Any]]:
    if not traces:
        return []
    return store.rows(
        f"SELECT {_HOP} FROM hops WHERE origin_trace_id IN "
        "(SELECT toFixedString(unhex(arrayJoin({traces:Array(String)})), 16)) "
        "ORDER BY start_ns LIMIT 1 BY side, origin_trace_id, origin_span_id, trace_id, span_id",
        {"traces": list(traces)},
    )


def _messages(rows: Sequence[Mapping[str, Any]]) -> list[Message]:
    taken: dict[MessageKey, list[Delivery]] = defaultdict(list)
    for row in rows:
        if row["side"] == "taken":
            taken[row["origin_trace"], row["origin_span"]].append(_delivery(row))
    sent = [row for row in rows if row["side"] == "sent"]
    holders = {(row["trace"], row["parent"], row["scope"]) for row in sent}
    messages = [_message(row, (row["trace"], row["span"], row["scope"]) in holders) for row in sent]
    return [replace(each, deliveries=tuple(taken[each.trace_id, each.span_id])) for each in messages]


def _message(row: Mapping[str, Any], wrapped: bool) -> Message:
    return Message(
        trace_id=row["trace"],
        span_id=row["span"],
        published_ns=row["end_ns"],
        service=row["service"],
        destination=row["destination"],
        queue=row["queue"],
        order_ids=tuple(row["order_ids"]),
        error=row["error"],
        scope=row["scope"],
        wrapped=wrapped,
    )


def _delivery(row: Mapping[str, Any]) -> Delivery:
    return Delivery(
        trace_id=row["trace"],
        span_id=row["span"],
        started_ns=row["start_ns"],
        ended_ns=row["end_ns"],
        service=row["service"],
        destination=row["destination"],
        queue=row["queue"],
        settlement=Settlement(row["settlement"]) if row["settlement"] in set(Settlement) else Settlement.UNSEEN,
        error=row["error"],
        redelivered=row["redelivered"],
        death_reason=row["death_reason"],
        death_queue=row["death_queue"],
    )


def consumed_destinations(store: Store, since_ns: int) -> set[str]:
    """Destinations that somebody took a message from since then, as consumers name them."""
    rows = store.rows(
        "SELECT DISTINCT destination FROM hops WHERE side = 'taken' "
        "AND t >= toDateTime(intDiv({since:Int64}, 1000000000), 'UTC')",
        {"since": since_ns},
    )
    return {row["destination"] for row in rows}


def orders_of_traces(store: Store, traces: Iterable[str]) -> dict[str, list[str]]:
    """Order ids by trace, for messages that name no order themselves."""
    rows = store.rows(
        "SELECT DISTINCT lower(hex(target)) AS trace, ref FROM trace_orders WHERE relation = 'order' "
        "AND target IN (SELECT unhex(arrayJoin({traces:Array(String)})))",
        {"traces": sorted(set(traces))},
    )
    orders: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        orders[row["trace"]].append(row["ref"])
    return orders


@dataclass(frozen=True, slots=True)
class LossRow:
    """What was said of a message last: its version and state, ``lost`` or ``found``."""

    version: int
    state: str
    reason: str
    detail: str


def read_loss_rows(store: Store, keys: Iterable[MessageKey]) -> dict[MessageKey, LossRow]:
    """What was said of these messages so far."""
    rows = store.rows(
        "SELECT lower(hex(trace_id)) AS trace, lower(hex(span_id)) AS span, version, state, reason, detail "
        "FROM hop_losses FINAL WHERE trace_id IN (SELECT toFixedString(unhex(arrayJoin({traces:Array(String)})), 16))",
        {"traces": sorted({trace for trace, _ in keys})},
    )
    return {
        (row["trace"], row["span"]): LossRow(row["version"], row["state"], row["reason"], row["detail"]) for row in rows
    }


@dataclass(frozen=True, slots=True)
class Statement:
    """What is said of a message now: its loss, or None when it was found; ``version`` is above the last one's."""

    message: Message
    loss: Loss | None
    order_ids: tuple[str, ...]
    version: int


_LOSS_COLUMNS = (
    "trace_id", "span_id", "version", "state", "reason", "order_ids", "destination", "queue", "service", "published",
    "detail",
)  # fmt: skip


def write_statements(store: Store, statements: Sequence[Statement]) -> None:
    """Write what is said of messages, and touch their orders so that their journeys are rebuilt."""
    store.insert("hop_losses", _LOSS_COLUMNS, [_loss_values(each) for each in statements])
    touched = {order_id: each.message.published_ns for each in statements for order_id in each.order_ids}
    ahead_ns = time.time_ns() + TOUCH_AHEAD_NS
    store.insert(
        "order_touch", ("received", "order_id", "ts"), [(ahead_ns, order_id, ts) for order_id, ts in touched.items()]
    )


def _loss_values(said: Statement) -> tuple[object, ...]:
    message, loss = said.message, said.loss
    return (
        bytes.fromhex(message.trace_id), bytes.fromhex(message.span_id), said.version, "lost" if loss else "found",
        loss.reason if loss else "", list(said.order_ids), message.destination, loss.queue if loss else message.queue,
        message.service, message.published_ns, loss.detail if loss else "",
    )  # fmt: skip
