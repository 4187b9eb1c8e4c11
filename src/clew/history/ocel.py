"""OCEL 2.0 as JSON (and what its XML form shares): objects, and events that name the objects they touched.

The order is an object of one type. An event that names several of that type happened to each of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from clew.history import json_lines
from clew.history.files import opened
from clew.history.json_lines import batches_of
from clew.history.objects import EVENT, LEFT_OUT, NAMES, ORDER, QUALIFIER, STAGE, TIME, Objects, chosen_type
from clew.history.rows import BadLine, BaseSource, Batch, HistoryError, Progress


def json_elements(file: IO[bytes], what: str, name: str) -> Iterator[Any]:
    """The ``events`` or ``objects`` of a document, one after the other. Raises HistoryError when it is damaged."""
    return json_lines.elements(file, f"{what}.item", name)


@dataclass(slots=True)
class OcelSource(BaseSource):
    """An OCEL 2.0 document, whose events ``elements`` reads."""

    path: Path = Path()
    object_type: str = ""
    objects: Objects = field(default_factory=Objects)
    elements: Callable[[IO[bytes], str, str], Iterator[Any]] = json_elements

    def batches(self) -> Iterator[Batch]:
        """A row for each event and object of the type. Raises HistoryError when the document is damaged."""
        self.remarks.counts = {}
        with opened(self.path, self.progress) as file:
            yield from batches_of(self._rows(file))

    def close(self) -> None:
        """The objects are dropped."""
        self.objects.close()

    def _rows(self, file: IO[bytes]) -> Iterator[tuple[int, dict[str, Any]] | BadLine]:
        for number, event in enumerate(self.elements(file, "events", self.path.name), 1):
            if type(event) is not dict:
                yield BadLine(number, "it is no JSON object")
                continue
            own, left_out = _event_fields(event), True
            for ident, qualifier in _touched(event).items():
                found = self.objects.find(ident)
                if found is None:
                    left_out = False
                    yield BadLine(number, f"it names the object {ident!r}, which the log doesn't hold")
                elif found[0] == self.object_type:
                    left_out = False
                    yield number, {**found[1], **own, ORDER: ident, QUALIFIER: qualifier}
            if left_out:
                self.remarks.add(LEFT_OUT % self.object_type)


def _event_fields(event: Mapping[str, Any]) -> dict[str, Any]:
    named = {str(each.get("name")): each.get("value") for each in _dicts(event.get("attributes"))}
    return {**named, STAGE: event.get("type"), TIME: event.get("time"), EVENT: event.get("id")}


def _touched(event: Mapping[str, Any]) -> dict[str, str]:
    """The objects that an event names, each once, with how."""
    found: dict[str, str] = {}
    for each in _dicts(event.get("relationships")):
        found.setdefault(str(each.get("objectId")), str(each.get("qualifier") or ""))
    return found


def _dicts(values: Any) -> Iterable[dict[str, Any]]:  # noqa: ANN401 - JSON is what it is
    return (value for value in values or () if type(value) is dict)


def object_of(found: Mapping[str, Any]) -> tuple[str, str, dict[str, Any]]:
    """Id, type and attributes of an object; of two values of an attribute the later one holds."""
    by_time = sorted(_dicts(found.get("attributes")), key=lambda each: str(each.get("time", "")))
    attributes = {str(each.get("name")): each.get("value") for each in by_time}
    return str(found.get("id")), str(found.get("type")), attributes


def open_ocel(path: Path, start: bytes, object_type: str) -> OcelSource:
    """An OCEL 2.0 document with its objects read; ``start`` is its beginning.

    Raises HistoryError when it is of version 1, or when it must be said which type of object plays the order.
    """
    if b'"ocel:' in start:
        raise HistoryError(f"{path.name} is OCEL 1.0, which says less than is needed", "export it as OCEL 2.0")
    objects = Objects()
    with opened(path, Progress()) as file:
        objects.add(map(object_of, _dicts(json_elements(file, "objects", path.name))))
    kind = chosen_type(objects.types(), object_type, path.name)
    return OcelSource("ocel", unit="event", names=NAMES, path=path, object_type=kind, objects=objects)
