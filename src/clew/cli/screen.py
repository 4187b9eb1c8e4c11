"""What goes to the terminal: colours, bars, lengths of time, and nothing that a terminal would obey."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

import click
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from clew.api.times import SECOND_NS, parse_moment
from clew.journey.remarks import in_words, printable
from clew.model.lengths import how_brief, how_long

STYLES = {
    "lost": "bold magenta",
    "failed": "bold red",
    "stuck": "red",
    "in_jeopardy": "yellow",
    "on_hold": "cyan",
    "on_time": "green",
    "cancelled": "dim",
    "closed": "dim",
}
words, plain = in_words, printable
"""What every door says, by the short names that commands use."""

ROOMY = 120
"""Columns of a terminal from which on there is room for everything in one line."""

_EIGHTHS = " ▏▎▍▌▋▊▉"
_PIPE_WIDTH = 200


def on_terminal() -> bool:
    """Whether people read what this command prints, and not a file or a program."""
    return sys.stdout.isatty()


def console() -> Console:
    """The console of this command: in colour on a terminal only, and wide when its output is read by a program."""
    width = None if on_terminal() or "COLUMNS" in os.environ else _PIPE_WIDTH
    return Console(width=width, highlight=False, soft_wrap=False)


def show(renderable: RenderableType) -> None:
    """Print it, without the spaces that fill lines up."""
    screen = console()
    with screen.capture() as captured:
        screen.print(renderable, crop=False)
    click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))


@contextlib.contextmanager
def working(what: str) -> Iterator[None]:
    """Say on standard error what is being done while the block runs; nothing where that is no terminal."""
    if sys.stderr.isatty():
        with Console(stderr=True, highlight=False).status(Text(f"{what} …")):
            yield
    else:
        yield


def text(value: object, style: str = "") -> Text:
    """A text from telemetry, never read as markup."""
    return Text(plain(value), style=style)


def verdict_text(kind: str) -> Text:
    """A verdict in its colour."""
    return Text(words(kind), style=STYLES.get(kind, ""))


def grid(*headers: str) -> Table:
    """A table without lines."""
    table = Table(box=None, show_header=bool(headers), header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for header in headers:
        table.add_column(header, overflow="fold")
    return table


def rows(*fixed: bool) -> Table:
    """A table without lines and titles; a column for each argument, True for one that must not be broken."""
    table = grid()
    for keep in fixed:
        # Without a least width rich takes an empty column's one cell from its neighbours.
        table.add_column(no_wrap=keep, overflow="fold", min_width=1)
    return table


def clock(at: str | None, *, near: str = "") -> str:
    """A moment in local time: the time alone when it is of the same day as ``near``, else with the date."""
    if not at:
        return ""
    shown = _local(at)
    if near and _local(near).date() == shown.date():
        return f"{shown:%H:%M:%S}"
    return f"{shown:%Y-%m-%d %H:%M:%S}"


def _local(at: str) -> datetime:
    return datetime.fromtimestamp(nanoseconds(at) // SECOND_NS, UTC).astimezone()


def nanoseconds(at: str) -> int:
    """Unix nanoseconds of a moment as the API writes it."""
    return parse_moment(at, 0)


def long(seconds: float) -> str:
    """A length of time in words for people: ``2 h 10 min``."""
    return how_long(round(seconds * SECOND_NS))


def short(seconds: float) -> str:
    """A length of time of a program: ``340 µs``, ``12.3 ms``, ``1.24 s``, from a minute on in words."""
    return how_brief(round(seconds * SECOND_NS))


def bar(share: float, cells: int) -> str:
    """A bar that is full at 1, in eighths of a cell, padded to its length."""
    eighths = round(max(0.0, min(1.0, share)) * cells * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(cells)


def dwell_bar(used: float | None, warn_share: float, cells: int) -> Text:
    """The dwell against its limit: green, yellow from the warning on, red over the limit; dots without a limit."""
    if used is None:
        return Text("·" * cells, style="dim")
    style = "red" if used >= 1 else "yellow" if used >= warn_share else "green"
    return Text(bar(used, cells) + ("▶" if used > 1 else " "), style=style)


def waterfall(start: float, length: float, cells: int) -> str:
    """A bar at its place in a line of ``cells``; both numbers are shares of the whole, and no bar is invisible."""
    begin = min(cells - 1, int(start * cells))
    width = max(1, min(cells - begin, round(length * cells)))
    return " " * begin + "━" * width


def counted(number: int, what: str) -> str:
    """``1 span``, ``2,000 spans``."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def joined(parts: Iterable[str], between: str = "   ") -> str:
    """The parts that say something."""
    return between.join(part for part in parts if part)
