"""Both ends of messages, and what the loss detector said of them."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from clew.model.journey import Loss
from clew.model.message import Delivery, Message, Settlement
from clew.store.contract import Store
from clew.store.lookups import LOOKUP
from clew.store.rederive import TOUCH_AHEAD_NS

MessageKey = tuple[str, str]
"""Trace id and span id of the PRODUCER span, in hex."""

_HOP = (
    "side, lower(hex(origin_trace_id)) AS origin_trace, lower(hex(origin_span_id)) AS origin_span, "
    "lower(hex(trace_id)) AS trace, lower(hex(span_id)) AS span, lower(hex(parent_span_id)) AS parent, "
    "toUnixTimestamp64Nano(ts) AS start_ns, toUnixTimestamp64Nano(end_ts) AS end_ns, service, scope, destination, "
    "queue, order_ids, error, settlement, redelivered, death_reason, death_queue, "
    "toUnixTimestamp64Nano(received) AS received_ns"
)
_KEY = "lower(hex(origin_trace_id)) AS trace, lower(hex(origin_span_id)) AS span"
_SKEW_NS = 60 * 10**9
_SEPARATORS = (":", ",")


@dataclass(frozen=True, slots=True)
class TransitLimits:
    """Transit limits by destination in nanoseconds; ``default`` None means others are never late.

    A limit counts for the destination itself and, behind a colon or comma, for its routing keys; the longest name wins.
    """

    by_destination: Mapping[str, int]
    default: int | None

    def of(self, destination: str) -> int | None:
        """The limit of a destination."""
        for name in self.names:
            if destination == name or destination.startswith(tuple(name + each for each in _SEPARATORS)):
                return self.by_destination[name]
        return self.default

    @property
    def names(self) -> list[str]:
        """The destinations named, the longest name first."""
        return sorted(self.by_destination, key=len, reverse=True)

    @property
    def lengths(self) -> list[int]:
        """All limits that occur."""
        return sorted({*self.by_destination.values(), *([] if self.default is None else [self.default])})


@dataclass(frozen=True, slots=True)
class Due:
    """One message whose transit limit was reached: its key, its destination and when it was published."""

    key: MessageKey
    destination: str
    published_ns: int


# A message is due when its limit is over and it is known of for the grace. The two halves of the union are the two
# ways to get there, each with an index to go by.
_DUE = """WITH arrayFirst((length, name) -> destination = name OR startsWith(destination, concat(name, ':'))
        OR startsWith(destination, concat(name, ',')), {lengths:Array(Int64)}, {names:Array(String)}) AS named_ns,
    if(named_ns > 0, named_ns, {rest:Int64}) AS limit_ns,
    greatest(toUnixTimestamp64Nano(end_ts) + limit_ns, toUnixTimestamp64Nano(received)) + {grace:Int64} AS due_ns
