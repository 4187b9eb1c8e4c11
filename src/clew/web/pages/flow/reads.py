"""Reads what each view shows: the same reports that the API answers with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from zoneinfo import ZoneInfo

from clew.api import report_answers as answers
from clew.api.asked import Asked, Picked
from clew.api.deps import ApiDeps
from clew.api.errors import ApiError, invalid
from clew.api.flows import acceptance_models
from clew.api.learn import difference_answer, remaining_answer
from clew.api.report_models import ReportModel
from clew.report.unknown import Named, unknown_names
from clew.store.flows import applied_flows
from clew.web.pages.flow.asked import query_of
from clew.web.pages.flow.conformance_context import conformance_page
from clew.web.pages.flow.days_context import arrivals_page, dots_page, heat_page, wip_page
from clew.web.pages.flow.declared_context import declared_page, diff_page
from clew.web.pages.flow.filters_context import Chosen, Filters, filters_of
from clew.web.pages.flow.map_context import MEASURES, map_page, step_page
from clew.web.pages.flow.times_context import dwell_page, remaining_page, throughput_page
from clew.web.pages.flow.views import STEP, View
from clew.web.pages.flow.ways_context import SHOWN_VARIANTS, funnel_page, rework_page, variants_page

DEFAULT_SHARE = 0.01
_MOST_VARIANTS = 10 * SHOWN_VARIANTS
_ORDERS = 200


@dataclass(frozen=True, slots=True)
class Reading:
    """What a view reads with: what was chosen and picked, the viewer's zone, and the address's own parameters."""

    deps: ApiDeps
    view: View
    chosen: Chosen
    picked: Picked
    zone: ZoneInfo
    given: Mapping[str, str]

    @property
    def asked(self) -> Asked:
        """What the API is asked; a view that can't be compared asks for one side only."""
        asked = self.chosen.asked
        return asked if self.view.compared else replace(asked, against="", against_path="")

    def filters(self, found: ReportModel | None = None, *, kept: tuple[str, ...] = (), **more: str) -> Filters:
        """The frame of the view, with notes on a report that has little to tell."""
        notes = self._notes(found)
        return filters_of(self.view, self.chosen, self.zone, notes, more=tuple(more.items()), kept=kept)

    def _notes(self, found: ReportModel | None) -> list[str]:
        if found is None:
            return []
        notes = [] if has_orders(found) else self._unknown()
        if self.picked.flow is None:
            told = f"nobody declared flow {self.picked.filter.flow}, so no stage ends an order and none deviates"
            notes.append(f"{told}: write it with `clew flow discover`, then apply it with `clew flow apply`")
        return notes

    def _unknown(self) -> list[str]:
        filter_ = self.picked.filter
        paths = tuple(each for each in (filter_.path, self.asked.against_path) if each)
        named = Named(paths, filter_.attributes, (), filter_.flow_version)
        return [
            f"no order has the {each.kind} {each.name}" + (f"; known are {', '.join(each.known)}" if each.known else "")
            for each in unknown_names(self.deps.store, filter_.flow, named, self.picked.flow)
        ]


def has_orders(found: ReportModel) -> bool:
    """Whether a report counts any order."""
    days = getattr(found, "days", None)
    if days is not None:
        return any(getattr(day, "open", 0) or getattr(day, "arrived", 0) or getattr(day, "closed", 0) for day in days)
    return bool(getattr(found, "orders", getattr(found, "finished", 0)))


def _map(reading: Reading) -> object:
    show = reading.given.get("show") or MEASURES[0][0]
    if show not in dict(MEASURES):
        raise invalid(f"show: the map can't show {show}", f"choose one of {', '.join(dict(MEASURES))}")
    least = _share(reading.given.get("min_share", ""))
    found = answers.map_answer(reading.deps, reading.asked, least)
    filters = reading.filters(found, kept=("show", "min_share"), min_share=f"{least:g}")
    return map_page(filters, found, reading.picked.flow, reading.chosen.pairs, show, least)


def _share(text: str) -> float:
    try:
        least = float(text or DEFAULT_SHARE)
    except ValueError:
        least = -1.0
    if not 0 <= least <= 1:
        raise invalid(f"min_share: {text!r} is no share", "give a number from 0 to 1, such as 0.01")
    return least


