"""What the page that compares two traces shows; built from values, with no reading of anything."""

from __future__ import annotations

from dataclasses import dataclass

from clew.web.pages.trace.context import cut
from clew.web.pages.trace.tree import TraceTree
from clew.web.pages.trace.work import Difference, differences, operations_of

_MOST = 500


@dataclass(frozen=True, slots=True)
class ComparedTrace:
    """One of two traces: ``trace_id``, ``service`` and ``name`` of its first root, ``start_ns`` (Unix ns),
    ``duration_ns``, and how many ``spans`` it has and how many of them ``failed``."""

    trace_id: str
    service: str
    name: str
    start_ns: int
    duration_ns: int
    spans: int
    failed: int


@dataclass(frozen=True, slots=True)
class ComparedRow:
    """One operation in both: the ``difference``, and ``only``: "first" or "second" where the other hasn't it.

    ``less`` and ``more`` are bars to the left and to the right: shares (0 to 1) of the largest difference of self time.
    """

    difference: Difference
    only: str
    less: float
    more: float


@dataclass(frozen=True, slots=True)
class ComparePage:
    """The page that compares two traces.

    ``a`` and ``b`` are the ids that were asked for, ``first`` and ``second`` their traces (both None until two are
    given). ``rows`` are their operations, the largest difference of self time first; ``left_out`` more are not shown.
    ``only_first`` and ``only_second`` count operations that the other trace hasn't. ``longer_ns`` is how much longer
    the second took (negative: less long).
    """

    a: str
    b: str
    first: ComparedTrace | None
    second: ComparedTrace | None
    rows: tuple[ComparedRow, ...]
    left_out: int
    only_first: int
    only_second: int
    longer_ns: int


def nothing_compared(a: str, b: str) -> ComparePage:
    """The page that asks for two traces."""
    return ComparePage(a, b, None, None, (), 0, 0, 0, 0)


def compare_page(a: str, first: TraceTree, b: str, second: TraceTree) -> ComparePage:
    """The page of two traces, neither of them empty."""
    found = differences(operations_of(first), operations_of(second))
    largest = max((abs(each.own_ns) for each in found), default=0) or 1
    return ComparePage(
        a=a,
        b=b,
        first=_compared(a, first),
        second=_compared(b, second),
        rows=tuple(_row(each, largest) for each in found[:_MOST]),
        left_out=max(0, len(found) - _MOST),
        only_first=sum(each.second is None for each in found),
        only_second=sum(each.first is None for each in found),
        longer_ns=(second.end_ns - second.start_ns) - (first.end_ns - first.start_ns),
    )


def _compared(trace_id: str, tree: TraceTree) -> ComparedTrace:
    return ComparedTrace(
        trace_id=trace_id,
        service=tree.lines.services[0],
        name=cut(tree.lines.names[0]),
        start_ns=tree.start_ns,
        duration_ns=tree.end_ns - tree.start_ns,
        spans=len(tree.lines),
        failed=sum(tree.lines.failed),
    )


def _row(each: Difference, largest: int) -> ComparedRow:
    only = "second" if each.first is None else "first" if each.second is None else ""
    share = round(each.own_ns / largest, 4)
    return ComparedRow(each, only, max(0.0, -share), max(0.0, share))
