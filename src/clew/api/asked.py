"""What a report is asked for: the parameters that all reports take, and the orders that they pick."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Annotated
from zoneinfo import available_timezones

from fastapi import Depends, Query
from pydantic import BeforeValidator, Field

from clew.api.deps import ApiDeps
from clew.api.errors import invalid, not_found
from clew.api.times import parse_moment
from clew.model.flow import Flow
from clew.model.moments import LAST_NS
from clew.report.filter import By, ReportFilter, flow_of_most_orders, has_orders

_MOMENT = "a moment such as 2026-11-22T08:15:00Z, or 30d for 30 days ago"
# What these zones are depends on the machine, or the engine doesn't know them.
_NO_ZONES = ("localtime", "posixrules", "Factory")
FlowVersion = Annotated[
    Annotated[int, Field(ge=0, le=2**32 - 1)] | None,
    BeforeValidator(lambda given: None if given == "" else given),  # a form sends what isn't filled in
    Query(description="only orders judged by this version"),
]


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
    return Asked(flow, from_, to, path, tuple(filter(None, attribute or ())), flow_version, against, against_path)


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


def picked_orders(deps: ApiDeps, asked: Asked) -> Picked:
    """The filter that was asked for. Raises ApiError."""
    now_ns = deps.now_ns()
    in_force = {each.flow.name: each.flow for each in deps.book.current}
    name = asked.flow or flow_of_most_orders(deps.store) or deps.flow_of("").name
    if name not in in_force and not has_orders(deps.store, name):
        raise not_found(f"no order follows a flow {name}", "leave out the flow to see that of most orders")
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


def compared_with(asked: Asked, picked: Picked) -> Picked | None:
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
            raise invalid("against: there is nothing before a range without a begin", "say where the range begins, too")
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
        raise invalid("from: the range ends before it begins", "let it end later than it begins")


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


def check_zone(zone: str) -> None:
    """Raises ApiError where there is no such time zone."""
    if zone not in known_zones():
        raise invalid(f"zone: {zone!r} is no time zone", "give a name such as UTC or Europe/Berlin")


@cache
def known_zones() -> frozenset[str]:
    """The names of time zones that mean the same here, in the engine and on every machine."""
    names = (name for name in available_timezones() if not name.startswith(("right/", "posix/")))
    return frozenset(names) - frozenset(_NO_ZONES)
