"""``clew trace ID``: one trace as a waterfall."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from clew.api.times import SECOND_NS
from clew.cli.client import open_client, segment
from clew.cli.options import asks, print_json
from clew.cli.screen import (
    ROOMY,
    clock,
    console,
    counted,
    joined,
    nanoseconds,
    plain,
    rows,
    short,
    show,
    text,
    waterfall,
)

_EPILOG = """\b
Examples:
  clew trace 4bf92f3577b34da6a3ce929d0e0e4736
  clew trace 4bf92f3577b34da6a3ce929d0e0e4736 --attributes
"""
_CELLS = 40
_FEW_CELLS = 20


@click.command(epilog=_EPILOG)
@click.argument("trace_id", metavar="ID")
@click.option("--attributes", is_flag=True, help="Show attributes, events and links of each span.")
@asks
def trace(trace_id: str, attributes: bool, url: str, data: Path | None, as_json: bool) -> None:
    """One trace: its spans as a tree with a waterfall, its logs, and the orders it handled."""
    with open_client(url, data) as client:
        answer = client.get(f"traces/{segment(trace_id)}")
    if as_json:
        print_json(answer)
    else:
        show(render_trace(answer, console().width, attributes=attributes))


def render_trace(trace: dict[str, Any], width: int, *, attributes: bool = False) -> RenderableType:
    """A trace as the terminal shows it."""
    facts = joined(
        [
            f"began {clock(trace['start_at'])}",
            f"lasted {short(trace['duration_s'])}",
            f"{counted(len(trace['spans']), 'span')}{'' if trace['complete'] else ' and more'}",
            f"orders {', '.join(trace['order_ids'])}" if trace["order_ids"] else "names no order",
        ]
    )
    parts: list[RenderableType] = [text(f"trace {trace['trace_id']}", "bold"), text(facts, "dim"), Text("")]
    if trace["spans"]:
        parts.append(_tree(trace, attributes, width))
    if trace["linked"]:
        parts += [Text("\nLINKED", style="bold"), *(text(f"  {each}", "cyan") for each in trace["linked"])]
    if trace["logs"]:
        parts += [Text("\nLOGS", style="bold"), Padding(_logs(trace, width), (0, 0, 0, 2))]
    return Group(*parts)


def tree_order(spans: list[dict[str, Any]]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Spans with their depth, each parent before its children, children by start.

    A span whose parent isn't here stands at the root; a circle of parents is broken at its earliest span.
    """
    known = {span["span_id"] for span in spans}
    children: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for span in spans:
        children[span["parent_span_id"] if span["parent_span_id"] in known else ""].append(span)
    told: set[str] = set()
    for start in (*children[""], *spans):
        waiting = [(0, start)]
        while waiting:
            depth, span = waiting.pop()
            if span["span_id"] in told:
                continue
            told.add(span["span_id"])
            yield depth, span
            waiting += [(depth + 1, child) for child in reversed(children[span["span_id"]])]


@dataclass(frozen=True, slots=True)
class _Line:
    """A span of the tree as pieces of a line, and what is told below it."""

    depth: int
    name: Text
    lasted: Text
    bar: Text
    remarks: Text
    details: tuple[str, ...]


def _tree(trace: dict[str, Any], attributes: bool, width: int) -> RenderableType:
    lines = list(_lines(trace, attributes, _CELLS if width >= ROOMY else _FEW_CELLS))
    names, lasted = (
        max(each.cell_len for each in column)
        for column in zip(*((each.name, each.lasted) for each in lines), strict=True)
    )
    remarks = max(line.remarks.cell_len for line in lines)
    fits = names + lasted + lines[0].bar.cell_len + remarks + 6 <= width
    for line in lines:
        line.name.pad_right(names - line.name.cell_len if fits else 0)
        line.lasted.pad_right(lasted - line.lasted.cell_len)
    return Group(*(part for line in lines for part in _drawn(line, fits)))


def _drawn(line: _Line, fits: bool) -> Iterator[RenderableType]:
    """A span in a line; where that doesn't fit, its name above its bar."""
    if fits:
        yield Text("  ").join([line.name, line.lasted, line.bar, line.remarks])
    else:
        yield line.name
        below = rows(True, True, False)
        below.add_row(line.bar, line.lasted, line.remarks)
        yield Padding(below, (0, 0, 0, 2))
    for told in line.details:
        yield Padding(text(told, "dim"), (0, 0, 0, 2 * (line.depth + 2)))


def _lines(trace: dict[str, Any], attributes: bool, cells: int) -> Iterator[_Line]:
    known = {span["span_id"] for span in trace["spans"]}
    for depth, span in tree_order(trace["spans"]):
        failed = span["status"] == "error"
        orphan = span["parent_span_id"] and span["parent_span_id"] not in known
        name = Text("  " * depth) + text(span["service"], "bold") + text(f" {span['name']}", "red" if failed else "")
        yield _Line(
            depth,
            name,
            Text(short(span["duration_s"])),
            Text(_bar(trace, span, cells).ljust(cells), style="red" if failed else "cyan"),
            text(_remarks(span, bool(orphan)), "red" if failed else "dim"),
            tuple(_details(span)) if attributes else (),
        )


def _bar(trace: dict[str, Any], span: dict[str, Any], cells: int) -> str:
    whole = max(trace["duration_s"], 1e-9)
    offset_s = (nanoseconds(span["start_at"]) - nanoseconds(trace["start_at"])) / SECOND_NS
    return waterfall(max(0.0, offset_s / whole), span["duration_s"] / whole, cells)


def _remarks(span: dict[str, Any], orphan: bool) -> str:
    return joined(
        [
            "" if span["kind"] in ("internal", "unspecified") else span["kind"],
            span["error"] if span["error"] != "error" else "failed",
            span["status_message"],
            f"retry {span['retry_count']}" if span["retry_count"] else "",
            "timed out" if span["timeout"] else "",
            "its parent isn't stored" if orphan else "",
        ],
        ", ",
    )


def _details(span: dict[str, Any]) -> Iterator[str]:
    for each in span["attributes"]:
        yield f"{each['key']} = {each['value']}"
    for event in span["events"]:
        fields = ", ".join(f"{each['key']} = {each['value']}" for each in event["attributes"])
        yield joined([f"event {event['name']}", fields], ": ")
    for link in span["links"]:
        yield f"link to span {link['span_id']} of trace {link['trace_id']}"


def _logs(trace: dict[str, Any], width: int) -> RenderableType:
    roomy = width >= ROOMY
    table = rows(True, True, False, False) if roomy else rows(True, False)
    for record in trace["logs"]:
        body = "" if record["body"] is None else plain(record["body"])
        fields = ", ".join(f"{each['key']} = {each['value']}" for each in record["attributes"])
        at = Text(clock(record["at"], near=trace["start_at"]))
        kind, service = text(record["severity"] or record["event_name"]), text(record["service"], "bold")
        told = text(joined([record["event_name"] if record["severity"] else "", body, fields], "  "))
        if roomy:
            table.add_row(at, kind, service, told)
        else:
            table.add_row(at, Group(Text("  ").join([kind, service]), told))
    return table
