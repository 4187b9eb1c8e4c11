"""``clew flow discover``, ``diff`` and ``remaining``, and ``clew replay``: what history teaches of flows."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
from rich.console import Group, RenderableType
from rich.text import Text

from clew.cli.client import Params, open_client
from clew.cli.flow import flow, load_named
from clew.cli.options import Command, asks, print_json
from clew.cli.replay_screen import between, of_others, render_replay
from clew.cli.screen import console, counted, grid, joined, long, short, show, text, working
from clew.learn.words import percent

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False, allow_dash=False)
_SHOWN = 15


def _history(command: Command) -> Command:
    """The options that say which orders to learn from."""
    kinds = click.Choice(["started", "ended", "active"])
    told = "What lies in the range: the order's start, its end, or any visit."
    for option in (
        click.option("--by", type=kinds, default="started", show_default=True, help=told),
        click.option("--flow-version", type=click.IntRange(0), help="Only orders judged by this version of the flow."),
        click.option(
            "--attribute", multiple=True, metavar="KEY=VALUE", help="An attribute of the order. May be repeated."
        ),
        click.option("--path", default="", help="Only orders of this path."),
        click.option("--to", default="", metavar="TIME", help="Before this moment."),
        click.option("--from", "from_", default="", metavar="TIME", help="Not before: 30d, or 2026-11-22T08:15:00Z."),
    ):
        command = option(command)
    return command


def _params(picks: dict[str, Any], **more: str) -> Params:
    version, from_ = picks.pop("flow_version"), picks.pop("from_")
    return {**picks, "from": from_, "flow_version": "" if version is None else str(version), **more}


@flow.command(epilog="""\b
Examples:
  clew flow discover > flow.yaml                 what the orders of most orders' flow teach
  clew flow discover --flow loans --from 90d     of imported history that nobody declared a flow for
  clew flow discover --share 5% --floor 10m      only what is common, no limit under ten minutes
  clew flow check flow.yaml && clew flow apply flow.yaml
""")  # fmt: skip
@click.option("--flow", "flow_", default="", help="Orders of this flow.  [default: the flow of most orders]")
@click.option("--name", default="", help="The flow's name.  [default: that of the orders' flow]")
@click.option("--share", default="1%", show_default=True, help="A step is allowed from this share of a stage's on.")
@click.option("--floor", default="1m", show_default=True, help="No limit is below this.")
@click.option("--quantile", default="95%", show_default=True, help="This share of dwells is within the limit.")
@_history
@asks
def discover(
    flow_: str, name: str, share: str, floor: str, quantile: str, url: str, data: Path | None, as_json: bool,
    **picks: Any,  # noqa: ANN401 - options of `_history`
) -> None:  # fmt: skip
    """A flow as history teaches it: YAML with the reason of each decision, to read, mend and apply.

    Limits count orders that still wait (Kaplan and Meier), so they aren't too short where history is young.
    """
    more = {"flow": flow_, "name": name, "share": _share(share), "floor": floor, "quantile": _share(quantile)}
    with working("learning a flow from history"), open_client(url, data) as client:
        found = client.get("learn/flow", _params(picks, **more))
    if as_json:
        print_json(found)
    else:
        click.echo(found["text"], nl=False)


@flow.command(epilog="""\b
Examples:
  clew flow diff                       the flow in force beside all of its orders
  clew flow diff new.yaml --from 30d   a file beside the last month
""")  # fmt: skip
@click.argument("file", type=_FILE, required=False)
@click.option(
    "--flow", "flow_", default="", help="Orders of this flow.  [default: the file's, else that of most orders]"
)
@_history
@asks
def diff(file: Path | None, flow_: str, url: str, data: Path | None, as_json: bool, **picks: Any) -> None:  # noqa: ANN401
    """A declared flow (in force, or FILE) beside what happens: stages, entries, steps, and limits.

    Limits stand beside the 95 % quantile of the times that orders really stayed, those that still wait counted.
    """
    body = _text_of(file)
    with working("holding the flow against history"), open_client(url, data) as client:
        found = client.post("learn/diff", body, _params(picks, flow=flow_))
    if as_json:
        print_json(found)
    else:
        show(render_difference(found, chosen=bool(flow_)))


@flow.command(epilog="\b\nExamples:\n  clew flow remaining\n  clew flow remaining --flow jeweller --json")
@click.option("--flow", "flow_", default="", help="This flow.  [default: the flow of most orders]")
@asks
def remaining(flow_: str, url: str, data: Path | None, as_json: bool) -> None:
    """How long orders that closed in the last 90 days still took from each stage, by path and over all.

    Open orders with a due date are projected by these.
    """
    with open_client(url, data) as client:
        found = client.get("learn/remaining", {"flow": flow_})
    if as_json:
        print_json(found)
    else:
        show(render_remaining(found))


@click.command(epilog="""\b
Examples:
  clew replay --flow new.yaml --from 30d                 would these limits have been right last month?
  clew replay --flow new.yaml --within 15m --json        who moved on within 15 min had a false alarm
