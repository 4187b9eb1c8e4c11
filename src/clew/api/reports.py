"""Routes: what history teaches. All reports take the same filter, and most can be compared with another one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Annotated, Any, TypeVar
from zoneinfo import available_timezones

from fastapi import APIRouter, Depends, Query

from clew.api.deps import ApiDeps
from clew.api.errors import RESPONSES, ApiError, invalid, not_found
from clew.api.report_models import (
    ArrivalsModel,
    ConformanceModel,
    DwellModel,
    FunnelModel,
    HeatMapModel,
    MapModel,
    OrderVariantModel,
    ReportModel,
    ReworkModel,
    ThroughputsModel,
    VariantsModel,
    WorkInProgressModel,
    asked_model,
    order_variant_model,
)
from clew.api.times import parse_moment
from clew.model.errors import StoreError
from clew.model.flow import Flow
from clew.model.moments import LAST_NS
from clew.report.conformance import conformance
from clew.report.dwell import dwells
from clew.report.filter import By, ReportFilter, flow_of_most_orders, has_orders
from clew.report.funnel import funnel
from clew.report.heat_map import heat_map
from clew.report.per_day import MOST_DAYS, TooManyDays, arrivals, work_in_progress
from clew.report.process_map import process_map
from clew.report.rework import rework
from clew.report.throughput import throughput
from clew.report.variants import variant_of_order, variants, visits_of_order

_MOMENT = "a moment such as 2026-11-22T08:15:00Z, or 30d for 30 days ago"
# The engine's limits of memory and of time.
_TOO_MUCH = ("Code: 241", "Code: 159")
_LESS = "ask for a shorter range with --from and --to, or let the engine have more: setting engine.memory"
# What these zones are depends on the machine, or the engine doesn't know them.
_NO_ZONES = ("localtime", "posixrules", "Factory")
_Model = TypeVar("_Model", bound=ReportModel)
FlowVersion = Annotated[int | None, Query(ge=0, le=2**32 - 1, description="only orders judged by this version")]


@dataclass(frozen=True, slots=True)
class Asked:
    """What the caller wrote; see the parameters of `asked_at_any_time`."""

    flow: str
    from_: str
    to: str
    path: str
    attributes: tuple[str, ...]
    flow_version: int | None
    against: str
    against_path: str
    by: By = By.STARTED


def asked_at_any_time(
    flow: Annotated[str, Query(description="only orders of this flow; left out: the flow of most orders")] = "",
    from_: Annotated[str, Query(alias="from", description=f"not before {_MOMENT}")] = "",
    to: Annotated[str, Query(description=f"before {_MOMENT}")] = "",
    path: Annotated[str, Query(description="only orders of this path")] = "",
    attribute: Annotated[list[str] | None, Query(description="key=value of an order; may be repeated")] = None,
    flow_version: FlowVersion = None,
    against: Annotated[str, Query(description="compare with another range, FROM..TO, or `previous`")] = "",
    against_path: Annotated[str, Query(description="compare with another path")] = "",
) -> Asked:
    """The parameters of reports in which every order counts on its own days."""
    return Asked(flow, from_, to, path, tuple(attribute or ()), flow_version, against, against_path)


def asked_in_range(
    asked: Annotated[Asked, Depends(asked_at_any_time)],
    by: Annotated[By, Query(description="what must lie in the range: an order's start, its end, or any visit")] = (
        By.STARTED
    ),
) -> Asked:
    """The parameters of reports about whole orders."""
    return replace(asked, by=by)


InRange = Annotated[Asked, Depends(asked_in_range)]
AnyTime = Annotated[Asked, Depends(asked_at_any_time)]
Zone = Annotated[str, Query(description="the time zone whose days and hours count, such as Europe/Berlin")]


@dataclass(frozen=True, slots=True)
class Picked:
    """A filter, its flow as it is in force (None: nobody declared it), and the moment of the question."""

    filter: ReportFilter
    flow: Flow | None
    now_ns: int


def report_routes(deps: ApiDeps) -> APIRouter:
    """The routes below /reports. Blocking calls run on worker threads."""
    routes = APIRouter(prefix="/reports", tags=["reports"], responses=RESPONSES)
    _add_ways(routes, deps)
    _add_times(routes, deps)
    _add_days(routes, deps)
    return routes


def _add_ways(routes: APIRouter, deps: ApiDeps) -> None:
    store = deps.store

    @routes.get("/map", summary="Which stage follows which, how often, and how long that takes")
    def show_map(
        asked: InRange,
        min_share: Annotated[
            float, Query(ge=0, le=1, allow_inf_nan=False, description="hide edges in a smaller share of the orders")
        ] = 0.0,
    ) -> MapModel:
        return _answer(deps, asked, MapModel, lambda p: process_map(store, p.filter, p.flow, min_share))

    @routes.get("/variants", summary="The distinct sequences of stages, the most frequent first")
    def show_variants(asked: InRange, limit: Annotated[int, Query(ge=1, le=1_000_000)] = 10_000) -> VariantsModel:
        return _answer(deps, asked, VariantsModel, lambda p: variants(store, p.filter, limit))

    @routes.get("/variant", summary="The variant of one order, and how usual it is")
    def show_variant(
        asked: InRange, order: Annotated[str, Query(description="the order's id, or another id of it")]
    ) -> OrderVariantModel:
        if asked.against or asked.against_path:
            raise invalid("against: one order is compared with all that count", "leave it out")
        found = visits_of_order(store, order)
        if found is None:
            raise not_found(f"no order {order}", "check the id, or list what is known with `clew orders --all`")
        picked = picked_orders(deps, replace(asked, flow=asked.flow or found["flow"]))
        return order_variant_model(variant_of_order(store, found, picked.filter), picked.filter)

    @routes.get("/funnel", summary="How many orders of each path reach each step")
    def show_funnel(
        asked: InRange,
        step: Annotated[list[str] | None, Query(description="a stage, in order; left out: the path's stages")] = None,
    ) -> FunnelModel:
        return _answer(deps, asked, FunnelModel, lambda p: funnel(store, p.filter, p.flow, step or ()))

    @routes.get("/rework", summary="Stages that were entered again")
    def show_rework(asked: InRange) -> ReworkModel:
        return _answer(deps, asked, ReworkModel, lambda p: rework(store, p.filter))

    @routes.get("/conformance", summary="Orders that went the declared way, and how others left it")
    def show_conformance(asked: InRange) -> ConformanceModel:
        return _answer(deps, asked, ConformanceModel, lambda p: conformance(store, p.filter))


def _add_times(routes: APIRouter, deps: ApiDeps) -> None:
    store = deps.store

    @routes.get("/dwell", summary="How long orders stay in each stage, those that still wait counted")
    def show_dwell(asked: InRange) -> DwellModel:
        return _answer(deps, asked, DwellModel, lambda p: dwells(store, p.filter, p.now_ns, p.flow))

    @routes.get("/throughput", summary="How long finished orders took")
    def show_throughput(asked: InRange) -> ThroughputsModel:
        return _answer(deps, asked, ThroughputsModel, lambda p: throughput(store, p.filter))

    @routes.get("/heatmap", summary="At which hours of the week orders enter each stage")
    def show_heat_map(asked: InRange, zone: Zone = "UTC") -> HeatMapModel:
        _check_zone(zone)
        return _answer(deps, asked, HeatMapModel, lambda p: heat_map(store, p.filter, zone, p.flow))


def _add_days(routes: APIRouter, deps: ApiDeps) -> None:
    store = deps.store

    @routes.get("/arrivals", summary="Arrivals and completions per day")
    def show_arrivals(asked: AnyTime, zone: Zone = "UTC") -> ArrivalsModel:
        _check_zone(zone)
        return _answer(deps, asked, ArrivalsModel, lambda p: arrivals(store, p.filter, p.now_ns, zone))

    @routes.get("/wip", summary="Open orders at the end of each day")
    def show_work_in_progress(asked: AnyTime, zone: Zone = "UTC") -> WorkInProgressModel:
        _check_zone(zone)
        return _answer(deps, asked, WorkInProgressModel, lambda p: work_in_progress(store, p.filter, p.now_ns, zone))


def _answer(deps: ApiDeps, asked: Asked, model: type[_Model], report: Callable[[Picked], Any]) -> _Model:
    """The report of what was asked, with the one that it is compared with."""
    picked = picked_orders(deps, asked)
    other = _other(asked, picked)
    try:
        answer = _model(model, report(picked), picked.filter)
        return answer.model_copy(update={"against": _model(model, report(other), other.filter)}) if other else answer
    except TooManyDays as error:
        raise invalid(f"from: {error}", f"give --from and --to at most {MOST_DAYS:,} days apart") from error
    except StoreError as error:
        if str(error).startswith(_TOO_MUCH):
            raise ApiError(503, "too_much", "the report looks at too many orders for this engine", _LESS) from error
        raise


def _model(model: type[_Model], report: Any, filter_: ReportFilter) -> _Model:  # noqa: ANN401 - of any report
    parts = {field.name: getattr(report, field.name) for field in fields(report)}
    return model.model_validate({**parts, "asked": asked_model(filter_)})


def picked_orders(deps: ApiDeps, asked: Asked) -> Picked:
    """The filter that was asked for. Raises ApiError."""
    now_ns = deps.now_ns()
    in_force = {each.flow.name: each.flow for each in deps.book.current}
    name = asked.flow or flow_of_most_orders(deps.store) or deps.flow_of("").name
    if name not in in_force and not has_orders(deps.store, name):
        raise not_found(f"no order follows a flow {name}", "leave out --flow to see the flow of most orders")
    filter_ = ReportFilter(
        flow=name,
        from_ns=_moment("from", asked.from_, now_ns),
        to_ns=_moment("to", asked.to, now_ns),
        path=asked.path,
        attributes=tuple(_pair(each) for each in asked.attributes),
        flow_version=asked.flow_version,
        by=asked.by,
    )
    _check_range(filter_.from_ns, filter_.to_ns)
    flow = in_force.get(name)
    return Picked(filter_, flow.accepting_at(now_ns) if flow else None, now_ns)


def _other(asked: Asked, picked: Picked) -> Picked | None:
    """What the report is compared with: another range, another path, or both."""
    if not asked.against and not asked.against_path:
        return None
    filter_ = picked.filter
    if asked.against:
        from_ns, to_ns = _range(asked.against, filter_, picked.now_ns)
        filter_ = replace(filter_, from_ns=from_ns, to_ns=to_ns)
    if asked.against_path:
        filter_ = replace(filter_, path=asked.against_path)
    return replace(picked, filter=filter_)


def _range(text: str, filter_: ReportFilter, now_ns: int) -> tuple[int, int]:
    if text == "previous":
        if filter_.from_ns is None:
            raise invalid("against: there is nothing before a range without a begin", "give --from as well")
        end_ns = now_ns if filter_.to_ns is None else filter_.to_ns
        return max(0, 2 * filter_.from_ns - end_ns), filter_.from_ns
    begin, _, end = text.partition("..")
    if not (begin and end):
        raise invalid(f"against: {text!r} is no range", "write 2026-10-01..2026-11-01, 60d..30d, or previous")
    from_ns, to_ns = _at("against", begin, now_ns), _at("against", end, now_ns)
    _check_range(from_ns, to_ns)
    return from_ns, to_ns


def _check_range(from_ns: int | None, to_ns: int | None) -> None:
    if from_ns is not None and to_ns is not None and from_ns >= to_ns:
        raise invalid("from: the range ends before it begins", "give a --to that is later than --from")


def _moment(name: str, text: str, now_ns: int) -> int | None:
    return _at(name, text, now_ns) if text else None


def _at(name: str, text: str, now_ns: int) -> int:
    try:
        return min(max(0, parse_moment(text, now_ns)), LAST_NS)
    except ValueError as error:
        raise invalid(f"{name}: {error}", f"give {_MOMENT}") from error


def _pair(text: str) -> tuple[str, str]:
    key, sign, value = text.partition("=")
    if not key or not sign:
        raise invalid(f"attribute: {text!r} is not key=value", "write for example attribute=country=de")
    return key, value


def _check_zone(zone: str) -> None:
    if zone not in known_zones():
        raise invalid(f"zone: {zone!r} is no time zone", "give a name such as UTC or Europe/Berlin")


@cache
def known_zones() -> frozenset[str]:
    """The names of time zones that mean the same here, in the engine and on every machine."""
    names = (name for name in available_timezones() if not name.startswith(("right/", "posix/")))
    return frozenset(names) - frozenset(_NO_ZONES)
