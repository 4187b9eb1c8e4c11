"""What the page that finds traces shows; built from values, with no reading of anything."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from zoneinfo import ZoneInfo

from clew.api.times import moment
from clew.store.found_traces import FoundTrace, SlotCount
from clew.store.search import FoundSpan, SpanFilter
from clew.web.pictures.axes import Unit
from clew.web.pictures.series import Chart, Series, stacked, time_axis

By = Literal["trace", "span"]
SLOTS = 60
"""About how many bars the histogram has."""

FIELDS = ("service", "name", "status", "min_duration", "max_duration", "since", "until")
"""Fields that the form always shows; others are unfolded when one of them is used."""

MORE = (
    "kind", "error", "order", "user", "trace", "span", "caller", "callee", "min_trace_duration", "max_trace_duration",
    "retries", "timeout",
)  # fmt: skip
_ORDERS = 3
_NAME = 300
_SECOND_NS = 10**9
_STEPS_S = (
    *(1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200),
    *(86_400 * days for days in (1, 2, 7, 14, 28, 56, 112)),
)


@dataclass(frozen=True, slots=True)
class SearchPage:
    """The page before anything is found.

    ``by`` is what is listed; ``form`` holds the fields as they were written, by parameter; ``attributes`` the
    ``key=value`` pairs. ``more``: whether one of the rarer fields is used. ``further``: this isn't the first page of a
    list. ``narrowed``: something was asked for besides a range of time. ``reversed`` says of each range whose end is
    before its beginning that nothing can match.
    """

    by: By
    form: Mapping[str, str]
    attributes: tuple[str, ...]
    more: bool
    further: bool
    narrowed: bool
    reversed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Slot:
    """A bar of the histogram as a link: ``x`` and ``width`` in thousandths of the picture, the ``since`` and ``until``
    of its time as RFC 3339 text, and what it ``told``."""

    x: float
    width: float
    since: str
    until: str
    told: str


@dataclass(frozen=True, slots=True)
class CountsPart:
    """The histogram: its ``chart``, its bars as links, ``slots``, and how many ``spans`` match, ``failed`` of them."""

    chart: Chart
    slots: tuple[Slot, ...]
    spans: int
    failed: int


@dataclass(frozen=True, slots=True)
class TraceRow:
    """A found ``trace``, its root's ``name`` (cut when very long), the ``orders`` that it names, the first few of them,
    and how many ``more_orders`` there are."""

    trace: FoundTrace
    name: str
    orders: tuple[str, ...]
    more_orders: int


@dataclass(frozen=True, slots=True)
class SpanRow:
    """A ``found`` span, its ``name`` (cut when very long), and whether it ``failed``."""

    found: FoundSpan
    name: str
    failed: bool


@dataclass(frozen=True, slots=True)
class RowsPart:
    """Some of what was found: ``traces`` or ``spans``."""

    traces: tuple[TraceRow, ...] = ()
    spans: tuple[SpanRow, ...] = ()


@dataclass(frozen=True, slots=True)
class EndPart:
    """After the last row: what was listed (``by``), how many were ``shown``, the cursor of the ``next`` page (None:
    there is none), and why the search broke off, ``problem`` with its ``mend`` (empty: it didn't)."""

    by: By
    shown: int
    next: str | None
    problem: str = ""
    mend: str = ""


def search_page(asked: Iterable[tuple[str, str]], by: By, default_since: str, filter_: SpanFilter) -> SearchPage:
    """The page of these parameters, in the order in which they were given, and of the filter that they make."""
    given = list(asked)
    form = dict.fromkeys((*FIELDS, *MORE), "") | {name: value for name, value in given if name in (*FIELDS, *MORE)}
    if not (form["since"] or form["trace"] or form["order"]):
        form["since"] = default_since
    attributes = tuple(value for name, value in given if name == "attribute")
    asked_for = {name for name, _ in given} - {"since", "until", "by", "after"}
    return SearchPage(
        by=by,
        form=form,
        attributes=attributes,
        more=any(form[name] for name in MORE),
        further=any(name == "after" for name, _ in given),
        narrowed=bool(asked_for),
        reversed=tuple(_reversed(filter_)),
    )


def _reversed(filter_: SpanFilter) -> Iterator[str]:
    if 0 < filter_.until_ns <= filter_.since_ns:
        yield "“Since” is not before “Until”"
    if 0 < filter_.max_span_ns < filter_.min_span_ns:
        yield "“At least” is more than “At most”"
    if 0 < filter_.max_trace_ns < filter_.min_trace_ns:
        yield "“Whole trace at least” is more than “Whole trace at most”"


@dataclass(frozen=True, slots=True)
class Slots:
    """Equal slots of time: the first begins at ``from_ns`` (Unix ns), each is ``step_ns`` long, ``count`` of them."""

    from_ns: int
    step_ns: int
    count: int


def slots_of(from_ns: int, to_ns: int) -> Slots:
    """About `SLOTS` slots of a round length that cover a range of time; they begin at round moments (of UTC)."""
    length = max(to_ns - from_ns, 1)
    wanted_s = length / SLOTS / _SECOND_NS
    step_ns = next((step for step in _STEPS_S if step >= wanted_s), _STEPS_S[-1]) * _SECOND_NS
    begin_ns = from_ns - from_ns % step_ns
    return Slots(begin_ns, step_ns, max(1, -(-(to_ns - begin_ns) // step_ns)))


def counts_part(counts: Sequence[SlotCount], slots: Slots, zone: ZoneInfo) -> CountsPart:
    """The histogram of these counts, one for each slot."""
    borders = [slots.from_ns + slots.step_ns * number for number in range(slots.count + 1)]
    fine = Series("without an error", tuple(float(each.spans - each.failed) for each in counts), "tone-fine")
    bad = Series("failed", tuple(float(each.failed) for each in counts), "tone-bad")
    chart = stacked("Matching spans over time", time_axis(borders, zone), (fine, bad), Unit.COUNT, high=90.0)
    links = tuple(
        Slot(
            x=round(chart.axis.borders[number] * 1000, 2),
            width=round((chart.axis.borders[number + 1] - chart.axis.borders[number]) * 1000, 2),
            since=moment(borders[number]),
            until=moment(borders[number + 1]),
            told=f"{chart.axis.labels[number]}: {each.spans:,} spans, {each.failed:,} failed",
        )
        for number, each in enumerate(counts)
        if each.spans
    )
    return CountsPart(chart, links, sum(each.spans for each in counts), sum(each.failed for each in counts))


def trace_rows(traces: Iterable[FoundTrace]) -> RowsPart:
    """Found traces as rows."""
    return RowsPart(
        traces=tuple(
            TraceRow(each, _cut(each.root_name), each.order_ids[:_ORDERS], max(0, len(each.order_ids) - _ORDERS))
            for each in traces
        )
    )


def span_rows(spans: Iterable[FoundSpan]) -> RowsPart:
    """Found spans as rows."""
    return RowsPart(
        spans=tuple(
            SpanRow(each, _cut(each.span.name), each.span.status.value == "error" or each.span.error != "")
            for each in spans
        )
    )


def _cut(name: str) -> str:
    return name if len(name) <= _NAME else name[: _NAME - 1] + "…"
