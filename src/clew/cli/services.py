"""``clew services``: who calls whom, through which queues, and which databases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.console import Group, RenderableType
from rich.text import Text

from clew.cli.client import open_client
from clew.cli.options import asks, print_json
from clew.cli.screen import clock, grid, short, show, text


@click.command()
@click.option("--since", default="1h", show_default=True, help="What ran since: 15m, or 2026-11-22T08:15:00Z.")
@asks
def services(since: str, url: str, data: Path | None, as_json: bool) -> None:
    """Services with their spans, errors and times, and the calls between them, their queues and databases."""
    with open_client(url, data) as client:
        graph = client.get("services", {"since": since})
    if as_json:
        print_json(graph)
    else:
        show(render_graph(graph))


def render_graph(graph: dict[str, Any]) -> RenderableType:
    """The service graph as the terminal shows it."""
    if not graph["services"]:
        return Text(f"no spans since {clock(graph['since'])}")
    table = grid("SERVICE", "SPANS", "FAILED", "REQUESTS", "P95", "LAST SEEN")
    for each in graph["services"]:
        table.add_row(
            text(each["service"], "bold"), str(each["spans"]), _failed(each["errors"]), str(each["requests"]),
            short(each["p95_s"]), clock(each["last_seen_at"]),
        )  # fmt: skip
    calls = grid("FROM", "TO", "CALLS", "FAILED", "P95")
    for edge in graph["edges"]:
        calls.add_row(
            _node(edge["caller"], edge["caller_kind"]), _node(edge["callee"], edge["callee_kind"]), str(edge["calls"]),
            _failed(edge["errors"]), short(edge["p95_s"]),
        )  # fmt: skip
    return Group(table, Text(""), calls) if graph["edges"] else table


def _failed(number: int) -> Text:
    return Text(str(number), style="red" if number else "dim")


def _node(name: str, kind: str) -> Text:
    return text(name, "bold") if kind == "service" else text(f"{kind} {name}", "cyan")
