"""An order as plain text, to be pasted into a ticket: the facts of `clew order`, times in the viewer's zone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from clew.journey.remarks import printable
from clew.journey.visits import StageVisit
from clew.model.lengths import how_brief, how_long
from clew.web.pages.order.context import MessageRow, OrderPage
from clew.web.pages.order.way import WayRow
from clew.web.words import counted, exact, verdict

_INDENT = "  "
_MOMENT, _NAME = 25, 40


def with_ticket(page: OrderPage, now_ns: int) -> OrderPage:
    """The page with its text for a ticket."""
    return replace(page, ticket=ticket_of(page, now_ns))


def ticket_of(page: OrderPage, now_ns: int) -> str:
    """The text. Every value of telemetry is in one line and holds nothing that a terminal or an editor would obey."""
    sections = (
        ("stages", _stages(page)),
        ("holds", _holds(page)),
        ("lost", (each.sentence for each in page.losses)),
        ("messages", _messages(page)),
        ("traces", _traces(page)),
        ("errors", _errors(page)),
    )
    lines = [*_head(page, now_ns)]
    for title, body in sections:
        if told := list(body):
            lines += ["", title.upper(), *(f"{_INDENT}{each}" for each in told)]
    return "\n".join([*(printable(line) for line in lines), ""])


def _head(page: OrderPage, now_ns: int) -> Iterator[str]:
    line, journey = page.line, page.line.journey
    aliases = ", ".join(f"{name} {value}" for name, value in journey.aliases.items())
    attributes = ", ".join(f"{name} {value}" for name, value in journey.attributes.items())
    yield f"{page.singular} {journey.order_id}: {verdict(line.verdict.kind.value)}{page.sentence}"
    facts = (
        ("who must act", line.verdict.owner),
        ("since", _at(page, line.verdict.since_ns)),
        ("due", _at(page, journey.due_at_ns)),
        ("projected to end", _at(page, line.projected_end_ns)),
        ("path", journey.path),
        ("user", journey.user_id),
        ("also", aliases),
        ("services", ", ".join(page.services)),
        ("attributes", attributes),
        ("evidence", _place(line.verdict.trace_id, line.verdict.span_id)),
        ("seen", f"{page.asked.url} at {exact(now_ns, page.asked.zone)}"),
    )
    yield from (f"{name}: {value}" for name, value in facts if value)


def _at(page: OrderPage, at_ns: int | None) -> str:
    """A moment to the second, with the offset of its zone: a ticket is read elsewhere."""
    if not at_ns:
        return ""
    day, time, offset, _ = exact(at_ns, page.asked.zone).split(" ", 3)
    return f"{day} {time.partition('.')[0]} {offset}"


def _place(trace_id: str, span_id: str) -> str:
    return " ".join(each for each in (trace_id and f"trace {trace_id}", span_id and f"span {span_id}") if each)


def _stages(page: OrderPage) -> Iterator[str]:
    if page.way_left:
        yield f"{page.way_left} earlier ones are on the page"
    longest = max((len(row.visit.milestone.stage) for row in page.way if row.visit), default=0)
    for row in page.way:
        if row.visit:
            yield _stage(page, row, row.visit, min(longest, _NAME))
        elif row.mark in ("skipped", "failed"):
            yield f"{'':{_MOMENT}}  {row.expected.name if row.expected else '':{min(longest, _NAME)}}  {row.said}"
    ahead = [row.expected.name for row in page.way if row.mark == "next" and row.expected]
    if ahead:
        yield f"then {' or '.join(ahead)}"


def _stage(page: OrderPage, row: WayRow, visit: StageVisit, longest: int) -> str:
    milestone = visit.milestone
    ended = visit.after_end or (visit.current and page.line.journey.terminal)
    allowed = f" of {how_long(visit.limit.allowed_ns)}" if visit.limit else ""
    over = f", {how_long(visit.over_ns)} over" if visit.over_ns else ""
    told = (
        milestone.service,
        "" if ended else f"{how_long(visit.dwell_ns)}{allowed}{over}",
        f"by {milestone.actor}" if milestone.actor else "",
        f"{how_long(visit.held_ns)} on hold" if visit.held_ns else "",
        row.said,
    )
    name = milestone.stage.ljust(longest)
    return "  ".join([_at(page, milestone.at_ns), name, ", ".join(each for each in told if each)]).rstrip()


def _holds(page: OrderPage) -> Iterator[str]:
    for row in page.holds:
        end = f"to {_at(page, row.hold.end_ns)}" if row.hold.end_ns else "and still"
        yield f"from {_at(page, row.hold.begin_ns)} {end}, {how_long(row.length_ns)}"


def _messages(page: OrderPage) -> Iterator[str]:
    if page.messages_left:
        yield f"{page.messages_left} earlier ones are on the page"
    for row in page.messages:
        yield from _message(page, row)


def _message(page: OrderPage, row: MessageRow) -> Iterator[str]:
    message = row.message
    way = f"{message.service} → {message.destination or message.queue or '?'}"
    yield "  ".join(each for each in (_at(page, message.published_ns), way, row.fate) if each)
    for each in row.deliveries:
        told = [f"taken after {how_brief(each.transit_ns)}", *([each.told] if each.told else [])]
        yield f"{_INDENT}→ {each.delivery.service}  {', '.join(told)}"


def _traces(page: OrderPage) -> Iterator[str]:
    if page.traces_left:
        yield f"{page.traces_left} earlier ones are on the page"
    for trace in page.traces:
        failed = f", {trace.errors} failed" if trace.errors else ""
        shared = f", shared by {counted(trace.shared_by, page.singular)}" if trace.shared_by > 1 else ""
        linked = ", by a link" if trace.linked else ""
        size = f"{how_brief(trace.duration_ns)}, {counted(trace.spans, 'span')}{failed}{shared}{linked}"
        root = f"{trace.root_service}: {trace.root_name}"
        yield "  ".join((_at(page, trace.start_ns), trace.trace_id, root, size))
    yield from (f"{trace_id}  no spans stored" for trace_id in page.gone)


def _errors(page: OrderPage) -> Iterable[str]:
    for row in page.failures:
        place = _place(row.trace_id, row.span_id)
        yield "  ".join(each for each in (_at(page, row.at_ns), row.service, row.told, place) if each)
