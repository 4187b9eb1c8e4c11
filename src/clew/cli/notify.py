"""``clew notify``: the channels of notify.yaml, and a test notice to one of them."""

from __future__ import annotations

import os
import time
from pathlib import Path

import click
from rich.table import Table
from rich.text import Text

from clew.cli.checks import read_settings
from clew.cli.client import CommandError
from clew.cli.options import print_json
from clew.cli.screen import counted, show, text
from clew.flow import format_problems
from clew.model.errors import ChannelBusy, ChannelError, FlowError, NotifyError
from clew.model.incident import Incident, IncidentState, Notice, NoticeKind
from clew.model.rule import Severity
from clew.notify.channels.contract import Channel
from clew.notify.channels.registry import Registry
from clew.notify.channels.survey import Surveyed, survey
from clew.notify.load import example_text, load_notify

_FILE = click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False), required=False)


@click.group()
def notify() -> None:
    """Whom Clew tells: the channels, and a test of each. Needs no server.

    Each command reads FILE, without one that which the settings name (CLEW_NOTIFY).
    """


@notify.command("list", epilog="Exit code 1 when a channel has mistakes.")
@_FILE
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def list_channels(file: Path | None, as_json: bool) -> None:
    """Each channel, where it leads, and what keeps it from working. Secrets are looked up, and never shown."""
    found = _surveyed(_file(file))
    if as_json:
        print_json([_told(each) for each in found])
    else:
        table = Table.grid(padding=(0, 2))
        for each in found:
            kind, told = (each.channel.kind, each.channel.told) if each.channel else ("", "")
            problem = "; ".join(f"{wrong.cause}; {wrong.mend}" for wrong in each.problems)
            table.add_row(text(each.name), text(kind), text(told) if told else Text.assemble(("bad ", "red"), problem))
        show(table)
    if any(each.channel is None for each in found):
        raise SystemExit(1)


@notify.command("check", epilog="Exit code 1 when the file has mistakes.")
@_FILE
def check_file(file: Path | None) -> None:
    """Read channels, policies and routes as the server does, and name every mistake with its line and mend."""
    path = _file(file)
    try:
        found = load_notify(path, Registry(os.environ, path.parent))
    except NotifyError as error:
        raise CommandError(f"{path} has mistakes:\n\n{format_problems(error.problems)}") from None
    policies = found.policies
    channels, ways = counted(len(found.channels), "channel"), len(policies.policies)
    click.echo(f"{path}: {channels}, {ways} {'policy' if ways == 1 else 'policies'}; every severity is told")
    for channel in found.channels.values():
        click.echo(f"  {channel.name}: {channel.told}")
    for route in policies.routes:
        which = [", ".join(route.severities), *(f"{name} {value}" for name, value in route.labels.items())]
        click.echo(f"  {'; '.join(filter(None, which)) or 'all others'} -> {route.policy}")


@notify.command("example")
def show_example() -> None:
    """Print a notify.yaml to copy: two channels, hours, three policies and their routes."""
    click.echo(example_text(), nl=False)


@notify.command("test", epilog="\b\nExamples:\n  clew notify test duty\n  clew notify test duty new.yaml")
@click.argument("channel")
@_FILE
def test_channel(channel: str, file: Path | None) -> None:
    """Send a test notice to CHANNEL, and say what its vendor answered, or what is wrong and how to mend it."""
    opened = _named(channel, _surveyed(_file(file)))
    _, settings = read_settings(os.environ)
    now_ns = time.time_ns()
    try:
        answered = opened.sender.send(trial(channel, settings.api_public_url if settings else "", now_ns), now_ns)
    except ChannelError as error:
        cause, _, mend = str(error).partition("; ")
        passing = "it may work later: look at the network and the vendor's status, then try again"
        again = passing if isinstance(error, ChannelBusy) else mend
        raise CommandError(f"the channel {channel} ({opened.told}) was not told: {cause}", mend or again) from error
    told = ", ".join(f"{name} {value}" for name, value in answered.items() if value)
    click.echo(f"sent to {opened.told}" + (f"; it answered {told}" if told else "; it took the notice"))


def trial(channel: str, public_url: str, now_ns: int) -> Notice:
    """A notice that says that it is a test."""
    about = Incident(
        id=0, key="test", rule="test", title=f"Test of the channel {channel}", severity=Severity.INFO,
        state=IncidentState.OPEN, labels={}, since_ns=now_ns, fired_ns=now_ns, opened_ns=now_ns,
    )  # fmt: skip
    return Notice(about, NoticeKind.TEST, now_ns, number=now_ns // 10**6, url=public_url)


def _file(given: Path | None) -> Path:
    if given is not None:
        return given
    told, settings = read_settings(os.environ)
    if settings is None:
        raise CommandError(told.told, told.mend)
    if settings.notify is None:
        raise CommandError(
            "no file says whom to tell",
            "set notify (CLEW_NOTIFY) to your notify.yaml, or give the file; see docs/tell-people.md",
        )
    return settings.notify


def _surveyed(path: Path) -> list[Surveyed]:
    try:
        return survey(path, Registry(os.environ, path.parent))
    except FlowError as error:
        # Without the lines themselves: somebody may have written a secret into one.
        raise CommandError(f"{path} can't be read:\n\n{format_problems(error.problems)}") from None


def _named(name: str, found: list[Surveyed]) -> Channel:
    each = next((each for each in found if each.name == name), None)
    if each is None:
        known = ", ".join(each.name for each in found) or "none"
        raise CommandError(f"there is no channel {name!r}", f"the file has: {known}", exit_code=3)
    if each.channel is None:
        raise CommandError(f"the channel {name} has mistakes:\n\n{format_problems(each.problems)}")
    return each.channel


def _told(each: Surveyed) -> dict[str, object]:
    return {
        "name": each.name,
        "kind": each.channel.kind if each.channel else None,
        "told": each.channel.told if each.channel else None,
        "problems": [{"line": wrong.line, "cause": wrong.cause, "mend": wrong.mend} for wrong in each.problems],
    }
