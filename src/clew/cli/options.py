"""Options that several commands share."""

from __future__ import annotations

import getpass
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from clew.cli import screen
from clew.cli.client import DEFAULT_URL
from clew.model.journey import VerdictKind

# Those below U+0020 JSON escapes itself.
_CONTROLS = re.compile(r"[\x7f-\x9f]")

Command = TypeVar("Command", bound=Callable[..., Any])


def server(command: Command) -> Command:
    """``--url``: the server to ask."""
    return click.option("--url", envvar="CLEW_URL", default=DEFAULT_URL, show_default=True, help="The server to ask.")(
        command
    )


def whom(command: Command, data: str = "Read this idle data directory instead of asking a server.") -> Command:
    """``--url`` and ``--data``: whom to ask; ``data`` is the help of the latter."""
    for option in (
        click.option(
            "--data",
            type=click.Path(path_type=Path, file_okay=False),
            metavar="DIR",
            help=data,
        ),
        server,
    ):
        command = option(command)
    return command


def asks(command: Command) -> Command:
    """``--url``, ``--data`` and ``--json``: whom to ask, and how to print the answer."""
    return whom(_as_json(command))


def changes(command: Command) -> Command:
    """The same for a command that writes."""
    return whom(_as_json(command), "Work on this data directory without a server.")


def _as_json(command: Command) -> Command:
    return click.option("--json", "as_json", is_flag=True, help="Print the API's JSON.")(command)


def pages(command: Command) -> Command:
    """``--limit`` and ``--after``."""
    for option in (
        click.option("--after", default="", metavar="CURSOR", help="Go on after this page."),
        click.option("-n", "--limit", type=click.IntRange(1, 500), default=50, show_default=True, help="Lines a page."),
    ):
        command = option(command)
    return command


def who(by: str) -> str:
    """Who does this: ``by`` if it is given, else the user who runs the command. Raises UsageError where the user has
    no name, as in a container that runs as a bare number."""
    try:
        return by or getpass.getuser()
    except (KeyError, OSError, ImportError) as error:
        raise click.UsageError("the user who runs this command has no name here: give one with --by") from error


def order_filters(too: str = "") -> Callable[[Command], Command]:
    """``--verdict`` to ``--prefix``: which orders. ``too`` is added to the help of what finds ended ones as well."""

    def decorate(command: Command) -> Command:
        plain = {
            "--stage": "Only orders in this stage.",
            "--path": "Only orders of this path.",
            "--flow": "Only orders of this flow.",
            "--deviation": "Only orders that left the flow so: skipped, or skipped:STAGE.",
            "--user": f"Orders of a user, in clear or as shown{too}.",
            "--alias": f"Orders that another system calls this{too}.",
            "--trace": f"Orders that this trace handled{too}.",
            "--prefix": f"Orders whose id begins like this{too}.",
        }
        for name, help_ in reversed(plain.items()):
            command = click.option(name, default="", help=help_)(command)
        kinds = click.Choice([kind.value for kind in VerdictKind])
        told = f"Only these: {', '.join(VerdictKind)}. May be repeated."
        verdict = click.option("--verdict", "verdicts", multiple=True, type=kinds, metavar="VERDICT", help=told)
        return verdict(command)

    return decorate


def print_json(answer: Any) -> None:  # noqa: ANN401 - JSON is what it is
    """An answer of the API as indented JSON; a terminal gets nothing in it that it would obey."""
    told = json.dumps(answer, indent=2, ensure_ascii=False)
    if screen.on_terminal():
        told = _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", told)
    click.echo(told)
