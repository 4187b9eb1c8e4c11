"""OCEL 2.0 as XML: read into the same values that its JSON form has, one object or event at a time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from xml.parsers import expat

from clew.history.files import opened
from clew.history.objects import NAMES, Objects, chosen_type
from clew.history.ocel import OcelSource, object_of
from clew.history.rows import Progress
from clew.history.xml_walk import walked

_RELATIONS = frozenset(("relationship", "object", "relobj"))
"""The standard's own word, and those that its earlier drafts had: each names an object by ``object-id``."""

_FIRST = re.compile(
    rb"<(?:\w+:)?log\b[^>]*>(?:\s|<!--.*?-->)*<(?:\w+:)?(?:object-types|event-types|objects|events)\b", re.S
)


def is_ocel_xml(start: bytes) -> bool:
    """Whether a document that begins so is an object-centric log; XES has the same root."""
    return _FIRST.search(start) is not None


def xml_elements(file: IO[bytes], what: str, name: str) -> Iterator[dict[str, Any]]:
    """The ``events`` or ``objects`` of a log as the JSON form has them. Raises HistoryError when it is damaged."""
    return walked(file.read, _Walk(what), name, "OCEL", "export it as OCEL 2.0, XES or CSV")


@dataclass(slots=True)
class _Walk:
    """Where the parser is: the elements around, and the event or object that is being read."""

    wanted: str
    around: list[str] = field(default_factory=list)
    held: dict[str, Any] | None = None
    text: list[str] | None = None
    found: list[dict[str, Any]] = field(default_factory=list)
    is_log: bool = False

    def parser(self) -> expat.XMLParserType:
        """A parser that tells this walk what it meets."""
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler, parser.EndElementHandler = self._start, self._end
        parser.CharacterDataHandler = self._characters
        return parser

    def taken(self) -> list[dict[str, Any]]:
        """What was found since the last call."""
        found, self.found = self.found, []
        return found

    def _start(self, name: str, said: dict[str, str]) -> None:
        name = name.rpartition(":")[2]
        self.around.append(name)
        self.is_log = self.is_log or self.around == ["log"]
        if len(self.around) == 3 and self.around[1] == self.wanted:
            self.held = {**said, "attributes": [], "relationships": []}
        elif self.held is not None and name == "attribute":
            self.held["attributes"].append(said)
            self.text = []
        elif self.held is not None and name in _RELATIONS and "object-id" in said:
            related = {"objectId": said["object-id"], "qualifier": said.get("qualifier", "")}
            self.held["relationships"].append(related)

    def _characters(self, text: str) -> None:
        if self.text is not None:
            self.text.append(text)

    def _end(self, _: str) -> None:
        name = self.around.pop()
        if self.held is not None and self.text is not None and name == "attribute":
            self.held["attributes"][-1]["value"] = "".join(self.text)
            self.text = None
        elif self.held is not None and len(self.around) == 2:
            self.found.append(self.held)
            self.held = None


def open_ocel_xml(path: Path, object_type: str) -> OcelSource:
    """An OCEL 2.0 document with its objects read.

    Raises HistoryError when it is damaged, or when it must be said which type of object plays the order.
    """
    objects = Objects()
    with opened(path, Progress()) as file:
        objects.add(map(object_of, xml_elements(file, "objects", path.name)))
    kind = chosen_type(objects.types(), object_type, path.name)
    return OcelSource(
        "ocel-xml", unit="event", names=NAMES, path=path, object_type=kind, objects=objects, elements=xml_elements
    )
