"""``clew import``: history in. The file is checked whole first, then sent."""

from __future__ import annotations

import contextlib
import csv
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.progress import Progress

from clew.cli import screen
from clew.cli.client import WRONG_CALL, Client, CommandError, open_client
from clew.cli.import_report import flow_followed, render_report, report_of
from clew.cli.import_undo import list_imports, take_back
from clew.cli.options import changes, print_json
from clew.cli.progress import patiently, progress_bars, rebuild_journeys
from clew.cli.screen import console, show
from clew.history.columns import COMMON
from clew.history.recognise import Recogniser
from clew.history.rows import BadLine, HistoryError, Source
from clew.history.sources import FORMATS, How, open_source
from clew.history.survey import Survey, check
from clew.history.transfer import BYTES_A_BODY, BYTES_BESIDE_THE_ENGINE, send
from clew.history.understand import Understood, Wishes, understand
from clew.history.zones import Repeated

_EPILOG = """\b
Examples:
  clew import orders.csv --dry-run                      what would be understood; sends nothing
  clew import orders.csv --zone Europe/Berlin           times that name no zone
  clew import log.csv --order Case --stage Status --time Changed --time-format "%d/%m/%Y %H:%M"
  clew import hospital.xes.gz --flow treatments         history of a flow that isn't declared yet
  clew import erp.sqlite --object-type order            OCEL 2.0: what plays the order
  clew import --sql postgresql://clew@db/shop --query "SELECT order_id, status, changed_at FROM log"
  clew import --list                                    what was imported, with the id of each import
  clew import --undo 1763799362000000000                take one back: its events, and orders of it alone

\b
The whole file is checked before anything is sent. A line that can't be read is told with its number and
reason, and then nothing is sent, unless --max-errors allows so many. The same import again doubles nothing.
"""


@dataclass(frozen=True, slots=True)
class _Size:
    """How much is stored and rebuilt at once (0 orders: as the server likes)."""

    bytes_a_body: int
    orders_a_slice: int


_TO_A_SERVER = _Size(BYTES_A_BODY, 0)
_BESIDE_THE_ENGINE = _Size(BYTES_BESIDE_THE_ENGINE, 1_000)
"""One process then holds what is read, the engine and the orders: less of each at once, so that it stays small."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is imported, and how it is to be read."""

    file: Path | None
    sql: str
    query: str
    bound: tuple[str, ...]
    how: How
    wishes: Wishes

    @property
    def name(self) -> str:
        """What the import is called."""
        return self.file.name if self.file else "SQL query"

    def open(self) -> Source:
        """The source. Raises HistoryError when it can't be read."""
        if self.file:
            return open_source(self.file, self.how)
        from clew.history.sql import open_sql

        return open_sql(self.sql, self.query, _pairs(self.bound))


def _roles(command: Callable[..., Any]) -> Callable[..., Any]:
    """An option for each role that a column may have."""
    told = {
        "order": "Column of the order's id.",
        "stage": "Column of the stage that was entered.",
        "time": "Column of the time when it was.",
        "path": "Column of the entry path, such as b2c.",
        "service": "Column of the service.",
        "user": "Column of the user's id; masked like any other.",
        "actor": "Column of who did it.",
        "due": "Column of the date owed to the customer.",
    }
    for role in reversed(list(COMMON)):
        command = click.option(f"--{role}", f"column_{role}", metavar="COLUMN", help=told[role])(command)
    return command


