"""``clew order ID``: one order's journey."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from clew.cli.client import open_client, segment
from clew.cli.options import asks, print_json
from clew.cli.orders import watch_list
from clew.cli.screen import (
    ROOMY,
    STYLES,
    clock,
    console,
    dwell_bar,
    joined,
    long,
    nanoseconds,
    plain,
    rows,
    short,
    show,
    text,
    words,
)

_EPILOG = """\b
Examples:
  clew order 4711           where it is, since when, why, and who must act
  clew order D77            by another id of it
  clew order 4711 --watch   kept up to date
  clew order 4711 --json    what a script reads
"""
_MESSAGES_SHOWN = 30


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
        path = f"orders/{segment(order_id)}"
        if watch:
            watch_list(lambda: render_journey(client.get(path), console().width), every)
        elif as_json:
            print_json(client.get(path))
        else:
            show(render_journey(client.get(path), console().width))


def render_journey(journey: dict[str, Any], width: int) -> RenderableType:
    """A journey as the terminal shows it."""
    near = journey["last_at"]
    parts: list[RenderableType] = [_headline(journey), _facts(journey)]
    for title, body in (
        ("stages", _stages(journey, near, 20 if width >= ROOMY else 10)),
        ("holds", _holds(journey, near)),
        ("lost", _losses(journey)),
        ("messages", _messages(journey, near)),
        ("traces", _traces(journey, near)),
        ("errors", _errors(journey, near)),
    ):
        if body is not None:
            parts += [Text(f"\n{title.upper()}", style="bold"), Padding(body, (0, 0, 0, 2))]
    return Group(*parts)


def _headline(journey: dict[str, Any]) -> Text:
    verdict = journey["verdict"]
    kind = Text(words(verdict["kind"]), style=f"reverse {STYLES.get(verdict['kind'], '')}")
    name = text(f"{journey['singular']} {journey['order_id']} ", "bold")
    reason = verdict["reason"].removeprefix(f"{words(verdict['kind'])} ")
    return name + Text(" ") + kind + Text(" ") + text(reason, "bold")


def _facts(journey: dict[str, Any]) -> Text:
    verdict = journey["verdict"]
    aliases = [f"{name} {value}" for name, value in journey["aliases"].items()]
    lines = [
        joined(
            [
                f"who must act: {verdict['owner']}" if verdict["owner"] else "",
                f"since {clock(verdict['since_at'])}",
                f"due {clock(journey['due_at'])}" if journey["due_at"] else "",
            ]
        ),
        joined(
            [
                f"path {journey['path']}" if journey["path"] else "",
                f"user {journey['user_id']}" if journey["user_id"] else "",
                f"also {', '.join(aliases)}" if aliases else "",
                f"services {', '.join(journey['services'])}" if journey["services"] else "",
            ]
        ),
    ]
    return Text("\n").join(text(line, "dim") for line in lines if line)


def _stages(journey: dict[str, Any], near: str, cells: int) -> RenderableType | None:
    if not journey["stages"]:
        return None
    table = rows(True, True, False, True, False, False)
    for visit in journey["stages"]:
        warn = visit["warn_s"] / visit["limit_s"] if visit["limit_s"] else 1.0
        name = text(visit["stage"], "bold" if visit["current"] else "")
        table.add_row(
            clock(visit["entered_at"], near=near), name, text(visit["service"], "dim"),
            Text("") if journey["terminal"] and visit["current"] else dwell_bar(visit["used"], warn, cells),
            _dwell(journey, visit), _remarks(visit),
        )  # fmt: skip
    for visit in journey["after_end"]:
        late = Text("after the end", style="yellow")
        table.add_row(clock(visit["entered_at"], near=near), text(visit["stage"]), text(visit["service"]), late)
    if not journey["stages_ahead"]:
        return table
    ahead = text(f"then {' or '.join(map(plain, journey['stages_ahead']))}", "dim")
    return Group(table, Padding(ahead, (0, 0, 0, 10)))


def _dwell(journey: dict[str, Any], visit: dict[str, Any]) -> Text:
    if journey["terminal"] and visit["current"]:
        return Text("")
    allowed = f" of {long(visit['limit_s'])}" if visit["limit_s"] is not None else ""
    over = visit["used"] is not None and visit["used"] > 1
    beyond = f", {long(visit['dwell_s'] - visit['limit_s'])} over" if over else ""
    return Text(f"{long(visit['dwell_s'])}{allowed}{beyond}", style="red" if over else "")


def _remarks(visit: dict[str, Any]) -> Text:
    held = f"{long(visit['held_s'])} on hold" if visit["held_s"] else ""
    accepted = " (accepted)" if visit["accepted"] else ""
    kind, _, stage = visit["deviation"].partition(" ")
    deviation = f"{words(kind)} {stage}{accepted}" if kind else ""
    by = f"by {visit['actor']}" if visit["actor"] else ""
    return text(joined([by, held, deviation], ", "), "dim" if visit["accepted"] or not deviation else "yellow")


def _holds(journey: dict[str, Any], near: str) -> RenderableType | None:
    if not journey["holds"]:
        return None
    lines = []
    for hold in journey["holds"]:
        end = f"to {clock(hold['end_at'], near=near)}" if hold["end_at"] else "and still"
        lines.append(Text(f"from {clock(hold['begin_at'], near=near)} {end}", style="cyan"))
    return Group(*lines)


def _losses(journey: dict[str, Any]) -> RenderableType | None:
    losses = journey["losses"]
    return Group(*(text(loss["sentence"], STYLES["lost"]) for loss in losses)) if losses else None


def _messages(journey: dict[str, Any], near: str) -> RenderableType | None:
    messages = journey["messages"]
    if not messages:
        return None
    table = rows(True, False, False)
    if len(messages) > _MESSAGES_SHOWN:
        table.add_row("", Text(f"{len(messages) - _MESSAGES_SHOWN} earlier ones: see --json", style="dim"))
    for message in messages[-_MESSAGES_SHOWN:]:
        way = text(f"{message['service']} → {message['destination'] or message['queue'] or '?'}")
        told = _fate(message)
        table.add_row(clock(message["published_at"], near=near), way, told)
        for delivery in message["deliveries"]:
            table.add_row("", text(f"  → {delivery['service']}"), _delivery(delivery))
    return table


def _fate(message: dict[str, Any]) -> Text:
    if message["lost"]:
        return Text(f"lost: {words(message['lost'])}", style=STYLES["lost"])
    if message["error"]:
        return text(f"not published: {message['error']}", "red")
    return Text("" if message["deliveries"] else "not taken yet", style="yellow")


def _delivery(delivery: dict[str, Any]) -> Text:
    settled = {"reject": "rejected", "requeue": "put back", "none": "connection lost before it was settled"}
    ended = settled.get(delivery["settlement"], "")
    death = (
        f"dead-lettered from {delivery['death_queue'] or 'a queue'} ({delivery['death_reason']})"
        if delivery["death_reason"]
        else ""
    )
    remarks = joined(["redelivered" if delivery["redelivered"] else "", death, ended, delivery["error"]], ", ")
    taken = Text(f"taken after {short(delivery['transit_s'])}")
    return taken + text(f", {remarks}", "yellow") if remarks else taken


def _traces(journey: dict[str, Any], near: str) -> RenderableType | None:
    if not journey["traces"] and not journey["traces_gone"]:
        return None
    table = rows(True, True, False, False, False)
    for trace in journey["traces"]:
        errors = f", {trace['errors']} failed" if trace["errors"] else ""
        remarks = joined(
            [
                f"shared by {trace['shared_by']} {journey['singular']}s" if trace["shared_by"] > 1 else "",
                "by a link" if trace["linked"] else "",
            ],
            ", ",
        )
        table.add_row(
            clock(trace["start_at"], near=near), text(trace["trace_id"], "cyan"),
            text(f"{trace['root_service']}: {trace['root_name']}"),
            Text(f"{short(trace['duration_s'])}, {trace['spans']} spans{errors}", style="red" if errors else ""),
            text(remarks, "yellow"),
        )  # fmt: skip
    for trace_id in journey["traces_gone"]:
        table.add_row("", text(trace_id, "dim"), Text("no spans stored", style="dim"))
    return table


def _errors(journey: dict[str, Any], near: str) -> RenderableType | None:
    failure = journey["failure"]
    if not failure and not journey["errors_found"]:
        return None
    table = rows(True, False, False, True)
    if failure:
        told = text(f"{failure['stage']} failed: {failure['error'] or 'no reason given'}", "red")
        by, place = text(failure["service"]), text(failure["trace_id"], "cyan")
        table.add_row(clock(failure["at"], near=near), by, told, place)
    for span in sorted(journey["errors_found"], key=lambda each: nanoseconds(each["start_at"])):
        told = text(joined([span["name"], span["error"], span["status_message"]], ": "), "red")
        table.add_row(clock(span["start_at"], near=near), text(span["service"]), told, text(span["trace_id"], "cyan"))
    return table
