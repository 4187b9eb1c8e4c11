"""The list of orders as the API and the pages give it: now, or as it stood at a past moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Query
from pydantic import AfterValidator

from clew.api.deps import ApiDeps
from clew.api.errors import invalid
from clew.api.times import parse_moment
from clew.learn.as_of import TooManyOrders, orders_at
from clew.model.journey import DeviationKind, VerdictKind
from clew.store.orders import OrderFilter, OrderPage, count_orders, find_orders
from clew.store.search import masked


def deviation_asked(text: str) -> str:
    """A deviation to filter by: a kind, or kind and stage (``skipped:SUBMITTED``), or none.

    Raises ValueError, whose arguments are what is wrong and how to mend it.
    """
    kind = text.partition(":")[0]
    if text and kind not in set(DeviationKind):
        raise ValueError(f"there is no deviation {kind}", f"choose from {', '.join(DeviationKind)}")
    return text.removesuffix(":")


AskedDeviation = Annotated[
    str, Query(description="only orders that left the flow so: skipped, or skipped:SUBMITTED"),
    AfterValidator(deviation_asked),
]  # fmt: skip
TRACE_ID = r"^[0-9a-fA-F]{32}$"


@dataclass(frozen=True, slots=True)
class ListedOrders:
    """A page of orders, and how many of the whole list have each verdict (none where pages after the first don't
    tell)."""

    page: OrderPage
    counts: dict[VerdictKind, int]


def stored_user(deps: ApiDeps, user_id: str) -> str:
    """A user id, given in clear or as shown, as it is stored here."""
    return masked(user_id) if user_id and deps.users_masked else user_id


def list_now(deps: ApiDeps, filter_: OrderFilter, limit: int, after: str) -> ListedOrders:
    """A page as of now, with the counts of all on the first one. Raises BadCursor."""
    page = find_orders(deps.store, filter_, deps.now_ns(), limit, after or None)
    return ListedOrders(page, {} if after else count_orders(deps.store, filter_, page.now_ns))


def list_at(deps: ApiDeps, filter_: OrderFilter, at: str, limit: int, after: str) -> ListedOrders:
    """A page as of a past moment (text as `parse_moment` reads it), with the counts of all.

    Raises BadCursor, and ApiError for what is no past moment or would take too long.
    """
    now_ns = deps.now_ns()
    try:
        at_ns = max(0, parse_moment(at, now_ns))
    except ValueError as error:
        raise invalid(f"at: {error}", "give a moment such as 2026-11-22T08:15:00Z, or 2h for two hours ago") from error
    if at_ns > now_ns:
        raise invalid("at: this moment lies ahead", "give a past one")
    try:
        past = orders_at(deps.store, deps.book.current, filter_, at_ns, limit, after or None)
    except TooManyOrders as error:
        mend = "narrow it by flow, user, alias, trace or prefix, or ask for a later moment"
        raise invalid(f"at: {error}", mend) from error
    return ListedOrders(past.page, past.counts)
