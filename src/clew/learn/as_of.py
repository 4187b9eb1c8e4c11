"""Orders as they stood at a past moment: what was known of them up to then, judged by the flows in force.

    rows that tell of then already --the store's own list--\\
                                                             merged, a page of them
    rows that have changed since --facts up to then--> rebuild --> judge

Watching is assumed: an order of imported history is judged as if its clock had run. Who an order is (its ids, its user,
its flow's name) is taken as it is known now. A loss counts from when it could be told; one that was taken back since
isn't known any more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from clew.journey.in_force import FlowInForce
from clew.journey.judge import verdict_kind
from clew.journey.losses import transit_limits
from clew.journey.rebuild import rebuild
from clew.journey.rebuilder import choose_flow
from clew.model.errors import ClewError
from clew.model.event import Source, StageEvent
from clew.model.journey import Journey, Loss, LostReason, VerdictKind
from clew.store.contract import Store
from clew.store.cursors import decode_cursor, encode_cursor
from clew.store.facts import read_events, read_losses
from clew.store.hops import TransitLimits
from clew.store.orders import (
    OrderFilter,
    OrderPage,
    count_orders,
    find_orders,
    order_place,
    order_where,
    settled_of,
)

MOST = 20_000
"""How many orders are rebuilt for one answer at most: it takes some 10 to 20 s."""

_AT_ONCE = 2_000
_RANKS = {kind: rank for rank, kind in enumerate(VerdictKind, start=1)}
_ENDED = (VerdictKind.CLOSED, VerdictKind.CANCELLED)
_FINAL = "SETTINGS do_not_merge_across_partitions_select_final = 1"

Key = tuple[int, int, str]


class TooManyOrders(ClewError):
    """More orders have changed since a moment than can be rebuilt for one answer."""


@dataclass(frozen=True, slots=True)
class PastPage:
    """One page of orders as they stood at ``page.now_ns``, and how many of the whole list had each verdict."""

    page: OrderPage
    counts: dict[VerdictKind, int]


def orders_at(
    store: Store,
    flows: Sequence[FlowInForce],
    filter_: OrderFilter,
    at_ns: int,
    limit: int = 50,
    after: str | None = None,
) -> PastPage:
    """A page of orders as they stood at a past moment, in the order of `find_orders`, with the counts of all.

    Raises BadCursor, and TooManyOrders when more than `MOST` have to be rebuilt.
    """
    last: Key | None = None
    if after:
        at_ns, rank, since, order_id = decode_cursor(after, order_place)
        last = (rank, since, order_id)
    settled = replace(filter_, settled_ns=at_ns)
    page = find_orders(store, settled, at_ns, limit, after)
    counts: Counter[VerdictKind] = Counter(count_orders(store, settled, at_ns))
    found: list[tuple[Key, Journey]] = [(_key(each, at_ns), _known_by(each, at_ns)) for each in page.items]
    for journey in rebuilt_at(store, flows, filter_, at_ns):
        kind = verdict_kind(journey, at_ns)
        if not _listed(journey, kind, filter_):
            continue
        counts[kind] += 1
        key = _key(journey, at_ns)
        if last is None or key > last:
            found.append((key, journey))
            if len(found) > 4 * limit + 1_000:
                found = _first(found, limit + 1)
    chosen = _first(found, limit + 1)
    more = len(chosen) > limit or page.next is not None
    chosen = chosen[:limit]
    cursor = encode_cursor(at_ns, *chosen[-1][0]) if more and chosen else None
    return PastPage(OrderPage(tuple(journey for _, journey in chosen), cursor, at_ns), dict(counts))


def rebuilt_at(store: Store, flows: Sequence[FlowInForce], filter_: OrderFilter, at_ns: int) -> Iterable[Journey]:
    """The orders whose rows tell of a later time, as they stood at the moment. Raises TooManyOrders."""
    candidates = _candidates(store, filter_, at_ns)
    limits = transit_limits(each.flow for each in flows)
    for start in range(0, len(candidates), _AT_ONCE):
        part = candidates[start : start + _AT_ONCE]
        ids = sorted({each for row in part for each in (row["order_id"], *row["alias_values"])})
        events = read_events(store, ids, min(row["first_ns"] for row in part), until_ns=at_ns)
        said = read_losses(store, ids)
        for row in part:
            group = (row["order_id"], *row["alias_values"])
            losses = [each.loss for order_id in group for each in said.get(order_id, ()) if each.loss]
            known = [event for order_id in group for event in events.get(order_id, ())]
            if known:
                yield fold_at(row["order_id"], known, losses, flows, limits, at_ns)


def fold_at(
    order_id: str,
    events: Sequence[StageEvent],
    losses: Iterable[Loss],
    flows: Sequence[FlowInForce],
    limits: TransitLimits,
    at_ns: int,
) -> Journey:
    """The journey that facts up to a moment tell, as if the order had been watched. ``events`` hold one at least."""
    known = [event for event in events if event.at_ns <= at_ns]
    flow = choose_flow(flows, known)
    if all(event.source is Source.IMPORT for event in known):
        known = [event._replace(source=Source.LOG) for event in known]
    return rebuild(order_id, known, flow, [loss for loss in losses if _told_by(loss, limits, at_ns)])


def _candidates(store: Store, filter_: OrderFilter, at_ns: int) -> list[dict[str, Any]]:
    """Orders that had begun and whose rows aren't settled; by what says who they are, for the rest may have changed."""
    where, bind = order_where(
        replace(filter_, verdicts=(), stage="", no_stage=False, path="", deviation="", open_only=False)
    )
    where += f" AND NOT {settled_of(filter_)}"
    rows = store.rows(
        "SELECT order_id, alias_values, toUnixTimestamp64Nano(first_seen) AS first_ns FROM orders FINAL "
        f"WHERE {where} AND first_seen <= fromUnixTimestamp64Nano({{settled:Int64}}, 'UTC') "
        f"ORDER BY first_seen LIMIT {{most:UInt32}} {_FINAL}",
        bind | {"settled": at_ns, "most": MOST + 1},
    )
    if len(rows) > MOST:
        raise TooManyOrders(f"more than {MOST:,} orders have changed since that moment, or were imported unfinished")
    return rows


