"""``clew doctor``: checks the set-up and says what to mend."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import click
from rich.table import Table
from rich.text import Text

from clew.cli.checks import (
    Finding,
    Level,
    bad,
    check_directory,
    check_engine,
    check_flows,
    check_ports,
    check_python,
    check_space,
    check_stages,
    check_status,
    check_telemetry,
    check_watching,
    ok,
    read_settings,
)
from clew.cli.client import Client, CommandError, open_client, segment
from clew.cli.options import asks, print_json
from clew.cli.screen import show, text
from clew.settings import Settings

_MARKS = {Level.OK: ("ok", "green"), Level.WARN: ("look", "yellow"), Level.BAD: ("bad", "bold red")}


@click.command(epilog="Exit code 1 when something is bad; what is only worth a look doesn't count.")
@asks
def doctor(url: str, data: Path | None, as_json: bool) -> None:
    """Check the set-up: Python, engine, settings, disk, ports, server, clock, flow and telemetry. Says what to mend."""
    found = list(examine(url, data))
    if as_json:
        print_json([asdict(each) for each in found])
    else:
        table = Table.grid(padding=0)
        for each in found:
            table.add_row(*_row(each))
        show(table)
    if any(each.level is Level.BAD for each in found):
        raise SystemExit(1)


def examine(url: str, data: Path | None) -> Iterator[Finding]:
    """Every finding, in the order in which things depend on each other."""
    yield check_python()
    yield check_engine()
    told, settings = read_settings(os.environ)
    yield told
    if settings is not None:
        yield check_directory(data or settings.data)
        yield check_space(data or settings.data)
        yield from check_flows(settings)
    yield from _examine_server(url, data, settings)


def _examine_server(url: str, data: Path | None, settings: Settings | None) -> Iterator[Finding]:
    place = str(data or url)
    try:
        with open_client(url, data) as client:
            problem = client.ready()
            if problem:
                yield bad("server", f"{place} is not ready: {problem}", "see the log of `clew serve`")
                return
            yield ok("server", f"{place} is read without one" if data else f"{url} answers")
            yield from _examine_running(client)
    except CommandError as error:
        yield bad("server", error.message, error.mend)
        if settings is not None and data is None:
            yield from check_ports(settings)


def _examine_running(client: Client) -> Iterator[Finding]:
    now_ns = time.time_ns()
    status = client.get("status")
    yield from check_status(status, now_ns)
    yield from check_watching(status)
    services = set()
    for each in status["flows"]:
        whole = client.get(f"flows/{segment(each['name'])}")
        services |= {stage["service"] for stage in whole["stages_in_full"] if stage["service"]}
        yield ok("flow", f"{each['name']} version {each['version']} is in force, {len(each['stages'])} stages")
    yield from check_stages(status)
    yield from check_telemetry(status, services, now_ns)


def _row(finding: Finding) -> tuple[Text, Text]:
    mark, style = _MARKS[finding.level]
    first, *rest = finding.told.splitlines() or [""]
    lines = [text(f"{finding.subject}: ", "bold") + text(first), *map(text, rest)]
    if finding.mend:
        lines.append(text(f"mend: {finding.mend}", style))
    return Text(f"{mark:<5}", style=style), Text("\n").join(lines)
