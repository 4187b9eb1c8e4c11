"""``clew order ID``: one order's journey."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import Any

import click
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from clew.api.times import moment
from clew.cli.client import NOT_FOUND, Client, CommandError, open_client, segment
from clew.cli.entries import Entry, listed, packed, timed
from clew.cli.options import asks, print_json
from clew.cli.orders import watch_list
from clew.cli.report_hints import undeclared_words
from clew.cli.screen import (
    ROOMY,
    STYLES,
    clock,
    console,
    counted,
    dwell_bar,
    joined,
    long,
    nanoseconds,
    plain,
    short,
    show,
    text,
    words,
)
from clew.journey.remarks import after_kind, delivery_remarks, deviation_words, message_fate, went_on

_EPILOG = """\b
Examples:
  clew order 4711           where it is, since when, why, and who must act
  clew order D77            by another id of it
  clew order 4711 --watch   kept up to date
  clew order 4711 --json    what a script reads
"""
_MESSAGES_SHOWN = 30
_INCIDENTS_SHOWN = 5
_BAR = 20
_SHORT_BAR = 10


@click.command(epilog=_EPILOG)
@click.argument("order_id", metavar="ID")
@click.option("--watch", is_flag=True, help="Keep it up to date until Ctrl-C.")
@click.option("--every", type=click.FloatRange(0.2), default=2.0, show_default=True, help="Seconds between updates.")
@asks
def order(order_id: str, watch: bool, every: float, url: str, data: Path | None, as_json: bool) -> None:
    """One order's journey: what Clew says of it, its stages, messages, traces and errors.

    A bar shows the dwell in a stage against its limit: full is the limit, red is over it.
    """
    if watch and as_json:
        raise click.UsageError("--watch draws on a terminal; call `clew order --json` again and again instead")
    with open_client(url, data) as client:
        if watch:
            watch_list(lambda screen: _drawn(_whole(client, order_id), screen), every, str(data or url))
        elif as_json:
            print_json(_ask(client, order_id))
        else:
            show(_drawn(_whole(client, order_id), console()))


def _ask(client: Client, order_id: str) -> dict[str, Any]:
    """The order's journey. Raises CommandError, which says where else the id is known."""
    try:
        journey: dict[str, Any] = client.get(f"orders/{segment(order_id)}")
    except CommandError as error:
        if error.exit_code == NOT_FOUND and client.get("spans", {"order": order_id, "limit": 1})["items"]:
            mend = f"clew find --order {shlex.quote(order_id)} lists them; a stage event makes it an order"
            raise CommandError(f"no order {order_id}, but spans name it", mend, NOT_FOUND) from error
        raise
    return journey


def _whole(client: Client, order_id: str) -> dict[str, Any]:
    """The order's journey with its ``incidents``: none where nobody watches. Raises CommandError as `_ask` does."""
    journey = _ask(client, order_id)
    try:
        found = client.get("incidents", {"order": journey["order_id"], "limit": _INCIDENTS_SHOWN})["items"]
    except CommandError:
        found = []
    return journey | {"incidents": found}


def _drawn(journey: dict[str, Any], screen: Console) -> RenderableType:
    return render_journey(journey, screen.width, moment(time.time_ns()))


def render_journey(journey: dict[str, Any], width: int, now: str) -> RenderableType:
    """A journey as the terminal shows it; a day is told where the row above has another one, at first unless it is
    that of ``now``.
    """
    room = width - 2
    parts: list[RenderableType] = [_headline(journey), _facts(journey, width)]
    for title, body in (
        ("incidents", _incidents(journey, now)),
        ("stages", _stages(journey, now, room)),
        ("holds", _holds(journey, now)),
        ("lost", _losses(journey)),
        ("messages", _messages(journey, now, room)),
        ("traces", _traces(journey, now, room)),
        ("errors", _errors(journey, now, room)),
    ):
        if body is not None:
            parts += [Text(f"\n{title.upper()}", style="bold"), Padding(body, (0, 0, 0, 2))]
    return Group(*parts)


def _headline(journey: dict[str, Any]) -> Text:
    verdict = journey["verdict"]
    kind = Text(words(verdict["kind"]), style=f"reverse {STYLES.get(verdict['kind'], '')}")
    name = text(f"{journey['singular']} {journey['order_id']}: ", "bold")
    return name + kind + text(after_kind(verdict["kind"], verdict["reason"]), "bold")


