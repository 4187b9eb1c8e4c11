"""The source of a file, by what is asked, else by what the file itself shows, else by its name."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from clew.history.csv_lines import open_csv
from clew.history.files import GZIP, PARQUET, SQLITE, beginning
from clew.history.json_lines import open_json, refuse_deep
from clew.history.ocel import open_ocel
from clew.history.ocel_xml import is_ocel_xml, open_ocel_xml
from clew.history.own_export import maybe_own
from clew.history.parquet import open_parquet
from clew.history.rows import HistoryError, Source
from clew.history.xes import open_xes

FORMATS = ("csv", "tsv", "jsonl", "json", "parquet", "xes", "ocel", "ocel-xml", "ocel-sqlite", "cloudevents")
"""Formats of files. ``json`` is an array of objects; ``cloudevents`` may be either form of JSON."""

_LINES = 10
"""How many lines are looked at for one that tells the format: the first may be a bad one."""
_TABLES = {".csv": "csv", ".tsv": "tsv", ".tab": "tsv", ".txt": "csv"}


@dataclass(frozen=True, slots=True)
class How:
    """How a file is to be read; what is empty is found."""

    format: str = ""
    delimiter: str = ""
    encoding: str = ""
    object_type: str = ""


def open_source(path: Path, how: How) -> Source:
    """A source over a file. Raises HistoryError when the file can't be read as what it is taken for."""
    packed = path_starts(path, GZIP)
    start = beginning(path)
    form = how.format or _shown(path, start) or _named(path) or _kind_of_lines(start)
    if not form:
        raise HistoryError(f"nobody knows what {path.name} is", f"say --format, one of {', '.join(FORMATS)}")
    if packed and form in ("parquet", "ocel-sqlite"):
        raise HistoryError(f"{path.name} is packed, and {form} is read here and there", "unpack it with gunzip")
    if form in ("json", "ocel", "cloudevents"):
        refuse_deep(start, path.name)
    opening: Mapping[str, Callable[[], Source]] = {
        "csv": lambda: open_csv(path, form, how.delimiter, how.encoding),
        "tsv": lambda: open_csv(path, form, how.delimiter, how.encoding),
        "jsonl": lambda: open_json(path, start, False),
        "json": lambda: open_json(path, start, False),
        "cloudevents": lambda: open_json(path, start, True),
        "parquet": lambda: open_parquet(path),
        "xes": lambda: open_xes(path),
        "ocel": lambda: open_ocel(path, start, how.object_type),
        "ocel-xml": lambda: open_ocel_xml(path, how.object_type),
        "ocel-sqlite": lambda: _ocel_sqlite(path, how.object_type),
    }
    source = opening[form]()
    if how.object_type and not form.startswith("ocel"):
        source.close()
        raise HistoryError(f"--object-type is for OCEL, and {path.name} is {form}", "leave it out", of_call=True)
    return maybe_own(source) if form in ("csv", "tsv", "jsonl", "json", "parquet") else source


def path_starts(path: Path, mark: bytes) -> bool:
    """Whether the file as it lies on disk begins so. Raises HistoryError when it can't be read."""
    try:
        with path.open("rb") as file:
            return file.read(len(mark)) == mark
    except OSError as error:
        raise HistoryError(f"{path} can't be read: {error.strerror or error}", "check the file") from error


def _ocel_sqlite(path: Path, object_type: str) -> Source:
    from clew.history.ocel_sqlite import open_ocel_sqlite

    return open_ocel_sqlite(path, object_type)


def _shown(path: Path, start: bytes) -> str:
    """The format that the first bytes show, empty when they show none."""
    if start.startswith(PARQUET):
        return "parquet"
    if start.startswith(SQLITE):
        return "ocel-sqlite"
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n")
    if text.startswith(b"<"):
        return "ocel-xml" if is_ocel_xml(text) else "xes"
    if text.startswith(b"["):
        return "cloudevents" if b'"specversion"' in text else "json"
    if text.startswith(b"{"):
        return _json_kind(text, path)
    return ""


def _json_kind(text: bytes, path: Path) -> str:
    """What kind of JSON begins with an object: a line of many, or one document."""
    if b'"objectTypes"' in text or b'"eventTypes"' in text or b'"ocel:' in text:
        return _kind_of_lines(text, 1) or "ocel"
    if kind := _kind_of_lines(text):
        return kind
    if b'"relationships"' in text:
        return "ocel"
    if b"\n" not in text:
        return "cloudevents" if b'"specversion"' in text else "jsonl"  # a line longer than what was looked at
    raise HistoryError(
        f"{path.name} is JSON, but neither a line an object, nor an array, nor OCEL 2.0",
        "write one object a line, or say --format",
    )


def _kind_of_lines(text: bytes, most: int = _LINES) -> str:
    """What the first line tells that is a JSON object from its beginning; empty when none of the first lines is."""
    for line in text.split(b"\n", most)[:most]:
        if not line.startswith(b"{"):
            continue  # also the inner lines of a document
        with contextlib.suppress(orjson.JSONDecodeError):
            first: dict[str, Any] = orjson.loads(line)
            if {"events", "objects"} <= first.keys() or "ocel:events" in first:
                return "ocel"
            return "cloudevents" if "specversion" in first else "jsonl"
    return ""


def _named(path: Path) -> str:
    """The format that the name tells, empty when it tells none."""
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
    return _TABLES.get(suffixes[-1] if suffixes else "", "")
