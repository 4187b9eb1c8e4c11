"""JSON Lines, JSON arrays, and CloudEvents in either form."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import orjson

from clew.history.files import opened
from clew.history.rows import (
    BATCH_ROWS,
    LONGEST_LINE,
    BadLine,
    BaseSource,
    Batch,
    HistoryError,
    Names,
    gathered,
)

CLOUD_NAMES = Names(
    order=("data.order_id", "data.order.id", "data.case_id", "order_id", "subject"),
    stage=("data.stage", "data.order.stage", "data.status", "type"),
    time=("time",),
    service=("source",),
)
"""In CloudEvents ``subject`` is what the event is about, ``type`` what happened, ``source`` who tells of it."""

_BLANK = b" \t\r\n\xef\xbb\xbf"
_BATCH_BYTES = 2 * LONGEST_LINE
DEEPEST = 100
"""Lists and objects in each other; readers of events and objects need fewer than ten."""
_NESTING = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[\[{}\]]', re.DOTALL)
Row = tuple[int, Any]


@dataclass(slots=True)
class JsonSource(BaseSource):
    """A file of JSON objects, one a line or all in one array."""

    path: Path = Path()
    array: bool = False
    cloud_events: bool = False

    def batches(self) -> Iterator[Batch]:
        """The rows in their order. Raises HistoryError when an array is damaged."""
        with opened(self.path, self.progress) as file:
            if self.array:
                yield from batches_of(self._elements(file))
            else:
                yield from self._batches_of_lines(file)

    def _batches_of_lines(self, file: IO[bytes]) -> Iterator[Batch]:
        first = 1
        while lines := _next_lines(file):
            yield self._batch(lines, first)
            first += len(lines)

    def _batch(self, lines: Sequence[bytes], first: int) -> Batch:
        """Lines as a batch: at one go where all are sound, else one by one."""
        if not self.cloud_events:
            with contextlib.suppress(orjson.JSONDecodeError):
                rows = list(map(orjson.loads, lines))
                if set(map(type, rows)) == {dict}:
                    return gathered(rows, range(first, first + len(rows)), ())
        good: list[dict[str, Any]] = []
        numbers: list[int] = []
        bad: list[BadLine] = []
        for number, line in enumerate(lines, first):
            if line.strip(_BLANK):
                row, wrong = self._row(line)
                if wrong:
                    bad.append(BadLine(number, wrong))
                else:
                    good.append(row)
                    numbers.append(number)
        return gathered(good, numbers, bad)

    def _row(self, line: bytes) -> tuple[Any, str]:
        """What a line holds, and what is wrong with it."""
        if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
            return None, f"it is longer than {LONGEST_LINE // 1024 // 1024} MiB"
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            return None, f"it is no JSON: {error}"
        return row, self._wrong(row)

    def _elements(self, file: IO[bytes]) -> Iterator[Row | BadLine]:
        for number, row in enumerate(elements(file, "item", self.path.name), 1):
            wrong = self._wrong(row)
            yield BadLine(number, wrong) if wrong else (number, row)

    def _wrong(self, row: Any) -> str:  # noqa: ANN401 - JSON is what it is
        if type(row) is not dict:
            return "it is no JSON object"
        if self.cloud_events and not str(row.get("specversion", "")).startswith(("1.", "0.3")):
            return "it is no CloudEvent: specversion is neither 1.x nor 0.3"
        return ""


def _next_lines(file: IO[bytes]) -> list[bytes]:
    """The next lines, as many as a batch takes; of one that is too long the beginning."""
    lines: list[bytes] = []
    size = 0
    while len(lines) < BATCH_ROWS and size < _BATCH_BYTES and (line := file.readline(LONGEST_LINE)):
        lines.append(line)
        size += len(line)
        rest = line
        while len(rest) == LONGEST_LINE and not rest.endswith(b"\n"):
            rest = file.readline(LONGEST_LINE)
    return lines


def elements(file: IO[bytes], prefix: str, name: str) -> Iterator[Any]:
    """Values at a place of a JSON document, one after the other. Raises HistoryError where the document is damaged."""
    import ijson  # type: ignore[import-untyped]

    try:
        yield from ijson.items(file, prefix, use_float=True)
    except ijson.JSONError as error:
        raise HistoryError(f"{name} is no whole JSON document: {_short(error)}", "mend or copy the file") from error


def refuse_deep(start: bytes, name: str) -> None:
    """Raises HistoryError when a document that begins so is deeper than any log: reading on takes for ever."""
    depth = 0
    for found in _NESTING.finditer(start):
        depth += {b"[": 1, b"{": 1, b"]": -1, b"}": -1}.get(found.group(), 0)
        if depth > DEEPEST:
            raise HistoryError(
                f"{name} holds values more than {DEEPEST} deep in each other", "write an array of objects"
            )


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:120]


def batches_of(rows: Iterable[Row | BadLine]) -> Iterator[Batch]:
    """Objects and bad lines, gathered to batches."""
    found: list[dict[str, Any]] = []
    lines: list[int] = []
    bad: list[BadLine] = []
    for each in rows:
        if type(each) is tuple:
            number, row = each
            found.append(row)
            lines.append(number)
        else:
            assert isinstance(each, BadLine)
            bad.append(each)
        if len(found) + len(bad) >= BATCH_ROWS:
            yield gathered(found, lines, bad)
            found, lines, bad = [], [], []
    if found or bad:
        yield gathered(found, lines, bad)


def open_json(path: Path, start: bytes, cloud_events: bool) -> JsonSource:
    """A file of JSON objects; ``start`` is its beginning."""
    array = start.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[")
    form = "cloudevents" if cloud_events else "json" if array else "jsonl"
    names = CLOUD_NAMES if cloud_events else Names()
    unit = "element" if array else "line"
    return JsonSource(form, unit=unit, names=names, path=path, array=array, cloud_events=cloud_events)
