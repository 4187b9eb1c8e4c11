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
from clew.web.pages.trace.tree import TraceTree

_KINDS = tuple(SpanKind)


class _Texts:
    """Numbers texts in the order in which they are first seen."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def number(self, text: str) -> int:
        return self._numbers.setdefault(text, len(self._numbers))

    def all(self) -> list[str]:
        return list(self._numbers)


def lines_json(tree: TraceTree) -> bytes:
    """The columns as JSON. Times are nanoseconds since ``start_ns`` of the trace, which is text: it is beyond 2^53.

    ``path`` is the critical path as (place, from, to); the place is -1 where nothing worked. ``marks`` are the oddities
    of a few spans by place.
    """
    tones = tones_of(tree)
    services, names, errors = _Texts(), _Texts(), _Texts()
    start_ns = tree.start_ns
    columns: dict[str, Any] = {
        "id": [line.span_id for line in tree.lines],
        "parent": tree.parents,
        "depth": tree.depths,
        "size": tree.sizes,
        "service": [services.number(line.service) for line in tree.lines],
        "name": [names.number(cut(line.name)) for line in tree.lines],
        "kind": [_KINDS.index(line.kind) for line in tree.lines],
        "start": [line.start_ns - start_ns for line in tree.lines],
        "duration": [line.duration_ns for line in tree.lines],
        "failed": [int(line.failed) for line in tree.lines],
        "error": [errors.number(cut(line.error)) for line in tree.lines],
    }
    return orjson.dumps(
        {
            "start_ns": str(start_ns),
            "duration": tree.end_ns - start_ns,
            "services": services.all(),
            "tones": [tones[service] for service in services.all()],
            "names": names.all(),
            "errors": errors.all(),
            "kinds": [kind.value for kind in _KINDS],
            "columns": columns,
            "marks": dict(_marks(tree)),
            "path": [(part.place, part.from_ns - start_ns, part.to_ns - start_ns) for part in critical_path(tree)],
        }
    )


def _marks(tree: TraceTree) -> Iterable[tuple[str, str]]:
    for place in range(len(tree.lines)):
        if mark := mark_of(tree, place):
            yield str(place), mark
