"""``clew reload``: a running server reads again what is declared in files."""

from __future__ import annotations

import click

from clew.cli.client import open_client
from clew.cli.options import print_json, server

_EPILOG = """\b
Examples:
  clew reload                read rules, channels, reactions and flows again
  kill -HUP PID              the same; what changed stands in the server's log

The settings themselves (clew.yaml, CLEW_*) are read at the start only.
"""


@click.command(epilog=_EPILOG)
@server
@click.option("--json", "as_json", is_flag=True, help="Print the API's JSON.")
def reload(url: str, as_json: bool) -> None:
    """Have the server read its files again: flows, rules, channels and policies, automated actions, their secrets.

    When a file is wrong nothing changes. Incidents go on; those of a rule that is gone are resolved.
    """
    with open_client(url, None) as client:
        told = client.post("reload", "")
    if as_json:
        print_json(told)
        return
    for line in told["changes"] or ["nothing changed"]:
        click.echo(line)
