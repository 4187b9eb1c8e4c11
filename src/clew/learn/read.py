"""Reads what happened: the orders that a report's filter picks, counted by the engine."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from string import Template
from typing import Any, TypeVar

from clew.learn.discover import guess_terminals, usable_stages
from clew.learn.seen import Counted, Dwells, Seen
from clew.model.flow import Flow
from clew.report.dwell import last_import_ns
from clew.report.filter import ReportFilter
from clew.report.query import FINAL
from clew.store.contract import Store

SAMPLE = 50_000
"""Dwells are learned from about this many orders at most: enough for a quantile, and few enough to hold in memory."""

_REPORTERS_SAMPLE = 10_000

Key = TypeVar("Key")


@dataclass(frozen=True, slots=True)
class Extent:
    """How many orders were picked, between which moments, and the terminals of the flow that judged them."""

    orders: int
    first_ns: int
    last_ns: int
    terminals: Mapping[str, str]


def read_extent(store: Store, filter_: ReportFilter) -> Extent:
    """What the filter picks, in short."""
    row = read_learned(store, "everything", filter_)[0]
    return Extent(row["orders"], row["first_ns"], row["last_ns"], dict(sorted(map(tuple, row["terminals"]))))


@dataclass(frozen=True, slots=True)
class WayCounts:
    """What is counted of the ways of orders: ``every`` stage, and of the kept ones alone the ``stages``, orders by
    path, first and last stage (``borders``), and ``steps``."""

    every: Mapping[str, Counted]
    stages: Mapping[str, Counted]
    borders: Mapping[tuple[str, str, str], int]
    steps: Mapping[tuple[str, str], Counted]


def read_counts(
    store: Store,
    filter_: ReportFilter,
    kept: Collection[str] = (),
    terminals: Collection[str] = (),
    flow: Flow | None = None,
) -> WayCounts:
    """All counts of ways in one go over the orders. Kept are all stages when none are named, else terminals, too."""
    bind = ways((), terminals, flow=flow) | {"counted": sorted(kept)}
    found: dict[str, list[tuple[tuple[str, str, str], Counted]]] = {}
    for row in read_learned(store, "counts", filter_, bind):
        counted = Counted(row["times"], row["orders"])
        found.setdefault(row["what"], []).append(((row["a"], row["b"], row["c"]), counted))
    return WayCounts(
        every={stage: counted for (stage, _, _), counted in found.get("any", ())},
        stages={stage: counted for (stage, _, _), counted in found.get("stage", ())},
        borders={border: counted.count for border, counted in found.get("border", ())},
        steps={(before, after): counted for (before, after, _), counted in found.get("step", ())},
    )


def read_for_discovery(
    store: Store, filter_: ReportFilter, now_ns: int, flow: Flow | None = None
) -> tuple[Seen, dict[str, Counted], set[str]]:
    """What `clew.learn.discover.discover` needs: what happened, all stages, and the terminals that are no guesses.

    Terminals are those of ``flow`` (the one in force, if any) and of the versions that judged the orders.
    """
    everything = dict(read_counts(store, filter_).every)
    kept = usable_stages(everything)
    if not kept:
        return Seen(filter_.flow), everything, set()
    told = {**read_extent(store, filter_).terminals, **(terminals_of(flow) if flow else {})}
    known = {name: kind for name, kind in told.items() if name in kept}
    declared = {stage.name for stage in flow.stages} if flow else set()
    terminals = _with_guessed(store, filter_, kept, known, declared)
    return read_seen(store, filter_, now_ns, kept, terminals, reporters=True), everything, set(known)


def _with_guessed(
    store: Store, filter_: ReportFilter, kept: Collection[str], known: Mapping[str, str], declared: Collection[str]
) -> dict[str, str]:
    """The known terminals, and those that where orders stop tells of stages that nobody declares."""
    found = read_counts(store, filter_, kept)
    last = _summed((last, orders) for (_, _, last), orders in found.borders.items())
    rough = Seen(filter_.flow, stages=found.stages, ends=last, terminals=known)
    return {name: kind.value for name, kind in guess_terminals(rough, declared).items()}


def read_for_comparison(
    store: Store, filter_: ReportFilter, now_ns: int, flow: Flow
) -> tuple[Seen, dict[str, Counted]]:
    """What `clew.learn.diff.difference` needs: the ways through declared stages, and the counts of all stages.

    It says nothing of when the first and the last visit were, which is a read of its own.
    """
    terminals = terminals_of(flow)
    kept = [stage.name for stage in flow.stages]
    found = read_counts(store, filter_, kept, terminals, flow)
    return _seen(store, filter_, now_ns, kept, terminals, found, flow), dict(found.every)


def terminals_of(flow: Flow) -> dict[str, str]:
    """The stages in which a flow ends an order, and how."""
    return {stage.name: stage.terminal.value for stage in flow.stages if stage.terminal}


def read_seen(
    store: Store,
    filter_: ReportFilter,
    now_ns: int,
    kept: Collection[str],
    terminals: Mapping[str, str],
    *,
    reporters: bool = False,
    flow: Flow | None = None,
) -> Seen:
    """What happened with these stages (none: all) and terminals; without reporters when not asked for.

    ``flow`` tells the path of orders that name none.
    """
    extent = read_extent(store, filter_)
    found = read_counts(store, filter_, kept, terminals, flow)
    seen = _seen(store, filter_, now_ns, kept, terminals, found, flow)
    told = _reporters(store, filter_, seen.orders, kept, terminals) if reporters else {}
    return replace(seen, first_ns=extent.first_ns, last_ns=extent.last_ns, reporters=told)


def _seen(
    store: Store,
    filter_: ReportFilter,
    now_ns: int,
    kept: Collection[str],
    terminals: Mapping[str, str],
    found: WayCounts,
    flow: Flow | None,
) -> Seen:
    orders = sum(found.borders.values())
    every = -(-orders // SAMPLE) or 1
    return Seen(
        flow=filter_.flow,
        orders=orders,
        sampled=orders // every,
        stages=found.stages,
        paths=_summed((path, n) for (path, _, _), n in found.borders.items()),
        starts=_summed(((path, first), n) for (path, first, _), n in found.borders.items()),
        ends=_summed((last, n) for (_, _, last), n in found.borders.items()),
        steps=found.steps,
        terminals=dict(terminals),
        dwells=read_dwells(store, filter_, now_ns, ways(kept, terminals, every, flow)),
    )


def read_dwells(
    store: Store, filter_: ReportFilter, now_ns: int, bind: Mapping[str, object]
) -> dict[tuple[str, str], Dwells]:
    """Dwells by path and stage, of the orders and stages that the bindings of `ways` name."""
    until = {"now": until_of(filter_, now_ns), "imported_until": last_import_ns(store, filter_.flow)}
    rows = read_learned(store, "dwells_by_stage", filter_, {**bind, **until})
    return {(row["path"], row["stage"]): Dwells(row["finished"], row["waiting"]) for row in rows}


def until_of(filter_: ReportFilter, now_ns: int) -> int:
    """The moment up to which a watched order that hasn't ended has waited, as reports have it."""
    return now_ns if filter_.to_ns is None else min(now_ns, filter_.to_ns)