def _step(reading: Reading) -> object:
    before, after = reading.given.get("before", ""), reading.given.get("after", "")
    if not (before and after):
        raise invalid("a step needs the stage before and the stage after", "choose a step on the process map")
    found = answers.step_answer(reading.deps, reading.asked, before, after, 100)
    filters = reading.filters(found, kept=("before", "after"), before=before, after=after)
    return step_page(filters, found, reading.zone, filters.groups[0][1][0].href)


def _variants(reading: Reading) -> object:
    found = answers.variants_answer(reading.deps, reading.asked, _MOST_VARIANTS)
    return variants_page(reading.filters(found), found, reading.picked.flow, reading.picked.now_ns)


def _funnel(reading: Reading) -> object:
    found = answers.funnel_answer(reading.deps, reading.asked)
    return funnel_page(reading.filters(found), found, reading.picked.flow)


def _rework(reading: Reading) -> object:
    found = answers.rework_answer(reading.deps, reading.asked)
    return rework_page(reading.filters(found), found, reading.picked.flow)


def _dwell(reading: Reading) -> object:
    found = answers.dwell_answer(reading.deps, reading.asked)
    return dwell_page(reading.filters(found), found, reading.picked.flow)


def _throughput(reading: Reading) -> object:
    found = answers.throughput_answer(reading.deps, reading.asked)
    bins = answers.histogram_answer(reading.deps, reading.asked)
    bins_csv = f"/api/v1/reports/histogram?{query_of(reading.asked, format='csv')}"
    return throughput_page(reading.filters(found), found, bins, bins_csv)


def _remaining(reading: Reading) -> object:
    found = remaining_answer(reading.deps, reading.picked.filter.flow)
    return remaining_page(reading.filters(), found)


def _heat_map(reading: Reading) -> object:
    found = answers.heat_map_answer(reading.deps, reading.asked, reading.zone.key)
    return heat_page(reading.filters(found, zone=reading.zone.key), found, reading.picked.flow)


def _dots(reading: Reading) -> object:
    text = reading.given.get("orders", "") or f"{_ORDERS}"
    most = int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0
    if not 1 <= most <= 1_000:
        raise invalid(f"orders: {text!r} is no number of orders", "give a number from 1 to 1,000")
    spread = reading.given.get("spread") == "1"
    found = answers.dots_answer(reading.deps, reading.asked, most, spread=spread)
    more = {"orders": f"{most}", "spread": "true" if spread else ""}
    filters = reading.filters(found, kept=("orders", "spread"), **more)
    return dots_page(filters, found, reading.picked.flow, reading.zone, most)


def _arrivals(reading: Reading) -> object:
    found = answers.arrivals_answer(reading.deps, reading.asked, reading.zone.key)
    return arrivals_page(reading.filters(found, zone=reading.zone.key), found, reading.zone)


def _wip(reading: Reading) -> object:
    found = answers.wip_answer(reading.deps, reading.asked, reading.zone.key)
    filters = reading.filters(found, zone=reading.zone.key)
    return wip_page(filters, found, reading.picked.flow, reading.zone)


def _conformance(reading: Reading) -> object:
    found = answers.conformance_answer(reading.deps, reading.asked)
    return conformance_page(reading.filters(found), found, _acceptances(reading), reading.picked.now_ns)


def _acceptances(reading: Reading) -> list[Any]:
    """All that the flow accepts, also what has expired."""
    name = reading.picked.filter.flow
    return next((acceptance_models(each.flow) for each in reading.deps.book.current if each.flow.name == name), [])


def _declared(reading: Reading) -> object:
    name = reading.picked.filter.flow
    in_force = next((each for each in reading.deps.book.current if each.flow.name == name), None)
    return declared_page(
        reading.filters(),
        in_force.flow if in_force else None,
        in_force.text if in_force else "",
        applied_flows(reading.deps.store, name),
        _acceptances(reading),
        reading.picked.now_ns,
    )


def _diff(reading: Reading) -> object:
    try:
        found = difference_answer(reading.deps, reading.asked)
    except ApiError as error:
        if error.status != 404:
            raise
        found = None
    return diff_page(reading.filters(), found, reading.chosen.pairs)


READS: Mapping[str, Callable[[Reading], object]] = {
    "map": _map,
    "funnel": _funnel,
    "variants": _variants,
    "conformance": _conformance,
    "rework": _rework,
    "dwell": _dwell,
    "throughput": _throughput,
    "remaining": _remaining,
    "heatmap": _heat_map,
    "dots": _dots,
    "arrivals": _arrivals,
    "wip": _wip,
    "declared": _declared,
    "diff": _diff,
    STEP.name: _step,
}
"""How each view is read, by its name."""
