"""``clew``: the group of commands, and how they end."""

from __future__ import annotations

import click

from clew import __version__
from clew.cli.demo import demo
from clew.cli.doctor import doctor
from clew.cli.export import export
from clew.cli.find import find
from clew.cli.flow import flow
from clew.cli.import_ import import_
from clew.cli.incidents import incident, incidents
from clew.cli.learn import replay
from clew.cli.notify import notify
from clew.cli.order import order
from clew.cli.orders import orders
from clew.cli.reactions import reactions
from clew.cli.reload import reload
from clew.cli.report import report
from clew.cli.rules import rules
from clew.cli.serve import serve
from clew.cli.services import services
from clew.cli.silences import silence
from clew.cli.trace import trace

_EPILOG = """\b
Exit codes:
  0  done
  1  it didn't work: no server, wrong settings, a mistake in a file
  2  the command line itself is wrong, a value of an option too
  3  there is no such order, trace, flow, incident, silence or channel

\b
Environment:
  CLEW_URL     the server to ask (default http://127.0.0.1:4380)
  CLEW_CONFIG  the settings file of `clew serve`
  CLEW_*       every setting, see docs/settings.md
  NO_COLOR     print without colours
"""


@click.group(epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="clew")
def main() -> None:
    """Where is this order, since when, is it stuck or lost, and why.

    \b
    clew serve            receive telemetry and answer questions
    clew orders           all open orders, worst first
    clew order 4711       one order's journey
    clew incidents        what waits for somebody
    clew doctor           check the set-up, and say what to mend
    """


COMMANDS = (
    *(serve, demo, orders, order, incidents, incident, silence, rules, reactions),
    *(trace, find, services, flow, report, replay, import_, export, notify, reload, doctor),
)
for command in COMMANDS:
    main.add_command(command)
