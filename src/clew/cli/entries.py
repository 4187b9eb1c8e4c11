"""Lists that are a table where it fits, and otherwise some lines an entry: nothing is squeezed, no word is broken."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from clew.cli.screen import clock, grid, rows

_ENDLESS = 100_000


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of a list: its cells in a table, and where that doesn't fit its lines, each of pieces.

    ``at`` stands before both, for example a time of day.
    """

    at: str
    cells: Sequence[Text]
    lines: Sequence[Sequence[Text]]


def timed(entries: Iterable[Entry], now: str) -> list[Entry]:
    """The entries, whose ``at`` is a moment as the API writes it or empty, with times of day for people.

    A date stands where the entry above is of another day, in the first entry where it isn't that of ``now``.
    """
    done, near = [], now
    for entry in entries:
        done.append(replace(entry, at=clock(entry.at, near=near)))
        near = entry.at or near
    return done


def listed(entries: Sequence[Entry], width: int, headers: Sequence[str] = ()) -> RenderableType:
    """The entries in ``width`` columns of the terminal."""
    stamped = any(entry.at for entry in entries)
    lines = [(*([Text(entry.at)] if stamped else []), *entry.cells) for entry in entries]
    table = grid(*headers) if headers else rows(*[True] * max(map(len, lines)))
    for line in lines:
        table.add_row(*line)
    return table if _width_of(table) <= width else _in_lines(entries, width)


def _width_of(table: Table) -> int:
    return Console(width=_ENDLESS).measure(table).maximum


def _in_lines(entries: Sequence[Entry], width: int) -> RenderableType:
    margin = max(len(entry.at) for entry in entries)
    if not margin:
        return Group(*(_body(entry, width) for entry in entries))
    table = rows(True, False)
    for entry in entries:
        table.add_row(entry.at, _body(entry, width - margin - 2))
    return table


def _body(entry: Entry, width: int) -> RenderableType:
    first, *others = [line for line in entry.lines if any(line)] or [[]]
    below = [Padding(packed(line, width - 2), (0, 0, 0, 2)) for line in others]
    return Group(packed(first, width), *below)


def packed(pieces: Iterable[Text], width: int) -> Text:
    """The pieces that say something, as many a line as fit; a piece is broken only when it is too long for a line."""
    done = Text()
    used = 0
    for piece in pieces:
        length = piece.cell_len
        if not length:
            continue
        if used and used + 2 + length <= width:
            done += Text("  ")
            used += 2 + length
        else:
            done += Text("\n" if used else "")
            used = length
        done += piece
    return done


def unbroken(told: str, style: str = "") -> Text:
    """A line that is never broken nor cut, so that it can be copied; not for a place inside a table."""
    return Text(told, style=style, no_wrap=True, overflow="ignore")
