"""The channels of a notify.yaml alone, for who wants to try them whatever the rest of the file says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from clew.flow.document import compose_document, read_text
from clew.flow.nodes import Reader, join
from clew.model.errors import FlowError, Problem
from clew.notify.channels.contract import Channel
from clew.notify.channels.registry import Registry

_MEND = "begin with a line 'channels:' and a name and kind below it"


@dataclass(frozen=True, slots=True)
class Surveyed:
    """A channel, or the mistakes that keep it from being one."""

    name: str
    channel: Channel | None
    problems: tuple[Problem, ...]


def survey(path: Path, registry: Registry) -> list[Surveyed]:
    """Every channel that a file names, in its order. Raises FlowError when the file isn't YAML with channels."""
    root = compose_document(read_text(path, FlowError), str(path), "notify file", _MEND, FlowError)
    top = Reader()
    node = top.mapping(root, "").get("channels")
    entries = {} if node is None else top.mapping(node, "channels")
    found = []
    for name, entry in entries.items():
        reader = Reader(places=top.places)
        channel = registry.read(name, entry, join("channels", name), reader)
        found.append(Surveyed(name, channel, tuple(reader.problems)))
    return found
