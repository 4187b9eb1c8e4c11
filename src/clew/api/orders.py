"""Routes: orders, worst first, and one order with its journey."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from clew.api.deps import ApiDeps
from clew.api.errors import RESPONSES, ApiError, invalid, not_found
from clew.api.order_models import JourneyModel, OrderPageModel, journey_model, order_model
from clew.api.span_models import OrderSpansModel, span_model
from clew.api.times import moment, parse_moment
from clew.learn.as_of import TooManyOrders, orders_at
from clew.model.journey import VerdictKind
from clew.store.order_spans import order_spans
from clew.store.orders import OrderFilter, OrderPage, count_orders, find_orders, read_order
from clew.store.search import masked
from clew.store.spans import Span
from clew.store.whole_order import read_whole_order

TRACE_ID = r"^[0-9a-fA-F]{32}$"
_ERRORS_SHOWN = 20


def order_routes(deps: ApiDeps) -> APIRouter:
    """The routes below /orders. Blocking calls run on worker threads, as these functions aren't coroutines."""
    routes = APIRouter(tags=["orders"], responses=RESPONSES)

    @routes.get("/orders", summary="Orders, worst first")
    def list_orders(
        verdict: Annotated[list[VerdictKind] | None, Query(description="only these verdicts; may be repeated")] = None,
        stage: Annotated[str, Query(description="only orders in this stage")] = "",
        path: Annotated[str, Query(description="only orders of this path")] = "",
        flow: Annotated[str, Query(description="only orders of this flow")] = "",
        user: Annotated[str, Query(description="a user id, in clear or as shown")] = "",
        alias: Annotated[str, Query(description="another id of the order")] = "",
        trace: Annotated[str, Query(description="a trace that handled the order", pattern=rf"^$|{TRACE_ID}")] = "",
        prefix: Annotated[str, Query(description="how the order id begins")] = "",
        open_only: Annotated[bool, Query(alias="open", description="leave out ended orders")] = False,
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
        after: Annotated[str, Query(description="`next` of the page before")] = "",
        at: Annotated[str, Query(description="as of a past moment, such as 2026-11-22T08:15:00Z or 2h")] = "",
    ) -> OrderPageModel:
        shown = masked(user) if user and deps.users_masked else user
        filter_ = OrderFilter(tuple(verdict or ()), stage, path, shown, alias, trace.lower(), prefix, flow, open_only)
        if at:
            page, counts = _listed_at(deps, filter_, at, limit, after)
        else:
            page = find_orders(deps.store, filter_, deps.now_ns(), limit, after or None)
            counts = {} if after else count_orders(deps.store, filter_, page.now_ns)
        return OrderPageModel(
            items=[order_model(each, deps.flow_of(each.flow), page.now_ns) for each in page.items],
            next=page.next,
            counts=None if after else {kind.value: counts.get(kind, 0) for kind in VerdictKind},
            judged_at=moment(page.now_ns),
        )

    # Declared before the order itself: an order id may hold slashes.
    @routes.get("/orders/{order_id:path}/spans", summary="The spans of an order, over all its traces")
    def list_order_spans(
        order_id: Annotated[str, Path(description="the order's id, or another id of it")],
        limit: Annotated[int, Query(ge=1, le=20_000)] = 5_000,
    ) -> OrderSpansModel:
        found = order_spans(deps.store, order_id, limit)
        if not found.spans and read_order(deps.store, order_id) is None:
            raise _unknown(order_id)
        return OrderSpansModel(
            order_id=order_id,
            spans=[span_model(each) for each in found.spans],
            shared=dict(found.shared),
            complete=found.complete,
        )

    @routes.get("/orders/{order_id:path}", summary="An order with its journey")
    def show_order(
        order_id: Annotated[str, Path(description="the order's id, or another id of it")],
    ) -> JourneyModel:
        order = read_whole_order(deps.store, order_id)
        if order is None:
            raise _unknown(order_id)
        failed: tuple[Span, ...] = ()
        if any(trace.errors for trace in order.traces):
            failed = order_spans(deps.store, order_id, 1_000, scope=order.scope, failed_only=True).spans
        return journey_model(order, deps.flow_of(order.journey.flow), deps.now_ns(), failed[-_ERRORS_SHOWN:])

    return routes


def _listed_at(
    deps: ApiDeps, filter_: OrderFilter, at: str, limit: int, after: str
) -> tuple[OrderPage, dict[VerdictKind, int]]:
    """A page as of a past moment, with the counts of all."""
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
    return past.page, past.counts


def _unknown(order_id: str) -> ApiError:
    return not_found(
        f"no order {order_id}",
        "check the id, or list what is known with `clew orders --all`; a new order appears about 2 s after its first "
        "stage event",
    )
