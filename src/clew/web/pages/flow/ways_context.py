"""Funnel, variants and rework."""

from __future__ import annotations

from dataclasses import dataclass

from clew.api.report_models import FunnelModel, PathFunnelModel, ReworkModel, VariantModel, VariantsModel
from clew.flow.graph import Ways
from clew.journey.deviations import departures_of
from clew.model.flow import Flow
from clew.web import words
from clew.web.pages.flow.filters_context import Filters
from clew.web.pages.flow.links import stage_column, stage_href
from clew.web.pages.flow.table_context import Table, table_of
from clew.web.pictures.funnel import FunnelBar, funnel_bars

SHOWN_VARIANTS = 40


@dataclass(frozen=True, slots=True)
class FunnelStep:
    """One step: its ``bar``, how many orders ``reached`` it and which ``share`` of the path's that is, and what
    became of those who didn't reach the next: ``dropped`` ended, ``open`` haven't, ``skipped`` came to a later one.
    ``median_ns`` is how long orders took from the step before (None: the first, or nobody came). ``href`` lists the
    orders in it."""

    bar: FunnelBar
    reached: int
    share: float
    dropped: int
    open: int
    skipped: int
    median_ns: int | None
    href: str


@dataclass(frozen=True, slots=True)
class PathFunnel:
    """The funnel of one ``path``: ``converted`` of ``orders`` reached the last step, in ``median_ns`` and ``p90_ns``
    from the first (None: nobody); ``outside`` never reached the first. ``steps`` are its bars; ``side`` is 1 for
    what it is compared with."""

    path: str
    side: int
    orders: int
    outside: int
    converted: int
    median_ns: int | None
    p90_ns: int | None
    steps: tuple[FunnelStep, ...]


@dataclass(frozen=True, slots=True)
class FunnelPage:
    """The funnels of each path (``funnels``) of ``orders`` orders, with their ``filters`` and ``table``."""

    filters: Filters
    orders: int
    funnels: tuple[PathFunnel, ...]
    table: Table


@dataclass(frozen=True, slots=True)
class Chip:
    """A ``stage`` of a way; ``mark`` says how the step to it leaves the flow (empty: it doesn't)."""

    stage: str
    mark: str


@dataclass(frozen=True, slots=True)
class VariantRow:
    """One way: its ``rank``, ``orders`` and their ``share``, the median of its first to last visit in ns
    (``median_ns``), how these orders ended, in words (``outcome``). ``happy``: it is the happy path; ``kinds`` are the
    ways in which it leaves the flow, ``accepted`` says that the flow accepts all of them, ``declared`` that it doesn't
    leave it; its stages are ``chips``."""

    rank: int
    orders: int
    share: float
    median_ns: int
    outcome: str
    happy: bool
    kinds: tuple[str, ...]
    accepted: bool
    declared: bool
    chips: tuple[Chip, ...]


@dataclass(frozen=True, slots=True)
class VariantsPage:
    """The ways of ``orders`` orders, ``total`` different ones: the most usual ``rows``, the happy path first.

    ``covered`` is the share of orders that take one of them; ``happy`` says whether any order ended well, ``known``
    whether somebody declared the flow. ``filters`` say which orders count, ``table`` has the same as text.
    """

    filters: Filters
    orders: int
    total: int
    covered: float
    happy: bool
    known: bool
    rows: tuple[VariantRow, ...]
    table: Table


@dataclass(frozen=True, slots=True)
class ReworkRow:
    """A ``stage`` that ``reworked`` of its ``orders`` entered again (``share``), ``again`` times beyond the first and
    ``direct`` of these straight from itself, one order ``most`` times. ``href`` lists the orders in it."""

    stage: str
    orders: int
    reworked: int
    share: float
    again: int
    direct: int
    most: int
    href: str


@dataclass(frozen=True, slots=True)
class ReworkSide:
    """``reworked`` of ``orders`` orders entered some stage again (``share``, None without orders), ``again`` times; the
    stages are ``rows``, the most of it first. ``told`` says which orders these are."""

    told: str
    orders: int
    reworked: int
    share: float | None
    again: int
    rows: tuple[ReworkRow, ...]


@dataclass(frozen=True, slots=True)
class ReworkPage:
    """Rework: its ``filters``, one or two ``sides``, their ``table``."""

    filters: Filters
    sides: tuple[ReworkSide, ...]
    table: Table


def funnel_page(filters: Filters, found: FunnelModel, flow: Flow | None) -> FunnelPage:
    """The page of the funnels; two that are compared stand beside each other, path by path."""
    both = [(path, side) for side, each in enumerate((found, found.against)) if each for path in each.paths]
    order = {path.path: number for number, path in enumerate(found.paths)}
    both.sort(key=lambda each: (order.get(each[0].path, len(order)), each[0].path, each[1]))
    report = found.model_dump(mode="json", by_alias=True)
    hrefs = stage_column(flow, found.asked.flow, None)
    return FunnelPage(
        filters=filters,
        orders=found.orders + (found.against.orders if found.against else 0),
        funnels=tuple(_funnel(path, side, found.asked.flow, flow) for path, side in both),
        table=table_of("funnel", report, "Stages of each path", hrefs),
    )


