"""``clew services``: who calls whom, through which queues, and which databases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.console import Group, RenderableType
from rich.text import Text

from clew.cli.client import open_client
from clew.cli.entries import Entry, listed
from clew.cli.options import asks, print_json
from clew.cli.screen import clock, console, counted, short, show, text


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
        show(render_graph(graph, console().width))


def render_graph(graph: dict[str, Any], width: int) -> RenderableType:
    """The service graph as the terminal shows it."""
    if not graph["services"]:
        return Text(f"no spans since {clock(graph['since'])}")
    latest = max(each["last_seen_at"] for each in graph["services"])
    services = [_service(each, latest) for each in graph["services"]]
    table = listed(services, width, ("SERVICE", "SPANS", "FAILED", "REQUESTS", "P95", "LAST SEEN"))
    if not graph["edges"]:
        return table
    calls = listed([_call(each) for each in graph["edges"]], width, ("FROM", "TO", "CALLS", "FAILED", "P95"))
    return Group(table, Text(""), calls)


def _service(each: dict[str, Any], latest: str) -> Entry:
    name, failed = text(each["service"], "bold"), _failed(each["errors"])
    p95, seen = short(each["p95_s"]), clock(each["last_seen_at"], near=latest)
    spans = Text(f"{counted(each['spans'], 'span')}, {each['errors']:,} failed")
    requests = Text(f"{counted(each['requests'], 'request')}, p95 {p95}")
    return Entry(
        "",
        (name, Text(f"{each['spans']:,}"), failed, Text(f"{each['requests']:,}"), Text(p95), Text(seen)),
        ((name,), (spans, requests, Text(f"last seen {seen}"))),
    )


def _call(edge: dict[str, Any]) -> Entry:
    caller, callee = _node(edge["caller"], edge["caller_kind"]), _node(edge["callee"], edge["callee_kind"])
    failed, p95 = _failed(edge["errors"]), short(edge["p95_s"])
    told = f"{counted(edge['calls'], 'call')}, {edge['errors']:,} failed, p95 {p95}"
    return Entry(
        "",
        (caller, callee, Text(f"{edge['calls']:,}"), failed, Text(p95)),
        ((caller, Text("→ ") + callee), (Text(told),)),
    )


def _failed(number: int) -> Text:
    return Text(f"{number:,}", style="red" if number else "dim")


def _node(name: str, kind: str) -> Text:
    return text(name, "bold") if kind == "service" else text(f"{kind} {name}", "cyan")
