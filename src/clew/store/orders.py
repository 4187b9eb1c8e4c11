"""The orders table: one row an order, written by the ticker, read by everybody.

The verdict now is a comparison of the row's moments with the clock (see clew.journey.judge), repeated here in
``VERDICT`` so that the engine can filter and sort by it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Any

from clew.model.journey import Journey, VerdictKind
from clew.model.moments import LAST_NS
from clew.store.codec import journey_from_json
from clew.store.contract import Store
from clew.store.cursors import decode_cursor, encode_cursor

OPEN_BUCKET = date(1970, 1, 1)
_DAY_NS = 86_400 * 10**9
_TERMINAL = (VerdictKind.CLOSED, VerdictKind.CANCELLED)

VERDICT = (
    "multiIf(terminal != '', terminal, lost != '' AND lost_ns <= {now:Int64}, 'lost', failed = 1, 'failed', "
    "deadline_ns > 0 AND deadline_ns <= {now:Int64}, 'stuck', warn_ns > 0 AND warn_ns <= {now:Int64}, 'in_jeopardy', "
    "on_hold = 1, 'on_hold', 'on_time')"
)
_RANK = f"indexOf([{', '.join(repr(kind.value) for kind in VerdictKind)}], verdict)"
_SINCE = (
    "multiIf(terminal != '', -toUnixTimestamp64Nano(entered), verdict = 'lost', toUnixTimestamp64Nano(lost_since), "
    "verdict = 'failed', toUnixTimestamp64Nano(failed_at), verdict = 'stuck', deadline_ns, "
    "verdict = 'in_jeopardy', warn_ns, verdict = 'on_hold', toUnixTimestamp64Nano(hold_since), "
    "toUnixTimestamp64Nano(entered))"
)
_FINAL = "SETTINGS do_not_merge_across_partitions_select_final = 1"


SETTLED = (
    "if(terminal != '', entered <= fromUnixTimestamp64Nano({settled:Int64}, 'UTC'), lost = '' "
    "AND last_seen <= fromUnixTimestamp64Nano({settled:Int64}, 'UTC') AND (imported = 0 OR flow_version = 0))"
)
"""Whether a row tells of a past moment: what it was judged by had happened by then. What losses were known then isn't
kept, and imported history has no clock in its row; without a declared flow it needs none."""


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """Which orders to list; empty fields match everything.

    ``user_id`` and ``alias`` compare exactly (a user id as it is stored: masked), ``order_prefix`` the beginning of the
    order id. ``open_only`` leaves out ended orders unless ``verdicts`` names them. ``settled_ns`` picks orders whose
    rows tell of that past moment already: those that had ended, and those that nothing has happened to since.
    ``no_stage`` picks orders of which no stage is known yet, ``deviation`` those that left their flow so (accepted
    deviations don't count): a kind, or kind and stage (``skipped:SUBMITTED``).
    """

    verdicts: tuple[VerdictKind, ...] = ()
    stage: str = ""
    path: str = ""
    user_id: str = ""
    alias: str = ""
    trace_id: str = ""
    order_prefix: str = ""
    flow: str = ""
    open_only: bool = False
    settled_ns: int | None = None
    no_stage: bool = False
    deviation: str = ""


@dataclass(frozen=True, slots=True)
class OrderPage:
    """One page of journeys, worst first; ``next`` is the cursor of the page after it, None at the end."""

    items: tuple[Journey, ...]
    next: str | None
    now_ns: int


@dataclass(frozen=True, slots=True)
class OrderRow:
    """A journey as the table holds it: its JSON, its version and every other id it goes by.

    ``told_ns`` is when its end arrived first (0: it hasn't ended, or that isn't known).
    """

    journey: Journey
    journey_json: str
    version: int
    other_ids: tuple[str, ...]
    told_ns: int = 0


def order_where(filter_: OrderFilter) -> tuple[str, dict[str, object]]:
    """WHERE text and bindings over the columns of the orders table; the same on one node and on a cluster."""
    where, bind = ["1"], dict[str, object]()
    if filter_.settled_ns is not None:
        where += ["first_seen <= fromUnixTimestamp64Nano({settled:Int64}, 'UTC')", settled_of(filter_)]
        bind["settled"] = filter_.settled_ns
        where += ["terminal = ''"] if _open_only(filter_) else []
    elif _open_only(filter_):
        where.append("bucket = toDate(0)")
    for column in ("stage", "path", "flow", "user_id"):
        if value := getattr(filter_, column):
            where.append(f"{column} = {{{column}:String}}")
            bind[column] = value
    if filter_.no_stage:
        where.append("stage = ''")
    if filter_.deviation:
        of_kind = "arrayExists(each -> startsWith(each, concat({deviation:String}, ':')), deviations)"
        where.append("has(deviations, {deviation:String})" if ":" in filter_.deviation else of_kind)
        bind["deviation"] = filter_.deviation
    if filter_.alias:
        where.append("has(alias_values, {alias:String})")
        bind["alias"] = filter_.alias
    if filter_.trace_id:
        where.append(
            "(has(traces, toFixedString(unhex({trace:String}), 16)) OR order_id GLOBAL IN "
            "(SELECT ref FROM trace_orders WHERE relation = 'order' AND target = unhex({trace:String})))"
        )
        bind["trace"] = filter_.trace_id
    if filter_.order_prefix:
        where.append("startsWith(order_id, {prefix:String})")
        bind["prefix"] = filter_.order_prefix
    if filter_.verdicts:
        where.append("verdict IN {verdicts:Array(String)}")
        bind["verdicts"] = [kind.value for kind in filter_.verdicts]
    return " AND ".join(where), bind


def settled_of(filter_: OrderFilter) -> str:
    """Which rows tell of a past moment all that a filter asks for: what comes after an order's end may deviate."""
    untouched = "last_seen <= fromUnixTimestamp64Nano({settled:Int64}, 'UTC')"
    return f"({SETTLED} AND {untouched})" if filter_.deviation else SETTLED


def _open_only(filter_: OrderFilter) -> bool:
    if filter_.verdicts:
        return not any(kind in _TERMINAL for kind in filter_.verdicts)
    return filter_.open_only


def _judged(where: str) -> str:
    return (
        "SELECT bucket, order_id, verdict, rank, since FROM (SELECT *, "
        "toUnixTimestamp64Nano(deadline_at) AS deadline_ns, toUnixTimestamp64Nano(lost_from) AS lost_ns, "
        f"toUnixTimestamp64Nano(warn_at) AS warn_ns, {VERDICT} AS verdict, {_RANK} AS rank, {_SINCE} AS since "
        f"FROM orders FINAL WHERE {where})"
    )


def find_orders(
    store: Store, filter_: OrderFilter, now_ns: int, limit: int = 50, after: str | None = None
) -> OrderPage:
    """A page of orders, worst verdict first, within it the longest waiting first (ended ones: the latest first).

    All pages of one listing are judged at the moment of the first. Raises BadCursor.
    """
    where, bind = order_where(filter_)
    if after:
        now_ns, rank, since, order_id = decode_cursor(after, order_place)
        where += " AND (rank, since, order_id) > ({rank:UInt64}, {since:Int64}, {last:String})"
        bind |= {"rank": rank, "since": since, "last": order_id}
    rows = store.rows(
        f"{_judged(where)} ORDER BY rank, since, order_id LIMIT {{limit:UInt32}} {_FINAL}",
        bind | {"now": now_ns, "limit": limit + 1},
    )
    page = rows[:limit]
    last = page[-1] if len(rows) > limit else None
    cursor = encode_cursor(now_ns, last["rank"], last["since"], last["order_id"]) if last else None
    return OrderPage(tuple(_journeys(store, page)), cursor, now_ns)


def _journeys(store: Store, keys: Sequence[Mapping[str, Any]]) -> list[Journey]:
    if not keys:
        return []
    rows = store.rows(
        "SELECT order_id, journey FROM orders FINAL WHERE bucket IN {buckets:Array(Date)} "
        f"AND order_id IN {{ids:Array(String)}} {_FINAL}",
        {"buckets": sorted({key["bucket"] for key in keys}), "ids": [key["order_id"] for key in keys]},
    )
    by_id = {row["order_id"]: journey_from_json(row["journey"]) for row in rows}
    return [by_id[key["order_id"]] for key in keys if key["order_id"] in by_id]


def count_orders(store: Store, filter_: OrderFilter, now_ns: int) -> dict[VerdictKind, int]:
    """How many orders have each verdict; verdicts without any are left out."""
    where, bind = order_where(filter_)
    rows = store.rows(
        f"SELECT verdict, count() AS n FROM ({_judged(where)}) GROUP BY verdict {_FINAL}", bind | {"now": now_ns}
    )
    return {VerdictKind(row["verdict"]): int(row["n"]) for row in rows}


OrderPlace = tuple[int, int, int, str]
"""The moment of a listing, and rank, since and id of an order in it."""


def order_place(now_ns: int, rank: int, since: int, order_id: str) -> OrderPlace:
    """A place in a list of orders. Raises ValueError when there can be none."""
    if not (0 <= now_ns < LAST_NS and 0 <= rank <= len(VerdictKind) and -LAST_NS < since < LAST_NS):
        raise ValueError((now_ns, rank, since))
    return int(now_ns), int(rank), int(since), order_id.encode().decode()


@dataclass(frozen=True, slots=True)
class StoredOrder:
    """A live row as it lies in the table; ``ended_in`` is the stage in which the order ended, empty if it hasn't."""

    order_id: str
    bucket: date
    version: int
    first_ns: int
    imported: bool = False
    ended_in: str = ""
    told_ns: int = 0


def read_stored_orders(store: Store, ids: Iterable[str]) -> list[StoredOrder]:
    """The live rows of these order ids; one id has several only after a crash between two partitions."""
    rows = store.rows(
        "SELECT order_id, bucket, version, toUnixTimestamp64Nano(first_seen) AS first_ns, imported, "
        "if(terminal = '', '', stage) AS ended_in, toUnixTimestamp64Nano(told) AS told_ns FROM orders FINAL "
        f"WHERE order_id IN {{ids:Array(String)}} {_FINAL}",
        {"ids": list(ids)},
    )
    return [StoredOrder(**{**row, "imported": bool(row["imported"])}) for row in rows]


def read_order(store: Store, order_id: str) -> Journey | None:
    """The journey of an order, found by its id or by any id it also goes by; None when unknown."""
    rows = store.rows(
        f"SELECT journey FROM orders FINAL WHERE order_id = {{id:String}} LIMIT 1 {_FINAL}", {"id": order_id}
    ) or store.rows(
        f"SELECT journey FROM orders FINAL WHERE has(alias_values, {{id:String}}) LIMIT 1 {_FINAL}", {"id": order_id}
    )
    return journey_from_json(rows[0]["journey"]) if rows else None


def bucket_of(journey: Journey) -> date:
    """The partition an order lies in: the open one, or the Monday of the week in which it ended.

    An order that only imports tell of is nobody's to watch: if it hasn't ended, it lies in the week of its last event.
    """
    if journey.terminal is None and not journey.imported:
        return OPEN_BUCKET
    ended_ns = journey.entered_ns if journey.terminal else journey.last_ns
    return _monday(ended_ns // _DAY_NS)


@lru_cache(4_096)
def _monday(days: int) -> date:
    """The Monday of the week of a day, which is told in days since 1970."""
    day = OPEN_BUCKET + timedelta(days=days)
    return day - timedelta(days=day.weekday())


COLUMNS = (
    "bucket", "order_id", "version", "gone", "flow", "flow_version", "path", "stage", "entered", "first_seen",
    "last_seen", "told", "terminal", "on_hold", "hold_since", "lost", "lost_since", "lost_from", "failed", "failed_at",
    "warn_at", "deadline_at", "due_at", "user_id", "alias_values", "errors", "deviations", "accepted", "attrs",
    "imported", "stages", "entered_at", "traces", "journey",
)  # fmt: skip
_TOLD = COLUMNS.index("told")


@dataclass(frozen=True, slots=True)
class EncodedOrder:
    """A journey as the values of its row, without the journey; ``ended_in`` is as in `StoredOrder`."""

    order_id: str
    bucket: date
    version: int
    values: tuple[object, ...]
    ended_in: str

    def told_at(self, told_ns: int) -> EncodedOrder:
        """The same row, whose end arrived first at that moment (Unix ns)."""
        values = (*self.values[:_TOLD], told_ns, *self.values[_TOLD + 1 :])
        return EncodedOrder(self.order_id, self.bucket, self.version, values, self.ended_in)


def write_encoded(store: Store, rows: Iterable[EncodedOrder], left: Iterable[StoredOrder]) -> None:
    """Write rows, and a tombstone over each stored row that is no longer true.

    Live rows have odd versions; a tombstone has the next even one, which any further knowledge outranks.
    """
    store.insert("orders", COLUMNS, [row.values for row in rows] + [_tombstone(row) for row in left])


def encode_order(row: OrderRow) -> EncodedOrder:
    """The row of a journey."""
    bucket = bucket_of(row.journey)
    ended_in = row.journey.stage if row.journey.terminal else ""
    return EncodedOrder(row.journey.order_id, bucket, row.version, _row_values(row, bucket), ended_in)


def _row_values(row: OrderRow, bucket: date) -> tuple[object, ...]:
    journey = row.journey
    # A loss that never counts (nothing limits the stage) is in the journey, but not in the columns that judge.
    loss = journey.losses[0] if journey.lost_from_ns is not None else None
    return (
        bucket, journey.order_id, 2 * row.version + 1, 0, journey.flow, journey.flow_version, journey.path,
        journey.stage, journey.entered_ns, journey.first_ns, journey.last_ns, row.told_ns,
        journey.terminal or "",
        int(journey.on_hold), journey.holds[-1].begin_ns if journey.on_hold else 0,
        loss.reason if loss else "", loss.published_ns if loss else 0, journey.lost_from_ns or 0,
        int(journey.failure is not None), journey.failure.at_ns if journey.failure else 0,
        journey.warn_at_ns or 0, journey.deadline_at_ns or 0, journey.due_at_ns or 0, journey.user_id,
        list(row.other_ids), journey.errors,
        [f"{each.kind}:{each.stage}" for each in journey.deviations if not each.accepted],
        [f"{each.kind}:{each.stage}" for each in journey.deviations if each.accepted],
        journey.attributes, int(journey.imported),
        tuple([each.stage for each in journey.visits]), tuple([each.at_ns for each in journey.visits]),
        [bytes.fromhex(each) for each in journey.traces], row.journey_json,
    )  # fmt: skip


def _tombstone(row: StoredOrder) -> tuple[object, ...]:
    # Kept as long as the row it lies over: else the time to live, when it takes the tombstone, brings that row back.
    return (
        row.bucket, row.order_id, row.version + 1, 1, "", 0, "", "", 0, 0, 0, 0, "", 0, 0, "", 0, 0, 0, 0, 0, 0, 0, "",
        [], 0, [], [], {}, int(row.imported), [], [], [], "",
    )  # fmt: skip


def sweep_open_orders(store: Store) -> None:
    """Rid the open partition of tombstones; nobody else may write ``orders`` meanwhile.

    A merge keeps the last tombstone of a key for ever, and deleting rows one by one takes 80 times as long as
    taking a clean copy's partition. A crash leaves the old partition or the new one, both right.
    """
    store.command("TRUNCATE TABLE orders_swap")
    store.command(f"INSERT INTO orders_swap SELECT * FROM orders FINAL WHERE bucket = toDate(0) {_FINAL}")
    if store.rows("SELECT count() AS n FROM orders_swap")[0]["n"]:
        store.command("ALTER TABLE orders REPLACE PARTITION '1970-01-01' FROM orders_swap")
    else:
        store.command("ALTER TABLE orders DROP PARTITION '1970-01-01'")
    store.command("TRUNCATE TABLE orders_swap")