@click.command("import", epilog=_EPILOG)
@click.argument("file", required=False, type=click.Path(path_type=Path, exists=True, dir_okay=False, allow_dash=False))
@_roles
@click.option(
    "--flow", default="", help="The flow these orders follow; needn't be declared.  [default: what fits best]"
)
@click.option("--format", "form", type=click.Choice(FORMATS), help="What the file is.  [default: what it looks like]")
@click.option("--time-format", default="", metavar="FORMAT", help='Such as "%d/%m/%Y %H:%M", or iso, unix-s, unix-ms.')
@click.option("--zone", default="", help="Zone of times that name none: Europe/Berlin, UTC, +02:00.")
@click.option(
    "--repeated-hour",
    type=click.Choice(["first", "second"]),
    default=None,
    help="Which one a time is that came twice, when the clock was put back.",
)
@click.option("--delimiter", default="", metavar="CHAR", help="What divides the fields of a CSV file.")
@click.option("--encoding", default="", help="Encoding of a CSV file, such as cp1252.  [default: UTF-8]")
@click.option("--object-type", default="", metavar="TYPE", help="OCEL: the type of object that plays the order.")
@click.option("--sql", default="", envvar="CLEW_IMPORT_SQL", metavar="URL", help="Read a database, not a file.")
@click.option("--query", default="", help="With --sql: the SELECT that gives the rows.")
@click.option("--bind", "bound", multiple=True, metavar="NAME=VALUE", help="With --query: a value for :NAME in it.")
@click.option("--dry-run", is_flag=True, help="Check the whole file and show what was understood; send nothing.")
@click.option(
    "--max-errors", type=click.IntRange(0), default=0, show_default=True, help="Leave out so many bad lines at most."
)
@click.option(
    "--bad-lines",
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    metavar="FILE",
    help="Write number and reason of every bad line to this CSV file.",
)
@click.option("--list", "listed", is_flag=True, help="List the imports.")
@click.option("--undo", type=click.IntRange(1, (1 << 62) - 1), metavar="ID", help="Take an import back.")
@click.option("--yes", is_flag=True, help="With --undo: don't ask whether it is meant.")
@changes
def import_(
    file: Path | None, flow: str, form: str | None, time_format: str, zone: str, repeated_hour: Repeated | None,
    delimiter: str, encoding: str, object_type: str, sql: str, query: str, bound: tuple[str, ...], dry_run: bool,
    max_errors: int, bad_lines: Path | None, listed: bool, undo: int | None, yes: bool, url: str, data: Path | None,
    as_json: bool, **columns: str | None,
) -> None:  # fmt: skip
    """Take in history: stage events from a FILE or a SQL query.

    CSV, TSV, JSON Lines, Parquet, XES, OCEL 2.0 and CloudEvents are read, texts also packed by gzip. Columns are known
    by common names unless they are named; an option with "" says that there is none. Other columns are kept as
    attributes. Imported orders have no clock: they are never stuck, and alert nobody.
    """
    if listed or undo:
        _expect_alone()
        with open_client(url, data) as client:
            if listed:
                list_imports(client, as_json)
            else:
                take_back(client, str(undo), yes, as_json)
        return
    file, sql = _one_of(file, sql, query)
    wishes = Wishes(
        {name.removeprefix("column_"): value for name, value in columns.items()}, time_format, zone, repeated_hour or ""
    )
    asked = Asked(file, sql, query, bound, How(form or "", delimiter, encoding, object_type), wishes)
    if not (dry_run or data):
        _expect_server(url)
    try:
        with contextlib.closing(asked.open()) as source, progress_bars() as bars:
            understood = understand(source, wishes)
            recogniser = understood.recogniser
            survey = _check(source, understood, bars, bad_lines)
            report = report_of(asked.name, source, recogniser, survey)
            if dry_run or survey.bad > max_errors:
                done = report | {"dry_run": dry_run, "sent": False}
            else:
                with open_client(url, data, make=True) as client:
                    size = _BESIDE_THE_ENGINE if data else _TO_A_SERVER
                    done = report | _send(client, source, recogniser, bars, survey, asked.name, flow, size)
    except HistoryError as error:
        raise CommandError(str(error), error.mend, WRONG_CALL if error.of_call else 1) from error
    if as_json:
        print_json(done)
    else:
        show(render_report(done, console().width))
    if survey.bad > max_errors:
        raise _refused(survey, source.unit, max_errors, dry_run)


def _expect_server(url: str) -> None:
    """Raises CommandError when nobody is there to send to, before a large file is checked for nothing."""
    with open_client(url, None) as client:
        client.ready()


