"""The timeline of an order as a picture: pure geometry over what is stored of it.

order, visits, retries --spells--> scale (long empty times folded)
                       --lanes---> services and queues, in the order in which the order came to them
both --> blocks (stages), bars (work, waiting messages), arrows (hops), signs (failed, retried, lost), bands, marks
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from clew.journey.remarks import in_words
from clew.journey.visits import StageVisit
from clew.model.journey import Hold
from clew.model.lengths import how_brief, how_long
from clew.store.order_notes import Notable
from clew.store.order_spans import SpanLine
from clew.store.whole_order import WholeOrder
from clew.web.pages.order.drawing import (
    BLOCK_AT,
    Band,
    Bar,
    Block,
    Fold,
    Lane,
    Mark,
    Sign,
    Timeline,
    span_href,
)
from clew.web.pages.order.hops import drawn_of, hops_of
from clew.web.pages.order.lanes import LaneKey, entry_spans, lanes_of, service_key
from clew.web.pages.order.scale import Spell, TimeScale, time_scale
from clew.web.pages.order.texts import label
from clew.web.pages.order.ticks import placed_marks, ticks_of
from clew.web.words import clock, counted, verdict

_MARKS_ROW = 16
_THINNEST = 0.3
_APART = 0.6
_SIGNS_APART = 1.6
_LABEL_FROM = 2.5
_SHORT_NAME = 10


@dataclass(frozen=True, slots=True)
class Drawn:
    """What a timeline is drawn of: the order, its stays (those after its end, too) and its retries.

    ``now_ns`` is the moment of the verdict, ``kind`` the verdict's.
    """

    order: WholeOrder
    visits: tuple[StageVisit, ...]
    retries: tuple[Notable, ...]
    kind: str
    now_ns: int
    zone: ZoneInfo

    @property
    def until_ns(self) -> int:
        """Where what lasts is drawn to: now, or the end of the order."""
        journey = self.order.journey
        return max(journey.entered_ns, journey.last_ns) if journey.terminal else self.now_ns

    def clock(self, at_ns: int) -> str:
        """A moment as the picture says it."""
        return clock(at_ns, self.zone, self.now_ns)


def timeline_of(drawn: Drawn, *, folding: bool = True) -> Timeline:
    """The picture of an order."""
    order = drawn.order
    entries = entry_spans(order.spans.lines)
    messages, hops_left = drawn_of([each for each in order.messages if not each.wrapped], order.journey)
    scale = time_scale(_spells(drawn), folding=folding)
    marks = placed_marks(_marks(drawn, scale))
    top = 10 + _MARKS_ROW * (1 + max((each.row for each in marks), default=0))
    lanes = lanes_of(drawn.visits, order.journey.failure, order.spans.lines, messages, top)
    hops = hops_of(messages, order.journey, drawn.until_ns, scale, lanes)
    signs = [*_retry_signs(drawn.retries, scale, lanes), *_failed_signs(order, scale, lanes), *hops.signs]
    return Timeline(
        told=_told(drawn, scale, lanes),
        lanes=tuple(dict.fromkeys(lanes.values())),
        blocks=tuple(_block(drawn, each, scale, lanes) for each in drawn.visits),
        works=tuple(_works(entries, scale, lanes)),
        waits=hops.waits,
        arrows=hops.arrows,
        signs=tuple(signs),
        holds=tuple(_band(drawn, each, scale) for each in order.journey.holds),
        marks=marks,
        folds=tuple(
            Fold(each.x, each.width, how_long(each.length_ns), f"empty for {how_long(each.length_ns)}, folded")
            for each in scale.folds
        ),
        ticks=ticks_of(scale, drawn.zone),
        hops_left=hops_left,
    )


def _spells(drawn: Drawn) -> Iterator[Spell]:
    """All times in which something happens, and the moments that count."""
    order, journey = drawn.order, drawn.order.journey
    for visit in drawn.visits:
        yield visit.milestone.at_ns, visit.milestone.at_ns
    for line in order.spans.lines:
        yield line.start_ns, line.start_ns + line.duration_ns
    for message in order.messages:
        yield message.published_ns, message.published_ns
        yield from ((each.started_ns, each.ended_ns) for each in message.deliveries)
    moments = [journey.due_at_ns, drawn.until_ns, None if journey.terminal else journey.deadline_at_ns]
    moments += [journey.failure.at_ns] if journey.failure else []
    moments += [moment for hold in journey.holds for moment in (hold.begin_ns, hold.end_ns)]
    yield from ((moment, moment) for moment in moments if moment)


def _marks(drawn: Drawn, scale: TimeScale) -> Iterator[Mark]:
    journey = drawn.order.journey
    told: list[tuple[str, str, int | None]]
    if journey.terminal:
        told = [("end", journey.terminal.value, journey.entered_ns)]
    else:
        limit = "hold limit" if journey.on_hold else "limit"
        told = [("limit", limit, journey.deadline_at_ns), ("now", "now", drawn.now_ns)]
    for kind, name, at_ns in (*told, ("due", "due", journey.due_at_ns)):
        if at_ns:
            yield Mark(scale.x(at_ns), kind, name, 0, "middle", f"{name}: {drawn.clock(at_ns)}")


def _block(drawn: Drawn, visit: StageVisit, scale: TimeScale, lanes: Mapping[LaneKey, Lane]) -> Block:
    milestone, journey = visit.milestone, drawn.order.journey
    lane = lanes[service_key(milestone.service)]
    ended = visit.after_end or (visit.current and journey.terminal is not None)
    left_ns = milestone.at_ns if ended else drawn.now_ns if visit.left_ns is None else visit.left_ns
    x = scale.x(milestone.at_ns)
    width = max(_THINNEST, scale.x(left_ns) - x)
    over_ns = visit.over_from_ns
    return Block(
        x=x,
        width=width,
        y=lane.y + BLOCK_AT,
        over_x=scale.x(over_ns) if over_ns is not None and over_ns < left_ns else None,
        lines=_in_lines(milestone.stage[:60]) if width >= _LABEL_FROM else (),
        tone=f"verdict-{drawn.kind}" if visit.current else "left",
        href=span_href(milestone.trace_id, milestone.span_id),
        text=label(_block_words(drawn, visit, ended=ended)),
    )


def _in_lines(name: str) -> tuple[str, ...]:
    """A long name of several words in two lines, parted nearest to its middle."""
    parts = [index for index, sign in enumerate(name) if sign in "_- "]
    if len(name) <= _SHORT_NAME or not parts:
        return (name,)
    middle = min(parts, key=lambda index: abs(2 * index - len(name)))
    return name[: middle + 1], name[middle + 1 :]


def _block_words(drawn: Drawn, visit: StageVisit, *, ended: bool) -> Iterator[str]:
    milestone = visit.milestone
    yield milestone.stage
    by = f" by {milestone.actor}" if milestone.actor else ""
    yield f"entered {drawn.clock(milestone.at_ns)}{by}, told by {milestone.service or 'a service that gives no name'}"
    if not ended:
        allowed = f" of {how_long(visit.limit.allowed_ns)}" if visit.limit else ""
        over = f", {how_long(visit.over_ns)} over" if visit.over_ns else ""
        yield f"{how_long(visit.dwell_ns)}{allowed}{over}"
    if visit.held_ns:
        yield f"{how_long(visit.held_ns)} on hold, not counted"
    for each in visit.deviations:
        yield f"{in_words(each.kind.value)} {each.stage}{' (accepted)' if each.accepted else ''}"


def _works(entries: Iterable[SpanLine], scale: TimeScale, lanes: Mapping[LaneKey, Lane]) -> Iterator[Bar]:
    """The work of each service; what lies closer than can be seen is one bar."""
    of_lane: dict[Lane, list[SpanLine]] = {}
    for line in sorted(entries, key=lambda each: each.start_ns):
        of_lane.setdefault(lanes[service_key(line.service)], []).append(line)
    for lane, lines in of_lane.items():
        yield from (_work(lane, group, scale) for group in _near(lines, scale))


def _near(lines: Sequence[SpanLine], scale: TimeScale) -> Iterator[list[SpanLine]]:
    group: list[SpanLine] = []
    reach = 0.0
    for line in lines:
        if group and scale.x(line.start_ns) > reach + _APART:
            yield group
            group = []
        reach = max(reach if group else 0.0, scale.x(line.start_ns + line.duration_ns))
        group.append(line)
    if group:
        yield group


def _work(lane: Lane, group: Sequence[SpanLine], scale: TimeScale) -> Bar:
    first = group[0]
    x = scale.x(first.start_ns)
    end = max(scale.x(line.start_ns + line.duration_ns) for line in group)
    names = list(dict.fromkeys(f"{line.name}, {how_brief(line.duration_ns)}" for line in group))
    more = [f"and {len(names) - 4} more"] if len(names) > 4 else []
    text = label([first.service, *names[:4], *more])
    return Bar(x, max(_THINNEST, end - x), lane.line, "work", span_href(first.trace_id, first.span_id), text)


def _failed_signs(order: WholeOrder, scale: TimeScale, lanes: Mapping[LaneKey, Lane]) -> Iterator[Sign]:
    """Failed spans, and the failed attempt that nothing has made good since."""
    failed = [
        (line.start_ns, line.service, line.name, line.error, span_href(line.trace_id, line.span_id))
        for line in order.spans.lines
        if line.failed
    ]
    if attempt := order.journey.failure:
        href = span_href(attempt.trace_id, attempt.span_id)
        failed.append((attempt.at_ns, attempt.service, attempt.stage, attempt.error, href))
    told = [
        (lanes[service_key(service)], scale.x(at_ns), href, f"{service}: {name} failed{error and f': {error}'}")
        for at_ns, service, name, error, href in sorted(failed)
    ]
    return _gathered("failed", told)


def _retry_signs(retries: Iterable[Notable], scale: TimeScale, lanes: Mapping[LaneKey, Lane]) -> Iterator[Sign]:
    told = [
        (
            lanes[service_key(each.service)],
            scale.x(each.start_ns),
            span_href(each.trace_id, each.span_id),
            f"{each.service}: {each.name} {' and '.join(_retry_words(each))}",
        )
        for each in retries
        if service_key(each.service) in lanes
    ]
    return _gathered("retried", told)


def _retry_words(each: Notable) -> Iterator[str]:
    if each.tries:
        yield f"after {each.tries} failed {'try' if each.tries == 1 else 'tries'}"
    if each.timeout:
        yield "ran into a time-out"


def _gathered(kind: str, told: Iterable[tuple[Lane, float, str, str]]) -> Iterator[Sign]:
    """Signs of one kind; those of a lane that would lie on each other are one with their number."""
    of_lane: dict[Lane, list[list[tuple[float, str, str]]]] = {}
    for lane, x, href, text in told:
        groups = of_lane.setdefault(lane, [])
        if not groups or x - groups[-1][0][0] > _SIGNS_APART:
            groups.append([])
        groups[-1].append((x, href, text))
    for lane, groups in of_lane.items():
        for group in groups:
            more = [f"and {len(group) - 5} more"] if len(group) > 5 else []
            text = label([*(text for _, _, text in group[:5]), *more])
            yield Sign(group[0][0], lane.line, kind, len(group), group[0][1], text)


def _band(drawn: Drawn, hold: Hold, scale: TimeScale) -> Band:
    end_ns = drawn.until_ns if hold.end_ns is None else hold.end_ns
    x = scale.x(hold.begin_ns)
    until = drawn.clock(hold.end_ns) if hold.end_ns else "now"
    text = f"on hold for {how_long(end_ns - hold.begin_ns)}\nfrom {drawn.clock(hold.begin_ns)} to {until}"
    return Band(x, max(_THINNEST, scale.x(end_ns) - x), text)


def _told(drawn: Drawn, scale: TimeScale, lanes: Mapping[LaneKey, Lane]) -> str:
    order = drawn.order
    begin_ns, end_ns = scale.stretches[0].from_ns, scale.stretches[-1].until_ns
    folded = f" {counted(len(scale.folds), 'long empty time')} folded." if scale.folds else ""
    return (
        f"{counted(len(drawn.visits), 'stage')}, {counted(len(order.messages), 'message')} and "
        f"{counted(len(order.spans.lines), 'span')} in {counted(len(set(lanes.values())), 'lane')} from "
        f"{drawn.clock(begin_ns)} to {drawn.clock(end_ns)}; {verdict(drawn.kind)}.{folded} "
        "The same is told in the tables below."
    )
