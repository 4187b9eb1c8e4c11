"""The past as rules are tried on it: which orders were under way, and spans by the minute in which they ended."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from clew.model.rule import By, SpanCondition
from clew.store.contract import Store
from clew.store.minutes import BUCKETS_AN_OCTAVE, MINUTE_NS
from clew.store.rule_spans import LONGEST_NS
from clew.store.span_condition import CONDITION, bind_condition

_AT_ONCE_NS = 86_400 * 10**9
_FINAL = "SETTINGS do_not_merge_across_partitions_select_final = 1"

_UNDER_WAY = """
FROM orders FINAL
WHERE first_seen < fromUnixTimestamp64Nano({until:Int64}, 'UTC')
AND (bucket = toDate(0) OR last_seen >= fromUnixTimestamp64Nano({from:Int64}, 'UTC'))
AND cityHash64(order_id) % {every:UInt32} = 0"""

_ENDED = f"""
SELECT if({{by_service:Bool}}, toString(service), '') AS in_service,
    if({{by_operation:Bool}}, toString(name), '') AS doing,
    intDiv(toUnixTimestamp64Nano(ts) + toInt64(duration_ns), {MINUTE_NS}) AS minute,
    if({{lengths:Bool}}, toInt64(floor(log2(greatest(duration_ns, 1)) * {BUCKETS_AN_OCTAVE})), 0) AS bucket,
    toInt64(uniqExact(trace_id, span_id)) AS n
FROM spans
WHERE ts >= fromUnixTimestamp64Nano({{from:Int64}} - {LONGEST_NS}, 'UTC')
AND ts < fromUnixTimestamp64Nano({{until:Int64}}, 'UTC')
AND toUnixTimestamp64Nano(ts) + toInt64(duration_ns) >= {{from:Int64}}
AND toUnixTimestamp64Nano(ts) + toInt64(duration_ns) < {{until:Int64}} AND {CONDITION}
GROUP BY in_service, doing, minute, bucket"""


@dataclass(frozen=True, slots=True)
class UnderWay:
    """An order that was under way at some time: its id, the other ids that it goes by, and its first moment."""

    order_id: str
    other_ids: tuple[str, ...]
    first_ns: int


def orders_under_way(store: Store, from_ns: int, until_ns: int, most: int) -> tuple[list[UnderWay], int]:
    """Orders that had begun before the end of a range and hadn't ended before it, the oldest first, and of how many
    orders one is among them: of more than ``most`` it is a sample."""
    bind = {"from": from_ns, "until": until_ns, "every": 1}
    number = store.rows(f"SELECT count() AS n {_UNDER_WAY} {_FINAL}", bind)[0]["n"]
    every = -(-int(number) // most) or 1
    rows = store.rows(
        f"SELECT order_id, alias_values, toUnixTimestamp64Nano(first_seen) AS first_ns {_UNDER_WAY} "
        f"ORDER BY first_ns, order_id {_FINAL}",
        bind | {"every": every},
    )
    return [UnderWay(row["order_id"], tuple(row["alias_values"]), row["first_ns"]) for row in rows], every


def spans_by_minute(
    store: Store, asked: SpanCondition, by: tuple[By, ...], from_ns: int, until_ns: int, *, lengths: bool
) -> Iterator[tuple[str, str, int, int, int]]:
    """Service, operation, minute, bucket of durations (0 without ``lengths``) and how many ended then; day by day."""
    bind = {"by_service": By.SERVICE in by, "by_operation": By.OPERATION in by, "lengths": lengths}
    for begin_ns in range(from_ns, until_ns, _AT_ONCE_NS):
        end_ns = min(begin_ns + _AT_ONCE_NS, until_ns)
        found = store.columns(_ENDED, bind | {"from": begin_ns, "until": end_ns} | bind_condition(asked))
        if found:
            yield from zip(
                found["in_service"], found["doing"], map(int, found["minute"]), map(int, found["bucket"]),
                map(int, found["n"]), strict=True,
            )  # fmt: skip