def _expect_alone() -> None:
    """Raises UsageError when --list or --undo stand beside what belongs to an import, or beside each other."""
    context = click.get_current_context()
    given = {
        name for name in context.params
        if context.get_parameter_source(name) == click.core.ParameterSource.COMMANDLINE
    }  # fmt: skip
    if len(given & {"listed", "undo"}) > 1 or given - {"listed", "undo", "yes", "url", "data", "as_json"}:
        raise click.UsageError("--list and --undo stand alone; each works on what was imported before")


def _one_of(file: Path | None, sql: str, query: str) -> tuple[Path | None, str]:
    """A file or a database. Raises UsageError when it is neither or both."""
    named = click.get_current_context().get_parameter_source("sql") == click.core.ParameterSource.COMMANDLINE
    if file is not None and (query or named):
        raise click.UsageError("--query reads a database; give either a FILE, or --sql and --query")
    if file is None and not (sql and query):
        raise click.UsageError("give a FILE, or --sql URL and --query SELECT")
    return file, "" if file else sql


def _pairs(bound: tuple[str, ...]) -> Mapping[str, str]:
    pairs = dict(each.partition("=")[::2] for each in bound)
    if any("=" not in each for each in bound):
        raise click.UsageError("--bind takes NAME=VALUE")
    return pairs


def _refused(survey: Survey, unit: str, max_errors: int, dry_run: bool) -> CommandError:
    bad = screen.counted(survey.bad, f"bad {unit}")
    allowed = f", {max_errors} allowed" if max_errors else ""
    return CommandError(
        f"{bad}{allowed}: {'nothing would be sent' if dry_run else 'nothing was sent'}",
        f"mend the {unit}s, or leave them out with --max-errors {survey.bad}",
    )


def _check(source: Source, understood: Understood, bars: Progress, bad_lines: Path | None) -> Survey:
    task = bars.add_task("checking", total=None)

    def step() -> None:
        bars.update(task, completed=source.progress.done, total=source.progress.total or None)

    with _written(bad_lines, source.unit) as rejected:
        return check(understood.batches, understood.recogniser, step, rejected)


@contextlib.contextmanager
def _written(path: Path | None, unit: str) -> Iterator[Callable[[BadLine], None]]:
    """Writes bad lines to a file, or nowhere."""
    if path is None:
        yield lambda _: None
        return
    try:
        file = path.open("w", newline="", encoding="utf-8")
    except OSError as error:
        raise CommandError(f"--bad-lines {path} can't be written: {error.strerror}", "name another file") from error
    with file:
        writer = csv.writer(file)
        writer.writerow([unit, "reason"])
        yield lambda bad: writer.writerow([bad.line, bad.reason])


def _send(
    client: Client,
    source: Source,
    recogniser: Recogniser,
    bars: Progress,
    survey: Survey,
    name: str,
    flow: str,
    size: _Size,
) -> dict[str, Any]:
    """Send everything and have the journeys rebuilt."""
    followed = flow_followed(client.get("flows"), set(survey.stages), flow)
    begun = client.post("imports", json.dumps({"flow": flow, "name": name}))
    place = f"imports/{begun['import_id']}"
    task = bars.add_task("sending", total=survey.events)

    def post(lines: bytes) -> None:
        patiently(lambda: client.post(f"{place}/events", lines))

    sent = send(source, recogniser, post, lambda events: bars.update(task, completed=events), size.bytes_a_body)
    if sent != survey.events:
        told = f"{name} changed while it was read: {survey.events} events were checked, {sent} sent"
        raise CommandError(told, "import it again when nobody writes to it; what is there already isn't doubled")
    rebuilt = rebuild_journeys(client, begun["import_id"], bars, size.orders_a_slice)
    return {
        "dry_run": False, "sent": True, "import_id": begun["import_id"], "orders": rebuilt["rebuilt"],
        "distinct": rebuilt["distinct"], "repeats": max(0, sent - rebuilt["distinct"]),
        "flow": followed,
    }  # fmt: skip
