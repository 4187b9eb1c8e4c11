"""All spans of a trace for the waterfall of a browser: JSON with one array for each column, in tree order.

Texts that repeat stand once, and columns hold their numbers. Ids of 10,000 spans are most of what is sent.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from clew.store.spans import SpanKind
from clew.web.pages.trace.context import cut, mark_of, tones_of
from clew.web.pages.trace.critical_path import critical_path
from clew.web.pages.trace.tree import NO_PARENT, TraceTree

_KINDS = tuple(SpanKind)


class _Texts:
    """Numbers texts in the order in which they are first seen."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def numbers(self, texts: Iterable[str]) -> list[int]:
        """The number of each; the next one for a new text."""
        known = self._numbers
        return [known.setdefault(text, len(known)) for text in texts]

    def all(self) -> list[str]:
        """All texts by number, short enough for a row."""
        return [cut(text) for text in self._numbers]


def lines_json(tree: TraceTree) -> bytes:
    """The columns as JSON. Times are nanoseconds since ``start_ns`` of the trace, which is text: it is beyond 2^53.

    ``path`` is the critical path as (place, from, to); the place is -1 where nothing worked. ``marks`` are the oddities
    of a few spans by place.
    """
    tones = tones_of(tree)
    services, names, errors = _Texts(), _Texts(), _Texts()
    start_ns = tree.start_ns
    lines = tree.lines
    columns: dict[str, Any] = {
        "id": lines.span_ids,
        "parent": tree.parents,
        "depth": tree.depths,
        "size": tree.sizes,
        "service": services.numbers(lines.services),
        "name": names.numbers(lines.names),
        "kind": [kind if 0 <= kind < len(_KINDS) else 0 for kind in lines.kinds],
        "start": [each_ns - start_ns for each_ns in lines.starts],
        "duration": lines.durations,
        "failed": list(map(int, lines.failed)),
        "error": errors.numbers(lines.errors),
    }
    return orjson.dumps(
        {
            "start_ns": str(start_ns),
            "duration": tree.end_ns - start_ns,
            "services": services.all(),
            "tones": [tones[service] for service in dict.fromkeys(lines.services)],
            "names": names.all(),
            "errors": errors.all(),
            "kinds": [kind.value for kind in _KINDS],
            "columns": columns,
            "marks": dict(_marks(tree)),
            "path": [(part.place, part.from_ns - start_ns, part.to_ns - start_ns) for part in critical_path(tree)],
        }
    )


def _marks(tree: TraceTree) -> Iterable[tuple[str, str]]:
    starts = tree.lines.starts
    for place, parent in enumerate(tree.parents):
        if (parent == NO_PARENT or starts[place] < starts[parent]) and (mark := mark_of(tree, place)):
            yield str(place), mark
