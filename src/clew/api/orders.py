"""Routes: orders, worst first, and one order with its journey."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from clew.api.deps import ApiDeps
from clew.api.errors import RESPONSES, ApiError, not_found
from clew.api.order_list import TRACE_ID, AskedDeviation, list_at, list_now, stored_user
from clew.api.order_models import JourneyModel, OrderPageModel, journey_model, order_model
from clew.api.span_models import OrderSpansModel, span_model
from clew.api.times import moment
from clew.model.journey import VerdictKind
from clew.store.order_spans import order_spans
from clew.store.orders import OrderFilter, read_order
from clew.store.whole_order import failed_spans, read_whole_order


def order_routes(deps: ApiDeps) -> APIRouter:
    """The routes below /orders. Blocking calls run on worker threads, as these functions aren't coroutines."""
    routes = APIRouter(tags=["orders"], responses=RESPONSES)

    @routes.get("/orders", summary="Orders, worst first", dependencies=[Depends(deps.turns.when_past)])
    def list_orders(
        verdict: Annotated[list[VerdictKind] | None, Query(description="only these verdicts; may be repeated")] = None,
        stage: Annotated[str, Query(description="only orders in this stage")] = "",
        path: Annotated[str, Query(description="only orders of this path")] = "",
        flow: Annotated[str, Query(description="only orders of this flow")] = "",
        user: Annotated[str, Query(description="a user id, in clear or as shown")] = "",
        alias: Annotated[str, Query(description="another id of the order")] = "",
        trace: Annotated[str, Query(description="a trace that handled the order", pattern=rf"^$|{TRACE_ID}")] = "",
        prefix: Annotated[str, Query(description="how the order id begins")] = "",
        deviation: AskedDeviation = "",
        open_only: Annotated[bool, Query(alias="open", description="leave out ended orders")] = False,
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
        after: Annotated[str, Query(description="`next` of the page before")] = "",
        at: Annotated[str, Query(description="as of a past moment, such as 2026-11-22T08:15:00Z or 2h")] = "",
    ) -> OrderPageModel:
        shown = stored_user(deps, user)
        filter_ = OrderFilter(
            tuple(verdict or ()), stage, path, shown, alias, trace.lower(), prefix, flow, open_only, deviation=deviation
        )
        listed = list_at(deps, filter_, at, limit, after) if at else list_now(deps, filter_, limit, after)
        page, counts = listed.page, listed.counts
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
        failed = failed_spans(deps.store, order)
        return journey_model(order, deps.flow_of(order.journey.flow), deps.now_ns(), failed)

    return routes


def _unknown(order_id: str) -> ApiError:
    return not_found(
        f"no order {order_id}",
        "check the id, or list what is known with `clew orders --all`; a new order appears about 2 s after its first "
        "stage event",
    )