def _facts(journey: dict[str, Any], width: int) -> Text:
    verdict = journey["verdict"]
    aliases = [f"{name} {value}" for name, value in journey["aliases"].items()]
    lines = [
        [
            f"who must act: {verdict['owner']}" if verdict["owner"] else "",
            f"since {clock(verdict['since_at'])}",
            f"due {clock(journey['due_at'])}" if journey["due_at"] else "",
            f"projected to end {clock(journey['projected_end_at'])}" if journey["projected_end_at"] else "",
        ],
        [
            f"path {journey['path']}" if journey["path"] else "",
            f"user {journey['user_id']}" if journey["user_id"] else "",
            f"also {', '.join(aliases)}" if aliases else "",
            f"services {', '.join(journey['services'])}" if journey["services"] else "",
        ],
    ]
    return Text("\n").join(packed([text(each, "dim") for each in line], width) for line in lines if any(line))


def _stages(journey: dict[str, Any], now: str, room: int) -> RenderableType | None:
    visits = journey["stages"]
    if not visits:
        return None
    longest = max(len(plain(visit["stage"])) for visit in visits)
    cells = _BAR if room >= ROOMY - 2 else _SHORT_BAR
    entries = []
    before = ""
    for visit in visits:
        entries.append(_stage_entry(journey, visit, before, longest, cells))
        before = before if any(each["kind"] == "unknown_stage" for each in visit["deviations"]) else visit["stage"]
    for visit in journey["after_end"]:
        name, late = text(visit["stage"]), Text("after the end", style="yellow")
        service = text(visit["service"], "dim")
        entries.append(Entry(visit["entered_at"], (name, service, late), ((name, late), (service,))))
    table = listed(timed(entries, now), room)
    if not _declared(journey):
        return Group(table, text(undeclared_words(journey["flow"]), "yellow"))
    if not journey["stages_ahead"]:
        return table
    ahead = text(f"then {' or '.join(map(plain, journey['stages_ahead']))}", "dim")
    return Group(table, Padding(ahead, (0, 0, 0, 10)))


def _declared(journey: dict[str, Any]) -> bool:
    """Whether anybody declared the order's flow; a server of an earlier version doesn't say otherwise."""
    return bool(journey.get("flow_declared", True))


def _stage_entry(journey: dict[str, Any], visit: dict[str, Any], before: str, longest: int, cells: int) -> Entry:
    warn = visit["warn_s"] / visit["limit_s"] if visit["limit_s"] else 1.0
    name = text(visit["stage"], "bold" if visit["current"] else "")
    padded = name + Text(" " * (longest - name.cell_len))
    ended = journey["terminal"] and visit["current"]
    bar = Text("") if ended else dwell_bar(visit["used"], warn, cells)
    service, dwell = text(visit["service"], "dim"), _dwell(journey, visit)
    # Of a flow that nobody declared no stage is known: that is said once, below the stages.
    remarks = _remarks(visit if _declared(journey) else visit | {"deviations": []}, before)
    return Entry(
        visit["entered_at"],
        (name, service, bar, dwell, remarks),
        ((padded, bar, dwell), (service, remarks)),
    )


def _dwell(journey: dict[str, Any], visit: dict[str, Any]) -> Text:
    if journey["terminal"] and visit["current"]:
        return Text("")
    allowed = f" of {long(visit['limit_s'])}" if visit["limit_s"] is not None else ""
    over = visit["used"] is not None and visit["used"] > 1
    beyond = f", {long(visit['dwell_s'] - visit['limit_s'])} over" if over else ""
    return Text(f"{long(visit['dwell_s'])}{allowed}{beyond}", style="red" if over else "")


def _remarks(visit: dict[str, Any], before: str) -> Text:
    held = f"{long(visit['held_s'])} on hold" if visit["held_s"] else ""
    by = f"by {visit['actor']}" if visit["actor"] else ""
    deviations = [(each["kind"], each["stage"], each["accepted"]) for each in visit["deviations"]]
    told = joined([by, held, *deviation_words(deviations, before)], ", ")
    return text(told, "yellow" if any(not each["accepted"] for each in visit["deviations"]) else "dim")


def _incidents(journey: dict[str, Any], now: str) -> RenderableType | None:
    lines = []
    for each in journey.get("incidents", ()):
        state = each["state"]
        by = each["resolved_by"] if state == "resolved" else each["acknowledged_by"] if state == "acknowledged" else ""
        told = f"{state}{f' by {by}' if by else ''} since {clock(each['opened_at'], near=now)}"
        lines.append(text(f"{each['incident_id']}: {each['title']}, {told}", "red" if state == "open" else "dim"))
    return Group(*lines) if lines else None


