"""Spans that a rule looks at: those of the last minutes by service and operation, and what burns a budget.

A span counts when it ended within the window, whenever it began, as far back as `LONGEST_NS`: what is told of is told
when it ends. A span that was received twice counts once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from clew.model.rule import BurnRate, By, SeriesKind, Slow, SpanCondition, SpansSeen, Surge
from clew.model.watched import Burned, SpanExample, SpanGroup
from clew.store.contract import Store
from clew.store.minutes import HTTP_CODE, MINUTE_NS
from clew.store.series import SeriesBook
from clew.store.span_condition import CONDITION, OF_SMALL_COLUMNS, bind_condition

LONGEST_NS = 10 * MINUTE_NS
"""A span that lasts longer than this and a window together isn't seen when it ends."""

EXAMPLES = 5
"""How many traces are shown for a group."""

_WITHIN = f"""ts > fromUnixTimestamp64Nano({{from:Int64}} - {LONGEST_NS}, 'UTC')
    AND ts <= fromUnixTimestamp64Nano({{to:Int64}}, 'UTC')
    AND toUnixTimestamp64Nano(ts) + toInt64(duration_ns) BETWEEN {{from:Int64}} + 1 AND {{to:Int64}}"""

_GROUPED = (
    "if({by_service:Bool}, toString(service), '') AS in_service, if({by_operation:Bool}, toString(name), '') AS doing"
)

# Mostly no span of such a service failed or was slow: said in a quarter of what the next statement takes.
_ANY = f"""
SELECT 1 FROM spans
WHERE ts > fromUnixTimestamp64Nano({{from:Int64}} - {LONGEST_NS}, 'UTC')
    AND ts <= fromUnixTimestamp64Nano({{to:Int64}}, 'UTC') AND {OF_SMALL_COLUMNS}
LIMIT 1"""

_GROUPS = f"""
SELECT in_service, doing, toInt64(count()) AS spans, min(ended) AS first, max(ended) AS last,
    toInt64(quantileExactHigh({{quantile:Float64}})(duration_ns)) AS lasted
FROM (
    SELECT {_GROUPED}, toUnixTimestamp64Nano(ts) + toInt64(duration_ns) AS ended, duration_ns
    FROM spans WHERE {_WITHIN} AND {CONDITION} LIMIT 1 BY trace_id, span_id
)
GROUP BY in_service, doing ORDER BY in_service, doing"""

_EXAMPLES = f"""
SELECT * FROM (
    SELECT {_GROUPED}, lower(hex(trace_id)) AS trace, toString(service) AS of_service, toString(name) AS operation,
        toUnixTimestamp64Nano(ts) + toInt64(duration_ns) AS ended, toInt64(duration_ns) AS lasted,
        toString(error) AS why, {HTTP_CODE} AS http, if({{slowest:Bool}}, lasted, ended) AS place
    FROM spans WHERE {_WITHIN} AND {CONDITION}
    ORDER BY place DESC LIMIT 1 BY in_service, doing, trace
)
ORDER BY place DESC LIMIT {{examples:UInt8}} BY in_service, doing"""

_Key = tuple[str, str]


def read_span_groups(store: Store, shape: SpansSeen | Slow, now_ns: int) -> list[SpanGroup]:
    """The spans that meet a rule's condition and ended within its window, by what the rule tells apart.

    Groups with fewer spans than the rule asks for have no examples, of a rule about durations fast ones neither.
    """
    bind = {
        "from": now_ns - shape.window_ns,
        "to": now_ns,
        "by_service": By.SERVICE in shape.by,
        "by_operation": By.OPERATION in shape.by,
        "quantile": shape.quantile if isinstance(shape, Slow) else 1.0,
    }
    condition = bind_condition(shape.spans)
    if not store.rows(_ANY, bind | condition):
        return []
    rows = store.rows(_GROUPS, bind | condition)
    above_ns = shape.above_ns if isinstance(shape, Slow) else -1
    found = any(row["spans"] >= shape.at_least and row["lasted"] > above_ns for row in rows)
    wanted = replace(shape.spans, longer_than_ns=max(above_ns, shape.spans.longer_than_ns))
    shown = _examples(store, wanted, bind, slowest=isinstance(shape, Slow)) if found else {}
    return [
        SpanGroup(
            row["in_service"], row["doing"], row["spans"], row["first"], row["last"],
            row["lasted"] if isinstance(shape, Slow) else None, shown.get((row["in_service"], row["doing"]), ()),
        )
        for row in rows
    ]  # fmt: skip


