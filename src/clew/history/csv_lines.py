"""CSV and TSV: a header, then a row a line; fields in quotes may hold the divider and line ends."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from clew.history.files import beginning, encoding_of, opened
from clew.history.rows import BATCH_ROWS, BadLine, BaseSource, Batch, HistoryError

_DIVIDERS = ",;\t|"
_LINE_END = re.compile(r"\r\n|\r|\n")
_AT_THE_END = "unexpected end of data"
LONGEST_FIELD = 131_072
"""Characters of a field; a quote that is never closed would take the rest of the file for one."""


@dataclass(slots=True)
class CsvSource(BaseSource):
    """A CSV file."""

    path: Path = Path()
    delimiter: str = ","
    encoding: str = "utf-8-sig"

    def batches(self) -> Iterator[Batch]:
        """The rows in their order. Raises HistoryError when there is no header."""
        with opened(self.path, self.progress) as file:
            text = io.TextIOWrapper(file, self.encoding, errors="surrogateescape", newline="")
            try:
                yield from self._of(text)
            except UnicodeError as error:
                raise HistoryError(f"{self.path.name} isn't in {self.encoding}: {error}", "give --encoding") from error

    def _of(self, text: Iterator[str]) -> Iterator[Batch]:
        csv.field_size_limit(LONGEST_FIELD)
        reader = csv.reader(text, delimiter=self.delimiter, strict=True)
        header = self._header(reader)
        while True:
            rows: list[list[str]] = []
            bad: list[BadLine] = []
            first = reader.line_num + 1
            try:
                # A list that is extended keeps what it got before the iterator failed.
                rows.extend(islice(reader, BATCH_ROWS))
            except csv.Error as error:
                broken = first + sum(map(_height, rows))
                bad = [BadLine(broken, _told(error, reader.line_num - broken + 1))]
            if not rows and not bad:
                return
            yield self._batch(header, rows, _numbers(rows, first, reader.line_num, bool(bad)), bad)

    def _header(self, reader: Iterator[list[str]]) -> list[str]:
        try:
            header = next((row for row in reader if row), [])
        except csv.Error as error:
            raise HistoryError(f"the header of {self.path.name} can't be read: {error}", "check the file") from error
        if not all(map(_is_utf8, header)):
            raise HistoryError(
                f"the header of {self.path.name} isn't in {self._encoding_told()}", "give --encoding, such as cp1252"
            )
        names = [name.strip() or f"column {place}" for place, name in enumerate(header, 1)]
        twice = {name for name in names if names.count(name) > 1}
        if not names or twice:
            raise HistoryError(
                f"{self.path.name} has no header that names each column once: {', '.join(names)[:200] or 'nothing'}",
                "write the columns' names in its first line; say --encoding or --delimiter when they look wrong",
            )
        return names

    def _encoding_told(self) -> str:
        return self.encoding.removesuffix("-sig")

    def _batch(self, header: list[str], rows: list[list[str]], lines: Sequence[int], bad: list[BadLine]) -> Batch:
        if set(map(len, rows)) != {len(header)}:
            wrong = [(line, row) for line, row in zip(lines, rows, strict=True) if row and len(row) != len(header)]
            bad += [BadLine(line, f"{len(row)} fields where the header has {len(header)}") for line, row in wrong]
            right = [(line, row) for line, row in zip(lines, rows, strict=True) if len(row) == len(header)]
            lines, rows = [line for line, _ in right], [row for _, row in right]
        columns = list(zip(*rows, strict=True)) or [()] * len(header)
        if not all(_is_utf8("".join(column)) for column in columns):
            sound = [all(map(_is_utf8, row)) for row in rows]
            told = f"it isn't in {self._encoding_told()}: give --encoding"
            bad += [BadLine(line, told) for line, fit in zip(lines, sound, strict=True) if not fit]
            lines = [line for line, fit in zip(lines, sound, strict=True) if fit]
            columns = list(zip(*(row for row, fit in zip(rows, sound, strict=True) if fit), strict=True))
            columns = columns or [()] * len(header)
        return Batch(lines, dict(zip(header, columns, strict=True)), bad)


def open_csv(path: Path, form: str, delimiter: str, encoding: str) -> CsvSource:
    """A CSV file with its divider and encoding found. Raises HistoryError when they can't be."""
    start = beginning(path)
    found = encoding_of(start, encoding)
    if form == "tsv":
        delimiter = delimiter or "\t"
    if len(delimiter or ",") != 1:
        raise HistoryError(f"--delimiter {delimiter!r} is no single character", 'write --delimiter ";"', of_call=True)
    text = start.decode(found, errors="replace")
    return CsvSource(form, path=path, encoding=found, delimiter=delimiter or _divider(text))


def _divider(text: str) -> str:
    """The divider that divides most fields in the header, outside of quotes."""
    header = next((line for line in text.splitlines() if line.strip()), "")
    bare = re.sub(r'"[^"]*"', "", header)
    return max(_DIVIDERS, key=bare.count)


def _numbers(rows: Sequence[Sequence[str]], first: int, last: int, broken: bool) -> Sequence[int]:
    """The line in which each row begins."""
    if not broken and last - first + 1 == len(rows):
        return range(first, first + len(rows))
    numbers = []
    for row in rows:
        numbers.append(first)
        first += _height(row)
    return numbers


def _height(row: Sequence[str]) -> int:
    return 1 + sum(len(_LINE_END.findall(field)) for field in row)


def _is_utf8(text: str) -> bool:
    """Whether no byte of it had to be escaped."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _told(error: csv.Error, height: int) -> str:
    over = f", over {height} lines" if height > 1 else ""
    hint = ": is a quote not closed?" if height > 1 or _AT_THE_END in str(error) else ""
    return f"it can't be read as CSV: {error}{over}{hint}"
