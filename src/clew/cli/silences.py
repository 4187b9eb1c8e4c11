"""``clew silence``: times in which alerts notify nobody, and what that covers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from rich.console import Group, RenderableType
from rich.text import Text

from clew.cli.client import open_client
from clew.cli.options import asks, print_json, who
from clew.cli.screen import clock, grid, show, text
from clew.flow.durations import parse_duration
from clew.flow.hours import split_hours

_EPILOG = """\b
Examples:
  clew silence                                            those that hold
  clew silence --try --label service=mes                  what this would cover now; declares nothing
  clew silence --for 2h --label service=mes --why "moved" nobody is told of mes for two hours
  clew silence --for 30d --hours "mon-fri 22:00-06:00 Europe/Berlin" --from 2026-12-01T12:00Z \\
      --label rule=stuck --why "nobody works at night"    each night of December
  clew silence --end 3                                    end one early
"""


@click.command(epilog=_EPILOG)
@click.option("--for", "length", default="", metavar="TIME", help="How long: 30m, 4h, 2d.")
@click.option(
    "--from", "from_at", default="", metavar="TIME", help="From when on, in UTC unless it says a zone.  [default: now]"
)
@click.option("--hours", default="", metavar="WHEN", help='Only then: "mon-fri 22:00-06:00 Europe/Berlin".')
@click.option("--label", "labels", multiple=True, metavar="NAME=VALUE", help="What it covers; may be repeated.")
@click.option("--why", default="", metavar="TEXT", help="The reason.")
@click.option("--by", default="", metavar="NAME", help="Who declares it.  [default: who runs this command]")
@click.option("--try", "only_try", is_flag=True, help="Say what the labels cover now, and declare nothing.")
@click.option("--end", type=click.IntRange(1), default=None, metavar="N", help="End this one early.")
@asks
def silence(
    length: str, from_at: str, hours: str, labels: tuple[str, ...], why: str, by: str, only_try: bool, end: int | None,
    url: str, data: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Silences: times in which alerts that match notify nobody. Without an option: those that hold."""
    pairs = _pairs(labels)
    _check(length, pairs, [from_at, hours], why, only_try=only_try, end=end)
    new: dict[str, Any] = {}
    if length:
        new = {"labels": pairs, "by": who(by), "reason": why, "from_at": from_at, "for_s": _seconds(length)}
        new |= {"hours": _hours(hours)} if hours else {}
    with open_client(url, data) as client:
        if only_try:
            told = client.get("silences/coverage", {"label": [f"{name}={value}" for name, value in pairs.items()]})
            print_json(told) if as_json else show(_coverage(told))
            return
        if end is not None:
            client.delete(f"silences/{end}")
        made = client.post("silences", json.dumps(new)) if new else None
        told = client.get("silences")
    if as_json:
        print_json(told | ({"declared": made} if made else {}))
    else:
        show(Group(*([_coverage(made)] if made else []), _table(told)))


def _check(length: str, pairs: dict[str, str], timing: list[str], why: str, *, only_try: bool, end: int | None) -> None:
    """Raises UsageError for options that don't go together."""
    if only_try and (not pairs or length or end):
        raise click.UsageError("--try says what labels cover: give at least one --label, and neither --for nor --end")
    if not only_try and bool(length) != bool(pairs):
        raise click.UsageError("a silence needs --for and at least one --label")
    if any(timing) and not length:
        raise click.UsageError("--from and --hours say when a new silence holds: add --for and --label")
    if length and not why:
        raise click.UsageError("--why: others will wonder why they aren't told")


def _pairs(labels: tuple[str, ...]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for name, value in map(_pair, labels):
        if name in pairs:
            raise click.UsageError(f"--label: {name} is given twice; declare a silence for each")
        pairs[name] = value
    return pairs


def _pair(text_: str) -> tuple[str, str]:
    name, sign, value = text_.partition("=")
    if not (name and sign and value):
        raise click.UsageError(f"--label {text_}: write NAME=VALUE, such as service=mes or rule=stuck")
    return name, value


def _seconds(length: str) -> float:
    try:
        return parse_duration(length) / 1e9
    except ValueError as error:
        raise click.UsageError(f"--for: {error}") from error


def _hours(line: str) -> dict[str, str]:
    try:
        return split_hours(line)
    except ValueError as error:
        raise click.UsageError(f"--hours: {error}") from error


def _coverage(told: dict[str, Any]) -> RenderableType:
    warnings = [text(each, "yellow") for each in told["warnings"]]
    return Group(text(f"it covers {told['covers']}"), *warnings)


def _table(told: dict[str, Any]) -> RenderableType:
    if not told["items"]:
        return Text("no silence holds")
    table = grid("N", "COVERS", "FROM", "UNTIL", "ONLY", "BY", "WHY")
    for each in told["items"]:
        table.add_row(
            str(each["silence_id"]),
            text(", ".join(f"{name}={value}" for name, value in each["labels"].items())),
            clock(each["from_at"]), clock(each["until_at"]), text(each["hours"]),
            text(each["by"]), text(each["reason"]),
        )  # fmt: skip
    return table