def _told_by(loss: Loss, limits: TransitLimits, at_ns: int) -> bool:
    """Whether a loss could be told at a moment: what silence alone tells, only after the transit limit."""
    silent = loss.reason in (LostReason.IN_QUEUE, LostReason.UNKNOWN)
    return loss.published_ns + ((limits.of(loss.destination) or 0) if silent else 0) <= at_ns


def _listed(journey: Journey, kind: VerdictKind, filter_: OrderFilter) -> bool:
    if filter_.verdicts and kind not in filter_.verdicts:
        return False
    if not filter_.verdicts and filter_.open_only and kind in _ENDED:
        return False
    if filter_.flow and journey.flow != filter_.flow:
        return False
    if filter_.no_stage and journey.stage:
        return False
    if filter_.deviation and not _deviates(journey, filter_.deviation):
        return False
    return filter_.stage in ("", journey.stage) and filter_.path in ("", journey.path)


def _deviates(journey: Journey, asked: str) -> bool:
    counting = (each for each in journey.deviations if not each.accepted)
    return any(asked in (each.kind, f"{each.kind}:{each.stage}") for each in counting)


def _known_by(journey: Journey, at_ns: int) -> Journey:
    """A settled journey as if it had been watched, without what came after its end since."""
    journey = replace(journey, imported=False)
    later = tuple(each for each in journey.after_end if each.at_ns <= at_ns)
    if later == journey.after_end:
        return journey
    kept = len(journey.milestones) + len(later)
    deviations = tuple(each for each in journey.deviations if each.index < kept)
    return replace(journey, after_end=later, deviations=deviations)


def _first(found: list[tuple[Key, Journey]], number: int) -> list[tuple[Key, Journey]]:
    return sorted(found, key=lambda each: each[0])[:number]


def _key(journey: Journey, at_ns: int) -> Key:
    """Where an order stands in the list, as ``clew.store.orders`` sorts it: rank, since, id."""
    kind = verdict_kind(journey, at_ns)
    match kind:
        case VerdictKind.CLOSED | VerdictKind.CANCELLED:
            since_ns = -journey.entered_ns
        case VerdictKind.LOST:
            since_ns = journey.losses[0].published_ns
        case VerdictKind.FAILED:
            since_ns = journey.failure.at_ns if journey.failure else 0
        case VerdictKind.STUCK:
            since_ns = journey.deadline_at_ns or 0
        case VerdictKind.IN_JEOPARDY:
            since_ns = journey.warn_at_ns or 0
        case VerdictKind.ON_HOLD:
            since_ns = journey.holds[-1].begin_ns
        case VerdictKind.ON_TIME:
            since_ns = journey.entered_ns
    return _RANKS[kind], since_ns, journey.order_id