def _examples(
    store: Store, condition: SpanCondition, bind: Mapping[str, object], *, slowest: bool
) -> dict[_Key, tuple[SpanExample, ...]]:
    rows = store.rows(_EXAMPLES, {**bind, **bind_condition(condition), "examples": EXAMPLES, "slowest": slowest})
    found: dict[_Key, list[SpanExample]] = {}
    for row in rows:
        example = SpanExample(
            row["trace"], row["of_service"], row["operation"], row["ended"], row["lasted"], row["why"], row["http"]
        )
        found.setdefault((row["in_service"], row["doing"]), []).append(example)
    return {key: tuple(examples) for key, examples in found.items()}


@dataclass(slots=True)
class BurnBook:
    """Good and bad spans of a burn-rate rule as they go on, by whole minutes and service. One thread at a time."""

    store: Store
    shape: BurnRate
    _all: SeriesBook = field(init=False)
    _bad: SeriesBook = field(init=False)

    def __post_init__(self) -> None:
        """Nothing is read before `at`."""
        self._all = self._book(self.shape.spans)
        self._bad = self._book(bad_of(self.shape))

    def at(self, now_ns: int) -> list[Burned]:
        """What each service burned within the rule's windows: of each pair the long one, then the short one.

        The minute that runs counts as far as it has passed. Services with too few bad spans have no examples.
        """
        minute = now_ns // MINUTE_NS
        found = burned_of(self.shape, self._all.at(minute), self._bad.at(minute), minute)
        if not any(max(each.bad, default=0) >= self.shape.at_least for each in found):
            return found
        shortest_ns = min(window.short_ns for window in self.shape.windows)
        bind = {"from": now_ns - shortest_ns, "to": now_ns, "by_service": True, "by_operation": False}
        shown = _examples(self.store, bad_of(self.shape), bind, slowest=False)
        return [Burned(each.service, each.spans, each.bad, shown.get((each.service, ""), ())) for each in found]

    def _book(self, condition: SpanCondition) -> SeriesBook:
        longest = max(window.long_ns for window in self.shape.windows) // MINUTE_NS
        surge = Surge(SeriesKind.SPANS, spans=condition)
        return SeriesBook(self.store, surge, lambda minute, more, _: [(minute - longest, minute + 1 + more)])


def bad_of(shape: BurnRate) -> SpanCondition:
    """The condition that a bad one of a rule's spans meets: that of the spans, and that of bad ones."""
    good, bad = shape.spans, shape.bad
    return SpanCondition(
        services=_both(good.services, bad.services),
        operations=bad.operations or good.operations,
        work=_both(good.work, bad.work),
        errors_only=good.errors_only or bad.errors_only,
        http_from=max(good.http_from, bad.http_from),
        http_to=min(filter(None, (good.http_to, bad.http_to)), default=0),
        longer_than_ns=max(good.longer_than_ns, bad.longer_than_ns),
        where={**good.where, **bad.where},
    )


def _both(first: Sequence[str], second: Sequence[str]) -> tuple[str, ...]:
    """What is in both lists, where an empty one stands for everything; nothing in common is the empty name."""
    if not first or not second:
        return tuple(first or second)
    return tuple(each for each in first if each in second) or ("",)


def burned_of(
    shape: BurnRate, spans: Mapping[str, Mapping[int, int]], bad: Mapping[str, Mapping[int, int]], minute: int
) -> list[Burned]:
    """What each service burned up to a minute, from its counts by minute: all spans, and the bad ones."""
    lengths = [each // MINUTE_NS for window in shape.windows for each in (window.long_ns, window.short_ns)]
    return [
        Burned(
            service,
            tuple(_sum(counts, minute, length) for length in lengths),
            tuple(_sum(bad.get(service, {}), minute, length) for length in lengths),
        )
        for service, counts in sorted(spans.items())
    ]


def _sum(counts: Mapping[int, int], minute: int, length: int) -> int:
    if length < len(counts):
        return sum(counts.get(each, 0) for each in range(minute - length + 1, minute + 1))
    return sum(n for each, n in counts.items() if minute - length < each <= minute)
