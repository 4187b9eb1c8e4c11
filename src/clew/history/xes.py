"""XES (IEEE 1849): traces of events; attributes have a key, and may have attributes themselves.

A trace is an order, named by its ``concept:name``; its other attributes go with each of its events, under ``case:``,
as tables made of such logs have it. Traces of one name are one order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.parsers import expat

from clew.history.files import opened
from clew.history.json_lines import batches_of
from clew.history.rows import BadLine, BaseSource, Batch, Names
from clew.history.xml_walk import walked

_MERGED = "{n} traces carry the name of an earlier one: their events are merged into one order"
_EMPTY = "{n} traces hold no event"
_ELEMENTS = frozenset(("string", "date", "int", "float", "boolean", "id", "list", "container"))


@dataclass(slots=True)
class XesSource(BaseSource):
    """A XES log."""

    path: Path = Path()

    def batches(self) -> Iterator[Batch]:
        """The events in their order. Raises HistoryError when the log is damaged or no XES."""
        walk = _Walk()
        with opened(self.path, self.progress) as file:
            found = walked(file.read, walk, self.path.name, "XES", "export it as XES, CSV or OCEL 2.0")
            yield from batches_of(found)
        self.remarks.counts = {_MERGED: walk.merged, _EMPTY: walk.empty}


@dataclass(slots=True)
class _Walk:
    """Where the parser is: the open trace and event, and the keys of the attributes around."""

    trace: dict[str, str] | None = None
    event: dict[str, str] | None = None
    keys: list[str] = field(default_factory=list)
    found: list[tuple[int, Any] | BadLine] = field(default_factory=list)
    waiting: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    names: set[int] = field(default_factory=set)
    merged: int = 0
    empty: int = 0
    line: int = 0
    is_log: bool = False
    _parser: Any = None

    def parser(self) -> Any:  # noqa: ANN401 - expat's parser has no type of its own
        """A parser that tells this walk what it meets."""
        parser = expat.ParserCreate()
        parser.ordered_attributes = True
        parser.StartElementHandler, parser.EndElementHandler = self._start, self._end
        self._parser = parser
        return parser

    def taken(self) -> list[tuple[int, Any] | BadLine]:
        """The events found since the last call."""
        found, self.found = self.found, []
        return found

    def _start(self, name: str, attributes: list[str]) -> None:
        if ":" in name:
            name = name.rpartition(":")[2]
        if name in _ELEMENTS:
            self._attribute(attributes)
        elif name == "event":
            self.event, self.line = {}, self._parser.CurrentLineNumber
        elif name == "trace":
            self.trace = {}
        elif name == "log":
            self.is_log = True

    def _attribute(self, attributes: list[str]) -> None:
        if len(attributes) == 4 and attributes[0] == "key" and attributes[2] == "value":
            key, value = attributes[1], attributes[3]
        else:
            said = dict(zip(attributes[::2], attributes[1::2], strict=True))
            key, value = said.get("key", ""), said.get("value", "")
        self.keys.append(key)
        held = self.trace if self.event is None else self.event
        if held is not None and value:
            held[key if len(self.keys) == 1 else "/".join(filter(None, self.keys))] = value

    def _end(self, name: str) -> None:
        if ":" in name:
            name = name.rpartition(":")[2]
        if name in _ELEMENTS:
            self.keys.pop()
        elif name == "event":
            # A trace's name may come after its events.
            self.waiting.append((self.line, self.event or {}))
            self.event = None
        elif name == "trace":
            self._end_trace()

    def _end_trace(self) -> None:
        of_trace = {f"case:{key}": value for key, value in (self.trace or {}).items()}
        self.found += [(line, of_trace | event) for line, event in self.waiting]
        self.empty += not self.waiting
        self.waiting, self.trace = [], None
        if name := of_trace.get("case:concept:name"):
            self.merged += hash(name) in self.names
            self.names.add(hash(name))


def open_xes(path: Path) -> XesSource:
    """A XES log."""
    names = Names(("case:concept:name",), ("concept:name",), ("time:timestamp",), prescribed=True)
    return XesSource("xes", names=names, path=path)
