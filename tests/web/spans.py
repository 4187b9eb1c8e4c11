"""Traces as values, short to write: lines with small numbers, and the tree of them."""

from __future__ import annotations

from clew.store.order_spans import SpanLine
from clew.store.spans import SpanKind, SpanStatus
from clew.web.pages.trace.tree import tree_of
from tests.builders import span_hex, trace_hex

START = 1_795_000_000_000_000_000


def line(number, start, length, *, parent=0, service="shop-api", name="", failed=False, error=""):
    """A span line; start and length are nanoseconds, the start counts from `START`."""
    return SpanLine(
        trace_hex(1),
        span_hex(number),
        span_hex(parent) if parent else "",
        service,
        name or f"span {number}",
        SpanKind.INTERNAL,
        SpanStatus.ERROR if failed else SpanStatus.UNSET,
        START + start,
        length,
        error or ("error" if failed else ""),
    )


def tree(*lines):
    return tree_of(lines)


def names(of_tree, places):
    return [of_tree.lines[place].name for place in places]
