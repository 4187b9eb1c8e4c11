"""``clew export``: orders, stage events and spans as files of any size."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Any

import click

from clew.cli import screen
from clew.cli.client import WRONG_CALL, CommandError, Params, open_client
from clew.cli.files import ProgressLine, Rows, Writable, standard_output, whole_file
from clew.cli.find import span_filters
from clew.cli.options import Command, order_filters, whom
from clew.store.contract import Format

_SUFFIXES = {
    ".csv": Format.CSV, ".jsonl": Format.JSON_LINES, ".ndjson": Format.JSON_LINES, ".parquet": Format.PARQUET,
}  # fmt: skip

_EPILOG = """\b
Examples:
  clew export orders -o orders.csv                     every order, one row each
  clew export orders --verdict stuck --from 30d        CSV on standard output
  clew export events -o events.parquet                 every entry into a stage
  clew export events --order 4711 --format jsonl       those of one order
  clew export spans --service mes-api --since 7d -o spans.jsonl

\b
A file has its name only once it is whole; until then it is FILE.part.
What the columns mean: docs/export.md. `clew import events.csv` reads stage events again.
"""


@click.group(epilog=_EPILOG)
def export() -> None:
    """Orders, stage events or spans as a file: CSV, JSON Lines or Parquet."""


def _into(command: Command) -> Command:
    for option in (
        click.option("--output", "-o", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
                     help="The file to write; without it, standard output."),
        click.option("--format", "format_", type=click.Choice([each.value for each in Format]), metavar="FORMAT",
                     help=f"{', '.join(Format)}.  [default: as FILE is named, else csv]"),
    ):  # fmt: skip
        command = option(command)
    return whom(command)


def _in_time(command: Command) -> Command:
    to = click.option("--to", default="", metavar="MOMENT", help="Before this moment.")
    from_ = click.option("--from", "from_", default="", metavar="MOMENT", help="Not before: 30d, or 2026-11-01.")
    return from_(to(command))


@export.command(epilog=_EPILOG)
@order_filters()
@click.option("--open/--all", "open_only", default=False, help="Leave out ended orders, or not.  [default: all]")
@_in_time
@_into
def orders(
    verdicts: tuple[str, ...], open_only: bool, from_: str, output: Path | None, format_: str | None, url: str,
    data: Path | None, **fields: str,
) -> None:  # fmt: skip
    """One row an order, by order id. --from and --to are about its first stage."""
    params: Params = {**fields, "verdict": verdicts, "open": open_only, "from": from_}
    _write("orders", params, output, format_, url, data)


@export.command(epilog=_EPILOG)
@click.option("--order", default="", help="Only of this order, by any of its ids.")
@click.option("--flow", default="", help="Only of orders of this flow.")
@click.option("--stage", default="", help="Only entries into this stage.")
@click.option("--path", default="", help="Only of orders of this path.")
@_in_time
@_into
def events(from_: str, output: Path | None, format_: str | None, url: str, data: Path | None, **fields: str) -> None:
    """One row for every entry into a stage, by order id and then as its journey goes."""
    _write("events", {**fields, "from": from_}, output, format_, url, data)


@export.command(epilog=_EPILOG)
@span_filters
@_into
def spans(
    attributes: tuple[str, ...], output: Path | None, format_: str | None, url: str, data: Path | None,
    **fields: Any,  # noqa: ANN401 - the filters of `clew find`
) -> None:  # fmt: skip
    """One row a span. The filters are those of `clew find`: without --since or --trace, the last 24 hours."""
    _write("spans", {**fields, "attribute": attributes}, output, format_, url, data)


def _write(what: str, params: Params, output: Path | None, format_: str | None, url: str, data: Path | None) -> None:
    chosen = format_of(output, format_)
    if chosen is Format.PARQUET and output is None and screen.on_terminal():
        raise click.UsageError("Parquet is nothing for a terminal; name a file with --output")
    # Where the file itself goes to the terminal, a line in between would spoil it.
    progress = ProgressLine(Rows(chosen), sys.stderr.isatty() and (output is not None or not screen.on_terminal()))
    with open_client(url, data) as client:
        try:
            with (
                client.download(f"export/{what}", {**params, "format": chosen.value}) as pieces,
                _place(output) as file,
            ):
                for piece in pieces:
                    file.write(piece)
                    progress.add(piece)
        finally:
            progress.clear()
    if progress.shown:
        click.echo(f"{output or what}: {progress.text()}", err=True)


def format_of(output: Path | None, asked: str | None) -> Format:
    """What is asked for, else what the file's name says, else CSV. Raises CommandError."""
    if asked:
        return Format(asked)
    if output is None:
        return Format.CSV
    if output.suffix.lower() not in _SUFFIXES:
        mend = f"give --format, or end the name in {', '.join(_SUFFIXES)}"
        raise CommandError(f"the name of {output} doesn't say which format it has", mend, WRONG_CALL)
    return _SUFFIXES[output.suffix.lower()]


def _place(output: Path | None) -> contextlib.AbstractContextManager[Writable]:
    return whole_file(output) if output else standard_output()
