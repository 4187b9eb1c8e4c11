"""The reports as answers: of what was asked, with the one that it is compared with. The API and the pages use them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any, TypeVar

from clew.api.asked import Asked, Picked, check_zone, compared_with, picked_orders
from clew.api.deps import ApiDeps
from clew.api.errors import ApiError, invalid
from clew.api.report_models import (
    ArrivalsModel,
    ConformanceModel,
    DotsModel,
    DwellModel,
    FunnelModel,
    HeatMapModel,
    HistogramModel,
    MapModel,
    ReportModel,
    ReworkModel,
    StepOrdersModel,
    ThroughputsModel,
    VariantsModel,
    WorkInProgressModel,
    asked_model,
)
from clew.model.errors import StoreError
from clew.report.conformance import conformance
from clew.report.dots import dots
from clew.report.dwell import dwells
from clew.report.filter import ReportFilter
from clew.report.funnel import funnel
from clew.report.heat_map import heat_map
from clew.report.histogram import Histogram, histogram
from clew.report.per_day import MOST_DAYS, TooManyDays, arrivals, work_in_progress
from clew.report.process_map import process_map
from clew.report.rework import rework
from clew.report.step import step_orders
from clew.report.throughput import throughput
from clew.report.variants import variants

# The engine's limits of memory and of time.
_TOO_MUCH = ("Code: 241", "Code: 159")
_LESS = "ask for a shorter range, or let the engine have more: setting engine.memory"
_Model = TypeVar("_Model", bound=ReportModel)


def map_answer(deps: ApiDeps, asked: Asked, min_share: float = 0.0) -> MapModel:
    """The process map. Raises ApiError."""
    return _answer(deps, asked, MapModel, lambda p: process_map(deps.store, p.filter, p.flow, min_share))


def variants_answer(deps: ApiDeps, asked: Asked, limit: int) -> VariantsModel:
    """The most frequent variants. Raises ApiError."""
    return _answer(deps, asked, VariantsModel, lambda p: variants(deps.store, p.filter, limit))


def funnel_answer(deps: ApiDeps, asked: Asked, steps: Sequence[str] = ()) -> FunnelModel:
    """The funnel of each path. Raises ApiError."""
    return _answer(deps, asked, FunnelModel, lambda p: funnel(deps.store, p.filter, p.flow, steps))


def rework_answer(deps: ApiDeps, asked: Asked) -> ReworkModel:
    """Stages that were entered again. Raises ApiError."""
    return _answer(deps, asked, ReworkModel, lambda p: rework(deps.store, p.filter))


def conformance_answer(deps: ApiDeps, asked: Asked) -> ConformanceModel:
    """How orders keep to their flow. Raises ApiError."""
    return _answer(deps, asked, ConformanceModel, lambda p: conformance(deps.store, p.filter))


def dwell_answer(deps: ApiDeps, asked: Asked) -> DwellModel:
    """Dwell in each stage. Raises ApiError."""
    return _answer(deps, asked, DwellModel, lambda p: dwells(deps.store, p.filter, p.now_ns, p.flow))


def throughput_answer(deps: ApiDeps, asked: Asked) -> ThroughputsModel:
    """Throughput time. Raises ApiError."""
    return _answer(deps, asked, ThroughputsModel, lambda p: throughput(deps.store, p.filter))


def histogram_answer(deps: ApiDeps, asked: Asked) -> HistogramModel:
    """Throughput time as a histogram; what it is compared with has bins of the same width. Raises ApiError."""
    width: float | None = None

    def of(picked: Picked) -> Histogram:
        nonlocal width
        found = histogram(deps.store, picked.filter, width)
        width = found.width if found.bins else width
        return found

    return _answer(deps, asked, HistogramModel, of)


def heat_map_answer(deps: ApiDeps, asked: Asked, zone: str) -> HeatMapModel:
    """Entries into stages by hour of the week. Raises ApiError."""
    check_zone(zone)
    return _answer(deps, asked, HeatMapModel, lambda p: heat_map(deps.store, p.filter, zone, p.flow))


def dots_answer(deps: ApiDeps, asked: Asked, most: int, *, spread: bool = False) -> DotsModel:
    """Single orders with their visits. Raises ApiError."""
    return _answer(deps, asked, DotsModel, lambda p: dots(deps.store, p.filter, most, spread=spread))


def step_answer(deps: ApiDeps, asked: Asked, before: str, after: str, limit: int) -> StepOrdersModel:
    """The orders that went from one stage straight to another. Raises ApiError."""
    return _answer(deps, asked, StepOrdersModel, lambda p: step_orders(deps.store, p.filter, before, after, limit))


def arrivals_answer(deps: ApiDeps, asked: Asked, zone: str) -> ArrivalsModel:
    """Arrivals and completions of every day. Raises ApiError."""
    check_zone(zone)
    return _answer(deps, asked, ArrivalsModel, lambda p: arrivals(deps.store, p.filter, p.now_ns, zone))


def wip_answer(deps: ApiDeps, asked: Asked, zone: str) -> WorkInProgressModel:
    """Open orders at the end of every day. Raises ApiError."""
    check_zone(zone)
    return _answer(deps, asked, WorkInProgressModel, lambda p: work_in_progress(deps.store, p.filter, p.now_ns, zone))


def _answer(deps: ApiDeps, asked: Asked, model: type[_Model], report: Callable[[Picked], Any]) -> _Model:
    """The report of what was asked, with the one that it is compared with."""
    picked = picked_orders(deps, asked)
    other = compared_with(asked, picked)
    try:
        answer = _model(model, report(picked), picked.filter)
        return answer.model_copy(update={"against": _model(model, report(other), other.filter)}) if other else answer
    except TooManyDays as error:
        raise invalid(f"from: {error}", f"let it end at most {MOST_DAYS:,} days after it begins") from error
    except StoreError as error:
        if str(error).startswith(_TOO_MUCH):
            raise ApiError(503, "too_much", "the report looks at too many orders for this engine", _LESS) from error
        raise


def _model(model: type[_Model], report: Any, filter_: ReportFilter) -> _Model:  # noqa: ANN401 - of any report
    parts = {field.name: getattr(report, field.name) for field in fields(report)}
    return model.model_validate({**parts, "asked": asked_model(filter_)})
