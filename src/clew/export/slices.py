"""Slices: ranges of the sorting key, each small enough to be sorted and joined in memory.

Their borders come from a sample, so they differ in size; together they hold everything once, whatever arrives
meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from clew.store.contract import Store

ORDERS_A_SLICE = 30_000
VISITS_A_SLICE = 100_000
SPANS_A_SLICE = 100_000
_SAMPLED = 500
FIVE_MINUTES_S = 300

IN_SLICE = "order_id >= {first:String} AND ({before:String} = '' OR order_id < {before:String})"
"""Condition on an order id; what `id_slices` gives are its bindings."""


def id_slices(store: Store, sample: str, wanted: int) -> list[dict[str, object]]:
    """Ranges of order ids; ``sample`` is SQL that gives one id in ``one_in``, sorted."""
    ids = [row["order_id"] for row in store.rows(sample, {"one_in": _SAMPLED})]
    return [{"first": first, "before": before} for first, before in ranges(ids, max(1, wanted // _SAMPLED))]


def ranges(sample: Sequence[str], every: int) -> list[tuple[str, str]]:
    """Half open ranges between each ``every``-th id of a sorted sample; empty texts leave the ends open."""
    borders = list(dict.fromkeys(each for each in sample[every::every] if each))
    return list(zip(["", *borders], [*borders, ""], strict=True))


@dataclass(frozen=True, slots=True)
class Load:
    """How many spans begin within five minutes; ``at_s`` is the first second of these."""

    at_s: int
    spans: int


def span_slices(loads: Iterable[Load], most: int = SPANS_A_SLICE) -> Iterator[dict[str, object]]:
    """Slices of spans, in the order of the table: runs of five minutes, and of busy ones parts by trace id.

    The first and the last are open, so that nothing that arrives meanwhile is between them.
    """
    runs = list(_runs(loads, most))
    borders = [run[0].at_s for run in runs[1:]]
    for run, from_s, to_s in zip(runs, [0, *borders], [*borders, _LAST_S], strict=True):
        parts = -(-sum(load.spans for load in run) // most) if len(run) == 1 else 1
        for first, before in _trace_ranges(max(1, parts)):
            yield {"slice_from": from_s, "slice_to": to_s, "first_trace": first, "before_trace": before}


_LAST_S = 1 << 32
_PREFIXES = 1 << 16


def _runs(loads: Iterable[Load], most: int) -> Iterator[list[Load]]:
    run: list[Load] = []
    for load in loads:
        if run and sum(each.spans for each in run) + load.spans > most:
            yield run
            run = []
        run.append(load)
    yield run or [Load(0, 0)]


def _trace_ranges(parts: int) -> list[tuple[str, str]]:
    """Ranges of trace ids of about equal size, as hex; ids are random in their first bytes."""
    borders = [f"{part * _PREFIXES // parts:04x}{'0' * 28}" for part in range(1, min(parts, _PREFIXES))]
    return list(zip(["", *borders], [*borders, ""], strict=True))
