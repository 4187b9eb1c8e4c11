"""What happened day by day: arrivals, completions, and the work in progress at the end of each day.

Here every order counts on its own days: an order that arrived before the range and ended in it is a completion. So
there is no choice of what must lie in the range.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from clew.model.errors import ClewError
from clew.report.filter import ReportFilter
from clew.report.query import read_rows
from clew.store.contract import Store
from clew.store.orders import OPEN_BUCKET

MOST_DAYS = 4_000
"""How many days a report has at most, so that an answer stays one that can be read: about eleven years."""
MOST_STAGES = 50
"""How many stages are told apart at the end of a day."""

_DAY = timedelta(days=1)
_EVERY_MOMENT = {"by": "any"}
# The engine's last day, for what hasn't ended.
_NEVER = date(2149, 6, 6)


class TooManyDays(ClewError):
    """The range has more than `MOST_DAYS`."""


@dataclass(frozen=True, slots=True)
class Day:
    """One day's arrivals (first visits) and completions, by how the orders ended."""

    day: date
    arrived: int
    closed: int
    cancelled: int


@dataclass(frozen=True, slots=True)
class Days:
    """Every day of the range in turn, days without anything too; ``days`` are those of clocks in ``zone``."""

    zone: str
    arrived: int
    closed: int
    cancelled: int
    days: tuple[Day, ...]


@dataclass(frozen=True, slots=True)
class DayEnd:
    """How many orders were open when the day ended, and in which stages; stages without any are left out.

    Where there are more than `MOST_STAGES`, those with the most orders are told and ``others`` is the sum of the rest.
    """

    day: date
    open: int
    stages: Mapping[str, int]
    others: int


@dataclass(frozen=True, slots=True)
class WorkInProgress:
    """Open orders at the end of each day in ``zone``; the last day ends where the range does."""

    zone: str
    days: tuple[DayEnd, ...]


def arrivals(store: Store, filter_: ReportFilter, now_ns: int, zone: str = "UTC") -> Days:
    """Arrivals and completions per day, of every order that has such a moment in the range.

    An order arrives with its first visit and completes when it ends. A range without an end goes up to now; without any
    range it is from the first day with anything to the last. Raises TooManyDays.
    """
    _days(filter_, (), now_ns, zone)
    rows = {row["day"]: row for row in read_rows(store, "days", filter_, {"zone": zone, **_EVERY_MOMENT})}
    days = [
        Day(day, int(row["arrived"]), int(row["closed"]), int(row["cancelled"])) if row else Day(day, 0, 0, 0)
        for day in _days(filter_, rows, now_ns, zone)
        for row in [rows.get(day)]
    ]
    return Days(
        zone=zone,
        arrived=sum(day.arrived for day in days),
        closed=sum(day.closed for day in days),
        cancelled=sum(day.cancelled for day in days),
        days=tuple(days),
    )


def work_in_progress(store: Store, filter_: ReportFilter, now_ns: int, zone: str = "UTC") -> WorkInProgress:
    """How many orders were open at the end of each day of the range, and in which stage each was.

    An order is in progress from its first visit to its end, also before the range; one whose end isn't known stays in
    progress. The days are those of `arrivals`. Raises TooManyDays.
    """
    _days(filter_, (), now_ns, zone)
    first = OPEN_BUCKET if filter_.from_ns is None else day_of(filter_.from_ns, zone) - _DAY
    bind = {"zone": zone, "first": max(OPEN_BUCKET, first), "never": _NEVER, **_EVERY_MOMENT}
    changes: dict[date, list[tuple[str, int]]] = defaultdict(list)
    for row in read_rows(store, "wip", filter_, bind):
        changes[row["day"]].append((row["stage"], int(row["change"])))
    days = _days(filter_, changes, now_ns, zone)
    stages = _left_open(store, filter_)
    for day in sorted(changes):
        if days and day < days[0]:
            _apply(stages, changes[day])
    ends = []
    for day in days:
        _apply(stages, changes.get(day, ()))
        ends.append(_day_end(day, stages))
    return WorkInProgress(zone, tuple(ends))


def _day_end(day: date, stages: Mapping[str, int]) -> DayEnd:
    open_ = sum(stages.values())
    most = heapq.nsmallest(MOST_STAGES, stages.items(), key=lambda each: (-each[1], each[0]))
    return DayEnd(day, open_, dict(sorted(most)), open_ - sum(n for _, n in most))


def _left_open(store: Store, filter_: ReportFilter) -> dict[str, int]:
    """By stage the imported orders whose last event lies in a week that the range needn't look at otherwise."""
    bind = {**_EVERY_MOMENT, "bucket": OPEN_BUCKET, "first_bucket": filter_.first_bucket()}
    rows = read_rows(store, "left_open", filter_, bind) if filter_.first_bucket() > OPEN_BUCKET else []
    return defaultdict(int, {row["stage"]: int(row["orders"]) for row in rows})


def _apply(stages: dict[str, int], changes: Iterable[tuple[str, int]]) -> None:
    for stage, change in changes:
        stages[stage] += change
        if not stages[stage]:
            del stages[stage]


def _days(filter_: ReportFilter, found: Iterable[date], now_ns: int, zone: str) -> list[date]:
    """Every day of the range, up to now where its end is open; without a range all days from the first to the last.

    Raises TooManyDays.
    """
    known = sorted(found)
    if filter_.from_ns is None and not known:
        return []
    first = known[0] if filter_.from_ns is None else day_of(filter_.from_ns, zone)
    if filter_.from_ns is None and filter_.to_ns is None:
        last = known[-1]
    else:
        last = day_of(now_ns if filter_.to_ns is None else min(filter_.to_ns - 1, now_ns), zone)
        last = max([last, *known[-1:]])
    number = (last - first).days + 1
    if number > MOST_DAYS:
        raise TooManyDays(f"{number:,} days from {first} to {last} are more than the {MOST_DAYS:,} that a report has")
    return [first + _DAY * day for day in range(number)]


def day_of(at_ns: int, zone: str) -> date:
    """The day of a moment as calendars in a zone show it."""
    return datetime.fromtimestamp(at_ns // 10**9, UTC).astimezone(ZoneInfo(zone)).date()
