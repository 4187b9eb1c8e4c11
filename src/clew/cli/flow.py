"""``clew flow``: check a flow, show the flows in force, apply or drop one."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click
from rich.console import Group, RenderableType
from rich.text import Text

from clew.cli import screen
from clew.cli.client import Client, CommandError, open_client, segment
from clew.cli.entries import Entry, listed
from clew.cli.options import asks, changes, print_json
from clew.cli.progress import progress_bars, rebuild_journeys
from clew.cli.screen import clock, counted, joined, long, show, text
from clew.flow import default_flow_text, format_problems, load_flow
from clew.flow.acceptances import render_expiry
from clew.model.errors import FlowError
from clew.model.flow import Flow

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False, allow_dash=False)


@click.group()
def flow() -> None:
    """The declared way of an order: stages, limits, allowed next stages."""


@flow.command(epilog="Exit code 1 when the flow has mistakes.")
@click.argument("file", type=_FILE)
def check(file: Path) -> None:
    """Name line, key, cause and mend of every mistake in a flow file. Needs no server."""
    checked = load_named(file)
    stages = "1 stage" if len(checked.stages) == 1 else f"{len(checked.stages)} stages"
    paths = ", ".join(checked.paths)
    click.echo(f"{file} is right: flow {checked.name} version {checked.version}, {stages}, paths {paths}")
    for deviation, said in sorted(checked.acceptances.items()):
        if said.expires_ns is not None and said.expires_ns <= time.time_ns():
            click.echo(f"note: {deviation} is no longer accepted, since {render_expiry(said.expires_ns)}")


@flow.command("show")
@click.argument("name", default="")
@click.option(
    "--yaml", "as_yaml", is_flag=True, help="Print its text as it was applied, as is done for a file or a pipe."
)
@click.option("--shipped", is_flag=True, help="Print the flow that ships with Clew, to copy; needs no server.")
@asks
def show_flow(name: str, as_yaml: bool, shipped: bool, url: str, data: Path | None, as_json: bool) -> None:
    """The flow of that NAME that is in force; without one, the first in force and the names of the others."""
    if shipped:
        click.echo(default_flow_text(), nl=False)
        return
    with open_client(url, data) as client:
        in_force = client.get("flows")
        shown = client.get(f"flows/{segment(name or in_force[0]['name'])}")
    if as_json:
        print_json(shown)
    elif as_yaml or not screen.on_terminal():
        click.echo(shown["text"], nl=not shown["text"].endswith("\n"))
    else:
        show(render_flow_table(shown, [each["name"] for each in in_force], screen.console().width))


@flow.command(epilog="\b\nExamples:\n  clew flow apply flow.yaml\n  clew flow apply flow.yaml --since 7d")
@click.argument("file", type=_FILE)
@click.option("--since", default="", help="Also derive stage events anew since: 7d, or 2026-11-22T08:15:00Z.")
@changes
def apply(file: Path, since: str, url: str, data: Path | None, as_json: bool) -> None:
    """Judge by this flow from now on."""
    checked = load_named(file)
    with open_client(url, data) as client:
        applied = client.put(f"flows/{segment(checked.name)}", file.read_text(encoding="utf-8"), {"since": since})
        judged = _judge_history(client, checked.name)
    if as_json:
        print_json(applied)
    else:
        again = f"; stage events since {since} are derived anew" if since else ""
        past = f"; {counted(judged, 'imported order')} judged anew" if judged else ""
        click.echo(f"flow {applied['name']} revision {applied['revision']} is in force{again}{past}")


@flow.command(epilog="\b\nExample:\n  clew flow drop repairs")
@click.argument("name")
@changes
def drop(name: str, url: str, data: Path | None, as_json: bool) -> None:
    """Judge by the flow of that NAME no longer: its open orders and imported history are judged by the flows left.

    A flow that the settings name comes back with the next start.
    """
    with open_client(url, data) as client:
        left = client.delete(f"flows/{segment(name)}")
        judged = _judge_history(client, name)
    if as_json:
        print_json(left)
    else:
        past = f"; {counted(judged, 'imported order')} judged anew" if judged else ""
        click.echo(f"flow {name} is no longer in force; in force: {', '.join(each['name'] for each in left)}{past}")


def _judge_history(client: Client, name: str) -> int:
    """Have imported history that follows the flow judged by it at once; how many orders that were."""
    with progress_bars() as bars:
        return sum(
            rebuild_journeys(client, each["import_id"], bars)["rebuilt"]
            for each in client.get("imports")
            if each["flow"] in ("", name)
        )


def load_named(file: Path) -> Flow:
    """The flow in a file. Raises CommandError with the file's name and every mistake in it."""
    try:
        return load_flow(file)
    except FlowError as error:
        content = file.read_text(encoding="utf-8", errors="replace")
        count = "1 mistake" if len(error.problems) == 1 else f"{len(error.problems)} mistakes"
        raise CommandError(f"{file} has {count}:\n\n{format_problems(error.problems, content)}") from error


def render_flow_table(shown: dict[str, Any], names: list[str], width: int) -> RenderableType:
    """A flow as the terminal shows it."""
    headers = ("STAGE", "SERVICE", "WHO", "LIMIT", "NEXT", "MEANING")
    table = listed([_stage_entry(stage) for stage in shown["stages_in_full"]], width, headers)
    paths = ", ".join(f"{path} from {' or '.join(entries)}" for path, entries in shown["paths"].items())
    last = shown["history"][-1]["applied_at"] if shown["history"] else None
    head = f"flow {shown['name']} version {shown['version']}, revision {shown['revision']}"
    accepted = [Text(""), *accepted_lines(shown["accepted"])] if shown["accepted"] else []
    others = [name for name in names if name != shown["name"]]
    parts: list[RenderableType] = [
        text(f"{head}, applied {clock(last)}" if last else head, "bold"), text(f"paths: {paths}"), Text(""), table,
        *accepted,
    ]  # fmt: skip
    return Group(*parts, Text(""), text(f"also in force: {', '.join(others)}", "dim")) if others else Group(*parts)


def accepted_lines(accepted: list[dict[str, Any]]) -> list[Text]:
    """A line for each accepted deviation: ``accepted: skipped:BASKET by ann: the new till (until 2027-01-01 …)``."""
    lines = []
    for said in accepted:
        by = joined([f"by {said['author']}" if said["author"] else "", said["reason"]], ": ")
        until = f"(until {clock(said['expires_at'])})" if said["expires_at"] else ""
        lines.append(text(joined([f"accepted: {said['deviation']}", by, until], " ")))
    return lines


def _stage_entry(stage: dict[str, Any]) -> Entry:
    name, service, owner = text(stage["name"], "bold"), text(stage["service"]), text(stage["owner"])
    limits, following, meaning = _limits(stage["limits"]), " or ".join(stage["next"]), text(stage["meaning"], "dim")
    ended = f"ends {stage['terminal']}" if stage["terminal"] else ""
    where = (text(f"in {stage['service']}" if stage["service"] else ""), text(f"for {stage['owner']}" if owner else ""))
    return Entry(
        "",
        (name, service, owner, limits, text(following or ended), meaning),
        (
            (name, meaning),
            (*where, Text("") if ended else Text("limit ") + limits),
            (text(f"then {following}" if following else ended),),
        ),
    )


def _limits(limits: dict[str, dict[str, float]]) -> Text:
    told = [f"{'' if path == '*' else path} {long(limit['allowed_s'])}".strip() for path, limit in limits.items()]
    return text(", ".join(told) or "none")