def _funnel(path: PathFunnelModel, side: int, name: str, flow: Flow | None) -> PathFunnel:
    ends = {stage.name for stage in flow.stages if stage.terminal} if flow else set()
    bars = funnel_bars(
        [(each.stage, each.reached, each.skipped, each.open, each.dropped) for each in path.steps], path.orders
    )
    return PathFunnel(
        path=path.path,
        side=side,
        orders=path.orders,
        outside=path.outside,
        converted=path.converted,
        median_ns=ns(path.median),
        p90_ns=ns(path.p90),
        steps=tuple(
            FunnelStep(
                bar=bar,
                reached=each.reached,
                share=each.share,
                dropped=each.dropped,
                open=each.open,
                skipped=each.skipped,
                median_ns=ns(each.median),
                href=stage_href(name, path.path, each.stage, ended=each.stage in ends),
            )
            for bar, each in zip(bars, path.steps, strict=True)
        ),
    )


def variants_page(filters: Filters, found: VariantsModel, flow: Flow | None, now_ns: int) -> VariantsPage:
    """The page of the variants: the happy path first, the others by how many orders take them."""
    ways = Ways(flow) if flow else None
    happy = tuple(found.happy_path or ())
    ranked = list(enumerate(found.variants, 1))
    ranked.sort(key=lambda each: (tuple(each[1].stages) != happy, each[0]))
    shown = ranked[:SHOWN_VARIANTS]
    return VariantsPage(
        filters=filters,
        orders=found.orders,
        total=found.variants_total,
        covered=sum(each.share for _, each in shown),
        happy=found.happy_path is not None,
        known=flow is not None,
        rows=tuple(
            _variant(
                rank,
                each,
                tuple(each.stages) == happy,
                (flow, ways) if flow and ways else None,
                now_ns,
                found.asked.path,
            )
            for rank, each in shown
        ),
        table=table_of("variants", found.model_dump(mode="json", by_alias=True), "Variants"),
    )


def _variant(
    rank: int, found: VariantModel, happy: bool, declared: tuple[Flow, Ways] | None, now_ns: int, path: str
) -> VariantRow:
    leaves = list(departures_of(found.stages, *declared, path)) if declared else []
    marks: dict[int, str] = {}
    for each in leaves:
        marks.setdefault(each.place, words.verdict(each.kind))
    return VariantRow(
        rank=rank,
        orders=found.orders,
        share=found.share,
        median_ns=round(found.median_throughput * 1e9),
        outcome=_outcome(found),
        happy=happy,
        kinds=tuple(dict.fromkeys(words.verdict(each.kind) for each in leaves)),
        accepted=bool(leaves and declared)
        and all(declared[0].accepts(each.token, now_ns) for each in leaves if declared),
        declared=declared is not None and not leaves,
        chips=tuple(Chip(stage, marks.get(index, "")) for index, stage in enumerate(found.stages)),
    )


def _outcome(found: VariantModel) -> str:
    cancelled = found.orders - found.closed - found.open
    counted = ((found.closed, "closed"), (cancelled, "cancelled"), (found.open, "still open"))
    return ", ".join(f"{number:,} {word}" for number, word in counted if number)


def rework_page(filters: Filters, found: ReworkModel, flow: Flow | None) -> ReworkPage:
    """The page of stages that were entered again."""
    sides = [(filters.told, found), *([(filters.against_told, found.against)] if found.against else [])]
    report = found.model_dump(mode="json", by_alias=True)
    hrefs = stage_column(flow, found.asked.flow, found.asked.path)
    return ReworkPage(
        filters=filters,
        sides=tuple(_rework(told, each, flow) for told, each in sides),
        table=table_of("rework", report, "Stages that were entered again", hrefs),
    )


def _rework(told: str, found: ReworkModel, flow: Flow | None) -> ReworkSide:
    href = stage_column(flow, found.asked.flow, found.asked.path)["stage"]
    rows = tuple(
        ReworkRow(
            each.stage, each.orders, each.reworked, each.share, each.again, each.direct, each.most,
            href({"stage": each.stage}),
        )
        for each in found.stages
        if each.reworked
    )  # fmt: skip
    return ReworkSide(told, found.orders, found.reworked, found.share, found.again, rows)


def ns(length_s: float | None) -> int | None:
    """Seconds as nanoseconds; None stays None."""
    return None if length_s is None else round(length_s * 1e9)
