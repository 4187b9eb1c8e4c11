"""Queues in which messages wait, from both ends of messages and from what the loss detector said of them.

    older than the transit limit --what is said to be lost in a queue--\\
                                                                         by queue, those after the last taken message
    younger ---published, and no CONSUMER span names them--------------/

A message that was published before another one of its queue was taken is left out: queues go in order, so it may be
lost, as its order says, but it doesn't wait. Where no consumer was ever seen, as those that pull emit no span, nobody
can tell that a message waits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from clew.model.watched import WaitingQueue
from clew.store.contract import Store

LOOK_BACK_NS = 86_400 * 10**9
"""Messages that wait for longer aren't counted; younger ones tell as well that their queue is dead."""
MOST = 100_000
"""As many messages are counted at most, the newest."""

_MOST_YOUNG_NS = 3_600 * 10**9
_EXAMPLES = 5

_SENT = """t >= toDateTime(intDiv({young:Int64}, 1000000000), 'UTC') AND error = ''
        AND end_ts > fromUnixTimestamp64Nano({young:Int64}, 'UTC')
        AND end_ts <= fromUnixTimestamp64Nano({now:Int64}, 'UTC')"""

# No message is young and none was said to be lost: mostly so, and said in a tenth of what the next statement takes.
_ANY = """
SELECT 1 FROM hops
WHERE side = 'sent' AND t >= toDateTime(intDiv({young:Int64}, 1000000000), 'UTC')
LIMIT 1
UNION ALL
SELECT 1 FROM hop_losses WHERE published > fromUnixTimestamp64Nano({after:Int64}, 'UTC') LIMIT 1"""

# Where a PRODUCER span holds another one, only the inner one's context is in the message. What was taken is looked for
# among the few that are asked about: a consumer's clock may be a minute behind.
_UNTAKEN = f"""
SELECT named, own, at, trace, told FROM (
    SELECT if(destination != '', destination, queue) AS named, queue AS own, toUnixTimestamp64Nano(published) AS at,
        lower(hex(trace_id)) AS trace, span_id, 1 AS told
    FROM hop_losses FINAL
    WHERE state = 'lost' AND reason = 'in_queue'
    AND published > fromUnixTimestamp64Nano({{after:Int64}}, 'UTC')
    AND published <= fromUnixTimestamp64Nano({{now:Int64}}, 'UTC')
    UNION ALL
    SELECT if(destination != '', destination, queue) AS named, queue AS own, toUnixTimestamp64Nano(end_ts) AS at,
        lower(hex(trace_id)) AS trace, span_id, 0 AS told
    FROM hops WHERE side = 'sent' AND {_SENT}
    AND (trace_id, span_id) GLOBAL NOT IN (
        SELECT origin_trace_id, origin_span_id FROM hops
        WHERE side = 'taken' AND t >= toDateTime(intDiv({{young:Int64}}, 1000000000) - 60, 'UTC'))
    AND (trace_id, span_id) GLOBAL NOT IN (
        SELECT trace_id, parent_span_id FROM hops
        WHERE side = 'sent' AND t >= toDateTime(intDiv({{young:Int64}}, 1000000000) - 60, 'UTC'))
)
WHERE named != '' ORDER BY told DESC, at DESC LIMIT 1 BY trace, span_id LIMIT {{most:UInt32}}"""

# A consumer names its queue behind the destination that its publisher names.
_TAKEN = """
SELECT arrayFirst(d -> destination = d OR queue = d OR startsWith(destination, concat(d, ':'))
        OR startsWith(destination, concat(d, ',')), {named:Array(String)}) AS named,
    toString(argMax(queue, ts)) AS own, toString(argMax(service, ts)) AS consumer,
    max(toUnixTimestamp64Nano(ts)) AS last
FROM hops
WHERE side = 'taken' AND t >= toDateTime(intDiv({after:Int64}, 1000000000), 'UTC')
AND t <= toDateTime(intDiv({now:Int64}, 1000000000) + 60, 'UTC') AND death_reason = ''
GROUP BY named HAVING named != ''"""


def read_waiting(store: Store, now_ns: int, judged_after_ns: int) -> list[WaitingQueue]:
    """The queues in which messages wait at a moment, those with the oldest message first.

    ``judged_after_ns`` is how long after its publishing a message is said to be lost at the latest: the longest transit
    limit and the grace of its spans; what is younger (an hour at most) is looked up in the messages themselves.
    """
    after_ns = now_ns - LOOK_BACK_NS
    young_ns = now_ns - min(judged_after_ns, _MOST_YOUNG_NS)
    if not store.rows(_ANY, {"after": after_ns, "young": young_ns}):
        return []
    found = store.columns(_UNTAKEN, {"after": after_ns, "young": young_ns, "now": now_ns, "most": MOST})
    if not found:
        return []
    untaken = list(zip(found["named"], found["own"], found["at"], found["trace"], found["told"], strict=True))
    named = sorted({each[0] for each in untaken}, key=len, reverse=True)
    taken = {
        row["named"]: row
        for row in store.rows(_TAKEN, {"named": named, "after": after_ns - LOOK_BACK_NS, "now": now_ns})
    }
    return waiting_of(untaken, taken)


def waiting_of(
    untaken: Iterable[tuple[str, str, int, str, int]], taken: Mapping[str, Mapping[str, Any]]
) -> list[WaitingQueue]:
    """Queues from messages that nobody took, and from who took others last.

    A message is its destination, its queue's own name, its moment, its trace, and whether it is said to be lost.
    """
    waits: dict[str, list[tuple[int, str, str]]] = {}
    consumed = set(taken)
    for named, own, at_ns, trace, told in untaken:
        last = taken.get(named)
        if last is None or at_ns > last["last"]:
            waits.setdefault(named, []).append((at_ns, own, trace))
        if told:
            consumed.add(named)
    waits = {named: messages for named, messages in waits.items() if named in consumed}
    queues = [_queue(named, sorted(messages), taken.get(named)) for named, messages in waits.items()]
    return sorted(queues, key=lambda queue: (queue.oldest_ns, queue.destination))


def _queue(named: str, messages: Sequence[tuple[int, str, str]], last: Mapping[str, Any] | None) -> WaitingQueue:
    own = next((own for _, own, _ in messages if own), "")
    return WaitingQueue(
        destination=named,
        waiting=len(messages),
        oldest_ns=messages[0][0],
        queue=(last["own"] if last else "") or own,
        consumer=last["consumer"] if last else "",
        taken_ns=last["last"] if last else None,
        trace_ids=tuple(dict.fromkeys(trace for _, _, trace in messages))[:_EXAMPLES],
    )