def ways(
    kept: Collection[str] = (), terminals: Collection[str] = (), every: int = 1, flow: Flow | None = None
) -> dict[str, object]:
    """The bindings of ``sql/ways.sql``.

    The stages that count (none: all), those that end an order, one order in how many, and a flow whose entries tell the
    path of orders that name none.
    """
    entries: dict[str, str] = {}
    for path, stages in flow.paths.items() if flow else ():
        for stage in stages:
            entries.setdefault(stage, path)
    return {
        "kept": sorted(kept),
        "terminals": sorted(terminals),
        "every": every,
        # A table of values must have one at least; no stage has an empty name.
        "entries": [*entries, ""],
        "entry_paths": [*entries.values(), ""],
    }


def read_learned(
    store: Store, name: str, filter_: ReportFilter, more: Mapping[str, object] | None = None
) -> list[dict[str, Any]]:
    """The rows of ``sql/NAME.sql`` over the picked orders; ``more`` are values that only this query needs."""
    return store.rows(_query(name), {**filter_.bindings(), **(more or {})})


@cache
def _query(name: str) -> str:
    texts = {"picked": _file("clew.report", "picked")}
    for part in ("ways", "variants", "held", "dwells"):
        texts[part] = Template(_file("clew.learn", part)).substitute(texts)
    return f"{Template(_file('clew.learn', name)).substitute(texts)}\n{FINAL}"


def _file(room: str, name: str) -> str:
    return files(room).joinpath("sql", f"{name}.sql").read_text(encoding="utf-8").strip()


def _reporters(
    store: Store, filter_: ReportFilter, orders: int, kept: Collection[str], terminals: Collection[str]
) -> dict[str, dict[str, int]]:
    every = -(-orders // _REPORTERS_SAMPLE) or 1
    told: dict[str, dict[str, int]] = {}
    for row in read_learned(store, "reporters", filter_, ways(kept, terminals, every)):
        told.setdefault(row["stage"], {})[row["service"]] = row["reports"]
    return told


def _summed(pairs: Iterable[tuple[Key, int]]) -> dict[Key, int]:
    total: dict[Key, int] = {}
    for key, number in pairs:
        total[key] = total.get(key, 0) + number
    return total