""")  # fmt: skip
@click.option("--flow", "file", type=_FILE, required=True, help="The flow whose limits are tried.")
@click.option("--orders-of", default="", metavar="NAME",
              help="Orders of this flow.  [default: the file's, else that of most orders]")  # fmt: skip
@click.option("--within", default="10%", show_default=True,
              help="Moving on so soon after the limit is a false alarm: a share of it, or 30m.")  # fmt: skip
@_history
@asks
def replay(
    file: Path, orders_of: str, within: str, url: str, data: Path | None, as_json: bool,
    **picks: Any,  # noqa: ANN401 - options of `_history`
) -> None:  # fmt: skip
    """What a flow's limits would have said over history, against those in force.

    How many orders would have been stuck, when, how long after the limit they moved on, and how many alarms would have
    been false. Nobody is notified.
    """
    body = _text_of(file)
    with working("trying the limits over history"), open_client(url, data) as client:
        found = client.post("learn/replay", body, _params(picks, flow=orders_of, within=within))
    if as_json:
        print_json(found)
    else:
        show(render_replay(found, console().width, chosen=bool(orders_of)))


def _text_of(file: Path | None) -> str:
    """The text of a flow file without mistakes, or nothing. Raises CommandError."""
    if file is None:
        return ""
    load_named(file)
    return file.read_text(encoding="utf-8")


def _share(given: str) -> str:
    """A share as the API takes it, from ``5%`` or ``0.05``."""
    number = given.strip().removesuffix("%").strip()
    try:
        return str(float(number) / 100 if given.strip().endswith("%") else float(number))
    except ValueError:
        raise click.UsageError(f"{given!r} is no share; write for example 5% or 0.05") from None


def render_difference(found: dict[str, Any], *, chosen: bool = False) -> RenderableType:
    """A flow beside what happens, as the terminal shows it; ``chosen``: somebody said whose orders these are."""
    head = f"flow {found['name']} version {found['version']} beside {counted(found['orders'], 'order')}"
    others = of_others(found["name"], found["asked"], chosen=chosen)
    parts: list[RenderableType] = [text(head + between(found["asked"]), "bold"), *others]
    for title, key in (("stages", "stages"), ("entries", "entries"), ("steps", "steps")):
        parts += _listing(f"{title} that happen and aren't declared", found[f"undeclared_{key}"])
        parts += _listing(f"{title} that are declared and never seen", found[f"unseen_{key}"])
    return Group(*parts, Text(""), _limits_table(found["limits"]))


def _listing(title: str, entries: list[dict[str, Any]]) -> Iterable[RenderableType]:
    if not entries:
        return
    yield Text("")
    yield Text(f"{title}:")
    for each in entries[:_SHOWN]:
        yield text(f"  {_difference_line(each)}")
    if len(entries) > _SHOWN:
        yield Text(f"  … and {len(entries) - _SHOWN} more, see --json", style="dim")


def _difference_line(each: dict[str, Any]) -> str:
    if "to" in each:
        what = f"{each['from']} > {each['to']}"
    else:
        what = f"{each['stage']} of path {each['path'] or 'unknown'}" if "path" in each else each["stage"]
    often = joined([f"{each['count']:,} times in" if "count" in each else "", counted(each["orders"], "order")], " ")
    how = each.get("deviation", "").replace("_", " ") + (" (accepted)" if each.get("accepted") else "")
    return joined([what, often if each["orders"] else "", how])


def _limits_table(limits: list[dict[str, Any]]) -> RenderableType:
    table = grid("STAGE", "PATH", "LIMIT", "REALLY (95 %)", "OVER THE LIMIT", "FROM")
    for each in limits:
        thin = "too few to tell" if each["thin"] else "too many wait to tell" if each["learned_s"] is None else ""
        table.add_row(
            text(each["stage"], "bold"),
            text("any" if each["path"] == "*" else each["path"]),
            Text("none" if each["limit_s"] is None else long(each["limit_s"])),
            Text(thin or short(each["learned_s"]), style="dim" if thin else ""),
            _over(each["over"]),
            Text(f"{each['n']:,} and {each['waiting']:,} that wait", style="dim"),
        )
    return table


def _over(share: float | None) -> Text:
    return Text("") if share is None else Text(percent(share), style="red" if share > 0.05 else "")


def render_remaining(found: dict[str, Any]) -> RenderableType:
    """Remaining times as the terminal shows them."""
    if not found["stages"]:
        return text(f"no order of flow {found['flow']} has closed in the last 90 days")
    table = grid("STAGE", "PATH", "VISITS", "HALF TOOK", "9 OF 10 TOOK")
    for each in found["stages"]:
        table.add_row(
            text(each["stage"], "bold"), text(each["path"] or "all"), Text(f"{each['n']:,}"),
            Text(short(each["median_s"])), Text(short(each["p90_s"])),
        )  # fmt: skip
    head = f"how long orders of flow {found['flow']} still took from a stage to their end"
    return Group(text(head, "bold"), Text(""), table)