def _holds(journey: dict[str, Any], now: str) -> RenderableType | None:
    if not journey["holds"]:
        return None
    lines, near = [], now
    for hold in journey["holds"]:
        end = f"to {clock(hold['end_at'], near=hold['begin_at'])}" if hold["end_at"] else "and still"
        lines.append(Text(f"from {clock(hold['begin_at'], near=near)} {end}", style="cyan"))
        near = hold["end_at"] or near
    return Group(*lines)


def _losses(journey: dict[str, Any]) -> RenderableType | None:
    losses = journey["losses"]
    return Group(*(text(loss["sentence"], STYLES["lost"]) for loss in losses)) if losses else None


def _messages(journey: dict[str, Any], now: str, room: int) -> RenderableType | None:
    messages = journey["messages"]
    if not messages:
        return None
    entries = []
    for message in messages[-_MESSAGES_SHOWN:]:
        way = text(f"{message['service']} → {message['destination'] or message['queue'] or '?'}")
        told = _fate(message, _went_on(journey, message))
        entries.append(Entry(message["published_at"], (way, told), ((way, told),)))
        for delivery in message["deliveries"]:
            taken, remarks = _delivery(delivery)
            whole = taken + Text(", ") + remarks if remarks else taken
            by = text(f"→ {delivery['service']}")
            entries.append(Entry("", (Text("  ") + by, whole), ((by, taken), (remarks,))))
    if len(messages) <= _MESSAGES_SHOWN:
        return listed(timed(entries, now), room)
    earlier = Text(f"{len(messages) - _MESSAGES_SHOWN} earlier ones: see --json", style="dim")
    return Group(earlier, listed(timed(entries, now), room))


def _went_on(journey: dict[str, Any], message: dict[str, Any]) -> bool:
    visits = journey["stages"] + journey["after_end"]
    entries = [(visit["service"], nanoseconds(visit["entered_at"])) for visit in visits]
    return went_on(message["service"], nanoseconds(message["published_at"]), entries)


def _fate(message: dict[str, Any], order_went_on: bool) -> Text:
    told = message_fate(message["lost"], message["error"], bool(message["deliveries"]), order_went_on)
    style = STYLES["lost"] if message["lost"] else "red" if message["error"] else "dim" if order_went_on else "yellow"
    return text(told, style) if told else Text("")


def _delivery(delivery: dict[str, Any]) -> tuple[Text, Text]:
    """When it was taken, and what is remarkable."""
    told = ("settlement", "redelivered", "death_reason", "death_queue", "error")
    remarks = ", ".join(delivery_remarks(*(delivery[name] for name in told)))
    return Text(f"taken after {short(delivery['transit_s'])}"), text(remarks, "yellow")


def _traces(journey: dict[str, Any], now: str, room: int) -> RenderableType | None:
    entries = [_trace_entry(trace, journey["singular"]) for trace in journey["traces"]]
    for trace_id in journey["traces_gone"]:
        gone = (text(trace_id, "dim"), Text("no spans stored", style="dim"))
        entries.append(Entry("", gone, [[each] for each in gone]))
    return listed(timed(entries, now), room) if entries else None


def _trace_entry(trace: dict[str, Any], singular: str) -> Entry:
    errors = f", {trace['errors']} failed" if trace["errors"] else ""
    remarks = joined(
        [
            f"shared by {counted(trace['shared_by'], singular)}" if trace["shared_by"] > 1 else "",
            "by a link" if trace["linked"] else "",
        ],
        ", ",
    )
    style = "red" if errors else ""
    cells = (
        text(trace["trace_id"], "cyan"),
        text(f"{trace['root_service']}: {trace['root_name']}"),
        Text(f"{short(trace['duration_s'])}, {counted(trace['spans'], 'span')}{errors}", style=style),
        text(remarks, "yellow"),
    )
    return Entry(trace["start_at"], cells, (cells[:1], cells[1:]))


def _errors(journey: dict[str, Any], now: str, room: int) -> RenderableType | None:
    entries = []
    failure = journey["failure"]
    if failure:
        told = f"{failure['stage']} failed: {failure['error'] or 'no reason given'}"
        entries.append(_error_entry(failure["at"], failure, told))
    for span in sorted(journey["errors_found"], key=lambda each: nanoseconds(each["start_at"])):
        told = joined([span["name"], span["error"], span["status_message"]], ": ")
        entries.append(_error_entry(span["start_at"], span, told))
    return listed(timed(entries, now), room) if entries else None


def _error_entry(at: str, place: dict[str, Any], told: str) -> Entry:
    cells = (text(place["service"]), text(told, "red"), text(place["trace_id"], "cyan"))
    return Entry(at, cells, (cells[:2], cells[2:]))
