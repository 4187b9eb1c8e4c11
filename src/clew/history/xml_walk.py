"""Feeds an XML log to a walk through it, a piece at a time, so that none is ever in memory whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar
from xml.parsers import expat

from clew.history.rows import HistoryError

_CHUNK = 128 * 1024
Found = TypeVar("Found")


class Walk(Protocol[Found]):
    """What notes where the parser is. ``is_log``: whether it met the root of a log."""

    @property
    def is_log(self) -> bool: ...  # noqa: D102

    def parser(self) -> expat.XMLParserType:
        """A parser that tells this walk what it meets."""

    def taken(self) -> list[Found]:
        """What was found since the last call."""


def walked(read: Callable[[int], bytes], walk: Walk[Found], name: str, form: str, mend: str) -> Iterator[Found]:
    """What a walk finds in a file called ``name``, as soon as it is read.

    Raises HistoryError when the file is damaged, or no log of this ``form`` ("XES"); ``mend`` is what to do then.
    """
    parser = walk.parser()
    parser.EntityDeclHandler = _refuse_entities
    try:
        while chunk := read(_CHUNK):
            parser.Parse(chunk, False)
            yield from walk.taken()
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise HistoryError(f"{name} is no whole {form} log: {error}", "mend or copy the file") from error
    yield from walk.taken()
    if not walk.is_log:
        raise HistoryError(f"{name} is XML, but no {form} log", mend)


def _refuse_entities(*_: object) -> None:
    # A few lines of entities may stand for more text than memory holds.
    raise HistoryError("the file declares XML entities, which no log needs", "export it without a DTD")