SELECT trace, span, destination, min(end_ns) AS published_ns FROM (
    SELECT lower(hex(trace_id)) AS trace, lower(hex(span_id)) AS span, destination,
        toUnixTimestamp64Nano(end_ts) AS end_ns
    FROM hops WHERE side = 'sent' AND t >= fromUnixTimestamp(intDiv({after:Int64} - {longest:Int64}, 1000000000) - 1)
        AND t <= fromUnixTimestamp(intDiv({until:Int64}, 1000000000) + 1)
        AND limit_ns > 0 AND due_ns > {after:Int64} AND due_ns <= {until:Int64}
    UNION ALL
    SELECT lower(hex(trace_id)) AS trace, lower(hex(span_id)) AS span, destination,
        toUnixTimestamp64Nano(end_ts) AS end_ns
    FROM hops WHERE side = 'sent' AND received >= fromUnixTimestamp64Nano({after:Int64} - {grace:Int64}, 'UTC')
        AND received <= fromUnixTimestamp64Nano({until:Int64}, 'UTC')
        AND limit_ns > 0 AND due_ns > {after:Int64} AND due_ns <= {until:Int64}
) GROUP BY trace, span, destination"""


def any_news(store: Store, limits: TransitLimits, grace_ns: int, due_ns: int, told_ns: int) -> bool:
    """Whether anything can have become due since ``due_ns``, or has arrived since ``told_ns``: a look of 3 ms, where
    all that asks what it is takes 30."""
    longest_ns = max(limits.lengths, default=0) + grace_ns
    rows = store.rows(
        "SELECT 1 FROM hops WHERE side = 'sent' AND t >= fromUnixTimestamp(intDiv({published:Int64}, 1000000000) - 1) "
        "LIMIT 1 UNION ALL "
        "SELECT 1 FROM hops WHERE received >= fromUnixTimestamp64Nano({received:Int64}, 'UTC') LIMIT 1",
        {"published": due_ns - longest_ns, "received": min(told_ns, due_ns - longest_ns)},
    )
    return bool(rows)


def due_messages(store: Store, limits: TransitLimits, grace_ns: int, after_ns: int, until_ns: int) -> list[Due]:
    """Messages that became due within (after, until], taken or not."""
    if not limits.lengths:
        return []
    names = limits.names
    rows = store.rows(
        _DUE,
        {
            "names": names,
            "lengths": [limits.by_destination[name] for name in names],
            "rest": limits.default or 0,
            "longest": limits.lengths[-1] + grace_ns,
            "grace": grace_ns,
            "after": after_ns,
            "until": until_ns,
        },
    )
    return [Due((row["trace"], row["span"]), row["destination"], row["published_ns"]) for row in rows]


def taken_messages(store: Store, keys: Collection[MessageKey], since_ns: int) -> set[MessageKey]:
    """Those of these messages, published since then, that a CONSUMER span names: a cheap look before the exact one."""
    if not keys:
        return set()
    rows = store.rows(
        f"SELECT DISTINCT {_KEY} FROM hops WHERE side = 'taken' "
        "AND t >= fromUnixTimestamp(intDiv({since:Int64}, 1000000000)) AND (origin_trace_id, origin_span_id) IN "
        "(SELECT toFixedString(unhex(pair.1), 16), toFixedString(unhex(pair.2), 8) FROM "
        "(SELECT arrayJoin(arrayZip({traces:Array(String)}, {spans:Array(String)})) AS pair))",
        {"since": since_ns - _SKEW_NS, "traces": [trace for trace, _ in keys], "spans": [span for _, span in keys]},
    )
    return {(row["trace"], row["span"]) for row in rows}


def due_again(store: Store, limits: TransitLimits, grace_ns: int, after_ns: int, until_ns: int) -> set[MessageKey]:
    """Messages that a consumer gave back, lost or failed on, a transit limit ago: any limit, since a consumer may name
    the destination in another way than its producer."""
    if not limits.lengths:
        return set()
    rows = store.rows(
        f"SELECT DISTINCT {_KEY} FROM hops WHERE side = 'taken' "
        "AND received >= fromUnixTimestamp64Nano({after:Int64} - {longest:Int64} - {grace:Int64}, 'UTC') "
        "AND (settlement IN ('requeue', 'none', 'reject') OR error != '') AND arrayExists(length -> "
        "greatest(toUnixTimestamp64Nano(end_ts) + length, toUnixTimestamp64Nano(received)) + {grace:Int64} "
        "BETWEEN {after:Int64} + 1 AND {until:Int64}, {lengths:Array(Int64)})",
        {
            "lengths": limits.lengths,
            "longest": limits.lengths[-1],
            "grace": grace_ns,
            "after": after_ns,
            "until": until_ns,
        },
    )
    return {(row["trace"], row["span"]) for row in rows}


def told_messages(store: Store, from_ns: int, until_ns: int) -> set[MessageKey]:
    """Messages of which something outright arrived within [from, until): an error, a death, a settlement but ack."""
    rows = store.rows(
        f"SELECT DISTINCT {_KEY} FROM hops "
        "WHERE received >= fromUnixTimestamp64Nano({from:Int64}, 'UTC') "
        "AND received < fromUnixTimestamp64Nano({until:Int64}, 'UTC') "
        "AND (error != '' OR death_reason != '' OR settlement NOT IN ('', 'ack'))",
        {"from": from_ns, "until": until_ns},
    )
    return {(row["trace"], row["span"]) for row in rows}


def first_arrival(store: Store, since_ns: int, default_ns: int) -> int:
    """When the first span of a message since that moment arrived."""
    rows = store.rows(
        "SELECT min(toUnixTimestamp64Nano(received)) AS first_ns, count() AS spans FROM hops "
        "WHERE received >= fromUnixTimestamp64Nano({since:Int64}, 'UTC')",
        {"since": since_ns},
    )
    return int(rows[0]["first_ns"]) if rows[0]["spans"] else default_ns


def turned_up(store: Store, from_ns: int, until_ns: int) -> dict[MessageKey, int]:
    """Messages said to be lost that a span arrived for within [from, until), with when they were published.

    That is a consumer's span, or a PRODUCER span inside theirs, which shows that theirs was only the wrapping.
    """
    rows = store.rows(
        "SELECT lower(hex(trace_id)) AS trace, lower(hex(span_id)) AS span, toUnixTimestamp64Nano(published) AS at_ns "
        "FROM hop_losses FINAL WHERE state = 'lost' AND (trace_id, span_id) GLOBAL IN ("
        "SELECT origin_trace_id, if(side = 'taken', origin_span_id, parent_span_id) FROM hops "
        "WHERE received >= fromUnixTimestamp64Nano({from:Int64}, 'UTC') "
        "AND received < fromUnixTimestamp64Nano({until:Int64}, 'UTC'))",
        {"from": from_ns, "until": until_ns},
    )
    return {(row["trace"], row["span"]): row["at_ns"] for row in rows}


def worked_queues(store: Store, from_ns: int, until_ns: int) -> set[str]:
    """Queues that fresh messages were taken from, by what arrived within [from, until)."""
    rows = store.rows(
        "SELECT DISTINCT queue FROM hops WHERE side = 'taken' AND queue != '' AND death_reason = '' "
        "AND received >= fromUnixTimestamp64Nano({from:Int64}, 'UTC') "
        "AND received < fromUnixTimestamp64Nano({until:Int64}, 'UTC')",
        {"from": from_ns, "until": until_ns},
    )
    return {row["queue"] for row in rows}


def read_messages(store: Store, keys: Iterable[MessageKey], since_ns: int = 0) -> list[Message]:
    """These messages and those that they wrap, with all their deliveries.

    Keys that no PRODUCER span since that moment is known for are left out.
    """
    wanted = set(keys)
    rows = _hops_of_traces(store, sorted({trace for trace, _ in wanted}), since_ns)
    wrapped = {(row["trace"], row["span"]) for row in rows if (row["trace"], row["parent"]) in wanted}
    return [message for message in _messages(rows) if (message.trace_id, message.span_id) in wanted | wrapped]


def order_messages(store: Store, order_ids: Sequence[str], traces: Sequence[str]) -> list[Message]:
    """The messages that name one of these order ids, or lie in one of these traces and name none, oldest first."""
    rows = _hops_of_traces(store, traces)
    named = set(order_ids)
    return [message for message in _messages(rows) if not message.order_ids or named & set(message.order_ids)]


def _hops_of_traces(store: Store, traces: Sequence[str], since_ns: int = 0) -> list[dict[str, Any]]:
    if not traces:
        return []
    return store.rows(
        f"SELECT {_HOP} FROM hops WHERE origin_trace_id IN "
        "(SELECT toFixedString(unhex(arrayJoin({traces:Array(String)})), 16)) "
        "AND t >= fromUnixTimestamp(intDiv({since:Int64}, 1000000000)) "
        "ORDER BY start_ns, received LIMIT 1 BY side, origin_trace_id, origin_span_id, trace_id, span_id "
        f"{LOOKUP}",
        {"traces": list(traces), "since": max(0, since_ns - _SKEW_NS)},
    )


def _messages(rows: Sequence[Mapping[str, Any]]) -> list[Message]:
    taken: dict[MessageKey, list[Delivery]] = defaultdict(list)
    for row in rows:
        if row["side"] == "taken":
            taken[row["origin_trace"], row["origin_span"]].append(_delivery(row))
    sent = [row for row in rows if row["side"] == "sent"]
    holders = {(row["trace"], row["parent"]) for row in sent}
    errors = {(row["trace"], row["span"]): row["error"] for row in sent}
    messages = [_message(row, (row["trace"], row["span"]) in holders) for row in sent]
    # What a wrapping span tells of how publishing ended is true of the message, too.
    ended = [
        replace(each, error=each.error or errors.get((each.trace_id, row["parent"]), ""))
        for each, row in zip(messages, sent, strict=True)
    ]
    return [replace(each, deliveries=tuple(taken[each.trace_id, each.span_id])) for each in ended]


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
        received_ns=row["received_ns"],
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
    """What was said of a message last: its version and state, ``lost`` or ``found``; ``said_lost_ns`` is when it was
    first said to be lost."""

    version: int
    state: str
    reason: str
    detail: str
    order_ids: tuple[str, ...] = ()
    said_lost_ns: int = 0


def read_loss_rows(store: Store, keys: Iterable[MessageKey]) -> dict[MessageKey, LossRow]:
    """What was said of these messages so far."""
    rows = store.rows(
        "SELECT lower(hex(trace_id)) AS trace, lower(hex(span_id)) AS span, version, state, reason, detail, order_ids, "
        "toUnixTimestamp64Nano(said_lost) AS said_lost_ns "
        "FROM hop_losses FINAL WHERE trace_id IN (SELECT toFixedString(unhex(arrayJoin({traces:Array(String)})), 16))",
        {"traces": sorted({trace for trace, _ in keys})},
    )
    return {
        (row["trace"], row["span"]): LossRow(
            row["version"],
            row["state"],
            row["reason"],
            row["detail"],
            tuple(row["order_ids"]),
            int(row["said_lost_ns"]),
        )
        for row in rows
    }


@dataclass(frozen=True, slots=True)
class Statement:
    """What is said of a message now: its loss, or None when it was found; ``version`` is above the last one's.
    ``said_lost_ns`` is when it was first said to be lost."""

    message: Message
    loss: Loss | None
    order_ids: tuple[str, ...]
    version: int
    said_lost_ns: int


_LOSS_COLUMNS = (
    "trace_id", "span_id", "version", "state", "reason", "order_ids", "destination", "queue", "service", "published",
    "detail", "said_lost",
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
        message.service, message.published_ns, loss.detail if loss else "", said.said_lost_ns,
    )  # fmt: skip
