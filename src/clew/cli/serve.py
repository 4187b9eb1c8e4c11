"""``clew serve``: receive telemetry and answer questions."""

from __future__ import annotations

import os
from pathlib import Path

import click

from clew.cli.client import CommandError
from clew.cli.flow import load_named
from clew.model.errors import ClewError

_EPILOG = """\b
Examples:
  clew serve                          all defaults, data in ./clew-data
  clew serve --data /var/lib/clew --flow flow.yaml
  clew serve --config clew.yaml       see docs/settings.md

SIGTERM or Ctrl-C: what was received is finished, then it stops.
"""


@click.command(epilog=_EPILOG)
@click.option(
    "--config", envvar="CLEW_CONFIG", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="The settings file; none is needed.",
)  # fmt: skip
@click.option("--data", default="", metavar="DIR", help="Where data is kept.  [default: ./clew-data]")
@click.option("--flow", "flows", multiple=True, metavar="FILE", help="A flow to judge by. May be repeated.")
@click.option("--otlp-http", default="", metavar="HOST:PORT", help="OTLP over HTTP.  [default: 127.0.0.1:4318]")
@click.option("--otlp-grpc", default="", metavar="HOST:PORT", help="OTLP over gRPC.  [default: 127.0.0.1:4317]")
@click.option("--listen", default="", metavar="HOST:PORT", help="Pages and API.  [default: 127.0.0.1:4380]")
@click.option("--log-level", default="", metavar="LEVEL", help="debug, info, warning or error.  [default: info]")
def serve(
    config: Path | None, data: str, flows: tuple[str, ...], otlp_http: str, otlp_grpc: str, listen: str, log_level: str
) -> None:
    """Receive OpenTelemetry, keep it, and answer where each order is.

    The command line outranks CLEW_* variables, and these outrank the settings file.
    """
    from clew.app import run
    from clew.settings import load_settings

    given = {
        "data": data, "flow": ",".join(flows), "otlp.http": otlp_http, "otlp.grpc": otlp_grpc, "api.listen": listen,
        "log.level": log_level,
    }  # fmt: skip
    try:
        settings = load_settings(config, os.environ, {key: value for key, value in given.items() if value})
        for path in filter(Path.exists, map(Path, settings.flow)):
            load_named(path)
        run(settings, click.echo)
    except ClewError as error:
        raise CommandError(str(error)) from error
