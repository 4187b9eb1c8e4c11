"""Routes: what history teaches. All reports take the same filter, and most can be compared with another one."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Query

from clew.api import report_answers as answers
from clew.api.asked import AnyTime, InRange, Zone, picked_orders
from clew.api.deps import ApiDeps
from clew.api.errors import RESPONSES, invalid, not_found
from clew.api.report_files import BOTH, Answer, Form, in_form
from clew.api.report_models import (
    ArrivalsModel,
    ConformanceModel,
    DotsModel,
    DwellModel,
    FunnelModel,
    HeatMapModel,
    HistogramModel,
    MapModel,
    OrderVariantModel,
    ReworkModel,
    StepOrdersModel,
    ThroughputsModel,
    VariantsModel,
    WorkInProgressModel,
    order_variant_model,
)
from clew.report.variants import variant_of_order, visits_of_order


def report_routes(deps: ApiDeps) -> APIRouter:
    """The routes below /reports. Blocking calls run on worker threads."""
    routes = APIRouter(prefix="/reports", tags=["reports"], responses={**RESPONSES, **BOTH})
    _add_ways(routes, deps)
    _add_variants(routes, deps)
    _add_times(routes, deps)
    _add_days(routes, deps)
    _add_orders(routes, deps)
    return routes


def _add_ways(routes: APIRouter, deps: ApiDeps) -> None:
    @routes.get(
        "/map", summary="Which stage follows which, how often, and how long that takes", response_model=MapModel
    )
    def show_map(
        asked: InRange,
        min_share: Annotated[
            float, Query(ge=0, le=1, allow_inf_nan=False, description="hide edges in a smaller share of the orders")
        ] = 0.0,
        form: Form = "json",
    ) -> Answer:
        return in_form(form, "map", answers.map_answer(deps, asked, min_share))

    @routes.get("/funnel", summary="How many orders of each path reach each stage", response_model=FunnelModel)
    def show_funnel(
        asked: InRange,
        step: Annotated[list[str] | None, Query(description="a stage, in order; left out: the path's stages")] = None,
        form: Form = "json",
    ) -> Answer:
        return in_form(form, "funnel", answers.funnel_answer(deps, asked, step or ()))

    @routes.get("/rework", summary="Stages that were entered again", response_model=ReworkModel)
    def show_rework(asked: InRange, form: Form = "json") -> Answer:
        return in_form(form, "rework", answers.rework_answer(deps, asked))

    summary = "Orders that went the declared way, and how others left it"

    @routes.get("/conformance", summary=summary, response_model=ConformanceModel)
    def show_conformance(asked: InRange, form: Form = "json") -> Answer:
        return in_form(form, "conformance", answers.conformance_answer(deps, asked))


def _add_variants(routes: APIRouter, deps: ApiDeps) -> None:
    store = deps.store

    @routes.get(
        "/variants", summary="The distinct sequences of stages, the most frequent first", response_model=VariantsModel
    )
    def show_variants(
        asked: InRange, limit: Annotated[int, Query(ge=1, le=1_000_000)] = 10_000, form: Form = "json"
    ) -> Answer:
        return in_form(form, "variants", answers.variants_answer(deps, asked, limit))

    @routes.get("/variant", summary="The variant of one order, and how usual it is", response_model=OrderVariantModel)
    def show_variant(
        asked: InRange,
        order: Annotated[str, Query(description="the order's id, or another id of it")],
        form: Form = "json",
    ) -> Answer:
        if asked.against or asked.against_path:
            raise invalid("against: one order is compared with all that count", "leave it out")
        found = visits_of_order(store, order)
        if found is None:
            raise not_found(f"no order {order}", "check the id, or list what is known with `clew orders --all`")
        picked = picked_orders(deps, replace(asked, flow=asked.flow or found["flow"]))
        model = order_variant_model(variant_of_order(store, found, picked.filter), picked.filter)
        return in_form(form, "variant", model)


def _add_times(routes: APIRouter, deps: ApiDeps) -> None:
    @routes.get(
        "/dwell", summary="How long orders stay in each stage, those that still wait counted", response_model=DwellModel
    )
    def show_dwell(asked: InRange, form: Form = "json") -> Answer:
        return in_form(form, "dwell", answers.dwell_answer(deps, asked))

    @routes.get("/throughput", summary="How long finished orders took", response_model=ThroughputsModel)
    def show_throughput(asked: InRange, form: Form = "json") -> Answer:
        return in_form(form, "throughput", answers.throughput_answer(deps, asked))

    @routes.get("/histogram", summary="How many finished orders took how long", response_model=HistogramModel)
    def show_histogram(asked: InRange, form: Form = "json") -> Answer:
        return in_form(form, "histogram", answers.histogram_answer(deps, asked))

    summary = "At which hours of the week orders enter each stage"

    @routes.get("/heatmap", summary=summary, response_model=HeatMapModel)
    def show_heat_map(asked: InRange, zone: Zone = "UTC", form: Form = "json") -> Answer:
        return in_form(form, "heatmap", answers.heat_map_answer(deps, asked, zone))


def _add_days(routes: APIRouter, deps: ApiDeps) -> None:
    @routes.get("/arrivals", summary="Arrivals and completions per day", response_model=ArrivalsModel)
    def show_arrivals(asked: AnyTime, zone: Zone = "UTC", form: Form = "json") -> Answer:
        return in_form(form, "arrivals", answers.arrivals_answer(deps, asked, zone))

    @routes.get("/wip", summary="Open orders at the end of each day", response_model=WorkInProgressModel)
    def show_work_in_progress(asked: AnyTime, zone: Zone = "UTC", form: Form = "json") -> Answer:
        return in_form(form, "wip", answers.wip_answer(deps, asked, zone))


def _add_orders(routes: APIRouter, deps: ApiDeps) -> None:
    @routes.get("/dots", summary="Single orders with each of their visits", response_model=DotsModel)
    def show_dots(
        asked: InRange,
        orders: Annotated[int, Query(ge=1, le=1_000, description="how many at most; all have 2,000 visits")] = 200,
        spread: Annotated[bool, Query(description="some of all, not those that began last")] = False,
        form: Form = "json",
    ) -> Answer:
        return in_form(form, "dots", answers.dots_answer(deps, asked, orders, spread=spread))

    @routes.get(
        "/step", summary="The orders that went from one stage straight to another", response_model=StepOrdersModel
    )
    def show_step(
        asked: InRange,
        before: Annotated[str, Query(description="the stage that they left")],
        after: Annotated[str, Query(description="the stage that they came to")],
        limit: Annotated[int, Query(ge=1, le=10_000, description="how many at most, the slowest first")] = 100,
        form: Form = "json",
    ) -> Answer:
        return in_form(form, "step", answers.step_answer(deps, asked, before, after, limit))
