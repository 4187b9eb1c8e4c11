"""What stands around every view: the other views, and which orders count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from clew.api.asked import Asked
from clew.report.filter import By, ReportFilter
from clew.web import words
from clew.web.pages.flow.asked import EVERYTHING, Pairs, common, query_of
from clew.web.pages.flow.views import GROUPS, View

_RANGES = (("24h", "24 hours"), ("7d", "7 days"), ("30d", "30 days"), (EVERYTHING, "All time"))
_MOMENTS = {By.STARTED: "started", By.ENDED: "ended", By.ACTIVE: "were in some stage"}


@dataclass(frozen=True, slots=True)
class Link:
    """A link with its ``label`` and ``href``; ``current`` says that it leads to what is shown."""

    label: str
    href: str
    current: bool


@dataclass(frozen=True, slots=True)
class Filters:
    """The frame of a view.

    ``title`` is the view's name and ``about`` its question. ``groups`` are the links to all views under their
    headings, ``ranges`` those to usual ranges of time, ``path`` is the page's own address without parameters.
    ``flow`` is the flow whose orders count, ``flows`` can be chosen; ``order_path`` the path that counts (empty:
    any), ``order_paths`` can be chosen. ``begin`` and ``end`` are the range as it was written, ``by`` which moment of
    an order lies in it, empty where it doesn't matter. ``attributes`` and ``version`` narrow further, ``narrowed``
    says that one of them does. ``against`` is the range it is compared with as it was written, ``against_path`` the
    other path; ``compared`` says that the view can be compared at all, ``ranged`` that it has a range. ``kept`` are
    further parameters of the view that the form carries on. ``told`` says in words which orders count,
    ``against_told`` which they are held against. ``csv`` and ``json`` are addresses of the same as a file, empty
    where there is none. ``notes`` say why the view has little to tell.
    """

    title: str
    about: str
    groups: tuple[tuple[str, tuple[Link, ...]], ...]
    ranges: tuple[Link, ...]
    path: str
    flow: str
    flows: tuple[str, ...]
    order_path: str
    order_paths: tuple[str, ...]
    begin: str
    end: str
    by: str
    attributes: tuple[str, ...]
    version: str
    narrowed: bool
    against: str
    against_path: str
    compared: bool
    ranged: bool
    kept: tuple[tuple[str, str], ...]
    told: str
    against_told: str
    csv: str
    json: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the filters are made of: what the address says, what that means, and what else could be chosen.

    ``pairs`` are the address's parameters, ``asked`` what the API is asked, ``filter`` and ``other`` the orders on both
    sides, ``plural`` how the flow calls its orders. ``flows`` and ``paths`` can be chosen.
    """

    pairs: tuple[tuple[str, str], ...]
    asked: Asked
    filter: ReportFilter
    other: ReportFilter | None
    plural: str
    flows: tuple[str, ...]
    paths: tuple[str, ...]


def filters_of(
    view: View, chosen: Chosen, zone: ZoneInfo, notes: Sequence[str] = (), *, more: Sequence[tuple[str, str]] = (),
    kept: Sequence[str] = (),
) -> Filters:  # fmt: skip
    """The frame of a view; ``more`` are parameters that its report takes, ``kept`` the names of its own in the
    address."""
    given = dict(chosen.pairs)
    asked = chosen.asked
    report = f"/api/v1/{view.report}?{_report_query(view, asked, more)}" if view.report else ""
    return Filters(
        title=view.label,
        about=view.about,
        groups=_groups(view, chosen.pairs),
        ranges=_ranges(view, chosen.pairs) if view.range != "none" else (),
        path=f"/flow/{view.name}",
        flow=chosen.filter.flow,
        flows=_with(chosen.flows, chosen.filter.flow),
        order_path=asked.path,
        order_paths=_with(chosen.paths, asked.path, asked.against_path),
        begin=given.get("from", ""),
        end=given.get("to", ""),
        by=asked.by.value if view.range == "orders" else "",
        attributes=asked.attributes,
        version="" if asked.flow_version is None else str(asked.flow_version),
        narrowed=_narrowed(asked),
        against=given.get("against", ""),
        against_path=asked.against_path,
        compared=view.compared,
        ranged=view.range != "none",
        kept=tuple((name, value) for name, value in chosen.pairs if name in kept),
        told=told(view, chosen.filter, chosen.plural, zone),
        against_told=told(view, chosen.other, chosen.plural, zone) if chosen.other and view.compared else "",
        csv=f"{report}&format=csv" if report else "",
        json=report,
        notes=tuple(notes),
    )


def _with(names: Sequence[str], *chosen: str) -> tuple[str, ...]:
    """What can be chosen, and what is although it can't be."""
    return tuple(dict.fromkeys([*names, *filter(None, chosen)]))


def _narrowed(asked: Asked) -> bool:
    """Whether anything is chosen that lies under further filters."""
    further = (asked.attributes, asked.flow_version is not None, asked.by is not By.STARTED, ".." in asked.against)
    return any(further)


def _report_query(view: View, asked: Asked, more: Sequence[tuple[str, str]]) -> str:
    if view.range == "none":
        return urlencode([("flow", asked.flow)])
    if not view.compared:
        asked = replace(asked, against="", against_path="")
    return query_of(asked, by=view.range == "orders", **dict(more))


def _groups(view: View, pairs: Pairs) -> tuple[tuple[str, tuple[Link, ...]], ...]:
    query = urlencode(common(pairs))
    return tuple(
        (
            heading,
            tuple(
                Link(each.label, f"/flow/{each.name}{'?' if query else ''}{query}", each.name == view.name)
                for each in views
            ),
        )
        for heading, views in GROUPS
    )


def _ranges(view: View, pairs: Sequence[tuple[str, str]]) -> tuple[Link, ...]:
    given = dict(pairs)
    begin = given.get("from", "") or ("" if given.get("to") else "30d")
    rest = [(name, value) for name, value in pairs if name not in ("from", "to") and value]
    return tuple(
        Link(label, f"/flow/{view.name}?{urlencode([('from', value), *rest])}", begin == value and not given.get("to"))
        for value, label in _RANGES
    )


def told(view: View, filter_: ReportFilter, plural: str, zone: ZoneInfo) -> str:
    """Which orders count, in a line."""
    narrower = [f"path {filter_.path}"] if filter_.path else []
    narrower += [f"{key} = {value}" for key, value in filter_.attributes]
    narrower += [f"judged by version {filter_.flow_version}"] if filter_.flow_version is not None else []
    of = f"{plural.capitalize()} of flow {filter_.flow}" + "".join(f", {each}" for each in narrower)
    return of if view.range == "none" else of + _when(view, filter_, zone)


def _when(view: View, filter_: ReportFilter, zone: ZoneInfo) -> str:
    begin, end = (None if at is None else words.clock(at, zone) for at in (filter_.from_ns, filter_.to_ns))
    if begin is None and end is None:
        return ", all that are known"
    what = f" that {_MOMENTS[filter_.by]}" if view.range == "orders" else ","
    return f"{what}{f' from {begin}' if begin else ''}{f' before {end}' if end else ' until now'} ({zone.key})"
