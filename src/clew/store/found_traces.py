"""Traces found by their spans: a page of them read in slices of time, how many spans match when, and completions.

    since ......................................... until
      |      6th      |    5th    |  4th | 3rd |2nd|1st|   slices, the newest first and shortest

Whoever looks for the newest twenty rarely needs more than the first slices, and what is found there is shown while the
others are read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from clew.model.moments import LAST_NS
from clew.store.contract import Store
from clew.store.cursors import decode_cursor, encode_cursor
from clew.store.hops import orders_of_traces
from clew.store.lookups import both
from clew.store.search import SpanFilter, span_where
from clew.store.spans import NO_SPAN, TRACE_SET, sql

MINUTE_NS = 60 * 10**9
_FIRST_SLICE_NS = 15 * MINUTE_NS
_GROWS = 4
_RECENT = 20_000
_WORDS = 40


@dataclass(frozen=True, slots=True)
class FoundTrace:
    """A trace in which some span matched. ``matched_ns`` is the newest such span's start; the rest is of all its spans.

    Times are nanoseconds. ``services`` are at most twelve. The root is the first span without a parent, else the first.
    """

    trace_id: str
    matched_ns: int
    start_ns: int
    duration_ns: int
    spans: int
    failed: int
    services: tuple[str, ...]
    root_service: str
    root_name: str
    order_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FoundPart:
    """Traces found in a slice of time, the newest match first.

    ``next`` is the cursor of the page after this one; it comes with the last part, None when there is nothing more.
    """

    items: tuple[FoundTrace, ...]
    next: str | None


Place = tuple[int, str]
"""Start of the newest matching span and trace id: how found traces are sorted."""


def trace_place(matched_ns: int, trace_id: str) -> Place:
    """A place in a list of traces. Raises ValueError when there can be none."""
    if len(bytes.fromhex(trace_id)) != 16 or not 0 <= matched_ns < LAST_NS:
        raise ValueError((matched_ns, trace_id))
    return int(matched_ns), trace_id


def search_traces(
    store: Store, filter_: SpanFilter, now_ns: int, limit: int = 20, after: str | None = None
) -> Iterator[FoundPart]:
    """A page of the traces in which a span matches, newest match first, in parts as they are read. Raises BadCursor.

    A cursor is looked at before the first part is asked for; reading waits until then.
    """
    place = decode_cursor(after, trace_place) if after else None
    return _parts(store, filter_, now_ns, limit, place)


def _parts(store: Store, filter_: SpanFilter, now_ns: int, limit: int, after: Place | None) -> Iterator[FoundPart]:
    seen: dict[str, int] = {}
    for since_ns, until_ns in _slices_before(filter_, now_ns, after):
        slice_ = replace(filter_, since_ns=since_ns, until_ns=until_ns)
        found = [each for each in _matches(store, slice_, filter_, after, limit + 1 + len(seen)) if each[1] not in seen]
        fresh = found[: limit - len(seen)]
        seen |= {trace: matched for matched, trace in fresh}
        more = len(found) > len(fresh)
        if fresh or more:
            cursor = encode_cursor(*list(seen.items())[-1][::-1]) if more and seen else None
            yield FoundPart(_described(store, fresh), cursor)
        if more:
            return


def _slices_before(filter_: SpanFilter, now_ns: int, after: Place | None) -> Iterator[tuple[int, int]]:
    end_ns = after[0] + 1 if after else filter_.until_ns
    return slices(filter_.since_ns, end_ns, now_ns)


def slices(since_ns: int, until_ns: int, now_ns: int) -> Iterator[tuple[int, int]]:
    """Spans of time from ``since_ns`` to ``until_ns``, the newest first, each four times as long as the one before.

    Without a since there is one slice: an index finds what is asked for then. Without an until (0) the first one ends
    never, as clocks of senders may be ahead.
    """
    if not since_ns:
        yield 0, until_ns
        return
    length, upper = _FIRST_SLICE_NS, until_ns
    lower = max(since_ns, (min(until_ns, now_ns) if until_ns else now_ns) - length)
    while True:
        yield lower, upper
        if lower <= since_ns:
            return
        length *= _GROWS
        upper, lower = lower, max(since_ns, lower - length)


def _matches(store: Store, slice_: SpanFilter, whole: SpanFilter, after: Place | None, limit: int) -> list[Place]:
    """Traces with a match in a slice, each at its newest one. Those that earlier pages showed are left out."""
    where, bind = span_where(slice_)
    if after:
        known, more = span_where(replace(whole, since_ns=0, until_ns=0))
        upper = " AND ts < fromUnixTimestamp64Nano({shown_until:Int64}, 'UTC')" if whole.until_ns else ""
        where += sql(
            " AND (ts, trace_id) <", _LAST, "AND trace_id GLOBAL NOT IN (SELECT trace_id FROM spans WHERE", known,
            "AND ts >= fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC') AND (ts, trace_id) >=", _LAST + upper, ")",
        )  # fmt: skip
        bind |= more | {"last_ns": after[0], "last_trace": after[1], "shown_until": whole.until_ns}
    rows = store.rows(
        sql(
            "SELECT toUnixTimestamp64Nano(ts) AS matched_ns, lower(hex(trace_id)) AS trace FROM spans WHERE", where,
            # The first term is how the table is sorted: reading stops when there are enough.
            "ORDER BY toStartOfFiveMinutes(ts) DESC, ts DESC, trace_id DESC LIMIT 1 BY trace_id LIMIT {limit:UInt32}",
        ),
        bind | {"limit": limit},
    )  # fmt: skip
    return [(row["matched_ns"], row["trace"]) for row in rows]


_LAST = "(fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC'), toFixedString(unhex({last_trace:String}), 16))"


def _described(store: Store, places: Sequence[Place]) -> tuple[FoundTrace, ...]:
    if not places:
        return ()
    traces = [trace for _, trace in places]
    rows, orders = both(
        lambda: store.rows(
            sql(
                "SELECT lower(hex(trace_id)) AS trace, uniqExact(span_id) AS spans,",
                "uniqExactIf(span_id, status = 2 OR error != '') AS failed, groupUniqArray(12)(service)"
                " AS services, min(toUnixTimestamp64Nano(ts)) AS start_ns,",
                "max(toUnixTimestamp64Nano(ts) + toInt64(duration_ns)) AS end_ns,",
                "argMin((service, name), (parent_span_id != unhex({none:String}), ts)) AS root",
                "FROM spans WHERE trace_id IN", TRACE_SET, "GROUP BY trace_id",
            ),
            {"traces": sorted(traces), "none": NO_SPAN},
        ),
        lambda: orders_of_traces(store, traces),
    )  # fmt: skip
    by_trace = {row["trace"]: row for row in rows}
    found = []
    for matched_ns, trace in places:
        row = by_trace[trace]
        start_ns = int(row["start_ns"])
        found.append(
            FoundTrace(
                trace_id=trace,
                matched_ns=matched_ns,
                start_ns=start_ns,
                duration_ns=int(row["end_ns"]) - start_ns,
                spans=int(row["spans"]),
                failed=int(row["failed"]),
                services=tuple(sorted(row["services"])),
                root_service=row["root"][0],
                root_name=row["root"][1],
                order_ids=tuple(sorted(orders.get(trace, ()))),
            )
        )
    return tuple(found)


@dataclass(frozen=True, slots=True)
class SlotCount:
    """How many matching spans began in a slot of time, and how many of them failed."""

    spans: int
    failed: int


def count_spans(store: Store, filter_: SpanFilter, from_ns: int, step_ns: int, slots: int) -> tuple[SlotCount, ...]:
    """Matching spans in each of so many slots of ``step_ns`` from a moment on. One that was received twice counts
    twice."""
    where, bind = span_where(filter_)
    rows = store.rows(
        sql(
            "SELECT intDiv(toUnixTimestamp64Nano(ts) - {from:Int64}, {step:Int64}) AS slot, count() AS spans,",
            "countIf(status = 2 OR error != '') AS failed FROM spans WHERE", where,
            "AND ts >= fromUnixTimestamp64Nano({from:Int64}, 'UTC')",
            "AND ts < fromUnixTimestamp64Nano({end:Int64}, 'UTC')",
            "GROUP BY slot",
        ),
        bind | {"from": from_ns, "step": step_ns, "end": from_ns + slots * step_ns},
    )  # fmt: skip
    counts = {int(row["slot"]): SlotCount(int(row["spans"]), int(row["failed"])) for row in rows}
    return tuple(counts.get(slot, SlotCount(0, 0)) for slot in range(slots))


def time_of_matches(store: Store, filter_: SpanFilter) -> tuple[int, int] | None:
    """When the first and the last matching span began (Unix ns); None when nothing matches."""
    where, bind = span_where(filter_)
    (row,) = store.rows(
        sql(
            "SELECT count() AS spans, toUnixTimestamp64Nano(min(ts)) AS first_ns,",
            "toUnixTimestamp64Nano(max(ts)) AS last_ns FROM spans WHERE", where,
        ),
        bind,
    )  # fmt: skip
    return (int(row["first_ns"]), int(row["last_ns"])) if row["spans"] else None


class WordsOf(StrEnum):
    """What words are completed for."""

    SERVICE = "service"
    NAME = "name"
    KEY = "key"
    VALUE = "value"


_COMPLETED = {
    WordsOf.SERVICE: ("service", "service"),
    WordsOf.NAME: ("name", "name"),
    WordsOf.KEY: ("attrs", "arrayJoin(mapKeys(attrs))"),
    WordsOf.VALUE: ("attrs", "attrs[{key:String}]"),
}


def words_of(
    store: Store, what: WordsOf, since_ns: int, *, part: str = "", service: str = "", key: str = ""
) -> tuple[str, ...]:
    """What recent spans have there, the most frequent first: services, span names, attribute keys, values of a key.

    ``part`` must be in the word, in whichever case. Looks at the newest 20,000 spans (of that service) and no others,
    so it is cheap whatever is stored.
    """
    column, word = _COMPLETED[what]
    conditions = ["ts >= fromUnixTimestamp64Nano({since:Int64}, 'UTC')"]
    conditions += ["service = {service:String}"] if service else []
    conditions += ["mapContains(attrs, {key:String})"] if what is WordsOf.VALUE else []
    rows = store.rows(
        sql(
            "SELECT word, count() AS spans FROM (SELECT", word, "AS word FROM (SELECT", column, "FROM spans WHERE",
            " AND ".join(conditions), "ORDER BY toStartOfFiveMinutes(ts) DESC LIMIT {recent:UInt32}))",
            "WHERE word != '' AND positionCaseInsensitiveUTF8(word, {part:String}) > 0",
            "GROUP BY word ORDER BY spans DESC, word LIMIT {words:UInt32}",
        ),
        {
            "since": since_ns, "service": service, "key": key, "part": part, "recent": _RECENT, "words": _WORDS,
        },
    )  # fmt: skip
    return tuple(row["word"] for row in rows)
