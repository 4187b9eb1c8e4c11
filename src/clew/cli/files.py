"""Files that commands write: whole, or not at all."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Protocol

import click

from clew.cli import screen
from clew.cli.client import CommandError
from clew.store.contract import Format

_TOLD_EVERY_S = 0.2
# What a terminal would obey: control characters, those beyond ASCII as UTF-8 has them.
_OBEYED = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]")


class Writable(Protocol):
    """Something that takes bytes."""

    def write(self, piece: bytes, /) -> int:
        """Take the next piece; returns its length."""
        ...


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Writable]:
    """A file to write, named ``PATH.part`` until the block has ended well; else it is removed. Raises CommandError."""
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise CommandError(f"can't write {path}: {error.strerror}", "choose another place with --output") from error
    except BaseException:
        part.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def standard_output() -> Iterator[Writable]:
    """Standard output for bytes; a terminal gets nothing that it would obey."""
    binary = sys.stdout.buffer
    harmless: Writable = _Harmless(binary)
    yield harmless if screen.on_terminal() else binary
    binary.flush()


@dataclass(frozen=True, slots=True)
class _Harmless:
    """Writes to a terminal what it can't obey."""

    file: BinaryIO

    def write(self, piece: bytes, /) -> int:
        return self.file.write(_OBEYED.sub("·".encode(), piece))


@dataclass(slots=True)
class Rows:
    """Counts rows in the pieces of a file. A line break inside of quotes ends none, and CSV begins with names."""

    format_: Format
    lines: int = 0
    _quotes: int = 0

    @property
    def number(self) -> int | None:
        """How many rows there were so far; None where only the end of a file tells it."""
        match self.format_:
            case Format.PARQUET:
                return None
            case Format.CSV:
                return max(0, self.lines - 1)
            case Format.JSON_LINES:
                return self.lines

    def add(self, piece: bytes) -> None:
        """Count the next piece."""
        if self.format_ is Format.JSON_LINES:
            self.lines += piece.count(b"\n")
        elif self.format_ is Format.CSV:
            *ended, rest = piece.split(b"\n")
            for line in ended:
                self._quotes += line.count(b'"')
                self.lines += self._quotes % 2 == 0
            self._quotes += rest.count(b'"')


@dataclass(slots=True)
class ProgressLine:
    """A line on the terminal that says how much came, drawn anew in its place; nothing where it isn't ``shown``."""

    rows: Rows
    shown: bool
    size: int = 0
    _began: float = field(default_factory=time.monotonic)
    _told: float = 0.0

    def add(self, piece: bytes) -> None:
        """Tell of the next piece."""
        self.size += len(piece)
        if not self.shown:
            return
        self.rows.add(piece)
        if (now := time.monotonic()) - self._told >= _TOLD_EVERY_S:
            self._told = now
            click.echo(f"\r\x1b[2K{self.text()}", err=True, nl=False)

    def clear(self) -> None:
        """Take the line away."""
        if self.shown:
            click.echo("\r\x1b[2K", err=True, nl=False)

    def text(self) -> str:
        """What came so far: ``1,234,567 rows, 88.1 MB, 12 s``."""
        number = self.rows.number
        rows = "" if number is None else f"{screen.counted(number, 'row')}, "
        return f"{rows}{self.size / 1e6:,.1f} MB, {screen.short(time.monotonic() - self._began)}"
