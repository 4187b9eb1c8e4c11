"""What the page of a trace shows; built from values, with no reading of anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from clew.store.spans import LogRecord
from clew.web.pages.trace.critical_path import WAITING, Segment, critical_path, on_path
from clew.web.pages.trace.drawing import WIDE, FlameBox, Lane, flame_boxes, map_of, tone_of
from clew.web.pages.trace.notes import notes_on
from clew.web.pages.trace.span_context import LogRow, SpanDetails, log_rows
from clew.web.pages.trace.tree import TraceTree
from clew.web.pages.trace.work import Operation, flame_of, operations_of
from clew.web.pictures.axes import Tick

View = Literal["waterfall", "flame", "logs"]
ROWS = 60
"""Rows of the waterfall in the page itself, as many as a screen of 2160 pixels shows; a browser without JavaScript
turns pages of so many."""

ERRORS = 30
_NAME = 300
_HEAVIEST = 6


@dataclass(frozen=True, slots=True)
class ServiceKey:
    """A ``service`` of the trace with the class of its colour, ``tone``, and how many ``spans`` it has."""

    service: str
    tone: str
    spans: int


@dataclass(frozen=True, slots=True)
class OrderBadge:
    """An order in the trace: ``order_id``, the ``kind`` of its verdict, and the ``stage`` it is in."""

    order_id: str
    kind: str
    stage: str


@dataclass(frozen=True, slots=True)
class Row:
    """One span of the waterfall.

    ``span_id`` in hex; ``depth`` in the tree, from 0.
    ``service`` with its ``tone``, ``name`` (cut when very long), ``duration_ns``, ``failed``, and ``error`` type.
    ``x`` and ``width`` of its bar and of its parts on the critical path, ``critical``, are thousandths of the lane.
    ``mark`` says what is odd about its place, or is empty.
    """

    span_id: str
    depth: int
    service: str
    tone: str
    name: str
    duration_ns: int
    failed: bool
    error: str
    x: float
    width: float
    critical: tuple[tuple[float, float], ...]
    mark: str


@dataclass(frozen=True, slots=True)
class FailedRow:
    """A failed span: ``span_id``, ``service``, ``name``, ``error`` type, the ``message`` that says why (empty: none
    does), ``after_ns`` since the trace began, and whether nothing below it failed, ``begins``: there an error began."""

    span_id: str
    service: str
    name: str
    error: str
    message: str
    after_ns: int
    begins: bool


@dataclass(frozen=True, slots=True)
class PathPart:
    """What holds a ``share`` (0 to 1) of the critical path: an operation (``service``, ``name``), or waiting (both
    empty). ``own_ns`` is its time on the path, ``span_id`` the span with most of it (empty for waiting)."""

    service: str
    name: str
    span_id: str
    own_ns: int
    share: float


@dataclass(frozen=True, slots=True)
class OperationRow:
    """An ``operation`` of the trace, its service's ``tone``, its ``share`` (0 to 1) of all self times, and ``span_id``,
    the longest of its spans."""

    operation: Operation
    tone: str
    share: float
    span_id: str


@dataclass(frozen=True, slots=True)
class Flame:
    """The flame graph: its ``boxes`` beside their ``tones`` and the ``span_ids`` of their longest spans; ``rows`` deep.
    ``whole_ns`` is all self time."""

    boxes: tuple[FlameBox, ...]
    tones: tuple[str, ...]
    span_ids: tuple[str, ...]
    rows: int
    whole_ns: int


@dataclass(frozen=True, slots=True)
class TracePage:
    """The page of one trace.

    ``trace_id`` in hex; ``root_service`` and ``root_name`` of its first root; ``start_ns`` (Unix ns), ``duration_ns``,
    how many ``spans``, whether all are here, ``complete``, and how many ``deep``. ``services`` by spans. ``orders`` in
    it, worst first, and whether there are ``more_orders``; the ids of ``linked`` traces. ``notes`` say what is odd.
    ``failed`` spans (the first of ``failed_count``), ``path``: what the critical path consists of. ``view`` is which
    part is shown. The waterfall: ``rows`` from place ``first`` on, pages ``before`` and ``after`` it (None: there is
    none), ``ticks`` of the time axis, and the ``map`` as (tone, SVG path). ``selected`` is the span that was asked for,
    ``opened`` its details (None: no span is open). ``flame`` and ``operations`` belong to the flame graph, ``logs`` to
    the logs, with ``more_logs`` when there are more than are shown.
    """

    trace_id: str
    root_service: str
    root_name: str
    start_ns: int
    duration_ns: int
    spans: int
    complete: bool
    deep: int
    services: tuple[ServiceKey, ...]
    orders: tuple[OrderBadge, ...]
    more_orders: bool
    linked: tuple[str, ...]
    notes: tuple[str, ...]
    failed: tuple[FailedRow, ...]
    failed_count: int
    path: tuple[PathPart, ...]
    view: View
    rows: tuple[Row, ...]
    first: int
    before: int | None
    after: int | None
    ticks: tuple[Tick, ...]
    map: tuple[tuple[str, str], ...]
    selected: str
    opened: SpanDetails | None
    flame: Flame | None
    operations: tuple[OperationRow, ...]
    logs: tuple[LogRow, ...]
    more_logs: bool


@dataclass(frozen=True, slots=True)
class TraceAsked:
    """What the address asks of the page: the ``view``, the span ``selected``, and the ``first`` row (None: the one that
    shows the span)."""

    view: View = "waterfall"
    selected: str = ""
    first: int | None = None


@dataclass(frozen=True, slots=True)
class TraceParts:
    """What was read for the page: ``tree`` (``complete`` or not), ``orders`` with ``more_orders``, ``linked``, the
    ``opened`` span, ``logs`` with ``more_logs``."""

    tree: TraceTree
    complete: bool
    orders: tuple[OrderBadge, ...] = ()
    more_orders: bool = False
    linked: tuple[str, ...] = ()
    opened: SpanDetails | None = None
    logs: tuple[LogRecord, ...] = ()
    more_logs: bool = False


def trace_page(trace_id: str, parts: TraceParts, asked: TraceAsked) -> TracePage:
    """The page of a trace that has spans or logs."""
    tree = parts.tree
    tones = tones_of(tree)
    path = critical_path(tree)
    lane = Lane(tree.start_ns, tree.end_ns)
    root = tree.lines[0] if tree.lines else None
    first = _first_row(tree, asked) if asked.view == "waterfall" else 0
    rows = _rows(tree, lane, tones, path, first) if asked.view == "waterfall" else ()
    failed = tree.failed()
    shows_flame = asked.view == "flame"
    return TracePage(
        trace_id=trace_id,
        root_service=root.service if root else "",
        root_name=cut(root.name) if root else "",
        start_ns=tree.start_ns if root else min(each.at_ns for each in parts.logs),
        duration_ns=tree.end_ns - tree.start_ns,
        spans=len(tree.lines),
        complete=parts.complete,
        deep=max(tree.depths, default=-1) + 1,
        services=tuple(ServiceKey(name, tones[name], count) for name, count in tree.services()),
        orders=parts.orders,
        more_orders=parts.more_orders,
        linked=parts.linked,
        notes=notes_on(tree, complete=parts.complete),
        failed=tuple(_failed_row(tree, place) for place in failed[:ERRORS]),
        failed_count=len(failed),
        path=_path_parts(tree, path),
        view=asked.view,
        rows=rows,
        first=first,
        before=max(0, first - ROWS) if first > 0 else None,
        after=first + ROWS if first + ROWS < len(tree.lines) else None,
        ticks=lane.ticks(),
        map=map_of(tree, lane, tones) if asked.view == "waterfall" else (),
        selected=asked.selected,
        opened=parts.opened,
        flame=_flame(tree, tones) if shows_flame else None,
        operations=_operations(tree, tones) if shows_flame else (),
        logs=log_rows(parts.logs, tree.start_ns if root else None),
        more_logs=parts.more_logs,
    )


def tones_of(tree: TraceTree) -> Mapping[str, str]:
    """The class of the colour of each service: the first for the one with most spans."""
    return {service: tone_of(rank) for rank, (service, _) in enumerate(tree.services())}


def cut(name: str) -> str:
    """A name short enough for a row."""
    return name if len(name) <= _NAME else name[: _NAME - 1] + "…"


def _first_row(tree: TraceTree, asked: TraceAsked) -> int:
    if asked.first is not None:
        return min(asked.first, max(0, len(tree.lines) - 1))
    place = next((place for place, span_id in enumerate(tree.lines.span_ids) if span_id == asked.selected), 0)
    return place - place % ROWS


def _rows(
    tree: TraceTree, lane: Lane, tones: Mapping[str, str], path: Sequence[Segment], first: int
) -> tuple[Row, ...]:
    critical: dict[int, list[tuple[float, float]]] = {}
    for part in path:
        if first <= part.place < first + ROWS:
            critical.setdefault(part.place, []).append(lane.bar(part.from_ns, part.length_ns))
    return tuple(
        _row(tree, place, lane, tones[tree.lines.services[place]], tuple(critical.get(place, ())))
        for place in range(first, min(first + ROWS, len(tree.lines)))
    )


def _row(tree: TraceTree, place: int, lane: Lane, tone: str, critical: tuple[tuple[float, float], ...]) -> Row:
    line = tree.lines[place]
    x, width = lane.bar(line.start_ns, line.duration_ns)
    return Row(
        span_id=line.span_id,
        depth=tree.depths[place],
        service=line.service,
        tone=tone,
        name=cut(line.name),
        duration_ns=line.duration_ns,
        failed=line.failed,
        error=line.error,
        x=x,
        width=min(width, WIDE - x),
        critical=critical,
        mark=mark_of(tree, place),
    )


def mark_of(tree: TraceTree, place: int) -> str:
    """What is odd about a span's place in the tree, in words; empty when nothing is."""
    if place in tree.orphans:
        return "its parent is not stored"
    if place in tree.looped:
        return "its parents lead back to itself"
    parent = tree.parents[place]
    if parent >= 0 and tree.lines.starts[place] < tree.lines.starts[parent]:
        return "begins before its parent: clocks differ"
    return ""


