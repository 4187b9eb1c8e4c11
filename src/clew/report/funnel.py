"""The funnel of each path: how many orders reach each step, and what became of those that didn't."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clew.model.flow import Flow
from clew.report.declared import optional_steps, steps_of_path
from clew.report.filter import ReportFilter
from clew.report.query import read_rows, seconds
from clew.store.contract import Store


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a funnel; ``reached`` minus the next step's is ``dropped`` + ``open`` + ``skipped``.

    ``dropped`` have ended without the next step, ``open`` haven't ended and may still reach it, ``skipped`` came to a
    later step without it. ``share`` is of the path's orders. ``median`` and ``p90`` are seconds since the step before,
    None at the first step and where nobody came.
    """

    stage: str
    reached: int
    share: float
    dropped: int
    open: int
    skipped: int
    median: float | None
    p90: float | None


@dataclass(frozen=True, slots=True)
class PathFunnel:
    """The funnel of one path.

    ``outside`` are orders that never reached the first step, ``converted`` those that reached the last; ``median`` and
    ``p90`` are the seconds that these took from the first step to the last.
    """

    path: str
    orders: int
    outside: int
    converted: int
    median: float | None
    p90: float | None
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Funnel:
    """A funnel for each path, the one of most orders first."""

    orders: int
    paths: tuple[PathFunnel, ...]


def funnel(store: Store, filter_: ReportFilter, flow: Flow | None = None, steps: Sequence[str] = ()) -> Funnel:
    """How far the picked orders come through the steps of their path, one after the other.

    A step is reached at the first visit of its stage after the step before was reached, with any other stages between
    (a strictly ordered funnel). Without ``steps`` they are the stages that the flow declares for the path, in its order
    and without cancellation; one that the flow leads around is left out where fewer than half of the orders that came
    further have been in it. Where no flow is declared, they are those that at least half of the path's orders visit, by
    the mean place of their first visits. An order that never reached the first step counts as ``outside`` alone.
    Quantiles interpolate linearly.
    """
    orders = {str(row["path"]): int(row["orders"]) for row in read_rows(store, "paths", filter_)}
    steps_of = _steps(store, filter_, flow, orders, steps)
    rows = read_rows(store, "funnel", filter_, _ways(steps_of)) if orders else []
    found = {(row["path"], int(row["step"])): row for row in rows}
    return Funnel(
        orders=sum(orders.values()),
        paths=tuple(_of_path(path, number, steps_of[path], found) for path, number in orders.items()),
    )


def _ways(steps_of: Mapping[str, tuple[str, ...]]) -> dict[str, object]:
    """The steps of all paths as ``sql/funnel.sql`` wants them: equal ones once."""
    ways: list[str] = []
    begin_of: dict[tuple[str, ...], int] = {}
    for steps in steps_of.values():
        if steps not in begin_of:
            begin_of[steps] = len(ways)
            ways += [*steps, ""]
    return {
        "ways": ways,
        "paths": list(steps_of),
        "begins": [begin_of[steps] for steps in steps_of.values()],
        "counts": [len(steps) for steps in steps_of.values()],
    }


def _steps(
    store: Store, filter_: ReportFilter, flow: Flow | None, paths: Iterable[str], steps: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    """The steps of each path."""
    if steps:
        return dict.fromkeys(paths, tuple(steps))
    if flow:
        return _declared_steps(store, filter_, flow, paths)
    found: dict[str, list[str]] = {path: [] for path in paths}
    for row in read_rows(store, "main_stages", filter_):
        found.setdefault(str(row["path"]), []).append(row["stage"])
    return {path: tuple(stages) for path, stages in found.items()}


def _declared_steps(
    store: Store, filter_: ReportFilter, flow: Flow, paths: Iterable[str]
) -> dict[str, tuple[str, ...]]:
    optional = {path: optional_steps(flow, path) for path in paths}
    later = {stage: after for found in optional.values() for stage, after in found.items()}
    bind = {"optional": list(later), "later": [list(after) for after in later.values()]}
    rows = read_rows(store, "gone_around", filter_, bind) if later else []
    around = {(row["path"], row["stage"]) for row in rows if 2 * int(row["inside"]) < int(row["further"])}
    return {
        path: tuple(stage for stage in steps_of_path(flow, path) if stage not in found or (path, stage) not in around)
        for path, found in optional.items()
    }


def _of_path(
    path: str, orders: int, steps: Sequence[str], found: Mapping[tuple[str, int], Mapping[str, Any]]
) -> PathFunnel:
    rows = [found.get((path, number)) for number in range(1, len(steps) + 1)]
    last = rows[-1] if rows else None
    reached_first = int(rows[0]["reached"]) if rows and rows[0] else 0
    median, p90 = map(seconds, last["since_start"]) if last else (None, None)
    return PathFunnel(
        path=path,
        orders=orders,
        outside=orders - reached_first,
        converted=int(last["reached"]) if last else 0,
        median=median,
        p90=p90,
        steps=tuple(
            _step(stage, row, orders, number == 0, number == len(steps) - 1)
            for number, (stage, row) in enumerate(zip(steps, rows, strict=True))
        ),
    )


def _step(stage: str, row: Mapping[str, Any] | None, orders: int, first: bool, last: bool) -> Step:
    if row is None:
        return Step(stage, 0, 0.0, 0, 0, 0, None, None)
    median, p90 = (None, None) if first else map(seconds, row["since_step"])
    left = (0, 0, 0) if last else (int(row["dropped"]), int(row["waiting"]), int(row["skipped"]))
    return Step(stage, int(row["reached"]), int(row["reached"]) / orders, *left, median, p90)
