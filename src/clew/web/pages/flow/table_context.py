"""The table below a picture: the one that CSV has, written for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clew.api.report_tables import TABLES, Column, Kind, Report, change_of, compared_rows
from clew.web import words

_NUMBERS = (Kind.COUNT, Kind.SHARE, Kind.TIME)
MOST_ROWS = 200


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a column: its ``text``, and whether the column holds a ``number``."""

    text: str
    number: bool


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell: its ``text``, whether it is a ``number``, where it leads (``href``, empty: nowhere), and the stages of a
    way as ``chips``."""

    text: str
    number: bool
    href: str = ""
    chips: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """A table with its ``caption``, ``head`` and ``rows``; the first ``keys`` cells of a row name it. ``left_out``
    counts the rows for which there was no room here."""

    caption: str
    head: tuple[Head, ...]
    rows: tuple[tuple[Cell, ...], ...]
    keys: int
    left_out: int


Hrefs = Mapping[str, Callable[[Mapping[str, Any]], str]]


def table_of(name: str, report: Report, caption: str, hrefs: Hrefs | None = None) -> Table:
    """The table of a report, with the values of another one beside its own where it is compared.

    ``hrefs`` makes the address of a cell out of its row, by the column's name.
    """
    if report.get("against"):
        return _compared(name, report, caption, hrefs or {})
    table = TABLES[name](report)
    heads = tuple(Head(_title(column), column.kind in _NUMBERS) for column in table.columns)
    names = [column.name for column in table.columns]
    rows = tuple(
        tuple(
            _cell(column, value, dict(zip(names, row, strict=True)), hrefs or {})
            for column, value in zip(table.columns, row, strict=True)
        )
        for row in table.rows[:MOST_ROWS]
    )
    return Table(caption, heads, rows, table.keys, max(0, len(table.rows) - MOST_ROWS))


def _compared(name: str, report: Report, caption: str, hrefs: Hrefs) -> Table:
    table, rows = compared_rows(name, report)
    values = range(table.keys, len(table.columns))
    shown = [i for i in values if table.columns[i].compared] or list(values)
    heads = [Head(_title(column), False) for column in table.columns[: table.keys]]
    for i in shown:
        heads += [Head(_title(table.columns[i]), True), Head("against", True), Head("change", True)]
    offset = len(table.columns) - table.keys
    names = [column.name for column in table.columns[: table.keys]]
    lines = []
    for row in rows[:MOST_ROWS]:
        known = dict(zip(names, row, strict=False))
        cells = [_cell(table.columns[i], row[i], known, hrefs) for i in range(table.keys)]
        for i in shown:
            kind = table.columns[i].kind
            change = change_of(kind, row[i], row[i + offset]) if kind in _NUMBERS else ""
            cells += [_plain(kind, row[i]), _plain(kind, row[i + offset]), Cell(change, True)]
        lines.append(tuple(cells))
    return Table(caption, tuple(heads), tuple(lines), table.keys, max(0, len(rows) - MOST_ROWS))


def _title(column: Column) -> str:
    return column.title.capitalize()


def _cell(column: Column, value: Any, row: Mapping[str, Any], hrefs: Hrefs) -> Cell:  # noqa: ANN401 - what a cell holds
    plain = _plain(column.kind, value)
    href = hrefs[column.name](row) if column.name in hrefs else ""
    return Cell(plain.text, plain.number, href, plain.chips) if href else plain


def _plain(kind: Kind, value: Any) -> Cell:  # noqa: ANN401 - what a cell holds
    if kind is Kind.STAGES:
        return Cell("", False, chips=tuple(value))
    return Cell(written(kind, value), kind in _NUMBERS)


def written(kind: Kind, value: Any) -> str:  # noqa: ANN401 - what a cell holds
    """A value in words for people; what can't be told is a dash."""
    if value is None:
        return "-"
    match kind:
        case Kind.COUNT:
            return f"{value:,}"
        case Kind.SHARE:
            return words.share(value)
        case Kind.TIME:
            return words.spell(round(value * 1e9))
        case Kind.WORDS:
            return words.verdict(str(value))
        case _:
            return str(value)


def rows_of(caption: str, heads: Sequence[tuple[str, bool]], rows: Sequence[Sequence[str]], keys: int = 1) -> Table:
    """A table of texts; each head says whether its column holds numbers."""
    cells = tuple(
        tuple(Cell(text, number) for text, (_, number) in zip(row, heads, strict=True)) for row in rows[:MOST_ROWS]
    )
    return Table(caption, tuple(Head(*each) for each in heads), cells, keys, max(0, len(rows) - MOST_ROWS))