def _failed_row(tree: TraceTree, place: int) -> FailedRow:
    line = tree.lines[place]
    error = line.error if line.error != "error" else ""
    after_ns = line.start_ns - tree.start_ns
    return FailedRow(line.span_id, line.service, cut(line.name), error, "", after_ns, tree.begins_error(place))


def with_messages(page: TracePage, messages: Mapping[str, str]) -> TracePage:
    """The page with why failed spans did, by span id; it is read while the rest of the page is made."""
    told = (replace(row, message=cut(messages.get(row.span_id, ""))) for row in page.failed)
    return replace(page, failed=tuple(told))


def _path_parts(tree: TraceTree, path: Sequence[Segment]) -> tuple[PathPart, ...]:
    """The operations that hold most of the critical path, the longest first, and waiting among them."""
    whole = sum(part.length_ns for part in path)
    times = on_path(path)
    groups: dict[tuple[str, str], list[int]] = {}
    for place in times:
        key = ("", "") if place == WAITING else (tree.lines.services[place], cut(tree.lines.names[place]))
        groups.setdefault(key, []).append(place)
    parts = []
    for (service, name), places in groups.items():
        own_ns = sum(times[place] for place in places)
        most = max(places, key=lambda place: times[place])
        parts.append(
            PathPart(service, name, tree.lines.span_ids[most] if service or name else "", own_ns, own_ns / whole)
        )
    return tuple(sorted(parts, key=lambda part: (-part.own_ns, part.service, part.name))[:_HEAVIEST])


def _flame(tree: TraceTree, tones: Mapping[str, str]) -> Flame:
    top = flame_of(tree)
    boxes = flame_boxes(top)
    return Flame(
        boxes=boxes,
        tones=tuple(tones[box.node.service] for box in boxes),
        span_ids=tuple(tree.lines.span_ids[box.node.place] for box in boxes),
        rows=max((box.depth for box in boxes), default=-1) + 1,
        whole_ns=top.all_ns,
    )


def _operations(tree: TraceTree, tones: Mapping[str, str]) -> tuple[OperationRow, ...]:
    found = operations_of(tree)
    whole = max(1, sum(each.own_ns for each in found))
    return tuple(
        OperationRow(each, tones[each.service], each.own_ns / whole, tree.lines.span_ids[each.place]) for each in found
    )
