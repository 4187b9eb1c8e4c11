"""Files as bytes or texts, unpacked while they are read, with the place in the file as progress."""

from __future__ import annotations

import codecs
import contextlib
import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from clew.history.rows import HistoryError, Progress

GZIP = b"\x1f\x8b"
SQLITE = b"SQLite format 3\0"
PARQUET = b"PAR1"
_CHUNK = 256 * 1024


class Counting(io.RawIOBase):
    """A file that tells its progress how many of its bytes were read."""

    def __init__(self, path: Path, progress: Progress) -> None:
        self._file: io.BufferedReader = path.open("rb")
        self._progress = progress
        progress.done, progress.total = 0, path.stat().st_size

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - whatever holds bytes
        """The next bytes of the file."""
        count = self._file.readinto(buffer)
        self._progress.done += count
        return count

    def close(self) -> None:
        """The file, too."""
        self._file.close()
        super().close()


@contextlib.contextmanager
def opened(path: Path, progress: Progress) -> Iterator[IO[bytes]]:
    """The bytes of a file, unpacked when it is a gzip file. Raises HistoryError when it is damaged or can't be read."""
    try:
        raw: IO[bytes] = io.BufferedReader(Counting(path, progress), _CHUNK)
        with raw:
            packed = raw.peek(2)[:2] == GZIP  # type: ignore[attr-defined]  # a BufferedReader has it
            yield io.BufferedReader(gzip.GzipFile(fileobj=raw), _CHUNK) if packed else raw
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise HistoryError(f"{path.name} is no whole gzip file: {error}", "copy it once more") from error
    except OSError as error:
        raise HistoryError(f"{path} can't be read: {error.strerror or error}", "check the file") from error


def beginning(path: Path, size: int = 64 * 1024) -> bytes:
    """The first bytes of a file, unpacked."""
    with opened(path, Progress()) as file:
        return file.read(size)


def encoding_of(start: bytes, asked: str) -> str:
    """The encoding of a text that begins so: as asked, else by its byte order mark, else UTF-8.

    Raises HistoryError when there is no such encoding, or the text is not in it.
    """
    if asked:
        try:
            return codecs.lookup(asked).name
        except LookupError:
            raise HistoryError(
                f"--encoding {asked}: there is none such", "write cp1252, or utf-16", of_call=True
            ) from None
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    return "utf-8-sig"
